"""What every part of the front end shares: the open application, and the pace of questions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import discord

from bot import access
from bot.access import Right
from eren_memory.app import App
from eren_memory.community import GuildSettings
from eren_memory.domain import Answer, By, NoteDraft, Place, View

if TYPE_CHECKING:
    from uuid import UUID

    from bot.asking import Asker
    from bot.client import ErenBot
    from bot.metrics import Metrics
    from bot.staff import Staff


@dataclass(frozen=True, slots=True)
class Desk:
    """The application as commands and buttons use it."""

    app: App
    asker: Asker
    staff: Staff
    metrics: Metrics
    working: set[asyncio.Task[Any]] = field(default_factory=set)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """What is done inside is waited for when the bot stops."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - For the type: callers are coroutines.
        self.working.add(task)
        try:
            yield
        finally:
            self.working.discard(task)

    async def drain(self, seconds: float) -> None:
        """Take no more questions; wait for acts and answers that are under way, so long."""
        acts = self.working - {asyncio.current_task()}
        waiting = [asyncio.create_task(self.asker.drain(seconds))]
        if acts:
            waiting.append(asyncio.create_task(_all(acts, seconds)))
        await asyncio.gather(*waiting)

    async def settings(self, guild_id: str) -> GuildSettings:
        """What the guild's administrators chose."""
        return await self.app.communities.settings(guild_id)

    async def require(self, right: Right, interaction: discord.Interaction[Any]) -> GuildSettings:
        """The guild's settings, if whoever acts may; else raises `NotAllowed`."""
        settings = await self.settings(guild_of(interaction))
        access.require(right, settings, interaction)
        return settings

    async def answer(self, question: str, place: Place) -> Answer:
        """The answer as a guild wants it: on its model, in its style. Raises `ErenError`."""
        settings = await self.settings(place.guild_id)
        eren, style = self.app.eren_for(settings.model), self.app.style_of(settings)
        return await eren.answer(question, place, style=style)

    async def preview(
        self, question: str, place: Place, draft: NoteDraft, instead_of: Sequence[int]
    ) -> Answer:
        """What it would be with a draft in the place of some notes. Raises `ErenError`."""
        settings = await self.settings(place.guild_id)
        eren, style = self.app.eren_for(settings.model), self.app.style_of(settings)
        return await eren.preview(question, place, draft, instead_of=instead_of, style=style)


async def _all(tasks: set[asyncio.Task[Any]], seconds: float) -> None:
    await asyncio.wait(tasks, timeout=seconds)


def desk(interaction: discord.Interaction[Any]) -> Desk:
    """The desk of the bot that was called."""
    return cast("ErenBot", interaction.client).desk


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


def guild_of(interaction: discord.Interaction[Any]) -> str:
    """Whose notebook is meant: always that of the server in which somebody acts."""
    return str(interaction.guild_id)


def by(
    interaction: discord.Interaction[Any],
    reason: str | None = None,
    *,
    where: str | None = None,
    batch: UUID | None = None,
) -> By:
    """Who acts, and where: the channel unless something better is known."""
    place = f"https://discord.com/channels/{interaction.guild_id}/{interaction.channel_id}"
    return By(str(interaction.user.id), reason, where or place, batch)


def channels(channel: Any, channel_id: int | None) -> tuple[str, ...]:
    """Those whose notes may answer: the channel, and for a thread the one that it hangs from."""
    ids = [channel_id]
    if isinstance(channel, discord.Thread):
        ids.append(channel.parent_id)
    return tuple(str(one) for one in ids if one is not None)


def place_of(interaction: discord.Interaction[Any]) -> Place:
    """Where somebody acts."""
    return Place(guild_of(interaction), channels(interaction.channel, interaction.channel_id))


def view_of(guild_id: str, within: tuple[str, ...]) -> View:
    """Which notes may be shown in a channel just now."""
    return View(guild_id, within, now())
