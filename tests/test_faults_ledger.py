"""A database that is locked, read-only, full or damaged: what is refused says so, the rest goes on."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa

from bot.asking import Asker
from bot.questions import Request
from bot.texts import texts
from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft, Place
from eren_memory.errors import ErenError, LedgerError
from eren_memory.ledger import database as opening
from tests.bot.test_progress import Wall, ask
from tests.endpoint import Endpoint, Reply

FERRY = NoteDraft("The Fenlake Ferry leaves at noon.")
COACH = NoteDraft("The Greywick Coach leaves at nine.")
QUESTION = "When does the Fenlake Ferry leave?"
HERE = Place("g", ("c",))
BY = By("somebody")


@pytest_asyncio.fixture
async def hasty(
    settings: Settings, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[App]:
    """An application that waits for no other writer, with a note that answers."""
    monkeypatch.setattr(opening, "BUSY_TIMEOUT", 50)
    endpoint.when(f"Note: {FERRY.text}\nQuestion:", Reply("yes: at noon", probability=0.999))
    async with open_app(settings) as app:
        await app.notebook.add("g", FERRY, BY)
        await app.notebook.projector.project()
        yield app


@contextmanager
def another_writer(app: App) -> Iterator[None]:
    other = sqlite3.connect(app.settings.home / "notebook.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def every_connection(app: App, *pragmas: str) -> None:
    """Have SQLite itself behave so, on each connection that is used from now on."""
    engine = app.notebook.ledger._engine.sync_engine

    def set_up(connection: Any, *_: object) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    sa.event.listen(engine, "checkout", set_up)


@contextmanager
def read_only(app: App) -> Iterator[None]:
    every_connection(app, "query_only = ON")
    yield
    every_connection(app, "query_only = OFF")


@contextmanager
def full(app: App) -> Iterator[None]:
    every_connection(app, "max_page_count = 1")  # It keeps the pages that there are.
    yield
    every_connection(app, "max_page_count = 1000000")


async def fill(app: App) -> None:
    """Notes until the pages that there are hold no more."""
    for n in range(1_000):
        await app.notebook.add("g", NoteDraft(f"{n} " * 300), BY)


@pytest.mark.parametrize(
    ("fault", "said"),
    [(another_writer, "locked by another program"), (read_only, "read-only"), (full, "full")],
    ids=["locked", "read-only", "full"],
)
async def test_what_cannot_be_saved_is_refused_questions_are_answered_and_it_recovers(
    hasty: App, fault: Callable[[App], Any], said: str
):
    with fault(hasty):
        with pytest.raises(LedgerError, match=said):
            await (fill(hasty) if fault is full else hasty.notebook.add("g", COACH, BY))
        kept = await hasty.notebook.ledger.notes("g")
        wall = Wall()
        request = Request(HERE, "c", "ann", QUESTION, texts(None))
        assert await ask(Asker(hasty), request, wall) is not None
        assert wall.finished[0].parts[0].startswith("at noon")
    added = await hasty.notebook.add("g", COACH, BY)
    # Nothing of what was refused is left, and nothing that was acknowledged is missing.
    assert len(await hasty.notebook.ledger.notes("g")) == len(kept) + 1
    assert added.number == max(note.number for note in kept) + 1
    found = await hasty.notebook.search(HERE, COACH.text, 1)
    assert [one.note.number for one in found] == [added.number]


async def test_a_database_that_is_locked_for_a_moment_is_waited_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    async with open_app(settings) as app:
        with another_writer(app):
            adding = asyncio.create_task(app.notebook.add("g", FERRY, BY))
            await asyncio.sleep(0.3)
            assert not adding.done()
        assert (await adding).number == 1


async def test_a_read_only_folder_is_named_at_the_start(settings: Settings):
    async with open_app(settings):
        pass
    url = f"sqlite:///file:{settings.home / 'notebook.db'}?mode=ro&uri=true"
    async with open_app(settings.model_copy(update={"database_url": url})) as app:
        with pytest.raises(LedgerError, match="read-only"):
            await app.notebook.add("g", FERRY, BY)


_CHILD = """\
import asyncio, json, resource, sys
from pathlib import Path
from eren_memory.app import open_app
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft
from eren_memory.errors import ErenError

async def main():
    async with open_app(Settings(**json.loads(sys.argv[1]))) as app:
        await app.notebook.projector.open()
        held = (app.settings.home / "notebook.db-wal").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (held + 200_000, resource.RLIM_INFINITY))
        for n in range(1_000):
            try:
                note = await app.notebook.add("g", NoteDraft(f"Note {n}: " + "word " * 300), By("x"))
            except ErenError as error:
                print(json.dumps(str(error)), flush=True)
                break
            print(note.number, flush=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        print((await app.notebook.add("g", NoteDraft("There is room again."), By("x"))).number)

asyncio.run(main())
"""


async def test_a_process_whose_files_cannot_grow_refuses_loses_nothing_and_goes_on(
    settings: Settings,
):
    given = settings.model_dump(mode="json", exclude_none=True, exclude={"openai_api_key"})
    given = {name: given[name] for name in ("home", "model", "embedding_model", "embedding_url")}
    given |= {"openai_base_url": str(settings.openai_base_url)}
    command = [sys.executable, "-c", _CHILD, json.dumps(given)]
    child = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=60, check=False
    )
    assert child.returncode == 0, child.stderr
    *acknowledged, refused, last = map(json.loads, child.stdout.splitlines())
    assert "Nothing was saved" in refused
    assert last == len(acknowledged) + 1
    async with open_app(settings) as app:
        assert len(await app.notebook.ledger.notes("g")) == last
        found = await app.notebook.search(HERE, "There is room again.", 1)
        assert [one.note.number for one in found] == [last]


async def test_a_damaged_database_names_the_cure_and_is_not_written_to(settings: Settings):
    async with open_app(settings) as app:
        await app.notebook.add("g", FERRY, BY)
    file = settings.home / "notebook.db"
    whole = file.read_bytes()
    file.write_bytes(b"\0" * 4_096 + whole[4_096:])
    damaged = file.read_bytes()
    with pytest.raises(ErenError, match="backup"):
        async with open_app(settings):
            pass
    assert file.read_bytes() == damaged
