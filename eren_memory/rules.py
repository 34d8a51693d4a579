"""What each act makes of a note: pure functions from a note to its next revision, or `BadInput`.

draft ── approve ──► active ◄─── restore ─── retired, superseded
│                   │ │ │
└─ reject           │ │ └─ its time is over ─► expired ── verify, edit ──► active
│                   │ └─── replaced, merged ─► superseded
└──► retired ◄──────┘ retire                   any ── erase ──► erased
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from eren_memory.domain import Edited, Note, NoteDraft, NoteStatus, difference
from eren_memory.errors import BadDate, BadInput, NotInThatState, RevisionMoved

# An edit of these is a statement anew by whoever makes it.
_STATEMENT = {"text", "question", "valid_from", "valid_until"}
_DATES = {"valid_from", "valid_until", "review_by"}


def draft_of(note: Note) -> NoteDraft:
    """What a person would have supplied to make the note as it is."""
    return NoteDraft(**{name: getattr(note, name) for name in NoteDraft.__dataclass_fields__})


def edited(note: Note, fields: Edited, now: datetime) -> tuple[Note, str]:
    """The note with other fields, and the act's name. Raises `BadInput` where nothing changes."""
    _must_be(note, NoteStatus.ACTIVE, NoteStatus.DRAFT, NoteStatus.EXPIRED)
    draft = replace(draft_of(note), **fields).checked()
    names = NoteDraft.__dataclass_fields__
    after = replace(note, **{name: getattr(draft, name) for name in names})
    changed = difference(note, after).keys()
    if not changed:
        raise BadInput(f"Note #{note.number} is like that already. Nothing was saved.")
    if after.valid_until is not None and "valid_until" in changed and after.valid_until <= now:
        raise BadDate("Valid-until has passed already. Retire the note instead.")
    if note.status is NoteStatus.EXPIRED and not _over(after, now):
        after = replace(after, status=NoteStatus.ACTIVE)
    if changed & _STATEMENT and after.status is NoteStatus.ACTIVE:
        after = replace(after, verified_at=now)
        if "review_by" not in changed and after.review_by and after.review_by <= now:
            after = replace(after, review_by=None)
    return after, "scope" if changed == {"scope"} else "dates" if changed <= _DATES else "edit"


def retired(note: Note) -> Note:
    """Out of use."""
    _must_be(note, NoteStatus.ACTIVE, NoteStatus.EXPIRED)
    return replace(note, status=NoteStatus.RETIRED)


def expired(note: Note, now: datetime) -> Note:
    """Out of use because its time is over."""
    _must_be(note, NoteStatus.ACTIVE)
    if not _over(note, now):
        raise BadDate(f"The time of note #{note.number} is not over. Nothing changed.")
    return replace(note, status=NoteStatus.EXPIRED)


def approved(note: Note, actor_id: str, now: datetime) -> Note:
    """A suggestion, in use from now on."""
    _must_be(note, NoteStatus.DRAFT)
    return replace(note, status=NoteStatus.ACTIVE, approved_by=actor_id, verified_at=now)


def rejected(note: Note) -> Note:
    """A suggestion, turned down."""
    _must_be(note, NoteStatus.DRAFT)
    return replace(note, status=NoteStatus.RETIRED)


def verified(note: Note, now: datetime, review_by: datetime | None) -> Note:
    """Still true, says who acts. A date for reviewing it that has passed is cleared.

    A note that has expired answers again, from now on without an end.
    """
    _must_be(note, NoteStatus.ACTIVE, NoteStatus.EXPIRED)
    if note.status is NoteStatus.EXPIRED:
        note = replace(note, status=NoteStatus.ACTIVE, valid_until=None)
    if review_by is None and note.review_by is not None and note.review_by > now:
        review_by = note.review_by
    return replace(note, verified_at=now, review_by=review_by)


def superseded(note: Note, by: Note, now: datetime) -> Note:
    """Replaced by another note, which must answer wherever and whenever this one did."""
    _must_be(note, NoteStatus.ACTIVE)
    if by.scope and not (note.scope and {*note.scope} <= {*by.scope}):
        raise BadInput(
            f"Note #{note.number} is visible in places where the new note would not be. Give the new "
            "one its scope, or keep both. Nothing was saved."
        )
    if by.valid_from is not None and by.valid_from > now:
        raise BadDate(
            f"The new note begins later, and until then nothing would stand for #{note.number}. Set "
            "valid-until on that one instead. Nothing was saved."
        )
    return replace(note, status=NoteStatus.SUPERSEDED, superseded_by=by.id)


def merged(kept: Note, other: Note, now: datetime) -> Note:
    """The other note, superseded by the one that is kept."""
    if kept.id == other.id:
        raise BadInput(f"Note #{kept.number} cannot be merged with itself.")
    _must_be(kept, NoteStatus.ACTIVE)
    if kept.scope != other.scope:
        raise BadInput(
            f"Notes #{kept.number} and #{other.number} are visible in different places. Give them "
            "the same scope first, so that nobody sees more or less than before."
        )
    return superseded(other, kept, now)


def restored(note: Note, then: Note | None, status: NoteStatus) -> Note:
    """The note as it was in an earlier revision; one out of use comes back with `status`."""
    if note.status is NoteStatus.ERASED or then is None or then.status is NoteStatus.ERASED:
        raise NotInThatState(f"Note #{note.number} has no such revision to go back to.")
    after = replace(then, superseded_by=None)
    if after.status not in {NoteStatus.ACTIVE, NoteStatus.DRAFT}:
        after = replace(after, status=status)
    if not difference(note, after):
        raise BadInput(f"Note #{note.number} is like that already. Nothing was saved.")
    return after


def undone(note: Note, then: Note | None) -> Note:
    """The note as it was before an act; one that the act made is retired."""
    if note.status is NoteStatus.ERASED:
        raise NotInThatState("What was erased cannot be brought back.")
    return then if then is not None else replace(note, status=NoteStatus.RETIRED)


def moved(note: Note, expected: int, then: Note | None) -> RevisionMoved:
    """The refusal of an act on a revision that is no longer the current one."""
    changes = difference(then, note) if then is not None else {}
    named = f" ({', '.join(changes)})" if changes else ""
    return RevisionMoved(
        f"Note #{note.number} is at revision {note.revision}, not {expected}: somebody changed it"
        f"{named}. Nothing was saved; read it again first.",
        changes,
    )


def _over(note: Note, now: datetime) -> bool:
    return note.valid_until is not None and note.valid_until <= now


def _must_be(note: Note, *statuses: NoteStatus) -> None:
    if note.status not in statuses:
        wanted = " or ".join(statuses)
        raise NotInThatState(
            f"Note #{note.number} is {note.status}, and for this it must be {wanted}. "
            "Nothing changed."
        )
