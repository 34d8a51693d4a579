"""Who was forgotten, so that a backup that is restored does not bring them back.

No name stands here: of each person the salted hash of their id, and the day. Whoever has an id can find
out whether it is among them, and that is all there is to find; the pseudonym that the person's acts got
is not here. It is kept only as long as backups are that may still hold the person.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from eren_memory.ledger.schema import UtcDateTime, metadata

forgotten = sa.Table(
    "forgotten",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("salt", sa.String(32), nullable=False),
    # Not the moment: the same would stand beside the pseudonym in the audit trail.
    sa.Column("day", UtcDateTime, nullable=False),
)


async def entries(connection: AsyncConnection) -> list[Any]:
    """The list as it is."""
    return list(await connection.execute(sa.select(forgotten)))


async def remember(connection: AsyncConnection, person: str, now: datetime) -> None:
    """Put a person on the list, or have their entry last from now on."""
    day = _day(now)
    for one in await entries(connection):
        if _digest(person, one.salt) == one.digest:
            await connection.execute(
                sa.update(forgotten).where(forgotten.c.digest == one.digest).values(day=day)
            )
            return
    salt = secrets.token_hex(16)
    row = {"digest": _digest(person, salt), "salt": salt, "day": day}
    await connection.execute(sa.insert(forgotten), [row])


async def today(connection: AsyncConnection, person: str, now: datetime) -> bool:
    """Whether a person was forgotten on this day."""
    known = await entries(connection)
    return any(one.day >= _day(now) and _digest(person, one.salt) == one.digest for one in known)


async def put_back(connection: AsyncConnection, known: Sequence[Any]) -> None:
    """Add entries to the list of a ledger that was restored."""
    there = {one.digest for one in await entries(connection)}
    new = [one._asdict() for one in known if one.digest not in there]
    if new:
        await connection.execute(sa.insert(forgotten), new)


async def listed(connection: AsyncConnection, people: Iterable[str]) -> list[str]:
    """Which of these people are on the list."""
    known = await entries(connection)
    return [
        person for person in people if any(_digest(person, one.salt) == one.digest for one in known)
    ]


async def expire(connection: AsyncConnection, now: datetime, kept: timedelta) -> int:
    """Drop entries that are older; returns how many."""
    old = sa.delete(forgotten).where(forgotten.c.day < now - kept)
    return (await connection.execute(old)).rowcount


def _day(now: datetime) -> datetime:
    """As it stands on the list: a day of UTC."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _digest(person: str, salt: str) -> str:
    return hashlib.sha256(f"{salt}:{person}".encode()).hexdigest()
