"""The embedding spaces of a notebook: which one is live, which is being built, which is kept.

Exactly one is live; its name here, and nothing else, says in which index questions are answered. At
most one is being built, and becomes live in one transaction; the one before it is kept for a while.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from eren_memory.ledger.outbox import SpaceState, all_active
from eren_memory.ledger.schema import outbox, spaces

if TYPE_CHECKING:
    from eren_memory.ledger.ledger import Ledger

_UNNAMED = ""


@dataclass(frozen=True, slots=True)
class Space:
    """A row of the table of that name; see `schema`."""

    space: str
    state: SpaceState
    endpoint: bool
    named: bool
    total: int
    wished_by: str | None
    wished_at: datetime | None
    claimed_until: datetime | None
    kept_until: datetime | None
    refused: str | None
    report: Mapping[str, Any] | None


class Spaces:
    """The spaces of a ledger. Every method is one transaction."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def live(self) -> str:
        """The space in which questions are answered; empty before a program first named it."""
        query = sa.select(spaces.c.space).where(spaces.c.state == SpaceState.LIVE)
        async with self._ledger.reading() as connection:
            return str((await connection.execute(query)).scalar_one())

    async def all(self) -> dict[str, Space]:
        """Every space that there is or was, by name."""
        async with self._ledger.reading() as connection:
            return await _all(connection)

    async def in_state(self, state: SpaceState) -> Space | None:
        """The space in a state that only one can have."""
        found = (await self.all()).values()
        return next((one for one in found if one.state is state), None)

    async def adopt(self, space: str, *, endpoint: bool, named: bool) -> str:
        """Name the live space, unless it has a name; returns the name it has."""
        async with self._changing() as connection:
            unnamed = spaces.c.space == _UNNAMED
            values = {"space": space, "endpoint": endpoint, "named": named}
            done = await connection.execute(sa.update(spaces).where(unnamed).values(values))
            if done.rowcount:
                waiting = sa.update(outbox).where(outbox.c.space == _UNNAMED)
                await connection.execute(waiting.values(space=space))
            return next(n for n, one in (await _all(connection)).items() if _is_live(one))

    async def begin(
        self, space: str, *, endpoint: bool, wished_by: str, now: datetime, named: bool = False
    ) -> None:
        """Have an index of a space built and then become the live one.

        What else is being built is given up, and nothing more when `space` is live already. An index
        that was kept needs only what has changed since.
        """
        async with self._changing() as connection:
            known = await _all(connection)
            if named:
                await connection.execute(sa.update(spaces).values(named=False))
            wish = {"named": named, "wished_by": wished_by, "wished_at": now}
            for one in known.values():
                if one.state is SpaceState.BUILDING and one.space != space:
                    await _set(connection, one.space, state=SpaceState.DROPPING)
            before = known.get(space)
            if before is None:
                row = {"space": space, "state": SpaceState.GONE, "endpoint": endpoint, "total": 0}
                await connection.execute(sa.insert(spaces).values(row | wish))
            elif before.state in (SpaceState.LIVE, SpaceState.BUILDING):
                await _set(connection, space, **wish)
                return
            if before is None or before.state is not SpaceState.KEPT:
                await connection.execute(sa.delete(outbox).where(outbox.c.space == space))
                await connection.execute(all_active(space))
            waiting = sa.select(sa.func.count(sa.distinct(outbox.c.note_id))).where(
                outbox.c.space == space
            )
            total = (await connection.execute(waiting)).scalar_one()
            fresh = {"state": SpaceState.BUILDING, "endpoint": endpoint, "total": total}
            fresh |= {"kept_until": None, "claimed_by": None, "claimed_until": None}
            # A report of what is only being built says that it was live before.
            back = {"back": True} if before and before.state is SpaceState.KEPT else None
            await _set(connection, space, refused=None, report=back, **fresh, **wish)

    async def claim(
        self, space: str, by: str, now: datetime, until: datetime, *, alone: bool
    ) -> bool:
        """Take over the building of a space, or go on with it; False when another does or it ended.

        With `alone`, a lock has shown that whoever had it before is gone.
        """
        free = sa.or_(
            spaces.c.claimed_by.is_(None), spaces.c.claimed_by == by, spaces.c.claimed_until < now
        )
        mine = [spaces.c.space == space, spaces.c.state == SpaceState.BUILDING]
        query = sa.update(spaces).where(*mine, *([] if alone else [free]))
        async with self._ledger.writing() as connection:
            claimed = query.values(claimed_by=by, claimed_until=until)
            return bool((await connection.execute(claimed)).rowcount)

    async def switch(
        self, space: str, by: str, kept_until: datetime, report: Mapping[str, Any]
    ) -> bool:
        """Make the space that was built the live one, and keep the one before; False if given up."""
        async with self._changing() as connection:
            known = await _all(connection)
            query = sa.select(spaces.c.space).where(
                spaces.c.space == space,
                spaces.c.state == SpaceState.BUILDING,
                spaces.c.claimed_by == by,
            )
            if (await connection.execute(query)).first() is None:
                return False
            for one in known.values():
                if one.state is SpaceState.KEPT:
                    await _set(connection, one.space, state=SpaceState.DROPPING)
                elif _is_live(one):
                    kept = {"state": SpaceState.KEPT, "kept_until": kept_until}
                    await _set(connection, one.space, **kept)
            await _set(connection, space, state=SpaceState.LIVE, report=dict(report))
            return True

    async def replace(self, space: str, *, endpoint: bool, named: bool, reason: str) -> None:
        """Make a space live that has no index yet: the model of the one before cannot be loaded."""
        async with self._changing() as connection:
            live = next(one for one in (await _all(connection)).values() if _is_live(one))
            gone = {"state": SpaceState.DROPPING, "refused": reason, "named": False}
            await _set(connection, live.space, **gone)
            await connection.execute(sa.delete(spaces).where(spaces.c.space == space))
            await connection.execute(sa.delete(outbox).where(outbox.c.space == space))
            row = {"space": space, "state": SpaceState.LIVE, "endpoint": endpoint, "named": named}
            await connection.execute(sa.insert(spaces).values(total=0, **row))
            await connection.execute(all_active(space))

    async def drop(self, space: str, refused: str | None = None) -> None:
        """Give up what is being built or kept, with the reason if it was refused."""
        async with self._changing() as connection:
            await connection.execute(
                sa.update(spaces)
                .where(spaces.c.space == space, spaces.c.state != SpaceState.LIVE)
                .values(state=SpaceState.DROPPING, refused=refused)
            )

    async def expire(self, now: datetime) -> None:
        """Give up what was kept long enough."""
        over = sa.and_(spaces.c.state == SpaceState.KEPT, spaces.c.kept_until < now)
        async with self._ledger.writing() as connection:
            await connection.execute(
                sa.update(spaces).where(over).values(state=SpaceState.DROPPING)
            )

    async def dropped(self, space: str) -> None:
        """Record that the index of a space is deleted."""
        async with self._changing() as connection:
            gone = sa.and_(spaces.c.space == space, spaces.c.state == SpaceState.DROPPING)
            done = await connection.execute(
                sa.update(spaces).where(gone).values(state=SpaceState.GONE)
            )
            if done.rowcount:
                await connection.execute(sa.delete(outbox).where(outbox.c.space == space))

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction in which no act tells the spaces of a change; see `outbox.telling`."""
        async with self._ledger.writing() as connection:
            if connection.dialect.name == "postgresql":
                await connection.exec_driver_sql("LOCK TABLE outbox IN SHARE ROW EXCLUSIVE MODE")
            yield connection


def _is_live(one: Space) -> bool:
    return one.state is SpaceState.LIVE


async def _all(connection: AsyncConnection) -> dict[str, Space]:
    fields = (*Space.__dataclass_fields__,)
    found = (await connection.execute(sa.select(*(spaces.c[name] for name in fields)))).mappings()
    return {row["space"]: Space(**{**row, "state": SpaceState(row["state"])}) for row in found}


async def _set(connection: AsyncConnection, space: str, **values: Any) -> None:
    await connection.execute(sa.update(spaces).where(spaces.c.space == space).values(values))
