"""The methods that others published, and the unedited model that all are measured against.

Prompts and retrieval follow "Robust and Scalable Model Editing for LLMs" (EREN, COLING 2024):
the five nearest notes by inner product, in that order.
"""

from __future__ import annotations

from collections.abc import Sequence

from eren_memory.domain import Candidate, ClaimVerdict, Origin, Path
from eren_memory.prompts import one_step, paper_claim, paper_reading
from eren_memory.strategies.base import Asking, Checked, Outcome
from eren_memory.verdicts import says_impossible, says_unanswerable, says_yes

_PAPER_NOTES = 5
# From these the five nearest are taken; the search ranks by a mixture of its own.
_SEARCHED = 20


class Unedited:
    """The model without any notebook."""

    name = "unedited"
    candidates = 0

    async def answer(
        self, question: str, candidates: Sequence[Candidate], asking: Asking
    ) -> Outcome:
        """See `Strategy.answer`."""
        return Outcome(await asking.unedited(question), Origin.MODEL, Path.UNEDITED)

    async def check(self, claim: str, candidates: Sequence[Candidate], asking: Asking) -> Checked:
        """See `Strategy.check`."""
        yes = await asking.unedited_claim(claim)
        return Checked(yes, ClaimVerdict.SILENT, Origin.MODEL, Path.UNEDITED)


class OneStep:
    """Notes in the prompt and no way out: the paper's baseline."""

    name = "one-step"
    candidates = _SEARCHED

    async def answer(
        self, question: str, candidates: Sequence[Candidate], asking: Asking
    ) -> Outcome:
        """See `Strategy.answer`."""
        nearest = _nearest(candidates)
        if not nearest:
            return Outcome(await asking.unedited(question), Origin.MODEL, Path.GATE_CLOSED)
        messages = one_step(_texts(nearest), question, asking.style)
        reply = await asking.complete(messages, max_tokens=asking.style.tokens)
        return Outcome(reply.text, Origin.NOTEBOOK, Path.NOTES_IN_PROMPT, nearest)

    async def check(self, claim: str, candidates: Sequence[Candidate], asking: Asking) -> Checked:
        """See `Strategy.check`."""
        nearest = _nearest(candidates)
        if not nearest:
            yes = await asking.unedited_claim(claim)
            return Checked(yes, ClaimVerdict.SILENT, Origin.MODEL, Path.GATE_CLOSED)
        messages = paper_claim(_texts(nearest), claim, way_out=False)
        yes = says_yes((await asking.complete(messages, max_tokens=asking.style.tokens)).text)
        return Checked(yes, _verdict(yes), Origin.NOTEBOOK, Path.NOTES_IN_PROMPT, nearest)


class PaperEren:
    """EREN as published: the model itself says when the notes do not answer."""

    name = "eren-paper"
    candidates = _SEARCHED

    async def answer(
        self, question: str, candidates: Sequence[Candidate], asking: Asking
    ) -> Outcome:
        """See `Strategy.answer`."""
        nearest = _nearest(candidates)
        if nearest:
            messages = paper_reading(_texts(nearest), question, asking.style)
            reply = await asking.complete(messages, max_tokens=asking.style.tokens)
            if not says_unanswerable(reply.text):
                return Outcome(reply.text, Origin.NOTEBOOK, Path.ACCEPTED, nearest)
        path = Path.REJECTED if nearest else Path.GATE_CLOSED
        return Outcome(await asking.unedited(question), Origin.MODEL, path)

    async def check(self, claim: str, candidates: Sequence[Candidate], asking: Asking) -> Checked:
        """See `Strategy.check`."""
        nearest = _nearest(candidates)
        if nearest:
            messages = paper_claim(_texts(nearest), claim, way_out=True)
            reply = await asking.complete(messages, max_tokens=asking.style.tokens)
            if not says_impossible(reply.text):
                yes = says_yes(reply.text)
                return Checked(yes, _verdict(yes), Origin.NOTEBOOK, Path.ACCEPTED, nearest)
        yes = await asking.unedited_claim(claim)
        path = Path.REJECTED if nearest else Path.GATE_CLOSED
        return Checked(yes, ClaimVerdict.SILENT, Origin.MODEL, path)


def _nearest(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    return tuple(sorted(candidates, key=lambda one: one.dense, reverse=True)[:_PAPER_NOTES])


def _texts(candidates: Sequence[Candidate]) -> list[str]:
    return [one.note.text for one in candidates]


def _verdict(yes: bool) -> ClaimVerdict:
    return ClaimVerdict.SUPPORTED if yes else ClaimVerdict.REFUTED
