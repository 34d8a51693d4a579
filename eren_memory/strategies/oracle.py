"""The upper bound: what the same model makes of the right note, when nothing has to be found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eren_memory.domain import Candidate, ClaimVerdict, Origin, Path
from eren_memory.prompts import one_step, rereading
from eren_memory.strategies.base import Asking, Checked, Outcome
from eren_memory.strategies.scoped import counterfactual_claim


class OracleNote:
    """Knows which questions are in scope and of which notes. For evaluation only.

    Args:
        notes: Question or claim: the notes that answer it.
    """

    name = "oracle-note"
    candidates = 0

    def __init__(self, notes: Mapping[str, Sequence[str]]) -> None:
        self._notes = notes

    async def answer(
        self, question: str, candidates: Sequence[Candidate], asking: Asking
    ) -> Outcome:
        """See `Strategy.answer`."""
        notes = self._notes.get(question)
        if notes is None:
            return Outcome(await asking.unedited(question), Origin.MODEL, Path.UNEDITED)
        messages = (
            rereading(notes[0], question)
            if len(notes) == 1
            else one_step(notes, question, asking.style)
        )
        reply = await asking.complete(messages, max_tokens=asking.style.tokens)
        return Outcome(reply.text, Origin.NOTEBOOK, Path.ACCEPTED)

    async def check(self, claim: str, candidates: Sequence[Candidate], asking: Asking) -> Checked:
        """See `Strategy.check`."""
        notes = self._notes.get(claim)
        if notes is None:
            yes = await asking.unedited_claim(claim)
            return Checked(yes, ClaimVerdict.SILENT, Origin.MODEL, Path.UNEDITED)
        yes = await counterfactual_claim(notes, claim, asking)
        verdict = ClaimVerdict.SUPPORTED if yes else ClaimVerdict.REFUTED
        return Checked(yes, verdict, Origin.NOTEBOOK, Path.ACCEPTED)
