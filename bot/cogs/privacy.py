"""What everybody may do about themselves: see what is held about them, and be forgotten."""

from __future__ import annotations

import io
import json
import re
from contextlib import suppress
from math import ceil
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.controls import Control, Interaction, buttons
from bot.desk import by, desk, guild_of
from bot.failures import Refused
from bot.texts import Texts, mine
from eren_memory.errors import ForgottenToday

if TYPE_CHECKING:
    from bot.client import ErenBot

_LARGEST = 8_000_000
# Seconds that a forgetting waits for answers to the person; it has a quarter of an hour in all.
_UNDER_WAY = 600.0


class ForgetButton(Control, template=r"eren:forget"):
    """Forgets whoever clicks it. It carries nobody's id: nobody can have another one forgotten."""

    def __init__(self, t: Texts) -> None:
        super().__init__("eren:forget", t("button.forget"), discord.ButtonStyle.danger)

    @classmethod
    def read(cls, match: re.Match[str], t: Texts) -> ForgetButton:  # noqa: ARG003 - Nothing to read.
        """See `Control.read`."""
        return cls(t)

    async def clicked(self, interaction: Interaction) -> None:
        """Forget them, and take away messages of ours that show what was deleted."""
        await interaction.response.defer()
        at, t = desk(interaction), mine(interaction)
        _count(interaction)
        person = str(interaction.user.id)
        # What is being answered to them would be kept afterwards.
        await at.asker.admission.finished(person, _UNDER_WAY)
        try:
            gone = await at.app.privacy.forget(person, by(interaction), once_a_day=True)
        except ForgottenToday as error:
            raise Refused(t("privacy.today")) from error
        done = gone.forgotten
        for channel_id, message_id in done.cards:
            with suppress(discord.HTTPException):
                await interaction.client.http.delete_message(int(channel_id), int(message_id))
        told = t(
            "privacy.forgotten",
            questions=done.questions,
            feedback=done.feedback,
            suggestions=done.suggestions,
            kept=done.pseudonymised,
        )
        await interaction.edit_original_response(content=told, view=None)


@app_commands.guild_only()
class PrivacyCog(
    commands.GroupCog,
    name="Privacy",
    group_name="privacy",
    group_description="What I hold about you",
):
    """`/privacy export|forget`."""

    def __init__(self, bot: ErenBot) -> None:
        self._desk = bot.desk

    @app_commands.command()
    async def export(self, interaction: Interaction) -> None:
        """Get everything that I hold about you, as a file that only you see."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        _count(interaction)
        t = mine(interaction)
        document = await self._desk.app.privacy.export(str(interaction.user.id))
        file = _file(document)
        limit = interaction.guild.filesize_limit if interaction.guild else _LARGEST
        if len(file) > limit:
            raise Refused(t("privacy.too_large"))
        await interaction.edit_original_response(
            content=t("privacy.exported"),
            attachments=[discord.File(io.BytesIO(file), "held-about-you.json")],
        )

    @app_commands.command()
    async def forget(self, interaction: Interaction) -> None:
        """Have me forget you, in every server; I ask once more before I do."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        t = mine(interaction)
        view = buttons(ForgetButton(t))
        await interaction.edit_original_response(content=t("privacy.sure"), view=view)


def _count(interaction: Interaction) -> None:
    """It costs about as much as a question, and counts as one. Raises `Refused`."""
    guild_id, user_id = guild_of(interaction), str(interaction.user.id)
    if wait := desk(interaction).asker.admission.limits.wait(guild_id, user_id):
        raise Refused(mine(interaction)("ask.too_many", seconds=ceil(wait)))


def _file(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=2).encode()
