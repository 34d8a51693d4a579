"""The bot: intents, commands, and telling Discord of them only when they changed."""

from __future__ import annotations

import hashlib
import json
import logging

import discord
from discord.ext import commands

from bot import failures
from bot.cogs.ask import Ask
from bot.cogs.notes import Notes
from eren_memory.app import App

_log = logging.getLogger(__name__)


class ErenBot(commands.Bot):
    """The Discord side of an open `App`; whoever opened it closes it."""

    def __init__(self, app: App) -> None:
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=discord.Intents(guilds=True),
            # Nothing that a model or a note says may ping anyone.
            allowed_mentions=discord.AllowedMentions.none(),
        )
        self._app = app
        self.tree.error(failures.on_error)

    async def setup_hook(self) -> None:
        """Add the commands, and sync them if they changed."""
        await self.add_cog(Ask(self._app))
        await self.add_cog(Notes(self._app))
        await self._sync_if_changed()

    async def on_ready(self) -> None:
        """Say where it is."""
        _log.warning("Ready as %s in %d servers.", self.user, len(self.guilds))

    async def _sync_if_changed(self) -> None:
        """Discord limits syncing, and a refused sync must not end the bot."""
        commands_now = [command.to_dict(self.tree) for command in self.tree.get_commands()]
        told = json.dumps([self.application_id, commands_now], sort_keys=True, default=str)
        digest = hashlib.sha256(told.encode()).hexdigest()
        mark = self._app.settings.home / "commands.sha256"
        if mark.is_file() and mark.read_text() == digest:
            return
        try:
            await self.tree.sync()
            mark.write_text(digest)
        except (discord.HTTPException, OSError) as error:
            _log.warning("Discord did not take the commands (%s); the old ones stay.", error)
