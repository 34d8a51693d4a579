"""When jobs are due: on the clocks of a zone, over the days on which these are changed."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eren_memory.errors import UnknownTimeZone
from eren_memory.inputs import time_zone
from eren_memory.jobs import Daily, Every
from eren_memory.schedule import Times

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")


def fired(when: Daily, start: datetime, count: int) -> list[str]:
    """What APScheduler's timer does, on the clocks of the zone."""
    trigger, told, now = Times(when), [], start
    for _ in range(count):
        now = trigger.get_next_fire_time(None, now)
        told.append(now.astimezone(when.zone).strftime("%d %H:%M %z"))
    return told


@pytest.mark.parametrize(
    ("zone", "at", "start", "expected"),
    [
        # Clocks skip 2:00 to 3:00: it comes when they would have shown 2:30, and once.
        (BERLIN, time(2, 30), "2027-03-27T00:00", ["27 02:30 +0100", "28 03:30 +0200", "29 02:30 +0200"]),
        (NEW_YORK, time(2, 30), "2027-03-13T00:00", ["13 02:30 -0500", "14 03:30 -0400", "15 02:30 -0400"]),
        # Clocks show the hour twice: it comes in the first of the two, and once.
        (BERLIN, time(2, 30), "2026-10-24T00:00", ["24 02:30 +0200", "25 02:30 +0200", "26 02:30 +0100"]),
        (NEW_YORK, time(1, 30), "2026-10-31T00:00", ["31 01:30 -0400", "01 01:30 -0400", "02 01:30 -0500"]),
    ],
)  # fmt: skip
def test_a_daily_job_comes_once_a_day_also_when_clocks_are_changed(zone, at, start, expected):
    midnight = datetime.fromisoformat(start).replace(tzinfo=zone)
    assert fired(Daily(at, zone), midnight, 3) == expected


@given(
    st.integers(0, 6 * 365 * 24 * 3_600),
    st.times().map(lambda one: one.replace(microsecond=0)),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]),
)
def test_two_daily_moments_are_about_a_day_apart_and_none_is_left_out(start, at, zone):
    when = Daily(at, ZoneInfo(zone))
    moment = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=start)
    first = when.after(moment)
    assert moment < first <= moment + timedelta(hours=25)
    second = when.after(first)
    assert timedelta(hours=23) <= second - first <= timedelta(hours=25)
    # From anywhere between the two, the second is the next.
    assert when.after(first + (second - first) / 2) == second


def test_what_was_missed_however_often_is_due_once():
    when, done = Daily(time(3), BERLIN), datetime(2026, 11, 20, 2, 0, 5, tzinfo=UTC)
    week_later = done + timedelta(days=7)
    assert when.due(done, week_later)
    assert not when.due(week_later, week_later + timedelta(hours=1))


def test_a_job_that_began_a_moment_after_its_timer_is_due_at_the_next():
    began = datetime(2026, 11, 25, 12, 0, 0, 20_000, tzinfo=UTC)
    assert Every(60).due(began, datetime(2026, 11, 25, 12, 1, tzinfo=UTC))
    assert not Every(60).due(began, datetime(2026, 11, 25, 12, 0, 58, tzinfo=UTC))


def test_a_time_zone_is_known_by_its_name_and_nothing_else_is():
    assert time_zone(" europe/berlin ") == "Europe/Berlin"
    assert time_zone("America/New York") == "America/New_York"
    assert time_zone("utc") == "UTC"
    with pytest.raises(UnknownTimeZone, match="Did you mean Europe/Berlin"):
        time_zone("Berlin")
    for bad in ("", "Mars/Olympus", "../../etc/passwd", "GMT+25"):
        with pytest.raises(UnknownTimeZone, match="is not a time zone"):
            time_zone(bad)
