"""The rows of the daily budgets: which are locked in what order, and what is added to them.

Whoever changes a day locks its rows first, guilds before the installation, and only then those of what is
set aside: so nobody waits for somebody who waits for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from eren_memory.budgets import EVERY_GUILD, Today, Used
from eren_memory.ledger.budget_schema import budget_days, budget_holds, budget_members
from eren_memory.ledger.upsert import upsert


@dataclass(frozen=True, slots=True)
class Hold:
    """What is set aside for something that costs.

    Attributes:
        id: Taken again under the same one, it takes the first one's place.
        guild_id: Whose budget.
        day: Of the guild.
        whole_day: Of the installation.
        member_id: Whose quota; None where nobody asked.
        used: How much is set aside. Questions count at once, the rest when it is settled.
    """

    id: UUID
    guild_id: str
    day: date
    whole_day: date
    member_id: str | None
    used: Used


def days(hold: Hold) -> tuple[tuple[str, str], ...]:
    """The guild's day, and the installation's."""
    return (hold.guild_id, hold.day.isoformat()), (EVERY_GUILD, hold.whole_day.isoformat())


async def lock(connection: AsyncConnection, *holds: Hold) -> None:
    """Have the rows of their days, in the order in which everybody takes them."""
    for guild_id, day in sorted(
        {one for hold in holds for one in days(hold)},
        key=lambda one: (one[0] == EVERY_GUILD, one),
    ):
        nothing = {"questions": 0, "tokens": 0, "cost": 0}
        await add(connection, budget_days, {"guild_id": guild_id, "day": day}, nothing)


async def free(connection: AsyncConnection, which: sa.ColumnElement[bool], *also: Hold) -> None:
    """Give back what was set aside, and have the days' rows of that and of `also`."""
    # Read first: rows of days are taken before those of holds.
    rows = (await connection.execute(sa.select(budget_holds).where(which))).all()
    found = {row.id: _held(row) for row in rows}
    await lock(connection, *found.values(), *also)
    gone = await connection.execute(
        sa.delete(budget_holds)
        .where(which, budget_holds.c.id.in_(found))
        .returning(budget_holds.c.id, budget_holds.c.member_id)
    )
    for row in gone.all():
        hold = replace(found[row.id], member_id=row.member_id)
        await count(connection, hold, Used(questions=-hold.used.questions))


def _held(row: Any) -> Hold:
    day, whole_day = date.fromisoformat(row.day), date.fromisoformat(row.whole_day)
    used = Used(row.questions, row.tokens, row.cost)
    return Hold(row.id, row.guild_id, day, whole_day, row.member_id, used)


async def count(connection: AsyncConnection, hold: Hold, used: Used) -> None:
    """Count it to the days of a hold, and to its member."""
    amounts = {"questions": used.questions, "tokens": used.tokens, "cost": used.cost}
    if not any(amounts.values()):
        return
    for guild_id, day in days(hold):
        await add(connection, budget_days, {"guild_id": guild_id, "day": day}, amounts)
    if hold.member_id is not None:
        key = {
            "guild_id": hold.guild_id,
            "day": hold.day.isoformat(),
            "member_id": hold.member_id,
        }
        await add(connection, budget_members, key, amounts)


async def add(
    connection: AsyncConnection, table: sa.Table, key: Mapping[str, str], amounts: Mapping[str, int]
) -> None:
    """Add to a row, which is made if need be."""
    more = {name: table.c[name] + amount for name, amount in amounts.items()}
    await connection.execute(upsert(connection, table, key, amounts, more))


async def standing(connection: AsyncConnection, hold: Hold) -> Today:
    """How the days of a hold stand."""
    (guild_id, day), (_, whole_day) = days(hold)
    of_days, members = budget_days.c, budget_members.c
    ours = sa.or_(
        sa.and_(of_days.guild_id == guild_id, of_days.day == day),
        sa.and_(of_days.guild_id == EVERY_GUILD, of_days.day == whole_day),
    )
    settled = {
        row.guild_id: Used(row.questions, row.tokens, row.cost)
        for row in await connection.execute(sa.select(budget_days).where(ours))
    }
    # Few: only what is under way.
    held = (await connection.execute(sa.select(budget_holds))).all()
    theirs = sa.select(members.questions).where(
        members.guild_id == guild_id, members.day == day, members.member_id == hold.member_id
    )
    asked = (await connection.execute(theirs)).scalar() if hold.member_id else 0
    return Today(
        settled.get(guild_id, Used()),
        settled.get(EVERY_GUILD, Used()),
        sum(
            (
                Used(0, one.tokens, one.cost)
                for one in held
                if one.guild_id == guild_id and one.day == day
            ),
            Used(),
        ),
        sum((Used(0, one.tokens, one.cost) for one in held if one.whole_day == whole_day), Used()),
        asked or 0,
    )
