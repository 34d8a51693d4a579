"""One policy for everything that goes wrong: the person hears what was wrong, the log the rest."""

from __future__ import annotations

import logging

import discord
from discord import app_commands

from bot import render
from bot.markdown import own_words
from bot.texts import mine
from eren_memory.errors import ErenError
from eren_memory.text import shown

ACKNOWLEDGED = 40060
"""Discord's code for an interaction that has its response: another process was faster."""

_log = logging.getLogger(__name__)


class NotAllowed(app_commands.CheckFailure):
    """The person may not do this; the text says who may."""


class Refused(Exception):
    """What was asked cannot be done; the text, already in the person's language, says why."""


def plain(error: Exception) -> str:
    """What an error says; it may quote what was typed, or stood in a file."""
    return render.cut(own_words(shown(str(error))))


async def on_error(interaction: discord.Interaction, error: Exception) -> None:
    """Tell the person what was wrong; log what nobody expected."""
    cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
    if isinstance(cause, discord.HTTPException) and cause.code == ACKNOWLEDGED:
        _log.info("Another process has answered.")
        return
    text = _said(interaction, cause)
    try:
        if interaction.response.type is discord.InteractionResponseType.deferred_message_update:
            # The message that the button belongs to stays, with what can be done about it.
            await interaction.followup.send(text, ephemeral=True)
        elif interaction.response.is_done():
            # In place of "thinking…", and as private as that was.
            await interaction.edit_original_response(content=text, view=None)
        else:
            await interaction.response.send_message(text, ephemeral=True)
    except discord.HTTPException as failed:
        _log.warning("Could not report a failure: %s", failed)


def _said(interaction: discord.Interaction, cause: Exception) -> str:
    if isinstance(cause, ErenError | NotAllowed | Refused):
        return plain(cause)
    if isinstance(cause, discord.Forbidden):
        _log.warning("Discord refused: %s", cause)
        return mine(interaction)("failed.forbidden")
    if isinstance(cause, discord.DiscordServerError):
        _log.warning("Discord failed: %s", cause)
        return mine(interaction)("failed.discord")
    _log.error("A command failed", exc_info=cause)
    return mine(interaction)("failed.unexpected")
