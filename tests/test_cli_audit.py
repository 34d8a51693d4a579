"""`eren audit`: what it prints, what it costs, and what a kill leaves of it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from eren_memory.app import open_app
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft
from tests.calibrated import NOTE, calibrate
from tests.command_line import CommandLine
from tests.endpoint import Endpoint, Reply

TWO = "The Fenlake Ferry leaves at two."


@pytest.fixture
def eren(settings: Settings) -> CommandLine:
    calibrate(settings)
    return CommandLine(settings)


async def fill(settings: Settings, *texts: str) -> None:
    async with open_app(settings) as app:
        for text in texts:
            await app.notebook.add("local", NoteDraft(text), By("ann"))


async def test_findings_are_listed_with_reason_and_advice_and_the_cost(
    eren: CommandLine, settings: Settings, endpoint: Endpoint
):
    endpoint.when("Claim: ", Reply("false", probability=0.99))
    await fill(settings, NOTE, TWO)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    await eren("note", "edit", "2", "--review-by", yesterday.isoformat())
    ran = await eren("audit")
    assert ran.status == 0
    assert f"conflict       #1 {NOTE}" in ran.out
    assert "contradicts #2 (p 1.00): " in ran.out
    assert "decide which is true" in ran.out
    assert "review due     #2" in ran.out
    assert "2 findings. 1 model calls, 10 tokens: 1 pairs and 0 test questions." in ran.out
    data = (await eren("audit", "--json")).data
    assert [(one["reason"], one["number"], one["other"]) for one in data["findings"]] == [
        ("conflict", 1, 2),
        ("review due", 2, None),
    ]
    assert (data["calls"], data["complete"]) == (0, True)


async def test_an_audit_without_calls_asks_nothing_and_says_that_something_is_left(
    eren: CommandLine, settings: Settings, endpoint: Endpoint
):
    await fill(settings, NOTE, TWO)
    ran = await eren("audit", "--calls", "0")
    assert "All well." in ran.out
    assert "The next audit asks the rest." in ran.out
    assert endpoint.requests == []
    assert (await eren("audit", "--calls", "-1")).status == 2


async def test_beside_a_process_that_holds_the_index_the_ledger_is_audited_all_the_same(
    eren: CommandLine, settings: Settings
):
    async with open_app(settings) as holder:
        await holder.notebook.projector.ready()
        await holder.notebook.add(
            "local", NoteDraft(NOTE, review_by=datetime(2026, 1, 1, tzinfo=UTC)), By("ann")
        )
        ran = await eren("audit")
    assert ran.status == 0
    assert "review due     #1" in ran.out
    assert "Asking ended early: " in ran.out


async def test_an_audit_that_was_killed_goes_on_and_asks_nothing_twice(
    eren: CommandLine, settings: Settings, endpoint: Endpoint
):
    await fill(settings, *(f"The ferry number {n} leaves at noon from pier {n}." for n in range(4)))
    never = asyncio.Event()
    endpoint.when(
        "Claim: ",
        lambda _: Reply("unknown", 0.99, hold=never if len(endpoint.requests) == 4 else None),
    )
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "eren_memory.cli", "audit",
        env={**os.environ, **eren.environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    while len(endpoint.requests) < 4:
        assert child.returncode is None
        await asyncio.sleep(0.05)
    child.kill()
    await child.communicate()
    never.set()
    data = (await eren("audit", "--json")).data
    assert (data["complete"], data["pairs"]) == (True, 3)
    asked = [one[-1]["content"] for one in endpoint.conversations]
    # Six pairs, and the one that was cut off once more.
    assert len(asked) == 7
    assert len({*asked}) == 6
    assert asked[3] == asked[4]
