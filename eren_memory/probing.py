"""A correction is an edit with a test: questions that its note must answer, and that it must not."""

from __future__ import annotations

from dataclasses import dataclass

from eren_memory.domain import Note, Place
from eren_memory.engine import Eren


@dataclass(frozen=True, slots=True)
class Probe:
    """A question, and whether the note must answer it (`change`) or must not."""

    question: str
    change: bool


@dataclass(frozen=True, slots=True)
class Probed:
    """What came of a probe: the unedited model's answer `before`, and the one with the notebook."""

    note: Note
    probe: Probe
    passed: bool
    before: str
    answer: str


def probes_of(note: Note) -> list[Probe]:
    """The note's probes; where it has none that must change, the question that it corrects is one."""
    change = note.probes.change or ((note.question,) if note.question else ())
    return [
        *(Probe(question, change=True) for question in change),
        *(Probe(question, change=False) for question in note.probes.keep),
    ]


async def probe(eren: Eren, note: Note, wanted: Probe) -> Probed:
    """Ask a probe where the note is visible, without and with the notebook. Raises as `Eren.answer`."""
    place = Place(note.guild_id, note.scope)
    before = await eren.answer(wanted.question, place, "unedited")
    answer = await eren.answer(wanted.question, place)
    answered = any(one.note.id == note.id for one in answer.notes)
    return Probed(note, wanted, answered == wanted.change, before.text, answer.text)
