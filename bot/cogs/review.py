"""What waits for moderators, one entry after the other."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from discord import app_commands
from discord.ext import commands

from bot import render
from bot.access import Right
from bot.controls import Control, Interaction
from bot.desk import desk, guild_of
from bot.texts import Texts, mine
from eren_memory.domain import NoteStatus

if TYPE_CHECKING:
    from bot.client import ErenBot

_MOST = 200


class NextButton(Control, template=r"eren:review:(?P<place>[0-9]{1,6})"):
    """Goes to an entry of the queue, counted from 0."""

    def __init__(self, place: int, t: Texts, *, back: bool = False) -> None:
        label = t("button.back" if back else "button.on")
        super().__init__(f"eren:review:{place}", label)
        self.place = place

    @classmethod
    def read(cls, match: re.Match[str], t: Texts) -> NextButton:
        """See `Control.read`."""
        return cls(int(match["place"]), t)

    async def clicked(self, interaction: Interaction) -> None:
        """Show it in the place of this one."""
        await interaction.response.defer()
        await desk(interaction).require(Right.MODERATE, interaction)
        await show(interaction, self.place)


class ReviewCog(commands.Cog, name="Review"):
    """`/review`."""

    def __init__(self, bot: ErenBot) -> None:
        self._desk = bot.desk

    @app_commands.command()
    @app_commands.guild_only()
    @app_commands.default_permissions(manage_messages=True)
    async def review(self, interaction: Interaction) -> None:
        """Suggestions, complaints and unanswered questions that wait for a decision."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self._desk.require(Right.MODERATE, interaction)
        await show(interaction, 0)


async def show(interaction: Interaction, place: int) -> None:
    """Show one entry: suggestions first, then complaints, then gaps."""
    at, guild, t = desk(interaction), guild_of(interaction), mine(interaction)
    ledger = at.app.notebook.ledger
    drafts = (await ledger.counts(guild)).get(NoteStatus.DRAFT, 0)
    reviews = await at.app.reviews.waiting(guild, _MOST)
    total = drafts + len(reviews)
    if total == 0:
        await interaction.edit_original_response(content=t("review.empty"), view=None)
        return
    place = min(place, total - 1)
    if place < drafts and (found := await ledger.drafts(guild, 1, place)):
        card = at.staff.suggestion_card(t, found[0])
    elif reviews:
        card = await at.staff.review_card(t, reviews[max(place - drafts, 0)])
    else:  # Somebody decided about the last one meanwhile.
        await interaction.edit_original_response(content=t("review.empty"), view=None)
        return
    if place > 0:
        card.view.add_item(NextButton(place - 1, t, back=True))
    if place < total - 1:
        card.view.add_item(NextButton(place + 1, t))
    counts = {one: sum(review.queue == one for review in reviews) for one in ("complaint", "gap")}
    head = t(
        "review.head",
        place=place + 1,
        total=total,
        suggestions=drafts,
        complaints=counts["complaint"],
        gaps=counts["gap"],
    )
    text = render.cut(f"-# {head}\n{card.text}")
    await interaction.edit_original_response(content=text, view=card.view)
