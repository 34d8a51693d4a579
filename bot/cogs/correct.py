"""Correcting where a wrong answer stands, and suggesting."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.ext import commands

from bot import correcting, publishing
from bot.access import Right
from bot.controls import Interaction
from bot.desk import by, guild_of, view_of
from bot.failures import Refused
from bot.forms import Filled, NoteForm
from bot.texts import mine
from eren_memory.domain import NoteDraft
from eren_memory.text import NOTE_LIMIT, QUESTION_LIMIT

if TYPE_CHECKING:
    from bot.client import ErenBot


class Correct(commands.Cog):
    """*Correct this answer*, *Save to notebook* and `/suggest`."""

    def __init__(self, bot: ErenBot) -> None:
        self._tree, self._desk = bot.tree, bot.desk
        self._menus = [
            app_commands.ContextMenu(name="Correct this answer", callback=self.correct),
            app_commands.ContextMenu(name="Save to notebook", callback=self.save),
        ]
        for menu in self._menus:
            app_commands.guild_only(menu)

    async def cog_load(self) -> None:
        """Add the menus, which a cog does not by itself."""
        for menu in self._menus:
            self._tree.add_command(menu)

    async def correct(self, interaction: Interaction, message: discord.Message) -> None:
        """Say what is true instead."""
        t, guild = mine(interaction), guild_of(interaction)
        asked = await self._desk.app.records.by_message(guild, str(message.id))
        if asked is None and not publishing.is_answer(interaction.client, message):
            raise Refused(t("correct.not_an_answer"))
        text = asked.text if asked else publishing.answer_words(message)
        if asked and len(asked.notes) == 1:
            used = await self._desk.app.notebook.ledger.by_ids([asked.notes[0].note_id])
            # As it is now, if it still may be seen here; the form shows it to any member.
            view = view_of(guild, asked.channels)
            seen = [note.text for note in used.values() if note.visible_to(view)]
            text = next(iter(seen), text)

        async def then(submitted: Interaction, filled: Filled) -> None:
            draft = filled.draft(str(message.channel.id), message.jump_url)
            await correcting.begin(submitted, draft)

        question = asked.question if asked else ""
        form = NoteForm(t, t("form.correct"), then, text=text, question=question)
        await interaction.response.send_modal(form)

    async def save(self, interaction: Interaction, message: discord.Message) -> None:
        """Make a note of what somebody said."""
        t, text = mine(interaction), message.clean_content.strip()
        if not text:
            raise Refused(t("ask.no_text"))

        async def then(submitted: Interaction, filled: Filled) -> None:
            draft = filled.draft(str(message.channel.id), message.jump_url)
            said = t("correct.said_by", name=message.author.name)
            reason = f"{draft.reason} · {said}" if draft.reason else said
            await correcting.begin(submitted, replace(draft, reason=reason))

        form = NoteForm(t, t("form.save"), then, text=text[:NOTE_LIMIT])
        await interaction.response.send_modal(form)

    @app_commands.command()
    @app_commands.guild_only()
    @app_commands.describe(
        text="What is true, as a plain sentence", question="The question that it answers"
    )
    async def suggest(
        self,
        interaction: Interaction,
        text: app_commands.Range[str, 1, NOTE_LIMIT],
        question: app_commands.Range[str, 1, QUESTION_LIMIT] | None = None,
    ) -> None:
        """Suggest a correction; a moderator decides."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self._desk.require(Right.SUGGEST, interaction)
        # There is no message to link to, but the place is known.
        source = by(interaction).where
        await correcting.suggest(interaction, NoteDraft(text, question, source_url=source))
