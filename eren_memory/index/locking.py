"""One process at a time has an index folder."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from eren_memory.errors import IndexBusy, NoteIndexError


def locked(folder: Path) -> FileLock:
    """The lock of a folder, taken.

    Raises:
        IndexBusy: Another process has it.
        NoteIndexError: It cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.with_suffix(".lock"), timeout=0, thread_local=False)
        lock.acquire()
    except Timeout:
        raise IndexBusy(
            "Another process (the bot or a console) has the search index open. "
            "Ask there, or stop it first; your notes are safe."
        ) from None
    except OSError as error:
        raise NoteIndexError(f"Cannot write to the index folder: {error.strerror}.") from error
    return lock
