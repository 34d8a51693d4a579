"""Telling people that a budget is nearly used up, or is: once a day, whoever settles first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from eren_memory.budgets import EVERY_GUILD, WARNED, Instead, Limits, Line, Today
from eren_memory.ledger import Hold, Spending


@dataclass(frozen=True, slots=True)
class Warned:
    """A budget of which so many percent are used, what is done at its end, and until when it lasts."""

    line: Line
    percent: int
    instead: Instead
    until: datetime


OnWarning = Callable[[Warned], Awaitable[bool]]
"""Tells the staff, or for the whole installation who runs it; False if that failed."""


class Warnings:
    """What was told already is kept in the ledger, so that neither a restart nor another process repeats it.

    Args:
        spending: Where.
    """

    def __init__(self, spending: Spending) -> None:
        self._spending = spending
        self._told: set[tuple[object, ...]] = set()
        self.on_warning: OnWarning | None = None
        """A process that can tell nobody leaves this None, and the warning to one that can."""

    async def tell(
        self, hold: Hold, holding: Limits, today: Today, ends: tuple[datetime, datetime]
    ) -> None:
        """Tell what has to be told by now.

        Args:
            hold: Of what was just settled.
            holding: The budgets.
            today: How the day stands.
            ends: When the guild's day ends, and the installation's.

        Raises:
            LedgerError: Nothing could be remembered, so nobody was told.
        """
        if self.on_warning is None:
            return
        for line in holding.lines(today, hold.guild_id):
            whole = line.guild_id == EVERY_GUILD
            day = hold.whole_day if whole else hold.day
            key = (line.guild_id, day, line.budget)
            reached = [one for one in WARNED if line.percent >= one]
            if all((*key, one) in self._told for one in reached):
                continue
            percent = await self._spending.warned(line.guild_id, day, line.budget, reached)
            self._told = {one for one in self._told if one[1] in (hold.day, hold.whole_day)}
            self._told |= {(*key, one) for one in reached}
            if not percent:
                continue
            instead = holding.whole_instead if whole else holding.instead
            if not await self.on_warning(Warned(line, percent, instead, ends[whole])):
                await self._spending.not_warned(line.guild_id, day, line.budget, percent)
                self._told.discard((*key, percent))
