"""What only the model can tell: which notes contradict each other, and which probes fail.

Every reply is kept before the next question is asked, under what it was about and what else it depends
on. So an audit that was killed goes on where it was, and the next one asks about what changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from eren_memory.around_model import AroundModel, Ask
from eren_memory.auditing.telling import (
    ALONE,
    Outcome,
    hashed,
    near_basis,
    pair_basis,
    probe_basis,
)
from eren_memory.conflicts import NEAR, READ, Judge, coincide, decided
from eren_memory.domain import Candidate, Note, Path, Place, Usage
from eren_memory.engine import Eren
from eren_memory.errors import (
    EmptyReply,
    MalformedReply,
    ModelRefused,
    ModelUnreachable,
    PromptTooLong,
)
from eren_memory.ledger.audits import Audits
from eren_memory.llm import ChatModel, Completion, Message
from eren_memory.notebook import Notebook
from eren_memory.probing import Probe, probes_of
from eren_memory.prompts import PROMPT_VERSION, Style
from eren_memory.staleness import Check
from eren_memory.text import answer_form

# What one probe may cost: read, read again and fallen back, then asked of the model alone.
_PROBE_CALLS = 3 + ALONE
# Notes near a probe that have a say in how it is answered, and how near they are.
_RIVALS = 3
_RIVAL = 0.3
# More notes than are read: some are hidden from each other, one is the note itself.
_NEAREST = 12
# Of one prompt; with everything else that fails there is no use in asking on.
_UNCLEAR = (EmptyReply, MalformedReply, ModelRefused, PromptTooLong)
_YES_OR_NO = {"yes", "no", "true", "false"}


class BudgetSpent(Exception):
    """There are too few calls left to ask on."""


@dataclass
class Budget:
    """How many calls an audit may make, and what it has used."""

    calls: int
    usage: Usage = field(default_factory=Usage)

    def require(self, calls: int, of: int | None = None) -> None:
        """Raise `BudgetSpent` unless so many are left, of all or of the first `of`."""
        if self.usage.calls + calls > (self.calls if of is None else of):
            raise BudgetSpent


class Metered(AroundModel):
    """A chat model whose calls are charged to a budget, also those that fail."""

    def __init__(self, model: ChatModel, budget: Budget) -> None:
        super().__init__(model)
        self._budget = budget

    async def _around(self, messages: Sequence[Message], ask: Ask) -> Completion:
        self._budget.usage += Usage(calls=1)
        reply = await ask()
        used = reply.usage
        self._budget.usage += Usage(0, used.prompt_tokens, used.completion_tokens)
        return reply

    async def close(self) -> None:
        """Whoever opened the model closes it."""


class Asking:
    """One audit's questions to the models. Everything raises `BudgetSpent` and `ErenError`.

    Args:
        notebook: Finds what is near.
        audits: Where replies are kept.
        eren: Answers probes as the guild's members would be answered.
        model: Compares notes.
        budget: What it may cost.
        now: The present.
    """

    def __init__(
        self,
        notebook: Notebook,
        audits: Audits,
        eren: Eren,
        model: ChatModel,
        budget: Budget,
        now: Callable[[], datetime],
    ) -> None:
        self._notebook, self._audits, self._eren = notebook, audits, eren
        self._judge = Judge(Metered(model, budget))
        self._budget, self._now = budget, now
        self._judged_by = hashed(model.name, PROMPT_VERSION, notebook.embedder.space)
        self.pairs = self.probes = 0

    async def compare(self, note: Note, of: int) -> None:
        """Compare a note with the nearest ones, once a pair, within the first `of` calls."""
        basis = near_basis(note)
        if _still(await self._asked("near", note, note), basis, self._judged_by):
            return
        for near in await self._near(note):
            # The one that came first, whichever of the two changed.
            older, newer = sorted((note, near.note), key=lambda one: one.number)
            await self._pair(older, newer, near.dense, of)
        check = self._check("near", note, note, basis, self._judged_by, Outcome.DONE)
        await self._audits.record(note.guild_id, check)

    async def _near(self, note: Note) -> list[Candidate]:
        found = await self._notebook.nearest(note.guild_id, note.text, _NEAREST)
        now = self._now()
        return [
            one
            for one in found
            if one.note.id != note.id
            and one.dense >= NEAR
            and coincide(note, one.note)
            and (one.note.valid_until is None or now < one.note.valid_until)
        ][:READ]

    async def _pair(self, older: Note, newer: Note, dense: float, of: int) -> None:
        basis = pair_basis(older, newer)
        if _still(await self._asked("pair", older, newer), basis, self._judged_by):
            return
        self._budget.require(1, of)
        outcome, p = str(Outcome.UNCLEAR), None
        with suppress(*_UNCLEAR):
            outcome, p = decided(await self._judge.witness(older.text, newer.text, dense))
        self.pairs += 1
        check = self._check("pair", older, newer, basis, self._judged_by, outcome, p=p)
        await self._audits.record(older.guild_id, check)

    async def probe(self, note: Note) -> None:
        """Ask a note's probes, and whether the model needs the note to answer them."""
        if not note.valid_at(self._now()):
            return  # It does not answer yet.
        for place, wanted in enumerate(probes_of(note)):
            await self._probe(note, place, wanted)

    async def _probe(self, note: Note, place: int, wanted: Probe) -> None:
        basis = probe_basis(note, wanted)
        there = Place(note.guild_id, note.scope)
        rivals = await self._notebook.search(there, wanted.question, _RIVALS)
        near = sorted((one.note.id.hex, one.note.text) for one in rivals if one.dense >= _RIVAL)
        circumstances = hashed(self._eren.version, near)
        if _still(await self._asked("probe", note, note, place), basis, circumstances):
            return
        self._budget.require(_PROBE_CALLS)
        outcome = Outcome.UNCLEAR
        with suppress(*_UNCLEAR):
            outcome = await self._answered(note, wanted, there)
        self.probes += 1
        check = self._check("probe", note, note, basis, circumstances, outcome, place)
        await self._audits.record(note.guild_id, check)

    async def _answered(self, note: Note, wanted: Probe, there: Place) -> Outcome:
        answer = await self._eren.answer(wanted.question, there, style=Style.SHORT)
        self._budget.usage += answer.trace.usage
        if answer.trace.path is Path.NOTE_QUOTED:
            raise ModelUnreachable("The model could not be reached.")
        mine = any(one.note.id == note.id for one in answer.notes)
        if mine != wanted.change:
            return Outcome.FAILED
        if not mine:
            return Outcome.PASSED
        for _ in range(ALONE):
            alone = await self._eren.answer(wanted.question, there, "unedited", style=Style.SHORT)
            self._budget.usage += alone.trace.usage
            if not says_the_same(alone.text, answer.text, note.text):
                return Outcome.PASSED
        return Outcome.SAME

    async def _asked(self, kind: str, note: Note, other: Note, place: int = 0) -> Check | None:
        return (await self._audits.asked(kind, [note])).get((note.id, other.id, place))

    def _check(
        self,
        kind: str,
        note: Note,
        other: Note,
        basis: str,
        circumstances: str,
        outcome: str,
        place: int = 0,
        p: float | None = None,
    ) -> Check:
        now = self._now()
        return Check(kind, note.id, other.id, place, basis, circumstances, outcome, now, p)


def says_the_same(alone: str, answer: str, note: str) -> bool:
    """Whether the unedited model's answer is the one that was read from a note.

    One stands in the other as whole words. A note that was quoted whole, and a bare yes or no, say too
    much and too little to tell.
    """
    said, read = answer_form(alone), answer_form(answer)
    if not said or not read or read == answer_form(note) or _YES_OR_NO & {said, read}:
        return False
    return f" {read} " in f" {said} " or f" {said} " in f" {read} "


def _still(asked: Check | None, basis: str, circumstances: str) -> bool:
    """Whether just that was asked before."""
    return asked is not None and (asked.basis, asked.circumstances) == (basis, circumstances)
