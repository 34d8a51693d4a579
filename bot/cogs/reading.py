"""The commands of the notebook that change nothing."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.ext import commands

from bot import files, lists, render
from bot.access import Right
from bot.controls import Interaction
from bot.desk import Desk, guild_of
from bot.note_buttons import NoteButton
from bot.numbers import choices, number_of
from bot.texts import mine
from eren_memory.domain import Note, NoteStatus
from eren_memory.probing import probe, probes_of
from eren_memory.text import QUESTION_LIMIT

Named = app_commands.Range[str, 1, 100]
"""A note as people name it: see `numbers`."""
_FOUND = 10
# Notes whose probes one command asks.
_TESTED = 20
_LINE = 45


class Reading(commands.Cog):
    """`/note show|history|list|search|test|export`; for moderators alone, as all of `/note`."""

    _desk: Desk

    @app_commands.command()
    @app_commands.autocomplete(number=choices)
    @app_commands.describe(number="The note")
    async def show(self, interaction: Interaction, number: Named) -> None:
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
    async def history(self, interaction: Interaction, number: Named) -> None:
        """Who changed what in a note, when and why."""
        await self._begin(interaction)
        one = await number_of(interaction, number)
        entries = await self._desk.app.notebook.history(guild_of(interaction), one)
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
        found = await self._desk.app.notebook.nearest(guild_of(interaction), text, _FOUND)
        lines = [f"`{one.dense:.2f}` {render.note_line(t, one.note)}" for one in found]
        text = render.cut("\n".join(lines)) or t("list.none")
        await interaction.edit_original_response(content=text)

    @app_commands.command(name="test")
    @app_commands.autocomplete(number=choices)
    @app_commands.describe(number="The note; left out: every note that has test questions")
    async def test_notes(self, interaction: Interaction, number: Named | None = None) -> None:
        """Ask the test questions of notes, and say which fail."""
        await self._begin(interaction)
        t, guild, ledger = mine(interaction), guild_of(interaction), self._desk.app.notebook.ledger
        notes = (
            [await self._note(interaction, number)]
            if number
            else [one for one in await ledger.notes(guild, NoteStatus.ACTIVE) if probes_of(one)]
        )
        eren = self._desk.app.eren_for((await self._desk.settings(guild)).model)
        failed: list[str] = []
        passed: list[str] = []
        for note in notes[:_TESTED]:
            for wanted in probes_of(note):
                done = await probe(eren, note, wanted)
                key = f"probe.{'passed' if done.passed else 'failed'}"
                question = render.title_of(wanted.question, _LINE)
                answer = render.title_of(done.answer, _LINE)
                line = t(key, number=note.number, question=question, answer=answer)
                (passed if done.passed else failed).append(line)
        if not failed and not passed:
            await interaction.edit_original_response(content=t("probe.none"))
            return
        head = t("probe.head", failed=len(failed), passed=len(passed))
        if len(notes) > _TESTED:
            head += " " + t("probe.more", count=len(notes) - _TESTED)
        text = render.cut("\n".join([head, *failed, *passed]))
        await interaction.edit_original_response(content=text)

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
        return await self._desk.app.notebook.ledger.note(guild_of(interaction), number)
