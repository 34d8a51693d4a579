"""Start-up and memory, each in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from eren_memory.evaluation.bench.rows import Row, stalls
from eren_memory.evaluation.bench.scripted import GUILD

_CHILD = "eren_memory.evaluation.bench.child"
_STARTS = 3
_LISTINGS = 9


async def start(home: Path, model: str) -> AsyncIterator[Row]:
    """From nothing to the first answer, the chat model's own time apart."""
    alone = "encoder loaded and a text embedded, no more"
    yield await _typical(alone, "encoder", home, model)
    cold, held = await _child("answer", home, model)
    what = "start to the first answer"
    yield Row(f"{what}, new data folder", 1, cold, cold, 1000 / cold, alone)
    yield await _typical(f"{what}, notebook there", "answer", home, model, alone)
    yield stalls("event loop while the models load", 1, held["late"], "event loop, idle")
    nothing = "a Python process that does nothing"
    yield _row(nothing, [await _process(home, "-c", "") for _ in range(_LISTINGS)])
    words = ("-m", "eren_memory.cli", "note", "list", "--guild", GUILD)
    listed = [await _process(home, *words) for _ in range(_LISTINGS)]
    yield _row("`eren note list`", listed, nothing)
    yield Row("memory after the first answer, encoder loaded", 1, megabytes=held["megabytes"])


async def memory(home: Path, empty: Path, model: str, size: int) -> AsyncIterator[Row]:
    """What an open notebook holds of the machine, without an encoder."""
    alone = "memory, an empty notebook (scripted vectors)"
    _, held = await _child("hold", empty, model)
    yield Row(alone, 0, megabytes=held["megabytes"])
    _, held = await _child("hold", home, model)
    what = "memory, a notebook of that many notes (scripted vectors)"
    yield Row(what, size, megabytes=held["megabytes"], baseline=alone)


async def _typical(
    what: str, kind: str, home: Path, model: str, baseline: str | None = None
) -> Row:
    taken = [(await _child(kind, home, model))[0] for _ in range(_STARTS)]
    return _row(what, taken, baseline)


def _row(what: str, taken: list[float], baseline: str | None = None) -> Row:
    taken.sort()
    middle = taken[len(taken) // 2]
    return Row(what, 1, middle, taken[-1], 1000 / middle, baseline)


async def _process(home: Path, *words: str) -> float:
    """Milliseconds that a process takes from its start to its end."""
    started = time.perf_counter()
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *words,
        env={**os.environ, "EREN_HOME": str(home)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await child.communicate()
    if child.returncode:
        raise RuntimeError(err.decode().strip().splitlines()[-1])
    return (time.perf_counter() - started) * 1000


async def _child(kind: str, home: Path, model: str) -> tuple[float, dict[str, Any]]:
    started = time.perf_counter()
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", _CHILD, kind, str(home), model,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await child.communicate()
    if child.returncode:
        raise RuntimeError(err.decode().strip().splitlines()[-1])
    told: dict[str, Any] = json.loads(out.splitlines()[-1])
    return (time.perf_counter() - started) * 1000, told
