"""The notebook: every write goes to the ledger first, every read sees every write before it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from uuid import UUID

import numpy as np

from eren_memory.domain import Candidate, Note, NoteDraft, NoteStatus
from eren_memory.embedder import Embedder
from eren_memory.errors import DuplicateNote, EmbedderError, NoteIndexError
from eren_memory.index import Hit, NoteIndex
from eren_memory.ledger import AddedNote, Ledger, Pending

# Notes that one projection step embeds, writes and makes durable together.
_BATCH = 256

_log = logging.getLogger(__name__)

OpenIndex = Callable[[Embedder], Awaitable[tuple[NoteIndex, bool]]]
"""Opens the index for an embedder's space; the flag says that it is new and has to be filled."""
Progress = Callable[[int, int], None]
"""Called with (done, total) as long work goes on."""


def utc_now() -> datetime:
    """The clock of a running program."""
    return datetime.now(UTC)


class Notebook:
    """Notes of every guild: the ledger owns them, the index finds them.

    The index is opened by the first search or projection. Until then writes wait in the ledger's
    outbox, so that listing and adding need neither the embedding model nor the index.
    """

    def __init__(
        self,
        ledger: Ledger,
        embedder: Embedder,
        open_index: OpenIndex,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._ledger = ledger
        self._embedder = embedder
        self._open_index = open_index
        self._clock = clock
        self._index: NoteIndex | None = None
        self._opening = asyncio.Lock()
        self._projecting = asyncio.Lock()
        self._unembeddable: set[UUID] = set()

    async def add(self, guild_id: str, draft: NoteDraft, actor_id: str) -> Note:
        """Add one note; the next question finds it.

        Raises:
            BadInput: The text is empty, too long or unreadable.
            DuplicateNote: An active note says exactly this.
        """
        [added] = await self.add_many(guild_id, [draft], actor_id)
        if not added.created:
            raise DuplicateNote(
                f"Note #{added.note.number} already says exactly this. Nothing was added."
            )
        await self._project_if_open()
        return added.note

    async def add_many(
        self, guild_id: str, drafts: Sequence[NoteDraft], actor_id: str
    ) -> list[AddedNote]:
        """Add notes in one transaction, skipping what active notes say. `project` makes them found."""
        checked = [draft.checked() for draft in drafts]
        return await self._ledger.add(guild_id, checked, actor_id, self._clock())

    async def retire(
        self, guild_id: str, number: int, actor_id: str, reason: str | None = None
    ) -> Note:
        """Take a note out of use; the next question does not find it."""
        note = await self._ledger.retire(guild_id, number, actor_id, reason, self._clock())
        await self._project_if_open()
        return note

    async def note(self, guild_id: str, number: int) -> Note:
        """The note with that number. Raises `NoteNotFound`."""
        return await self._ledger.note(guild_id, number)

    async def notes(self, guild_id: str, status: NoteStatus | None = None) -> list[Note]:
        """Notes in the order of their numbers."""
        return await self._ledger.notes(guild_id, status)

    async def newest(self, guild_id: str, limit: int) -> list[Note]:
        """Active notes, the newest first."""
        return await self._ledger.newest(guild_id, limit)

    async def counts(self, guild_id: str) -> dict[NoteStatus, int]:
        """Notes of a guild by status."""
        return await self._ledger.counts(guild_id)

    async def search(self, guild_id: str, text: str, limit: int) -> list[Candidate]:
        """The notes nearest to `text`, best first, as the ledger holds them now.

        Raises:
            IndexBusy: Another process holds the embedded index.
        """
        index = await self.open()
        await self.project()
        question = await self._embedder.embed([text])
        hits = await index.search(text, question, guild_id, limit)
        current = await self._ledger.by_ids(hit.note_id for hit in hits)
        return [
            Candidate(current[hit.note_id], hit.dense, hit.lexical)
            for hit in hits
            if hit.note_id in current and _answers(current[hit.note_id], guild_id, hit)
        ]

    async def project(self, progress: Progress | None = None) -> int:
        """Bring the index up to the ledger; returns how many notes were written to it."""
        index = await self.open()
        done = 0
        async with self._projecting:
            total = await self._ledger.pending_count() if progress else 0
            while (pending := await self._ledger.pending(_BATCH, without=self._unembeddable)).rows:
                await self._write(index, pending)
                done += len(pending.notes)
                if progress:
                    progress(done, max(total, done))
        return done

    async def pending(self) -> int:
        """How many notes the index does not know yet."""
        return await self._ledger.pending_count()

    async def open(self) -> NoteIndex:
        """Open the index and load the embedding model, once. Called before the first search."""
        async with self._opening:
            if self._index is None:
                index, new = await self._open_index(self._embedder)
                try:
                    if new or await index.count() < await self._known_to_index():
                        await self._ledger.enqueue_all()
                    index.stamp()
                except BaseException:
                    await index.close()
                    raise
                self._index = index
            return self._index

    async def close(self) -> None:
        """Close the index."""
        if self._index is not None:
            await self._index.close()
            self._index = None

    async def _known_to_index(self) -> int:
        """Active notes that an intact index must hold: those that do not wait in the outbox."""
        return await self._ledger.active_count() - await self._ledger.pending_count()

    async def _project_if_open(self) -> None:
        if self._index is None:
            return
        try:
            await self.project()
        except (EmbedderError, NoteIndexError) as error:
            # The ledger has the write, and the outbox the rest: it must not be reported as failed.
            _log.warning("A note waits for the index: %s", error)

    async def _write(self, index: NoteIndex, pending: Pending) -> None:
        active = [note for note in pending.notes if note.status is NoteStatus.ACTIVE]
        dimension = await self._embedder.load()
        vectors = np.zeros((len(pending.notes), dimension), dtype=np.float32)
        if active:
            try:
                embedded = await self._embedder.embed([note.text for note in active])
            except EmbedderError:
                if not await self._set_aside(active):
                    raise
                return
            rows = [
                row for row, note in enumerate(pending.notes) if note.status is NoteStatus.ACTIVE
            ]
            vectors[rows] = embedded
        await index.upsert(pending.notes, vectors)
        await index.checkpoint()
        await self._ledger.projected(pending)

    async def _set_aside(self, notes: Sequence[Note]) -> bool:
        """Find the notes that the embedder refuses, so that one of them stops nobody's questions.

        They stay in the outbox for the next start. Returns whether there were any; raises
        `EmbedderError` when it refuses everything.
        """
        known = len(self._unembeddable)
        await self._embedder.embed(["Does the embedder work at all?"])
        for note in notes:
            try:
                await self._embedder.embed([note.text])
            except EmbedderError as error:
                self._unembeddable.add(note.id)
                _log.warning(
                    "Note #%d of %s is not searched: %s", note.number, note.guild_id, error
                )
        return len(self._unembeddable) > known


def _answers(note: Note, guild_id: str, hit: Hit) -> bool:
    """Whether the ledger still agrees with the index about this hit."""
    return (
        note.status is NoteStatus.ACTIVE
        and note.guild_id == guild_id
        and note.revision == hit.revision
    )
