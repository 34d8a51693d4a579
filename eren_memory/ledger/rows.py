"""Between the tables' rows and our values."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from eren_memory.domain import LARGEST_NUMBER, REVISED, Note, NoteStatus
from eren_memory.errors import NoteNotFound
from eren_memory.ledger.schema import notes
from eren_memory.text import normalised

# SQLite allows 32,766 bound values in a statement; stay well below with every table.
CHUNK = 1_000

_FIELDS = tuple(Note.__dataclass_fields__)


def text_hash(text: str) -> str:
    """What two notes share when they make the same statement."""
    return hashlib.sha256(normalised(text).encode()).hexdigest()


def to_row(note: Note) -> dict[str, Any]:
    """A note as the columns of its table."""
    return {name: getattr(note, name) for name in _FIELDS} | {"text_hash": text_hash(note.text)}


def to_note(row: Any) -> Note:
    """A row of the notes table as a note."""
    values = {name: getattr(row, name) for name in _FIELDS}
    return Note(**{**values, "status": NoteStatus(values["status"])})


def revised(note: Note) -> dict[str, Any]:
    """What a revision keeps of a note."""
    return {name: getattr(note, name) for name in REVISED}


def to_revised(row: Any) -> dict[str, Any]:
    """A row of the revisions table as fields of a note."""
    values = {name: getattr(row, name) for name in REVISED}
    return {**values, "status": NoteStatus(values["status"])}


async def one_note(connection: AsyncConnection, guild_id: str, number: int) -> Note:
    """The note with that number. Raises `NoteNotFound`."""
    query = sa.select(notes).where(notes.c.guild_id == guild_id, notes.c.number == number)
    # A button's id or a file may name a number that no database can hold.
    row = (await connection.execute(query)).one_or_none() if number <= LARGEST_NUMBER else None
    if row is None:
        raise NoteNotFound(f"There is no note #{number} here. List the notes to see their numbers.")
    return to_note(row)


async def notes_where(
    connection: AsyncConnection, column: sa.Column[Any], values: Sequence[Any], *also: Any
) -> list[Note]:
    """Notes with one of `values` in `column`, however many values there are."""
    found: list[Note] = []
    for start in range(0, len(values), CHUNK):
        chosen = column.in_(values[start : start + CHUNK])
        rows = await connection.execute(sa.select(notes).where(chosen, *also))
        found += [to_note(row) for row in rows]
    return found
