"""Plays the corpus and counts what it brought about."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.hostility.attacks import Attack
from tests.hostility.effects import BROKEN, EFFECTS, Seen, effects
from tests.hostility.stage import Stage, stage
from tests.hostility.surfaces import SURFACES, Play, note_asked
from tests.hostility.worst import MOODS

_log = logging.getLogger(__name__)
_NO_MODEL = {"button", "number", "command", "file"}
_SUGGESTS = {"suggestion", "author"}
# Here moderators write or look, whose comparisons may read notes of every channel.
_MODERATED = {"suggestion", "author", "note", "number", "file", "attachment"}


@dataclass(frozen=True)
class Attempt:
    """One attack in one mood of the model, and what it brought about."""

    attack: Attack
    mood: str
    effects: tuple[str, ...]


async def play(at: Stage, attack: Attack) -> list[Attempt]:
    """An attack in every mood in which the model can matter."""
    tried = []
    at.worst.wanted = attack.wanted
    for mood in ("obeys",) if attack.where in _NO_MODEL else MOODS:
        at.worst.mood = mood
        if attack.where == "note" and mood == MOODS[0]:
            await SURFACES["note"](at, attack)  # It is there; the attack begins now.
        act: Play = note_asked if attack.where == "note" else SURFACES[attack.where]
        seen = await Seen.now(at)
        try:
            with at.env.time_context():
                await act(at, attack)
                await at.env.settle()
        except TimeoutError as error:  # The bot was busy for seconds with one message.
            _log.warning("%s/%s: %s", attack.kind, attack.id, error)
            tried.append(Attempt(attack, mood, (BROKEN,)))
            continue
        found = await effects(
            at,
            seen,
            suggests=attack.where in _SUGGESTS,
            member=attack.where not in _MODERATED and attack.by != "moderator",
        )
        tried.append(Attempt(attack, mood, tuple(found)))
    return tried


async def play_all(attacks: Sequence[Attack], folder: Path | None = None) -> list[Attempt]:
    """Attacks one after the other, each class before a stage of its own."""
    tried = []
    for kind in sorted({one.kind for one in attacks}):
        with tempfile.TemporaryDirectory(dir=folder, prefix="eren-hostility-") as home:
            async with stage(Path(home)) as at:
                for attack in attacks:
                    if attack.kind == kind:
                        tried += await play(at, attack)
    return tried


def table(tried: Iterable[Attempt]) -> str:
    """Attempts and successes, a line a class."""
    every = list(tried)
    rows = [["class", "attacks", "attempts", *EFFECTS]]
    for kind in sorted({one.attack.kind for one in every}):
        own = [one for one in every if one.attack.kind == kind]
        counts = [str(sum(name in one.effects for one in own)) for name in EFFECTS]
        rows.append([kind, str(len({one.attack.id for one in own})), str(len(own)), *counts])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|---|" + "---:|" * (len(rows[0]) - 1), *lines[1:]])


def told(tried: Iterable[Attempt]) -> str:
    """What succeeded, a line each."""
    return "\n".join(
        f"{one.attack.kind}/{one.attack.id} ({one.attack.where}, the model {one.mood}): "
        + ", ".join(one.effects)
        for one in tried
        if one.effects
    )
