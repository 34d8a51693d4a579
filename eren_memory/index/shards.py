"""Folders of Qdrant Edge: made new, and made anew without what was erased from them."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import qdrant_edge as qe

from eren_memory.errors import NoteIndexError
from eren_memory.index import points
from eren_memory.index.log import require_room

# Points that are copied together; in between, questions search.
_BATCH = 256

Run = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Does work in the thread that a shard is used in."""


def create(folder: Path, dimension: int) -> qe.EdgeShard:
    """An empty shard in a folder, whatever was there before. Raises `NoteIndexError`."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        require_room(folder)
        shard = qe.EdgeShard.create(
            str(folder),
            qe.EdgeConfig(
                vectors={points.DENSE: qe.EdgeVectorParams(dimension, qe.Distance.Cosine)},
                sparse_vectors={points.BM25: qe.EdgeSparseVectorParams(modifier=qe.Modifier.Idf)},
                # Flat: building a graph holds the interpreter's lock for seconds.
                optimizers=qe.EdgeOptimizersConfig(indexing_threshold=0),
            ),
        )
        for field, kind in points.FILTERED.items():
            schema = (
                qe.KeywordIndexParams(is_tenant=field == "guild_id")
                if kind == "keyword"
                else qe.PayloadSchemaType.Integer
            )
            shard.update(qe.UpdateOperation.create_field_index(field, schema))
        return shard
    except NoteIndexError:
        raise
    except Exception as error:
        raise NoteIndexError(f"Cannot create the search index: {error}") from error


def beside(folder: Path) -> Path:
    """Where the folder's successor is made."""
    return folder.with_suffix(".new")


async def copy(shard: qe.EdgeShard, folder: Path, dimension: int, run: Run) -> None:
    """Write what a shard holds to new files beside its folder, durably.

    The engine overwrites nothing: what was replaced or deleted stays in its segments and its log.

    Raises:
        NoteIndexError: The disk has no room for as much again.
    """
    require_room(folder, besides=_size(folder))
    new: qe.EdgeShard = await run(partial(create, beside(folder), dimension))
    try:
        offset: object = None
        while True:
            offset = await run(partial(_copy, shard, new, folder, offset))
            if offset is None:
                break
        await run(new.flush)
    except BaseException:
        with suppress(NoteIndexError):
            await run(new.close)
        shutil.rmtree(beside(folder), ignore_errors=True)  # It takes the room that is missing.
        raise
    await run(new.close)


def exchange(folder: Path) -> None:
    """Put the new files in the place of the old ones; killed on the way, it can be done again.

    Raises:
        NoteIndexError: The folder cannot be written.
    """
    try:
        if folder.exists():
            shutil.rmtree(folder)
        beside(folder).rename(folder)
    except OSError as error:
        raise NoteIndexError(f"Cannot write to the index folder: {error.strerror}.") from error


def _size(folder: Path) -> int:
    """What a folder takes on its disk; the engine's files have gaps of five times that."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def _copy(shard: qe.EdgeShard, new: qe.EdgeShard, folder: Path, offset: object) -> object:
    request = qe.ScrollRequest(offset, _BATCH, with_payload=True, with_vector=True)  # type: ignore[arg-type]
    records, after = shard.scroll(request)
    held = [qe.Point(one.id, one.vector or {}, one.payload) for one in records]
    if held:
        require_room(folder)  # Others fill the same disk.
        new.update(qe.UpdateOperation.upsert_points(held))
    return after
