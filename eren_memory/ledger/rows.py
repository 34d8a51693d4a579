"""Rows: between the tables and our values, and what every write leaves behind."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from eren_memory.domain import Note, NoteStatus, normalised
from eren_memory.ledger.schema import audit_events, guilds, outbox, revisions


async def reserve_numbers(connection: AsyncConnection, guild_id: str, count: int) -> int:
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


async def give_back_numbers(connection: AsyncConnection, guild_id: str, next_number: int) -> None:
    """Numbers that duplicates did not use stay free: people see `#12` follow `#11`."""
    await connection.execute(
        sa.update(guilds).where(guilds.c.guild_id == guild_id).values(last_number=next_number - 1)
    )


async def record(
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


def text_hash(text: str) -> str:
    """What two notes share when they make the same statement."""
    return hashlib.sha256(normalised(text).encode()).hexdigest()


def to_row(note: Note) -> dict[str, Any]:
    """A note as the columns of its table."""
    columns = {name: getattr(note, name) for name in Note.__dataclass_fields__}
    return {**columns, "text_hash": text_hash(note.text)}


def to_note(row: Any) -> Note:
    """A row of the notes table as a note."""
    values = {name: getattr(row, name) for name in Note.__dataclass_fields__}
    return Note(**{**values, "status": NoteStatus(values["status"])})
