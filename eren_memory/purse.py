"""What each guild may still use today: asked before a question, told afterwards, and shown."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from uuid import UUID
from zoneinfo import ZoneInfo

from uuid_utils.compat import uuid7

from eren_memory.budget_warnings import Warnings
from eren_memory.budgets import (
    EVERY_GUILD,
    Decision,
    Limits,
    Line,
    Most,
    Today,
    Used,
    day_of,
    decide,
    ends,
    limits,
    micros,
)
from eren_memory.charging import Account, charged_on
from eren_memory.community import GuildSettings
from eren_memory.config import Settings
from eren_memory.domain import Usage
from eren_memory.errors import ErenError
from eren_memory.ledger.communities import Communities
from eren_memory.ledger.holds import Hold
from eren_memory.ledger.spending import Bill, Spender, Spending
from eren_memory.setting_values import Instead

# Set aside for a question, and for a single call: more than most take, so that many at once stay within
# the budget. Only for as long as they are under way.
_QUESTION, _CALL = Usage(2, 2_000, 400), Usage(1, 1_000, 200)
_LAPSES = timedelta(minutes=15)
# Guilds' choices are read again after so many seconds, for calls of which no settings are at hand.
_REMEMBERED = 30.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ticket:
    """A question's place in the day: what was decided of it, and what it uses."""

    decision: Decision
    hold: Hold
    holding: Limits
    ends: tuple[datetime, datetime]
    """The guild's day, and the installation's."""
    account: Account = field(default_factory=Account)

    @property
    def until(self) -> datetime:
        """When what was reached, the budget or the member's quota, begins anew."""
        line = self.decision.line
        return self.ends[line is not None and line.guild_id == EVERY_GUILD]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a guild's day stands; `lines` are its budgets and the installation's, `ends` as `Ticket`'s."""

    ends: tuple[datetime, datetime]
    lines: tuple[Line, ...]
    member: int | None
    instead: Instead
    bills: tuple[Bill, ...]
    spenders: tuple[Spender, ...]


class Purse:
    """The daily budgets of every guild.

    Args:
        spending: Where they are kept.
        communities: What guilds chose.
        settings: What the operator allows.
        clock: The present.
    """

    def __init__(
        self,
        spending: Spending,
        communities: Communities,
        settings: Settings,
        clock: Callable[[], datetime],
    ) -> None:
        self._spending, self._communities = spending, communities
        self._settings, self._clock = settings, clock
        self._known: Mapping[str, GuildSettings] = {}
        self._read_at = -_REMEMBERED
        self.warnings = Warnings(spending, clock)

    def limits(self, chosen: GuildSettings) -> Limits:
        """What holds in a guild that chose this."""
        ours = self._settings
        instead = Instead.parse(ours.budget_at_limit)
        return limits(
            chosen.budget,
            ours.offered_models,
            ours.budget_member_questions,
            Most(
                ours.budget_guild_questions,
                ours.budget_guild_tokens,
                micros(ours.budget_guild_money),
            ),
            Most(None, ours.budget_tokens, micros(ours.budget_money)),
            instead,
        )

    async def remember(self) -> None:
        """Read what guilds chose, so that no question has to. Raises `LedgerError`."""
        self._known = await self._communities.with_days()
        self._read_at = time.monotonic()

    async def ask(
        self,
        request_id: UUID,
        guild_id: str,
        chosen: GuildSettings,
        member: tuple[str, Collection[str]] | None,
        model: str,
    ) -> Ticket | None:
        """Set something aside for a question; None where there is no budget.

        Args:
            request_id: Of the question; asked again, it counts once.
            guild_id: Whose question.
            chosen: The guild's settings.
            member: Who asks, and their roles; None where nobody did.
            model: Which answers.

        Raises:
            LedgerError: Nothing was set aside.
        """
        if not (holding := self.limits(chosen)):
            return None
        quota = holding.of(member[1]) if member else None
        hold = self._hold(request_id, guild_id, chosen, member and member[0], _QUESTION)
        return await self._take(hold, holding, chosen, quota, model)

    async def give_back(self, request_id: UUID) -> None:
        """What was set aside for a question that is not put after all. Raises `LedgerError`."""
        await self._spending.give_back(request_id)

    @asynccontextmanager
    async def paying(self, ticket: Ticket | None) -> AsyncIterator[None]:
        """What is asked of models inside goes on the ticket; a question that fails does not count."""
        if ticket is None:
            yield
            return
        done = False
        try:
            with charged_on(ticket.account):
                yield
            done = True
        finally:
            await self._settle(ticket, back=0 if done else ticket.hold.used.questions)

    @asynccontextmanager
    async def opened(self, guild_id: str) -> AsyncIterator[Account | None]:
        """For one call that no question pays for: of an audit, a preview, a command."""
        chosen = await self._chosen(guild_id)
        if not (holding := self.limits(chosen)):
            yield None
            return
        hold = self._hold(uuid7(), guild_id, chosen, None, _CALL, questions=0)
        ticket = await self._take(hold, holding, chosen, None, None)
        # A cheaper model is for people's questions; everything else can wait.
        if ticket.decision.way is not None:
            ticket.account.closed_until = ticket.until
        try:
            yield ticket.account
        finally:
            if not ticket.decision.refused:
                await self._settle(ticket, back=0)

    async def standing(self, guild_id: str, chosen: GuildSettings) -> Standing | None:
        """How a guild's day stands; None where there is no budget. Raises `LedgerError`."""
        if not (holding := self.limits(chosen)):
            return None
        hold = self._hold(uuid7(), guild_id, chosen, None, _CALL)
        today = await self._spending.today(hold)
        return Standing(
            self._ends(hold, chosen),
            tuple(holding.lines(today, guild_id)),
            holding.of(()),
            holding.instead,
            tuple(await self._spending.bills(guild_id, hold.day)),
            tuple(await self._spending.spenders(guild_id, hold.day)),
        )

    async def sweep(self, before: datetime) -> None:
        """Forget days that are older. Raises `LedgerError`."""
        await self._spending.forget_before(day_of(before, self._settings.zone))

    async def _take(
        self,
        hold: Hold,
        holding: Limits,
        chosen: GuildSettings,
        quota: int | None,
        model: str | None,
    ) -> Ticket:
        now = self._clock()

        def decided(today: Today) -> Decision:
            return decide(holding, today, hold.guild_id, quota, model)

        def lighter(decision: Decision) -> Used:
            return Used(hold.used.questions) if decision.silenced else hold.used

        decision = await self._spending.hold(hold, decided, lighter, now, now + _LAPSES)
        ticket = Ticket(decision, hold, holding, self._ends(hold, chosen))
        if decision.silenced:
            ticket.account.closed_until = ticket.until
        return ticket

    async def _settle(self, ticket: Ticket, *, back: int) -> None:
        hold, used = ticket.hold, ticket.account.used
        bills = [Bill(model, usage, self._cost(model, usage)) for model, usage in used.items()]
        try:
            today = await asyncio.shield(self._spending.settle(hold, bills, back=back))
        except ErenError as error:
            # Whoever asked has an answer; what was set aside lapses.
            _log.warning("What a question used could not be counted: %s", error)
        else:
            self.warnings.soon(hold, ticket.holding, today, ticket.ends)

    async def _chosen(self, guild_id: str) -> GuildSettings:
        if time.monotonic() - self._read_at >= _REMEMBERED:
            await self.remember()
        return self._known.get(guild_id, GuildSettings())

    def _hold(
        self,
        request_id: UUID,
        guild_id: str,
        chosen: GuildSettings,
        member_id: str | None,
        usage: Usage,
        questions: int = 1,
    ) -> Hold:
        now = self._clock()
        dearest = max((self._cost(model, usage) for model in self._settings.prices), default=0)
        aside = Used(questions, usage.prompt_tokens + usage.completion_tokens, dearest)
        whole_day = day_of(now, self._settings.zone)
        day = day_of(now, self._zone(chosen))
        return Hold(request_id, guild_id, day, whole_day, member_id, aside)

    def _zone(self, chosen: GuildSettings) -> tzinfo:
        try:
            return ZoneInfo(chosen.time_zone) if chosen.time_zone else self._settings.zone
        except (KeyError, ValueError, OSError):
            return self._settings.zone

    def _ends(self, hold: Hold, chosen: GuildSettings) -> tuple[datetime, datetime]:
        zone = self._settings.zone
        return ends(hold.day, self._zone(chosen)), ends(hold.whole_day, zone)

    def _cost(self, model: str, usage: Usage) -> int:
        """In millionths, which a price for a million tokens is for one."""
        read, written = self._settings.prices.get(model, (0.0, 0.0))
        return round(usage.prompt_tokens * read + usage.completion_tokens * written)
