"""Buttons of notes that stay alive after a restart: undo, edit, still true, retire, mark answers."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from uuid import UUID

import discord
from uuid_utils.compat import uuid7

from bot import publishing, render
from bot.access import Right
from bot.controls import Control, Interaction, buttons
from bot.desk import by, desk, guild_of
from bot.forms import Filled, NoteForm
from bot.texts import Texts, mine
from eren_memory.domain import Note, NoteStatus, difference

_STYLES = {"retire": discord.ButtonStyle.danger, "verify": discord.ButtonStyle.success}


class UndoButton(Control, template=r"eren:undo:(?P<batch>[0-9a-f]{32})"):
    """Takes back one act, by whoever did it."""

    def __init__(self, batch: UUID, t: Texts) -> None:
        super().__init__(f"eren:undo:{batch.hex}", t("button.undo"))
        self.batch = batch

    @classmethod
    def read(cls, match: re.Match[str], t: Texts) -> UndoButton:
        """See `Control.read`."""
        return cls(UUID(hex=match["batch"]), t)

    async def clicked(self, interaction: Interaction) -> None:
        """Take it back, and offer to mark what a note that is out of use has answered."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        at, t = desk(interaction), mine(interaction)
        await at.require(Right.MODERATE, interaction)
        notes = await at.app.notebook.undo(guild_of(interaction), by(interaction), self.batch)
        lines = [t("undo.done", note=render.note_line(t, note)) for note in notes[:10]]
        view = buttons()
        for note in notes[:5]:
            await offer_mark(interaction, view, note)
            if note.question and note.status is not NoteStatus.ACTIVE:
                # What its correction had settled is open again.
                who = str(interaction.user.id)
                for review in await at.app.reviews.reopen(note.guild_id, note.question, who):
                    await at.staff.show(review)
        await interaction.edit_original_response(content=render.cut("\n".join(lines)), view=view)


class NoteButton(
    Control,
    template=r"eren:note:(?P<act>edit|verify|retire|mark):(?P<number>[0-9]{1,10})",
):
    """An act on a note of the server in which it is clicked."""

    def __init__(self, act: str, number: int, t: Texts) -> None:
        label = t(f"button.{act}", number=number)
        style = _STYLES.get(act, discord.ButtonStyle.secondary)
        super().__init__(f"eren:note:{act}:{number}", label, style)
        self.act, self.number = act, number

    @classmethod
    def read(cls, match: re.Match[str], t: Texts) -> NoteButton:
        """See `Control.read`."""
        return cls(match["act"], int(match["number"]), t)

    async def clicked(self, interaction: Interaction) -> None:
        """Do it, as far as whoever clicked may."""
        at, guild = desk(interaction), guild_of(interaction)
        if self.act == "edit":
            await at.require(Right.MODERATE, interaction)
            await edit_form(interaction, self.number)
            return
        await interaction.response.defer(ephemeral=True, thinking=True)
        await at.require(Right.MODERATE, interaction)
        before = await at.app.notebook.ledger.note(guild, self.number)
        if self.act == "mark":
            done = await publishing.mark(at, interaction.client, before)
            text = mine(interaction)("mark.done", count=done)
            await interaction.edit_original_response(content=text)
            return
        act = by(interaction, batch=new_batch())
        if self.act == "retire":
            after = await at.app.notebook.retire(guild, self.number, act)
        else:
            after = await at.app.notebook.verify(guild, self.number, act)
        await confirm(interaction, self.act, before, after, act.batch)


async def edit_form(
    interaction: Interaction, number: int, then: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Open a note's form; what changed meanwhile is not overwritten. `then` follows a change."""
    at, t, guild = desk(interaction), mine(interaction), guild_of(interaction)
    note = await at.app.notebook.ledger.note(guild, number)

    async def save(submitted: Interaction, filled: Filled) -> None:
        await at.require(Right.MODERATE, submitted)
        act = by(submitted, batch=new_batch())
        fields = filled.fields(str(submitted.channel_id))
        after = await at.app.notebook.edit(guild, number, act, expect=note.revision, **fields)
        await confirm(submitted, "edit", note, after, act.batch)
        if then is not None:
            await then()

    title = t("form.edit", number=number)
    await interaction.response.send_modal(
        NoteForm(t, title, save, text=note.text, question=note.question or "", note=note)
    )


async def confirm(
    interaction: Interaction, act: str, before: Note | None, after: Note, batch: UUID | None
) -> None:
    """Say what was done to a note, from what to what, with a button to take it back."""
    text, view = await confirmation(interaction, act, before, after, batch)
    await interaction.edit_original_response(content=text, view=view)


async def confirmation(
    interaction: Interaction, act: str, before: Note | None, after: Note, batch: UUID | None
) -> tuple[str, discord.ui.View]:
    """What `confirm` says, and its buttons."""
    t = mine(interaction)
    lines = [t(f"done.{act}", number=after.number, title=render.title(after, 200))]
    if before is not None:
        lines += [f"-# {line}" for line in render.changes(t, difference(before, after))]
    view = buttons(*([UndoButton(batch, t)] if batch else []))
    if before is None or before.status is not after.status:
        await offer_mark(interaction, view, after)
    return render.cut("\n".join(lines)), view


async def offer_mark(interaction: Interaction, view: discord.ui.View, note: Note) -> None:
    """A button to mark the public answers of a note that is out of use, where there are any.

    Those of a note that is in use again lose their mark at once.
    """
    at = desk(interaction)
    if not await at.app.records.using(note, 1):
        return
    if note.status is NoteStatus.ACTIVE:
        await publishing.mark(at, interaction.client, note)
    else:
        view.add_item(NoteButton("mark", note.number, mine(interaction)))


def new_batch() -> UUID:
    """What an act and its Undo button share."""
    return uuid7()
