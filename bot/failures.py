"""One policy for everything that goes wrong in a command."""

from __future__ import annotations

import logging

import discord
from discord import app_commands

from eren_memory.errors import ErenError

_log = logging.getLogger(__name__)

UNEXPECTED = "Something went wrong here; it has been logged. Try again in a moment."


class NotAllowed(app_commands.CheckFailure):
    """The person may not do this; the text says who may."""


async def on_error(interaction: discord.Interaction, error: app_commands.AppCommandError) -> None:
    """Tell the person what was wrong; log what nobody expected."""
    cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
    if isinstance(cause, ErenError | NotAllowed):
        text = str(cause)
    elif isinstance(cause, app_commands.NoPrivateMessage):
        text = "Ask me in a server: each has a notebook of its own."
    else:
        _log.error("A command failed", exc_info=cause)
        text = UNEXPECTED
    try:
        if interaction.response.is_done():
            # In place of "thinking…", and as private as that was.
            await interaction.edit_original_response(content=text)
        else:
            await interaction.response.send_message(text, ephemeral=True)
    except discord.HTTPException as failed:
        _log.warning("Could not report a failure: %s", failed)
