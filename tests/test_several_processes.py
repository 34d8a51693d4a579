"""Two real processes over one PostgreSQL and one Qdrant server (a stand-in, by HTTP)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from eren_memory import calibrations
from eren_memory.calibrations import Key
from eren_memory.prompts import PROMPT_VERSION
from eren_memory.relevance import DEFAULT, Task
from tests import qdrant_http
from tests.beside import Beside, beside
from tests.conftest import on_both
from tests.endpoint import Endpoint, Reply

on_postgresql = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
NOON = "The Fenlake Ferry leaves at noon."
SIX = "The Fenlake Ferry leaves at six."
QUESTION = "When does the Fenlake Ferry leave?"
_UNEDITED = ["unedited answer", []]


@pytest.fixture
def shared(database: str, endpoint: Endpoint, tmp_path: Path) -> dict[str, Any]:
    """The settings of both, but for what is each one's own."""
    for text, answer in ((NOON, "at noon"), (SIX, "at six")):
        endpoint.when(f"Note: {text}\nQuestion:", Reply(f"yes: {answer}", probability=0.999))
    return {
        "home": str(tmp_path / "home"),
        "database_url": database,
        "model": "scripted",
        "openai_base_url": endpoint.url,
        "openai_api_key": "sk-secret-of-the-tests",
        "embedding_model": "hashed-words",
        "embedding_url": endpoint.url,
    }


@pytest_asyncio.fixture
async def processes(shared: dict[str, Any], tmp_path: Path) -> AsyncIterator[list[Beside]]:
    """Two of them, and the index that they share."""
    async with AsyncExitStack() as stack:
        qdrant = await stack.enter_async_context(qdrant_http.serve())
        settings = shared | {"qdrant_url": qdrant.url}
        starting = [beside(settings, tmp_path) for _ in range(2)]
        yield [await stack.enter_async_context(one) for one in starting]


@on_postgresql
async def test_what_one_process_writes_decides_the_very_next_answer_of_the_other(
    processes: list[Beside],
):
    a, b = processes
    assert await b("ask", question=QUESTION) == _UNEDITED
    first = await a("add", text=NOON)
    assert await b("ask", question=QUESTION) == ["at noon", [first]]
    await a("edit", number=first, text=SIX)
    assert await b("ask", question=QUESTION) == ["at six", [first]]
    await b("act", name="retire", number=first)
    assert await a("ask", question=QUESTION) == _UNEDITED
    await a("act", name="restore", number=first)
    assert await b("ask", question=QUESTION) == ["at six", [first]]
    second = await b("add", text=NOON, instead_of=[first])
    assert await a("ask", question=QUESTION) == ["at noon", [second]]
    await a("act", name="erase", number=second)
    assert await b("ask", question=QUESTION) == _UNEDITED
    draft = await b("suggest", text=SIX)
    assert await a("ask", question=QUESTION) == _UNEDITED
    await a("act", name="approve", number=draft)
    assert await b("ask", question=QUESTION) == ["at six", [draft]]


@on_postgresql
async def test_a_correction_counts_at_once_however_often_both_write(processes: list[Beside]):
    number = await processes[0]("add", text=NOON)
    for turn in range(12):
        writer, reader = processes[turn % 2], processes[1 - turn % 2]
        text, said = ((SIX, "at six"), (NOON, "at noon"))[turn % 2]
        other = asyncio.create_task(reader("add", text=f"Note {turn} is about nothing."))
        await writer("edit", number=number, text=text)
        await other
        assert await reader("ask", question=QUESTION) == [said, [number]]


@on_postgresql
async def test_no_process_remembers_what_another_may_change(
    processes: list[Beside], shared: dict[str, Any]
):
    a, b = processes
    assert await b("chosen", name="tone") == "neutral"
    await a("choose", tone="formal")
    assert await b("chosen", name="tone") == "formal"
    number = await a("add", text=NOON)
    assert await b("choices", typed="Fenlake") == [number]
    await a("act", name="retire", number=number)
    assert await b("choices", typed="Fenlake") == []
    assert await b("fitted") is None
    key = Key("scripted", "hashed-words", PROMPT_VERSION, True, Task.QUESTION)
    own = Path(shared["home"]) / "calibrations.json"
    for fitted in ("first", "second"):
        calibrations.write(own, {key: replace(DEFAULT, fitted=fitted)})
        assert await b("fitted") == fitted


@on_postgresql
async def test_a_killed_process_loses_nothing_and_the_other_goes_on(processes: list[Beside]):
    a, b = processes
    await a.tell("write")
    said = [await a.heard() for _ in range(10)]
    a.child.kill()
    while (one := await a.heard()) is not None:
        said.append(one)
    assert len(said) >= 10
    for number, text in said:
        harbour = text.split()[-1]
        assert number in await b("choices", typed=f"{harbour} {text.split()[1]}")
    added = await b("add", text=NOON)
    assert added > max(number for number, _ in said)
    assert await b("ask", question=QUESTION) == ["at noon", [added]]


@on_both
async def test_each_message_is_one_processes_to_answer(shared: dict[str, Any], tmp_path: Path):
    elsewhere = shared | {"home": str(tmp_path / "other")}  # Each with an index of its own.
    async with beside(shared, tmp_path) as a, beside(elsewhere, tmp_path) as b:
        messages = list(range(1, 81))
        mine, yours = await asyncio.gather(*(one("hear_each", messages=messages) for one in (a, b)))
        assert sorted(mine + yours) == messages
        assert await a("hear", messages=[80, 81]) is False
        # All or none: what was not answered is still free.
        assert await b("hear", messages=[81, 82]) is True
        assert await a("hear", messages=[82]) is False
