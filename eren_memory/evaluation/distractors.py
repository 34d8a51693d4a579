"""Notes that belong to no edit of the file, for a notebook that is large."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from eren_memory.errors import BadInput
from eren_memory.evaluation.datasets import ASKING, Benchmark, Case
from eren_memory.evaluation.metrics import normalise
from eren_memory.evaluation.reading import load

ABOUT_THE_SAME = "a distractor from another file names all that it names"
ASKS_FOR_MADE_UP = "a generated distractor answers it"

# Same subject, other property. A year goes into each, so that no two of them contradict each other;
# the first word is what a question that one of them answers would have to ask for.
_TEMPLATES = (
    ("festival", "The {year} festival of {subject} had {number} visitors."),
    ("stamp", "In {year} a stamp with {subject} on it cost {number} cents."),
    ("exhibition", "The {year} exhibition about {subject} was held in room {number}."),
    ("catalogue", "The {year} catalogue gives {subject} the number {number}."),
    ("choir", "A choir sang about {subject} on {number} evenings in {year}."),
    ("quiz", "The {year} quiz had {number} questions about {subject}."),
    ("board game", "The {year} board game about {subject} was made by {person}."),
    ("poster", "In {year} the poster for {subject} was {colour}."),
    ("lecture", "The {year} lecture on {subject} was given by {person}."),
    ("cake", "The {year} cake in honour of {subject} weighed {number} kilograms."),
)
_YEARS = range(1851, 2011)
_PERSONS = ("Mira Voss", "Denis Harrow", "Tova Lind", "Arden Pike", "Sela Marr", "Jorin Eck")
_COLOURS = ("teal", "scarlet", "ochre", "violet", "silver", "black")


@dataclass(frozen=True, slots=True)
class Distractors:
    """Notes, how many of them were generated, and the SHA-256 of the files the others came from."""

    statements: tuple[str, ...]
    generated: int
    files: tuple[str, ...]


def gather(benchmark: Benchmark, count: int, files: Sequence[Path], seed: int) -> Distractors:
    """`count` notes: the statements of other files, then generated ones about the file's own subjects.

    Raises:
        BadInput: There are not as many; the most that can be had is named.
    """
    taken = {normalise(text) for edit in benchmark.edits for text in edit.statements}
    others = [load(path) for path in files]
    found: list[str] = []
    borrowed = sorted(
        {text for other in others for edit in other.edits for text in edit.statements},
        key=lambda text: hashlib.sha256(f"{seed}:{text}".encode()).digest(),
    )
    for text in borrowed:
        if len(found) < count and normalise(text) not in taken:
            taken.add(normalise(text))
            found.append(text)
    from_files = len(found)
    for text in _generated(subjects(benchmark), seed):
        if len(found) >= count:
            break
        found.append(text)
    if len(found) < count:
        raise BadInput(
            f"Only {len(found):,} distractors can be made here: ask for fewer, or name further files "
            "with --distractors-from."
        )
    return Distractors(
        tuple(found), len(found) - from_files, tuple(sorted(one.sha256 for one in others))
    )


def answered(benchmark: Benchmark, distractors: Distractors) -> list[tuple[Case, str]]:
    """The cases that a distractor may answer, with the reason.

    A statement from another file may answer whatever names nothing else than it does (the words of a
    question with a capital); that leaves out more than it must, and no model has to judge. A generated
    one answers only questions that ask for its property.
    """
    borrowed = distractors.statements[: len(distractors.statements) - distractors.generated]
    holding: dict[str, set[int]] = {}
    for place, text in enumerate(borrowed):
        for word in normalise(text).split():
            holding.setdefault(word, set()).add(place)
    found = []
    for edit in benchmark.edits:
        for case in edit.cases:
            places = [holding.get(name, set()) for name in _names(case.text)]
            if places and set[int].intersection(*places):
                found.append((case, ABOUT_THE_SAME))
            elif distractors.generated and any(
                f" {asked} " in f" {normalise(case.text)} " for asked, _ in _TEMPLATES
            ):
                found.append((case, ASKS_FOR_MADE_UP))
    return found


def subjects(benchmark: Benchmark) -> list[str]:
    """What the edits are about: as the file says, or the name that their note begins with."""
    found: dict[str, None] = {}
    for edit in benchmark.edits:
        begins = re.match(r"(?:[^\W\d_a-z][\w.'-]*\s+)+", edit.statement)
        name = edit.subject or (begins.group().strip() if begins else "")
        if name and normalise(name):
            found[name] = None
    return list(found)


def _generated(about: Sequence[str], seed: int) -> Iterator[str]:
    """Every subject once, then every subject again with another year and property."""
    draw = random.Random(f"distractors:{seed}")  # noqa: S311 - A repeatable sample.
    forms = [(template, year) for _, template in _TEMPLATES for year in _YEARS]
    draw.shuffle(forms)
    for template, year in forms:
        for subject in about:
            yield template.format(
                subject=subject,
                year=year,
                number=draw.randrange(2, 990),
                person=draw.choice(_PERSONS),
                colour=draw.choice(_COLOURS),
            )


def _names(text: str) -> set[str]:
    """The words of a question with a capital or a digit, without the word that asks."""
    words = re.findall(r"[\w.]+", text)
    named = {word for word in words if word[0].isupper() or word[0].isdigit()}
    return {*normalise(" ".join(named)).split()} - ASKING
