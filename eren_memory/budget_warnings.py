"""Telling people that a budget is nearly used up, or is: once a day, whoever settles first."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from eren_memory.budgets import EVERY_GUILD, WARNED, Limits, Line, Today
from eren_memory.errors import ErenError
from eren_memory.ledger.holds import Hold
from eren_memory.ledger.spending import Spending
from eren_memory.setting_values import Instead

AGAIN = timedelta(minutes=10)
"""After so long it is tried again to tell whom it could not be told."""

_LAST_SECONDS = 5.0

_log = logging.getLogger(__name__)


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
        clock: The present.
    """

    def __init__(self, spending: Spending, clock: Callable[[], datetime]) -> None:
        self._spending, self._clock = spending, clock
        # What need not be looked up, until when.
        self._told: dict[tuple[object, ...], datetime] = {}
        self._telling: set[asyncio.Task[None]] = set()
        self.on_warning: OnWarning | None = None
        """A process that can tell nobody leaves this None, and the warning to one that can."""

    def soon(
        self, hold: Hold, holding: Limits, today: Today, ends: tuple[datetime, datetime]
    ) -> None:
        """See `tell`; whoever asked does not wait for it."""
        if self.on_warning is None:
            return

        async def telling() -> None:
            try:
                await self.tell(hold, holding, today, ends)
            except ErenError as error:
                _log.warning("Nobody could be told of a budget: %s", error)

        task = asyncio.create_task(telling())
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def drain(self, seconds: float = _LAST_SECONDS) -> None:
        """Let those who are being told hear of it, and give up what does not get there in time."""
        if not (telling := {*self._telling}):
            return
        _, late = await asyncio.wait(telling, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

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
        now = self._clock()
        self._told = {key: until for key, until in self._told.items() if until > now}
        for line in holding.lines(today, hold.guild_id):
            whole = line.guild_id == EVERY_GUILD
            day = hold.whole_day if whole else hold.day
            key = (line.guild_id, day, line.budget)
            reached = [one for one in WARNED if line.percent >= one]
            if all((*key, one) in self._told for one in reached):
                continue
            percent = await self._spending.warned(line.guild_id, day, line.budget, reached)
            self._told |= {(*key, one): ends[whole] for one in reached}
            if not percent:
                continue
            instead = holding.whole_instead if whole else holding.instead
            if not await self._say(Warned(line, percent, instead, ends[whole])):
                await self._spending.not_warned(line.guild_id, day, line.budget, percent)
                self._told[*key, percent] = now + AGAIN

    async def _say(self, warned: Warned) -> bool:
        assert self.on_warning is not None  # noqa: S101 - For the type.
        try:
            return await self.on_warning(warned)
        except Exception:  # noqa: BLE001 - Whoever asked shall have the answer all the same.
            _log.exception("Nobody could be told of a budget")
            return False
