"""When each job ran last, what came of it, and which process is at it: leases in SQL.

A lease is a row that names its holder and ends by itself unless it is renewed. Each claim counts the
row's `token` up, so that whoever was frozen past its lease holds a token that is no longer valid: it
can neither renew the lease nor record a result (fencing).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from eren_memory.ledger.ledger import Ledger
from eren_memory.ledger.upkeep_schema import job_runs
from eren_memory.ledger.upsert import upsert

Key = tuple[str, str]
"""Job id and guild id."""


@dataclass(frozen=True, slots=True)
class Run:
    """How a job stands.

    Attributes:
        key: Of the job.
        since: When it last began what then went well; before that, when it was first heard of.
        ended_at: When it last ended.
        ok: Whether that went well.
        result: What came of it.
        attempts: How often in a row it has been begun without going well.
        retry_at: Not before then, after such an attempt.
        token: Counts the claims.
        running: Whether a lease is valid.
    """

    key: Key
    since: datetime
    ended_at: datetime | None
    ok: bool | None
    result: str | None
    attempts: int
    retry_at: datetime | None
    token: int
    running: bool


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do a job, for `seconds` from the last renewal."""

    key: Key
    holder: str
    token: int
    seconds: float
    began: datetime


class Runs:
    """Every job's row. Every method is one short transaction; none is open while a job runs."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def all(self) -> dict[Key, Run]:
        """Every job that was ever heard of."""
        return await self._some(sa.true())

    async def of(self, key: Key) -> Run | None:
        """One job."""
        return (await self._some(_is(key))).get(key)

    async def heard_of(self, keys: Collection[Key], now: datetime) -> None:
        """Count for jobs that are new from now on: what was before them was not missed."""
        if not keys:
            return
        async with self._ledger.writing() as connection:
            for job, guild_id in keys:
                key = {"job": job, "guild_id": guild_id}
                new = {"since": now, "attempts": 0, "token": 0}
                await connection.execute(upsert(connection, job_runs, key, new, {}))

    async def claim(
        self, run: Run, holder: str, seconds: float, began: datetime, retry_at: datetime
    ) -> Lease | None:
        """Take the lease of a job that stands as `run` says; None if another process was faster.

        The attempt counts as one that did not go well until it ends: a job that kills its process
        is not begun again at once at each restart.
        """
        async with self._ledger.writing() as connection:
            present = await clock_of(connection)
            claimed = await connection.execute(
                sa.update(job_runs)
                .where(_is(run.key), job_runs.c.token == run.token)
                .where(sa.or_(job_runs.c.expires_at.is_(None), job_runs.c.expires_at <= present))
                .values(
                    holder=holder,
                    token=run.token + 1,
                    expires_at=present + timedelta(seconds=seconds),
                    attempts=run.attempts + 1,
                    retry_at=retry_at,
                )
            )
        if claimed.rowcount != 1:
            return None
        return Lease(run.key, holder, run.token + 1, seconds, began)

    async def renew(self, lease: Lease) -> bool:
        """Hold a lease for as long again; False if it is another's by now."""
        async with self._ledger.writing() as connection:
            until = await clock_of(connection) + timedelta(seconds=lease.seconds)
            return await _change(connection, lease, {"expires_at": until})

    async def succeeded(self, lease: Lease, result: str, now: datetime) -> bool:
        """Record what came of a job and let go of it; False if the lease is another's by now."""
        return await self._end(
            lease,
            since=lease.began,
            ended_at=now,
            ok=True,
            result=result,
            attempts=0,
            retry_at=None,
        )

    async def failed(self, lease: Lease, reason: str, now: datetime, retry_at: datetime) -> bool:
        """Record that a job failed and let go of it; False if the lease is another's by now."""
        return await self._end(lease, ended_at=now, ok=False, result=reason, retry_at=retry_at)

    async def interrupted(self, lease: Lease) -> bool:
        """Let go of a job that a stop cut short, as if it had not been begun."""
        attempts = job_runs.c.attempts - 1
        return await self._end(lease, attempts=attempts, retry_at=None)

    async def _end(self, lease: Lease, **values: Any) -> bool:
        async with self._ledger.writing() as connection:
            return await _change(connection, lease, values | {"expires_at": None, "holder": None})

    async def _some(self, where: sa.ColumnElement[bool]) -> dict[Key, Run]:
        async with self._ledger.reading() as connection:
            present = await clock_of(connection)
            rows = (await connection.execute(sa.select(job_runs).where(where))).all()
        return {(row.job, row.guild_id): _run(row, present) for row in rows}


async def clock_of(connection: AsyncConnection) -> datetime:
    """One clock for all: the server's, or that of the only machine that can have the file open."""
    if connection.dialect.name != "postgresql":
        return datetime.now(UTC)
    told: datetime = (await connection.execute(sa.select(sa.func.clock_timestamp()))).scalar_one()
    return told


async def _change(connection: AsyncConnection, lease: Lease, values: dict[str, Any]) -> bool:
    done = await connection.execute(
        sa.update(job_runs)
        .where(_is(lease.key), job_runs.c.token == lease.token, job_runs.c.holder == lease.holder)
        .values(**values)
    )
    return done.rowcount == 1


def _is(key: Key) -> sa.ColumnElement[bool]:
    return sa.and_(job_runs.c.job == key[0], job_runs.c.guild_id == key[1])


def _run(row: Any, present: datetime) -> Run:
    return Run(
        key=(row.job, row.guild_id),
        since=row.since,
        ended_at=row.ended_at,
        ok=row.ok,
        result=row.result,
        attempts=row.attempts,
        retry_at=row.retry_at,
        token=row.token,
        running=row.expires_at is not None and row.expires_at > present,
    )
