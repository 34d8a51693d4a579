"""What a new note meets: near notes that say the same, contradict it, or are only related.

Vectors and words testify, and the model reads the near note with the new one as a claim: true, false
or unknown. A softmax over the evidence decides; without a model, vectors and words alone do, which
finds less (`Compared.by_model` says so).
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import takewhile

from eren_memory.domain import Candidate, Note, NoteDraft, NoteStatus
from eren_memory.embedder import Embedder
from eren_memory.errors import LocalModelError, ModelError
from eren_memory.ledger.ledger import Ledger
from eren_memory.llm import ChatModel
from eren_memory.prompts import claim_reading
from eren_memory.text import normalised
from eren_memory.verdicts import claim_verdict

NEAR = 0.5
"""Cosine from which a note is worth comparing; of 200 pairs that say the same or contradict (the fitted
half of the development edits) one lies below."""
READ = 3
"""Near notes that the model reads, the nearest first; a call each."""
# Below this probability a note is only related: a false alarm costs a moderator's patience.
_SURE = 0.6
_VERDICT_TOKENS = 4
_PAGE = 500
_TRACE = 1e-6

_log = logging.getLogger(__name__)


class Kind(StrEnum):
    """What two notes are to each other."""

    DUPLICATE = "duplicate"
    """The same statement in other words."""
    CONFLICT = "conflict"
    """The same subject and property with another value: not both can be true."""
    RELATED = "related"


@dataclass(frozen=True, slots=True)
class Meeting:
    """A near note and what it is to the new one; `p` is the probability of that."""

    kind: Kind
    candidate: Candidate
    p: float

    @property
    def note(self) -> Note:
        """The note that is there already."""
        return self.candidate.note


@dataclass(frozen=True, slots=True)
class Compared:
    """What a note meets, the gravest first.

    `by_model` is False where no model could be asked, `compared` where nothing could be compared.
    """

    meetings: tuple[Meeting, ...] = ()
    by_model: bool = True
    compared: bool = True

    @property
    def grave(self) -> tuple[Meeting, ...]:
        """Those that a person has to decide about."""
        return tuple(one for one in self.meetings if one.kind is not Kind.RELATED)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of one pair of notes.

    `dense` is the cosine of their vectors, `overlap` the Jaccard overlap of their words, `begins` the
    share of words alike from the start on; `true` and `false` are the model's log-odds against
    unknown, None where it was not asked.
    """

    dense: float
    overlap: float
    begins: float
    true: float | None = None
    false: float | None = None

    @property
    def features(self) -> tuple[float, ...]:
        """In the order of the weights; with or without the model's part."""
        alone = (self.dense, self.overlap, self.begins)
        return alone if self.true is None or self.false is None else (*alone, self.true, self.false)


Weights = Mapping[Kind, tuple[float, ...]]
"""For each kind its intercept and one weight a feature."""

# By `eren eval-conflicts --fit`: 420 pairs of the first half of the development edits, 2026-11-23,
# the embedded model. The evidence of other models is read alike.
WITH_MODEL: Weights = {
    Kind.DUPLICATE: (-4.923, 5.273, 2.152, -2.033, 0.760, -0.441),
    Kind.CONFLICT: (-0.717, 0.314, 0.948, 1.697, -0.534, 1.121),
    Kind.RELATED: (5.640, -5.587, -3.100, 0.336, -0.226, -0.680),
}
WITHOUT_MODEL: Weights = {
    Kind.DUPLICATE: (-9.883, 11.607, 1.788, -2.173),
    Kind.CONFLICT: (1.293, -2.476, 1.657, 1.943),
    Kind.RELATED: (8.590, -9.132, -3.446, 0.230),
}


class Judge:
    """Compares notes, with the chat model as a witness."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    async def compare(self, draft: NoteDraft, near: Sequence[Candidate]) -> Compared:
        """What `draft` meets among `near`, which are ordered by nearness."""
        chosen = [one for one in near if one.dense >= NEAR and coincide(draft, one.note)]
        read = chosen[:READ]
        try:
            heard = await asyncio.gather(
                *(self.witness(one.note.text, draft.text, one.dense) for one in read)
            )
        except (ModelError, LocalModelError) as error:
            _log.info("Notes were compared without the model: %s", error)
            heard = [evidence(one.note.text, draft.text, one.dense) for one in read]
        meetings = [_judged(one, seen) for one, seen in zip(read, heard, strict=True)]
        meetings += [
            _judged(one, evidence(one.note.text, draft.text, one.dense)) for one in chosen[READ:]
        ]
        order = list(Kind)
        meetings.sort(key=lambda one: (order.index(one.kind), -one.p))
        return Compared(tuple(meetings), all(seen.true is not None for seen in heard))

    async def witness(self, old: str, new: str, dense: float) -> Evidence:
        """The evidence with the model's part. Raises `ModelError`."""
        reply = await self._model.complete(
            claim_reading(old, new), max_tokens=_VERDICT_TOKENS, logprobs=True
        )
        mass, _ = claim_verdict(reply.first_token, reply.text)
        true, false, unknown = (math.log(mass[w] + _TRACE) for w in ("true", "false", "unknown"))
        alone = evidence(old, new, dense)
        return replace(alone, true=true - unknown, false=false - unknown)


async def alike(
    ledger: Ledger, embedder: Embedder, guild_id: str, text: str, limit: int
) -> list[Candidate]:
    """The active notes that share most words with `text`, nearest first, without an index.

    Reads the guild's notes page by page, so it is for a process that cannot have the index.
    """
    best: list[Note] = []
    last = 0
    while page := await ledger.notes(guild_id, NoteStatus.ACTIVE, after=last, limit=_PAGE):
        best = sorted([*best, *page], key=lambda note: -overlap(note.text, text))[:limit]
        last = page[-1].number
    asked, *others = await embedder.embed([text, *(note.text for note in best)])
    pairs = zip(best, others, strict=True)
    found = [Candidate(note, float(asked @ vector), 0.0) for note, vector in pairs]
    return sorted(found, key=lambda one: -one.dense)


def evidence(old: str, new: str, dense: float) -> Evidence:
    """The evidence of vectors and words alone; `dense` is the cosine of the two notes."""
    one, other = _words(old), _words(new)
    alike = sum(
        1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    )
    return Evidence(dense, overlap(old, new), alike / (max(len(one), len(other)) or 1))


def overlap(one: str, other: str) -> float:
    """Jaccard overlap of the words of two texts, in [0, 1]."""
    words, others = {*_words(one)}, {*_words(other)}
    return len(words & others) / (len(words | others) or 1)


def probabilities(seen: Evidence) -> dict[Kind, float]:
    """The softmax over the kinds."""
    weights = WITHOUT_MODEL if seen.true is None else WITH_MODEL
    scores = {
        kind: own[0] + sum(w * x for w, x in zip(own[1:], seen.features, strict=True))
        for kind, own in weights.items()
    }
    highest = max(scores.values())
    masses = {kind: math.exp(score - highest) for kind, score in scores.items()}
    return {kind: mass / sum(masses.values()) for kind, mass in masses.items()}


def decided(seen: Evidence) -> tuple[Kind, float]:
    """The kind that the evidence is for, and its probability; what is not sure is only related."""
    p = probabilities(seen)
    kind = max(p, key=lambda one: p[one])
    return (kind, p[kind]) if p[kind] >= _SURE else (Kind.RELATED, p[Kind.RELATED])


def coincide(draft: NoteDraft | Note, note: Note) -> bool:
    """Whether some question could meet both: their places and their dates overlap."""
    apart = draft.scope and note.scope and {*draft.scope}.isdisjoint(note.scope)
    before = draft.valid_until and note.valid_from and draft.valid_until <= note.valid_from
    after = note.valid_until and draft.valid_from and note.valid_until <= draft.valid_from
    return not (apart or before or after)


def _judged(near: Candidate, seen: Evidence) -> Meeting:
    kind, p = decided(seen)
    return Meeting(kind, near, p)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", normalised(text))
