"""One act of one person on a guild's notes: all of it happens, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from eren_memory.domain import By, HistoryEntry, Note, NoteDraft, NoteStatus
from eren_memory.errors import DuplicateNote
from eren_memory.ledger import rows
from eren_memory.ledger.erasing import BLANK, erase_traces, ever, scrub_index
from eren_memory.ledger.outbox import telling
from eren_memory.ledger.schema import (
    audit_events,
    guilds,
    notes,
    revisions,
)
from eren_memory.ledger.upsert import upsert

_UNDO = "undo"


@dataclass(frozen=True, slots=True)
class Event:
    """What an act did to one note; `old_revision` is None where it made the note."""

    act: str
    note_id: UUID
    old_revision: int | None
    new_revision: int


class Unit:
    """The guild's notes, locked for one act. Made by `Ledger.act`.

    Attributes:
        by: Who acts; every write is attributed to them.
        now: When.
        changed: The notes that it wrote so far.
    """

    def __init__(
        self, connection: AsyncConnection, guild_id: str, by: By, now: datetime, batch: UUID
    ) -> None:
        self._connection = connection
        self._guild_id = guild_id
        self._batch = batch
        self._last_number = 0
        self.by = by
        self.now = now
        self.changed: list[UUID] = []

    async def look(self) -> None:
        """Begin without a lock, to see what an act would do."""
        query = sa.select(guilds.c.last_number).where(guilds.c.guild_id == self._guild_id)
        self._last_number = (await self._connection.execute(query)).scalar() or 0

    async def lock(self) -> None:
        """Wait for the guild's other writers; until the end there are none."""
        key, new = {"guild_id": self._guild_id}, {"last_number": 0}
        await self._connection.execute(upsert(self._connection, guilds, key, new, {}))
        held = sa.select(guilds.c.last_number).where(guilds.c.guild_id == self._guild_id)
        self._last_number = (await self._connection.execute(held.with_for_update())).scalar_one()

    async def note(self, number: int) -> Note:
        """The note with that number. Raises `NoteNotFound`."""
        return await rows.one_note(self._connection, self._guild_id, number)

    async def by_ids(self, ids: Sequence[UUID]) -> dict[UUID, Note]:
        """Notes by id, of any guild."""
        return {note.id: note for note in await rows.notes_where(self._connection, notes.c.id, ids)}

    async def saying(self, texts: Sequence[str], *statuses: NoteStatus) -> dict[str, Note]:
        """Notes with those statuses that make one of these statements, by `rows.text_hash`."""
        found = await rows.notes_where(
            self._connection,
            notes.c.text_hash,
            [rows.text_hash(text) for text in texts],
            notes.c.guild_id == self._guild_id,
            notes.c.status.in_(statuses),
        )
        return {rows.text_hash(note.text): note for note in found}

    async def waiting(self) -> int:
        """How many suggestions of whoever acts wait for a decision."""
        mine = (notes.c.guild_id == self._guild_id, notes.c.author_id == self.by.actor_id)
        query = sa.select(sa.func.count()).where(*mine, notes.c.status == NoteStatus.DRAFT)
        return int((await self._connection.execute(query)).scalar_one())

    @staticmethod
    def statement(text: str) -> str:
        """The key under which `saying` finds a text."""
        return rows.text_hash(text)

    async def taken(self, numbers: Sequence[int]) -> set[int]:
        """Which of these numbers notes of the guild have."""
        mine = notes.c.guild_id == self._guild_id
        found = await rows.notes_where(self._connection, notes.c.number, numbers, mine)
        return {note.number for note in found}

    def next_number(self) -> int:
        """The number after the highest one so far."""
        self._last_number += 1
        return self._last_number

    def made(self, draft: NoteDraft, status: NoteStatus, number: int | None = None) -> Note:
        """A new note, numbered, not saved yet."""
        self._last_number = max(self._last_number, number or 0)
        fields = {name: getattr(draft, name) for name in NoteDraft.__dataclass_fields__}
        return Note(
            id=uuid7(),
            number=number or self.next_number(),
            guild_id=self._guild_id,
            status=status,
            revision=1,
            author_id=self.by.actor_id,
            created_at=self.now,
            updated_at=self.now,
            verified_at=None if status is NoteStatus.DRAFT else self.now,
            **fields,
        )

    async def insert(
        self, new: Sequence[Note], act: str, history: Sequence[HistoryEntry] = ()
    ) -> None:
        """Save new notes. `history` has their revisions where they did not begin here."""
        if not new:
            return
        await self._connection.execute(sa.insert(notes), [rows.to_row(note) for note in new])
        highest = max(self._last_number, *(note.number for note in new))
        self._last_number = highest
        await self._connection.execute(
            sa.update(guilds).where(guilds.c.guild_id == self._guild_id).values(last_number=highest)
        )
        with_past = {entry.note.id for entry in history}
        begun = [self._entry(note, act) for note in new if note.id not in with_past]
        await self._record([*history, *begun])
        await self._tell([Event(act, note.id, None, note.revision) for note in new])

    async def save(self, before: Note, after: Note, act: str, undoes: UUID | None = None) -> Note:
        """Save the next revision of a note; `after` is what it shall be.

        Raises:
            DuplicateNote: Another active note would say the same.
        """
        after = replace(after, revision=before.revision + 1, updated_at=self.now)
        if after.status is NoteStatus.ACTIVE:
            await self.refuse_duplicate(after)
        values = rows.to_row(after)
        await self._connection.execute(
            sa.update(notes).where(notes.c.id == before.id).values(values)
        )
        await self._record([self._entry(after, act)])
        await self._tell([Event(act, after.id, before.revision, after.revision)], undoes)
        return after

    async def refuse_duplicate(self, note: Note) -> None:
        """Raise `DuplicateNote` if another active note says what this one says."""
        for same in (await self.saying([note.text], NoteStatus.ACTIVE)).values():
            if same.id != note.id:
                raise DuplicateNote(
                    f"Note #{same.number} already says exactly this. Nothing was saved."
                )

    async def erase(self, note: Note) -> Note:
        """Blank every text of a note, in each of its revisions and events, for good."""
        in_use = sa.select(notes.c.id).where(notes.c.id == note.id, ever(NoteStatus.ACTIVE))
        indexed = (await self._connection.execute(in_use)).first() is not None
        after = await self.save(note, replace(note, **BLANK), "erase")
        await erase_traces(self._connection, note.id)
        if indexed:
            await scrub_index(self._connection, [note.id])
        return after

    async def over(self, limit: int) -> list[Note]:
        """Active notes whose time is over, the lowest numbers first."""
        query = sa.select(notes).where(
            notes.c.guild_id == self._guild_id,
            notes.c.status == NoteStatus.ACTIVE,
            notes.c.valid_until <= self.now,
        )
        found = await self._connection.execute(query.order_by(notes.c.number).limit(limit))
        return [rows.to_note(row) for row in found]

    async def revision(self, note: Note, revision: int) -> Note | None:
        """The note as it was in an earlier revision."""
        query = sa.select(revisions).where(
            revisions.c.note_id == note.id, revisions.c.revision == revision
        )
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else replace(note, **rows.to_revised(row), revision=revision)

    async def last_live(self, note: Note) -> Note | None:
        """The note in its newest revision that was active or a draft."""
        live = (NoteStatus.ACTIVE, NoteStatus.DRAFT)
        query = sa.select(sa.func.max(revisions.c.revision)).where(
            revisions.c.note_id == note.id, revisions.c.status.in_(live)
        )
        newest = (await self._connection.execute(query)).scalar()
        return None if newest is None else await self.revision(note, newest)

    async def last_batch(
        self, batch: UUID | None = None
    ) -> tuple[UUID, dict[UUID, list[Event]]] | None:
        """What this person did last and has not taken back: a batch and its events by note.

        The newest come first, notes and events alike. With `batch` that one, if it is theirs and
        not taken back.
        """
        undone = sa.select(audit_events.c.undoes).where(audit_events.c.undoes.is_not(None))
        # What was erased cannot come back, and must not bar the way to what was done before.
        erased = sa.select(notes.c.id).where(notes.c.status == NoteStatus.ERASED)
        possible = sa.and_(
            audit_events.c.note_id.is_not(None), audit_events.c.note_id.not_in(erased)
        )
        mine = (
            sa.select(audit_events.c.batch)
            .where(
                audit_events.c.guild_id == self._guild_id,
                audit_events.c.actor_id == self.by.actor_id,
                audit_events.c.act != _UNDO,
                audit_events.c.batch.not_in(undone),
                possible,
                *([audit_events.c.batch == batch] if batch else []),
            )
            .order_by(audit_events.c.id.desc())
            .limit(1)
        )
        found = (await self._connection.execute(mine)).scalar()
        if found is None:
            return None
        query = (
            sa.select(audit_events)
            .where(
                audit_events.c.batch == found,
                audit_events.c.actor_id == self.by.actor_id,
                possible,
            )
            .order_by(audit_events.c.id.desc())
        )
        events: dict[UUID, list[Event]] = {}
        for row in await self._connection.execute(query):
            event = Event(row.act, row.note_id, row.old_revision, row.new_revision)
            events.setdefault(row.note_id, []).append(event)
        return found, events

    def _entry(self, note: Note, act: str) -> HistoryEntry:
        return HistoryEntry(act, self.by, self.now, note, {})

    async def _record(self, entries: Sequence[HistoryEntry]) -> None:
        await self._connection.execute(
            sa.insert(revisions),
            [
                {
                    "note_id": entry.note.id,
                    "revision": entry.note.revision,
                    "act": entry.act,
                    "actor_id": entry.by.actor_id,
                    "at": entry.at,
                    "act_reason": entry.by.reason,
                    "act_source": entry.by.where,
                    **rows.revised(entry.note),
                }
                for entry in entries
            ],
        )

    async def _tell(self, events: Sequence[Event], undoes: UUID | None = None) -> None:
        """Write the audit events and the outbox rows."""
        self.changed += [event.note_id for event in events]
        await self._connection.execute(
            sa.insert(audit_events),
            [
                {
                    "batch": self._batch,
                    "undoes": undoes,
                    "at": self.now,
                    "guild_id": self._guild_id,
                    "actor_id": self.by.actor_id,
                    "act": event.act,
                    "note_id": event.note_id,
                    "old_revision": event.old_revision,
                    "new_revision": event.new_revision,
                    "reason": self.by.reason,
                    "source_url": self.by.where,
                }
                for event in events
            ],
        )
        await self._connection.execute(telling(), [{"note": event.note_id} for event in events])
