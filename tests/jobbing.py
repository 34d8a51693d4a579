"""A process that runs one job by its schedule, and writes down when it is at it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta, tzinfo

from eren_memory.jobs import Every, Job
from eren_memory.ledger.ledger import open_ledger
from eren_memory.ledger.runs import Runs
from eren_memory.running import Jobs
from eren_memory.schedule import Schedule

LEASE = 1.5


async def _zones() -> dict[str, tzinfo]:
    return {}


def work(url: str, log: str, name: str, busy: float) -> None:
    """Run the job again and again, `busy` seconds each time, until killed."""
    asyncio.run(_work(url, log, name, busy))


async def _work(url: str, log: str, name: str, busy: float) -> None:
    def tell(what: str) -> None:
        with open(log, "a") as file:  # noqa: PTH123 - A line that short is written at once.
            file.write(f"{time.time()} {name} {what}\n")

    async def job() -> str:
        tell("begins")
        try:
            await asyncio.sleep(busy)
        except asyncio.CancelledError:
            tell("is cancelled")
            raise
        tell("ends")
        return name

    async with open_ledger(url) as ledger:
        pause = timedelta(seconds=0.2)
        jobs = Jobs(Runs(ledger), _zones, UTC, lambda: datetime.now(UTC), LEASE, pause)
        jobs.add(Job("shared", Every(0.2), job))
        await Schedule(jobs, look_seconds=0.2).start()
        tell("is up")
        await asyncio.Event().wait()
