"""Dates and scopes as people type them: what is taken, and what is refused rather than guessed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eren_memory.domain import Scope
from eren_memory.errors import BadDate, UnknownScope
from eren_memory.inputs import moment, scope, scope_text

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize("day", ["2027-01-31", "20270131", "2027-W04-7", " 2027-01-31\n"])
def test_a_day_without_a_time_is_its_start_or_where_something_ends_its_end(day: str):
    assert moment(day, NOW) == utc(2027, 1, 31)
    assert moment(day, NOW, ends=True) == utc(2027, 2, 1)


@pytest.mark.parametrize(
    ("time", "meant"),
    [
        ("2027-01-31T18:00", utc(2027, 1, 31, 18)),
        ("2027-01-31 18:00:30", utc(2027, 1, 31, 18, 0, 30)),
        ("2027-01-31T00:00", utc(2027, 1, 31)),
        ("2027-01-31T18:00Z", utc(2027, 1, 31, 18)),
        ("2027-01-31T18:00+01:00", utc(2027, 1, 31, 17)),
        ("2027-01-31T23:30-05:00", utc(2027, 2, 1, 4, 30)),
        ("2027-01-31T04:00+05:45", utc(2027, 1, 30, 22, 15)),
    ],
)
@pytest.mark.parametrize("ends", [False, True])
def test_a_time_is_that_moment_in_utc_whether_it_begins_or_ends(
    time: str, meant: datetime, ends: bool
):
    found = moment(time, NOW, ends=ends)
    assert found == meant
    assert found is not None
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("duration", "meant"),
    [
        ("90d", utc(2027, 2, 1, 12)),
        ("90 days", utc(2027, 2, 1, 12)),
        ("in 90 days", utc(2027, 2, 1, 12)),
        ("In 2 Weeks", utc(2026, 11, 17, 12)),
        ("in 2 weeks", utc(2026, 11, 17, 12)),
        ("3 months", utc(2027, 2, 3, 12)),
        ("1 month 2 days", utc(2026, 12, 5, 12)),
        ("1 month, 2 days", utc(2026, 12, 5, 12)),
        ("1 year", utc(2027, 11, 3, 12)),
        ("12h", utc(2026, 11, 4)),
        ("30 minutes", utc(2026, 11, 3, 12, 30)),
    ],
)
@pytest.mark.parametrize("ends", [False, True])
def test_a_duration_counts_from_now_to_the_minute(duration: str, meant: datetime, ends: bool):
    assert moment(duration, NOW, ends=ends) == meant


def test_a_duration_is_in_utc_wherever_now_was_told():
    here = NOW.astimezone(timezone(timedelta(hours=9)))
    found = moment("90d", here)
    assert found == utc(2027, 2, 1, 12)
    assert found is not None
    assert found.utcoffset() == timedelta(0)


@pytest.mark.parametrize("word", ["permanent", "Permanent", " NEVER ", "none"])
@pytest.mark.parametrize("ends", [False, True])
def test_permanent_clears_a_date(word: str, ends: bool):
    assert moment(word, NOW, ends=ends) is None


@pytest.mark.parametrize(
    "wrong",
    [
        "", "   ", "soon", "forever", "permanent.", "next blue moon", "x" * 5_000, "\0", "🎉",
        # Day or month first, or which century: nobody can say.
        "01/02/2027", "1.2.2027", "02-01-2027", "31 January", "January 31 2027", "27-01-31",
        # No such day or time.
        "2027-13-01", "2027-02-30", "2027-1-5", "2027", "2027-01-31T25:00", "12:30",
        # Not a duration, or only in part.
        "90", "d90", "ninety", "90d please", "in 2 weeks 01/02/2027", "1 year 01/02",
        "1,5 days", "2,000 days", "5d;10d", "3 mois", "days 5", "about a year",
        # Not from now on.
        "yesterday", "3 months ago", "-3d",
        # No calendar goes so far.
        "8000 years", "99999 years", "999999999999999999999 days", "9" * 400 + " days",
        "0001-01-01T00:00+01:00", "9999-12-31T23:59-01:00",
    ],
)  # fmt: skip
@pytest.mark.parametrize("ends", [False, True])
def test_what_is_ambiguous_or_impossible_is_refused_and_never_guessed(wrong: str, ends: bool):
    with pytest.raises(BadDate, match=r"is not a date\. Write it as 2027-01-31") as caught:
        moment(wrong, NOW, ends=ends)
    assert len(str(caught.value)) < 250


def test_the_last_day_of_the_calendar_has_no_end():
    assert moment("9999-12-31", NOW) == utc(9999, 12, 31)
    with pytest.raises(BadDate):
        moment("9999-12-31", NOW, ends=True)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("guild", ()),
        (" Guild ", ()),
        ("channel:123", ("123",)),
        ("Channel: 123", ("123",)),
        ("channel : 123", ("123",)),
        ("channel:2, 10 ,2,1", ("1", "10", "2")),
        ("channel:general:old", ("general:old",)),
        ("channel:büro", ("büro",)),
    ],
)
def test_a_scope_is_the_guild_or_channels_each_once_and_in_order(typed: str, meant: Scope):
    assert scope(typed) == meant


@pytest.mark.parametrize(
    "wrong",
    [
        "", " ", "server", "channel", "channels:1", "channel:", "channel: ", "channel:,",
        "channel:1,", "channel:,1", "channel:1,,2", "guild:1", "guild,channel:1", "1,2",
    ],
)  # fmt: skip
def test_what_is_no_scope_is_refused_and_never_widened_to_the_guild(wrong: str):
    with pytest.raises(UnknownScope, match=r"is not a scope\. Write guild, or channel:"):
        scope(wrong)


channel = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters=","), min_size=1, max_size=64
).filter(str.isprintable)


@given(st.lists(channel, unique=True, max_size=50).map(sorted).map(tuple))
def test_a_scope_survives_being_written_and_read(channels: Scope):
    assert scope(scope_text(channels)) == channels
