"""Where answers appear: in the place of "thinking…", or as a reply to a message."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from typing import Any

import discord

from bot.answers import AnswerView
from bot.splitting import Page
from bot.texts import Texts

# Unauthorised is what Discord says of a token that has run out.
_GONE = (401, 404)

_log = logging.getLogger(__name__)


class InteractionSpot:
    """The response to a command that was deferred."""

    def __init__(self, interaction: discord.Interaction[Any], *, private: bool) -> None:
        self._interaction = interaction
        self._private = private

    async def show(self, text: str) -> None:
        """See `Spot.show`."""
        await self._interaction.edit_original_response(content=text)

    async def finish(self, page: Page, t: Texts, *, dismissible: bool) -> tuple[str, ...]:
        """See `Spot.finish`."""
        first, *more = page.parts
        ids: list[int] = []
        try:
            edited = await self._interaction.edit_original_response(
                content=first,
                view=None if more else AnswerView(t, dismissible=dismissible),
                attachments=files(page) if not more else [],
            )
        except discord.HTTPException as error:
            # The response was deleted, or its token is older than a quarter of an hour.
            if error.status not in _GONE:
                raise
            return await self._elsewhere(page, t)
        ids.append(edited.id)
        for place, part in enumerate(more, start=2):
            last = place == len(page.parts)
            view: Any = AnswerView(t, dismissible=dismissible) if last else discord.utils.MISSING
            sent = await self._interaction.followup.send(
                part, ephemeral=self._private, wait=True, view=view
            )
            ids.append(sent.id)
        return tuple(str(one) for one in ids)

    async def _elsewhere(self, page: Page, t: Texts) -> tuple[str, ...]:
        channel = self._interaction.channel
        if self._private or not isinstance(channel, discord.abc.Messageable):
            return ()
        asker = self._interaction.user.mention
        sent = await channel.send(t("ask.late", person=asker))
        return await MessageSpot(sent).finish(page, t, dismissible=False)


class MessageSpot:
    """A reply to a message.

    Args:
        message: What is replied to.
        wanted: Asked just before the answer is shown; False keeps it back.
    """

    def __init__(self, message: discord.Message, wanted: Callable[[], bool] = lambda: True) -> None:
        self._message = message
        self._wanted = wanted
        self._reply: discord.Message | None = None

    async def show(self, text: str) -> None:
        """See `Spot.show`."""
        if self._reply is None:
            self._reply = await self._message.reply(text, mention_author=False)
        else:
            await self._reply.edit(content=text)

    async def finish(self, page: Page, t: Texts, *, dismissible: bool) -> tuple[str, ...]:
        """See `Spot.finish`."""
        if not self._wanted():
            return ()
        ids: list[int] = []
        for place, part in enumerate(page.parts):
            last = place == len(page.parts) - 1
            view = AnswerView(t, dismissible=dismissible) if last else None
            if place == 0 and self._reply is not None:
                await self._reply.edit(content=part, view=view, attachments=files(page))
                ids.append(self._reply.id)
                continue
            sent = await self._send(part, first=place == 0, view=view, page=page)
            ids.append(sent.id)
        return tuple(str(one) for one in ids)

    async def _send(
        self, text: str, *, first: bool, view: discord.ui.View | None, page: Page
    ) -> discord.Message:
        def more() -> dict[str, Any]:
            """Made anew for each try: a file can be sent once."""
            made: dict[str, Any] = {"view": view} if view else {}
            return made | ({"files": files(page)} if view and page.file is not None else {})

        if not first:
            return await self._message.channel.send(text, **more())
        try:
            return await self._message.reply(text, mention_author=False, **more())
        except discord.HTTPException as error:
            if isinstance(error, discord.Forbidden | discord.DiscordServerError):
                raise
            # What was replied to is gone; the answer is still worth having.
            _log.info("A reply became a message: %s", error)
            return await self._message.channel.send(text, **more())


def files(page: Page) -> list[discord.File]:
    """The whole answer as a file, where the messages do not hold it."""
    if page.file is None:
        return []
    return [discord.File(io.BytesIO(page.file.encode()), filename="answer.md")]
