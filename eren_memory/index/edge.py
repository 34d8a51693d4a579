"""Qdrant Edge, the engine in this process: one folder an embedding space, one process a folder."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import numpy as np
import qdrant_edge as qe
from filelock import FileLock

from eren_memory.domain import Note, NoteStatus, View
from eren_memory.errors import NoteIndexError
from eren_memory.index import Held, Hit, Payload, Vectors, edge_query, points, shards
from eren_memory.index.locking import locked
from eren_memory.index.log import Log, require_room
from eren_memory.index.stamp import Stamp

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class EdgeIndex:
    """`NoteIndex` in a folder. Open it with `EdgeIndex.open`."""

    def __init__(
        self,
        shard: qe.EdgeShard,
        lock: FileLock,
        stamp: Stamp,
        dimension: int,
        lexical: points.Lexical,
    ) -> None:
        self._shard = shard
        self._lock = lock
        self._stamp = stamp
        self._dimension = dimension
        self._lexical = lexical
        self._log = Log(stamp.folder)
        # One thread: the shard is not documented as thread-safe.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="edge")

    @classmethod
    def open(
        cls, home: Path, space: str, dimension: int, language: str, ledger_id: str
    ) -> tuple[EdgeIndex, bool]:
        """The index of `space` under `home`, and whether it is new and has to be filled.

        A folder of another format or ledger, or one that does not load, is replaced: the ledger has
        it all.
        The caller fills it and then calls `stamp`; without the stamp the next open starts over.

        Raises:
            IndexBusy: Another process has it open.
            NoteIndexError: The folder cannot be written.
        """
        folder = home / points.collection_name(space)
        lexical = points.Lexical(language)
        lock = locked(folder)
        stamp = Stamp(folder, space, language, ledger_id)
        try:
            if stamp.at(shards.beside(folder)).fits():
                shards.exchange(folder)  # A kill came between.
            shutil.rmtree(shards.beside(folder), ignore_errors=True)
            shard = cls._load(folder) if stamp.fits() else None
            new = shard is None
            return cls(
                shard or shards.create(folder, dimension), lock, stamp, dimension, lexical
            ), new
        except BaseException:
            lock.release()
            raise

    @staticmethod
    def drop(home: Path, space: str) -> None:
        """Delete the index of `space` under `home`. Raises as `open`."""
        folder = home / points.collection_name(space)
        lock = locked(folder)
        try:
            # First what says that it is whole: the rest may be cut short.
            both = (folder, shards.beside(folder))
            for there in both:
                Stamp.remove_from(there)
            for there in both:
                if there.exists():
                    shutil.rmtree(there)
        except OSError as error:
            raise NoteIndexError(f"Cannot delete the index folder: {error.strerror}.") from error
        finally:
            lock.release()

    def stamp(self) -> None:
        """Record that everything this index lacks stands in the outbox."""
        self._stamp.write()

    @staticmethod
    def _load(folder: Path) -> qe.EdgeShard | None:
        require_room(folder)
        Log(folder).replay()
        try:
            return qe.EdgeShard.load(str(folder))
        except Exception as error:  # noqa: BLE001 - The engine raises plain Exception.
            _log.warning("The search index does not load (%s); building it again.", error)
            return None

    async def upsert(self, notes: Sequence[Note], dense: Vectors) -> None:
        """See `NoteIndex.upsert`."""
        vectors = points.checked(notes, dense, self._dimension)
        made = [self._point(note, vector) for note, vector in zip(notes, vectors, strict=True)]

        def write() -> None:
            # The guard is ours, because this process alone writes here. The engine's own condition
            # reads the payload index, which a kill can leave ahead of the payload: then the write
            # that was cut short is refused for ever, when the log is replayed and after.
            held = {
                _uuid(one.id): int((one.payload or {})["revision"])
                for one in self._shard.retrieve([note.id for note in notes], ["revision"], False)  # noqa: FBT003
            }
            newer = [p for n, p in zip(notes, made, strict=True) if held.get(n.id, 0) < n.revision]
            if newer:
                self._log.wrote(len(newer))
                self._shard.update(qe.UpdateOperation.upsert_points(newer))

        await self._run(write)

    def _point(self, note: Note, vector: Vectors) -> qe.Point:
        if note.status is not NoteStatus.ACTIVE:
            return qe.Point(note.id, {}, points.payload(note))
        sparse = qe.SparseVector(*self._lexical.document(note.text))
        vectors: dict[str, qe.NamedVector] = {points.DENSE: vector.tolist(), points.BM25: sparse}
        return qe.Point(note.id, vectors, points.payload(note))

    async def checkpoint(self) -> None:
        """See `NoteIndex.checkpoint`."""
        if self._log.is_long:
            await self._run(self._shard.flush)
            self._log.flushed()
        await self._run(self._log.make_durable)

    async def search(self, text: str, dense: Vectors, view: View, limit: int) -> list[Hit]:
        """See `NoteIndex.search`."""
        sparse = self._lexical.query(text)

        async def run(dated: bool) -> tuple[list[qe.ScoredPoint], list[qe.ScoredPoint]]:
            request = edge_query.request(dense[0], sparse, view, limit, dated=dated)
            by_cosine, by_bm25 = await self._run(lambda: self._shard.query_batch(request))
            return by_cosine, by_bm25

        by_cosine, by_bm25 = await run(dated=False)
        if not all(points.is_timely(hit.payload or {}, view) for hit in (*by_cosine, *by_bm25)):
            # Few notes have dates, and to check those of all takes longer than the search.
            by_cosine, by_bm25 = await run(dated=True)
        found = _scored(by_cosine), _scored(by_bm25)
        cosines: dict[UUID, float] = {}
        lexical: dict[UUID, float] = {}
        near, worded = points.one_sided(*found, limit)
        if near or worded:
            scores = edge_query.scores(dense[0], sparse, view, near, worded)
            cosines, lexical = (
                {_uuid(hit.id): hit.score for hit in ranking}
                for ranking in await self._run(lambda: self._shard.query_batch(scores))
            )
        return points.fused(*found, cosines, lexical, limit)

    async def count(self) -> int:
        """See `NoteIndex.count`."""
        active = qe.FieldCondition("status", match=qe.MatchValue(str(NoteStatus.ACTIVE)))
        request = qe.CountRequest(exact=True, filter=qe.Filter(must=[active]))
        return await self._run(lambda: self._shard.count(request))

    async def held(self, ids: Sequence[UUID]) -> dict[UUID, Held]:
        """See `NoteIndex.held`."""
        fields = ["revision", "text"]
        found = await self._run(lambda: self._shard.retrieve([*ids], fields, [points.DENSE]))
        return {
            _uuid(one.id): Held(int(payload["revision"]), payload["text"], _vector(one.vector))
            for one in found
            if "text" in (payload := one.payload or {})
        }

    async def scan(self, batch: int) -> AsyncIterator[dict[UUID, Payload]]:
        """See `NoteIndex.scan`."""
        offset: object = None
        while True:
            request = qe.ScrollRequest(offset, batch, with_payload=True, with_vector=False)  # type: ignore[arg-type]
            records, offset = await self._run(partial(self._scroll, request))
            yield {_uuid(one.id): one.payload or {} for one in records}
            if offset is None:
                return

    def _scroll(self, request: qe.ScrollRequest) -> tuple[list[qe.Record], object]:
        return self._shard.scroll(request)

    def payload(self, note: Note) -> Payload:
        """See `NoteIndex.payload`."""
        return points.payload(note)

    async def remove(self, ids: Sequence[UUID]) -> None:
        """See `NoteIndex.remove`."""
        if ids:
            self._log.wrote(len(ids))
            await self._run(lambda: self._shard.update(qe.UpdateOperation.delete_points([*ids])))

    async def scrub(self) -> None:
        """See `NoteIndex.scrub`."""
        folder = self._stamp.folder
        await shards.copy(self._shard, folder, self._dimension, self._run)

        def exchange() -> None:
            # In the thread of the searches: none of them meets a closed shard.
            self._shard.close()
            # From here on the new files are the index, whoever opens it.
            self._stamp.at(shards.beside(folder)).write()
            shards.exchange(folder)
            self._shard = qe.EdgeShard.load(str(folder))

        await self._run(exchange)
        self._log.flushed()

    async def close(self) -> None:
        """See `NoteIndex.close`."""
        try:
            await self._run(self._shard.close)
            self._log.flushed()
        finally:
            self._thread.shutdown()
            self._lock.release()

    async def _run(self, work: Callable[[], _T]) -> _T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (NoteIndexError, asyncio.CancelledError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # The engine raises plain Exception; its panics are none.
            _log.warning("The search index failed: %s", error)
            raise NoteIndexError("The search index failed; the log says why.") from error


def _uuid(raw: object) -> UUID:
    return raw if isinstance(raw, UUID) else UUID(str(raw))


def _scored(ranking: Sequence[qe.ScoredPoint]) -> list[points.Scored]:
    return [(_uuid(hit.id), int((hit.payload or {})["revision"]), hit.score) for hit in ranking]


def _vector(vector: object) -> Vectors:
    if not isinstance(vector, dict):
        raise NoteIndexError("The search index returned a note without its vector.")
    return np.asarray(vector[points.DENSE], dtype=np.float32)
