"""What runs by itself, as values: jobs, and when they are due.

A job is due when a moment of its trigger has passed since it last went well. So one that was missed,
however often, is due once. Nothing here looks at a clock.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import partial

EVERYWHERE = ""
"""Stands for the guild of a job that is about all of them."""

_DAYS = (-1, 0, 1, 2)


@dataclass(frozen=True, slots=True)
class Daily:
    """Once a day, at a time on the clocks of a zone.

    Where the clocks skip that time, it is when they would have shown it (2:30 is then called 3:30);
    where they show it twice, it is the first of the two.
    """

    at: time
    zone: tzinfo = UTC

    def after(self, moment: datetime) -> datetime:
        """The first such time after a moment, in UTC."""
        day = moment.astimezone(self.zone).date()
        found = (self._on(day + timedelta(days=days)) for days in _DAYS)
        return next(one for one in found if one > moment)

    def due(self, since: datetime, now: datetime) -> bool:
        """Whether such a time has passed since then."""
        return self.after(since) <= now

    def _on(self, day: date) -> datetime:
        return datetime.combine(day, self.at, tzinfo=self.zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Every:
    """Again so many seconds after the last time."""

    seconds: float

    def after(self, moment: datetime) -> datetime:
        """The next time after it was done at a moment, in UTC."""
        return moment.astimezone(UTC) + timedelta(seconds=self.seconds)

    def due(self, since: datetime, now: datetime) -> bool:
        """Whether it is time again; a moment early, because it began a moment after its timer."""
        return self.after(since) <= now + timedelta(seconds=min(1.0, self.seconds / 10))


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do by itself.

    Attributes:
        id: Its name; with the guild it is the key under which its last run is kept.
        when: Its trigger.
        run: Does it, and says in a few words what came of it. It may be cancelled at any await, and
            is run again after a failure, so doing it twice must do no harm.
        guild_id: Whom it is about; `EVERYWHERE` for all.
        timeout: Seconds after which it counts as failed.
    """

    id: str
    when: Daily | Every
    run: Callable[[], Awaitable[str]]
    guild_id: str = EVERYWHERE
    timeout: float = 3_600.0

    @property
    def key(self) -> tuple[str, str]:
        """What its last run is kept under."""
        return self.id, self.guild_id


@dataclass(frozen=True, slots=True)
class GuildJob:
    """Something to do once a day for each guild, at a time on the guild's own clocks.

    `guilds` are those that this process looks after.
    """

    id: str
    at: time
    run: Callable[[str], Awaitable[str]]
    guilds: Callable[[], Awaitable[Collection[str]]]
    timeout: float = 600.0

    def of(self, guild_id: str, zone: tzinfo) -> Job:
        """The job of one guild."""
        when = Daily(self.at, zone)
        return Job(self.id, when, partial(self.run, guild_id), guild_id, self.timeout)


@dataclass(frozen=True, slots=True)
class JobState:
    """How a job stands, for people to read.

    Attributes:
        id: Its name.
        guild_id: Whom it is about; `EVERYWHERE` for all.
        last_at: When it last ended; None if it never did.
        ok: Whether that went well.
        result: What came of it, or why it failed.
        next_at: When it is due; None for a job that this process does not know.
        failures: How often in a row it has failed or been cut off.
        running: Whether a process is at it.
    """

    id: str
    guild_id: str
    last_at: datetime | None
    ok: bool | None
    result: str | None
    next_at: datetime | None
    failures: int
    running: bool
