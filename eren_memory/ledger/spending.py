"""What is used of the daily budgets: set aside before a model call, settled after it, across processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from eren_memory.budgets import EVERY_GUILD, Decision, Today, Used
from eren_memory.domain import Usage
from eren_memory.ledger.budget_schema import (
    budget_days,
    budget_holds,
    budget_members,
    budget_models,
    budget_warnings,
)
from eren_memory.ledger.ledger import Ledger
from eren_memory.ledger.upsert import upsert

_MEMBERS = 5


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


@dataclass(frozen=True, slots=True)
class Bill:
    """What one model was used for, and the price of that in millionths."""

    model: str
    usage: Usage
    cost: int

    @property
    def tokens(self) -> int:
        """Both kinds."""
        return self.usage.prompt_tokens + self.usage.completion_tokens


@dataclass(frozen=True, slots=True)
class Spender:
    """What came of one member's questions."""

    member_id: str
    used: Used


class Spending:
    """The days of every guild. Every method is one transaction."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def hold(
        self,
        hold: Hold,
        decide: Callable[[Today], Decision],
        lighter: Callable[[Decision], Used],
        now: datetime,
        until: datetime,
    ) -> Decision:
        """Set something aside, unless that is refused.

        Nobody else decides meanwhile on what is left: what all have set aside counts for each.

        Args:
            hold: What to set aside.
            decide: What becomes of it, by how the day stands.
            lighter: How much of it to set aside after that decision.
            now: The present; what was set aside until then and not settled has lapsed.
            until: When this lapses.
        """
        before = sa.or_(budget_holds.c.id == hold.id, budget_holds.c.expires_at <= now)
        async with self._ledger.writing() as connection:
            await _free(connection, before, hold)
            decision = decide(await _today(connection, hold))
            if decision.refused:
                return decision
            aside = lighter(decision)
            await _count(connection, hold, Used(questions=aside.questions))
            await connection.execute(
                sa.insert(budget_holds).values(
                    id=hold.id,
                    guild_id=hold.guild_id,
                    day=hold.day.isoformat(),
                    whole_day=hold.whole_day.isoformat(),
                    member_id=hold.member_id,
                    questions=aside.questions,
                    tokens=aside.tokens,
                    cost=aside.cost,
                    expires_at=until,
                )
            )
            return decision

    async def settle(self, hold: Hold, bills: Sequence[Bill], *, back: int = 0) -> Today:
        """Count what was used in the place of what was set aside; returns how the day stands then.

        It counts to whoever the ledger says by now: who was forgotten meanwhile does not come back.

        Args:
            hold: What was set aside. If it has lapsed, its questions were given back and count anew,
                and nobody knows any more whose they are.
            bills: What was used.
            back: Questions that do not count, as nothing came of them.
        """
        async with self._ledger.writing() as connection:
            await _lock(connection, hold)
            found = (
                await connection.execute(
                    sa.delete(budget_holds)
                    .where(budget_holds.c.id == hold.id)
                    .returning(budget_holds)
                )
            ).one_or_none()
            hold = replace(hold, member_id=found and found.member_id)
            questions = (0 if found else hold.used.questions) - back
            used = Used(questions, sum(one.tokens for one in bills), sum(one.cost for one in bills))
            await _count(connection, hold, used)
            for bill in bills:
                for guild_id, day in _days(hold):
                    key = {"guild_id": guild_id, "day": day, "model": bill.model}
                    amounts = {
                        "calls": bill.usage.calls,
                        "prompt_tokens": bill.usage.prompt_tokens,
                        "completion_tokens": bill.usage.completion_tokens,
                        "cost": bill.cost,
                    }
                    await _add(connection, budget_models, key, amounts)
            return await _today(connection, hold)

    async def give_back(self, hold_id: UUID) -> None:
        """Nothing came of it: free what was set aside, its questions too. No harm where it is settled."""
        async with self._ledger.writing() as connection:
            await _free(connection, budget_holds.c.id == hold_id)

    async def today(self, hold: Hold) -> Today:
        """How a day stands, for looking at it."""
        async with self._ledger.reading() as connection:
            return await _today(connection, hold)

    async def spenders(self, guild_id: str, day: date) -> list[Spender]:
        """Who used most of a guild's day."""
        query = (
            sa.select(budget_members)
            .where(budget_members.c.guild_id == guild_id, budget_members.c.day == day.isoformat())
            .order_by(budget_members.c.tokens.desc(), budget_members.c.questions.desc())
            .limit(_MEMBERS)
        )
        async with self._ledger.reading() as connection:
            return [
                Spender(row.member_id, Used(row.questions, row.tokens, row.cost))
                for row in await connection.execute(query)
            ]

    async def bills(self, guild_id: str, day: date) -> list[Bill]:
        """What each model was used for in a guild's day, the most used first."""
        query = (
            sa.select(budget_models)
            .where(budget_models.c.guild_id == guild_id, budget_models.c.day == day.isoformat())
            .order_by(budget_models.c.calls.desc())
        )
        async with self._ledger.reading() as connection:
            return [
                Bill(
                    row.model, Usage(row.calls, row.prompt_tokens, row.completion_tokens), row.cost
                )
                for row in await connection.execute(query)
            ]

    async def warned(self, guild_id: str, day: date, budget: str, percents: Sequence[int]) -> int:
        """Remember that people are told of a budget; the highest that they were not told, or 0."""
        new = 0
        async with self._ledger.writing() as connection:
            for percent in percents:
                key = {
                    "guild_id": guild_id,
                    "day": day.isoformat(),
                    "budget": budget,
                    "percent": percent,
                }
                done = await connection.execute(upsert(connection, budget_warnings, key, {}))
                new = max(new, percent) if done.rowcount else new
        return new

    async def not_warned(self, guild_id: str, day: date, budget: str, percent: int) -> None:
        """They could not be told after all."""
        table = budget_warnings.c
        async with self._ledger.writing() as connection:
            await connection.execute(
                sa.delete(budget_warnings).where(
                    table.guild_id == guild_id,
                    table.day == day.isoformat(),
                    table.budget == budget,
                    table.percent == percent,
                )
            )

    async def forget_before(self, day: date) -> None:
        """Delete days that are older."""
        async with self._ledger.writing() as connection:
            for table in (budget_days, budget_members, budget_models, budget_warnings):
                await connection.execute(sa.delete(table).where(table.c.day < day.isoformat()))


def _days(hold: Hold) -> tuple[tuple[str, str], ...]:
    return (hold.guild_id, hold.day.isoformat()), (EVERY_GUILD, hold.whole_day.isoformat())


async def _lock(connection: AsyncConnection, *holds: Hold) -> None:
    """Have the rows of their days, in the order in which everybody takes them."""
    for guild_id, day in sorted(
        {one for hold in holds for one in _days(hold)},
        key=lambda one: (one[0] == EVERY_GUILD, one),
    ):
        nothing = {"questions": 0, "tokens": 0, "cost": 0}
        await _add(connection, budget_days, {"guild_id": guild_id, "day": day}, nothing)


async def _free(connection: AsyncConnection, which: sa.ColumnElement[bool], *also: Hold) -> None:
    """Give back what was set aside, and have the days' rows of that and of `also`."""
    # Read first: rows of days are taken before those of holds.
    rows = (await connection.execute(sa.select(budget_holds).where(which))).all()
    found = {row.id: _held(row) for row in rows}
    await _lock(connection, *found.values(), *also)
    gone = await connection.execute(
        sa.delete(budget_holds)
        .where(which, budget_holds.c.id.in_(found))
        .returning(budget_holds.c.id, budget_holds.c.member_id)
    )
    for row in gone.all():
        hold = replace(found[row.id], member_id=row.member_id)
        await _count(connection, hold, Used(questions=-hold.used.questions))


def _held(row: Any) -> Hold:
    day, whole_day = date.fromisoformat(row.day), date.fromisoformat(row.whole_day)
    used = Used(row.questions, row.tokens, row.cost)
    return Hold(row.id, row.guild_id, day, whole_day, row.member_id, used)


async def _count(connection: AsyncConnection, hold: Hold, used: Used) -> None:
    amounts = {"questions": used.questions, "tokens": used.tokens, "cost": used.cost}
    if not any(amounts.values()):
        return
    for guild_id, day in _days(hold):
        await _add(connection, budget_days, {"guild_id": guild_id, "day": day}, amounts)
    if hold.member_id is not None:
        key = {
            "guild_id": hold.guild_id,
            "day": hold.day.isoformat(),
            "member_id": hold.member_id,
        }
        await _add(connection, budget_members, key, amounts)


async def _add(
    connection: AsyncConnection, table: sa.Table, key: Mapping[str, str], amounts: Mapping[str, int]
) -> None:
    more = {name: table.c[name] + amount for name, amount in amounts.items()}
    await connection.execute(upsert(connection, table, key, amounts, more))


async def _today(connection: AsyncConnection, hold: Hold) -> Today:
    (guild_id, day), (_, whole_day) = _days(hold)
    days, members = budget_days.c, budget_members.c
    ours = sa.or_(
        sa.and_(days.guild_id == guild_id, days.day == day),
        sa.and_(days.guild_id == EVERY_GUILD, days.day == whole_day),
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
