"""What people type for dates, scopes and time zones, read strictly: a wrong guess would be believed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import available_timezones

from eren_memory.domain import Scope
from eren_memory.errors import BadDate, UnknownScope, UnknownTimeZone

_CLEARED = {"permanent", "never", "none"}
# "3m" would be minutes, and whoever writes it for a note means months.
_DURATION = re.compile(r"(in\s+)?(\d{1,4}\s*(?!m\b)[a-z]+[\s,]*)+|tomorrow", re.IGNORECASE)
_DATE_LENGTH = len("2027-01-31")


def moment(raw: str, now: datetime, *, ends: bool = False) -> datetime | None:
    """A date or a time from now, in UTC; None for "permanent".

    Takes ISO 8601 dates and times ("2027-01-31", "2027-01-31T18:00+01:00") and durations ("90d",
    "3 months", "in 2 weeks"). A day without a time is its start, or with `ends` its end.

    Raises:
        BadDate: It is neither, or ambiguous such as 01/02/2027.
    """
    text = raw.strip()
    if text.casefold() in _CLEARED:
        return None
    try:
        found = datetime.fromisoformat(text)
        if ends and len(text) <= _DATE_LENGTH:
            found += timedelta(days=1)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    if (later := _relative(text, now)) is None:
        raise BadDate(
            f"{text[:40]!r} is not a date. Write it as 2027-01-31, as a time from now such as 90d or "
            "3 months, or as permanent."
        )
    return later


def _relative(text: str, now: datetime) -> datetime | None:
    # dateparser would take what it understands and drop the rest.
    if not _DURATION.fullmatch(text):
        return None
    # Imported here: it costs a tenth of a second, and most commands name no date.
    import dateparser

    found = dateparser.parse(
        text,
        languages=["en"],
        settings={
            "PARSERS": ["relative-time"],
            "PREFER_DATES_FROM": "future",
            "RELATIVE_BASE": now,
            "TIMEZONE": "UTC",
            "RETURN_AS_TIMEZONE_AWARE": True,
        },
    )
    return found.astimezone(UTC) if found else None


@cache
def _zones() -> dict[str, str]:
    return {name.casefold(): name for name in available_timezones()}


def time_zone(raw: str) -> str:
    """The name of a time zone in its usual spelling. Raises `UnknownTimeZone`."""
    text = raw.strip()
    # By the list and not by trying: a name is a path to its file.
    if found := _zones().get(text.casefold().replace(" ", "_")):
        return found
    city = text.casefold().replace(" ", "_")
    near = sorted(name for key, name in _zones().items() if city and key.endswith(f"/{city}"))
    cure = f"Did you mean {near[0]}?" if near else "Write it as Europe/Berlin, or UTC."
    raise UnknownTimeZone(f"{text[:40]!r} is not a time zone. {cure}")


def scope(raw: str) -> Scope:
    """`guild`, or `channel:ID` with commas between several. Raises `UnknownScope`."""
    text = raw.strip()
    if text.casefold() == "guild":
        return ()
    kind, _, names = text.partition(":")
    channels = tuple(name.strip() for name in names.split(","))
    if kind.strip().casefold() != "channel" or not all(channels):
        raise UnknownScope(
            f"{text[:40]!r} is not a scope. Write guild, or channel: and the channels' ids with "
            "commas between."
        )
    return tuple(sorted(set(channels)))


def scope_text(channels: Scope) -> str:
    """The form that `scope` reads."""
    return f"channel:{','.join(channels)}" if channels else "guild"
