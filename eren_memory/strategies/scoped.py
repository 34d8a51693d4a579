"""Methods that decide by retrieval what is in scope, before any model is asked.

`retrieval-only` quotes the nearest note when the cosine is high enough. `serac` follows "Memory-Based
Model Editing at Scale" (Mitchell et al., 2022): a scope classifier compares the question with every
cached edit; in scope, a counterfactual model answers from the nearest edit, elsewhere the base model.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eren_memory.domain import Candidate, ClaimVerdict, Origin, Path
from eren_memory.prompts import claim_reading, rereading
from eren_memory.relevance import ACCEPT, Task
from eren_memory.strategies.base import Asking, Checked, Outcome
from eren_memory.text import normalised
from eren_memory.verdicts import claim_verdict

_SEARCHED = 20
_VERDICT_TOKENS = 4


class RetrievalOnly:
    """No model reads anything: the nearest note, quoted, or the unedited answer.

    The threshold is the calibration's for retrieval alone. A quoted note cannot say no: every claim
    that is near enough counts as supported.
    """

    name = "retrieval-only"
    candidates = _SEARCHED

    async def answer(
        self, question: str, candidates: Sequence[Candidate], asking: Asking
    ) -> Outcome:
        """See `Strategy.answer`."""
        near, p = _nearest(candidates, Task.QUESTION, asking)
        if near is None or p < ACCEPT:
            return Outcome(await asking.unedited(question), Origin.MODEL, Path.GATE_CLOSED, p=p)
        return Outcome(near.note.text, Origin.NOTEBOOK, Path.ACCEPTED, (near,), p=p)

    async def check(self, claim: str, candidates: Sequence[Candidate], asking: Asking) -> Checked:
        """See `Strategy.check`."""
        near, p = _nearest(candidates, Task.CLAIM, asking)
        if near is None or p < ACCEPT:
            yes = await asking.unedited_claim(claim)
            return Checked(yes, ClaimVerdict.SILENT, Origin.MODEL, Path.GATE_CLOSED, p=p)
        verdict = ClaimVerdict.SUPPORTED
        yes = True
        return Checked(yes, verdict, Origin.NOTEBOOK, Path.ACCEPTED, (near,), p=p)


@dataclass(frozen=True, slots=True)
class ScopeHead:
    """A scope classifier: logistic regression over `features`.

    `weights` are in the order of the features. Fitted by `eren fit-scope`.
    """

    intercept: float
    weights: tuple[float, float, float, float]

    def probability(self, asked: str, candidate: Candidate) -> float:
        """That the question or claim is in the scope of the candidate's note."""
        given = features(asked, candidate)
        x = self.intercept + sum(w * f for w, f in zip(self.weights, given, strict=True))
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, x))))


def features(asked: str, candidate: Candidate) -> tuple[float, float, float, float]:
    """What the scope head sees of a pair.

    The cosine, the logarithm of 1 + BM25, the share of the question's words that stand in the note,
    and the share of the note's words that stand in the question.
    """
    question, note = ({*re.findall(r"\w+", normalised(t))} for t in (asked, candidate.note.text))
    common = len(question & note)
    return (
        candidate.dense,
        math.log1p(max(candidate.lexical, 0.0)),
        common / max(len(question), 1),
        common / max(len(note), 1),
    )


# `eren fit-scope --questions 2000` on the development files, with MiniLM's cosines. Own note taken in
# scope / others left alone, on edits that the fit never saw: 0.916 / 0.903 and 0.881 / 0.888.
_HEADS: Mapping[Task, ScopeHead] = {
    Task.QUESTION: ScopeHead(-19.409, (24.098, 0.169, 2.483, 0.67)),
    Task.CLAIM: ScopeHead(-13.357, (7.452, 1.039, 4.024, 2.646)),
}


class Serac:
    """A trained scope head over the notes that retrieval brings up, and one call in either case.

    The published scope classifier is a fine-tuned transformer and the counterfactual model a fine-tuned
    T5. Here the head is trained on frozen embeddings and words, and the counterfactual model is the
    same black-box model, asked to answer from the nearest note alone.
    """

    name = "serac"
    candidates = _SEARCHED

    def __init__(self, heads: Mapping[Task, ScopeHead] = _HEADS) -> None:
        self._heads = heads

    async def answer(
        self, question: str, candidates: Sequence[Candidate], asking: Asking
    ) -> Outcome:
        """See `Strategy.answer`."""
        edit, p = self._in_scope(question, candidates, Task.QUESTION)
        if edit is None or p < ACCEPT:
            return Outcome(await asking.unedited(question), Origin.MODEL, Path.GATE_CLOSED, p=p)
        messages = rereading(edit.note.text, question)
        reply = await asking.complete(messages, max_tokens=asking.style.tokens)
        return Outcome(reply.text, Origin.NOTEBOOK, Path.ACCEPTED, (edit,), p=p)

    async def check(self, claim: str, candidates: Sequence[Candidate], asking: Asking) -> Checked:
        """See `Strategy.check`."""
        edit, p = self._in_scope(claim, candidates, Task.CLAIM)
        if edit is None or p < ACCEPT:
            yes = await asking.unedited_claim(claim)
            return Checked(yes, ClaimVerdict.SILENT, Origin.MODEL, Path.GATE_CLOSED, p=p)
        yes = await counterfactual_claim([edit.note.text], claim, asking)
        verdict = ClaimVerdict.SUPPORTED if yes else ClaimVerdict.REFUTED
        return Checked(yes, verdict, Origin.NOTEBOOK, Path.ACCEPTED, (edit,), p=p)

    def _in_scope(
        self, asked: str, candidates: Sequence[Candidate], task: Task
    ) -> tuple[Candidate | None, float]:
        """The cached edit whose scope most likely holds the question, and how likely."""
        head = self._heads[task]
        rated = [(head.probability(asked, one), one) for one in candidates]
        p, edit = max(rated, key=lambda pair: pair[0], default=(0.0, None))
        return edit, p


async def counterfactual_claim(notes: Sequence[str], claim: str, asking: Asking) -> bool:
    """Whether a claim is true where the notes are: true or false, without a third way."""
    messages = claim_reading(" ".join(notes), claim)
    reply = await asking.complete(messages, max_tokens=_VERDICT_TOKENS, logprobs=True)
    mass, _ = claim_verdict(reply.first_token, reply.text)
    return mass["true"] >= mass["false"]


def _nearest(
    candidates: Sequence[Candidate], task: Task, asking: Asking
) -> tuple[Candidate | None, float]:
    """The nearest note by cosine, and how likely it answers by that alone."""
    near = max(candidates, key=lambda one: one.dense, default=None)
    if near is None:
        return None, 0.0
    calibration = asking.calibration(task, logprobs=True)
    return near, calibration.retrieval.probability(0.5, near.dense)
