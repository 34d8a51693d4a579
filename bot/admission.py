"""Who may ask: the pace, a place in line, and a place in the day's budget, kept or given back."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from math import ceil
from typing import Any
from uuid import UUID

import discord

from bot import budgets
from bot.failures import Refused
from bot.limits import Limits
from bot.metrics import Metrics
from bot.questions import Request
from bot.texts import Texts
from bot.turns import Crowded, Seat, Turns
from eren_memory.app import App
from eren_memory.community import GuildSettings
from eren_memory.errors import ErenError
from eren_memory.text import question_text

_log = logging.getLogger(__name__)


class Admission:
    """Admits questions. What one was given goes back when its task ends without asking."""

    def __init__(self, app: App, metrics: Metrics) -> None:
        self._purse = app.purse
        self._model_of = app.model_of
        self._metrics = metrics
        settings = app.settings
        self.limits = Limits(settings.questions_per_member, settings.questions_per_guild)
        self.turns = Turns(
            settings.questions_at_once,
            settings.questions_waiting_per_guild,
            settings.questions_waiting,
        )
        self._metrics.waiting.set_function(lambda: self.turns.waiting)
        # Places in line of requests that are admitted and not yet asked.
        self._booked: dict[UUID, Seat] = {}
        # Requests for which something may be set aside that nobody settles yet.
        self._reserved: set[UUID] = set()
        self._giving_back: set[asyncio.Task[None]] = set()
        # Whose question each task is about, from the first to the last thing done for it.
        self._askers: dict[asyncio.Task[Any], str] = {}
        self.closed = False
        """Whether the bot is about to stop."""

    def admit(self, request: Request, t: Texts) -> None:
        """Count a question and give it a place in line, before anything is done for it.

        The place is kept for the current task, until it asks or ends.

        Raises:
            Refused: Too many questions, or the bot is about to stop.
            BadInput: It cannot be used.
        """
        if self.closed:
            raise Refused(t("ask.restarting"))
        question_text(request.text, "claim" if request.claim else "question")
        guild = request.place.guild_id
        try:
            self.turns.check(guild)
        except Crowded as crowd:
            self._metrics.turned_away("crowded")
            raise Refused(t("ask.crowded", count=crowd.waiting)) from None
        wait = self.limits.wait(guild, request.asker_id)
        if wait:
            self._metrics.turned_away("too_often")
            raise Refused(t("ask.too_many", seconds=ceil(wait)))
        seat = self._booked[request.id] = self.turns.book(guild)
        caller = asyncio.current_task()
        assert caller is not None  # noqa: S101 - For the type: callers are coroutines.
        self._askers[caller] = request.asker_id

        def ended(task: asyncio.Task[Any]) -> None:
            self._askers.pop(task, None)
            self._booked.pop(request.id, None)
            seat.leave()
            if request.id in self._reserved:
                self._reserved.discard(request.id)
                giving = asyncio.create_task(self._give_back(request.id))
                self._giving_back.add(giving)
                giving.add_done_callback(self._giving_back.discard)

        caller.add_done_callback(ended)

    async def reserve(
        self, request: Request, settings: GuildSettings, asker: discord.abc.User, t: Texts
    ) -> Request:
        """Find an admitted question's place in the day's budget; the same one, tried again.

        Raises:
            Refused: There is none left for it, or for who asks.
            LedgerError: Nobody can tell.
        """
        roles = [str(role.id) for role in getattr(asker, "roles", ())]
        # Before: of what is cut off nobody knows whether something was set aside.
        self._reserved.add(request.id)
        ticket = await self._purse.ask(
            request.id,
            request.place.guild_id,
            settings,
            None if request.unasked else (request.asker_id, roles),
            self._model_of(settings),
        )
        if ticket is None:
            self._reserved.discard(request.id)
            return request
        decision = ticket.decision
        self._metrics.budgeted(decision)
        if decision.refused:
            self._reserved.discard(request.id)
            raise Refused(budgets.refusal(t, ticket))
        return replace(request, ticket=ticket)

    def seat(self, request: Request) -> Seat:
        """The place in line of an admitted question, which its caller leaves from now on."""
        return self._booked.pop(request.id)

    def settled(self, request: Request) -> None:
        """What was set aside for it is another's to settle from now on."""
        self._reserved.discard(request.id)

    async def finished(self, person: str, seconds: float) -> None:
        """Wait, so long at most, until nothing is under way any more that a person asked."""
        theirs = {task for task, asker in self._askers.items() if asker == person}
        theirs.discard(asyncio.current_task())
        if theirs:
            await asyncio.wait(theirs, timeout=seconds)

    async def drain(self, seconds: float) -> None:
        """Let what is being given back arrive."""
        if self._giving_back:
            await asyncio.wait({*self._giving_back}, timeout=seconds)

    async def _give_back(self, request_id: UUID) -> None:
        try:
            await self._purse.give_back(request_id)
        except ErenError as error:
            _log.warning("What was set aside for a question lapses by itself: %s", error)
