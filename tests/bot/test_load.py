"""Many ask at once, of a slow model: acknowledged, in fair turns, bounded, and refused honestly."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from bot.asking import Asker
from bot.failures import Refused
from bot.metrics import Metrics
from bot.questions import Request
from bot.splitting import Page
from bot.texts import Texts, texts
from bot.turns import Crowded, Seat, Turns
from eren_memory.app import App
from eren_memory.config import Settings
from eren_memory.domain import Place
from eren_memory.errors import ModelError
from tests.bot import loopback
from tests.bot.test_process import discord, environment, until
from tests.endpoint import Endpoint, Reply

__all__ = ["discord", "environment"]  # Fixtures.


class Wall:
    """A spot that remembers what was shown."""

    def __init__(self, order: list[str], name: str) -> None:
        self._order, self._name = order, name

    async def show(self, text: str) -> None:
        """Progress."""

    async def finish(self, page: Page, t: Texts, *, dismissible: bool) -> tuple[str, ...]:
        self._order.append(self._name)
        return (self._name,)


def narrow(app: App, **changed: int) -> Asker:
    """An asker of a bot with other settings."""
    settings = app.settings.model_copy(update={"questions_per_guild": 10_000, **changed})
    return Asker(Stand(app, settings), Metrics())  # type: ignore[arg-type]


class Stand:
    """The application, under other settings."""

    def __init__(self, app: App, settings: Settings) -> None:
        self._app, self.settings = app, settings

    def __getattr__(self, name: str) -> Any:
        return getattr(self._app, name)


async def put(asker: Asker, order: list[str], name: str, guild: str = "g") -> Any:
    """What a command does: admit, acknowledge, ask."""
    request = Request(Place(guild, ("c",)), "c", name, f"Who is {name}?", texts(None))
    asker.admission.admit(request, texts(None))
    await asyncio.sleep(0)
    return await asker.ask(request, Wall(order, name))


def begun(turns: Turns, *guilds: str) -> list[Seat]:
    return [turns.book(guild) for guild in guilds]


def come(tickets: list[Seat]) -> list[bool]:
    return [one.come.is_set() for one in tickets]


def test_turns_go_round_the_servers_and_in_each_to_who_came_first():
    turns = Turns(2, 9, 99)
    crowd = begun(turns, *"aaaaaa")
    lone = begun(turns, "b")
    assert come(crowd) == [True, True, False, False, False, False]
    assert come(lone) == [False]
    crowd[1].leave()
    assert come(lone) == [True]
    crowd[0].leave()
    assert come(crowd)[2:] == [True, False, False, False]
    lone[0].leave()
    assert come(crowd)[2:] == [True, True, False, False]


def test_servers_that_wait_alike_take_turns():
    turns = Turns(1, 9, 99)
    served = begun(turns, "z")
    waiting = begun(turns, "a", "a", "a", "b", "b", "c")
    order = []
    while served:
        served.pop().leave()
        for one in waiting:
            if one.come.is_set():
                order.append(one.guild_id)
                served.append(one)
                waiting.remove(one)
                break
    assert order == ["a", "b", "c", "a", "b", "a"]


def test_the_line_is_bounded_and_says_how_many_wait():
    turns = Turns(1, 3, 5)
    begun(turns, *"aaaa")
    with pytest.raises(Crowded) as refused:
        turns.book("a")
    assert refused.value.waiting == 3
    begun(turns, *"bb")
    with pytest.raises(Crowded) as refused:
        turns.book("b")
    assert refused.value.waiting == 5


def test_a_server_where_nobody_waits_is_not_kept_out_by_the_others():
    turns = Turns(1, 3, 3)
    begun(turns, *"aaaa")
    [lone] = begun(turns, "b")
    assert turns.waiting == 4
    with pytest.raises(Crowded):
        turns.book("b")
    lone.leave()
    assert turns.waiting == 3


async def test_whoever_gives_up_waiting_or_never_comes_blocks_nobody(app: App, endpoint: Endpoint):
    asker, order = narrow(app, questions_at_once=1), list[str]()
    hold = asyncio.Event()
    endpoint.default = Reply("done", hold=hold)
    first = asyncio.create_task(put(asker, order, "first"))
    while not endpoint.requests:
        await asyncio.sleep(0.01)
    gone = asyncio.create_task(put(asker, order, "gone"))
    last = asyncio.create_task(put(asker, order, "last"))

    async def never() -> None:
        request = Request(Place("g", ("c",)), "c", "never", "Who?", texts(None))
        asker.admission.admit(request, texts(None))
        raise ConnectionError  # Discord could not be told; nothing is asked.

    await asyncio.gather(never(), return_exceptions=True)
    await asyncio.sleep(0.05)
    gone.cancel()
    hold.set()
    await asyncio.gather(first, last)
    assert order == ["first", "last"]
    assert asker.admission.turns.waiting == 0


async def test_a_crowd_of_one_server_does_not_keep_another_waiting(app: App, endpoint: Endpoint):
    asker, order = narrow(app, questions_at_once=4), list[str]()
    hold = asyncio.Event()
    endpoint.default = Reply("done", hold=hold)
    crowd = [asyncio.create_task(put(asker, order, f"a{n}", "a")) for n in range(50)]
    while len(endpoint.requests) < 4:
        await asyncio.sleep(0.01)
    lone = asyncio.create_task(put(asker, order, "lone", "b"))
    await asyncio.sleep(0.05)
    hold.set()
    await asyncio.gather(*crowd, lone)
    assert len(order) == 51
    # Behind those that were being answered when it came, and those beside it.
    assert order.index("lone") < 8


async def test_a_flood_is_refused_honestly_and_leaves_nothing_behind(app: App, endpoint: Endpoint):
    asker, order = narrow(app, questions_at_once=2, questions_waiting_per_guild=10), list[str]()
    hold = asyncio.Event()
    endpoint.default = Reply("done", hold=hold)
    before = len(asyncio.all_tasks())
    flood = [asyncio.create_task(put(asker, order, f"a{n}")) for n in range(500)]
    while len(endpoint.requests) < 2:
        await asyncio.sleep(0.01)
    refused = [one for one in flood if one.done()]
    assert len(refused) == 500 - 12
    assert isinstance(refused[0].exception(), Refused)
    assert "10 questions are waiting already" in str(refused[0].exception())
    assert asker.admission.turns.waiting == 10
    # Each of those admitted has its own task, its work, and what shows its progress; no more.
    assert len(asyncio.all_tasks()) - before < 12 * 5
    for one in refused:
        one.exception()
    hold.set()
    await asyncio.wait(flood)
    assert len(order) == 12
    assert (asker.admission.turns.waiting, asker.admission._booked, asker._running) == (0, {}, {})


async def test_an_answer_that_fails_gives_its_turn_to_the_next(app: App, endpoint: Endpoint):
    asker, order = narrow(app, questions_at_once=1), list[str]()
    endpoint.when("bad", Reply(status=401, body="{}"))
    tasks = [asyncio.create_task(put(asker, order, name)) for name in ("bad", "bad2", "good")]
    bad, worse, _ = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(bad, ModelError)
    assert isinstance(worse, ModelError)
    assert order == ["good"]


async def test_fifty_who_ask_a_slow_model_at_once_are_acknowledged_served_in_turn_or_refused(
    discord: loopback.Discord, endpoint: Endpoint, environment: dict[str, str], tmp_path: Path
):
    hold = asyncio.Event()
    endpoint.default = Reply("done", hold=hold)
    discord.guilds["2001"] = "3001"
    environment |= {"EREN_QUESTIONS_AT_ONCE": "4", "EREN_QUESTIONS_WAITING_PER_GUILD": "30"}
    async with loopback.process(discord, tmp_path, environment):
        await asyncio.wait_for(discord.ready.wait(), 30)
        asked = {}
        for n in range(50):
            one = await discord.slash(str(6000 + n), "ask", question=f"Who {n}?")
            asked[one] = time.monotonic()
        lone = await discord.slash("7000", "ask", guild="2001", question="Alone?")
        asked[lone] = time.monotonic()
        await until(lambda: all(discord.said("POST", f"/{one}/") for one in asked), 10)
        acknowledged = {one: discord.said("POST", f"/{one}/")[0] for one in asked}
        assert all(acknowledged[one].at - at < 3 for one, at in asked.items())
        refused = [one for one, call in acknowledged.items() if call.body["type"] == 4]
        assert len(refused) == 50 - 4 - 30
        said = acknowledged[refused[0]].body["data"]
        assert "30 questions are waiting already" in said["content"]
        assert said["flags"] & 64  # For the asker's eyes.
        await until(lambda: len(endpoint.requests) == 4)
        hold.set()
        served = [one for one in asked if one not in refused]
        await until(
            lambda: all(str(discord.answer_to(one)).startswith("done") for one in served), 30
        )
        questions = [one["messages"][-1]["content"] for one in endpoint.requests]
        assert next(n for n, text in enumerate(questions) if "Alone?" in text) < 8
