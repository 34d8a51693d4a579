"""Timers for the jobs, by APScheduler: the only module that knows it.

A timer only wakes `running`, which asks the ledger whether the job is due: a timer that comes twice or
late does no harm. One more timer looks at all of them now and then: for what was missed while no
process ran or the machine slept, what is to be tried again, and what a process that died left behind.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from eren_memory.errors import ErenError
from eren_memory.jobs import Daily, Every, Job
from eren_memory.running import Jobs

LOOK = "look"
"""The id of the timer that looks at all jobs."""
LOOK_SECONDS = 30.0
# Seconds; less than that is a clock being put right.
_SET_BACK = 5.0

_log = logging.getLogger(__name__)
# What goes wrong in a job, `running` tells; that one is still at it when its timer comes is nothing.
logging.getLogger("apscheduler").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Times(BaseTrigger):  # type: ignore[misc] # It comes without types.
    """The fire times of a job: exactly the moments by which it is due."""

    when: Daily | Every

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """See `BaseTrigger`. A past time may come out: it is fired at once, and once."""
        return self.when.after(previous or now)


class Schedule:
    """Runs jobs from `start` to `stop`."""

    def __init__(
        self,
        jobs: Jobs,
        look_seconds: float = LOOK_SECONDS,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._jobs = jobs
        self._wall = wall
        self._look_seconds = look_seconds
        self._following: asyncio.Task[None] | None = None
        self._look_every = Every(look_seconds)
        # However late a timer is, the ledger says whether the job is due.
        defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        self._timers = AsyncIOScheduler(timezone=UTC, job_defaults=defaults)
        self._known: dict[str, Daily | Every | None] = {}
        self._told = ""

    async def start(self) -> None:
        """Start the timers, and what was missed."""
        self._jobs.resume()
        self._timers.start()
        self._timers.add_job(
            self._look, Times(self._look_every), id=LOOK, next_run_time=datetime.now(UTC)
        )
        self._following = asyncio.create_task(self._follow_clock())

    async def stop(self, seconds: float) -> None:
        """Stop the timers; what runs may finish for so long, and is cut off then."""
        if not self._timers.running:
            return
        if self._following is not None:
            self._following.cancel()
        self._timers.pause()
        await self._jobs.drain(seconds)
        self._timers.shutdown(wait=False)
        await asyncio.sleep(0)  # It stops its timer in a callback.

    async def _follow_clock(self) -> None:
        """Set the timers again when the clock is set back: they would wait until it has caught up."""
        ahead = self._wall() - time.monotonic()
        while True:
            await asyncio.sleep(self._look_seconds)
            before, ahead = ahead, self._wall() - time.monotonic()
            if ahead < before - _SET_BACK:
                _log.warning(
                    "The clock was set back by %.0f s; timers are set again.", before - ahead
                )
                self._known = dict.fromkeys(self._known)
                self._timers.modify_job(LOOK, next_run_time=datetime.now(UTC))

    async def _look(self) -> None:
        try:
            jobs = await self._jobs.all()
            self._register(jobs)
            await self._jobs.look(jobs)
            self._told = ""
        except ErenError as error:
            if str(error) != self._told:  # Once, not twice a minute.
                self._told = str(error)
                _log.warning("Jobs cannot be looked at: %s", error)
        except Exception:  # noqa: BLE001 - Without this timer nothing would be made up for.
            _log.exception("Looking at the jobs failed; it is tried again")

    def _register(self, jobs: list[Job]) -> None:
        """One timer a job; guilds come, go and change their zones."""
        wanted = {":".join(filter(None, job.key)): job for job in jobs}
        for name in self._known.keys() - wanted.keys():
            self._timers.remove_job(name)
        for name, job in wanted.items():
            if self._known.get(name) != job.when:
                self._timers.add_job(
                    self._jobs.run, Times(job.when), [job], id=name, replace_existing=True
                )
        self._known = {name: job.when for name, job in wanted.items()}
