"""What members use: asking."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.ext import commands

from bot import render
from eren_memory.app import App
from eren_memory.domain import Place
from eren_memory.text import QUESTION_LIMIT


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
        place = Place(str(interaction.guild_id), _channels(interaction))
        answer = await self._app.eren.answer(question, place)
        first, *more = render.answer_messages(answer)
        await interaction.edit_original_response(content=first)
        for message in more:
            await interaction.followup.send(message, ephemeral=private)


def _channels(interaction: discord.Interaction) -> tuple[str, ...]:
    """Those whose notes may answer: the channel, and for a thread the one that it hangs from."""
    channel = interaction.channel
    ids = [interaction.channel_id]
    if isinstance(channel, discord.Thread):
        ids.append(channel.parent_id)
    return tuple(str(one) for one in ids if one is not None)
