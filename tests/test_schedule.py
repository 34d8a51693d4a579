"""The timers, and several real processes that share a ledger."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import time as clocks
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, time, tzinfo
from itertools import pairwise
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from eren_memory.errors import LedgerError
from eren_memory.jobs import Daily, Every, GuildJob, Job
from eren_memory.ledger.ledger import open_ledger
from eren_memory.ledger.runs import Runs
from eren_memory.running import Jobs
from eren_memory.schedule import LOOK, Schedule
from tests import jobbing
from tests.conftest import on_both

_START_SECONDS = 60.0


@contextmanager
def started(url: str, log: Path, busy: dict[str, float]) -> Iterator[Mapping[str, BaseProcess]]:
    """A process each name; all are gone at the end."""
    context = multiprocessing.get_context("spawn")
    children = {
        name: context.Process(target=jobbing.work, args=(url, str(log), name, seconds))
        for name, seconds in busy.items()
    }
    for child in children.values():
        child.start()
    try:
        yield children
    finally:
        for child in children.values():
            child.kill()
            child.join()


def told(log: Path) -> list[tuple[float, str, str]]:
    lines = log.read_text().splitlines() if log.exists() else []
    split = [line.split(" ", 2) for line in lines if line.count(" ") >= 2]
    return sorted((float(at), name, what) for at, name, what in split)


async def until(log: Path, *wanted: tuple[str, str]) -> None:
    """Wait until each of these was said."""
    end = clocks.monotonic() + _START_SECONDS
    while not {*wanted} <= {(name, what) for _, name, what in told(log)}:
        assert clocks.monotonic() < end, told(log)
        await asyncio.sleep(0.02)


def at_it(log: Path) -> list[tuple[float, float, str]]:
    """(begin, end, name) of every time that a process was at the job."""
    spans, begun = [], {}
    for at, name, what in told(log):
        if what == "begins":
            begun[name] = at
        elif what in ("ends", "is cancelled"):
            spans.append((begun.pop(name), at, name))
    return sorted(spans)


@on_both
async def test_of_two_processes_one_is_at_a_job_and_a_killed_ones_is_taken_over(
    database: str, tmp_path: Path
):
    log = tmp_path / "log"
    async with open_ledger(database):
        pass  # So that none of them has to make it.
    with started(database, log, {"a": 0.05, "b": 0.05}) as children:
        await until(log, ("a", "is up"), ("b", "is up"))
        while len(at_it(log)) < 12:
            await asyncio.sleep(0.05)
        # Killed in the middle of it, which its lease says for a while yet.
        leader = told(log)[-1][1]
        while told(log)[-1][1:] != (leader, "begins"):
            await asyncio.sleep(0.001)
        children[leader].kill()
        killed = clocks.time()
        children[leader].join()
        dead = told(log)[-1][1:] == (leader, "begins")
        other = "b" if leader == "a" else "a"
        before = [one for one in told(log) if one[1] == other and one[2] == "begins"]
        while len([o for o in told(log) if o[1] == other and o[2] == "ends"]) < len(before) + 3:
            await asyncio.sleep(0.05)
    for (_, end, _), (begin, _, _) in pairwise(at_it(log)):
        assert end <= begin, at_it(log)
    first = next(at for at, name, what in told(log) if name == other and at > killed)
    if dead:  # It had begun and not ended: not before its lease ran out.
        assert first - killed > jobbing.LEASE * 0.5
    assert first - killed < jobbing.LEASE + 5


@on_both
async def test_a_process_that_was_frozen_past_its_lease_notices_before_it_records(
    database: str, tmp_path: Path
):
    log = tmp_path / "log"
    async with open_ledger(database) as ledger:
        with started(database, log, {"slow": 3.0}) as first:
            await until(log, ("slow", "begins"))
            pid = first["slow"].pid
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)
            with started(database, log, {"quick": 0.5}):
                await until(log, ("quick", "ends"))
                began = told(log)
                os.kill(pid, signal.SIGCONT)
                await until(log, ("slow", "is cancelled"))
        run = await Runs(ledger).of(("shared", ""))
    frozen = next(at for at, name, what in began if (name, what) == ("slow", "begins"))
    taken = next(at for at, name, what in began if (name, what) == ("quick", "begins"))
    assert taken - frozen > jobbing.LEASE * 0.9
    assert run is not None
    assert run.result == "quick"
    assert ("slow", "ends") not in {one[1:] for one in told(log)}


async def no_zones() -> dict[str, tzinfo]:
    return {}


async def test_each_job_has_one_timer_with_its_own_id_that_is_never_doubled(database: str):
    async def nothing(guild: str = "") -> str:
        return ""

    guilds = ["1"]

    async def present() -> list[str]:
        return guilds

    async with open_ledger(database) as ledger:
        jobs = Jobs(Runs(ledger), no_zones, UTC, lambda: datetime.now(UTC))
        jobs.add(Job("nightly", Daily(time(3)), nothing), Job("often", Every(60), nothing))
        jobs.add(GuildJob("digest", time(9), nothing, present))
        schedule = Schedule(jobs)
        await schedule.start()
        while len(schedule._timers.get_jobs()) < 4:
            await asyncio.sleep(0.01)
        guilds[:] = ["2"]
        await schedule._look()
        timers = {one.id: one for one in schedule._timers.get_jobs()}
        assert {*timers} == {LOOK, "nightly", "often", "digest:2"}
        for one in timers.values():
            assert (one.coalesce, one.max_instances, one.misfire_grace_time) == (True, 1, None)
        due = timers["nightly"].next_run_time
        assert due == Daily(time(3)).after(datetime.now(UTC))
        await schedule.stop(1)
        await schedule.stop(1)  # Once more does no harm.


async def test_a_ledger_that_is_away_for_a_while_stops_nothing_for_good(
    database: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    ran = asyncio.Event()

    async def work() -> str:
        ran.set()
        return "done"

    async with open_ledger(database) as ledger:
        runs = Runs(ledger)
        jobs = Jobs(runs, no_zones, UTC, lambda: datetime.now(UTC))
        jobs.add(Job("often", Every(0.1), work))
        here = runs.all
        looked = 0

        async def away() -> object:
            nonlocal looked
            looked += 1
            raise LedgerError("The database cannot be reached.")

        monkeypatch.setattr(runs, "all", away)
        schedule = Schedule(jobs, look_seconds=0.1)
        await schedule.start()
        while looked < 4:
            await asyncio.sleep(0.05)
        monkeypatch.setattr(runs, "all", here)
        await asyncio.wait_for(ran.wait(), 10)
        await schedule.stop(1)
    assert caplog.text.count("cannot be reached") == 1


async def test_nothing_of_the_scheduler_is_left_running_after_a_stop(database: str):
    async def slow() -> str:
        await asyncio.sleep(60)
        return ""

    async with open_ledger(database) as ledger:
        jobs = Jobs(Runs(ledger), no_zones, UTC, lambda: datetime.now(UTC))
        jobs.add(Job("slow", Every(0.1), slow))
        schedule = Schedule(jobs, look_seconds=0.1)
        await schedule.start()
        while not jobs._running:
            await asyncio.sleep(0.01)
        began = clocks.monotonic()
        await schedule.stop(2.5)
        assert clocks.monotonic() - began < 3
        await asyncio.sleep(0.3)
        assert jobs._running == {}
        assert len(asyncio.all_tasks()) == 1


def test_a_command_that_needs_no_timers_does_not_load_them():
    code = (
        "import sys; from click.testing import CliRunner; from eren_memory.cli import cli\n"
        "done = CliRunner().invoke(cli, ['note', 'list']); assert done.exit_code == 0, done\n"
        "print([m for m in ('apscheduler', 'torch', 'openai', 'qdrant_client') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "EREN_HOME": str(Path.cwd() / "home")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]", done.stderr
