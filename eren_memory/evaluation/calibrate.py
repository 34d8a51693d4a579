"""Fit the decision to a chat model and an embedder, from labelled questions or claims."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from eren_memory.app import App
from eren_memory.calibrations import Key
from eren_memory.domain import Candidate, Place
from eren_memory.evaluation.bench_notebook import GUILD
from eren_memory.evaluation.datasets import Benchmark, Case, Edit, Kind
from eren_memory.evaluation.metrics import harmonic
from eren_memory.fitting import fit_decision, fit_likeness, fit_polarity, fit_second, fit_unread
from eren_memory.likeness import SOMEONE, Likeness
from eren_memory.projection import Progress
from eren_memory.prompts import Style
from eren_memory.relevance import (
    Calibration,
    Labelled,
    Leaning,
    Polarity,
    Task,
    in_words,
    is_unsure,
    logit,
)
from eren_memory.strategies import Asking
from eren_memory.strategies.calibrated import nearest_cosine
from eren_memory.strategies.testimony import look_again, testify, testify_on_claim
from eren_memory.wording import residues

_CANDIDATES = 20
_AT_ONCE = 32
# Gate and floor each let this share of the answering notes through; the rest is never read.
_KEEP = 0.998
_PLATEAU = 0.002


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    case: Case
    candidates: Sequence[Candidate]
    seen: Labelled


@dataclass(frozen=True, slots=True)
class _Row:
    found: _Found
    evidence: Labelled
    graded: bool
    # The note that was read.
    source: Candidate
    # Of claims that their own note decides.
    leaning: Leaning | None = None

    @property
    def in_scope(self) -> bool:
        return self.found.case.kind is Kind.SCOPE

    def p(self, fitted: Calibration) -> float:
        seen = self.evidence
        return fitted.decision.probability(seen.verdict, seen.dense, seen.overlap)


@dataclass(frozen=True, slots=True)
class _Judged:
    """A row with what is decided about it: log-odds that a threshold moves, or a fixed yes or no."""

    row: _Row
    log_odds: float
    fixed: bool = False


async def calibrate(
    app: App,
    benchmark: Benchmark,
    edits: Sequence[Edit],
    cases: Sequence[Case],
    concurrency: int,
    progress: Progress,
) -> dict[Key, Calibration]:
    """Fit what is known before the model is asked, then ask it about what that lets through.

    What is still unsure is asked about once more.

    `app` holds the notes of `edits`. A case counts as answered by its note only when the note that
    was read is its own. There is a fit with log-probabilities, if the endpoint gave any, and one
    without.
    """
    own = {edit.id: edit.statement for edit in edits}
    embedding = asyncio.Semaphore(_AT_ONCE)

    async def find(case: Case) -> _Found | None:
        async with embedding:
            candidates = await app.notebook.search(Place(GUILD), case.text, _CANDIDATES)
            if not candidates:
                return None
            asking = Asking(app.chat_model, Style.SHORT, app.calibrations, app.embedder)
            best = candidates[0]
            overlap = await asking.overlap(case.text, best.note.text, None)
            answers = case.kind is Kind.SCOPE and best.note.text == own[case.edit_id]
            return _Found(case, candidates, Labelled(0.5, best.dense, answers, overlap))

    found = [one for one in await asyncio.gather(*map(find, cases)) if one]
    nearest = [nearest_cosine(one.candidates) for one in found if one.seen.answers]
    gate = float(np.quantile(nearest, 1 - _KEEP)) if nearest else 0.0
    found = [one for one in found if nearest_cosine(one.candidates) >= gate]
    likeness = None
    if not benchmark.claims:
        found, likeness = await _by_likeness(app, found)
    before = fit_unread([one.seen for one in found], keep=_KEEP)
    before = replace(before, gate=gate, likeness=likeness)
    asked = [
        one for one in found if before.believed(one.seen.dense, one.seen.overlap) >= before.floor
    ]
    rows: list[_Row] = []
    limit = asyncio.Semaphore(concurrency)

    async def ask(one: _Found) -> None:
        async with limit:
            asking = Asking(app.chat_model, Style.SHORT, app.calibrations, app.embedder)
            row = _claim(one, asking) if benchmark.claims else _question(one, own, likeness, asking)
            rows.append(await row)
            progress(len(rows), len(asked))

    await asyncio.gather(*(ask(one) for one in asked))

    again: dict[_Found, float] = {}

    async def ask_again(row: _Row) -> None:
        async with limit:
            asking = Asking(app.chat_model, Style.SHORT, app.calibrations, app.embedder)
            again[row.found] = await look_again(row.found.case.text, row.source, asking)

    task = Task.CLAIM if benchmark.claims else Task.QUESTION
    made = {}
    for logprobs in {False, *(row.graded for row in rows)}:
        usable = [
            row if logprobs else replace(row, evidence=_ungraded(row.evidence))
            for row in rows
            if row.graded or not logprobs
        ]
        evidence = [row.evidence for row in usable]
        decided = _balanced(fit_decision(before, evidence), usable, cases)
        if not benchmark.claims:
            unsure = [row for row in usable if is_unsure(row.p(decided))]
            await asyncio.gather(*(ask_again(row) for row in unsure if row.found not in again))
            seconds = {
                row.found: again[row.found] if logprobs else in_words(again[row.found] >= 0.5)
                for row in unsure
            }
            decided = _with_second(decided, usable, seconds, cases)
        fitted = replace(
            decided,
            polarity=_polarity(usable, logprobs=logprobs),
            fitted=f"{benchmark.name}, {len(evidence)} of {len(cases)} rows read, "
            f"{datetime.now(UTC):%Y-%m-%d}",
        )
        made[app.calibrations.key(task, logprobs=logprobs)] = fitted
    return made


async def _by_likeness(app: App, found: list[_Found]) -> tuple[list[_Found], Likeness | None]:
    """What was found, with a likeness of question and note if one is learned, and the measure."""
    if not found:
        return found, None
    rests = [residues(one.case.text, one.candidates[0].note.text, instead=SOMEONE) for one in found]
    ones, others = [await app.embedder.embed(side) for side in zip(*rests, strict=True)]
    learned = fit_likeness(
        ones, others, [one.seen.answers for one in found], [one.case.edit_id for one in found]
    )
    if learned is None:
        return found, None
    likeness, measures = learned
    told = []
    for one, measure in zip(found, measures, strict=True):
        overlap = replace(one.seen.overlap, likeness=measure)
        told.append(replace(one, seen=replace(one.seen, overlap=overlap)))
    return told, likeness


async def _question(
    one: _Found, own: dict[str, str], likeness: Likeness | None, asking: Asking
) -> _Row:
    heard = await testify(one.case.text, one.candidates, asking)
    overlap = one.seen.overlap
    if heard.source is not one.candidates[0]:
        overlap = await asking.overlap(one.case.text, heard.source.note.text, likeness)
    in_scope = one.case.kind is Kind.SCOPE
    answers = in_scope and heard.source.note.text == own[one.case.edit_id]
    evidence = Labelled(heard.verdict, heard.source.dense, answers, overlap)
    return _Row(one, evidence, heard.graded, heard.source)


async def _claim(one: _Found, asking: Asking) -> _Row:
    claim, best = one.case.text, one.candidates[0]
    heard = await testify_on_claim(claim, best, asking)
    true = one.case.target == "yes"
    leaning = Leaning(heard.leaning, best.dense, heard.negated, true) if one.seen.answers else None
    evidence = replace(one.seen, verdict=heard.speaks)
    return _Row(one, evidence, heard.graded, best, leaning)


def _balanced(fitted: Calibration, rows: Sequence[_Row], cases: Sequence[Case]) -> Calibration:
    """Move the decision's intercept to where EQ over all cases is best."""
    shift = _shift([_Judged(row, logit(row.p(fitted))) for row in rows], cases)
    decision = fitted.decision
    return replace(fitted, decision=replace(decision, intercept=decision.intercept - shift))


def _with_second(
    fitted: Calibration,
    rows: Sequence[_Row],
    seconds: Mapping[_Found, float],
    cases: Sequence[Case],
) -> Calibration:
    """Fit the second look on the rows that were unsure, its intercept as the decision's."""
    unsure = [row for row in rows if row.found in seconds]
    second = fit_second(
        [(row.p(fitted), seconds[row.found], row.evidence.answers) for row in unsure]
    )
    if second is None:
        return fitted
    judged = [_Judged(row, second.logit(row.p(fitted), seconds[row.found])) for row in unsure]
    judged += [
        _Judged(row, logit(row.p(fitted)), fixed=True) for row in rows if row.found not in seconds
    ]
    shift = _shift(judged, cases)
    return replace(fitted, second=replace(second, intercept=second.intercept - shift))


def _shift(judged: Sequence[_Judged], cases: Sequence[Case]) -> float:
    """The threshold, in log-odds, with the best EQ over all cases.

    A regression sees only what was read. Edit success and behaviour preservation are over all
    cases: those that were stopped before are kept in the second and lost in the first.
    """
    scope = sum(case.kind is Kind.SCOPE for case in cases)
    others = len(cases) - scope
    thresholds = np.linspace(-3, 3, 121)
    eqs = []
    for threshold in thresholds:
        accepted = [one.row for one in judged if one.log_odds >= (0 if one.fixed else threshold)]
        es = sum(row.evidence.answers for row in accepted) / max(scope, 1)
        bp = 1 - sum(not row.in_scope for row in accepted) / max(others, 1)
        eqs.append(harmonic(es, bp))
    # The middle of the plateau: its edges are where the sample's luck is.
    best = thresholds[np.array(eqs) >= max(eqs) - _PLATEAU]
    return float(np.median(best))


def _ungraded(evidence: Labelled) -> Labelled:
    """The row as an endpoint without log-probabilities would have given it."""
    return replace(evidence, verdict=in_words(evidence.verdict >= 0.5))


def _polarity(rows: Sequence[_Row], *, logprobs: bool) -> Polarity:
    """Fitted on the claims that their notes decide; in words alone a model leans fully either way."""
    decided = [row.leaning for row in rows if row.leaning is not None]
    if not logprobs:
        sure = math.log(0.9 / 0.05)  # What `claim_verdict` makes of words.
        decided = [replace(one, leaning=math.copysign(sure, one.leaning)) for one in decided]
    return fit_polarity(decided)
