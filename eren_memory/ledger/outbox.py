"""The outbox: which notes changed, and the index may not know."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import sqlalchemy as sa

from eren_memory.domain import Note, NoteStatus
from eren_memory.ledger import rows
from eren_memory.ledger.schema import notes, outbox

if TYPE_CHECKING:
    from eren_memory.ledger.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Pending:
    """Notes that the index may not know yet, current as of the read, and the rows that say so."""

    notes: tuple[Note, ...]
    rows: tuple[int, ...]


class Outbox:
    """The outbox of a ledger. Acts write into it in their own transactions; see `Unit`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def pending(
        self,
        limit: int,
        *,
        of: Collection[UUID] | None = None,
        without: Collection[UUID] = (),
        besides: Collection[int] = (),
        newest: bool = False,
    ) -> Pending:
        """The oldest (or newest) `limit` outbox rows, with each note once, as it stands now.

        Passed over are rows of the notes in `without`, the rows `besides`, and where `of` is given
        all but its notes.
        """
        query = sa.select(outbox.c.seq, outbox.c.note_id).where(
            outbox.c.note_id.not_in(without), outbox.c.seq.not_in(besides)
        )
        if of is not None:
            query = query.where(outbox.c.note_id.in_(of))
        async with self._ledger.reading() as connection:
            order = outbox.c.seq.desc() if newest else outbox.c.seq
            waiting = (await connection.execute(query.order_by(order).limit(limit))).all()
            ids = list({row.note_id for row in waiting})
            found = await rows.notes_where(connection, notes.c.id, ids)
            return Pending(tuple(found), tuple(row.seq for row in waiting))

    async def count(self) -> int:
        """How many notes wait for the index."""
        query = sa.select(sa.func.count(sa.distinct(outbox.c.note_id)))
        async with self._ledger.reading() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def oldest(self) -> int | None:
        """The row that has waited longest; None if nothing waits."""
        async with self._ledger.reading() as connection:
            found: int | None = (
                await connection.execute(sa.func.min(outbox.c.seq).select())
            ).scalar()
            return found

    async def waiting(self, ids: Collection[UUID]) -> set[UUID]:
        """Which of these notes wait for the index."""
        query = sa.select(outbox.c.note_id).where(outbox.c.note_id.in_(list(ids)))
        async with self._ledger.reading() as connection:
            return set((await connection.execute(query)).scalars())

    async def projected(self, done: Sequence[int]) -> None:
        """Remove outbox rows; call it only after the index has made the notes durable."""
        async with self._ledger.writing() as connection:
            await connection.execute(sa.delete(outbox).where(outbox.c.seq.in_(done)))

    async def enqueue(self, ids: Sequence[UUID]) -> None:
        """Have notes projected again."""
        if ids:
            async with self._ledger.writing() as connection:
                await connection.execute(sa.insert(outbox), [{"note_id": one} for one in ids])

    async def enqueue_all(self) -> None:
        """Have every active note projected: the index was lost and must be built again."""
        active = (
            sa.select(notes.c.id).where(notes.c.status == NoteStatus.ACTIVE).order_by(notes.c.id)
        )
        async with self._ledger.writing() as connection:
            await connection.execute(sa.insert(outbox).from_select(["note_id"], active))
