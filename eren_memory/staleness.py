"""What may be wrong with a note that was right once: frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from eren_memory.domain import Note, Usage

AUDITOR = "audit"
"""Who acts where notes expire."""


class Stale(StrEnum):
    """Why a note should be looked at, the most urgent first: what answers wrongly comes first."""

    CONFLICT = "conflict"
    """Another note says something else; both are in use."""
    PROBE = "probe"
    """A test question of it is not answered as it should be."""
    COMPLAINTS = "complaints"
    """Answers from it did not help, or should not have come from it."""
    SOURCE_DELETED = "source deleted"
    SOURCE_EDITED = "source edited"
    """The message that it comes from says something else now."""
    EXPIRED = "expired"
    """Its time is over; it answers no more."""
    REVIEW = "review due"
    DUPLICATE = "duplicate"
    """Another note says the same."""
    UNVERIFIED = "unverified"
    """Nobody has vouched for it for long."""
    UNUSED = "unused"
    """No answer has come from it for long."""
    OBSOLETE = "obsolete"
    """The model says the same by itself."""

    @property
    def urgency(self) -> int:
        """Its place in the order, from 0."""
        return list(Stale).index(self)


ADVICE: Mapping[Stale, str] = {
    Stale.CONFLICT: "decide which is true, and edit or retire the other",
    Stale.PROBE: "edit it, or its test questions",
    Stale.COMPLAINTS: "edit it to say what it is about, or retire it",
    Stale.SOURCE_DELETED: "verify it, or retire it",
    Stale.SOURCE_EDITED: "read the source, and edit or verify it",
    Stale.EXPIRED: "retire it, or verify it to have it answer without an end",
    Stale.REVIEW: "verify it, edit it or retire it",
    Stale.DUPLICATE: "merge the two, or retire one",
    Stale.UNVERIFIED: "verify it, edit it or retire it",
    Stale.UNUSED: "word it as people ask, or retire it",
    Stale.OBSOLETE: "retire it, if the model is to be relied on",
}
"""What could be done; an audit does none of it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A note that should be looked at, and why.

    Attributes:
        stale: Why.
        note: Which, as it was when it was found.
        other: The other note of a pair; of two, `note` is the one vouched for longer ago.
        since: When what is said of it began: the day that passed, the last change, use or vouching.
        count: How many of `total`: probes that fail; complaints that the answer should not have come
            from the notebook; times that the model said the same.
        total: See `count`.
        p: Probability that the pair is what is said of it.
    """

    stale: Stale
    note: Note
    other: Note | None = None
    since: datetime | None = None
    count: int | None = None
    total: int | None = None
    p: float | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Something that the model was asked about a note, or about two.

    Attributes:
        kind: What was asked: `pair`, `probe`, or `near`, whether all pairs of a note are done.
        note_id: The note.
        other_id: The other one of a pair, else the same.
        place: Of a probe among its note's.
        basis: Hash of what was asked about. A reply to something else is worth nothing.
        circumstances: Hash of what else the reply depends on; when that changes, it is asked again.
        outcome: What came of it.
        p: Its probability, of a pair.
        asked_at: When.
    """

    kind: str
    note_id: UUID
    other_id: UUID
    place: int
    basis: str
    circumstances: str
    outcome: str
    asked_at: datetime
    p: float | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger knows of a note beside the note itself.

    `complaints` are 👎 since somebody last vouched for it, `misplaced` those of them that say it
    should not have come from the notebook. `source` is what became of the message that it comes from.
    """

    used_at: datetime | None = None
    complaints: int = 0
    misplaced: int = 0
    source: tuple[Stale, datetime] | None = None
    probes: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class Audited:
    """The last audit of a guild. `complete` says that nothing was left to ask.

    `watched_since` is from when on it is known which notes answered.
    """

    watched_since: datetime
    started_at: datetime
    finished_at: datetime | None
    complete: bool
    usage: Usage
    digest_at: datetime | None


@dataclass(frozen=True, slots=True)
class Report:
    """What an audit did.

    Attributes:
        guild_id: Whose notes.
        found: How many findings of each kind there are.
        expired: Notes whose time was over, and which it took out of use.
        usage: What it cost.
        pairs: Pairs of notes that the model compared.
        probes: Test questions that were asked.
        complete: Nothing was left to ask; else the next audit goes on.
        stopped: Why asking ended early, if not by the number of calls.
    """

    guild_id: str
    found: Mapping[Stale, int]
    expired: int
    usage: Usage
    pairs: int
    probes: int
    complete: bool
    stopped: str | None = None
