"""An audit from its beginning to its end, and what it leaves in the ledger."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from eren_memory.auditing.asking import Asking, Budget, BudgetSpent
from eren_memory.auditing.telling import Patience, pair_basis, stands, told
from eren_memory.charging import charged_to
from eren_memory.conflicts import Kind
from eren_memory.domain import By, Note, NoteStatus
from eren_memory.engine import Eren
from eren_memory.errors import ErenError
from eren_memory.ledger.audits import Audits
from eren_memory.ledger.findings import Findings
from eren_memory.llm import ChatModel
from eren_memory.notebook import Notebook
from eren_memory.projection import Progress
from eren_memory.staleness import AUDITOR, Finding, Report, Stale

_BY = By(AUDITOR, "its time is over")
_PAGE = 200
_STALE = {Kind.CONFLICT: Stale.CONFLICT, Kind.DUPLICATE: Stale.DUPLICATE}
# From which probability a pair is told. Nobody asked, unlike where a note is added, and notes of one
# pattern about many subjects are near each other (docs/decisions.md).
_SURE = {Kind.CONFLICT: 0.8, Kind.DUPLICATE: 0.6}

_log = logging.getLogger(__name__)


class Auditor:
    """Audits guilds, one after the other.

    Args:
        notebook: Whose notes.
        audits: Evidence, and what was asked.
        findings: What comes of it.
        model: Compares notes.
        patience: When a note counts as unverified, or unused.
        answers_kept: How far back it is known which notes were used, before the first audit.
        clock: Gives the present.
    """

    def __init__(
        self,
        notebook: Notebook,
        audits: Audits,
        findings: Findings,
        model: ChatModel,
        patience: Patience,
        answers_kept: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        self._notebook = notebook
        self._audits, self._findings = audits, findings
        self._model, self._patience, self._kept = model, patience, answers_kept
        self._clock = clock
        # Two at once would ask everything twice; the second finds it answered.
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def audit(
        self,
        guild_id: str,
        eren: Eren,
        calls: int,
        progress: Progress | None = None,
    ) -> Report:
        """Find what has grown stale in a guild's notebook.

        Notes whose time is over expire; nothing else is changed. What can be found without the model
        is there first. Killed at any moment, the next audit goes on.

        Args:
            guild_id: Whose notes.
            eren: Answers probes, as the guild's questions are answered.
            calls: Model calls that it may make at most.
            progress: Hears how many notes were gone through, of how many.

        Raises:
            LedgerError: Nothing can be read or written.
        """
        async with self._turns[guild_id]:
            with charged_to(guild_id):
                return await self._audit(guild_id, eren, calls, progress)

    async def _audit(
        self,
        guild_id: str,
        eren: Eren,
        calls: int,
        progress: Progress | None,
    ) -> Report:
        started, expired = self._clock(), 0
        await self._audits.begin(guild_id, started, self._kept)
        while done := await self._notebook.expire(guild_id, _BY, _PAGE):
            expired += done
        await self._sift(guild_id, started)
        budget = Budget(calls)
        asking = Asking(self._notebook, self._audits, eren, self._model, budget, self._clock)
        complete, stopped = await self._ask(guild_id, asking, calls, progress)
        # Later than the first sifting, which went by what was asked before.
        ended = max(self._clock(), started + timedelta(microseconds=1))
        await self._sift(guild_id, ended)
        await self._findings.withdraw(guild_id, ended)
        await self._audits.finish(guild_id, ended, budget.usage, complete=complete)
        return Report(
            guild_id,
            await self._findings.counts(guild_id, self._clock()),
            expired,
            budget.usage,
            asking.pairs,
            asking.probes,
            complete,
            stopped,
        )

    async def _ask(
        self, guild_id: str, asking: Asking, calls: int, progress: Progress | None
    ) -> tuple[bool, str | None]:
        """Ask what has to be asked; whether all of it was, and what it ran into."""
        # A call a pair, some a probe; but a great many new notes must not keep probes from their turn.
        steps: tuple[tuple[str, Callable[[Note], Awaitable[None]]], ...] = (
            ("pairs", partial(asking.compare, of=calls // 2)),
            ("probes", asking.probe),
            ("pairs", partial(asking.compare, of=calls)),
        )
        active = (await self._notebook.ledger.counts(guild_id)).get(NoteStatus.ACTIVE, 0)
        gone_through, done = 0, {}
        for what, step in steps:
            done[what] = True
            try:
                async for page in self._pages(guild_id, NoteStatus.ACTIVE):
                    for note in page:
                        await step(note)
                        gone_through += 1
                        if progress is not None:
                            progress(gone_through, active * len(steps))
            except BudgetSpent:
                done[what] = False
            except ErenError as error:
                _log.warning("The audit of %s stopped asking: %s", guild_id, error)
                return False, str(error)
        return all(done.values()), None

    async def _sift(self, guild_id: str, now: datetime) -> None:
        """Say of every note what is known by now."""
        last = await self._audits.last(guild_id)
        assert last is not None  # noqa: S101 - It has begun.
        for status in (NoteStatus.ACTIVE, NoteStatus.EXPIRED):
            async for page in self._pages(guild_id, status):
                known = await self._audits.known(page)
                found = [
                    finding
                    for note in page
                    for finding in told(
                        note, known[note.id], last.watched_since, now, self._patience
                    )
                ]
                await self._findings.found(guild_id, found, now)
        await self._sift_pairs(guild_id, now)

    async def _sift_pairs(self, guild_id: str, now: datetime) -> None:
        after: UUID | None = None
        while checks := await self._audits.with_outcome(
            guild_id, "pair", [str(kind) for kind in _STALE], after, _PAGE
        ):
            after = checks[-1].note_id
            notes = await self._notebook.ledger.by_ids(
                {one.note_id for one in checks} | {one.other_id for one in checks}
            )
            found = []
            for check in checks:
                pair = notes[check.note_id], notes[check.other_id]
                in_use = all(note.status is NoteStatus.ACTIVE for note in pair)
                sure = (check.p or 0) >= _SURE[Kind(check.outcome)]
                if in_use and sure and check.basis == pair_basis(*pair) and stands(check, *pair):
                    # Of two, that one is more likely stale which was vouched for longer ago.
                    note, other = sorted(pair, key=_vouched)
                    found.append(Finding(_STALE[Kind(check.outcome)], note, other, p=check.p))
            await self._findings.found(guild_id, found, now)

    async def _pages(self, guild_id: str, status: NoteStatus) -> AsyncIterator[list[Note]]:
        last = 0
        while page := await self._notebook.ledger.notes(guild_id, status, after=last, limit=_PAGE):
            yield page
            last = page[-1].number


def _vouched(note: Note) -> tuple[datetime, int]:
    return note.verified_at or note.created_at, note.number
