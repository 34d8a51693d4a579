"""Transactions on the ledger. Each write leaves a revision, an audit event and an outbox row."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from uuid_utils.compat import uuid7

from eren_memory.domain import Note, NoteDraft, NoteStatus
from eren_memory.errors import BadInput, LedgerError, NoteNotFound
from eren_memory.ledger import database
from eren_memory.ledger.rows import (
    give_back_numbers,
    record,
    reserve_numbers,
    text_hash,
    to_note,
    to_row,
)
from eren_memory.ledger.schema import notes, outbox

# SQLite allows 32,766 bound values in a statement; stay well below with every table.
_CHUNK = 1_000
_FAREWELL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class AddedNote:
    """The outcome of adding one draft; `created` is False where an active note said it already."""

    note: Note
    created: bool


@dataclass(frozen=True, slots=True)
class Pending:
    """Notes that the index may not know yet, current as of the read, and the rows that say so."""

    notes: tuple[Note, ...]
    rows: tuple[int, ...]


@asynccontextmanager
async def open_ledger(url: str) -> AsyncIterator[Ledger]:
    """Open and migrate the ledger at an SQLAlchemy async URL; close it on the way out.

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
        self._url = url

    async def add(
        self, guild_id: str, drafts: Sequence[NoteDraft], actor_id: str, now: datetime
    ) -> list[AddedNote]:
        """Add drafts as active notes, in order, skipping statements that an active note makes."""
        async with self._write() as connection:
            known = await self._active_by_hash(
                connection, guild_id, [text_hash(d.text) for d in drafts]
            )
            added: list[AddedNote] = []
            number = await reserve_numbers(connection, guild_id, len(drafts))
            for draft in drafts:
                key = text_hash(draft.text)
                if key in known:
                    added.append(AddedNote(known[key], created=False))
                    continue
                note = Note(
                    id=uuid7(),
                    number=number,
                    guild_id=guild_id,
                    text=draft.text,
                    status=NoteStatus.ACTIVE,
                    revision=1,
                    author_id=actor_id,
                    question=draft.question,
                    source_url=draft.source_url,
                    reason=draft.reason,
                    created_at=now,
                    updated_at=now,
                )
                number += 1
                known[key] = note
                added.append(AddedNote(note, created=True))
            await give_back_numbers(connection, guild_id, number)
            fresh = [one.note for one in added if one.created]
            if fresh:
                await connection.execute(sa.insert(notes), [to_row(note) for note in fresh])
                await record(connection, fresh, "add", actor_id, now)
            return added

    async def retire(
        self, guild_id: str, number: int, actor_id: str, reason: str | None, now: datetime
    ) -> Note:
        """Take a note out of use. Raises `NoteNotFound`, or `BadInput` when it is retired already."""
        async with self._write() as connection:
            before = await self._one(connection, guild_id, number)
            if before.status is NoteStatus.RETIRED:
                raise BadInput(f"Note #{number} is retired already. Nothing changed.")
            await connection.execute(
                sa.update(notes)
                .where(notes.c.id == before.id)
                .values(status=NoteStatus.RETIRED, revision=before.revision + 1, updated_at=now)
            )
            after = await self._one(connection, guild_id, number)
            await record(connection, [after], "retire", actor_id, now, reason=reason)
            return after

    async def note(self, guild_id: str, number: int) -> Note:
        """The note with that number. Raises `NoteNotFound`."""
        async with self._read() as connection:
            return await self._one(connection, guild_id, number)

    async def notes(self, guild_id: str, status: NoteStatus | None = None) -> list[Note]:
        """Notes of a guild in the order of their numbers."""
        query = sa.select(notes).where(notes.c.guild_id == guild_id)
        if status is not None:
            query = query.where(notes.c.status == status)
        async with self._read() as connection:
            return [
                to_note(row) for row in await connection.execute(query.order_by(notes.c.number))
            ]

    async def newest(self, guild_id: str, limit: int) -> list[Note]:
        """Active notes of a guild, the newest first."""
        query = (
            sa.select(notes)
            .where(notes.c.guild_id == guild_id, notes.c.status == NoteStatus.ACTIVE)
            .order_by(notes.c.number.desc())
            .limit(limit)
        )
        async with self._read() as connection:
            return [to_note(row) for row in await connection.execute(query)]

    async def by_ids(self, ids: Iterable[UUID]) -> dict[UUID, Note]:
        """Current notes by id; unknown ids are left out."""
        async with self._read() as connection:
            rows = await connection.execute(sa.select(notes).where(notes.c.id.in_(list(ids))))
            return {row.id: to_note(row) for row in rows}

    async def counts(self, guild_id: str) -> dict[NoteStatus, int]:
        """Notes of a guild by status."""
        query = (
            sa.select(notes.c.status, sa.func.count())
            .where(notes.c.guild_id == guild_id)
            .group_by(notes.c.status)
        )
        async with self._read() as connection:
            return {NoteStatus(status): count for status, count in await connection.execute(query)}

    async def active_count(self) -> int:
        """Active notes over all guilds."""
        query = sa.select(sa.func.count()).where(notes.c.status == NoteStatus.ACTIVE)
        async with self._read() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def pending(self, limit: int, without: Collection[UUID] = ()) -> Pending:
        """The oldest `limit` outbox rows, with each note once, as it stands now.

        Rows of the notes in `without` are passed over.
        """
        async with self._read() as connection:
            rows = (
                await connection.execute(
                    sa.select(outbox.c.seq, outbox.c.note_id)
                    .where(outbox.c.note_id.not_in(without))
                    .order_by(outbox.c.seq)
                    .limit(limit)
                )
            ).all()
            if not rows:
                return Pending((), ())
            ids = {row.note_id for row in rows}
            found = await connection.execute(sa.select(notes).where(notes.c.id.in_(ids)))
            return Pending(tuple(to_note(row) for row in found), tuple(row.seq for row in rows))

    async def pending_count(self) -> int:
        """How many notes wait for the index."""
        query = sa.select(sa.func.count(sa.distinct(outbox.c.note_id)))
        async with self._read() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def projected(self, pending: Pending) -> None:
        """Remove outbox rows; call it only after the index has made the notes durable."""
        async with self._write() as connection:
            await connection.execute(sa.delete(outbox).where(outbox.c.seq.in_(pending.rows)))

    async def enqueue_all(self) -> None:
        """Put every active note into the outbox: the index was lost and must be built again."""
        active = (
            sa.select(notes.c.id).where(notes.c.status == NoteStatus.ACTIVE).order_by(notes.c.id)
        )
        async with self._write() as connection:
            await connection.execute(sa.insert(outbox).from_select(["note_id"], active))

    @asynccontextmanager
    async def _read(self) -> AsyncIterator[AsyncConnection]:
        with database.translated(self._url):
            async with self._engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[AsyncConnection]:
        with database.translated(self._url):
            async with self._writer.begin() as connection:
                yield connection

    @staticmethod
    async def _one(connection: AsyncConnection, guild_id: str, number: int) -> Note:
        row = (
            await connection.execute(
                sa.select(notes).where(notes.c.guild_id == guild_id, notes.c.number == number)
            )
        ).one_or_none()
        if row is None:
            raise NoteNotFound(
                f"There is no note #{number} here. List the notes to see their numbers."
            )
        return to_note(row)

    @staticmethod
    async def _active_by_hash(
        connection: AsyncConnection, guild_id: str, hashes: Sequence[str]
    ) -> dict[str, Note]:
        found: dict[str, Note] = {}
        for start in range(0, len(hashes), _CHUNK):
            rows = await connection.execute(
                sa.select(notes).where(
                    notes.c.guild_id == guild_id,
                    notes.c.status == NoteStatus.ACTIVE,
                    notes.c.text_hash.in_(hashes[start : start + _CHUNK]),
                )
            )
            found.update({row.text_hash: to_note(row) for row in rows})
        return found
