"""Doing a job while holding its lease: renewed as long as it takes, given up once it is lost."""

from __future__ import annotations

import asyncio
import logging
import time

from eren_memory.errors import ErenError, LedgerError
from eren_memory.jobs import Job
from eren_memory.ledger.runs import Lease, Runs

# For a job that was cancelled to end.
_LAST_WORDS = 1.0

_log = logging.getLogger(__name__)


class LeaseLost(Exception):
    """Another process may be at the job."""


async def held(runs: Runs, job: Job, lease: Lease) -> tuple[bool, str]:
    """Whether a job went well, and what it or its error says.

    Raises:
        LeaseLost: The lease ran out meanwhile, and another process may be at it.
    """
    work = asyncio.ensure_future(job.run())
    holding = asyncio.create_task(_hold(runs, lease))
    try:
        done, _ = await asyncio.wait(
            {work, holding}, timeout=job.timeout, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        holding.cancel()
        if not work.done():
            work.cancel()
            await asyncio.wait({work}, timeout=_LAST_WORDS)
    if work not in done:
        if holding in done:
            raise LeaseLost
        return False, f"It took longer than {job.timeout:g} seconds."
    error = asyncio.CancelledError() if work.cancelled() else work.exception()
    if error is None:
        return True, work.result()
    if isinstance(error, ErenError):
        return False, str(error)
    _log.error("The job %s failed unexpectedly", job.id, exc_info=error)
    return False, f"It failed unexpectedly ({type(error).__name__}); the log says why."


async def _hold(runs: Runs, lease: Lease) -> None:
    """Renew a lease for as long as it can be; returns once it is lost, or about to be."""
    third = lease.seconds / 3
    renewed = _clocks()
    while True:
        await asyncio.sleep(third)
        asked = _clocks()
        try:
            async with asyncio.timeout(third):
                if not await runs.renew(lease):
                    return
            renewed = asked
        except (LedgerError, TimeoutError) as error:
            _log.info("A lease could not be renewed: %s", error)
            # One clock stands still while the machine sleeps, the other may be set back.
            passed = max(now - then for now, then in zip(_clocks(), renewed, strict=True))
            if passed + third >= lease.seconds:
                return  # Before it runs out, and not after the next try.


def _clocks() -> tuple[float, float]:
    return time.time(), time.monotonic()
