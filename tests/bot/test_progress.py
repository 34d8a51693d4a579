"""What people see while they wait, and what becomes of their question when the bot stops."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from bot import progress
from bot.asking import Asker
from bot.failures import Refused
from bot.questions import Request
from bot.splitting import Page
from bot.texts import Texts, texts
from eren_memory.app import App
from eren_memory.domain import Place
from eren_memory.errors import LedgerError, ModelError
from eren_memory.ledger.records import Records
from tests.endpoint import Endpoint, Reply


class Wall:
    """A spot that remembers what was shown."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.late: list[str] = []
        """Progress that came after the answer."""
        self.finished: list[Page] = []

    async def show(self, text: str) -> None:
        (self.late if self.finished else self.shown).append(text)

    async def finish(self, page: Page, t: Texts, *, dismissible: bool) -> tuple[str, ...]:
        self.finished.append(page)
        return (uuid4().hex,)


def request(question: str = "Who?", asker: str = "ann", **fields: Any) -> Request:
    return Request(Place("g", ("c",)), "c", asker, question, texts(None), **fields)


async def ask(asker: Asker, request: Request, wall: Any) -> Any:
    """As a command does: admitted first."""
    asker.admission.admit(request, request.t)
    return await asker.ask(request, wall)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_PATIENCE", 0.2)
    monkeypatch.setattr(progress, "_BETWEEN_EDITS", 0.1)
    monkeypatch.setattr(progress, "_STILL", 0.3)


async def test_a_quick_answer_shows_no_progress(app: App, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(progress, "_PATIENCE", 30)
    wall = Wall()
    await ask(Asker(app), request(), wall)
    assert wall.shown == []
    assert wall.finished[0].parts[0].startswith("unedited answer")


async def test_a_slow_model_is_seen_thinking_before_it_answers(app: App, endpoint: Endpoint):
    endpoint.default = Reply("at last", delay=1.2)
    wall = Wall()
    await ask(Asker(app), request(), wall)
    assert wall.shown[0].startswith("-# Thinking")
    assert 2 <= len(wall.shown) <= 8
    assert wall.finished[0].parts[0].startswith("at last\n")


async def test_a_long_answer_is_seen_growing(app: App, endpoint: Endpoint):
    pause = asyncio.Event()
    endpoint.default = Reply("one two three", pause=pause)
    wall = Wall()
    asked = asyncio.create_task(ask(Asker(app), request(), wall))
    while not wall.shown or not wall.shown[-1].startswith("one"):
        await asyncio.sleep(0.05)
    assert "three" not in wall.shown[-1]
    pause.set()
    await asked
    assert wall.finished[0].parts[0].startswith("one two three\n")


async def test_so_many_are_answered_at_once_and_the_others_wait(app: App, endpoint: Endpoint):
    hold = asyncio.Event()
    endpoint.default = Reply("done", hold=hold)
    asker, walls = Asker(app), [Wall() for _ in range(app.settings.questions_at_once + 3)]
    running = [
        asyncio.create_task(ask(asker, request(f"Who {n}?", str(n)), wall))
        for n, wall in enumerate(walls)
    ]
    while len(endpoint.requests) < app.settings.questions_at_once:
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.3)
    assert len(endpoint.requests) == app.settings.questions_at_once
    hold.set()
    await asyncio.gather(*running)
    assert all(len(wall.finished) == 1 for wall in walls)


async def test_a_stop_lets_answers_finish_and_gives_back_what_does_not_in_time(
    app: App, endpoint: Endpoint
):
    endpoint.when("quick", Reply("soon", delay=0.3))
    endpoint.when("slow", Reply("never", delay=60))
    asker, quick, slow = Asker(app), Wall(), Wall()
    one = asyncio.create_task(ask(asker, request("quick?"), quick))
    other = asyncio.create_task(ask(asker, request("slow?"), slow))
    while len(endpoint.requests) < 2:
        await asyncio.sleep(0.05)
    await asker.drain(1.0)
    assert (await one) is not None
    assert len(quick.finished) == 1
    with pytest.raises(Refused, match="being restarted"):
        await other
    assert slow.finished == []
    with pytest.raises(Refused, match="being restarted"):
        asker.admission.admit(request("late?"), texts(None))


async def test_a_question_that_the_model_cannot_answer_is_remembered_as_a_gap(
    app: App, endpoint: Endpoint
):
    endpoint.default = Reply("")
    with pytest.raises(ModelError):
        await ask(Asker(app), request("Who painted it?"), Wall())
    [review] = await app.reviews.waiting("g", 9)
    assert (review.queue, review.question) == ("gap", "Who painted it?")


async def test_a_model_that_is_out_of_reach_makes_no_gap_of_every_question(
    app: App, endpoint: Endpoint
):
    endpoint.default = Reply(status=401, body="{}")
    with pytest.raises(ModelError):
        await ask(Asker(app), request("Who painted it?"), Wall())
    assert await app.reviews.waiting("g", 9) == []
    spent = await app.records.spent("g", datetime.now(UTC) - timedelta(days=1), 1)
    assert (spent.questions, spent.missed) == (1, 1)


async def test_an_edit_that_is_under_way_does_not_arrive_after_the_answer(
    app: App, endpoint: Endpoint
):
    class Slow(Wall):
        async def show(self, text: str) -> None:
            await asyncio.sleep(0.8)
            await super().show(text)

    endpoint.default = Reply("done", delay=0.5)
    wall = Slow()
    await ask(Asker(app), request(), wall)
    await asyncio.sleep(1)
    assert wall.shown
    assert wall.late == []
    assert len(wall.finished) == 1


async def test_an_answer_that_cannot_be_recorded_stays(app: App, monkeypatch: pytest.MonkeyPatch):
    async def locked(*_: object) -> None:
        raise LedgerError("locked")

    monkeypatch.setattr(Records, "keep", locked)
    wall = Wall()
    assert await ask(Asker(app), request(), wall) is not None
    assert wall.finished[0].parts[0].startswith("unedited answer")
