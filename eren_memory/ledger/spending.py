"""What is used of the daily budgets: set aside before a model call, settled after it, across processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa

from eren_memory.budgets import Decision, Today, Used
from eren_memory.domain import Usage
from eren_memory.ledger.budget_schema import (
    budget_days,
    budget_holds,
    budget_members,
    budget_models,
    budget_warnings,
)
from eren_memory.ledger.holds import Hold, add, count, days, free, lock, standing
from eren_memory.ledger.ledger import Ledger
from eren_memory.ledger.upsert import upsert

_MEMBERS = 5


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
            await free(connection, before, hold)
            decision = decide(await standing(connection, hold))
            if decision.refused:
                return decision
            aside = lighter(decision)
            await count(connection, hold, Used(questions=aside.questions))
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
            await lock(connection, hold)
            found = (
                await connection.execute(
                    sa.delete(budget_holds)
                    .where(budget_holds.c.id == hold.id)
                    .returning(budget_holds)
                )
            ).one_or_none()
            hold = replace(hold, member_id=None if found is None else found.member_id)
            questions = (0 if found else hold.used.questions) - back
            used = Used(questions, sum(one.tokens for one in bills), sum(one.cost for one in bills))
            await count(connection, hold, used)
            for bill in bills:
                for guild_id, day in days(hold):
                    key = {"guild_id": guild_id, "day": day, "model": bill.model}
                    amounts = {
                        "calls": bill.usage.calls,
                        "prompt_tokens": bill.usage.prompt_tokens,
                        "completion_tokens": bill.usage.completion_tokens,
                        "cost": bill.cost,
                    }
                    await add(connection, budget_models, key, amounts)
            return await standing(connection, hold)

    async def give_back(self, hold_id: UUID) -> None:
        """Nothing came of it: free what was set aside, its questions too. No harm where it is settled."""
        async with self._ledger.writing() as connection:
            await free(connection, budget_holds.c.id == hold_id)

    async def today(self, hold: Hold) -> Today:
        """How a day stands, for looking at it."""
        async with self._ledger.reading() as connection:
            return await standing(connection, hold)

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
