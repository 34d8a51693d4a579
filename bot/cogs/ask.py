"""What members use: asking, and checking claims."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import discord
from discord import app_commands
from discord.ext import commands

from bot.access import Right
from bot.controls import Interaction
from bot.desk import place_of
from bot.failures import Refused
from bot.questions import Request
from bot.spots import InteractionSpot
from bot.texts import everyones, mine
from eren_memory.text import QUESTION_LIMIT

if TYPE_CHECKING:
    from bot.client import ErenBot

_T = TypeVar("_T")

# Discord waits three seconds; the ledger is given half of that.
_PROMPTLY = 1.5


class Ask(commands.Cog):
    """`/ask`, `/check`, and their forms in the menu of a message."""

    def __init__(self, bot: ErenBot) -> None:
        self._tree, self._desk = bot.tree, bot.desk
        self._menus = [
            app_commands.ContextMenu(name="Ask about this", callback=self.ask_about),
            app_commands.ContextMenu(name="Check this claim", callback=self.check_this),
        ]
        for menu in self._menus:
            app_commands.guild_only(menu)

    async def cog_load(self) -> None:
        """Add the menus, which a cog does not by itself."""
        for menu in self._menus:
            self._tree.add_command(menu)

    @app_commands.command()
    @app_commands.guild_only()
    @app_commands.describe(question="What you want to know", private="Only you see the answer")
    async def ask(
        self,
        interaction: Interaction,
        question: app_commands.Range[str, 1, QUESTION_LIMIT],
        private: bool = False,  # noqa: FBT002 - An option of the command.
    ) -> None:
        """Ask a question; moderators' notes are taken into account."""
        await self._answer(interaction, question, private=private)

    @app_commands.command()
    @app_commands.guild_only()
    @app_commands.describe(claim="A sentence that is true or false", private="Only you see it")
    async def check(
        self,
        interaction: Interaction,
        claim: app_commands.Range[str, 1, QUESTION_LIMIT],
        private: bool = False,  # noqa: FBT002 - An option of the command.
    ) -> None:
        """Check whether a claim is true, by the notes first."""
        await self._answer(interaction, claim, private=private, claim=True)

    async def ask_about(self, interaction: Interaction, message: discord.Message) -> None:
        """Take a message for a question."""
        await self._answer(interaction, _words(interaction, message), about=message.jump_url)

    async def check_this(self, interaction: Interaction, message: discord.Message) -> None:
        """Take a message for a claim."""
        text = _words(interaction, message)
        await self._answer(interaction, text, about=message.jump_url, claim=True)

    async def _answer(
        self,
        interaction: Interaction,
        text: str,
        *,
        private: bool = False,
        claim: bool = False,
        about: str | None = None,
    ) -> None:
        request = Request(
            place=place_of(interaction),
            channel_id=str(interaction.channel_id),
            asker_id=str(interaction.user.id),
            text=text,
            t=mine(interaction) if private else everyones(interaction.guild),
            private=private,
            claim=claim,
            about=about,
        )
        request = await self._admit(interaction, request, private=private)
        await self._desk.asker.ask(request, InteractionSpot(interaction, private=private))

    async def _admit(self, interaction: Interaction, request: Request, *, private: bool) -> Request:
        """Refuse before acknowledging, so that only the asker sees it; unless that takes too long."""
        admission, t, user = self._desk.asker.admission, mine(interaction), interaction.user
        deadline = asyncio.get_running_loop().time() + _PROMPTLY

        async def promptly(work: Callable[[], Awaitable[_T]]) -> _T:
            if not interaction.response.is_done():
                try:
                    async with asyncio.timeout_at(deadline):
                        return await work()
                except TimeoutError:
                    await interaction.response.defer(ephemeral=private, thinking=True)
            return await work()

        settings = await promptly(lambda: self._desk.require(Right.ASK, interaction))
        admission.admit(request, t)
        admitted = await promptly(lambda: admission.reserve(request, settings, user, t))
        if not interaction.response.is_done():
            await interaction.response.defer(ephemeral=private, thinking=True)
        return admitted


def _words(interaction: Interaction, message: discord.Message) -> str:
    text = message.clean_content.strip()
    if not text:
        raise Refused(mine(interaction)("ask.no_text"))
    return text
