"""The outbox: which notes changed, and the index of a space may not know.

Every change gets a row for each space whose index is live, being built or kept, so that each of them
is brought up to date by itself, and whoever does it may be killed at any moment.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from eren_memory.domain import Note, NoteStatus
from eren_memory.ledger import rows
from eren_memory.ledger.schema import notes, outbox, spaces

if TYPE_CHECKING:
    from eren_memory.ledger.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Pending:
    """Notes that the index may not know yet, current as of the read, and the rows that say so.

    `scrub` says that what the index holds instead was erased, and must leave its files. `refused` are
    those of the notes that could not be projected before.
    """

    notes: tuple[Note, ...]
    rows: tuple[int, ...]
    scrub: bool = False
    refused: frozenset[UUID] = frozenset()


class SpaceState(StrEnum):
    """What becomes of an embedding space."""

    LIVE = "live"
    BUILDING = "building"
    KEPT = "kept"
    """It was live, and can be again."""
    DROPPING = "dropping"
    """Its index is to be deleted."""
    GONE = "gone"


TRACKED = (SpaceState.LIVE, SpaceState.BUILDING, SpaceState.KEPT)
"""States in which a space's index is told of every change."""


def telling() -> sa.Insert:
    """The statement that tells every tracked space of the changed note that is bound as `note`.

    It finds the spaces by itself, with the outbox locked as it runs: a space that begins to be built
    at this moment is among them, or sees the change when it asks which notes there are.
    """
    note = sa.bindparam("note", type_=sa.Uuid)
    tracked = sa.or_(*(spaces.c.state == one for one in TRACKED))
    told = sa.select(note, spaces.c.space).where(tracked)
    return sa.insert(outbox).from_select(["note_id", "space"], told)


class Outbox:
    """The outbox of one space, or of the live one. Acts write into it themselves; see `Unit`."""

    def __init__(self, ledger: Ledger, space: str | None = None) -> None:
        self._ledger = ledger
        self._space: Any = space
        if space is None:
            live = sa.select(spaces.c.space).where(spaces.c.state == SpaceState.LIVE)
            self._space = live.scalar_subquery()

    async def pending(
        self,
        limit: int,
        *,
        of: Collection[UUID] | None = None,
        besides: Collection[int] = (),
        newest: bool = False,
    ) -> Pending:
        """The oldest (or newest) `limit` outbox rows, with each note once, as it stands now.

        Passed over are the rows `besides`, and where `of` is given all but its notes.
        """
        o = outbox.c
        query = sa.select(o.seq, o.note_id, o.scrub, o.reason).where(
            outbox.c.space == self._space,
            outbox.c.seq.not_in(besides),
        )
        if of is not None:
            query = query.where(outbox.c.note_id.in_(of))
        async with self._ledger.reading() as connection:
            order = outbox.c.seq.desc() if newest else outbox.c.seq
            waiting = (await connection.execute(query.order_by(order).limit(limit))).all()
            ids = list({row.note_id for row in waiting})
            found = await rows.notes_where(connection, notes.c.id, ids)
            scrub = any(row.scrub for row in waiting)
            refused = frozenset(row.note_id for row in waiting if row.reason is not None)
            return Pending(tuple(found), tuple(row.seq for row in waiting), scrub, refused)

    async def current(
        self, ids: Collection[UUID], *, besides: Collection[int]
    ) -> tuple[dict[UUID, Note], bool]:
        """Notes as they stand now, and whether any row waits but those that `pending` would pass over.

        One statement: every question makes it.
        """
        bound = {"ids": list(ids), "besides": list(besides)}
        async with self._ledger.glancing() as connection:
            found = (await connection.execute(self._current, bound)).all()
        known = [rows.to_note(row) for row in found if row.id is not None]
        return {note.id: note for note in known}, bool(found[0].waiting)

    @cached_property
    def _current(self) -> sa.Select[Any]:
        """Made once, because it takes as long to make as to execute."""
        others = sa.and_(
            outbox.c.space == self._space,
            outbox.c.seq.not_in(sa.bindparam("besides", expanding=True)),
        )
        waiting = sa.select(sa.exists().where(others).label("waiting")).subquery()
        these = notes.c.id.in_(sa.bindparam("ids", expanding=True))
        return sa.select(waiting.c.waiting, notes).select_from(waiting.outerjoin(notes, these))

    async def count(self) -> int:
        """How many notes wait for the index."""
        query = sa.select(sa.func.count(sa.distinct(outbox.c.note_id))).where(
            outbox.c.space == self._space
        )
        async with self._ledger.reading() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def moving(self) -> tuple[int | None, int]:
        """The row that has waited longest, None if none does, and of how many notes rows wait.

        Of notes that were set aside no row does: they wait for an edit.
        """
        o = outbox.c
        query = sa.select(sa.func.min(o.seq), sa.func.count(sa.distinct(o.note_id))).where(
            o.space == self._space, o.reason.is_(None)
        )
        async with self._ledger.reading() as connection:
            oldest, count = (await connection.execute(query)).one()
            return oldest, int(count)

    async def waiting(self, ids: Collection[UUID]) -> set[UUID]:
        """Which of these notes wait for the index."""
        query = sa.select(outbox.c.note_id).where(
            outbox.c.space == self._space, outbox.c.note_id.in_(list(ids))
        )
        async with self._ledger.reading() as connection:
            return set((await connection.execute(query)).scalars())

    async def projected(self, done: Sequence[int]) -> None:
        """Remove outbox rows; call it only after the index has made the notes durable."""
        async with self._ledger.writing() as connection:
            await connection.execute(sa.delete(outbox).where(outbox.c.seq.in_(done)))

    async def set_aside(self, note_id: UUID, among: Collection[int], reason: str) -> list[int]:
        """Note why a note cannot be projected; returns its rows among those given."""
        mine = sa.and_(outbox.c.note_id == note_id, outbox.c.seq.in_(among))
        async with self._ledger.writing() as connection:
            await connection.execute(sa.update(outbox).where(mine).values(reason=reason))
            return [*(await connection.execute(sa.select(outbox.c.seq).where(mine))).scalars()]

    async def unprojected(self, guild_id: str) -> dict[int, str]:
        """Numbers of a guild's notes that could not be projected as they stand, and why."""
        of_guild = notes.c.guild_id == guild_id
        query = self._refused(notes.c.number, of_guild).order_by(notes.c.number)
        async with self._ledger.reading() as connection:
            return {row.number: row.reason for row in await connection.execute(query)}

    async def refused(self) -> dict[UUID, str]:
        """Every note that could not be projected as it stands, and why."""
        query = self._refused(notes.c.id, sa.true())
        async with self._ledger.reading() as connection:
            return {row.id: row.reason for row in await connection.execute(query)}

    def _refused(self, column: Any, where: Any) -> Any:
        newest = (
            sa.select(sa.func.max(outbox.c.seq))
            .where(outbox.c.space == self._space)
            .group_by(outbox.c.note_id)
        )
        return (
            sa.select(column, outbox.c.reason)
            .join(outbox, notes.c.id == outbox.c.note_id)
            .where(where, outbox.c.reason.is_not(None), outbox.c.seq.in_(newest))
        )

    async def enqueue(self, ids: Sequence[UUID]) -> None:
        """Have notes projected again."""
        if ids:
            async with self._ledger.writing() as connection:
                await connection.execute(
                    sa.insert(outbox).values(space=self._space), [{"note_id": one} for one in ids]
                )

    async def enqueue_all(self) -> None:
        """Have every active note projected that does not wait: the index was lost, or is new."""
        async with self._ledger.writing() as connection:
            await connection.execute(all_active(self._space))


def all_active(space: Any) -> sa.Insert:
    """The statement that has every active note projected into the index of a space."""
    waiting = sa.select(outbox.c.note_id).where(outbox.c.space == space)
    active = (
        sa.select(notes.c.id, sa.cast(space, sa.String(255)))
        .where(notes.c.status == NoteStatus.ACTIVE, notes.c.id.not_in(waiting))
        .order_by(notes.c.id)
    )
    return sa.insert(outbox).from_select(["note_id", "space"], active)
