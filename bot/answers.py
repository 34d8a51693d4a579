"""What hangs under an answer: helpful or not, why it is as it is, and away with it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from uuid import UUID

import discord

from bot import access, render
from bot.access import Right
from bot.controls import Form, Interaction, Lasting
from bot.desk import Desk, desk, guild_of, now, view_of
from bot.failures import Refused
from bot.texts import Texts, mine, texts
from eren_memory.community import Asked, Complaint, Queue
from eren_memory.domain import Note

WHY = "eren:why"
"""Custom id of the button that every answer has, and no other message."""


class AnswerView(Lasting):
    """The buttons under an answer. They carry nothing: the ledger knows the message.

    Alive after a restart, because every process registers one at its start.
    """

    def __init__(self, t: Texts | None = None, *, dismissible: bool = False) -> None:
        super().__init__()
        words = t or texts(None)
        self.why.label = words("button.why")
        self.dismiss.label = words("button.dismiss")
        if not dismissible:
            self.remove_item(self.dismiss)
        if t is not None:
            # The registered one hears every click; one that is sent need not be remembered.
            self.stop()

    @discord.ui.button(emoji="👍", custom_id="eren:up")
    async def up(self, interaction: Interaction, _: discord.ui.Button[Any]) -> None:
        """Helpful."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        asked, at = await asked_at(interaction), desk(interaction)
        await at.app.records.rate(asked, str(interaction.user.id), now(), helpful=True)
        at.metrics.rated(helpful=True)
        await interaction.edit_original_response(content=mine(interaction)("feedback.thanks"))

    @discord.ui.button(emoji="👎", custom_id="eren:down")
    async def down(self, interaction: Interaction, _: discord.ui.Button[Any]) -> None:
        """Not helpful, and why."""
        await interaction.response.send_modal(ComplaintForm(mine(interaction)))

    @discord.ui.button(label="Why?", custom_id=WHY)
    async def why(self, interaction: Interaction, _: discord.ui.Button[Any]) -> None:
        """How it came about."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        asked, at = await asked_at(interaction), desk(interaction)
        settings = await at.settings(guild_of(interaction))
        full = access.may(Right.MODERATE, settings, interaction.user)
        notes = await _notes(at, asked, full=full)
        used = {str(one.note_id) for one in asked.notes}
        page = render.why_page(mine(interaction), asked, notes, full=full, used=used)
        await interaction.edit_original_response(content=page)

    @discord.ui.button(label="Dismiss", custom_id="eren:dismiss")
    async def dismiss(self, interaction: Interaction, _: discord.ui.Button[Any]) -> None:
        """Away with an answer that nobody asked for: by its asker or a moderator."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        asked, at = await asked_at(interaction), desk(interaction)
        if str(interaction.user.id) != asked.asker_id:
            await at.require(Right.MODERATE, interaction)
        for message in asked.messages:
            with suppress(discord.NotFound):
                await interaction.client.http.delete_message(int(asked.channel_id), int(message))
        await interaction.edit_original_response(content=mine(interaction)("feedback.dismissed"))


class ComplaintForm(Form):
    """Why an answer did not help."""

    def __init__(self, t: Texts) -> None:
        super().__init__(t("complaint.title"))
        self._reason: discord.ui.RadioGroup[Any] = discord.ui.RadioGroup(
            custom_id="reason",
            options=[
                discord.RadioGroupOption(label=t(f"complaint.{one.name.lower()}"), value=one.value)
                for one in Complaint
            ],
        )
        self._comment: discord.ui.TextInput[Any] = discord.ui.TextInput(
            custom_id="comment",
            style=discord.TextStyle.paragraph,
            required=False,
            max_length=500,
        )
        self.add_item(discord.ui.Label(text=t("complaint.reason"), component=self._reason))
        self.add_item(discord.ui.Label(text=t("complaint.comment"), component=self._comment))

    async def submitted(self, interaction: Interaction) -> None:
        """Keep it with the answer, and count it in the queue."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        asked, at = await asked_at(interaction), desk(interaction)
        new = await at.app.records.rate(
            asked,
            str(interaction.user.id),
            now(),
            helpful=False,
            complaint=Complaint(self._reason.value or Complaint.OTHER),
            comment=self._comment.value.strip() or None,
        )
        at.metrics.rated(helpful=False)
        if new:
            review = await at.app.reviews.raised(Queue.COMPLAINT, asked, now())
            if not asked.private:
                await at.staff.show(review)
        await interaction.edit_original_response(content=mine(interaction)("feedback.complained"))


async def asked_at(interaction: Interaction) -> Asked:
    """The answer under whose button somebody is, in their own server. Raises `Refused`."""
    message = interaction.message
    asked = message and await desk(interaction).app.records.by_message(
        guild_of(interaction), str(message.id)
    )
    if not asked:
        raise Refused(mine(interaction)("answer.forgotten"))
    return asked


async def _notes(at: Desk, asked: Asked, *, full: bool) -> dict[str, Note]:
    """The notes of a trace that the reader may see, as they are now."""
    ids = [UUID(one["id"]) for one in asked.trace.get("candidates", [])]
    found = await at.app.notebook.ledger.by_ids(ids)
    view = view_of(asked.guild_id, asked.channels)
    return {
        str(note.id): note
        for note in found.values()
        if note.guild_id == asked.guild_id and (full or note.visible_to(view))
    }
