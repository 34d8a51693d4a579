"""The write-ahead log of an embedded index, made durable without the engine.

The engine's own `flush` waits for the disk with the interpreter's lock held: every thread stands still
for 100 to 600 ms on a busy machine. Its log has every write, and is replayed when the index is opened.
"""

from __future__ import annotations

import os
from pathlib import Path


def make_durable(folder: Path) -> None:
    """Return once everything in the log of an index folder survives a power cut."""
    log = folder / "wal"
    for path in [*log.iterdir(), log]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
