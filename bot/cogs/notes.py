"""What moderators use: the notebook."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.ext import commands

from bot import correcting, files, lists, note_buttons, render
from bot.access import Right
from bot.controls import Interaction
from bot.desk import by, guild_of
from bot.forms import Filled, NoteForm
from bot.note_buttons import NoteButton, confirm, new_batch
from bot.numbers import choices, number_of
from bot.texts import mine
from eren_memory.domain import By, Note, NoteDraft, NoteStatus
from eren_memory.probing import probe, probes_of
from eren_memory.text import NOTE_LIMIT, QUESTION_LIMIT

if TYPE_CHECKING:
    from bot.client import ErenBot

_Named = app_commands.Range[str, 1, 100]
_Reason = app_commands.Range[str, 1, 200]
_FOUND = 10
# Notes whose probes one command asks.
_TESTED = 20


@app_commands.guild_only()
@app_commands.default_permissions(manage_messages=True)
class Notes(commands.GroupCog, group_name="note", group_description="Corrections to what I say"):
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
        number: _Named,
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
        self, interaction: Interaction, number: _Named, reason: _Reason | None = None
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
        number: _Named,
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
        number: _Named,
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

    @app_commands.command()
    @app_commands.autocomplete(number=choices)
    @app_commands.describe(number="The note")
    async def show(self, interaction: Interaction, number: _Named) -> None:
        """Show a note in full, with the public answers that used it."""
        await self._begin(interaction)
        t = mine(interaction)
        note = await self._note(interaction, number)
        answers = await self._desk.app.records.using(note, 5)
        view = discord.ui.View(timeout=None)
        if note.status is NoteStatus.ACTIVE:
            for act in ("edit", "verify", "retire"):
                view.add_item(NoteButton(act, note.number, t))
        elif answers:
            view.add_item(NoteButton("mark", note.number, t))
        page = render.note_page(t, note, answers)
        await interaction.edit_original_response(content=page, view=view)

    @app_commands.command()
    @app_commands.autocomplete(number=choices)
    @app_commands.describe(number="The note")
    async def history(self, interaction: Interaction, number: _Named) -> None:
        """Who changed what in a note, when and why."""
        await self._begin(interaction)
        one = await number_of(interaction, number)
        entries = await self._notebook.history(guild_of(interaction), one)
        page = render.history_page(mine(interaction), one, entries)
        await interaction.edit_original_response(content=page)

    @app_commands.command(name="list")
    @app_commands.describe(status="Which notes; left out: those in use")
    async def list_notes(
        self, interaction: Interaction, status: lists.Shown = lists.Shown.ACTIVE
    ) -> None:
        """List the notes, newest first."""
        await self._begin(interaction)
        await lists.show(interaction, status, 0)

    @app_commands.command()
    @app_commands.describe(text="Words or a question")
    async def search(
        self, interaction: Interaction, text: app_commands.Range[str, 1, QUESTION_LIMIT]
    ) -> None:
        """Find notes that are near to a text, wherever they answer."""
        await self._begin(interaction)
        t = mine(interaction)
        found = await self._notebook.nearest(guild_of(interaction), text, _FOUND)
        lines = [f"`{one.dense:.2f}` {render.note_line(t, one.note)}" for one in found]
        await interaction.edit_original_response(content="\n".join(lines) or t("list.none"))

    @app_commands.command(name="test")
    @app_commands.autocomplete(number=choices)
    @app_commands.describe(number="The note; left out: every note that has test questions")
    async def test_notes(self, interaction: Interaction, number: _Named | None = None) -> None:
        """Ask the test questions of notes, and say which fail."""
        await self._begin(interaction)
        t, guild, ledger = mine(interaction), guild_of(interaction), self._notebook.ledger
        notes = (
            [await self._note(interaction, number)]
            if number
            else [one for one in await ledger.notes(guild, NoteStatus.ACTIVE) if probes_of(one)]
        )
        eren = self._desk.app.eren_for((await self._desk.settings(guild)).model)
        lines: list[str] = []
        for note in notes[:_TESTED]:
            for wanted in probes_of(note):
                done = await probe(eren, note, wanted)
                key = f"probe.{'passed' if done.passed else 'failed'}"
                question, answer = render.title_of(wanted.question), render.title_of(done.answer)
                lines.append(t(key, number=note.number, question=question, answer=answer))
        if len(notes) > _TESTED:
            lines.append(t("probe.more", count=len(notes) - _TESTED))
        text = render.cut("\n".join(lines)) or t("probe.none")
        await interaction.edit_original_response(content=text)

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

    @app_commands.command()
    @app_commands.describe(form="Of the file", with_history="Every revision too")
    async def export(
        self,
        interaction: Interaction,
        form: files.Form = files.Form.JSONL,
        with_history: bool = False,  # noqa: FBT002 - An option of the command.
    ) -> None:
        """All notes as a file, for you alone."""
        await self._begin(interaction)
        await files.take_out(interaction, form, history=with_history)

    async def _begin(self, interaction: Interaction) -> None:
        """Acknowledge first: Discord waits three seconds."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self._desk.require(Right.MODERATE, interaction)

    async def _note(self, interaction: Interaction, named: str) -> Note:
        number = await number_of(interaction, named)
        return await self._notebook.ledger.note(guild_of(interaction), number)

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
