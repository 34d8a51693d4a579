"""`/audit`, and what becomes of the messages that notes come from."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.ext import commands

from bot import render, stale
from bot.access import Right
from bot.controls import Interaction
from bot.desk import guild_of, now
from bot.stale_buttons import StaleButton, turning
from bot.texts import Texts, mine
from eren_memory.errors import ErenError
from eren_memory.jobs import JobState
from eren_memory.staleness import Audited, Stale

if TYPE_CHECKING:
    from bot.client import ErenBot

# Whoever asks for an audit waits for it, and Discord for fifteen minutes.
_CALLS_NOW = 50

_log = logging.getLogger(__name__)


class AuditCog(commands.Cog, name="Audit"):
    """`/audit`, and an ear for the sources of notes."""

    def __init__(self, bot: ErenBot) -> None:
        self._bot, self._desk = bot, bot.desk

    @app_commands.command()
    @app_commands.guild_only()
    @app_commands.default_permissions(manage_messages=True)
    @app_commands.describe(again="Look again first; that may take some minutes")
    async def audit(
        self,
        interaction: Interaction,
        again: bool = False,  # noqa: FBT002 - An option of the command.
    ) -> None:
        """Notes that have grown stale: why, and what could be done."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self._desk.require(Right.MODERATE, interaction)
        app, t, guild = self._desk.app, mine(interaction), guild_of(interaction)
        if again:
            await app.audit(guild, min(_CALLS_NOW, app.settings.audit_calls))
        listed = await stale.stale_notes(app, guild)
        head = "\n".join([_result(t, len(listed)), *await self._state(t, guild)])
        shown = await stale.page(
            t, app, guild, head, listed[: stale.PAGE], StaleButton, turning(t, len(listed), 0)
        )
        await interaction.edit_original_response(content=shown.text, view=shown.view)

    async def _state(self, t: Texts, guild_id: str) -> list[str]:
        app = self._desk.app
        states = await app.jobs.overview(guild_id)
        job = next((one for one in states if one.id == "audit"), None)
        return [*_times(t, await app.audits.last(guild_id)), *(_job(t, job) if job else [])]

    # What happens to messages comes without their content, which no intent is needed for: which
    # message, by whom, and when it was edited.

    @commands.Cog.listener()
    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        """A person edited a message; Discord adding a preview to one does not count."""
        edited = discord.utils.parse_time(payload.data.get("edited_timestamp"))
        author = payload.data.get("author", {}).get("id")
        mine = self._bot.user is not None and author == str(self._bot.user.id)
        if payload.guild_id is not None and edited is not None and not mine:
            where = payload.guild_id, payload.channel_id, payload.message_id
            await self._changed(*where, Stale.SOURCE_EDITED)

    @commands.Cog.listener()
    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        """A message is gone."""
        if payload.guild_id is not None:
            where = payload.guild_id, payload.channel_id, payload.message_id
            await self._changed(*where, Stale.SOURCE_DELETED)

    @commands.Cog.listener()
    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        """Many at once."""
        for message_id in payload.message_ids if payload.guild_id is not None else ():
            where = payload.guild_id or 0, payload.channel_id, message_id
            await self._changed(*where, Stale.SOURCE_DELETED)

    async def _changed(
        self, guild_id: int, channel_id: int, message_id: int, change: Stale
    ) -> None:
        guild, message = str(guild_id), str(message_id)
        link = render.message_link(guild, str(channel_id), message)
        try:
            # A correction's source is the answer that it corrects, which proves nothing.
            if await self._desk.app.records.by_message(guild, message) is None:
                await self._desk.app.audits.source_changed(guild, link, change, now())
        except ErenError as error:
            _log.warning("What became of a note's source is not known: %s", error)


def _result(t: Texts, count: int) -> str:
    return t("digest.head", count=count) if count else t("audit.none")


def _times(t: Texts, last: Audited | None) -> list[str]:
    """When it was done last, what it cost, and whether something is left."""
    if last is None or last.finished_at is None:
        return [f"-# {t('audit.never')}"]
    tokens = last.usage.prompt_tokens + last.usage.completion_tokens
    when, calls = render.when(last.finished_at), last.usage.calls
    told = t("audit.last", when=when, count=calls, tokens=f"{tokens:,}")
    return [f"-# {told}", *([] if last.complete else [f"-# {t('audit.unfinished')}"])]


def _job(t: Texts, state: JobState) -> list[str]:
    """When it is done next, and how often it has failed since."""
    if state.next_at is None:
        return []
    failed = [t("audit.failed")] if state.failures else []
    return [
        f"-# {line}" for line in (*failed, t("audit.next", when=render.relative(state.next_at)))
    ]
