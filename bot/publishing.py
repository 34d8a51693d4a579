"""After a correction: the public answer says it, its asker hears of it, and what waited is settled."""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from typing import Any

import discord

from bot import render
from bot.answers import WHY, AnswerView
from bot.desk import Desk, channels, view_of
from bot.texts import Texts, everyones
from bot.traces import trace_of
from eren_memory.community import Asked, Used
from eren_memory.domain import Note, NoteStatus, Origin, Place
from eren_memory.errors import ErenError

_LINK = re.compile(r"https://discord\.com/channels/(\d+)/(\d+)(?:/(\d+))?")
# Answers of one note that are marked at most, the newest first.
_MARKED = 25
_log = logging.getLogger(__name__)


class Published(StrEnum):
    """What became of the answer that a note corrects."""

    NOTHING = "nothing"
    """It was not made from an answer."""
    EDITED = "edited"
    HIDDEN = "hidden"
    """The note is not visible where the answer stands."""
    PRIVATE = "private"
    """Only its asker sees it, and nobody can change it."""
    OUT_OF_REACH = "out of reach"
    """The message is gone, or the bot may not."""


async def publish(at: Desk, client: discord.Client, note: Note, actor_id: str) -> Published:
    """Put a saved correction into the public answer that its source links to.

    Doing it again changes nothing more, so that what a stop cut short can be completed.
    """
    found = answer_link(note)
    if found is None:
        return Published.NOTHING
    channel_id, message_id = found
    asked = await at.app.records.by_message(note.guild_id, message_id)
    if asked is not None and asked.private:
        return Published.PRIVATE
    try:
        message = await _message(client, note.guild_id, channel_id, message_id)
        # Of a long answer only the last part has the buttons; what is kept knows them all.
        if message is None or not (asked or is_answer(client, message)):
            return Published.NOTHING
        within = asked.channels if asked else channels(message.channel, message.channel.id)
        if not note.visible_to(view_of(note.guild_id, within)):
            return Published.HIDDEN
        place = Place(note.guild_id, within)
        told = await _edit(at, client, message, asked, note, place, actor_id)
    except discord.HTTPException as error:
        _log.info("A public answer could not be corrected: %s", error)
        return Published.OUT_OF_REACH
    if told:
        with suppress(discord.HTTPException):
            await _tell(message, asked, actor_id)
    return Published.EDITED


async def mark(at: Desk, client: discord.Client, note: Note) -> int:
    """Say under the public answers that used a note whether it is out of use; returns how many."""
    done = 0
    for asked in await at.app.records.using(note, _MARKED):
        try:
            message = await _message(client, note.guild_id, asked.channel_id, asked.messages[-1])
            if message is None:
                continue
            content = _marked(everyones(message.guild), message.content, note)
            if content != message.content:
                await message.edit(content=content)
            done += 1
        except discord.HTTPException as error:
            _log.info("A public answer could not be marked: %s", error)
    return done


def _marked(t: Texts, content: str, note: Note) -> str:
    """An answer with the mark on top while its note is out of use, and without it otherwise."""
    line = f"-# {t('origin.withdrawn', number=note.number)}"
    body, _, origin = content.removeprefix(f"{line}\n").rpartition("\n")
    if note.status is NoteStatus.ACTIVE:
        return f"{body}\n{origin}"
    return f"{line}\n{render.cut_to(body, f'{line} {origin}')}\n{origin}"


def answer_link(note: Note) -> tuple[str, str] | None:
    """Channel and message of a note's source, if that is a message of its own guild."""
    match = _LINK.fullmatch(note.source_url or "")
    if match is None or match.group(1) != note.guild_id or match.group(3) is None:
        return None
    return match.group(2), match.group(3)


def source_channel(note: Note) -> str | None:
    """The channel that a note comes from, if that is one of its own guild."""
    match = _LINK.fullmatch(note.source_url or "")
    return match.group(2) if match and match.group(1) == note.guild_id else None


def is_answer(client: discord.Client, message: discord.Message) -> bool:
    """Whether a message is an answer of this bot: its own words, with an answer's buttons."""
    mine = client.user is not None and message.author.id == client.user.id
    rows = [row for row in message.components if isinstance(row, discord.ActionRow)]
    return mine and any(
        getattr(one, "custom_id", "") == WHY for row in rows for one in row.children
    )


def answer_words(message: discord.Message) -> str:
    """The answer in a message, without its small print."""
    lines = [line for line in message.content.splitlines() if not line.startswith("-# ")]
    return "\n".join(lines).strip()


async def _message(
    client: discord.Client, guild_id: str, channel_id: str, message_id: str
) -> discord.Message | None:
    """A message of that server and no other, whatever a link says."""
    # A thread that went to sleep is not among those that the client knows.
    channel = client.get_channel(int(channel_id)) or await client.fetch_channel(int(channel_id))
    if not isinstance(channel, discord.abc.GuildChannel | discord.Thread):
        return None
    if str(channel.guild.id) != guild_id or not isinstance(channel, discord.abc.Messageable):
        return None
    return await channel.fetch_message(int(message_id))


async def _edit(
    at: Desk,
    client: discord.Client,
    message: discord.Message,
    asked: Asked | None,
    note: Note,
    place: Place,
    actor_id: str,
) -> bool:
    """Correct the message and what is kept of it; False if it says so already."""
    t = everyones(message.guild)
    used = (Used(note.id, note.revision),)
    if asked is not None and asked.notes == used:
        return False
    question = note.question or (asked.question if asked else None)
    text, trace = note.text, {"path": "corrected"}
    if question:
        try:
            # What it says from now on, in this place.
            made = await at.answer(question, place)
            if any(one.note.id == note.id for one in made.notes):
                text, trace = made.text, trace_of(made)
        except ErenError as error:
            _log.info("A corrected answer quotes its note: %s", error)
    line = render.origin_line(t, [note], "corrected")
    body = render.cut_to(render.answer_body(text), line)
    await message.edit(content=f"{body}\n{line}", attachments=[], view=AnswerView(t))
    if asked is None:
        return True
    now_says = replace(
        asked,
        text=text,
        origin=str(Origin.NOTEBOOK),
        notes=used,
        messages=(str(message.id),),
        trace=trace | _judgement(asked, note, actor_id),
    )
    await at.app.records.corrected(now_says)
    for other in {*asked.messages} - {str(message.id)}:
        with suppress(discord.HTTPException):
            await client.http.delete_message(message.channel.id, int(other))
    return True


def _judgement(asked: Asked, note: Note, actor_id: str) -> dict[str, Any]:
    """What a correction says of the decision that made the answer: see `recalibration`."""
    if "before" in asked.trace:  # It was corrected already, and no longer the decision's.
        return {key: asked.trace[key] for key in ("before", "by", "corrector")}
    before = asked.trace | {"notes": [str(one.note_id) for one in asked.notes]}
    return {"before": before, "by": str(note.id), "corrector": actor_id}


async def _tell(message: discord.Message, asked: Asked | None, actor_id: str) -> None:
    """A reply that names the asker; it pings nobody, as nothing here does."""
    if asked is None or asked.asker_id == actor_id:
        return
    t = everyones(message.guild)
    text = t("correct.told", asker=f"<@{asked.asker_id}>", person=render.person(t, actor_id))
    await message.reply(text, mention_author=False)
