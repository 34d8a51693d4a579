"""Transactions on the ledger. Each write leaves a revision, an audit event and an outbox row."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from uuid_utils.compat import uuid7

from eren_memory.domain import Note, NoteDraft, NoteStatus, normalised
from eren_memory.errors import BadInput, NoteNotFound
from eren_memory.ledger import database
from eren_memory.ledger.schema import audit_events, guilds, notes, outbox, revisions

# SQLite allows 32,766 bound values in a statement; stay well below with every table.
_CHUNK = 1_000


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
        with database.translated(url):
            await database.migrate(engine)
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
                connection, guild_id, [_hash(d.text) for d in drafts]
            )
            added: list[AddedNote] = []
            number = await _reserve_numbers(connection, guild_id, len(drafts))
            for draft in drafts:
                text_hash = _hash(draft.text)
                if text_hash in known:
                    added.append(AddedNote(known[text_hash], created=False))
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
                known[text_hash] = note
                added.append(AddedNote(note, created=True))
            await _give_back_numbers(connection, guild_id, number)
            fresh = [one.note for one in added if one.created]
            if fresh:
                await connection.execute(sa.insert(notes), [_row(note) for note in fresh])
                await _record(connection, fresh, "add", actor_id, now)
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
            await _record(connection, [after], "retire", actor_id, now, reason=reason)
            return after

    async def note(self, guild_id: str, number: int) -> Note:
        """The note with that number. Raises `NoteNotFound`."""
        async with self._read() as connection:
            return await self._one(connection, guild_id, number)

    async def notes(
        self,
        guild_id: str,
        status: NoteStatus | None = None,
        *,
        after: int = 0,
        limit: int | None = None,
    ) -> list[Note]:
        """Notes of a guild in the order of their numbers, from the one past `after`."""
        query = sa.select(notes).where(notes.c.guild_id == guild_id, notes.c.number > after)
        if status is not None:
            query = query.where(notes.c.status == status)
        async with self._read() as connection:
            rows = await connection.execute(query.order_by(notes.c.number).limit(limit))
            return [_note(row) for row in rows]

    async def by_ids(self, ids: Iterable[UUID]) -> dict[UUID, Note]:
        """Current notes by id; unknown ids are left out."""
        async with self._read() as connection:
            rows = await connection.execute(sa.select(notes).where(notes.c.id.in_(list(ids))))
            return {row.id: _note(row) for row in rows}

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

    async def pending(self, limit: int) -> Pending:
        """The oldest `limit` outbox rows, with each note once, as it stands now."""
        async with self._read() as connection:
            rows = (
                await connection.execute(
                    sa.select(outbox.c.seq, outbox.c.note_id).order_by(outbox.c.seq).limit(limit)
                )
            ).all()
            if not rows:
                return Pending((), ())
            ids = {row.note_id for row in rows}
            found = await connection.execute(sa.select(notes).where(notes.c.id.in_(ids)))
            return Pending(tuple(_note(row) for row in found), tuple(row.seq for row in rows))

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
        return _note(row)

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
            found.update({row.text_hash: _note(row) for row in rows})
        return found


async def _reserve_numbers(connection: AsyncConnection, guild_id: str, count: int) -> int:
    """Take `count` numbers of the guild; returns the first."""
    take = (
        sa.update(guilds)
        .where(guilds.c.guild_id == guild_id)
        .values(last_number=guilds.c.last_number + count)
        .returning(guilds.c.last_number)
    )
    last = (await connection.execute(take)).scalar_one_or_none()
    if last is None:
        await connection.execute(sa.insert(guilds).values(guild_id=guild_id, last_number=count))
        last = count
    return int(last) - count + 1


async def _give_back_numbers(connection: AsyncConnection, guild_id: str, next_number: int) -> None:
    """Numbers that duplicates did not use stay free: people see `#12` follow `#11`."""
    await connection.execute(
        sa.update(guilds).where(guilds.c.guild_id == guild_id).values(last_number=next_number - 1)
    )


async def _record(
    connection: AsyncConnection,
    changed: Sequence[Note],
    act: str,
    actor_id: str,
    now: datetime,
    *,
    reason: str | None = None,
) -> None:
    """Write the revision, the audit event and the outbox row of each changed note."""
    await connection.execute(
        sa.insert(revisions),
        [
            {
                "note_id": note.id,
                "revision": note.revision,
                "text": note.text,
                "status": note.status,
                "actor_id": actor_id,
                "at": now,
            }
            for note in changed
        ],
    )
    await connection.execute(
        sa.insert(audit_events),
        [
            {
                "at": now,
                "guild_id": note.guild_id,
                "actor_id": actor_id,
                "act": act,
                "note_id": note.id,
                "old_revision": note.revision - 1 or None,
                "new_revision": note.revision,
                "reason": reason or note.reason,
                "source_url": note.source_url,
            }
            for note in changed
        ],
    )
    await connection.execute(sa.insert(outbox), [{"note_id": note.id} for note in changed])


def _hash(text: str) -> str:
    return hashlib.sha256(normalised(text).encode()).hexdigest()


def _row(note: Note) -> dict[str, Any]:
    columns = {name: getattr(note, name) for name in Note.__dataclass_fields__}
    return {**columns, "text_hash": _hash(note.text)}


def _note(row: Any) -> Note:
    values = {name: getattr(row, name) for name in Note.__dataclass_fields__}
    return Note(**{**values, "status": NoteStatus(values["status"])})
