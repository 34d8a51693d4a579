"""Buttons of the queue: decide about suggestions, complaints and gaps; alive after a restart."""

from __future__ import annotations

import re
from typing import Any

import discord

from bot import correcting, render
from bot.access import Right
from bot.controls import Control, Interaction
from bot.desk import by, desk, guild_of, now
from bot.failures import Refused
from bot.forms import Filled, NoteForm
from bot.texts import Texts, everyones, mine
from eren_memory.domain import Note, NoteStatus

_STYLES = {
    "approve": discord.ButtonStyle.success,
    "correct": discord.ButtonStyle.primary,
    "reject": discord.ButtonStyle.danger,
}


class SuggestionButton(
    Control,
    template=(
        r"eren:suggestion:(?P<act>approve|edit|reject):(?P<number>\d{1,10}):(?P<revision>\d{1,10})"
    ),
):
    """A decision about a suggested note, in the revision that the card shows."""

    def __init__(self, act: str, number: int, revision: int, t: Texts) -> None:
        style = _STYLES.get(act, discord.ButtonStyle.secondary)
        custom_id = f"eren:suggestion:{act}:{number}:{revision}"
        super().__init__(custom_id, t(f"button.{act}"), style)
        self.act, self.number, self.revision = act, number, revision

    @classmethod
    def read(cls, match: re.Match[str], t: Texts) -> SuggestionButton:
        """See `Control.read`."""
        number, revision = int(match["number"]), int(match["revision"])
        return cls(match["act"], number, revision, t)

    async def clicked(self, interaction: Interaction) -> None:
        """Decide; of two people who do at once the notebook lets one."""
        at, t, guild = desk(interaction), mine(interaction), guild_of(interaction)
        if self.act == "edit":
            await at.require(Right.MODERATE, interaction)
            await self._edit(interaction)
            return
        await interaction.response.defer(ephemeral=True, thinking=True)
        await at.require(Right.MODERATE, interaction)
        note = await at.app.notebook.ledger.note(guild, self.number)
        if note.status is not NoteStatus.DRAFT:
            await _stamp(interaction, note)
            raise Refused(t("review.decided", status=t(f"status.{note.status}")))
        if self.act == "approve":
            if await correcting.approve(interaction, self.number, self.revision):
                await _stamp(interaction, None, "card.approved", number=self.number)
            return
        note = await at.app.notebook.reject(guild, self.number, by(interaction))
        await _stamp(interaction, note, "card.rejected")
        await interaction.edit_original_response(content=t("done.reject", number=self.number))
        await at.staff.tell_author(note, "suggest.rejected", str(interaction.user.id))

    async def _edit(self, interaction: Interaction) -> None:
        at, t, guild = desk(interaction), mine(interaction), guild_of(interaction)
        note = await at.app.notebook.ledger.note(guild, self.number)
        if note.status is not NoteStatus.DRAFT:
            raise Refused(t("review.decided", status=t(f"status.{note.status}")))

        async def then(submitted: Interaction, filled: Filled) -> None:
            await at.require(Right.MODERATE, submitted)
            fields: Any = filled.fields(str(submitted.channel_id))
            changed = any(getattr(note, name) != value for name, value in fields.items())
            edited = note
            if changed:
                edited = await at.app.notebook.edit(
                    guild, self.number, by(submitted), expect=note.revision, **fields
                )
            if await correcting.approve(submitted, self.number, edited.revision):
                await _stamp(interaction, None, "card.approved", number=self.number)
            else:
                await _stamp(interaction, edited)

        title = t("form.edit", number=note.number)
        await interaction.response.send_modal(
            NoteForm(t, title, then, text=note.text, question=note.question or "", note=note)
        )


class QueueButton(
    Control,
    template=r"eren:queue:(?P<act>correct|dismiss):(?P<review>\d{1,10})",
):
    """A decision about a complaint or a gap of the server in which it is clicked."""

    def __init__(self, act: str, review_id: int, t: Texts) -> None:
        style = _STYLES.get(act, discord.ButtonStyle.secondary)
        label = t(f"button.{'correct' if act == 'correct' else 'settle'}")
        super().__init__(f"eren:queue:{act}:{review_id}", label, style)
        self.act, self.review_id = act, review_id

    @classmethod
    def read(cls, match: re.Match[str], t: Texts) -> QueueButton:
        """See `Control.read`."""
        return cls(match["act"], int(match["review"]), t)

    async def clicked(self, interaction: Interaction) -> None:
        """Open the form of a correction, or close the entry."""
        at, t, guild = desk(interaction), mine(interaction), guild_of(interaction)
        if self.act == "correct":
            await at.require(Right.MODERATE, interaction)
            await self._correct(interaction)
            return
        await interaction.response.defer(ephemeral=True, thinking=True)
        await at.require(Right.MODERATE, interaction)
        who = str(interaction.user.id)
        done = await at.app.reviews.close(guild, self.review_id, who, "outcome.dismissed", now())
        review = await at.app.reviews.get(guild, self.review_id)
        if review is not None:
            await at.staff.show(review)
        if not done:
            raise Refused(t("review.settled"))
        await interaction.edit_original_response(content=t("done.dismiss"))

    async def _correct(self, interaction: Interaction) -> None:
        at, t, guild = desk(interaction), mine(interaction), guild_of(interaction)
        review = await at.app.reviews.get(guild, self.review_id)
        if review is None or review.outcome is not None:
            raise Refused(t("review.settled"))
        asked = review.answer_id and await at.app.records.by_id(guild, review.answer_id)
        public = bool(asked and asked.messages and not asked.private)
        source = render.link(asked) if asked and public else None

        async def then(submitted: Interaction, filled: Filled) -> None:
            channel = asked.channel_id if asked else str(submitted.channel_id)
            await correcting.begin(submitted, filled.draft(channel, source))

        text = asked.text if asked else ""
        form = NoteForm(t, t("form.correct"), then, text=text, question=review.question)
        await interaction.response.send_modal(form)


async def _stamp(
    interaction: Interaction, note: Note | None, key: str | None = None, number: int = 0
) -> None:
    """Have the card say what became of it, and by whom, for everybody who sees it."""
    if interaction.message is None:
        return
    at, t = desk(interaction), everyones(interaction.guild)
    if note is None:
        note = await at.app.notebook.ledger.note(guild_of(interaction), number)
    who = render.person(t, str(interaction.user.id))
    card = at.staff.suggestion_card(t, note, done=t(key, person=who) if key else None)
    try:
        if interaction.message.flags.ephemeral:
            return
        await interaction.message.edit(content=card.text, view=card.view)
    except discord.HTTPException:
        return  # The card was deleted; the note says the same.
