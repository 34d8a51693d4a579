"""Where a correction stands, as its buttons carry it from click to click."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from bot.controls import Interaction
from bot.desk import now
from bot.publishing import source_channel
from eren_memory.domain import Note
from eren_memory.errors import BadInput
from eren_memory.rules import superseded

# More do not fit into a button's 100 characters, of which the act, two numbers and the batch take most.
_MOST_REPLACED = 3
_PAIRS_LIMIT = 24


@dataclass(frozen=True, slots=True)
class Step:
    """Where a correction stands.

    `revision` is the draft's that was read, `batch` what Undo will take back, `replaced` the numbers
    of the notes in whose place it will stand, with the revisions that were read.
    """

    number: int
    revision: int
    batch: UUID
    replaced: Mapping[int, int] = field(default_factory=dict)

    def at(self, note: Note) -> Step:
        """The same step, with the draft as it is now."""
        return replace(self, revision=note.revision)


def pairs(replaced: Mapping[int, int]) -> str:
    """Numbers and revisions as a custom id carries them."""
    return ",".join(f"{number}.{revision}" for number, revision in replaced.items())


def replaceable(met: Sequence[Note]) -> list[Note]:
    """The notes of a conflict that a button can carry, the gravest first."""
    fitting = list(met[:_MOST_REPLACED])
    while len(pairs({one.number: one.revision for one in fitting})) > _PAIRS_LIMIT:
        fitting.pop()  # Very long numbers; the next comparison finds what was left.
    return fitting


def may_replace(draft: Note, olds: Sequence[Note]) -> bool:
    """Whether the notebook would take it in their place."""
    try:
        for old in olds:
            superseded(old, draft, now())
    except BadInput:
        return False
    return True


def home_of(note: Note, interaction: Interaction) -> str:
    """The channel that "here" means: where the answer stands, else where somebody acts."""
    return source_channel(note) or str(interaction.channel_id)
