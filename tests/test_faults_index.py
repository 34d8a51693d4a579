"""An index that is away, slow, lost or out of room: notes are taken, no answer is made up, it recovers."""

from __future__ import annotations

import asyncio
import shutil
from collections import namedtuple
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.asking import Asker
from bot.failures import Refused
from bot.questions import Request
from bot.texts import texts
from eren_memory import projections
from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft, Place
from eren_memory.errors import NoteIndexError
from eren_memory.index import log, server, shards
from tests import qdrant_http
from tests.bot.test_progress import Wall, ask
from tests.endpoint import Endpoint, Reply
from tests.qdrant_http import QdrantServer

FERRY = NoteDraft("The Fenlake Ferry leaves at noon.")
COACH = NoteDraft("The Greywick Coach leaves at nine.")
QUESTION, OTHER = FERRY.text, COACH.text
HERE = Place("g", ("c",))
BY = By("somebody")
Usage = namedtuple("Usage", "total used free")


@pytest_asyncio.fixture
async def qdrant(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[QdrantServer]:
    monkeypatch.setattr(server, "_SECONDS", 1)
    async with qdrant_http.serve() as running:
        yield running
        running.hold.set()


async def found(app: App, text: str) -> list[int]:
    return [one.note.number for one in await app.notebook.search(HERE, text, 1)]


async def nothing_lost_and_nothing_made_up(app: App, endpoint: Endpoint) -> None:
    """While the index is away."""
    added = await app.notebook.add("g", COACH, BY)
    assert await app.notebook.ledger.note("g", added.number) == added
    assert await app.notebook.ledger.outbox.count() == 1
    asked, wall = len(endpoint.requests), Wall()
    request = Request(HERE, "c", "ann", OTHER, texts(None))
    with pytest.raises(Refused, match="cannot search the notebook just now"):
        await ask(Asker(app), request, wall)
    assert (len(endpoint.requests), wall.finished) == (asked, [])


async def recovered(app: App, endpoint: Endpoint) -> None:
    while await app.notebook.ledger.outbox.count():
        await asyncio.sleep(0.05)
    assert await found(app, QUESTION) == [1]
    assert await found(app, OTHER) == [2]
    endpoint.when(f"Note: {COACH.text}\nQuestion:", Reply("yes: at nine", probability=0.999))
    assert (await app.eren.answer(OTHER, HERE)).text == "at nine"


@pytest.mark.parametrize("fault", ["hang", "drop", "fail", "babble"])
async def test_a_server_that_is_away_loses_no_note_makes_up_no_answer_and_is_caught_up_with(
    settings: Settings, endpoint: Endpoint, qdrant: QdrantServer, fault: str
):
    chosen = settings.model_copy(update={"qdrant_url": qdrant.url})
    async with open_app(chosen) as app:
        await app.notebook.add("g", FERRY, BY)
        assert await found(app, QUESTION) == [1]
        await app.notebook.projector.project()
        qdrant.fault = fault
        await nothing_lost_and_nothing_made_up(app, endpoint)
        qdrant.fault = None
        qdrant.hold.set()
        await recovered(app, endpoint)


async def test_a_server_that_is_away_at_the_start_is_found_by_the_next_question(
    settings: Settings, endpoint: Endpoint, qdrant: QdrantServer
):
    chosen = settings.model_copy(update={"qdrant_url": qdrant.url})
    qdrant.fault = "drop"
    async with open_app(chosen) as app:
        await app.notebook.add("g", FERRY, BY)
        with pytest.raises(NoteIndexError, match="EREN_QDRANT_URL"):
            await found(app, QUESTION)
        qdrant.fault = None
        assert await found(app, QUESTION) == [1]


async def test_an_index_folder_that_is_deleted_while_it_is_open_is_built_again(
    settings: Settings, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(projections, "_LOOK_SECONDS", 0.05)
    async with open_app(settings) as app:
        await app.notebook.add("g", FERRY, BY)
        assert await found(app, QUESTION) == [1]
        await app.notebook.projector.project()
        shutil.rmtree(settings.home / "index" / "notes_hashed_words")
        await app.notebook.add("g", COACH, BY)
        await recovered(app, endpoint)


async def test_a_disk_that_is_almost_full_stops_the_index_before_it_ends_the_process(
    settings: Settings, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
):
    room = [log.ROOM]

    def usage(_: Path) -> Usage:
        return Usage(0, 0, room[0])

    async with open_app(settings) as app:
        await app.notebook.add("g", FERRY, BY)
        assert await found(app, QUESTION) == [1]
        await app.notebook.projector.project()
        monkeypatch.setattr(shutil, "disk_usage", usage)
        room[0] = log.ROOM - 1
        await nothing_lost_and_nothing_made_up(app, endpoint)
        with pytest.raises(NoteIndexError, match="less than 64 MB left"):
            await found(app, OTHER)
        room[0] = log.ROOM
        await recovered(app, endpoint)


@pytest.mark.parametrize("filling", [False, True])
async def test_an_index_is_not_written_anew_where_the_disk_has_no_room_for_a_second_one(
    app: App, settings: Settings, monkeypatch: pytest.MonkeyPatch, filling: bool
):
    """Nor further than there is room, where others fill the disk meanwhile."""
    folder = settings.home / "index" / "notes_hashed_words"
    await app.notebook.add("g", FERRY, BY)
    await app.notebook.add("g", COACH, BY)
    assert await found(app, QUESTION) == [1]
    await app.notebook.projector.project()
    index = await app.notebook.projector.open()
    size = sum(one.stat().st_blocks * 512 for one in folder.rglob("*") if one.is_file())
    enough = log.ROOM + size

    def usage(_: Path) -> Usage:
        """Full at once, or as soon as the first points are copied."""
        return Usage(0, 0, log.ROOM - 1 if copied else enough if filling else enough - 1)

    def full_from_here(*given: Any) -> object:
        copied.append(given)
        return copy(*given)

    copied: list[object] = []
    copy = shards._copy
    with monkeypatch.context() as little:
        little.setattr(shards, "_copy", full_from_here)
        little.setattr(shutil, "disk_usage", usage)
        with pytest.raises(NoteIndexError, match="MB left"):
            await index.scrub()
    assert bool(copied) == filling
    assert not shards.beside(folder).exists()
    await index.scrub()
    assert await found(app, QUESTION) == [1]


async def test_an_index_that_fails_holds_up_no_end(app: App, monkeypatch: pytest.MonkeyPatch):
    """Who takes notes up is told to stop while it looks which space is live."""
    await app.notebook.projector.open()
    looking = asyncio.Event()

    async def look() -> None:
        looking.set()
        await asyncio.Event().wait()

    async def fail() -> None:
        raise NoteIndexError("broken")

    monkeypatch.setattr(app.notebook.projector, "follow", look)
    monkeypatch.setattr(app.notebook.projector.live.projector, "project", fail)
    await looking.wait()
    watch = app.notebook.projector._watch
    assert watch is not None
    watch.cancel()
    done, _ = await asyncio.wait([watch], timeout=5)
    monkeypatch.undo()
    assert done == {watch}


async def test_an_index_is_not_opened_where_the_disk_is_almost_full(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    async with open_app(settings) as app:
        await app.notebook.add("g", FERRY, BY)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 0))
        with pytest.raises(NoteIndexError, match="Free some space"):
            await found(app, QUESTION)
        monkeypatch.undo()
        assert await found(app, QUESTION) == [1]


async def test_an_engine_that_panics_is_an_error_like_any_other(
    app: App, monkeypatch: pytest.MonkeyPatch
):
    class PanicException(BaseException):
        """As the engine's, which is no `Exception`."""

    index = await app.notebook.projector.open()

    def panic(*_: object) -> None:
        raise PanicException("index out of bounds")

    with monkeypatch.context() as broken:
        broken.setattr(index, "_shard", type("Shard", (), {"count": panic})())
        with pytest.raises(NoteIndexError, match="the log says why"):
            await index.count()
    assert await index.count() == 0
