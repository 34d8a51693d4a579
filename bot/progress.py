"""What people see while they wait, and where: a spot shows progress, and then the answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import discord

from bot import render
from bot.splitting import Page
from bot.texts import Texts

_PATIENCE = 2.0
"""Seconds after which progress is shown."""
_BETWEEN_EDITS = 1.0
_STILL = 5.0
"""Seconds between two words of comfort while nothing else is known."""
# Of an answer that is still growing.
_SHOWN = 1_800

_log = logging.getLogger(__name__)


class Spot(Protocol):
    """Where an answer appears."""

    async def show(self, text: str) -> None:
        """Show progress, in the place of what was shown before."""
        ...

    async def finish(self, page: Page, t: Texts, *, dismissible: bool) -> tuple[str, ...]:
        """Show the answer; returns the ids of its messages, none where it is not wanted any more."""
        ...


class Progress:
    """What is shown before the answer: nothing for a moment, then words, at most one edit a second."""

    def __init__(self, spot: Spot, t: Texts) -> None:
        self._spot = spot
        self._t = t
        self._text = ""
        self._said = "ask.waiting"
        self._over = asyncio.Event()

    def begun(self) -> None:
        """Its turn has come."""
        self._said = "ask.thinking"

    def heard(self, text: str) -> None:
        """The answer so far."""
        self._text = text

    @asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Show progress for as long as the block runs."""
        task = asyncio.create_task(self._go_on())
        try:
            yield
        finally:
            # An edit that is under way is waited for: it must not arrive after the answer.
            self._over.set()
            await task

    async def _go_on(self) -> None:
        begun = time.monotonic()
        shown, comforted, pause = "", 0.0, _PATIENCE
        while not await self._over_within(pause):
            pause = _BETWEEN_EDITS
            waited = time.monotonic() - begun
            text = shown
            if self._text:
                text = render.cut(f"{render.answer_body(self._text[:_SHOWN])} …")
            elif not comforted or waited - comforted >= _STILL:
                comforted = waited
                text = f"-# {self._t(self._said, seconds=round(waited))}"
            if text != shown:
                shown = text
                try:
                    await self._spot.show(text)
                except discord.HTTPException as error:
                    # Progress is a courtesy; the answer comes.
                    _log.info("Progress could not be shown: %s", error)

    async def _over_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._over.wait(), seconds)
        except TimeoutError:
            return False
        return True
