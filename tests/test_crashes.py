"""kill -9 at any moment: what was acknowledged is there, what was erased stays away."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from eren_memory.app import open_app
from eren_memory.config import Settings
from eren_memory.domain import NoteStatus
from tests import crashing

KILLS = int(os.environ.get("EREN_TEST_KILLS", "12"))
# A notebook is used for so many kills, then a new one begins.
_PER_NOTEBOOK = 20


class Ledger:
    """What the dead processes were told had been saved, by number; the latest revision of each."""

    def __init__(self) -> None:
        self.acknowledged: dict[int, dict[str, Any]] = {}
        self.count = 0

    def read(self, lines: bytes) -> None:
        for line in lines.splitlines():
            one = json.loads(line)
            known = self.acknowledged.get(one["number"])
            if known is None or known["revision"] <= one["revision"]:
                self.acknowledged[one["number"]] = one
            self.count += 1


async def crash(settings: dict[str, Any], seed: int, seconds: float) -> bytes:
    """Let a process work, kill it, and return what it was told."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.crashing"])
    read, write = os.pipe()
    child = context.Process(target=_start, args=(settings, _Pipe(write), seed), daemon=True)
    child.start()
    os.close(write)
    told = asyncio.create_task(asyncio.to_thread(_drain, read))
    await asyncio.sleep(seconds)
    assert child.is_alive(), "the worker ended by itself"
    assert child.pid
    os.kill(child.pid, signal.SIGKILL)
    await asyncio.to_thread(child.join)
    return await told


class _Pipe:
    """A file descriptor that goes along to the child."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> Any:
        from multiprocessing import reduction

        return _received, (reduction.DupFd(self.number),)


def _received(duplicate: Any) -> int:
    return int(duplicate.detach())


def _start(settings: dict[str, Any], pipe: int, seed: int) -> None:
    crashing.work(settings, pipe, seed)


def _drain(pipe: int) -> bytes:
    with os.fdopen(pipe, "rb") as file:
        # A line that the kill cut off was never acknowledged.
        return file.read().rpartition(b"\n")[0]


async def check(settings: Settings, known: Ledger) -> None:
    async with open_app(settings) as app:
        found = {note.number: note for note in await app.notebook.ledger.notes(crashing.GUILD)}
        for number, told in known.acknowledged.items():
            note = found[number]
            assert note.revision >= told["revision"], "an acknowledged write is lost"
            if note.revision == told["revision"]:
                assert (note.status, note.text) == (told["status"], told["text"])
            if told["status"] == "erased":
                assert note.status is NoteStatus.ERASED, "an erased note came back"
                assert not any(one.note.text for one in await app.notebook.history("g", number))
        await app.notebook.projector.ready()
        report = await app.notebook.projector.reconcile()
        assert (report.missing, report.stale, report.orphaned) == (0, 0, 0)


@pytest.mark.timeout(60 + 10 * KILLS)
async def test_nothing_acknowledged_is_lost_and_nothing_erased_comes_back(
    endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    draw = random.Random(KILLS)
    writes = notes = 0
    for first in range(0, KILLS, _PER_NOTEBOOK):
        values: dict[str, Any] = {
            "home": tmp_path / f"home{first}",
            "model": "scripted",
            "openai_base_url": endpoint.url,
            "embedding_model": "hashed-words",
            "embedding_url": endpoint.url,
        }
        known = Ledger()
        for kill in range(first, min(first + _PER_NOTEBOOK, KILLS)):
            known.read(await crash(values, kill, draw.uniform(0.05, 1.2)))
            await check(Settings(**values), known)
        writes, notes = writes + known.count, notes + len(known.acknowledged)
    with capsys.disabled():
        sys.stderr.write(
            f"\n{KILLS} kills: {writes} acknowledged writes to {notes} notes, 0 lost, 0 back, "
            "index equal to ledger after each\n"
        )
    assert writes > 10 * KILLS
