"""What keeps an installation in order: the outbox watched, tombstones purged, backups made and rotated.

Each says in a few words what it did, or raises `ErenError`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from eren_memory.domain import NoteStatus
from eren_memory.errors import BackupRefused, IndexBusy, NoteIndexError
from eren_memory.ledger.archive import back_up
from eren_memory.ledger.ledger import Ledger
from eren_memory.projections import Projections

# After so long the row at the head of the outbox is not slow, but stuck.
_STUCK = timedelta(minutes=5)
_BATCH = 256
_BACKUP = re.compile(r"eren-\d{8}-\d{6}\.zip(\.part)?")


class OutboxWatch:
    """Sees to it that the outbox moves.

    Args:
        ledger: Its outbox.
        projector: Is opened again if nobody takes notes up any more.
        clock: The present.
    """

    def __init__(
        self, ledger: Ledger, projector: Projections, clock: Callable[[], datetime]
    ) -> None:
        self._ledger = ledger
        self._projector = projector
        self._clock = clock
        self._head: tuple[int, datetime] | None = None

    async def look(self) -> str:
        """Raises `NoteIndexError` when the same row has been at the head for minutes."""
        outbox = self._ledger.outbox
        oldest, waiting = await outbox.moving()
        apart = len(await outbox.refused())
        also = f" {apart} notes are set aside: `eren status` says why." if apart else ""
        if oldest is None:
            self._head = None
            return f"Nothing waits.{also}"
        with suppress(IndexBusy):  # Its holder takes notes up; whether it does is seen below.
            await self._projector.open()
        now = self._clock()
        if self._head is None or self._head[0] != oldest:
            self._head = (oldest, now)
        if now - self._head[1] >= _STUCK:
            raise NoteIndexError(
                f"{waiting} notes have waited for the index for over {_STUCK.seconds // 60} minutes. "
                f"They are safe, but not all of them are found; the log says what is wrong.{also}"
            )
        return f"{waiting} notes are being taken up.{also}"


async def purge(ledger: Ledger, projector: Projections, before: datetime) -> str:
    """Remove the tombstones of notes that have been out of use since before then.

    A tombstone refuses earlier revisions of its note that arrive late. So only those go whose note
    is old enough, waits for nothing, and stands in the index as it does in the ledger.
    """
    gone = 0
    async with projector.still() as index:
        batches = index.scan(_BATCH)
    async for held in batches:
        dead = [one for one, told in held.items() if told.get("status") != NoteStatus.ACTIVE]
        if not dead:
            continue
        async with projector.still() as index:
            waiting = await ledger.outbox.waiting(dead)
            notes = await ledger.by_ids([one for one in dead if one not in waiting])
            old = [
                note.id
                for note in notes.values()
                if note.status is not NoteStatus.ACTIVE
                and note.updated_at < before
                and index.payload(note) == held[note.id]
            ]
            await index.remove(old)
            gone += len(old)
        # Another process that shares a server may have brought one back in between.
        again = [note.id for note in (await ledger.by_ids(old)).values() if note.status == "active"]
        await ledger.outbox.enqueue(again)
    return f"Purged {gone} tombstones."


async def keep_backups(
    ledger: Ledger, folder: Path, beside: Mapping[str, Path], kept: int, now: datetime
) -> str:
    """Back the ledger up into a folder, and delete all but the `kept` newest backups there.

    Raises:
        BackupRefused: The folder cannot be written.
    """
    file = folder / f"eren-{now.astimezone(UTC):%Y%m%d-%H%M%S}.zip"
    try:
        await asyncio.to_thread(_clear, folder)
        done = await back_up(ledger, file, beside, now)
        # The new one is whole: only now may old ones go.
        await asyncio.to_thread(_rotate, folder, kept)
    except OSError as error:
        raise BackupRefused(f"{folder} cannot be written: {error.strerror}.") from error
    return f"Backed up {done.rows['notes']} notes to {file.name}."


def _clear(folder: Path) -> None:
    """Make the folder; what a kill left half written goes."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in _ours(folder, part=True):
        path.unlink(missing_ok=True)


def _rotate(folder: Path, kept: int) -> None:
    for path in _ours(folder, part=False)[:-kept]:
        path.unlink(missing_ok=True)


def _ours(folder: Path, *, part: bool) -> list[Path]:
    """Our files in the folder, the oldest first; whatever else is there is not touched."""
    found = [path for path in folder.iterdir() if _BACKUP.fullmatch(path.name) and path.is_file()]
    return sorted(path for path in found if (path.suffix == ".part") == part)
