"""A clock that jumps: notes keep their dates, jobs their turns, and nothing waits for it to catch up."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from bot.limits import Limits
from eren_memory.app import open_app
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft, Place
from eren_memory.jobs import Every, Job
from eren_memory.ledger.ledger import open_ledger
from eren_memory.ledger.runs import Runs
from eren_memory.ledger.upkeep_schema import job_runs
from eren_memory.running import Jobs
from eren_memory.schedule import LOOK, Schedule
from tests.test_running import START, Clock, Counted, no_zones

HERE = Place("g", ("c",))
BY = By("somebody")
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


async def done(jobs: Jobs) -> None:
    await jobs.look(await jobs.all())
    await asyncio.gather(*jobs._running.values())


async def test_a_note_goes_by_the_clock_as_it_is_now_whichever_way_it_jumped(settings: Settings):
    clock = Clock()
    async with open_app(settings, clock=clock) as app:
        dated = NoteDraft("The ferry leaves at noon.", valid_until=START + HOUR)
        later = NoteDraft("The ferry leaves at one.", valid_from=START + HOUR)
        await app.notebook.add("g", dated, BY)
        await app.notebook.add("g", later, BY)

        async def found() -> list[int]:
            return [one.note.number for one in await app.notebook.search(HERE, "ferry", 5)]

        assert await found() == [1]
        clock.now += DAY
        assert await found() == [2]
        clock.now -= DAY + HOUR
        assert await found() == [1]


async def test_what_is_written_after_the_clock_was_set_back_is_the_latest_all_the_same(
    settings: Settings,
):
    clock = Clock()
    async with open_app(settings, clock=clock) as app:
        await app.notebook.add("g", NoteDraft("The ferry leaves at noon."), BY)
        assert [one.note.revision for one in await app.notebook.search(HERE, "ferry", 5)] == [1]
        clock.now -= HOUR
        await app.notebook.edit("g", 1, BY, text="The ferry leaves at two.")
        [found] = await app.notebook.search(HERE, "ferry", 5)
        assert (found.note.revision, found.note.text) == (2, "The ferry leaves at two.")
        second = await app.notebook.add("g", NoteDraft("The coach leaves at nine."), BY)
        assert second.number == 2
        history = await app.notebook.ledger.history(found.note)
        assert len(history[found.note.id]) == 2


async def test_a_job_runs_once_after_a_jump_ahead_and_goes_on_after_one_back(
    database: str, caplog: pytest.LogCaptureFixture
):
    clock, work = Clock(), Counted()
    async with open_ledger(database) as ledger:
        jobs = Jobs(Runs(ledger), no_zones, UTC, clock)
        jobs.add(Job("often", Every(60), work))
        await done(jobs)
        clock.now += DAY
        await done(jobs)
        await done(jobs)
        assert work.count == 1
        clock.now -= DAY + HOUR
        await done(jobs)
        assert work.count == 1
        assert "The clock was set back: 1 jobs" in caplog.text
        clock.now += timedelta(seconds=61)
        await done(jobs)
        assert work.count == 2


async def test_a_failed_job_does_not_wait_for_the_clock_to_catch_up(database: str):
    clock, work = Clock(), Counted()
    async with open_ledger(database) as ledger:
        jobs = Jobs(Runs(ledger), no_zones, UTC, clock)
        jobs.add(Job("often", Every(60), work))
        await done(jobs)
        work.error = RuntimeError("once")
        clock.now += DAY
        await done(jobs)
        work.error = None
        clock.now -= DAY
        await done(jobs)
        clock.now += timedelta(seconds=61)
        await done(jobs)
        assert work.count == 2


async def test_a_lease_from_the_future_of_a_process_that_is_gone_keeps_nobody_out(database: str):
    work = Counted()
    async with open_ledger(database) as ledger:
        jobs = Jobs(Runs(ledger), no_zones, UTC, lambda: datetime.now(UTC))
        jobs.add(Job("often", Every(0.01), work))
        await done(jobs)
        future = datetime.now(UTC) + HOUR
        async with ledger.writing() as connection:
            await connection.execute(
                sa.update(job_runs).values(token=7, holder="gone", expires_at=future)
            )
        await asyncio.sleep(0.05)
        await done(jobs)
        assert work.count == 1


async def test_timers_are_set_again_when_the_clock_is_set_back(
    database: str, caplog: pytest.LogCaptureFixture
):
    work, wall = Counted(), [10_000.0]

    def told() -> float:
        return wall[0] + asyncio.get_running_loop().time()

    async with open_ledger(database) as ledger:
        jobs = Jobs(Runs(ledger), no_zones, UTC, lambda: datetime.now(UTC))
        jobs.add(Job("often", Every(0.05), work))
        schedule = Schedule(jobs, 0.1, told)
        await schedule.start()
        while not work.count:
            await asyncio.sleep(0.01)
        # As a clock that was an hour ahead left them.
        for one in schedule._timers.get_jobs():
            schedule._timers.modify_job(one.id, next_run_time=datetime.now(UTC) + HOUR)
        wall[0] -= 3_600
        while LOOK not in {
            one.id
            for one in schedule._timers.get_jobs()
            if one.next_run_time < datetime.now(UTC) + timedelta(minutes=1)
        }:
            await asyncio.sleep(0.01)
        ran = work.count
        while work.count < ran + 2:
            await asyncio.sleep(0.01)
        await schedule.stop(1)
    assert "set back by 3600 s" in caplog.text


def test_how_often_somebody_asks_goes_by_a_clock_that_nobody_sets(monkeypatch: pytest.MonkeyPatch):
    limits = Limits(2, 10)
    assert [limits.wait("g", "ann") for _ in range(2)] == [0, 0]
    monkeypatch.setattr("time.time", lambda: 0.0)
    assert 0 < limits.wait("g", "ann") <= 60
    monkeypatch.setattr("time.time", lambda: 1e12)
    assert 0 < limits.wait("g", "ann") <= 60
