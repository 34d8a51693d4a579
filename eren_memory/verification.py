"""Is an index of a new embedding model fit to answer from? Every vector, and what it finds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from eren_memory.carrying import Pair
from eren_memory.domain import Note
from eren_memory.embedder import Embedder
from eren_memory.errors import ReembedRefused
from eren_memory.index import Held, Vectors
from eren_memory.ledger.ledger import Ledger
from eren_memory.ledger.outbox import Outbox
from eren_memory.ledger.records import Records
from eren_memory.reconciling import reconcile
from eren_memory.relevance import Overlap
from eren_memory.space import Projection
from eren_memory.wording import named, residues

_PAGE = 256
# Of the notebook, what both spaces are compared on.
_NOTES = 1_000
_QUESTIONS = 100
_FEWEST_NOTES = 10
# Notes that are near a question in both spaces are counted among so many, of each at most.
_NEAREST = 10
_PAIRS_EACH = 3
_TEXTS_AT_ONCE = 16

LEAST_OVERLAP = 0.1
"""Of two sound models about half of the nearest notes are the same; of chance, none beyond chance."""
_ALIKE = 0.98
_UNIT = 0.02

Breathe = Callable[[float], Awaitable[None]]
"""Awaited between two steps, with the seconds that the step took."""


@dataclass(frozen=True, slots=True)
class Compared:
    """How two spaces answer the same questions.

    Attributes:
        questions: How many were asked.
        overlap: The share of nearest notes in common, 0 for chance and 1 for all; None where there
            are too few notes to say.
        pairs: Questions and notes near them.
    """

    questions: int = 0
    overlap: float | None = None
    pairs: tuple[Pair, ...] = ()


async def check_points(ledger: Ledger, new: Projection, breathe: Breathe) -> int:
    """Have every active note in the index as it stands now, with a vector; returns how many.

    Raises:
        ReembedRefused: Some are not, though all were written; or some that are found now could not be.
    """
    await reconcile(ledger, new.projector)
    index, outbox = await new.projector.open(), Outbox(ledger, new.space)
    checked, wrong, last = 0, 0, None
    while page := await ledger.active_after(last, _PAGE):
        last = page[-1].id
        ids = [note.id for note in page]
        # In this order: what is edited meanwhile either waits or is held in its later form.
        waiting = await outbox.waiting(ids)
        held = await index.held(ids)
        wrong += sum(not _fits(held.get(n.id), n) for n in page if n.id not in waiting)
        checked += len(page)
        await breathe(0)
    if wrong:
        raise ReembedRefused(
            f"The index of {new.space} lacks {wrong} of {checked} notes, or holds them otherwise, "
            "although all were written. Questions go on in the old one."
        )
    refused, without = await outbox.refused(), await ledger.outbox.refused()
    if lost := [reason for note, reason in refused.items() if note not in without]:
        raise ReembedRefused(
            f"{new.space} cannot have {len(lost)} notes that are found now: {lost[0]} "
            "Questions go on in the old one."
        )
    return checked


async def compare(
    ledger: Ledger, records: Records, old: Projection, new: Projection, breathe: Breathe
) -> Compared:
    """Ask both spaces the same questions: past ones, or the notes' own where there are too few.

    Raises:
        ReembedRefused: What the new model finds has nothing to do with the texts.
    """
    notes, olds, news = await _sample(ledger, old, new)
    if len(notes) < _FEWEST_NOTES:
        return Compared()
    asked = await records.questions(_QUESTIONS)
    if len(asked) < _QUESTIONS:
        own = [note.question or note.text for note in notes]
        asked = list(dict.fromkeys([*asked, *own]))[:_QUESTIONS]
    olds_asked = await _embedded(old.embedder, asked, breathe)
    news_asked = await _embedded(new.embedder, asked, breathe)
    _refuse_nonsense(new.space, news, news_asked, await new.embedder.embed(asked[:1]))
    before, after = olds_asked @ olds.T, news_asked @ news.T
    for row, question in enumerate(asked):
        # A note finds itself in every space.
        itself = [column for column, note in enumerate(notes) if note.text == question]
        before[row, itself] = after[row, itself] = -1.0
    overlap = _overlap(before, after)
    if overlap < LEAST_OVERLAP:
        raise ReembedRefused(
            f"{new.space} finds other notes than {old.space}: of the nearest ones to {len(asked)} "
            f"questions {overlap:.0%} are the same beyond chance, {LEAST_OVERLAP:.0%} are needed. "
            "Questions go on in the old one."
        )
    places = [
        (row, column)
        for row in range(len(asked))
        for column in sorted({*_best(before[row], _PAIRS_EACH), *_best(after[row], _PAIRS_EACH)})
        if before[row, column] > -1
    ]
    texts = [(asked[row], notes[column].text) for row, column in places]
    old_rests = await _overlaps(old.embedder, texts, breathe)
    new_rests = await _overlaps(new.embedder, texts, breathe)
    pairs = [
        Pair(float(before[place]), float(after[place]), was, is_)
        for place, was, is_ in zip(places, old_rests, new_rests, strict=True)
    ]
    return Compared(len(asked), overlap, tuple(pairs))


async def _sample(
    ledger: Ledger, old: Projection, new: Projection
) -> tuple[list[Note], Vectors, Vectors]:
    """Notes that both indexes hold, with their vectors: shape (notes, dimension) each."""
    notes = await ledger.some_active(_NOTES)
    held: list[dict[UUID, Held]] = []
    for projection in (old, new):
        index = await projection.projector.open()
        held.append({})
        for start in range(0, len(notes), _PAGE):
            held[-1] |= await index.held([note.id for note in notes[start : start + _PAGE]])
    both = [n for n in notes if all(n.id in one and one[n.id].text == n.text for one in held)]
    if not both:
        return [], np.zeros((0, 0), np.float32), np.zeros((0, 0), np.float32)
    olds, news = (np.stack([one[note.id].dense for note in both]) for one in held)
    return both, olds, news


async def _embedded(embedder: Embedder, texts: Sequence[str], breathe: Breathe) -> Vectors:
    """Vectors of texts, a few at a time: a member's question waits for no more than these."""
    parts = []
    for start in range(0, len(texts), _TEXTS_AT_ONCE):
        parts.append(await embedder.embed(texts[start : start + _TEXTS_AT_ONCE]))
        await breathe(0)
    return np.concatenate(parts)


async def _overlaps(
    embedder: Embedder, pairs: Sequence[tuple[str, str]], breathe: Breathe
) -> list[Overlap]:
    """As `Asking.overlap`, of many pairs."""
    rests = [residues(question, note) for question, note in pairs]
    texts = list(dict.fromkeys(text for both in rests if all(both) for text in both))
    vectors = await _embedded(embedder, texts, breathe) if texts else np.zeros((0, 0))
    at = {text: vectors[place] for place, text in enumerate(texts)}
    return [
        Overlap(
            float(at[both[0]] @ at[both[1]]) if all(both) else 1.0,
            named(question, note),
        )
        for both, (question, note) in zip(rests, pairs, strict=True)
    ]


def _fits(held: Held | None, note: Note) -> bool:
    if held is None or held.revision < note.revision:
        return False
    if held.revision == note.revision and held.text != note.text:
        return False
    # NaN is not within the bounds either.
    return bool(abs(float(np.linalg.norm(held.dense)) - 1) < _UNIT)


def _refuse_nonsense(space: str, notes: Vectors, asked: Vectors, again: Vectors) -> None:
    mean = notes.mean(axis=0)
    if float(mean @ mean) > _ALIKE:  # The mean cosine of all pairs.
        raise ReembedRefused(
            f"{space} gives different texts nearly the same vector. Questions go on in the old one."
        )
    if float(asked[0] @ again[0]) < _ALIKE:
        raise ReembedRefused(
            f"{space} gives the same text different vectors. Questions go on in the old one."
        )


def _overlap(before: Vectors, after: Vectors) -> float:
    """The mean share of nearest notes in common, chance taken off."""
    count = int(before.shape[1])
    nearest = min(_NEAREST, max(1, count // 5))
    shares: list[float] = [
        len({*_best(was, nearest)} & {*_best(is_, nearest)}) / nearest
        for was, is_ in zip(before, after, strict=True)
    ]
    chance = nearest / count
    return (sum(shares) / len(shares) - chance) / (1 - chance)


def _best(row: Vectors, count: int) -> list[int]:
    return [int(one) for one in np.argsort(-row)[:count]]
