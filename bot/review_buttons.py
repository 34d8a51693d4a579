"""Buttons of the queue: decide about suggestions, complaints and gaps; alive after a restart."""

from __future__ import annotations

import re

import discord

from bot import correcting, render
from bot.access import Right
from bot.controls import Control, Interaction
from bot.desk import by, desk, guild_of, now
from bot.failures import Refused
from bot.forms import Filled, NoteForm
from bot.steps import home_of
from bot.texts import Texts, mine
from eren_memory.domain import NoteStatus

_STYLES = {
    "approve": discord.ButtonStyle.success,
    "correct": discord.ButtonStyle.primary,
    "reject": discord.ButtonStyle.danger,
}


class SuggestionButton(
    Control,
    template=(
        r"eren:suggestion:(?P<act>approve|edit|reject):(?P<number>[0-9]{1,10}):(?P<revision>[0-9]{1,9})"
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
            await at.staff.decided(note, None, "")
            raise Refused(t("review.decided", status=t(f"status.{note.status}")))
        if note.revision != self.revision:
            await at.staff.decided(note, None, "")  # The card shows it as it is now.
        if self.act == "approve":
            await correcting.approve(interaction, self.number, self.revision)
            return
        note = await at.app.notebook.reject(guild, self.number, by(interaction))
        await at.staff.decided(note, "card.rejected", str(interaction.user.id))
        await interaction.edit_original_response(content=t("done.reject", number=self.number))
        await at.staff.tell_author(note, "suggest.rejected", str(interaction.user.id))

    async def _edit(self, interaction: Interaction) -> None:
        at, t, guild = desk(interaction), mine(interaction), guild_of(interaction)
        note = await at.app.notebook.ledger.note(guild, self.number)
        if note.status is not NoteStatus.DRAFT:
            raise Refused(t("review.decided", status=t(f"status.{note.status}")))

        async def then(submitted: Interaction, filled: Filled) -> None:
            await at.require(Right.MODERATE, submitted)
            fields = filled.fields(home_of(note, submitted))
            edited = note
            if fields:
                edited = await at.app.notebook.edit(
                    guild, self.number, by(submitted), expect=note.revision, **fields
                )
                await at.staff.decided(edited, None, "")
            await correcting.approve(submitted, self.number, edited.revision)

        title = t("form.edit", number=note.number)
        await interaction.response.send_modal(
            NoteForm(t, title, then, text=note.text, question=note.question or "", note=note)
        )


class QueueButton(
    Control,
    template=r"eren:queue:(?P<act>correct|dismiss):(?P<review>[0-9]{1,9})",
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
