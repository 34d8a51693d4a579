"""Notes from a file: everything is checked before anything is written.

A row with the id of a note here is that note: what the row says otherwise becomes an edit, unless the
note has moved on since the file was exported. Other rows are new notes, unless a note makes the same
statement already. So importing a file again changes nothing, and completes what was cut short.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from uuid_utils.compat import uuid7

from eren_memory.domain import By
from eren_memory.errors import BadInput, ImportRefused
from eren_memory.ledger.unit import Unit
from eren_memory.notebook import Notebook
from eren_memory.projection import Progress
from eren_memory.transfer import files
from eren_memory.transfer.planning import Here, Outcome, Planned, Seen
from eren_memory.transfer.records import Row, row

# Notes that one transaction writes: a killed import keeps whole batches and is simply run again.
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Imported:
    """How many rows came to what."""

    new: int = 0
    changed: int = 0
    known: int = 0
    erased: int = 0


async def import_notes(
    notebook: Notebook,
    guild_id: str,
    path: Path,
    by: By,
    *,
    dry_run: bool = False,
    on_plan: Callable[[Planned], None] | None = None,
    progress: Progress | None = None,
) -> Imported:
    """Bring a JSONL or CSV file's notes into a guild, all of it as one act that can be undone.

    Args:
        notebook: Where to.
        guild_id: Whose notes they become.
        path: CSV if its name ends so, JSONL otherwise.
        by: Who imports.
        dry_run: Only check and tell.
        on_plan: Told of every row in the checking pass.
        progress: Told how far the writing pass is.

    Raises:
        ImportRefused: The file or a line is unusable (the line is named); nothing was imported.
    """
    batch = by.batch or uuid7()
    counts = dict.fromkeys(Outcome, 0)
    seen = Seen()
    async for lines in _read(path):
        async with notebook.look(guild_id, by) as unit:
            for one in await _planned(unit, guild_id, path, lines, seen):
                counts[one.outcome] += 1
                if on_plan:
                    on_plan(one)
    if dry_run:
        return Imported(*(counts[one] for one in Outcome))
    total, done = sum(counts.values()), 0
    counts = dict.fromkeys(Outcome, 0)
    async for lines in _read(path):
        try:
            async with notebook.act(guild_id, by, batch) as unit:
                planned = await _planned(unit, guild_id, path, lines, Seen())
                await _carry_out(unit, planned)
        except BadInput as error:
            raise ImportRefused(
                f"{error} Somebody changed notes meanwhile: the {done} rows before were imported; "
                "import it again."
            ) from None
        for one in planned:
            counts[one.outcome] += 1
        done += len(lines)
        if progress:
            progress(done, total)
    if done != total:
        raise ImportRefused(
            f"{path.name} changed while it was read: {done} of {total} rows were imported. "
            "Import it again."
        )
    return Imported(*(counts[one] for one in Outcome))


async def _read(path: Path) -> AsyncIterator[list[tuple[int, Row]]]:
    """The batches, read in a thread: a file may have millions of lines and not one note."""
    batches = _batches(path)
    while (lines := await asyncio.to_thread(next, batches, None)) is not None:
        yield lines


def _batches(path: Path) -> Iterator[list[tuple[int, Row]]]:
    batch: list[tuple[int, Row]] = []
    for number, found in files.read(path):
        with _at(path, number):
            batch.append((number, row(found)))
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


async def _planned(
    unit: Unit,
    guild_id: str,
    path: Path,
    lines: Sequence[tuple[int, Row]],
    seen: Seen,
) -> list[Planned]:
    here = await Here.read(unit, guild_id, [one for _, one in lines], seen)
    planned = []
    for number, one in lines:
        with _at(path, number):
            planned.append(here.plan(one))
    return planned


async def _carry_out(unit: Unit, planned: Sequence[Planned]) -> None:
    new = [one for one in planned if one.outcome is Outcome.NEW]
    past = [entry for one in new for entry in one.past]
    await unit.insert([one.note for one in new], "import", past)
    for one in planned:
        if one.before is not None:
            await unit.save(one.before, one.note, "import")


@contextmanager
def _at(path: Path, line: int) -> Iterator[None]:
    """Name the line at which a row is refused."""
    try:
        yield
    except BadInput as error:
        raise ImportRefused(f"{path.name}, line {line}: {error} Nothing was imported.") from None
