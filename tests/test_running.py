"""Jobs run when they are due, once, in one process; what goes wrong with one stays with it."""

from __future__ import annotations

import asyncio
import time as clocks
from collections.abc import AsyncIterator
from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
import sqlalchemy as sa

from eren_memory.errors import BadInput, ErenError, LedgerError, NoteIndexError
from eren_memory.jobs import Daily, Every, GuildJob, Job
from eren_memory.ledger.ledger import Ledger, open_ledger
from eren_memory.ledger.runs import Lease, Run, Runs
from eren_memory.ledger.upkeep_schema import job_runs
from eren_memory.running import Jobs
from tests.conftest import on_both

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 11, 25, 12, tzinfo=UTC)


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


class Counted:
    """Work that counts itself, and fails as long as `error` is set."""

    def __init__(self, result: str = "done") -> None:
        self.count = 0
        self.error: Exception | None = None
        self.result = result

    async def __call__(self) -> str:
        self.count += 1
        if self.error:
            raise self.error
        return self.result


@pytest_asyncio.fixture
async def ledger(database: str) -> AsyncIterator[Ledger]:
    async with open_ledger(database) as opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def no_zones() -> dict[str, tzinfo]:
    return {}


def process(ledger: Ledger, clock: Clock, *jobs: Job | GuildJob, lease: float = 60) -> Jobs:
    """As one process has them; several may share the ledger."""
    made = Jobs(Runs(ledger), no_zones, UTC, clock, lease)
    made.add(*jobs)
    return made


async def look(jobs: Jobs) -> None:
    """Begin what is due, and wait for it."""
    await jobs.look(await jobs.all())
    await asyncio.gather(*jobs._running.values())


async def row(ledger: Ledger, name: str) -> Run:
    found = await Runs(ledger).of((name, ""))
    assert found is not None
    return found


@on_both
async def test_a_job_runs_at_its_time_and_not_again_until_the_next(ledger: Ledger, clock: Clock):
    work = Counted("3 notes")
    jobs = process(ledger, clock, Job("nightly", Daily(time(3), BERLIN), work))
    await look(jobs)  # Heard of for the first time: nothing was missed.
    clock.now = datetime(2026, 11, 26, 1, 59, 59, tzinfo=UTC)
    await look(jobs)
    assert work.count == 0
    clock.now = datetime(2026, 11, 26, 2, 0, tzinfo=UTC)
    await look(jobs)
    await look(jobs)
    assert work.count == 1
    [state] = await jobs.overview("g")
    assert (state.last_at, state.ok, state.result) == (clock.now, True, "3 notes")
    assert state.next_at == datetime(2026, 11, 27, 2, 0, tzinfo=UTC)


async def test_what_a_week_of_sleep_missed_runs_once(ledger: Ledger, clock: Clock):
    work = Counted()
    jobs = process(ledger, clock, Job("nightly", Daily(time(3), BERLIN), work))
    await look(jobs)
    clock.now += timedelta(days=7)
    for _ in range(5):
        await look(jobs)
    assert work.count == 1
    clock.now += timedelta(days=1)
    await look(jobs)
    assert work.count == 2


async def test_what_was_missed_while_no_process_ran_runs_once_after_the_start(
    database: str, clock: Clock
):
    work = Counted()
    for days in (0, 3, 0):
        clock.now += timedelta(days=days)
        async with open_ledger(database) as ledger:
            jobs = process(ledger, clock, Job("nightly", Daily(time(3)), work))
            await look(jobs)
            await jobs.drain(1)
    assert work.count == 1


@pytest.mark.parametrize(
    ("start", "runs"),
    [("2027-03-27T23:00", 1), ("2026-10-24T22:00", 1)],
    ids=["clocks go forward", "clocks go back"],
)
async def test_a_night_in_which_clocks_are_changed_has_one_run(
    ledger: Ledger, clock: Clock, start: str, runs: int
):
    work = Counted()
    clock.now = datetime.fromisoformat(start).replace(tzinfo=UTC)
    jobs = process(ledger, clock, Job("nightly", Daily(time(2, 30), BERLIN), work))
    for _ in range(8 * 4):  # Every quarter of an hour, all night.
        await look(jobs)
        clock.now += timedelta(minutes=15)
    assert work.count == runs


async def test_a_failure_is_tried_again_ever_later_told_once_and_stops_no_other(
    ledger: Ledger, clock: Clock, caplog: pytest.LogCaptureFixture
):
    bad, good = Counted(), Counted()
    bad.error = NoteIndexError("The index is away.")
    jobs = process(ledger, clock, Job("bad", Every(60), bad), Job("good", Every(60), good))
    told: list[str] = []

    async def hear(job: Job, reason: str) -> None:
        told.append(f"{job.id}: {reason}")

    jobs.on_failure = hear
    await look(jobs)
    begun = []
    for minute in range(1, 41):
        clock.now = START + timedelta(minutes=minute)
        before = bad.count
        await look(jobs)
        begun += [minute] if bad.count > before else []
    assert begun == [1, 2, 4, 8, 16, 32]
    assert good.count == 40
    assert told == ["bad: The index is away."]
    assert caplog.text.count("The index is away.") == 1
    [state, _] = await jobs.overview("g")
    assert (state.ok, state.failures, state.result) == (False, 6, "The index is away.")
    bad.error = None
    clock.now += timedelta(hours=1)
    await look(jobs)
    assert caplog.text.count("works again") == 1
    bad.error = NoteIndexError("Away once more.")
    clock.now += timedelta(minutes=2)
    await look(jobs)
    assert told[1:] == ["bad: Away once more."]


async def test_an_unexpected_error_is_logged_whole_and_shown_without_its_text(
    ledger: Ledger, clock: Clock, caplog: pytest.LogCaptureFixture
):
    work = Counted()
    work.error = RuntimeError("with /a/path and sk-secret")
    jobs = process(ledger, clock, Job("odd", Every(1), work))
    await look(jobs)
    clock.now += timedelta(seconds=1)
    await look(jobs)
    [state] = await jobs.overview("g")
    assert state.result == "It failed unexpectedly (RuntimeError); the log says why."
    assert "Traceback" in caplog.text


async def test_a_job_that_takes_too_long_counts_as_failed(ledger: Ledger, clock: Clock):
    async def forever() -> str:
        await asyncio.sleep(60)
        return ""

    jobs = process(ledger, clock, Job("slow", Every(1), forever, timeout=0.05))
    await look(jobs)
    clock.now += timedelta(seconds=1)
    await look(jobs)
    assert (await row(ledger, "slow")).result == "It took longer than 0.05 seconds."


@on_both
async def test_of_two_processes_one_runs_a_job(ledger: Ledger, clock: Clock):
    at_once = most = 0

    async def work() -> str:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.2)
        at_once -= 1
        return "done"

    job = Job("shared", Every(60), work)
    both = [process(ledger, clock, job), process(ledger, clock, job)]
    await asyncio.gather(*map(look, both))
    clock.now += timedelta(minutes=1)
    await asyncio.gather(*map(look, both))
    assert most == 1
    assert (await row(ledger, "shared")).token == 1


@on_both
async def test_whoever_looked_before_another_process_was_done_does_not_run_it_again(
    ledger: Ledger, clock: Clock
):
    runs = Runs(ledger)
    await runs.heard_of([("j", "")], clock.now)
    seen = await row(ledger, "j")
    lease = await runs.claim(seen, "first", 60, clock.now, clock.now)
    assert lease is not None
    assert await runs.succeeded(lease, "done", clock.now)
    assert await runs.claim(seen, "second", 60, clock.now, clock.now) is None


@on_both
async def test_whoever_was_frozen_past_its_lease_records_nothing(
    ledger: Ledger, clock: Clock, caplog: pytest.LogCaptureFixture
):
    thawed = asyncio.Event()

    async def frozen() -> str:
        await thawed.wait()
        return "of the frozen one"

    first = process(ledger, clock, Job("j", Every(60), frozen), lease=500)
    second = process(ledger, clock, Job("j", Every(60), Counted("of the other")))
    await look(first)
    clock.now += timedelta(minutes=2)
    await first.look(await first.all())
    while not (await row(ledger, "j")).running:
        await asyncio.sleep(0.01)
    clock.now += timedelta(minutes=2)
    await look(second)  # It is held.
    assert (await row(ledger, "j")).token == 1
    async with ledger.writing() as connection:  # As if its time had passed.
        past = datetime.now(UTC) - timedelta(seconds=1)
        await connection.execute(sa.update(job_runs).values(expires_at=past))
    await look(second)
    thawed.set()
    await asyncio.gather(*first._running.values())
    assert (await row(ledger, "j")).result == "of the other"
    assert "lost its lease" in caplog.text


async def test_a_lease_that_was_lost_cancels_its_job(
    ledger: Ledger, clock: Clock, caplog: pytest.LogCaptureFixture
):
    cancelled = asyncio.Event()

    async def long() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return ""

    jobs = process(ledger, clock, Job("j", Every(1), long), lease=0.3)
    await look(jobs)
    clock.now += timedelta(seconds=2)
    await jobs.look(await jobs.all())
    while not (await row(ledger, "j")).running:
        await asyncio.sleep(0.01)
    async with ledger.writing() as connection:
        await connection.execute(sa.update(job_runs).values(token=99, holder="another"))
    await asyncio.wait_for(cancelled.wait(), 5)
    await asyncio.gather(*jobs._running.values())
    assert "was cut off" in caplog.text
    assert (await row(ledger, "j")).result is None


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_job_is_cut_off_before_its_lease_ends_when_the_ledger_is_out_of_reach(
    ledger: Ledger, clock: Clock, monkeypatch: pytest.MonkeyPatch, hangs: bool
):
    cancelled: list[float] = []

    async def long() -> str:
        began = clocks.monotonic()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(clocks.monotonic() - began)
            raise
        return ""

    jobs = process(ledger, clock, Job("j", Every(1), long), lease=1.5)

    async def away(_lease: Lease) -> bool:
        if hangs:
            await asyncio.sleep(60)
        raise LedgerError("The database cannot be reached.")

    monkeypatch.setattr(jobs._runs, "renew", away)
    await look(jobs)
    clock.now += timedelta(seconds=2)
    await look(jobs)
    assert cancelled
    assert cancelled[0] < 1.45


async def test_a_long_job_keeps_its_lease(ledger: Ledger, clock: Clock):
    async def work() -> str:
        await asyncio.sleep(4)
        return "done"

    jobs = process(ledger, clock, Job("j", Every(1), work), lease=1.5)
    other = process(ledger, clock, Job("j", Every(1), Counted("of the other")), lease=1.5)
    await look(jobs)
    clock.now += timedelta(seconds=2)
    running = asyncio.create_task(look(jobs))
    while not running.done():
        await asyncio.sleep(0.05)
        await other.look(await other.all())
    assert (await row(ledger, "j")).result == "done"
    assert (await row(ledger, "j")).token == 1


@on_both
async def test_others_write_while_a_job_runs(ledger: Ledger, clock: Clock, database: str):
    wrote: list[float] = []

    async def work() -> str:
        async with open_ledger(database) as other:
            began = clocks.monotonic()
            await Runs(other).heard_of([("another", "")], START)
            wrote.append(clocks.monotonic() - began)
        return "done"

    jobs = process(ledger, clock, Job("j", Every(1), work))
    await look(jobs)
    clock.now += timedelta(seconds=1)
    await look(jobs)
    assert wrote
    assert wrote[0] < 2  # The write lock of a job would have kept it for fifteen seconds.


@pytest.mark.parametrize("stubborn", [False, True])
async def test_a_stop_in_mid_job_is_prompt_and_the_next_start_does_it_over(
    ledger: Ledger, clock: Clock, stubborn: bool
):
    async def slow() -> str:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if not stubborn:
                    raise
                await asyncio.sleep(60)
            return "late"

    job = Job("j", Every(60), slow)
    jobs = process(ledger, clock, job)
    await look(jobs)
    clock.now += timedelta(minutes=2)
    await jobs.look(await jobs.all())
    while not (await row(ledger, "j")).running:
        await asyncio.sleep(0.01)
    began = clocks.monotonic()
    await jobs.drain(3)
    assert clocks.monotonic() - began < 3.5
    stopped = await row(ledger, "j")
    assert (stopped.running, stopped.attempts, stopped.ok) == (False, 0, None)
    again = Counted()
    await look(process(ledger, clock, Job("j", Every(60), again)))
    assert again.count == 1


async def test_a_stop_lets_a_short_job_finish(ledger: Ledger, clock: Clock):
    async def short() -> str:
        await asyncio.sleep(0.2)
        return "done"

    jobs = process(ledger, clock, Job("j", Every(60), short))
    await look(jobs)
    clock.now += timedelta(minutes=2)
    await jobs.look(await jobs.all())
    await jobs.drain(5)
    assert (await row(ledger, "j")).result == "done"


async def test_a_job_that_kills_its_process_is_not_begun_at_once_at_each_start(
    ledger: Ledger, clock: Clock
):
    job = ("j", "")
    runs = Runs(ledger)
    await runs.heard_of([job], START)
    found = await runs.of(job)
    assert found is not None
    # The process claims it and is gone; its lease runs out.
    later = clock.now + timedelta(minutes=1)
    assert await runs.claim(found, "gone", 0, clock.now, later)
    work = Counted()
    jobs = process(ledger, clock, Job("j", Every(0), work))
    await look(jobs)
    assert work.count == 0
    clock.now = later
    await look(jobs)
    assert work.count == 1


async def test_a_guilds_job_goes_by_the_guilds_own_clocks(ledger: Ledger, clock: Clock):
    ran: list[str] = []

    async def digest(guild: str) -> str:
        ran.append(guild)
        return f"for {guild}"

    async def guilds() -> list[str]:
        return ["berlin", "tokyo", "unset"]

    async def zones() -> dict[str, tzinfo]:
        return {"berlin": BERLIN, "tokyo": ZoneInfo("Asia/Tokyo")}

    jobs = Jobs(Runs(ledger), zones, UTC, clock)
    jobs.add(GuildJob("digest", time(9), digest, guilds))
    await look(jobs)
    for hour in range(12, 12 + 24):
        clock.now = datetime(2026, 11, 25, tzinfo=UTC) + timedelta(hours=hour)
        await look(jobs)
    assert ran == ["tokyo", "berlin", "unset"]
    [mine] = await jobs.overview("tokyo")
    assert (mine.guild_id, mine.result) == ("tokyo", "for tokyo")


async def test_a_job_is_run_by_hand_and_refused_while_another_process_is_at_it(
    ledger: Ledger, clock: Clock, caplog: pytest.LogCaptureFixture
):
    work = Counted("three")
    jobs = process(ledger, clock, Job("j", Every(60), work))
    assert await jobs.run_now("j", "g") == "three"
    with pytest.raises(BadInput, match="no job 'k' here"):
        await jobs.run_now("k", "g")
    found = await row(ledger, "j")
    assert await Runs(ledger).claim(found, "other", 60, clock.now, clock.now)
    with pytest.raises(BadInput, match="Another process is at the job j"):
        await jobs.run_now("j", "g")
    work.error = NoteIndexError("Away.")
    fresh = process(ledger, clock, Job("f", Every(60), work))
    with pytest.raises(ErenError, match="Away"):
        await fresh.run_now("f", "g")
    assert "Away" not in caplog.text  # The command line says it, once.
    assert (await row(ledger, "f")).attempts == 0
