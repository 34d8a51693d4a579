"""The ledger: reads, the acts of people, and the outbox that tells the index of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from uuid_utils.compat import uuid7

from eren_memory.domain import By, HistoryEntry, Note, NoteStatus, difference
from eren_memory.errors import LedgerError
from eren_memory.ledger import database, rows
from eren_memory.ledger.erasing import never_approved
from eren_memory.ledger.outbox import Outbox
from eren_memory.ledger.schema import (
    audit_events,
    guilds,
    identity,
    notes,
    revisions,
)
from eren_memory.ledger.spaces import Spaces
from eren_memory.ledger.unit import Unit

_FAREWELL_SECONDS = 0.1

_log = logging.getLogger(__name__)


@asynccontextmanager
async def open_ledger(url: str) -> AsyncIterator[Ledger]:
    """Open and migrate the ledger at a database URL; close it on the way out.

    Raises:
        LedgerError: It cannot be opened, or a newer program wrote it.
    """
    engine = database.create_engine(url)
    try:
        try:
            with database.translated(url):
                await database.migrate(engine)
        except LedgerError:
            # The driver's thread of a connection that failed still reports to this loop; were it
            # closed first, the thread would end in a traceback.
            await asyncio.sleep(_FAREWELL_SECONDS)
            raise
        yield Ledger(engine, url)
    finally:
        await engine.dispose()


class Ledger:
    """Notes in SQL. Every method is one transaction: it happens whole or not at all."""

    def __init__(self, engine: AsyncEngine, url: str) -> None:
        self._engine = engine
        self._writer = database.writing(engine)
        self._glance = database.single(engine)
        self._url = url
        self.outbox = Outbox(self)
        self.spaces = Spaces(self)
        # SQLite has one writer, and its waiting is not fair: twenty at once starve one of them.
        self._turn = asyncio.Lock() if engine.dialect.name == "sqlite" else nullcontext()

    @property
    def shared(self) -> bool:
        """Whether several bots may be at it; SQLite is one's own."""
        return self._engine.dialect.name != "sqlite"

    @asynccontextmanager
    async def act(
        self, guild_id: str, by: By, now: datetime, batch: UUID | None = None
    ) -> AsyncIterator[Unit]:
        """One act on a guild's notes: saved when the block ends, given up when it raises.

        Acts that share a `batch` are undone together.
        """
        async with self.writing() as connection:
            unit = Unit(connection, guild_id, by, now, batch or uuid7())
            await unit.lock()
            yield unit

    @asynccontextmanager
    async def look(self, guild_id: str, by: By, now: datetime) -> AsyncIterator[Unit]:
        """A guild's notes as an act would find them, for reading only."""
        async with self.reading() as connection:
            unit = Unit(connection, guild_id, by, now, uuid7())
            await unit.look()
            yield unit

    async def id(self) -> str:
        """Which ledger this is; a restored one is another."""
        async with self.reading() as connection:
            return str((await connection.execute(sa.select(identity.c.ledger_id))).scalar_one())

    async def note(self, guild_id: str, number: int) -> Note:
        """The note with that number. Raises `NoteNotFound`."""
        async with self.reading() as connection:
            return await rows.one_note(connection, guild_id, number)

    async def notes(
        self,
        guild_id: str,
        status: NoteStatus | None = None,
        *,
        after: int = 0,
        limit: int | None = None,
    ) -> list[Note]:
        """Notes of a guild in the order of their numbers, from the one after number `after`."""
        query = sa.select(notes).where(notes.c.guild_id == guild_id, notes.c.number > after)
        if status is not None:
            query = query.where(notes.c.status == status)
        async with self.reading() as connection:
            found = await connection.execute(query.order_by(notes.c.number).limit(limit))
            return [rows.to_note(row) for row in found]

    async def newest(
        self,
        guild_id: str,
        limit: int,
        *,
        status: NoteStatus | None = NoteStatus.ACTIVE,
        offset: int = 0,
    ) -> list[Note]:
        """Notes of a guild with a status (None: any), the newest first."""
        query = sa.select(notes).where(notes.c.guild_id == guild_id)
        if status is not None:
            query = query.where(notes.c.status == status)
        query = query.order_by(notes.c.number.desc()).limit(limit).offset(offset)
        async with self.reading() as connection:
            return [rows.to_note(row) for row in await connection.execute(query)]

    async def drafts(self, guild_id: str, limit: int, offset: int = 0) -> list[Note]:
        """Suggestions of a guild: everybody's oldest first, then everybody's next.

        So whoever suggests much keeps nobody else waiting.
        """
        turn = sa.func.row_number().over(partition_by=notes.c.author_id, order_by=notes.c.number)
        query = (
            sa.select(notes)
            .where(notes.c.guild_id == guild_id, notes.c.status == NoteStatus.DRAFT)
            .order_by(turn, notes.c.number)
            .limit(limit)
            .offset(offset)
        )
        async with self.reading() as connection:
            return [rows.to_note(row) for row in await connection.execute(query)]

    async def numbered(self, guild_id: str, digits: str, limit: int) -> list[Note]:
        """Notes of a guild whose numbers begin with these digits, the lowest first."""
        number = sa.cast(notes.c.number, sa.String)
        query = sa.select(notes).where(
            notes.c.guild_id == guild_id, number.startswith(digits, autoescape=True)
        )
        async with self.reading() as connection:
            found = await connection.execute(query.order_by(notes.c.number).limit(limit))
            return [rows.to_note(row) for row in found]

    async def last_of(self, guild_id: str, actor_id: str) -> int | None:
        """The number of the note on which a person acted last."""
        mine = sa.and_(audit_events.c.guild_id == guild_id, audit_events.c.actor_id == actor_id)
        query = (
            sa.select(notes.c.number)
            .join(audit_events, audit_events.c.note_id == notes.c.id)
            .where(mine)
            .order_by(audit_events.c.id.desc())
            .limit(1)
        )
        async with self.reading() as connection:
            found: int | None = (await connection.execute(query)).scalar()
            return found

    async def by_ids(self, ids: Collection[UUID]) -> dict[UUID, Note]:
        """Current notes by id; unknown ids are left out."""
        async with self.reading() as connection:
            found = await rows.notes_where(connection, notes.c.id, list(ids))
            return {note.id: note for note in found}

    async def history(self, *of: Note) -> dict[UUID, list[HistoryEntry]]:
        """The revisions of notes, the oldest first, with what each changed."""
        query = sa.select(revisions).where(revisions.c.note_id.in_([note.id for note in of]))
        found: dict[UUID, list[HistoryEntry]] = {note.id: [] for note in of}
        current = {note.id: note for note in of}
        async with self.reading() as connection:
            for row in await connection.execute(query.order_by(revisions.c.revision)):
                past = replace(
                    current[row.note_id],
                    **rows.to_revised(row),
                    revision=row.revision,
                    updated_at=row.at,
                )
                before = found[row.note_id]
                changes = difference(before[-1].note, past) if before else {}
                by = By(row.actor_id, row.act_reason, row.act_source)
                before.append(HistoryEntry(row.act, by, row.at, past, changes))
        return found

    async def rejected_suggestions(self, before: datetime) -> list[Note]:
        """Notes of every guild that were only ever suggested, and rejected before then."""
        query = sa.select(notes).where(
            notes.c.status == NoteStatus.RETIRED, notes.c.updated_at < before, never_approved()
        )
        async with self.reading() as connection:
            return [rows.to_note(row) for row in await connection.execute(query)]

    async def counts(self, guild_id: str) -> dict[NoteStatus, int]:
        """Notes of a guild by status."""
        query = (
            sa.select(notes.c.status, sa.func.count())
            .where(notes.c.guild_id == guild_id)
            .group_by(notes.c.status)
        )
        async with self.reading() as connection:
            return {NoteStatus(status): count for status, count in await connection.execute(query)}

    async def active_count(self) -> int:
        """Active notes over all guilds."""
        query = sa.select(sa.func.count()).where(notes.c.status == NoteStatus.ACTIVE)
        async with self.reading() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def active_after(self, after: UUID | None, limit: int) -> list[Note]:
        """Active notes of every guild by id, page by page."""
        query = sa.select(notes).where(notes.c.status == NoteStatus.ACTIVE)
        if after is not None:
            query = query.where(notes.c.id > after)
        async with self.reading() as connection:
            found = await connection.execute(query.order_by(notes.c.id).limit(limit))
            return [rows.to_note(row) for row in found]

    async def some_active(self, limit: int) -> list[Note]:
        """Active notes of every guild, drawn at random."""
        query = sa.select(notes).where(notes.c.status == NoteStatus.ACTIVE)
        async with self.reading() as connection:
            found = await connection.execute(query.order_by(sa.func.random()).limit(limit))
            return [rows.to_note(row) for row in found]

    async def is_empty(self) -> bool:
        """Whether nothing was ever written here."""
        async with self.reading() as connection:
            return (await connection.execute(sa.select(guilds).limit(1))).first() is None

    async def scrub(self, *, thoroughly: bool = False) -> None:
        """Move what SQLite's log still holds into the file, where deleting overwrites it.

        Somebody who reads just now keeps the log as it is; then the last one to close empties it.
        Thoroughly, the file is written anew: whatever an earlier program left between its pages goes.
        """
        if self._engine.dialect.name != "sqlite":
            return
        async with self._turn:
            busy = not await database.scrub(self._engine, thoroughly=thoroughly)
        if busy:
            _log.warning("What was erased leaves the database's log when its last user closes it.")

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees one moment of the ledger."""
        with database.translated(self._url):
            async with self._engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def glancing(self) -> AsyncIterator[AsyncConnection]:
        """For one statement that reads: half of what a transaction costs."""
        with database.translated(self._url):
            async with self._glance.connect() as connection:
                yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """A long transaction that goes on seeing the moment of its first read."""
        with database.translated(self._url):
            async with database.frozen(self._engine).begin() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes."""
        async with self._turn:
            with database.translated(self._url):
                async with self._writer.begin() as connection:
                    yield connection
