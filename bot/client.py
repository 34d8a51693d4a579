"""The bot: intents, commands, what stays alive over a restart, and an orderly end."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot import digest, failures, logs
from bot.answers import AnswerView
from bot.asking import Asker
from bot.cogs.ask import Ask
from bot.cogs.audit import AuditCog
from bot.cogs.correct import Correct
from bot.cogs.listen import Listen
from bot.cogs.notes import Notes
from bot.cogs.privacy import ForgetButton, PrivacyCog
from bot.cogs.review import NextButton, ReviewCog
from bot.cogs.setup import Setup, SetupView
from bot.controls import given_back
from bot.correcting import StepButton
from bot.desk import Desk, now
from bot.lists import PageButton
from bot.metrics import Metrics
from bot.note_buttons import NoteButton, UndoButton
from bot.review_buttons import QueueButton, SuggestionButton
from bot.staff import Staff
from bot.stale_buttons import StaleButton, TurnButton
from bot.syncing import Syncing
from bot.texts import CommandTexts, mine
from eren_memory.app import App

_BUTTONS = (
    ForgetButton, NextButton, NoteButton, PageButton, QueueButton, StaleButton, StepButton,
    SuggestionButton, TurnButton, UndoButton,
)  # fmt: skip
# Of a stop, Discord's side may take a little too: ten seconds in all.
_DRAIN_SECONDS = 7.0
_WARNING_SECONDS = 1.0
_OPENER_FIRST_SECONDS = 1.0

_log = logging.getLogger(__name__)


class _Tree(app_commands.CommandTree["ErenBot"]):
    """The commands; whatever one logs names its interaction."""

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """See `CommandTree.interaction_check`."""
        logs.request.set(str(interaction.id))
        return True


class ErenBot(commands.AutoShardedBot):
    """The Discord side of an open `App`; whoever opened it closes it.

    It has the servers of its shards, and no other process has them.
    """

    def __init__(self, app: App, metrics: Metrics | None = None) -> None:
        super().__init__(
            command_prefix=commands.when_mentioned,
            tree_cls=_Tree,
            help_command=None,
            intents=discord.Intents(
                guilds=True,
                guild_messages=True,
                dm_messages=True,
                message_content=app.settings.message_content,
            ),
            # Nothing that a model or a note says may ping anyone.
            allowed_mentions=discord.AllowedMentions.none(),
            # In servers that invited it, and nowhere else.
            allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
            allowed_contexts=app_commands.AppCommandContext(
                guild=True, dm_channel=False, private_channel=False
            ),
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            shard_count=app.settings.shard_count,
            shard_ids=list(app.settings.shard_ids or range(app.settings.shard_count)),
        )
        staff = Staff(self, app)
        counted = metrics or Metrics()
        self.desk = Desk(app, Asker(app, counted), staff, counted)
        self.desk.asker.on_gap = staff.show
        app.purse.warnings.on_warning = staff.budget_warning
        app.jobs.on_failure = staff.job_failed
        app.jobs.on_ended = lambda job, well: counted.job_ended(job.id, well=well)
        app.jobs.add(*digest.jobs(self.desk, self))
        self._schedule = app.schedule()
        self._syncing = Syncing(self.tree, app)
        self.tree.error(failures.on_error)

    async def setup_hook(self) -> None:
        """Add the commands, revive the buttons, and sync the commands if they changed."""
        await self.tree.set_translator(CommandTexts())
        for cog in (
            Ask(self),
            Correct(self),
            Notes(self),
            ReviewCog(self),
            AuditCog(self),
            Setup(self),
            PrivacyCog(self),
            Listen(self),
        ):
            await self.add_cog(cog)
        self.add_view(AnswerView(dismissible=True))
        self.add_view(SetupView())
        self.add_dynamic_items(*_BUTTONS)
        await self._schedule.start()
        await self._syncing.begin()

    def is_connected(self) -> bool:
        """Whether Discord's gateway is there just now, for every shard of this process."""
        shards = self.shards.values()
        return self.is_ready() and bool(shards) and not any(one.is_closed() for one in shards)

    async def on_ready(self) -> None:
        """Say where it is. Servers that are only unavailable for a while are among them."""
        shards = f"shards {[*self.shards]} of {self.shard_count}"
        _log.info("Ready as %s in %d servers, %s.", self.user, len(self.guilds), shards)
        await self.desk.app.communities.present([str(guild.id) for guild in self.guilds])

    async def on_guild_join(self, guild: discord.Guild) -> None:
        """Back again: what was kept stays."""
        await self.desk.app.communities.present([str(guild.id)])

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """Removed from a server: its notes are kept for a while. An outage does not come here."""
        await self.desk.app.communities.left(str(guild.id), now())

    async def on_message(self, message: discord.Message, /) -> None:
        """Nothing by prefix: `cogs.listen` has its own ear."""

    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        """A form that was open while the bot restarted: give back what was typed."""
        data: Any = interaction.data or {}
        custom_id = data.get("custom_id")
        known = self._connection._view_store._modals  # noqa: SLF001 - Nothing public tells.
        if interaction.type is not discord.InteractionType.modal_submit or custom_id in known:
            return
        # While one process takes over from another, both hear of it: who opened it goes first.
        await asyncio.sleep(_OPENER_FIRST_SECONDS)
        try:
            await interaction.response.send_message(
                mine(interaction)("failed.restarted"),
                file=given_back("\n\n".join(_typed(data))),
                ephemeral=True,
            )
        except discord.HTTPException as error:
            if error.code != failures.ACKNOWLEDGED:
                raise

    async def drain(self) -> None:
        """Take no more questions, and finish or hand back those that are being answered."""
        await asyncio.gather(self.desk.drain(_DRAIN_SECONDS), self._schedule.stop(_DRAIN_SECONDS))
        await self.desk.app.purse.warnings.drain(_WARNING_SECONDS)

    async def close(self) -> None:
        """Also where nobody drained it: no timer outlives it."""
        await self._schedule.stop(0)
        await self._syncing.end()
        await super().close()


def _typed(data: Any) -> list[str]:
    """Every longer text in a submitted form, whatever its shape."""
    if isinstance(data, dict):
        value = data.get("value")
        own = [value] if isinstance(value, str) and value else []
        return own + [text for one in data.values() for text in _typed(one)]
    if isinstance(data, list):
        return [text for one in data for text in _typed(one)]
    return []
