"""Ten thousand notes from one real embedding model to another, with questions, edits and kills.

python -m tests.reembedding_trial [--notes 10000] [--kills 10] [--home FOLDER]

A child process holds the notebook, asks and edits, and re-embeds in the background; it is killed with
SIGKILL all along the way and started again until the new model is live. Then every vector is compared
with that of its note's text, and the index with the ledger. Needs both models (`make mpnet`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft, NoteStatus, Place

OLD, NEW = "all-MiniLM-L6-v2", "all-mpnet-base-v2"
GUILD = "g"
BY = By("trial")
_TICK = 0.002
_NAMES = "Fenlake Oakmere Harrow Tarn Brindle Sollen Wexcombe Ardley Pellow Quenby".split()  # noqa: SIM905
_THINGS = "ferry bridge library market tower school museum garden station theatre".split()  # noqa: SIM905
_SAYS = (
    "opens at {n} o'clock", "was built in {n}", "is led by Mira {n}", "costs {n} crowns",
    "closes for {n} days in winter", "has {n} seats", "stands in district {n}",
)  # fmt: skip


def say(text: str) -> None:
    """A line on standard output, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def statement(n: int) -> str:
    """A sentence of its own for every number."""
    name, thing = _NAMES[n % 10], _THINGS[n // 10 % 10]
    return f"The {name} {thing} of ward {n // 100} {_SAYS[n % 7].format(n=n % 97 + 3)}."


def settings_of(home: Path, model: str) -> Settings:
    """An installation with an endpoint that nobody asks, and an embedding model."""
    return Settings(
        home=home,
        model="none",
        openai_base_url="http://127.0.0.1:9/v1",
        embedding_model=model,
        reembed_share=1.0,
    )


async def fill(home: Path, notes: int) -> None:
    """Write and index the notes in the old space."""
    async with open_app(settings_of(home, OLD)) as app:
        for start in range(0, notes, 500):
            drafts = [NoteDraft(statement(n)) for n in range(start, min(start + 500, notes))]
            await app.notebook.add_many(GUILD, drafts, BY)
        await app.notebook.projector.project()


async def life(home: Path, notes: int, seed: int) -> None:
    """The child: ask, edit and re-embed until the new model is live, and a little longer."""
    draw = random.Random(seed)
    async with open_app(settings_of(home, NEW)) as app:
        await app.warm()
        gaps: list[float] = [0.0]
        waits: list[float] = []
        wrong: list[str] = []
        ticking = asyncio.create_task(_ticks(gaps))
        idle = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.reembedding_trial",
            "--idle",
            stdout=asyncio.subprocess.PIPE,
        )
        async with app.reembedding.in_background():
            began, told = time.monotonic(), 0.0
            while True:
                await _edit(app, draw, notes)
                for _ in range(4):
                    await _ask(app, draw, notes, waits, wrong)
                    await asyncio.sleep(0.1)
                if time.monotonic() - told > 1:
                    told = time.monotonic()
                    state = await app.reembedding.state()
                    line = {
                        "live": app.embedder.space,
                        "building": state["building"],
                        "gap_ms": round(max(gaps) * 1000),
                        "idle_gap_ms": await _gap_of(idle),
                        "asked": len(waits),
                        "ms_p50": round(float(np.median(waits)) * 1000),
                        "ms_p95": round(float(np.quantile(waits, 0.95)) * 1000),
                        "ms_max": round(max(waits) * 1000),
                        "wrong": wrong[:3],
                        "seconds": round(time.monotonic() - began),
                    }
                    say(json.dumps(line))
        ticking.cancel()


async def _ticks(gaps: list[float]) -> None:
    """How long the loop was held up, at most, every time it was: after the models are loaded."""
    last = time.perf_counter()
    while True:
        await asyncio.sleep(_TICK)
        now = time.perf_counter()
        gaps[0] = max(gaps[0], now - last - _TICK)
        last = now


async def _idle() -> None:
    """A process that does nothing else: how long the machine itself holds a loop up."""
    gaps = [0.0]
    ticking = asyncio.create_task(_ticks(gaps))
    while True:
        await asyncio.sleep(0.5)
        try:
            say(str(round(max(gaps) * 1000)))
        except BrokenPipeError:
            ticking.cancel()
            os._exit(0)


async def _gap_of(idle: asyncio.subprocess.Process) -> int:
    last = 0
    assert idle.stdout is not None
    for _ in range(100):
        try:
            async with asyncio.timeout(0.01):
                last = int(await idle.stdout.readline() or 0)
        except TimeoutError:
            break
    return last


async def _ask(
    app: App, draw: random.Random, notes: int, waits: list[float], wrong: list[str]
) -> None:
    """A note's own words find it, in the revision that the ledger has."""
    number = draw.randint(1, notes)
    note = await app.notebook.ledger.note(GUILD, number)
    if note.status is not NoteStatus.ACTIVE:
        return
    started = time.perf_counter()
    async with app.notebook.projector.using() as space:
        found = await app.notebook.search(Place(GUILD), note.text, 3, space)
    waits.append(time.perf_counter() - started)
    best = [(one.note.number, one.note.revision, one.dense) for one in found]
    # A vector of the other space would not be at 1 from the same words.
    if (number, note.revision) not in [one[:2] for one in best] or best[0][2] < 0.999:
        wrong.append(f"{number} in {space.space}: {best}")


async def _edit(app: App, draw: random.Random, notes: int) -> None:
    number, word = draw.randint(1, notes), time.time_ns()
    note = await app.notebook.ledger.note(GUILD, number)
    if note.status is not NoteStatus.ACTIVE:
        await app.notebook.restore(GUILD, number, BY)
    elif draw.random() < 0.1:
        await app.notebook.retire(GUILD, number, BY)
    else:
        text = f"{statement(number - 1)} As of edit {word}."
        await app.notebook.edit(GUILD, number, BY, text=text)
        [found, *_] = await app.notebook.search(Place(GUILD), text, 1)
        if found.note.number != number:
            raise AssertionError(f"an edit of {number} is not found by the next search")


async def compare_all(home: Path) -> dict[str, Any]:
    """The end state: index against ledger, and every vector against its note's text."""
    async with open_app(settings_of(home, NEW)) as app:
        notebook = app.notebook
        await notebook.projector.project()
        report = await notebook.projector.reconcile()
        index = await notebook.projector.open()
        notes = await notebook.ledger.notes(GUILD, NoteStatus.ACTIVE)
        off = missing = 0
        for start in range(0, len(notes), 64):
            page = notes[start : start + 64]
            held = await index.held([note.id for note in page])
            vectors = await app.embedder.embed([note.text for note in page])
            for note, vector in zip(page, vectors, strict=True):
                one = held.get(note.id)
                missing += one is None
                off += one is not None and float(one.dense @ vector) < 0.999
        return {
            "live": app.embedder.space,
            "active": len(notes),
            "in_index": await index.count(),
            "missing": missing,
            "stale_vectors": off,
            "reconcile": [report.missing, report.stale, report.orphaned],
            "spaces": {n: str(s.state) for n, s in (await notebook.ledger.spaces.all()).items()},
            "report": (await notebook.ledger.spaces.all())[NEW].report,
        }


async def _until(child: asyncio.subprocess.Process, share: float | None) -> str:
    """Read what the child says until it has done a share; None: until it answers in the new space."""
    answered = 0
    assert child.stdout is not None
    while line := await child.stdout.readline():
        told = json.loads(line)
        answered += told["live"] == NEW
        building = told["building"]
        if share is None:
            far = answered > 10
        else:
            near = building is not None and building["done"] >= share * building["total"] - 40
            far = answered > 0 or near
        if far:
            return line.decode().strip()
    raise SystemExit(f"the child ended by itself: {await child.wait()}")


async def trial(home: Path, notes: int, kills: int, seed: int) -> int:
    """Run it all; returns the exit status."""
    draw, started = random.Random(seed), time.monotonic()
    if not (home / "notebook.db").exists():
        await fill(home, notes)
        say(f"{notes} notes in {OLD} after {time.monotonic() - started:.0f} s")
    started = time.monotonic()
    # All along the way, and twice between the last note and the switch.
    moments = [draw.uniform(0.01, 0.99) for _ in range(kills - 2)] + [1.0, 1.0]
    for number, share in enumerate([*sorted(moments), None], start=1):
        words = ["--life", "--home", str(home), "--notes", str(notes), "--seed", str(number)]
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.reembedding_trial", *words, stdout=asyncio.subprocess.PIPE
        )
        last = await _until(child, share)
        await asyncio.sleep(draw.uniform(0, 3))
        if child.returncode is None:
            os.kill(child.pid, signal.SIGKILL)
        await child.wait()
        say(f"kill {number} after {time.monotonic() - started:.0f} s: {last}")
    end_state = await compare_all(home)
    say(json.dumps(end_state, indent=1))
    good = end_state["missing"] == end_state["stale_vectors"] == sum(end_state["reconcile"]) == 0
    return 0 if good and end_state["active"] == end_state["in_index"] else 1


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notes", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--life", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--idle", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.idle:
        asyncio.run(_idle())
    if given.life:
        asyncio.run(life(given.home, given.notes, given.seed))
        return 0
    with tempfile.TemporaryDirectory(prefix="eren-trial-") as folder:
        return asyncio.run(trial(given.home or Path(folder), given.notes, given.kills, given.seed))


if __name__ == "__main__":
    sys.exit(main())
