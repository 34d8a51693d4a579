"""Notes that have grown stale, as moderators see them: why, what could be done, and the buttons.

The message is its own memory. Which notes it lists stands in its buttons, and how they are by now in
the ledger; so it is made anew after any click, also after a restart, and whatever was done elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import discord

from bot import render
from bot.controls import Control, buttons
from bot.desk import now
from bot.texts import Texts
from eren_memory.app import App
from eren_memory.domain import Note
from eren_memory.staleness import Finding

PAGE = 4
"""Notes a message: each has a row of buttons, and one row is for turning pages."""
_MOST = 500
_TITLE = 60
_REASONS = 3
_HEAD = "**#"


@dataclass(frozen=True, slots=True)
class Listed:
    """A note in such a message, in the revision that it was listed in."""

    number: int
    revision: int


@dataclass(frozen=True, slots=True)
class Page:
    """What such a message says, and its buttons."""

    text: str
    view: discord.ui.View


async def stale_notes(app: App, guild_id: str) -> list[Listed]:
    """Notes that should be looked at, each once, the most urgent first."""
    found = await app.findings.open(guild_id, now(), _MOST)
    return list(dict.fromkeys(Listed(one.note.number, one.note.revision) for one in found))


async def page(
    t: Texts,
    app: App,
    guild_id: str,
    head: str,
    listed: Sequence[Listed],
    button: Callable[[str, int, int, Texts], Control],
    turning: Sequence[Control] = (),
) -> Page:
    """The message about some notes, as they are by now.

    Args:
        t: The language of whoever reads it.
        app: The application.
        guild_id: Whose notes.
        head: What stands above; no line of it may begin as that of a note does.
        listed: The notes.
        button: Makes a button of an act, a number, a revision and the language.
        turning: Buttons that turn pages.
    """
    lines, view, open_here = [head], buttons(), 0
    for place, one in enumerate(listed):
        note = await app.notebook.ledger.note(guild_id, one.number)
        found = await app.findings.open(guild_id, now(), _MOST, [note.id])
        waits = note.revision == one.revision and bool(found)
        open_here += waits
        lines.append(_reasons(t, note, found) if waits else await _dealt_with(t, app, note))
        for act in ("verify", "edit", "retire", "later") if waits else ("done",):
            item = button(act, one.number, one.revision, t)
            item.row = place
            view.add_item(item)
    if not turning and (more := len(await stale_notes(app, guild_id)) - open_here) > 0:
        lines.append(f"-# {t('digest.more', count=more)}")
    for turn in turning:
        turn.row = PAGE
        view.add_item(turn)
    return Page(render.cut("\n".join(lines)), view)


def read_back(message: discord.Message) -> tuple[str, list[Listed], list[str]]:
    """What a message of ours said above, which notes it lists, and the ids of its other buttons."""
    lines = message.content.splitlines()
    above = next((n for n, line in enumerate(lines) if line.startswith(_HEAD)), len(lines))
    rows = [row for row in message.components if isinstance(row, discord.ActionRow)]
    ids = [str(getattr(one, "custom_id", "")) for row in rows for one in row.children]
    matches = [
        (re.fullmatch(r"eren:stale:\w+:([0-9]{1,10}):([0-9]{1,9})", one), one) for one in ids
    ]
    listed = dict.fromkeys(Listed(int(m[1]), int(m[2])) for m, _ in matches if m)
    return "\n".join(lines[:above]), list(listed), [one for m, one in matches if not m]


def _reasons(t: Texts, note: Note, found: Sequence[Finding]) -> str:
    told = [f"{_HEAD}{note.number}** {render.title(note, _TITLE)}"]
    told += [f"-# {_reason(t, one)}" for one in found[:_REASONS]]
    told.append(f"-# → {t(f'advice.{found[0].stale.name.lower()}')}")
    return "\n".join(told)


def _reason(t: Texts, one: Finding) -> str:
    return t(
        f"stale.{one.stale.name.lower()}",
        other=one.other.number if one.other else "",
        title=render.title(one.other, _TITLE) if one.other else "",
        since=render.when(one.since) if one.since else "",
        count=one.count,
        total=one.total,
        p=f"{one.p:.0%}" if one.p is not None else "",
    )


async def _dealt_with(t: Texts, app: App, note: Note) -> str:
    """What became of a note that was listed, and by whom."""
    if off := await app.findings.put_off_by(note, now()):
        until, person = render.when(off[0]), render.person(t, off[1])
        return f"{_HEAD}{note.number}** {t('stale.put_off', until=until, person=person)}"
    last = (await app.notebook.history(note.guild_id, note.number))[-1]
    act, person = render.act(t, last.act), render.person(t, last.by.actor_id)
    return f"{_HEAD}{note.number}** ✓ {t('stale.done', act=act, person=person)}"
