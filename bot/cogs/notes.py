"""What moderators use: the notebook."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.ext import commands

from bot import correcting, files, note_buttons
from bot.access import Right
from bot.cogs.reading import Named, Reading
from bot.controls import Interaction
from bot.desk import by, guild_of
from bot.forms import Filled, NoteForm
from bot.note_buttons import confirm, new_batch
from bot.numbers import choices, number_of
from bot.texts import mine
from eren_memory.domain import By, Note, NoteDraft
from eren_memory.text import NOTE_LIMIT, QUESTION_LIMIT

if TYPE_CHECKING:
    from bot.client import ErenBot

_Reason = app_commands.Range[str, 1, 200]


@app_commands.guild_only()
@app_commands.default_permissions(manage_messages=True)
class Notes(
    Reading, commands.GroupCog, group_name="note", group_description="Corrections to what I say"
):
    """`/note …`. Every command asks whether the member may, before anything else."""

    def __init__(self, bot: ErenBot) -> None:
        self._desk = bot.desk
        self._notebook = bot.desk.app.notebook

    @app_commands.command()
    @app_commands.describe(
        text="The correction, as a plain sentence; left out: a form opens",
        question="The question that it answers",
    )
    async def add(
        self,
        interaction: Interaction,
        text: app_commands.Range[str, 1, NOTE_LIMIT] | None = None,
        question: app_commands.Range[str, 1, QUESTION_LIMIT] | None = None,
    ) -> None:
        """Add a correction; the next question finds it."""
        if text is None:
            await self._desk.require(Right.MODERATE, interaction)
            await self._add_by_form(interaction, question or "")
            return
        await self._begin(interaction)
        await correcting.add(interaction, NoteDraft(text, question))

    @app_commands.command()
    @app_commands.autocomplete(number=choices)
    @app_commands.describe(number="The note", text="What it says from now on; left out: a form")
    async def edit(
        self,
        interaction: Interaction,
        number: Named,
        text: app_commands.Range[str, 1, NOTE_LIMIT] | None = None,
    ) -> None:
        """Change a note."""
        if text is None:
            await self._desk.require(Right.MODERATE, interaction)
            await note_buttons.edit_form(interaction, await number_of(interaction, number))
            return
        guild = guild_of(interaction)
        await self._change(
            interaction,
            number,
            "edit",
            lambda one, who: self._notebook.edit(guild, one, who, text=text),
        )

    @app_commands.command()
    @app_commands.autocomplete(number=choices)
    @app_commands.describe(number="The note", reason="Why it is retired")
    async def retire(
        self, interaction: Interaction, number: Named, reason: _Reason | None = None
    ) -> None:
        """Take a note out of use."""
        guild = guild_of(interaction)
        await self._change(
            interaction,
            number,
            "retire",
            lambda one, who: self._notebook.retire(guild, one, who),
            reason,
        )

    @app_commands.command()
    @app_commands.autocomplete(number=choices)
    @app_commands.describe(
        number="The note", revision="The revision to go back to", reason="Why it comes back"
    )
    async def restore(
        self,
        interaction: Interaction,
        number: Named,
        revision: app_commands.Range[int, 1] | None = None,
        reason: _Reason | None = None,
    ) -> None:
        """Bring a note back, or take it back to an earlier revision."""
        guild = guild_of(interaction)
        await self._change(
            interaction,
            number,
            "restore",
            lambda one, who: self._notebook.restore(guild, one, who, revision),
            reason,
        )

    @app_commands.command()
    @app_commands.autocomplete(number=choices)
    @app_commands.describe(number="The note", channel="Only there", second="And there", third="And")
    async def scope(
        self,
        interaction: Interaction,
        number: Named,
        channel: discord.TextChannel | discord.ForumChannel | None = None,
        second: discord.TextChannel | discord.ForumChannel | None = None,
        third: discord.TextChannel | discord.ForumChannel | None = None,
    ) -> None:
        """Say in which channels a note answers; without any, in all."""
        guild = guild_of(interaction)
        chosen = tuple(str(one.id) for one in (channel, second, third) if one is not None)
        await self._change(
            interaction,
            number,
            "scope",
            lambda one, who: self._notebook.edit(guild, one, who, scope=chosen),
        )

    @app_commands.command(name="import")
    @app_commands.describe(file="JSONL or CSV", dry_run="Only say what it would change")
    async def import_notes(
        self,
        interaction: Interaction,
        file: discord.Attachment,
        dry_run: bool = False,  # noqa: FBT002 - An option of the command.
    ) -> None:
        """Bring in notes from a file; all of it can be undone at once."""
        await self._begin(interaction)
        await files.bring_in(interaction, file, dry_run=dry_run)

    async def _change(
        self,
        interaction: Interaction,
        named: str,
        act: str,
        do: Callable[[int, By], Awaitable[Note]],
        reason: str | None = None,
    ) -> None:
        await self._begin(interaction)
        number = await number_of(interaction, named)
        before = await self._notebook.ledger.note(guild_of(interaction), number)
        who = by(interaction, reason, batch=new_batch())
        after = await do(number, who)
        await confirm(interaction, act, before, after, who.batch)

    async def _add_by_form(self, interaction: Interaction, question: str) -> None:
        async def then(submitted: Interaction, filled: Filled) -> None:
            await correcting.add(submitted, filled.draft(str(submitted.channel_id), None))

        t = mine(interaction)
        form = NoteForm(t, t("form.add"), then, question=question)
        await interaction.response.send_modal(form)
