"""Search over notes. The ledger is the truth; an index is a projection that can be built again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from eren_memory.domain import Note

Vectors = NDArray[np.float32]
"""Unit-length rows, shape (texts, dimension)."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A note that matched. `dense` is the cosine in [-1, 1], `lexical` the BM25 score, >= 0."""

    note_id: UUID
    revision: int
    dense: float
    lexical: float


class NoteIndex(Protocol):
    """What the notebook needs of a search engine. Failures are `NoteIndexError`."""

    async def upsert(self, notes: Sequence[Note], dense: Vectors) -> None:
        """Project notes with their vectors, unless the index holds the same or a later revision.

        A note that is not active becomes a tombstone: it is never found, and an earlier revision
        that arrives late cannot bring it back. Tombstones ignore their row of `dense`.
        """
        ...

    async def checkpoint(self) -> None:
        """Return once everything written so far survives a power cut."""
        ...

    async def search(self, text: str, dense: Vectors, guild_id: str, limit: int) -> list[Hit]:
        """Active notes of the guild near the question (`dense` has shape (1, dimension)).

        The best `limit` by cosine and the best `limit` by BM25, merged by a weighted sum.
        """
        ...

    async def count(self) -> int:
        """How many active notes the index holds, over all guilds."""
        ...

    def stamp(self) -> None:
        """Record that the index is whole but for what stands in the outbox."""
        ...

    async def close(self) -> None:
        """Release files and connections."""
        ...
