"""What the ledger alone tells of a note: pure functions from what is known to findings."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from eren_memory.domain import Note, NoteStatus
from eren_memory.probing import Probe, probes_of
from eren_memory.staleness import Check, Finding, Known, Stale

# 👎 since a note was last vouched for; of those that it should not have answered, fewer will do.
_COMPLAINTS = 3
_MISPLACED = 2
# Whoever did not miss a note for so long has decided.
_EXPIRED_FOR = timedelta(days=30)
ALONE = 3
"""Times that the model has to say by itself what a note says, before that is worth a word."""


class Outcome(StrEnum):
    """What came of a check."""

    PASSED = "passed"
    FAILED = "failed"
    SAME = "same"
    """Passed, and the model says the same without the note."""
    UNCLEAR = "unclear"
    """The model would not say; what only depends on it is not asked again."""
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a note may go without being vouched for, and without being used."""

    unverified: timedelta
    unused: timedelta


def told(
    note: Note, known: Known, watched_since: datetime, now: datetime, patience: Patience
) -> Iterator[Finding]:
    """Every finding about one note alone."""
    if note.status is NoteStatus.EXPIRED:
        if note.valid_until is not None and now - note.valid_until < _EXPIRED_FOR:
            yield Finding(Stale.EXPIRED, note, since=note.valid_until)
        return
    yield from _probed(note, known)
    if known.complaints >= _COMPLAINTS or known.misplaced >= _MISPLACED:
        yield Finding(Stale.COMPLAINTS, note, count=known.misplaced, total=known.complaints)
    vouched = note.verified_at or note.created_at
    if known.source is not None and known.source[1] > vouched:
        yield Finding(known.source[0], note, since=known.source[1])
    if note.review_by is not None and note.review_by <= now:
        yield Finding(Stale.REVIEW, note, since=note.review_by)
    if now - vouched >= patience.unverified:
        yield Finding(Stale.UNVERIFIED, note, since=vouched)
    # A note that begins later cannot have been used.
    idle = max(filter(None, (known.used_at, vouched, note.valid_from, watched_since)))
    if now - idle >= patience.unused:
        yield Finding(Stale.UNUSED, note, since=idle)


def _probed(note: Note, known: Known) -> Iterator[Finding]:
    wanted = probes_of(note)
    heard = [
        (wanted[check.place], check)
        for check in known.probes
        if check.place < len(wanted)
        and check.basis == probe_basis(note, wanted[check.place])
        and stands(check, note)
    ]
    if failed := [check for _, check in heard if check.outcome == Outcome.FAILED]:
        since = min(check.asked_at for check in failed)
        yield Finding(Stale.PROBE, note, since=since, count=len(failed), total=len(heard))
    change = [check for probe, check in heard if probe.change]
    alone = [check for check in change if check.outcome == Outcome.SAME]
    if alone and len(alone) == sum(probe.change for probe in wanted):
        yield Finding(Stale.OBSOLETE, note, count=ALONE * len(alone), total=ALONE * len(alone))


def stands(check: Check, *notes: Note) -> bool:
    """Whether nobody has vouched for one of the notes since they were checked."""
    return all(note.verified_at is None or note.verified_at <= check.asked_at for note in notes)


def probe_basis(note: Note, probe: Probe) -> str:
    """What a probe's outcome is about."""
    return hashed(note.text, note.scope, probe.question, probe.change)


def pair_basis(one: Note, other: Note) -> str:
    """What the comparison of two notes is about."""
    return hashed(*(value for note in (one, other) for value in _statement(note)))


def near_basis(note: Note) -> str:
    """What decides which notes one has to be compared with."""
    return hashed(*_statement(note))


def hashed(*values: object) -> str:
    """SHA-256 of some values."""
    return hashlib.sha256(repr(values).encode()).hexdigest()


def _statement(note: Note) -> tuple[object, ...]:
    return note.text, note.scope, note.valid_from, note.valid_until
