"""The write-ahead log of an embedded index, made durable and replayed without holding us up.

The engine waits for the disk, and replays its log, with the interpreter's lock held: every thread stands
still meanwhile. Waiting takes 30 to 600 ms, replaying 10,000 notes half a second.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

from eren_memory.errors import NoteIndexError

# Writes after which the engine is to flush all the same: 4 KB each.
_FLUSHED_TOGETHER = 20_000
ROOM = 64 << 20
"""Bytes that have to be free before something is written to an index."""
_REPLAY_SECONDS = 300
_REPLAY = "import sys, qdrant_edge; qdrant_edge.EdgeShard.load(sys.argv[1]).close()"

_log = logging.getLogger(__name__)


def require_room(folder: Path, besides: int = 0) -> None:
    """Raise `NoteIndexError` unless the disk has room for what the engine may write, and `besides`.

    Its files are larger than what is in them: where the disk is full, writing into such a gap ends the
    process.
    """
    needed = ROOM + besides
    if shutil.disk_usage(folder).free < needed:
        raise NoteIndexError(
            f"The disk has less than {needed >> 20} MB left, so notes wait for the search index. "
            "Free some space."
        )


class Log:
    """The log of one index folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # There while the log has what the engine has not flushed.
        self._mark = folder / "unflushed"
        self._writes = 0

    def replay(self) -> None:
        """Have another process replay what a killed one left; the folder's lock is ours."""
        if self._mark.exists():
            command = [sys.executable, "-c", _REPLAY, str(self._folder)]
            try:
                subprocess.run(command, check=True, capture_output=True, timeout=_REPLAY_SECONDS)  # noqa: S603 - Ours.
            except (OSError, subprocess.SubprocessError) as error:
                _log.info("The log of an index is replayed here (%s).", type(error).__name__)

    def wrote(self, count: int) -> None:
        """So many more notes are in the log; called before they are. Raises as `require_room`."""
        require_room(self._folder)
        if not self._writes:
            self._mark.touch()
        self._writes += count

    @property
    def is_long(self) -> bool:
        """Whether it is time that the engine flushes."""
        return self._writes >= _FLUSHED_TOGETHER

    def make_durable(self) -> None:
        """Return once everything in the log survives a power cut."""
        log = self._folder / "wal"
        for path in [*log.iterdir(), log]:
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def flushed(self) -> None:
        """The engine has flushed."""
        self._writes = 0
        self._mark.unlink(missing_ok=True)
