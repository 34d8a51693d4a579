"""What moderators are shown: suggestions, complaints and gaps, as cards in their channel."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

import discord

from bot import budgets, previews, render
from bot.controls import buttons
from bot.markdown import is_id
from bot.publishing import answer_link
from bot.review_buttons import QueueButton, SuggestionButton
from bot.splitting import MESSAGE_LIMIT
from bot.texts import Texts, everyones, texts
from eren_memory.app import App
from eren_memory.budget_warnings import Warned
from eren_memory.budgets import EVERY_GUILD
from eren_memory.community import Queue, Review
from eren_memory.domain import Note, NoteStatus
from eren_memory.jobs import EVERYWHERE, Job

_REASON = 80
# A card that is longer may be cut where it is shown with others.
_CARD = MESSAGE_LIMIT - 150
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Card:
    """What a message of the queue says, and its buttons; no buttons once it is decided."""

    text: str
    view: discord.ui.View


class Staff:
    """Cards in the staff channel. A card that cannot be shown is in `/review` all the same."""

    def __init__(self, client: discord.Client, app: App) -> None:
        self._client = client
        self._app = app
        self._showing = asyncio.Lock()

    async def show(self, review: Review) -> None:
        """Show an entry of the queue, or what has become of it."""
        async with self._showing:  # Two who complain at once are one card.
            await self._show(review)

    async def _show(self, raised: Review) -> None:
        found = await self.channel(raised.guild_id)
        review = await self._app.reviews.get(raised.guild_id, raised.id)
        if found is None or review is None or (review.card is None and review.outcome):
            return
        channel, t = found
        card = await self.review_card(t, review)
        try:
            if review.card is not None and review.card[0] == str(channel.id):
                message = channel.get_partial_message(int(review.card[1]))
                await message.edit(content=card.text, view=card.view)
                return
        except discord.NotFound:
            pass  # Somebody deleted it; it is shown anew.
        except discord.HTTPException as error:
            _log.warning("A card could not be changed: %s", error)
            return
        if (sent := await self._send(channel, card)) is not None:
            await self._app.reviews.shown(review, str(channel.id), str(sent.id))

    async def suggested(self, note: Note) -> None:
        """Show a suggested note."""
        if found := await self.channel(note.guild_id):
            channel, t = found
            sent = await self._send(channel, self.suggestion_card(t, note))
            if sent is not None:
                await self._app.reviews.suggested(note.id, str(channel.id), str(sent.id))

    async def decided(self, note: Note, key: str | None, actor_id: str) -> None:
        """Have a suggestion's card say how it stands, and what was decided by whom."""
        card, found = await self._app.reviews.card_of(note.id), await self.channel(note.guild_id)
        if card is None or found is None or card[0] != str(found[0].id):
            return
        channel, t = found
        done = t(key, person=render.person(t, actor_id)) if key else None
        shown = self.suggestion_card(t, note, done=done)
        try:
            message = channel.get_partial_message(int(card[1]))
            await message.edit(content=shown.text, view=shown.view)
        except discord.HTTPException as error:
            _log.info("A card could not be changed: %s", error)

    async def tell_author(self, note: Note, key: str, actor_id: str) -> None:
        """Let whoever suggested a note hear what became of it: privately, else where it was."""
        if not is_id(note.author_id):
            return
        guild = self._client.get_guild(int(note.guild_id))
        t = everyones(guild)
        text = t(
            key,
            number=note.number,
            # What was made of it may be for other eyes.
            title=render.title(note) if not note.scope else "…",
            person=render.person(t, actor_id),
            author=render.person(t, note.author_id),
        )
        try:
            author = await self._client.fetch_user(int(note.author_id))
            await author.send(text)
            return
        except discord.HTTPException as error:
            _log.info("The author of #%d could not be told privately: %s", note.number, error)
        link = answer_link(note)
        channel = self._client.get_channel(int(link[0])) if link else None
        # Only in the server itself, and in the place where they suggested it.
        if isinstance(channel, discord.TextChannel | discord.Thread) and channel.guild == guild:
            try:
                await channel.send(text)
            except discord.HTTPException as error:
                _log.info("The author of #%d could not be told: %s", note.number, error)

    async def job_failed(self, job: Job, reason: str) -> None:
        """Tell those who can do something about it: a server's staff, or who runs the bot."""
        if job.guild_id != EVERYWHERE:
            if found := await self.channel(job.guild_id):
                channel, t = found
                text = t("job.failed", job=job.id, reason=reason)
                await self._send(channel, Card(render.cut(text), buttons()))
            return
        await self._tell_owner(texts(None)("job.failed", job=job.id, reason=reason))

    async def budget_warning(self, warned: Warned) -> bool:
        """Say that a budget is nearly used up, or is; False if those concerned could not be told."""
        guild_id = warned.line.guild_id
        if guild_id == EVERY_GUILD:
            return await self._tell_owner(budgets.warning(texts(None), warned))
        if (await self._app.communities.settings(guild_id)).staff_channel is None:
            return True  # Nobody wants to be told.
        if (found := await self.channel(guild_id)) is None:
            return False  # It is not there just now: the bot starts, or Discord has an outage.
        channel, t = found
        card = Card(render.cut(budgets.warning(t, warned)), buttons())
        return await self._send(channel, card) is not None

    async def _tell_owner(self, text: str) -> bool:
        if (info := self._client.application) is None:
            return False
        owner = info.team.owner_id if info.team else info.owner.id
        if owner is None:
            return True
        try:
            user = await self._client.fetch_user(owner)
            await user.send(text)
        except discord.HTTPException as error:
            _log.warning("Who runs the bot could not be told: %s", error)
            return False
        return True

    async def review_card(self, t: Texts, review: Review) -> Card:
        """A complaint or a gap."""
        lines = [
            t(f"card.{review.queue}", count=review.count),
            render.quoted(review.question),
        ]
        asked = review.answer_id and await self._app.records.by_id(
            review.guild_id, review.answer_id
        )
        if asked and asked.text:
            lines += [t("card.answer"), render.quoted(asked.text)]
        if asked and asked.messages and not asked.private:
            lines.append(f"-# {render.link(asked)}")
        if asked and review.queue is Queue.COMPLAINT:
            for complaint, comment in (await self._app.records.complaints(asked))[:5]:
                said = f": {render.title_of(comment)}" if comment else ""
                lines.append(f"-# {t(f'complaint.{complaint.name.lower()}')}{said}")
        acts = ("correct", "dismiss") if review.outcome is None else ()
        view = buttons(*(QueueButton(act, review.id, t) for act in acts))
        if review.outcome is not None:
            who = render.person(t, review.closed_by or "")
            lines.insert(1, f"-# {t('card.closed', outcome=t(review.outcome), person=who)}")
        return Card(render.cut("\n".join(lines)), view)

    @staticmethod
    def suggestion_card(t: Texts, note: Note, *, done: str | None = None) -> Card:
        """A suggested note, with its buttons for as long as it waits; `done` says what became of it."""
        lines = [t("card.suggestion", number=note.number, person=render.person(t, note.author_id))]
        if note.status is not NoteStatus.DRAFT:
            lines.append(f"-# {done or t('card.now', status=t(f'status.{note.status}'))}")
        if note.source_url:
            lines.append(f"-# {render.url(note.source_url)}")
        if note.reason:
            lines.append(f"-# {render.title_of(note.reason, _REASON)}")
        if note.question:
            lines += [t("card.question"), render.quoted(note.question, 300)]
        lines += [t("card.text"), previews.whole(t, note)]
        acts: tuple[str, ...] = ()
        if note.status is NoteStatus.DRAFT:
            # What is not shown whole is not approved unread: the form has all of it.
            read = previews.is_whole(note) and len("\n".join(lines)) <= _CARD
            acts = ("approve", "edit", "reject") if read else ("edit", "reject")
        view = buttons(*(SuggestionButton(act, note.number, note.revision, t) for act in acts))
        return Card(render.cut("\n".join(lines)), view)

    async def channel(self, guild_id: str) -> tuple[discord.TextChannel, Texts] | None:
        """The staff channel of a guild and its language; None where there is none."""
        settings = await self._app.communities.settings(guild_id)
        if settings.staff_channel is None:
            return None
        channel = self._client.get_channel(int(settings.staff_channel))
        # A guild's settings name a channel of its own, or nothing at all.
        if not isinstance(channel, discord.TextChannel) or str(channel.guild.id) != guild_id:
            return None
        return channel, everyones(channel.guild)

    async def _send(self, channel: discord.TextChannel, card: Card) -> discord.Message | None:
        try:
            return await channel.send(card.text, view=card.view)
        except discord.HTTPException as error:
            _log.warning("A card could not be shown in the staff channel: %s", error)
            return None
