"""What members say to the bot, or where it answers by itself."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
import discord
from discord.ext import commands

from bot.access import Right, may
from bot.desk import channels, now
from bot.failures import Refused, plain
from bot.questions import Request
from bot.spots import MessageSpot
from bot.texts import everyones
from eren_memory.community import Asked, GuildSettings
from eren_memory.domain import Place
from eren_memory.errors import ErenError
from eren_memory.text import QUESTION_LIMIT

if TYPE_CHECKING:
    from bot.client import ErenBot

# A reconnection may bring a message twice; so many are remembered.
_REMEMBERED = 2_000
_DEBOUNCE = 4.0
"""Seconds of silence after which what somebody wrote counts as one question."""
_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Burst:
    """What one person is writing in a channel where the bot answers by itself."""

    messages: list[discord.Message]
    task: asyncio.Task[None] | None = None
    helped: bool = False


class Listen(commands.Cog):
    """Mentions, replies, follow-ups in threads, and channels where it answers unasked."""

    def __init__(self, bot: ErenBot) -> None:
        self._bot, self._desk = bot, bot.desk
        self._seen: deque[int] = deque(maxlen=_REMEMBERED)
        self._bursts: dict[tuple[int, int], _Burst] = {}
        self._answering: set[_Burst] = set()

    async def cog_unload(self) -> None:
        """Nobody is answered any more who did not ask."""
        for burst in self._bursts.values():
            if burst.task is not None:
                burst.task.cancel()

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """Answer what is meant for the bot."""
        if message.author.bot or message.webhook_id or message.id in self._seen:
            return
        if message.type not in (discord.MessageType.default, discord.MessageType.reply):
            return
        self._seen.append(message.id)
        try:
            if message.guild is None:
                await self._decline(message)
            elif isinstance(message.author, discord.Member):
                await self._heard(message)
        except (ErenError, discord.HTTPException) as error:
            _log.warning("A message could not be answered: %s", error)

    async def _heard(self, message: discord.Message) -> None:
        listens = self._bot.intents.message_content
        mentioned = self._bot.user in message.mentions
        try:
            parent = await self._parent(message)
        except ErenError as error:
            if mentioned:
                await MessageSpot(message).show(plain(error))
            raise
        if mentioned or (parent is not None and listens):
            await self._answer(message, parent)
        elif listens:
            await self._overhear(message)

    async def _parent(self, message: discord.Message) -> Asked | None:
        """The answer that a message replies to, or under which its thread hangs."""
        reference = message.reference
        ids = []
        if reference is not None and reference.channel_id == message.channel.id:
            ids.append(reference.message_id)
        if isinstance(message.channel, discord.Thread) and message.id != message.channel.id:
            ids.append(message.channel.id)  # A thread has the id of the message it hangs from.
        for one in ids:
            asked = await self._desk.app.records.by_message(_guild(message), str(one))
            # What was seen in another place stays there.
            if asked and not asked.private and asked.channel_id in _place(message).channels:
                return asked
        return None

    async def _answer(self, message: discord.Message, parent: Asked | None) -> None:
        spot = MessageSpot(message)
        try:
            settings, ours = await asyncio.gather(
                self._desk.settings(_guild(message)), self._ours(message)
            )
            if not ours:
                return
            request = self._meant(message, parent, settings)
            self._desk.asker.admission.admit(request, request.t)
            request = await self._desk.asker.admission.reserve(
                request, settings, message.author, request.t
            )
            with suppress(discord.DiscordException, aiohttp.ClientError, OSError):  # A courtesy.
                await message.channel.typing()
            await self._desk.asker.ask(request, spot)
        except (Refused, ErenError) as error:
            await spot.show(plain(error))

    def _meant(
        self, message: discord.Message, parent: Asked | None, settings: GuildSettings
    ) -> Request:
        """What a message asks. Raises `Refused`."""
        t = everyones(message.guild)
        if not may(Right.ASK, settings, message.author):
            raise Refused(t("refused.ask"))
        if text := self._words(message):
            return self._request(message, text, parent=parent)
        original = message.reference.resolved if message.reference else None
        if isinstance(original, discord.Message) and original.clean_content.strip():
            # "@bot" in reply to somebody's question.
            text = original.clean_content.strip()
            return self._request(message, text, about=original.jump_url)
        raise Refused(t("ask.how"))

    async def _overhear(self, message: discord.Message) -> None:
        """In channels where the bot answers by itself: once somebody has finished writing."""
        settings = await self._desk.settings(_guild(message))
        if {*_place(message).channels}.isdisjoint(settings.auto_channels):
            return
        if _helps(message.author, settings):
            for burst in (*self._bursts.values(), *self._answering):
                burst.helped |= burst.messages[0].channel.id == message.channel.id
            return
        channel = message.channel
        in_forum = isinstance(channel, discord.Thread)
        if in_forum and message.id != channel.id:
            return  # Only a post's first message is a question to nobody in particular.
        if message.reference is not None or not message.content.strip():
            return
        key = (channel.id, message.author.id)
        burst = self._bursts.setdefault(key, _Burst([]))
        burst.messages.append(message)
        if burst.task is not None:
            burst.task.cancel()
        burst.task = asyncio.create_task(self._later(key, burst, settings))

    async def _later(self, key: tuple[int, int], burst: _Burst, settings: GuildSettings) -> None:
        await asyncio.sleep(_DEBOUNCE)
        # From here on more words are another question, and a helper may still be faster.
        self._bursts.pop(key, None)
        self._answering.add(burst)
        try:
            last = burst.messages[-1]
            text = "\n".join(one.clean_content for one in burst.messages)[-QUESTION_LIMIT:]
            if burst.helped or not may(Right.ASK, settings, last.author):
                return
            if not await self._ours(*burst.messages):
                return
            request = self._request(last, text, unasked=True, quiet=settings.auto_quiet)
            self._desk.asker.admission.admit(request, request.t)
            request = await self._desk.asker.admission.reserve(
                request, settings, last.author, request.t
            )
            spot = MessageSpot(last, wanted=lambda: not burst.helped)
            await self._desk.asker.ask(request, spot)
        except (Refused, ErenError, discord.HTTPException) as error:
            # Nobody asked, so nobody is told.
            _log.info("An overheard question was not answered: %s", error)
        finally:
            self._answering.discard(burst)

    async def _decline(self, message: discord.Message) -> None:
        text = everyones(None)("refused.no_server")
        if await self._ours(message) and not self._desk.asker.admission.limits.wait(
            "", str(message.author.id)
        ):
            await message.channel.send(text)

    async def _ours(self, *messages: discord.Message) -> bool:
        """Whether no other process has begun to answer them, nor this one before a restart."""
        return await self._desk.app.claims.hear([one.id for one in messages], now())

    def _request(self, message: discord.Message, text: str, **more: Any) -> Request:
        return Request(
            place=_place(message),
            channel_id=str(message.channel.id),
            asker_id=str(message.author.id),
            text=text,
            t=everyones(message.guild),
            **more,
        )

    def _words(self, message: discord.Message) -> str:
        """What was said, without the mention that called the bot."""
        user = self._bot.user
        text = message.content
        for form in (f"<@{user.id}>", f"<@!{user.id}>") if user else ():
            text = text.replace(form, " ")
        return " ".join(text.split(" ")).strip()


def _place(message: discord.Message) -> Place:
    return Place(_guild(message), channels(message.channel, message.channel.id))


def _guild(message: discord.Message) -> str:
    return str(message.guild.id) if message.guild else ""


def _helps(author: Any, settings: GuildSettings) -> bool:
    """Whether a person's word makes the bot's unnecessary."""
    if may(Right.MODERATE, settings, author):
        return True
    return not {*settings.helper_roles}.isdisjoint(str(role.id) for role in author.roles)
