"""From the ledger to one index: every change once, in order of need, and never lost on the way."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from eren_memory.domain import Note, NoteStatus
from eren_memory.embedder import Embedder
from eren_memory.errors import ErenError, NoteIndexError
from eren_memory.index import Hit, IndexStore, NoteIndex
from eren_memory.ledger.ledger import Ledger
from eren_memory.ledger.outbox import Outbox, Pending
from eren_memory.quarantine import Quarantine

# Notes that one projection step embeds, writes and makes durable together.
_BATCH = 256
_SETTLED_TOGETHER = 1_024
_SETTLED_SLOWLY = 64
# Waiting notes that a question takes along, the newest first: what somebody has just corrected.
_TAKEN_ALONG = 64

_log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with (done, total) as long work goes on."""
Pause = Callable[[float], Awaitable[None]]
"""Awaited after each batch, with the seconds that it took."""


class Projector:
    """Keeps the index of one space a copy of the ledger. Opened by the first who needs it.

    Attributes:
        embedded: Texts that were embedded so far.
    """

    def __init__(self, ledger: Ledger, embedder: Embedder, store: IndexStore) -> None:
        self._ledger = ledger
        self._embedder = embedder
        self._store = store
        self.outbox = Outbox(ledger, embedder.space)
        self.embedded = 0
        self._index: NoteIndex | None = None
        self._ledger_id = ""
        self._whole = False
        self._opening = asyncio.Lock()
        self._projecting = asyncio.Lock()
        self._quarantine = Quarantine(self.outbox, embedder)
        # Outbox rows whose notes are in the index, and found, but not yet safe from a power cut.
        self._unsettled: list[int] = []
        self._written = 0
        self._to_scrub = False

    @property
    def is_open(self) -> bool:
        """Whether this process has the index open."""
        return self._index is not None

    async def open(self) -> NoteIndex:
        """Open the index and load the embedding model, once.

        Raises:
            EmbedderError: The model cannot be loaded.
            IndexBusy: Another process holds the embedded index.
        """
        async with self._opening:
            if self._index is None:
                self._ledger_id = await self._ledger.id()
                index, new = await self._store.open(
                    self._embedder.space, await self._embedder.load(), self._ledger_id
                )
                try:
                    if new or await index.count() < await self._known_to_index():
                        await self.outbox.enqueue_all()
                    index.stamp()
                except BaseException:
                    await index.close()
                    raise
                self._index = index
            return self._index

    async def close(self) -> None:
        """Close the index."""
        if self._index is not None:
            try:
                await self._settle()
            except ErenError as error:
                _log.warning("Notes are indexed again at the next start: %s", error)
        await self.let_go()

    async def ready(self) -> NoteIndex:
        """The index with everything in it that a search has to see.

        That is all there is at first, and later what this process wrote and the newest of what others
        did. The rest of a great many notes is taken up in the background: no question waits for it.
        """
        index = await self.open()
        if not self._whole:
            await self._project()
            self._whole = True
            return index
        async with self._projecting:
            while (newest := await self._waiting(None, _TAKEN_ALONG, newest=True)).rows:
                if await self._write(index, newest):
                    break
        return index

    async def search(
        self, look: Callable[[NoteIndex], Awaitable[Sequence[Hit]]]
    ) -> tuple[Sequence[Hit], dict[UUID, Note]]:
        """What `look` finds in the index with every write before in it, and those notes as they stand.

        Mostly nothing waits, so it is looked up first, and one read of the ledger says both what the
        notes are now and that nothing waited. Otherwise, and where others write to the same index and
        may have just done so, the search comes after.
        """
        index = await self.open()
        if self._whole and self._store.alone:
            written = self._written
            try:
                hits = await look(index)
            except NoteIndexError:
                if self._index is index:
                    raise
            else:
                current, waiting = await self.outbox.current(
                    [hit.note_id for hit in hits], besides=self._passed_over()
                )
                if not waiting and (self._index, self._written) == (index, written):
                    return hits, current
        index = await self.ready()
        try:
            hits = await look(index)
        except NoteIndexError:
            # A backup that is restored brings another index; the one in hand is closed then.
            if (exchanged := await self.ready()) is index:
                raise
            hits = await look(exchanged)
        return hits, await self._ledger.by_ids([hit.note_id for hit in hits])

    async def changed(self, ids: Collection[UUID]) -> None:
        """After a write to these notes: bring them into the index, if this process holds it."""
        if self._index is None:
            return
        try:
            await self._project(of=ids if len(ids) <= _BATCH else None)
        except ErenError as error:
            # The ledger has the write, and the outbox the rest: it must not be reported as failed.
            _log.warning("A note waits for the index: %s", error)

    async def project(
        self, progress: Progress | None = None, *, batch: int = 0, pause: Pause | None = None
    ) -> int:
        """Bring the index up to the ledger, durably; returns how many notes were written to it.

        Args:
            progress: Hears how far it is.
            batch: Notes at a time; 0 for the usual number.
            pause: What is done between two batches.
        """
        done = await self._project(progress=progress, batch=batch, pause=pause)
        await self._settle()
        return done

    @asynccontextmanager
    async def still(self) -> AsyncIterator[NoteIndex]:
        """The index, into which this process projects nothing meanwhile."""
        index = await self.open()
        async with self._projecting:
            yield index

    async def let_go(self) -> None:
        """Close the index as it is; the next who needs it opens it again, of whatever ledger."""
        async with self._opening, self._projecting:
            if self._index is not None:
                try:
                    await self._index.close()
                except NoteIndexError as error:  # What is broken is opened, or made, anew.
                    _log.warning("The search index could not be closed: %s", error)
                self._index = None
                self._whole = False
            self._unsettled = []
            self._to_scrub = False
            # Another ledger numbers the rows of its outbox from the beginning.
            self._quarantine.try_again()

    def try_again(self) -> None:
        """Have notes tried again that were set aside."""
        self._quarantine.try_again()

    async def _known_to_index(self) -> int:
        """Active notes that an intact index must hold: those that do not wait in the outbox."""
        return await self._ledger.active_count() - await self.outbox.count()

    async def _project(
        self,
        of: Collection[UUID] | None = None,
        progress: Progress | None = None,
        batch: int = 0,
        pause: Pause | None = None,
    ) -> int:
        index = await self.open()
        total = await self.outbox.count() if progress else 0
        done = 0
        while True:
            started = time.monotonic()
            # Let go of after every batch: whoever corrects something now comes in between.
            async with self._projecting:
                waiting = await self._waiting(of, batch or _BATCH)
                if not waiting.rows:
                    return done
                await self._write(index, waiting)
            done += len(waiting.notes)
            if progress:
                progress(done, max(total, done))
            # What is done slowly is also seen to go on, by those who count what still waits.
            if len(self._unsettled) >= (_SETTLED_SLOWLY if pause else _SETTLED_TOGETHER):
                await self._settle()
            if pause:
                await pause(time.monotonic() - started)

    async def _waiting(
        self, of: Collection[UUID] | None, limit: int, *, newest: bool = False
    ) -> Pending:
        self._quarantine.begin()
        return await self.outbox.pending(limit, of=of, besides=self._passed_over(), newest=newest)

    def _passed_over(self) -> list[int]:
        return [*self._unsettled, *self._quarantine.rows]

    async def _settle(self) -> None:
        """Make what was written durable, and only then forget that it was to be written.

        Waiting for the disk takes a hundred times longer than the write; nobody who adds a note has
        to, because the ledger has it.
        """
        async with self._projecting:
            if self._unsettled and self._index is not None:
                if self._to_scrub:
                    await self._index.scrub()
                await self._index.checkpoint()
                await self.outbox.projected(self._unsettled)
                self._unsettled = []
                self._to_scrub = False

    async def _write(self, index: NoteIndex, pending: Pending) -> bool:
        """Write a batch; False where notes were set aside instead: what is left comes again."""
        import numpy as np

        active = [note for note in pending.notes if note.status is NoteStatus.ACTIVE]
        vectors = np.zeros((len(pending.notes), await self._embedder.load()), dtype=np.float32)
        # What kept its text, or was written before a kill, has its vector.
        held = await index.held([note.id for note in active])
        known = {one: kept.dense for one, kept in held.items()}
        new = [n for n in active if n.id not in held or held[n.id].text != n.text]
        if new:
            embedded = await self._quarantine.embedded(new, pending)
            if embedded is None:
                return False
            self.embedded += len(new)
            known |= {note.id: vector for note, vector in zip(new, embedded, strict=True)}
        for row, note in enumerate(pending.notes):
            if note.status is NoteStatus.ACTIVE:
                vectors[row] = known[note.id]
        await self._quarantine.upsert(index, pending, vectors)
        if pending.scrub:
            # Its rows stay until that is done: whoever is killed before does it at the next start.
            self._to_scrub = True
        self._unsettled += self._quarantine.settled(pending)
        self._written += 1
        return True
