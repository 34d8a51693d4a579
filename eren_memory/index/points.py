"""What a point holds, whatever the engine: payload, vector names, checks, BM25 and fusion."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import ceil, floor
from typing import Any
from uuid import UUID

import numpy as np
from qdrant_edge import Bm25, Bm25Config

from eren_memory.domain import Note, NoteStatus, Scope, View
from eren_memory.errors import ConfigError, NoteIndexError, NoteRefused
from eren_memory.index import Hit, Vectors, slug

DENSE = "dense"
BM25 = "bm25"
FILTERED = {
    "guild_id": "keyword",
    "status": "keyword",
    "reach": "keyword",
    "valid_from": "integer",
    "valid_until": "integer",
    "revision": "integer",
}
"""Every payload field that a filter names, with its type; the engines index exactly these."""

Scored = tuple[UUID, int, float]
"""What a ranking has of a note: its id, its revision, and the score."""

FORMAT = 4
"""Version of the payload and the vectors; a change rebuilds the index."""

EVERYWHERE = "guild"
"""Stands in the payload's scope for a note of the whole guild."""
# Seconds; every engine keeps them exactly as floats, and no date reaches them.
_ALWAYS = 2**40

LEXICAL_WEIGHT = 0.025
"""Cosine per BM25 point. Both notes of a HotpotQA question among the first 10: 0.94 with this sum,
0.92 with reciprocal rank fusion; the right FEVER note first: 0.96 against 0.94 (docs/decisions.md)."""

# BM25's average length in tokens. The default of 256 is meant for pages; notes are sentences.
_AVERAGE_LENGTH = 64.0


def payload(note: Note) -> dict[str, Any]:
    """The payload of a note; a tombstone keeps no text. Dates to filter by are UTC seconds.

    Who wrote it stands in the ledger alone: what an index has written, it cannot take back from its
    files without making them anew.
    """
    base = {
        "guild_id": note.guild_id,
        "status": str(note.status),
        "revision": note.revision,
        "number": note.number,
        "updated_at": note.updated_at.isoformat(),
    }
    if note.status is not NoteStatus.ACTIVE:
        return base
    return base | {
        "text": note.text,
        "source_url": note.source_url,
        "scope": _scopes(note.scope) or [EVERYWHERE],
        "reach": [
            _reach(note.guild_id),
            *(_reach(note.guild_id, one) for one in _scopes(note.scope) or [EVERYWHERE]),
        ],
        "valid_from": floor(note.valid_from.timestamp()) if note.valid_from else -_ALWAYS,
        "valid_until": ceil(note.valid_until.timestamp()) if note.valid_until else _ALWAYS,
    }


def _scopes(channels: Scope) -> list[str]:
    return [f"channel:{one}" for one in channels]


def _reach(*parts: str) -> str:
    # As JSON, so that no name of a guild or a channel can be read as two.
    return json.dumps(parts, ensure_ascii=False)


def reaches(view: View) -> list[str]:
    """What a note's `reach` has one of if it is active and the view shows its guild and scope.

    One field with all of it, because an engine that scans checks every further condition on every
    point: at 100,000 notes five of them took four times as long as the search itself.
    """
    if view.channels is None:
        return [_reach(view.guild_id)]
    return [_reach(view.guild_id, one) for one in (EVERYWHERE, *_scopes(view.channels))]


def is_timely(payload: Mapping[str, Any], view: View) -> bool:
    """Whether the view's moment lies within the dates of a point."""
    now = view.at.timestamp() if view.at else None
    return now is None or bool(payload["valid_from"] <= now < payload["valid_until"])


def checked(notes: Sequence[Note], dense: Vectors, dimension: int) -> Vectors:
    """`dense` if it fits `notes`; engines accept NaN silently and then never find the point."""
    if dense.shape != (len(notes), dimension):
        raise NoteIndexError(
            f"Vectors of shape {dense.shape} do not fit {len(notes)} notes of dimension {dimension}."
        )
    if not np.isfinite(dense).all():
        raise NoteIndexError("The embedding model returned a vector that is not finite.")
    return dense


def collection_name(space: str) -> str:
    """The name of the index of an embedding space, safe as a folder and as a collection."""
    return f"notes_{slug(space)}"


class Lexical:
    """BM25 term weights, made on this side for every engine."""

    def __init__(self, language: str) -> None:
        try:
            self._bm25 = Bm25(Bm25Config(language=language, avg_len=_AVERAGE_LENGTH))
        except ValueError as error:
            raise ConfigError(f"EREN_BM25_LANGUAGE={language} is not supported: {error}.") from None

    def document(self, text: str) -> tuple[list[int], list[float]]:
        """Indices and weights of a note. Raises `NoteRefused`."""
        try:
            vector = self._bm25.embed_document(text)
        except Exception as error:
            raise NoteRefused(
                f"Its words cannot be counted ({type(error).__name__}). Write it in other words."
            ) from error
        return list(vector.indices), list(vector.values)

    def query(self, text: str) -> tuple[list[int], list[float]]:
        """Indices and weights of a question."""
        vector = self._bm25.embed_query(text)
        return list(vector.indices), list(vector.values)


def one_sided(
    by_cosine: Sequence[Scored], by_bm25: Sequence[Scored], limit: int
) -> tuple[list[UUID], list[UUID]]:
    """Notes whose cosine, and notes whose BM25 score is yet to be asked for: the other ranking found them.

    A ranking ends at `limit`, and what comes behind may have almost as many points. Of two hundred
    notes about one person each has the name: without its own points for words, the one that answers
    came behind twenty others that are nothing but the name.
    """
    near, worded = ({one for one, *_ in ranking} for ranking in (by_cosine, by_bm25))
    # A ranking by words that has room left has every note with a word of the question.
    full = len(by_bm25) >= limit
    return [*(worded - near)], [*(near - worded)] if full else []


def fused(
    by_cosine: Sequence[Scored],
    by_bm25: Sequence[Scored],
    cosines: Mapping[UUID, float],
    lexical: Mapping[UUID, float],
    limit: int,
) -> list[Hit]:
    """Merge the two rankings by cosine + `LEXICAL_WEIGHT` · BM25, best first.

    Args:
        by_cosine: The nearest by cosine.
        by_bm25: The best by BM25.
        cosines: Of those that only the second found.
        lexical: BM25 scores of those that only the first found; without one it is 0.
        limit: Hits to return.
    """
    revisions = {one: revision for one, revision, _ in (*by_cosine, *by_bm25)}
    near = {**cosines, **{one: score for one, _, score in by_cosine}}
    worded = {**lexical, **{one: score for one, _, score in by_bm25}}
    hits = [
        Hit(one, revision, near[one], worded.get(one, 0.0))
        for one, revision in revisions.items()
        if one in near  # Else it was removed between the two queries.
    ]
    return sorted(hits, key=hybrid_score, reverse=True)[:limit]


def hybrid_score(hit: Hit) -> float:
    """The order of candidates; not a probability."""
    return hit.dense + LEXICAL_WEIGHT * hit.lexical
