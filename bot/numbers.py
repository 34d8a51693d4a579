"""A note as people name it in a command: #12, 12 or `last`; the list of choices while they type."""

from __future__ import annotations

import asyncio

from discord import app_commands

from bot.access import Right, may
from bot.controls import Interaction
from bot.desk import desk, guild_of
from bot.failures import Refused
from bot.texts import mine
from eren_memory.domain import LARGEST_NUMBER, Note
from eren_memory.errors import ErenError
from eren_memory.text import first_line, shown

_CHOICES = 10
# Discord waits three seconds for choices; an embedder that is slower gives none.
_SECONDS = 2.0
_CHOICE_LIMIT = 100
_DIGITS = 10


async def number_of(interaction: Interaction, named: str) -> int:
    """The number of the note that somebody named. Raises `Refused`."""
    words = named.strip().removeprefix("#").casefold()
    if words == "last":
        ledger, actor = desk(interaction).app.notebook.ledger, str(interaction.user.id)
        number = await ledger.last_of(guild_of(interaction), actor)
        if number is None:
            raise Refused(mine(interaction)("number.no_last"))
        return number
    if not (words.isdecimal() and len(words) <= _DIGITS) or not 0 < int(words) <= LARGEST_NUMBER:
        raise Refused(mine(interaction)("number.unclear"))
    return int(words)


async def choices(interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
    """Notes by number, else by likeness; only for those who may see them."""
    at, guild = desk(interaction), guild_of(interaction)
    if not may(Right.MODERATE, await at.settings(guild), interaction.user):
        return []
    try:
        async with asyncio.timeout(_SECONDS):
            notes = await _like(interaction, typed.strip())
    except (TimeoutError, ErenError):
        return []
    return [app_commands.Choice(name=_name(one), value=str(one.number)) for one in notes]


async def _like(interaction: Interaction, typed: str) -> list[Note]:
    notebook, guild = desk(interaction).app.notebook, guild_of(interaction)
    digits = typed.removeprefix("#")
    if not digits or digits.casefold() in "last":
        return await notebook.ledger.newest(guild, _CHOICES)
    if digits.isdecimal():
        return await notebook.ledger.numbered(guild, digits[:10], _CHOICES)
    return [one.note for one in await notebook.nearest(guild, typed[:200], _CHOICES)]


def _name(note: Note) -> str:
    name = f"#{note.number} {shown(first_line(note.text)) or '–'}"
    return name if len(name) <= _CHOICE_LIMIT else f"{name[: _CHOICE_LIMIT - 1]}…"
