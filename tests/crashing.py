"""A process that works on a notebook until it is killed, and says what was acknowledged."""

from __future__ import annotations

import asyncio
import json
import os
import random
from itertools import count
from pathlib import Path
from typing import Any

from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.domain import By, Note, NoteDraft
from eren_memory.errors import BadInput
from eren_memory.transfer.importing import import_notes

GUILD = "g"
WORKERS = 4
IMPORTED = 30


def work(settings: dict[str, Any], pipe: int, seed: int) -> None:
    """Add, edit, retire, restore, erase and import at random, for ever."""
    # Erasing writes the index anew, which would hide what the kill did to it.
    acts = ["add", "add", "edit", "edit", "retire", "restore", "import"]
    acts += ["erase"] if seed % 3 == 0 else []
    asyncio.run(_work(Settings(**settings), pipe, random.Random(seed), acts))


async def _work(settings: Settings, pipe: int, draw: random.Random, acts: list[str]) -> None:
    async with open_app(settings) as app:
        if draw.random() < 0.9:  # Else it works without the index.
            await app.notebook.projector.ready()
        ids = count()
        name = f"{os.getpid()}-{draw.random()}"
        await asyncio.gather(*(_worker(app, pipe, draw, name, ids, acts) for _ in range(WORKERS)))


async def _worker(
    app: App, pipe: int, draw: random.Random, name: str, ids: count[int], acts: list[str]
) -> None:
    notebook, by = app.notebook, By("worker")
    while True:
        number, text = draw.randint(1, 60), f"note {name} {next(ids)}"
        act = draw.choice(acts)
        try:
            match act:
                case "add":
                    done = [await notebook.add(GUILD, NoteDraft(text), by)]
                case "edit":
                    done = [await notebook.edit(GUILD, number, by, text=text)]
                case "import":
                    done = await _import(app, text)
                case _:
                    done = [await getattr(notebook, act)(GUILD, number, by)]
        except BadInput:
            continue
        for note in done:
            os.write(pipe, _acknowledged(note))


async def _import(app: App, text: str) -> list[Note]:
    file = Path(app.settings.home) / f"{text.replace(' ', '_')}.jsonl"
    lines = [json.dumps({"text": f"{text} line {n}"}) for n in range(IMPORTED)]
    await asyncio.to_thread(file.write_text, "\n".join(lines))
    await import_notes(app.notebook, GUILD, file, By("worker"))
    wanted = {f"{text} line {n}" for n in range(IMPORTED)}
    notes = await app.notebook.ledger.notes(GUILD)
    return [note for note in notes if note.text in wanted]


def _acknowledged(note: Note) -> bytes:
    told = {"number": note.number, "revision": note.revision, "status": note.status}
    return json.dumps(told | {"text": note.text}).encode() + b"\n"
