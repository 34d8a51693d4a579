"""Running jobs: each when it is due, in one process of all that share the ledger, and never for good.

due? ── no ──► nothing
 │
 claim its lease ── another process has it ──► nothing
 │
 run, renewing the lease ── lost it (frozen, cut off) ──► cancelled, nothing is recorded
 │         │        │
 went well failed   the program stops ──► let go of; due again at the next start
 │         │
 recorded  recorded, tried again later, told once until it goes well again
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta, tzinfo
from socket import gethostname
from uuid import uuid4

from eren_memory.errors import BadInput, ErenError
from eren_memory.jobs import EVERYWHERE, GuildJob, Job, JobState
from eren_memory.leasing import LeaseLost, held
from eren_memory.ledger.runs import Run, Runs

LEASE_SECONDS = 60.0
"""After so long without a renewal another process may take a job over."""

PAUSE = timedelta(seconds=60)
"""Between a first and a second attempt; then twice as long each time, up to an hour."""
_LONGEST_PAUSE = timedelta(hours=1)
# Between the clocks of processes that share a ledger.
_SKEW = timedelta(minutes=1)
# For a job that was cancelled to end, and for a stop to note that it did.
_LAST_WORDS = 1.0

_log = logging.getLogger(__name__)

OnFailure = Callable[[Job, str], Awaitable[None]]
"""Told of a job that failed, and why; not again until it has gone well."""
OnEnded = Callable[[Job, bool], None]
"""Told of each job that ended, and whether it went well."""


class Jobs:
    """What runs by itself, and how it stands. Timers are `schedule`'s.

    Args:
        runs: Where it is kept.
        zones: The time zone of each guild that chose one.
        zone: That of all others.
        clock: The present; leases go by the database's own.
        lease_seconds: How long a lease is valid without a renewal.
        pause: Between a first attempt that failed and the second.
    """

    def __init__(
        self,
        runs: Runs,
        zones: Callable[[], Awaitable[dict[str, tzinfo]]],
        zone: tzinfo,
        clock: Callable[[], datetime],
        lease_seconds: float = LEASE_SECONDS,
        pause: timedelta = PAUSE,
    ) -> None:
        self._runs = runs
        self._zones = zones
        self._zone = zone
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._first_pause = pause
        self._jobs: list[Job | GuildJob] = []
        self._running: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._closing = False
        self._told = ""
        self._holder = f"{gethostname()[:24]}:{os.getpid()}:{uuid4().hex[:8]}"
        self.on_failure: OnFailure | None = None
        self.on_ended: OnEnded | None = None

    def add(self, *jobs: Job | GuildJob) -> None:
        """Have these run too."""
        self._jobs += jobs

    async def all(self) -> list[Job]:
        """Every job, those of guilds once for each guild. Raises `ErenError`."""
        own = [one for one in self._jobs if isinstance(one, Job)]
        by_guild = [one for one in self._jobs if isinstance(one, GuildJob)]
        if not by_guild:
            return own
        zones = await self._zones()
        return own + [
            one.of(guild, zones.get(guild, self._zone))
            for one in by_guild
            for guild in await one.guilds()
        ]

    async def look(self, jobs: Sequence[Job]) -> None:
        """Begin whatever is due: missed, to be tried again, or left by a process that is gone.

        Raises:
            LedgerError: The ledger cannot be read.
        """
        known = await self._runs.all()
        new = [job.key for job in jobs if job.key not in known]
        now = self._clock()
        await self._runs.heard_of(new, now)
        if ahead := [key for key, run in known.items() if _is_ahead(run, now)]:
            _log.warning("The clock was set back: %d jobs go by it from now on.", len(ahead))
            await self._runs.set_back(ahead, now)
            known = await self._runs.all()
        for job in jobs:
            run = known.get(job.key)
            if run is not None and self._is_due(job, run):
                self._begin(job)

    async def run(self, job: Job) -> None:
        """Run a job to its end if it is due, and no process is at it. Never raises."""
        if (task := self._begin(job)) is not None:
            await asyncio.wait({task})

    async def run_now(self, job_id: str, guild_id: str) -> str:
        """Run a job whether it is due or not; returns what came of it.

        Raises:
            BadInput: There is no such job here, or a process is at it.
            ErenError: It failed. Whoever runs it knows then, so it is as if it had not been begun.
        """
        known = [
            one if isinstance(one, Job) else one.of(guild_id, self._zone) for one in self._jobs
        ]
        job = next((one for one in known if one.id == job_id), None)
        if job is None:
            names = ", ".join(one.id for one in known)
            raise BadInput(f"There is no job {job_id[:40]!r} here. Choose one of: {names}.")
        await self._runs.heard_of([job.key], self._clock())
        run = await self._runs.of(job.key)
        if run is None or (ended := await self._claimed(job, run, by_hand=True)) is None:
            raise BadInput(f"Another process is at the job {job_id}. Nothing was done.")
        ok, said = ended
        if not ok:
            raise ErenError(said)
        return said

    async def overview(self, guild_id: str) -> list[JobState]:
        """How the jobs of a guild stand, and those that are about all. Raises `ErenError`."""
        runs = await self._runs.all()
        zone = (await self._zones()).get(guild_id, self._zone)
        jobs = [one if isinstance(one, Job) else one.of(guild_id, zone) for one in self._jobs]
        when = {job.key: job.when for job in jobs}
        # What only another process knows is listed too, without its next time.
        others = [key for key in runs if key not in when and key[1] in (guild_id, EVERYWHERE)]
        states = []
        for key in [*when, *others]:
            run = runs.get(key)
            due = when[key].after(run.since if run else self._clock()) if key in when else None
            if due and run and run.retry_at:
                due = max(due, run.retry_at)
            states.append(_state(key, run, due))
        return states

    def resume(self) -> None:
        """Begin jobs, also after a `drain`."""
        self._closing = False

    async def drain(self, seconds: float) -> None:
        """Begin nothing more, let what runs finish for so long, and cut the rest off.

        What was cut off is due again at the next start.
        """
        self._closing = True
        running = {*self._running.values()}
        if not running:
            return
        _, slow = await asyncio.wait(running, timeout=max(0.0, seconds - 2 * _LAST_WORDS))
        for task in slow:
            task.cancel()
        if slow:
            await asyncio.wait(slow, timeout=2 * _LAST_WORDS)

    def _begin(self, job: Job) -> asyncio.Task[None] | None:
        if self._closing or job.key in self._running:
            return None
        task = asyncio.create_task(self._run(job), name=f"job {job.id}")
        self._running[job.key] = task
        task.add_done_callback(lambda _: self._running.pop(job.key, None))
        return task

    def _is_due(self, job: Job, run: Run) -> bool:
        now = self._clock()
        rested = run.retry_at is None or run.retry_at <= now
        return rested and not run.running and job.when.due(run.since, now)

    async def _run(self, job: Job) -> None:
        try:
            run = await self._runs.of(job.key)
            if run is None:
                await self._runs.heard_of([job.key], self._clock())
            elif self._is_due(job, run):
                await self._claimed(job, run)
            self._told = ""
        except ErenError as error:
            if str(error) != self._told:  # Once, not at every timer.
                self._told = str(error)
                _log.warning("Jobs cannot run: %s", error)
        except Exception:  # noqa: BLE001 - A job must stop neither the others nor the program.
            _log.exception("The job %s could not be run", job.id)

    async def _claimed(
        self, job: Job, run: Run, *, by_hand: bool = False
    ) -> tuple[bool, str] | None:
        """Run a job under its lease; None if that is another's, or became it."""
        began = self._clock()
        lease = await self._runs.claim(
            run, self._holder, self._lease_seconds, began, began + self._pause(run.attempts + 1)
        )
        if lease is None:
            return None
        try:
            ok, said = await held(self._runs, job, lease)
        except asyncio.CancelledError:
            await self._runs.interrupted(lease)
            raise
        except LeaseLost:
            _log.warning(
                "The job %s lost its lease and was cut off; another process may do it.", job.id
            )
            return None
        now = self._clock()
        if ok:
            kept = await self._runs.succeeded(lease, said, now)
        elif by_hand:
            kept = await self._runs.interrupted(lease)
        else:
            kept = await self._runs.failed(lease, said, now, now + self._pause(run.attempts + 1))
        if not kept:
            _log.warning("The job %s lost its lease: its result is not recorded.", job.id)
            return None
        if self.on_ended is not None:
            self.on_ended(job, ok)
        if ok and run.ok is False:
            _log.warning("The job %s works again.", job.id)
        elif not ok and run.ok is not False and not by_hand:
            await self._tell(job, said)
        return ok, said

    def _pause(self, attempts: int) -> timedelta:
        return min(self._first_pause * (1 << min(attempts - 1, 10)), _LONGEST_PAUSE)

    async def _tell(self, job: Job, reason: str) -> None:
        where = f" for guild {job.guild_id}" if job.guild_id else ""
        _log.warning("The job %s failed%s, and is tried again: %s", job.id, where, reason)
        if self.on_failure is not None:
            try:
                await self.on_failure(job, reason)
            except Exception:  # noqa: BLE001 - Whoever cannot be told finds it in the log.
                _log.exception("Nobody could be told that the job %s failed", job.id)


def _is_ahead(run: Run, now: datetime) -> bool:
    """Whether a job's last run, or its next attempt, is later than any clock that was right can say."""
    late = run.retry_at is not None and run.retry_at > now + _LONGEST_PAUSE + _SKEW
    return run.since > now + _SKEW or late


def _state(key: tuple[str, str], run: Run | None, due: datetime | None) -> JobState:
    if run is None:
        return JobState(*key, None, None, None, due, 0, running=False)
    failures = run.attempts - run.running
    return JobState(*key, run.ended_at, run.ok, run.result, due, failures, run.running)
