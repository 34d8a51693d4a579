"""How fast notes come in: one, a file of them, and all of them into another space."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from eren_memory.app import open_app
from eren_memory.config import Settings
from eren_memory.domain import NoteDraft, Place
from eren_memory.embedder import Embedder
from eren_memory.embedder_file import model_folder
from eren_memory.errors import EmbedderError
from eren_memory.evaluation.bench.rows import Row, rate, spread, stalls, timed
from eren_memory.evaluation.bench.scripted import BY, GUILD, Scripted
from eren_memory.evaluation.bench.synthetic import Corpus
from eren_memory.transfer.importing import import_notes

ENCODER = "the encoder alone, all texts in one call"
IDLE = "event loop, idle"
_ADDED = 40
_TICK = 0.002
_IDLE_SECONDS = 2.0


async def add(opened: Scripted, corpus: Corpus, size: int) -> AsyncIterator[Row]:
    """From adding a note to finding it, beside a bare write of the same text to the disk."""
    place = Place(GUILD)
    alone = "one text into SQLite, to the disk"

    def bare(database: sqlite3.Connection, turn: int) -> None:
        with database:
            database.execute("INSERT INTO notes VALUES (?)", [corpus.note(turn)])

    with sqlite3.connect(opened.home / "bare.db") as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE IF NOT EXISTS notes (text)")

        async def write(turn: int) -> None:
            bare(database, turn)

        yield spread(alone, size, await timed(write, _ADDED))
    database.close()
    # Others than all that the notebook is filled with.
    others = Corpus(-size)

    async def act(turn: int) -> None:
        await opened.notebook.add(GUILD, NoteDraft(others.note(turn)), BY)
        found = await opened.notebook.search(place, others.answered(turn), 1)
        if found[0].note.text != others.note(turn):
            raise RuntimeError("a note that was added was not found")

    yield spread("note added, then found (scripted vectors)", size, await timed(act, _ADDED), alone)


async def encoder(embedder: Embedder, corpus: Corpus, size: int) -> Row:
    """What import and re-embedding are measured against."""
    await embedder.load()
    await embedder.embed(corpus.notes(0, 32))
    started = time.perf_counter()
    await embedder.embed(corpus.notes(0, size))
    return rate(ENCODER, size, size, time.perf_counter() - started)


async def importing(settings: Settings, corpus: Corpus, size: int) -> AsyncIterator[Row]:
    """A file of notes into a notebook that is open, and what the event loop feels of it."""
    settings.home.mkdir(parents=True, exist_ok=True)
    file = settings.home / "notes.jsonl"
    lines = (json.dumps({"text": text}) for text in corpus.notes(0, size))
    file.write_text("\n".join(lines), encoding="utf-8")
    async with open_app(settings) as app:
        await app.notebook.search(Place(GUILD), "Is the index open?", 1)
        async with felt() as quiet:
            await asyncio.sleep(_IDLE_SECONDS)
        yield stalls(IDLE, size, quiet())
        started = time.perf_counter()
        async with felt() as late:
            await import_notes(app.notebook, GUILD, file, BY)
            await app.notebook.projector.project()
        taken = time.perf_counter() - started
        yield rate("import, into the index", size, size, taken, ENCODER)
        yield stalls("event loop while importing", size, late(), IDLE)


async def reembedding(settings: Settings, corpus: Corpus, size: int) -> AsyncIterator[Row]:
    """Every note into another space: the same model by another name, so that the speeds compare."""
    folder = model_folder(settings.embedding_model, settings.home)
    if folder is None:
        raise EmbedderError("Re-embedding is measured with a model that comes as a package.")
    async with open_app(settings.model_copy(update={"reembed_share": 1.0})) as app:
        drafts = [NoteDraft(text) for text in corpus.notes(0, size)]
        await app.notebook.add_many(GUILD, drafts, BY)
        await app.notebook.projector.project()
        await app.reembedding.wish(str(folder), "bench")
        started = time.perf_counter()
        async with felt() as late:
            live = await app.reembedding.finish()
        if live is None or live.space != str(folder):
            raise EmbedderError("The other space did not become the live one.")
        taken = time.perf_counter() - started
        what = "re-embedding, with start, checks and switch"
        yield rate(what, size, size, taken, ENCODER)
        yield stalls("event loop while re-embedding", size, late(), IDLE)


@asynccontextmanager
async def felt() -> AsyncIterator[Callable[[], list[float]]]:
    """How late the event loop comes to a task that wants to run every two milliseconds."""
    late: list[float] = []

    async def tick() -> None:
        while True:
            due = time.perf_counter() + _TICK
            await asyncio.sleep(_TICK)
            late.append(max(0.0, (time.perf_counter() - due) * 1000))

    ticking = asyncio.create_task(tick())
    try:
        yield lambda: late or [0.0]
    finally:
        await asyncio.sleep(_TICK)
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)
