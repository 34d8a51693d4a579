"""From what people said of answers to a proposal for another threshold. Nothing changes by itself.

Each answer for which a note was read has p, the probability by which the decision was made. People
label it, in the order of trust:

    a moderator corrected it by changing or replacing the note that was read   it was about the question
    a moderator corrected it with another note, and that one still stands      it was not
    answered from the note: 👍 against "should not come from the notebook"     the majority
    answered by the model: 👍, and nobody complained                           it was not

"Wrong" and "outdated" say that a note is wrong, not that it was the wrong note, and label nothing; nor does
a complaint that a moderator dismissed. An answer counts only for the calibration that decided it, the
same question once.

The threshold is moved as a whole, in log-odds: labels from feedback are far too few and too one-sided to
fit weights on. Whether it is better is judged on answers that it was not chosen by (folds), and it is
proposed only if it mends clearly more decisions than it breaks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from eren_memory.calibrations import Calibrations, Key
from eren_memory.ledger.evidence import Judged, judged
from eren_memory.ledger.ledger import Ledger
from eren_memory.relevance import Calibration, Task, logit

LEAST_OF_EACH = 15
"""Labelled answers of each class without which nothing is proposed."""
LEAST_PEOPLE = 3
"""Who labelled them: one person's taste is no evidence."""
LEAST_GAIN = 5
"""Decisions that it must mend beyond those that it breaks."""

# It is looked at every night: at one in twenty, luck alone would soon propose something.
_CERTAIN = 0.01
_FOLDS = 5
_GRID = [step / 20 for step in range(-60, 61)]


@dataclass(frozen=True, slots=True)
class Counts:
    """Of labelled answers, how many a threshold decides rightly: where the note answers, where not."""

    answering: int
    silent: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """What feedback says of one calibration.

    Attributes:
        key: Whose.
        labelled: Answers by label: the note answers, it does not.
        people: Who labelled them.
        before: Decided rightly as it is.
        after: As it would be, each answer by a threshold that was chosen without it.
        mended: Decided wrongly now, and rightly then.
        broken: The contrary.
        threshold: Probability from which a note would be accepted, 0.5 now.
    """

    key: Key
    labelled: Counts
    people: int
    before: Counts
    after: Counts
    mended: int
    broken: int
    threshold: float

    @property
    def enough(self) -> bool:
        """Whether there is evidence to decide by."""
        few = min(self.labelled.answering, self.labelled.silent)
        return few >= LEAST_OF_EACH and self.people >= LEAST_PEOPLE

    @property
    def better(self) -> bool:
        """Whether the other threshold is clearly better: a sign test on what it changes."""
        chance = _sign_test(self.mended, self.broken)
        return self.enough and self.mended - self.broken >= LEAST_GAIN and chance < _CERTAIN


async def proposals(ledger: Ledger, calibrations: Mapping[str, Calibrations]) -> list[Proposal]:
    """What feedback says of each calibration that it is about. Raises `ErenError`."""
    marks: dict[str, Key] = {}
    for one in calibrations.values():
        for task in Task:
            for logprobs in (True, False):
                key = one.key(task, logprobs=logprobs)
                marks[one.mark(task, logprobs=logprobs)] = key
    found: dict[Key, list[Judged]] = {}
    for row in await judged(ledger):
        if row.mark in marks:
            found.setdefault(marks[row.mark], []).append(row)
    return [propose(key, rows) for key, rows in found.items()]


def propose(key: Key, rows: Sequence[Judged]) -> Proposal:
    """What labelled answers of one calibration say."""
    heard = [(logit(row.p), row.answers) for row in rows]
    now = [x >= 0 for x, _ in heard]
    then = now
    if len({answers for _, answers in heard}) == 2:
        folds = [
            _best([one for place, one in enumerate(heard) if place % _FOLDS != fold])
            for fold in range(_FOLDS)
        ]
        then = [x >= folds[place % _FOLDS] for place, (x, _) in enumerate(heard)]
    labels = [answers for _, answers in heard]
    changed = [(b == label, a == label) for b, a, label in zip(now, then, labels, strict=True)]
    return Proposal(
        key=key,
        labelled=Counts(sum(labels), len(labels) - sum(labels)),
        people=len({person for row in rows for person in row.people}),
        before=_right(now, labels),
        after=_right(then, labels),
        mended=changed.count((False, True)),
        broken=changed.count((True, False)),
        threshold=1 / (1 + math.exp(-_best(heard))),
    )


def moved(calibration: Calibration, proposal: Proposal, today: date) -> Calibration:
    """The calibration that accepts from the proposed threshold on."""
    decision, second = calibration.decision, calibration.second
    shift = logit(proposal.threshold)
    if second is not None:
        # What comes of a second look moves as far: part of it through the p that it starts from.
        further = shift * (1 - second.before)
        second = replace(second, intercept=second.intercept - further)
    answers = proposal.labelled.answering + proposal.labelled.silent
    was = calibration.fitted or "defaults"
    return replace(
        calibration,
        decision=replace(decision, intercept=decision.intercept - shift),
        second=second,
        fitted=f"{was}; threshold moved by feedback on {answers} answers, {today:%Y-%m-%d}",
    )


def summary(found: Sequence[Proposal]) -> str:
    """In a few words, for the list of jobs."""
    if better := [one for one in found if one.better]:
        return (
            f"Feedback speaks for another threshold of {len(better)} calibrations: "
            "see eren calibrate --from-feedback."
        )
    answers = sum(one.labelled.answering + one.labelled.silent for one in found)
    return f"Nothing to propose: {answers} labelled answers."


def told(one: Proposal) -> str:
    """With its counts, for the operator."""
    graded = "with" if one.key.logprobs else "without"
    text = (
        f"{one.key.model}, {one.key.task}, {graded} log-probabilities: {one.labelled.answering} answers "
        f"that the note answers, {one.labelled.silent} that it does not, labelled by {one.people} people.\n"
        f"  Decided rightly now: {one.before.answering} and {one.before.silent}.\n"
    )
    if not one.enough:
        return text + (
            f"  Too little to propose anything: {LEAST_OF_EACH} of each are needed, by {LEAST_PEOPLE} people."
        )
    text += (
        f"  With a threshold of {one.threshold:.2f} instead of 0.50: {one.after.answering} and "
        f"{one.after.silent}; {one.mended} decisions mended, {one.broken} broken (each judged by a "
        "threshold that was chosen without it).\n"
    )
    return text + ("  Proposed." if one.better else "  Not clearly better: nothing is proposed.")


def _best(heard: Sequence[tuple[float, bool]]) -> float:
    """The log-odds from which to accept: the middle of where most of both classes is right."""
    scores = []
    for threshold in _GRID:
        right = _right([x >= threshold for x, _ in heard], [answers for _, answers in heard])
        answering = sum(answers for _, answers in heard)
        # The mean of both classes' shares: how often people label which says nothing.
        silent = len(heard) - answering
        scores.append(right.answering / max(answering, 1) + right.silent / max(silent, 1))
    best = max(scores)
    plateau = [t for t, score in zip(_GRID, scores, strict=True) if score >= best - 1e-9]
    return plateau[len(plateau) // 2]


def _right(accepted: Sequence[bool], labels: Sequence[bool]) -> Counts:
    pairs = list(zip(accepted, labels, strict=True))
    return Counts(pairs.count((True, True)), pairs.count((False, False)))


def _sign_test(mended: int, broken: int) -> float:
    """The chance that so many of the changed decisions are mended by luck alone."""
    changed = mended + broken
    return sum(math.comb(changed, k) for k in range(mended, changed + 1)) / (1 << changed)
