"""Notes that cannot be indexed, set aside so that one of them stops neither the others nor a question.

They stay in the outbox, with the reason. An edit makes a new row there, which is taken up as any other.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from uuid import UUID

from eren_memory.domain import Note
from eren_memory.embedder import Embedder
from eren_memory.errors import EmbedderError, ErenError, NoteRefused
from eren_memory.index import NoteIndex, Vectors
from eren_memory.ledger.outbox import Outbox, Pending

_log = logging.getLogger(__name__)


class Quarantine:
    """The notes of one space that this process has set aside."""

    def __init__(self, outbox: Outbox, embedder: Embedder) -> None:
        self._outbox = outbox
        self._embedder = embedder
        self._rows: dict[int, UUID] = {}
        self._again = False
        self._told: set[tuple[UUID, int]] = set()

    @property
    def rows(self) -> Collection[int]:
        """Outbox rows to pass over."""
        return () if self._again else self._rows.keys()

    def try_again(self) -> None:
        """Have them tried again, at the next `begin`: a batch under way may be setting some aside."""
        self._again = True

    def begin(self) -> None:
        """A batch begins; no other is under way."""
        if self._again:
            self._rows.clear()
            self._again = False

    def settled(self, pending: Pending) -> list[int]:
        """Rows that are done with once these notes are in the index: their own, and older ones."""
        refused = {self._rows[seq] for seq in pending.rows if seq in self._rows}
        ids = {note.id for note in pending.notes} - refused
        older = [seq for seq, one in self._rows.items() if one in ids]
        for seq in older:
            del self._rows[seq]
        return [seq for seq in pending.rows if seq not in self._rows] + older

    async def embedded(self, notes: Sequence[Note], pending: Pending) -> Vectors | None:
        """Vectors of notes; None after some of them were set aside, because the embedder refuses them.

        Raises:
            EmbedderError: It refuses everything.
        """
        try:
            return await self._embedder.embed([note.text for note in notes])
        except EmbedderError:
            # Not their fault, if it does not embed this either.
            await self._embedder.embed(["Does the embedder work at all?"])
            found = False
            for note in notes:
                try:
                    await self._embedder.embed([note.text])
                except EmbedderError as error:
                    await self._take(note, pending, error)
                    found = True
            if not found:
                raise
            return None

    async def upsert(self, index: NoteIndex, pending: Pending, vectors: Vectors) -> None:
        """Project notes into the index, and set aside those that it refuses.

        Raises:
            NoteIndexError: It does not work, or refuses everything, and not only what it did before.
        """
        try:
            await index.upsert(pending.notes, vectors)
        except NoteRefused:
            refused: list[tuple[Note, NoteRefused]] = []
            for row, note in enumerate(pending.notes):
                try:
                    await index.upsert([note], vectors[row : row + 1])
                except NoteRefused as error:
                    refused.append((note, error))
            new = [note for note, _ in refused if note.id not in pending.refused]
            if new and len(refused) == len(pending.notes) > 1:
                raise
            for note, reason in refused:
                await self._take(note, pending, reason)

    async def _take(self, note: Note, pending: Pending, error: ErenError) -> None:
        rows = await self._outbox.set_aside(note.id, pending.rows, str(error))
        self._rows |= dict.fromkeys(rows, note.id)
        if (note.id, note.revision) not in self._told:  # Once, not at every try.
            self._told.add((note.id, note.revision))
            _log.warning("Note #%d of %s is not searched: %s", note.number, note.guild_id, error)
