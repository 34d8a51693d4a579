"""From a question to an answer in Discord: in turn, with progress, recorded, and never left hanging."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from bot import budgets, logs, render
from bot.admission import Admission
from bot.desk import now
from bot.failures import Refused
from bot.metrics import Metrics
from bot.progress import Progress, Spot
from bot.questions import Request
from bot.splitting import paged
from bot.traces import recorded, told
from bot.turns import Seat
from eren_memory.app import App
from eren_memory.budgets import Decision
from eren_memory.community import Asked, GuildSettings, Queue, Review, Turn
from eren_memory.domain import Answer, ClaimCheck, Note
from eren_memory.errors import (
    BadInput,
    BudgetUsedUp,
    EmbedderError,
    EmptyReply,
    ErenError,
    ModelRefused,
    NoteIndexError,
)

_LAST_WORDS = 1.5
# Earlier questions and answers that a follow-up is understood from.
_CONVERSATION = 3
_log = logging.getLogger(__name__)


OnGap = Callable[[Review], Coroutine[Any, Any, None]]


class Asker:
    """Asks for people, so many at a time. `drain` lets it finish before the end."""

    def __init__(self, app: App, metrics: Metrics | None = None) -> None:
        self._app = app
        self._metrics = metrics or Metrics()
        self.admission = Admission(app, self._metrics)
        # Each question's work, by the task that shows what comes of it.
        self._running: dict[asyncio.Task[Any], asyncio.Task[Any]] = {}
        self.on_gap: OnGap | None = None
        """Told of a question that nobody could answer."""

    async def ask(self, request: Request, spot: Spot) -> Asked | None:
        """Answer an admitted question at a spot; None where it stays silent.

        Raises:
            Refused: The bot stopped before there was an answer.
            ErenError: The question cannot be answered.
        """
        logs.request.set(str(request.id))
        caller = asyncio.current_task()
        assert caller is not None  # noqa: S101 - For the type: this is a coroutine.
        seat = self.admission.seat(request)
        work = asyncio.create_task(self._ask(request, spot, seat))
        # Also where it is cancelled before it begins.
        work.add_done_callback(lambda _: seat.leave())
        self._running[caller] = work
        caller.add_done_callback(lambda done: self._running.pop(done, None))
        try:
            return await work
        except asyncio.CancelledError:
            work.cancel()
            if not self.admission.closed:
                raise
            raise Refused(request.t("ask.restarting")) from None

    async def drain(self, seconds: float) -> None:
        """Take no more questions, let those that run finish, and give up what does not in time."""
        self.admission.closed = True
        if self._running:
            await asyncio.wait({*self._running}, timeout=seconds)
        for work in self._running.values():
            work.cancel()
        if self._running:  # Their askers are being told.
            await asyncio.wait({*self._running}, timeout=_LAST_WORDS)
        await self.admission.drain(_LAST_WORDS)

    async def _ask(self, request: Request, spot: Spot, seat: Seat) -> Asked | None:
        said, started = Progress(spot, request.t), time.perf_counter()
        shown = nullcontext() if request.unasked else said.shown()
        # Nothing is awaited before it is entered: from here on it settles.
        self.admission.settled(request)
        try:
            async with self._app.purse.paying(request.ticket), shown, seat:
                settings = await self._app.communities.settings(request.place.guild_id)
                said.begun()
                made = await self._answer(request, settings, said)
        except BadInput:
            raise
        except BudgetUsedUp as error:
            self._metrics.failed(claim=request.claim, error=error)
            await self._missed(request, gap=False)
            if request.ticket is None:  # Chosen by somebody a moment ago.
                raise
            raise Refused(budgets.nothing_sure(request.t, request.ticket)) from None
        except ErenError as error:
            self._metrics.failed(claim=request.claim, error=error)
            _log.warning("Not answered: %s", error)
            # A model that is out of reach says nothing about the question.
            await self._missed(request, gap=isinstance(error, ModelRefused | EmptyReply))
            if isinstance(error, NoteIndexError | EmbedderError):
                # The model's own answer might be the one that was corrected.
                raise Refused(request.t("ask.unsearchable")) from error
            raise
        asked, notes = recorded(request, made)
        self._metrics.answered(made, time.perf_counter() - started)
        _log.info("Answered.", extra=told(asked))
        if request.quiet and not notes:  # Nobody asked, and there is nothing to add.
            if asked.missed:
                # With who asked: their words in the queue are theirs to see, and to have forgotten.
                await self._app.records.keep(asked)
                await self._gap(asked)
            return None
        asked = replace(asked, messages=await self._show(request, spot, asked, notes))
        try:
            await self._app.records.keep(asked)
            if asked.missed:
                await self._gap(asked)
        except ErenError as error:
            # Whoever asked has the answer; it must not be taken away again.
            _log.warning("An answer was not recorded: %s", error)
        return asked

    async def _answer(
        self, request: Request, settings: GuildSettings, said: Progress
    ) -> Answer | ClaimCheck:
        ticket = request.ticket
        eren = self._app.eren_for((ticket and ticket.decision.model) or settings.model)
        if request.claim:
            return await eren.check(request.text, request.place)
        return await eren.answer(
            request.text,
            request.place,
            conversation=await self._conversation(request.parent),
            style=self._app.style_of(settings),
            on_text=None if request.unasked else said.heard,
        )

    async def _conversation(self, parent: Asked | None) -> list[Turn]:
        if parent is None:
            return []
        chain = await self._app.records.conversation(parent, _CONVERSATION)
        return [Turn(one.question, one.text) for one in chain if one.text]

    async def _show(
        self, request: Request, spot: Spot, asked: Asked, notes: Sequence[Note]
    ) -> tuple[str, ...]:
        body = render.answer_body(asked.text)
        if request.about:
            body = f"-# {request.t('ask.about', url=request.about)}\n{body}"
        decision = request.ticket.decision if request.ticket else Decision()
        line = render.origin_line(
            request.t,
            notes,
            asked.trace["path"],
            missed=asked.missed,
            quoted="budget.quoted" if decision.silenced else "origin.quoted",
        )
        if decision.model is not None:
            line = f"{line} · {request.t('budget.cheaper')}"
        page = paged(body, line, request.t("ask.in_file"))
        return await spot.finish(page, request.t, dismissible=request.unasked)

    async def _missed(self, request: Request, *, gap: bool) -> None:
        """Remember a question that could not be answered at all."""
        asked = Asked(
            id=request.id,
            guild_id=request.place.guild_id,
            channel_id=request.channel_id,
            channels=request.place.channels,
            asker_id=request.asker_id,
            question=request.text,
            text="",
            origin=None,
            claim=request.claim,
            private=request.private,
            at=now(),
            missed=True,
        )
        try:
            await self._app.records.keep(asked)
            if gap:
                await self._gap(asked)
        except ErenError as error:
            _log.warning("A question that failed could not be recorded: %s", error)

    async def _gap(self, asked: Asked) -> None:
        review = await self._app.reviews.raised(Queue.GAP, asked, now())
        if self.on_gap is not None and not asked.private:
            await self.on_gap(review)
