"""From the ledger to the index: every change once, in order of need, and never lost on the way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from eren_memory.domain import Note, NoteStatus
from eren_memory.embedder import Embedder
from eren_memory.errors import EmbedderError, ErenError
from eren_memory.index import NoteIndex
from eren_memory.ledger import Ledger, Pending

# Notes that one projection step embeds, writes and makes durable together.
_BATCH = 256
_SETTLED_TOGETHER = 1_024
# How often the holder of the index looks for what other processes wrote.
_LOOK_SECONDS = 1.0
# Looks after which notes are tried again that the embedder refused.
_TRY_AGAIN = 60
# Waiting notes that a question takes along, the newest first: what somebody has just corrected.
_TAKEN_ALONG = 64

_log = logging.getLogger(__name__)

OpenIndex = Callable[[Embedder, str], Awaitable[tuple[NoteIndex, bool]]]
"""Opens the index of an embedder's space for a ledger's id; the flag says that it is new."""
Progress = Callable[[int, int], None]
"""Called with (done, total) as long work goes on."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What differed between ledger and index; all of it is repaired.

    `missing` notes were not in the index, `stale` ones differed there, `orphaned` points belong to
    no note of this ledger.
    """

    checked: int
    missing: int
    stale: int
    orphaned: int


class Projector:
    """Keeps the index a copy of the ledger. Opened by the first who needs the index."""

    def __init__(self, ledger: Ledger, embedder: Embedder, open_index: OpenIndex) -> None:
        self._ledger = ledger
        self._embedder = embedder
        self._open_index = open_index
        self._index: NoteIndex | None = None
        self._ledger_id = ""
        self._whole = False
        self._opening = asyncio.Lock()
        self._projecting = asyncio.Lock()
        self._unembeddable: set[UUID] = set()
        # Outbox rows whose notes are in the index, and found, but not yet safe from a power cut.
        self._unsettled: list[int] = []
        self._watch: asyncio.Task[None] | None = None

    async def open(self) -> NoteIndex:
        """Open the index and load the embedding model, once.

        From then on this process holds the index, and takes up within two seconds what others write.

        Raises:
            IndexBusy: Another process holds the embedded index.
        """
        async with self._opening:
            if self._index is None:
                self._ledger_id = await self._ledger.id()
                index, new = await self._open_index(self._embedder, self._ledger_id)
                try:
                    if new or await index.count() < await self._known_to_index():
                        await self._ledger.outbox.enqueue_all()
                    index.stamp()
                except BaseException:
                    await index.close()
                    raise
                self._index = index
            if self._watch is None or self._watch.done():
                self._watch = asyncio.create_task(self._take_up())
            return self._index

    async def close(self) -> None:
        """Close the index."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
        if self._index is not None:
            try:
                await self._settle()
            except ErenError as error:
                _log.warning("Notes are indexed again at the next start: %s", error)
        await self._let_go()

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
            newest = await self._waiting(None, newest=_TAKEN_ALONG)
            if newest.rows:
                await self._write(index, newest)
        return index

    async def changed(self, ids: Collection[UUID]) -> None:
        """After a write to these notes: bring them into the index, if this process holds it."""
        if self._index is None:
            return
        self._unembeddable -= {*ids}
        try:
            await self._project(of=ids if len(ids) <= _BATCH else None)
        except ErenError as error:
            # The ledger has the write, and the outbox the rest: it must not be reported as failed.
            _log.warning("A note waits for the index: %s", error)

    async def project(self, progress: Progress | None = None) -> int:
        """Bring the index up to the ledger, durably; returns how many notes were written to it."""
        done = await self._project(progress=progress)
        await self._settle()
        return done

    @asynccontextmanager
    async def still(self) -> AsyncIterator[NoteIndex]:
        """The index, into which this process projects nothing meanwhile."""
        index = await self.open()
        async with self._projecting:
            yield index

    async def reconcile(self, progress: Progress | None = None) -> Reconciled:
        """Compare the index with the ledger in both directions, and repair what differs.

        A point of an earlier moment is removed and made again, because the index refuses to go back
        to a lower revision by itself.
        """
        await self.project()
        index = await self.open()
        checked = missing = stale = orphaned = 0
        total = await self._ledger.active_count()
        seen: set[UUID] = set()
        async for held in index.scan(_BATCH):
            async with self._projecting:
                waiting = await self._ledger.outbox.waiting(held.keys())
                notes = await self._ledger.by_ids(held.keys() - waiting)
                wrong = [
                    one
                    for one in held.keys() - waiting
                    if one not in notes or index.payload(notes[one]) != held[one]
                ]
                await index.remove(wrong)
                known = [one for one in wrong if one in notes]
                await self._ledger.outbox.enqueue(known)
            seen |= held.keys()
            stale, orphaned = stale + len(known), orphaned + len(wrong) - len(known)
            checked += len(held)
            if progress:
                progress(checked, max(total, checked))
        last: UUID | None = None
        while page := await self._ledger.active_after(last, _BATCH):
            absent = [note.id for note in page if note.id not in seen]
            await self._ledger.outbox.enqueue(absent)
            missing, last = missing + len(absent), page[-1].id
        await self.project(progress)
        return Reconciled(checked + missing, missing, stale, orphaned)

    async def _let_go(self) -> None:
        async with self._opening, self._projecting:
            if self._index is not None:
                await self._index.close()
                self._index = None
                self._whole = False

    async def _known_to_index(self) -> int:
        """Active notes that an intact index must hold: those that do not wait in the outbox."""
        return await self._ledger.active_count() - await self._ledger.outbox.count()

    async def _take_up(self) -> None:
        """Project what other processes wrote, for as long as the index is open."""
        told, looks = "", 0
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            looks += 1
            if looks % _TRY_AGAIN == 0:
                self._unembeddable.clear()
            try:
                if await self._ledger.id() != self._ledger_id:
                    self._unsettled.clear()
                    await self._let_go()  # A backup was restored: its index is another.
                await self.project()
                told = ""
            except ErenError as error:
                if str(error) != told:  # Once, not every second.
                    told = str(error)
                    _log.warning("Notes wait for the index: %s", error)
            except Exception:  # noqa: BLE001 - Whatever it was: without this task nothing would be taken up.
                _log.exception("Taking up notes failed; it is tried again")

    async def _project(
        self, of: Collection[UUID] | None = None, progress: Progress | None = None
    ) -> int:
        index = await self.open()
        total = await self._ledger.outbox.count() if progress else 0
        done = 0
        while True:
            # Let go of after every batch: whoever corrects something now comes in between.
            async with self._projecting:
                waiting = await self._waiting(of)
                if not waiting.rows:
                    return done
                await self._write(index, waiting)
            done += len(waiting.notes)
            if progress:
                progress(done, max(total, done))
            if len(self._unsettled) >= _SETTLED_TOGETHER:
                await self._settle()

    async def _waiting(self, of: Collection[UUID] | None, newest: int = 0) -> Pending:
        return await self._ledger.outbox.pending(
            newest or _BATCH,
            of=of,
            without=self._unembeddable,
            besides=self._unsettled,
            newest=newest > 0,
        )

    async def _settle(self) -> None:
        """Make what was written durable, and only then forget that it was to be written.

        Waiting for the disk takes a hundred times longer than the write; nobody who adds a note has
        to, because the ledger has it.
        """
        async with self._projecting:
            if self._unsettled and self._index is not None:
                await self._index.checkpoint()
                await self._ledger.outbox.projected(self._unsettled)
                self._unsettled = []

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
        if any(note.status is NoteStatus.ERASED for note in pending.notes):
            index.unstamp()
        self._unsettled += pending.rows

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
