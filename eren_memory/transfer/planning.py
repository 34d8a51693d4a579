"""What becomes of the rows of a file: new, changed, known, or erased here before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from eren_memory.domain import Changes, HistoryEntry, Note, NoteDraft, NoteStatus, difference
from eren_memory.errors import BadInput
from eren_memory.ledger.unit import Unit
from eren_memory.rules import draft_of
from eren_memory.transfer.records import Row, entry

# A number beyond it is given anew, so that the guild can go on counting.
_MOST_NUMBERS = 10**9
# Fields that a new note has whatever a file says.
_ALWAYS_THERE = {
    "id", "number", "status", "revision", "author_id", "created_at", "updated_at", "scope", "probes",
}  # fmt: skip
# What a row may change of a note that is there; who vouched for it and when is not for a file to say.
_EDITABLE = (*NoteDraft.__dataclass_fields__, "status", "superseded_by")


class Outcome(StrEnum):
    """What becomes of a row."""

    NEW = "new"
    CHANGED = "changed"
    KNOWN = "known"
    ERASED = "erased"
    """The note was erased here; a file does not bring it back."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A row's outcome: the note as it will be, what that changes, and revisions that come with it."""

    outcome: Outcome
    note: Note
    changes: Changes = field(default_factory=dict)
    before: Note | None = None
    past: tuple[HistoryEntry, ...] = ()


@dataclass(slots=True)
class Seen:
    """What the checking pass has met before, since it writes nothing: note ids and statements."""

    ids: set[UUID] = field(default_factory=set)
    statements: set[tuple[str, NoteStatus]] = field(default_factory=set)


class Here:
    """What a guild holds already that a batch of rows may be about."""

    def __init__(
        self,
        unit: Unit,
        guild_id: str,
        by_id: Mapping[UUID, Note],
        saying: dict[tuple[str, NoteStatus], Note],
        numbers: set[int],
        seen: Seen,
    ) -> None:
        self._unit = unit
        self._guild_id = guild_id
        self._by_id = dict(by_id)
        self._saying = saying
        self._numbers = numbers
        self._seen = seen

    @classmethod
    async def read(cls, unit: Unit, guild_id: str, batch: Sequence[Row], seen: Seen) -> Here:
        """Everything at once, whatever the number of rows."""
        named = {one.id for one in batch}
        named |= {said.get("superseded_by") for one in batch for said in (one.given, *one.history)}
        ids = {one for one in named if one is not None}
        ids |= {uuid5(one, guild_id) for one in ids}
        texts: dict[NoteStatus, list[str]] = {}
        for one in batch:
            texts.setdefault(one.status, []).append(one.given["text"])
        saying = {
            (key, status): note
            for status, said in texts.items()
            for key, note in (await unit.saying(said, status)).items()
        }
        numbers = [one.given["number"] for one in batch if one.given.get("number")]
        taken = await unit.taken(numbers)
        return cls(unit, guild_id, await unit.by_ids([*ids]), saying, taken, seen)

    def plan(self, one: Row) -> Planned:
        """What becomes of a row. Raises `BadInput`."""
        original = self._by_id.get(one.id) if one.id is not None else None
        if original is not None and original.status is NoteStatus.ERASED:
            return Planned(Outcome.ERASED, original)
        note_id = self._own(one.id) if one.id is not None else None
        if note_id in self._seen.ids:
            raise BadInput("The note with this id stands in the file twice.")
        if note_id is not None:
            self._seen.ids.add(note_id)
            if note := self._by_id.get(note_id):
                return self._revised(note, one)
        statement = (self._unit.statement(one.given["text"]), one.status)
        # Of what was exported, only the active statements may not stand here twice.
        once = note_id is None or one.status is NoteStatus.ACTIVE
        if once and (same := self._saying.get(statement)):
            if "scope" in one.given and one.given["scope"] != same.scope:
                raise BadInput(
                    f"Note #{same.number} says exactly this in other places. Give the row its id to "
                    "change its scope."
                )
            return Planned(Outcome.KNOWN, same)
        note = self._new(one, note_id)
        if once and statement in self._seen.statements:
            return Planned(Outcome.KNOWN, note)
        self._seen.statements.add(statement)
        self._saying[statement] = self._by_id[note.id] = note
        past = tuple(entry(self._fields(said), note) for said in one.history)
        return Planned(Outcome.NEW, note, past=past)

    def _revised(self, note: Note, one: Row) -> Planned:
        given = self._fields(one.given)
        after = replace(note, **{name: given[name] for name in _EDITABLE if name in given})
        self._check(after)
        changes = difference(note, after)
        if not changes:
            return Planned(Outcome.KNOWN, note)
        if changes.get("status", (None, None))[1] is NoteStatus.DRAFT:
            raise BadInput(f"Note #{note.number} is in use and cannot become a draft again.")
        if after.valid_until and "valid_until" in changes and after.valid_until <= self._unit.now:
            raise BadInput(f"Valid-until of note #{note.number} has passed. Retire it instead.")
        if one.revision is not None and one.revision != note.revision:
            raise BadInput(
                f"Note #{note.number} is at revision {note.revision} and the row has "
                f"{one.revision}: somebody changed it since. Export it again, or leave revision out."
            )
        if "text" in changes and after.status is NoteStatus.ACTIVE:
            after = replace(after, verified_at=self._unit.now)
        statement = (self._unit.statement(after.text), after.status)
        again = {"text", "status"} & {*changes} and statement in self._seen.statements
        if again and after.status is NoteStatus.ACTIVE:
            raise BadInput("An earlier line of the file says exactly this.")
        self._seen.statements.add(statement)
        before = (self._unit.statement(note.text), note.status)
        if before != statement and self._saying.get(before) == note:
            del self._saying[before]  # From here on nobody says that.
        self._by_id[note.id] = self._saying[statement] = after
        return Planned(Outcome.CHANGED, after, changes, note)

    def _new(self, one: Row, note_id: UUID | None) -> Note:
        given = self._fields(one.given) | {"id": note_id}
        number = given.get("number")
        if number is not None and (number in self._numbers or number > _MOST_NUMBERS):
            given["number"] = None
        # What a file leaves out, and what a note cannot be without, is as for any new note.
        exported = note_id is not None
        fields = {
            name: value
            for name, value in given.items()
            if value is not None or (exported and name not in _ALWAYS_THERE)
        }
        names = NoteDraft.__dataclass_fields__
        draft = NoteDraft(**{name: value for name, value in fields.items() if name in names})
        made = self._unit.made(draft, one.status, fields.get("number"))
        self._numbers.add(made.number)
        return replace(made, **fields)

    def _check(self, after: Note) -> None:
        """Refuse an edit that a person could not make."""
        draft_of(after).checked()
        same = self._saying.get((self._unit.statement(after.text), NoteStatus.ACTIVE))
        if after.status is NoteStatus.ACTIVE and same is not None and same.id != after.id:
            raise BadInput(f"Note #{same.number} already says exactly this.")

    def _fields(self, said: Mapping[str, Any]) -> dict[str, Any]:
        given = dict(said)
        if given.get("superseded_by") is not None:
            given["superseded_by"] = self._own(given["superseded_by"])
        return given

    def _own(self, note_id: UUID) -> UUID:
        """The id that an exported note has here: another one where its own belongs to another guild."""
        there = self._by_id.get(note_id)
        return (
            note_id
            if there is None or there.guild_id == self._guild_id
            else uuid5(note_id, self._guild_id)
        )
