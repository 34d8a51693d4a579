"""A note as a plain record and back: the fields of an export, and what an import accepts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from eren_memory.domain import (
    LARGEST_NUMBER,
    REVISED,
    By,
    HistoryEntry,
    Note,
    NoteDraft,
    NoteStatus,
    Probes,
)
from eren_memory.errors import BadDate, BadInput
from eren_memory.inputs import scope, scope_text
from eren_memory.text import checked

Record = dict[str, Any]
"""Field: text, whole number, list, object or None; what JSON can hold."""

HISTORY = "history"
# More than anybody makes, and room to go on counting.
_MOST_REVISIONS = 10**9
_LONGEST_TOLD = 10**18


@dataclass(frozen=True, slots=True)
class Row:
    """A checked record. `given` holds only the fields that it names, as a note has them."""

    given: Mapping[str, Any]
    history: tuple[Mapping[str, Any], ...] = ()

    @property
    def id(self) -> UUID | None:
        """The note that it is, where it came from an export."""
        found: UUID | None = self.given.get("id")
        return found

    @property
    def revision(self) -> int | None:
        """The revision that was exported."""
        found: int | None = self.given.get("revision")
        return found

    @property
    def status(self) -> NoteStatus:
        """What it shall be here."""
        found: NoteStatus = self.given.get("status", NoteStatus.ACTIVE)
        return found


def record(note: Note, history: Sequence[HistoryEntry] | None = None) -> Record:
    """A note as a record; `history` adds its revisions."""
    made = {name: plain(getattr(note, name)) for name in FIELDS}
    if history is not None:
        made[HISTORY] = [_entry(one) for one in history]
    return made


def row(given: Mapping[str, Any]) -> Row:
    """A record, checked. Raises `BadInput` naming the field."""
    if not isinstance(given.get("text"), str):
        raise BadInput('A note needs a text: {"text": "…"}.')
    if unknown := given.keys() - FIELDS.keys() - {HISTORY}:
        raise BadInput(f"There is no field {min(unknown)!r:.40}; {', '.join(FIELDS)} are known.")
    values = {name: _read(name, value, FIELDS) for name, value in given.items() if name in FIELDS}
    names = NoteDraft.__dataclass_fields__
    draft = NoteDraft(**{name: value for name, value in values.items() if name in names}).checked()
    values |= {name: getattr(draft, name) for name in values if name in names}
    if values.get("status") is NoteStatus.SUPERSEDED and not values.get("superseded_by"):
        raise BadInput("A superseded note needs superseded_by, the id of the note in its place.")
    return Row(values, _history(given.get(HISTORY), values))


def entry(past: Mapping[str, Any], note: Note) -> HistoryEntry:
    """A checked revision as an entry in the history of `note`."""
    values = {name: getattr(note, name) for name in Note.__dataclass_fields__}
    values |= {name: past[name] for name in (*REVISED, "revision") if name in past}
    by = By(past["actor_id"], past.get("act_reason"), past.get("act_source"))
    return HistoryEntry(past["act"], by, past["at"], Note(**values), {})


def _entry(one: HistoryEntry) -> Record:
    told = {name: plain(getattr(one.note, name)) for name in ("revision", *REVISED)}
    return told | {
        "act": one.act,
        "actor_id": one.by.actor_id,
        "at": one.at.isoformat(),
        "act_reason": one.by.reason,
        "act_source": one.by.where,
    }


def _history(given: Any, of: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The revisions of a record, each checked as if it were typed now."""
    if given is None or given == "":
        return ()
    if not isinstance(given, list):
        raise BadInput("The field history is not a list.")
    past = tuple(_past(one) for one in given)
    numbers = [one["revision"] for one in past]
    if numbers != sorted({*numbers}):
        raise BadInput("The revisions in the history are not in their order.")
    if past and numbers[-1] != of.get("revision"):
        raise BadInput(
            "The history does not end with the note's own revision: it is cut short, or a revision "
            "in it is later than the note's own."
        )
    if past and any(past[-1].get(name) != of.get(name) for name in REVISED):
        raise BadInput("The last revision in the history is not what the note says.")
    return past


def _past(given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping) or {"revision", "text", "act", "actor_id", "at"} - {*given}:
        raise BadInput("A revision in the history lacks revision, text, act, actor_id or at.")
    if unknown := given.keys() - _PAST.keys():
        raise BadInput(f"A revision in the history has an unknown field: {min(unknown)!r:.40}.")
    values = {name: _read(name, value, _PAST, _REQUIRED) for name, value in given.items()}
    names = NoteDraft.__dataclass_fields__
    draft = NoteDraft(**{name: value for name, value in values.items() if name in names}).checked()
    return values | {name: getattr(draft, name) for name in values if name in names}


def plain(value: Any) -> Any:
    """A field of a note as JSON has it; a scope is given as `inputs.scope` reads it."""
    if isinstance(value, tuple):
        return scope_text(value)
    if isinstance(value, Probes):
        return {"change": list(value.change), "keep": list(value.keep)}
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID | NoteStatus) else value


def _read(
    name: str,
    value: Any,
    fields: Mapping[str, Callable[[Any], Any]],
    required: Collection[str] = ("text",),
) -> Any:
    if value is None:
        if name in required:
            raise BadInput(f"The field {name} is empty.")
        return _DEFAULTS.get(name)
    try:
        return fields[name](value)
    except BadInput as error:
        raise BadInput(f"In the field {name}: {error}") from None
    except (TypeError, ValueError, OverflowError):
        raise BadInput(f"The field {name} cannot be read: {value!r:.40}.") from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise BadInput("It is not text.")
    return value


def _name(value: Any) -> str:
    text = checked(_text(value), what="name", limit=64)
    if not text.isprintable():
        raise BadInput("It has characters that cannot be printed.")
    return text


def _number(value: Any, largest: int = LARGEST_NUMBER) -> int:
    number = value if isinstance(value, int) and not isinstance(value, bool) else int(_text(value))
    if not 1 <= number <= largest:
        raise BadInput(f"{_brief(number)} is not between 1 and {largest}.")
    return number


def _brief(number: int) -> str:
    return str(number) if abs(number) < _LONGEST_TOLD else "That number"


def _moment(value: Any) -> datetime:
    try:
        found = datetime.fromisoformat(_text(value))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadDate(f"{value!r:.40} is not an ISO 8601 date.") from None


def _status(value: Any) -> NoteStatus:
    status = NoteStatus(_text(value))
    if status is NoteStatus.ERASED:
        raise BadInput("An erased note cannot be imported.")
    return status


def _probes(value: Any) -> Probes:
    lists = isinstance(value, Mapping) and all(isinstance(one, list) for one in value.values())
    if not lists or value.keys() - {"change", "keep"}:
        raise BadInput('It looks like {"change": ["…"], "keep": ["…"]}.')
    return Probes(
        tuple(_text(one) for one in value.get("change", ())),
        tuple(_text(one) for one in value.get("keep", ())),
    )


def _uuid(value: Any) -> UUID:
    return UUID(_text(value))


FIELDS: Mapping[str, Callable[[Any], Any]] = {
    "id": _uuid,
    "number": _number,
    "text": _text,
    "question": _text,
    "source_url": _text,
    "reason": _text,
    "scope": lambda value: scope(_text(value)),
    "status": _status,
    "revision": lambda value: _number(value, _MOST_REVISIONS),
    "author_id": _name,
    "approved_by": _name,
    "valid_from": _moment,
    "valid_until": _moment,
    "review_by": _moment,
    "verified_at": _moment,
    "superseded_by": _uuid,
    "probes": _probes,
    "created_at": _moment,
    "updated_at": _moment,
}
"""Fields of an export, in the order of its columns, and how each is read."""
_PAST = {name: FIELDS[name] for name in ("revision", *REVISED)} | {
    "act": lambda value: checked(_text(value), what="act", limit=32),
    "actor_id": _name,
    "at": _moment,
    "act_reason": lambda value: checked(_text(value), what="reason"),
    "act_source": lambda value: checked(_text(value), what="source"),
}
_REQUIRED = {"text", "revision", "act", "actor_id", "at"}
_DEFAULTS: Mapping[str, Any] = {
    "scope": (),
    "probes": Probes(),
    "status": NoteStatus.ACTIVE,
}
