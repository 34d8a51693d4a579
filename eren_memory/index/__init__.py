"""Search over notes. The ledger is the truth; an index is a projection that can be built again."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias
from uuid import UUID

from eren_memory.domain import Note, View

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def slug(space: str) -> str:
    """The name of an embedding space in the names of folders and collections."""
    return re.sub(r"[^a-z0-9]+", "_", space.lower()).strip("_")


Vectors: TypeAlias = "NDArray[np.float32]"
"""Unit-length rows, shape (texts, dimension). By name alone: a list of notes needs no numpy."""
Payload = Mapping[str, Any]
"""What a point says of its note, beside the vectors."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A note that matched. `dense` is the cosine in [-1, 1], `lexical` the BM25 score, >= 0."""

    note_id: UUID
    revision: int
    dense: float
    lexical: float


@dataclass(frozen=True, slots=True)
class Held:
    """What the index holds of an active note; `dense` has shape (dimension,)."""

    revision: int
    text: str
    dense: Vectors


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

    async def search(self, text: str, dense: Vectors, view: View, limit: int) -> list[Hit]:
        """Active notes that the view shows, near the question (`dense` has shape (1, dimension)).

        The best `limit` by cosine and the best `limit` by BM25, merged by a weighted sum. Word
        statistics are those of the view's guild and channels, whatever the dates: what others may
        see does not show through.
        """
        ...

    async def held(self, ids: Sequence[UUID]) -> dict[UUID, Held]:
        """Text and vector of these notes, as far as the index holds them as active ones."""
        ...

    def scan(self, batch: int) -> AsyncIterator[dict[UUID, Payload]]:
        """Everything the index holds, tombstones too, `batch` points at a time."""
        ...

    def payload(self, note: Note) -> Payload:
        """What `scan` shows of a note that is projected as it stands."""
        ...

    async def remove(self, ids: Sequence[UUID]) -> None:
        """Forget points, without a tombstone: only for what the ledger is asked about next."""
        ...

    async def count(self) -> int:
        """How many active notes the index holds, over all guilds."""
        ...

    def stamp(self) -> None:
        """Record that the index is whole but for what stands in the outbox."""
        ...

    async def scrub(self) -> None:
        """Have the files hold what is in the index and nothing of before, durably.

        Nobody may write meanwhile; searches go on.
        """
        ...

    async def close(self) -> None:
        """Release files and connections."""
        ...


class IndexStore(Protocol):
    """Where the indexes are, one for each embedding space."""

    @property
    def alone(self) -> bool:
        """Whether one process at a time has an index open."""
        ...

    async def open(self, space: str, dimension: int, ledger_id: str) -> tuple[NoteIndex, bool]:
        """The index of a space, and whether it is new and has to be filled.

        Raises:
            IndexBusy: Another process has it open.
            NoteIndexError: It cannot be opened.
        """
        ...

    async def drop(self, space: str, ledger_id: str) -> None:
        """Delete the index of a space, if there is one. Raises as `open`."""
        ...

    def spaces(self, ledger_id: str) -> list[str]:
        """Spaces whose indexes can be seen here without asking a server, the newest first."""
        ...
