"""Buttons of notes that have grown stale: still true, edit, retire, later; alive after a restart."""

from __future__ import annotations

import logging
import re
from datetime import timedelta

import discord

from bot import render, stale
from bot.access import Right
from bot.controls import Control, Interaction
from bot.desk import by, desk, guild_of, now
from bot.failures import Refused
from bot.note_buttons import confirmation, edit_form, new_batch
from bot.texts import Texts, everyones, mine
from eren_memory.domain import Note

_STYLES = {"retire": discord.ButtonStyle.danger, "verify": discord.ButtonStyle.success}
LATER = timedelta(days=7)
"""For how long *Later* puts off what was found about a note."""

_log = logging.getLogger(__name__)


class StaleButton(
    Control,
    template=(
        r"eren:stale:(?P<act>verify|edit|retire|later|done):"
        r"(?P<number>[0-9]{1,10}):(?P<revision>[0-9]{1,9})"
    ),
):
    """An act on a note that has grown stale, in the revision that the message shows."""

    def __init__(self, act: str, number: int, revision: int, t: Texts) -> None:
        label = t(f"button.{act}")
        style = _STYLES.get(act, discord.ButtonStyle.secondary)
        custom_id = f"eren:stale:{act}:{number}:{revision}"
        # The first of a row says whose buttons these are.
        label = f"#{number} · {label}" if act in ("verify", "done") else label
        super().__init__(custom_id, label, style, disabled=act == "done")
        self.act, self.number, self.revision = act, number, revision

    @classmethod
    def read(cls, match: re.Match[str], t: Texts) -> StaleButton:
        """See `Control.read`."""
        return cls(match["act"], int(match["number"]), int(match["revision"]), t)

    async def clicked(self, interaction: Interaction) -> None:
        """Do it, if the note is as it was; the message says what became of it."""
        at, t, guild = desk(interaction), mine(interaction), guild_of(interaction)
        if self.act != "edit":
            await interaction.response.defer()
        await at.require(Right.MODERATE, interaction)
        note = await at.app.notebook.ledger.note(guild, self.number)
        if note.revision != self.revision:
            if self.act == "edit":
                await interaction.response.defer()
            await _renew(interaction)
            raise Refused(t("stale.moved", number=note.number, status=t(f"status.{note.status}")))
        if self.act == "edit":
            await edit_form(interaction, self.number, then=lambda: _renew_behind(interaction))
        elif self.act == "later":
            await self._put_off(interaction, note)
        else:
            await self._do(interaction, note)

    async def _put_off(self, interaction: Interaction, note: Note) -> None:
        until = now() + LATER
        await desk(interaction).app.findings.put_off(note, until, str(interaction.user.id))
        await _renew(interaction)
        text = mine(interaction)("stale.later", number=note.number, until=render.when(until))
        await interaction.followup.send(text, ephemeral=True)

    async def _do(self, interaction: Interaction, before: Note) -> None:
        notebook, act = desk(interaction).app.notebook, by(interaction, batch=new_batch())
        do = notebook.verify if self.act == "verify" else notebook.retire
        after = await do(guild_of(interaction), self.number, act)
        await _renew(interaction)
        text, view = await confirmation(interaction, self.act, before, after, act.batch)
        await interaction.followup.send(text, view=view, ephemeral=True)


class TurnButton(Control, template=r"eren:audit:(?P<page>[0-9]{1,4})"):
    """Goes to a page of what has grown stale, counted from 0."""

    def __init__(self, page: int, label: str) -> None:
        super().__init__(f"eren:audit:{page}", label)
        self.page = page

    @classmethod
    def read(cls, match: re.Match[str], t: Texts) -> TurnButton:
        """See `Control.read`."""
        return cls(int(match["page"]), t("button.on"))

    async def clicked(self, interaction: Interaction) -> None:
        """Show it in the place of this one."""
        await interaction.response.defer()
        at, t, guild = desk(interaction), mine(interaction), guild_of(interaction)
        await at.require(Right.MODERATE, interaction)
        listed = await stale.stale_notes(at.app, guild)
        start = min(self.page, max(0, len(listed) - 1) // stale.PAGE) * stale.PAGE
        head = stale.read_back(interaction.message)[0] if interaction.message else ""
        part, turns = listed[start : start + stale.PAGE], turning(t, len(listed), start)
        shown = await stale.page(t, at.app, guild, head, part, StaleButton, turns)
        await interaction.edit_original_response(content=shown.text, view=shown.view)


def turning(t: Texts, total: int, start: int) -> list[TurnButton]:
    """The buttons to the pages before and after the one that begins at a note's place."""
    here = start // stale.PAGE
    back = [TurnButton(here - 1, t("button.back"))] if here else []
    return back + ([TurnButton(here + 1, t("button.on"))] if start + stale.PAGE < total else [])


async def _renew(interaction: Interaction) -> None:
    """Have the message that was clicked say how everything in it stands."""
    if (renewed := await _renewed(interaction)) is not None:
        await interaction.edit_original_response(content=renewed.text, view=renewed.view)


async def _renew_behind(interaction: Interaction) -> None:
    """The same after a form, whose answer is a message of its own; only for one that stays."""
    message = interaction.message
    if message is None or message.flags.ephemeral:
        return
    try:
        if (renewed := await _renewed(interaction)) is not None:
            await message.edit(content=renewed.text, view=renewed.view)
    except discord.HTTPException as error:
        _log.info("A list of stale notes could not be changed: %s", error)


async def _renewed(interaction: Interaction) -> stale.Page | None:
    message = interaction.message
    if message is None:
        return None
    t = mine(interaction) if message.flags.ephemeral else everyones(interaction.guild)
    head, listed, others = stale.read_back(message)
    turns = [
        TurnButton(int(found["page"]), _label(message, one))
        for one in others
        if (found := re.fullmatch(r"eren:audit:(?P<page>[0-9]{1,4})", one))
    ]
    app = desk(interaction).app
    return await stale.page(t, app, guild_of(interaction), head, listed, StaleButton, turns)


def _label(message: discord.Message, custom_id: str) -> str:
    rows = [row for row in message.components if isinstance(row, discord.ActionRow)]
    labels = {getattr(one, "custom_id", ""): one for row in rows for one in row.children}
    return str(getattr(labels[custom_id], "label", ""))
