"""What members use: asking."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.ext import commands

from bot import render
from eren_memory.app import App
from eren_memory.domain import QUESTION_LIMIT, Place


class Ask(commands.Cog):
    """`/ask`."""

    def __init__(self, app: App) -> None:
        self._app = app

    @app_commands.command()
    @app_commands.guild_only()
    @app_commands.describe(question="What you want to know", private="Only you see the answer")
    async def ask(
        self,
        interaction: discord.Interaction,
        question: app_commands.Range[str, 1, QUESTION_LIMIT],
        private: bool = False,  # noqa: FBT002 - An option of the command.
    ) -> None:
        """Ask a question; moderators' notes are taken into account."""
        await interaction.response.defer(ephemeral=private, thinking=True)
        place = Place(str(interaction.guild_id), str(interaction.channel_id))
        answer = await self._app.eren.answer(question, place)
        first, *more = render.answer_messages(answer)
        await interaction.edit_original_response(content=first)
        for message in more:
            await interaction.followup.send(message, ephemeral=private)
