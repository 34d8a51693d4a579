"""Files of any size take the memory of a batch: the peak does not grow with the file."""

from __future__ import annotations

import json
import os
import tracemalloc
from pathlib import Path

import pytest

from eren_memory.app import App
from eren_memory.domain import By
from eren_memory.transfer.exporting import export_notes
from eren_memory.transfer.importing import import_notes

# Of the larger file; `make test-long` takes 50.
MEGABYTES = int(os.environ.get("EREN_TEST_IMPORT_MB", "4"))
_LINE = 2_000


def written(path: Path, megabytes: float) -> Path:
    with path.open("w", encoding="utf-8") as file:
        for number in range(int(megabytes * 1_000_000 / _LINE)):
            text = f"Note {number} of {path.stem}. ".ljust(_LINE - 30, "ö🦊 "[number % 3])
            file.write(json.dumps({"text": text[: _LINE - 30]}, ensure_ascii=False) + "\n")
    return path


async def peak(app: App, folder: Path, guild: str, megabytes: float) -> int:
    """Bytes that importing and exporting a file of that size take at most."""
    path = written(folder / f"{guild}.jsonl", megabytes)
    tracemalloc.start()
    try:
        await import_notes(app.notebook, guild, path, By("ann"))
        await export_notes(app.notebook, guild, folder / f"{guild}.out.jsonl")
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.timeout(120 + 20 * MEGABYTES)
async def test_four_times_the_file_takes_no_more_memory(app: App, tmp_path: Path):
    await peak(app, tmp_path, "warm", 1)  # What is loaded once.
    quarter = await peak(app, tmp_path, "quarter", MEGABYTES / 4)
    whole = await peak(app, tmp_path, "whole", MEGABYTES)
    assert whole < 1.5 * quarter
    assert whole < 20_000_000
