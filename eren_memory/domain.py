"""The words of this project as frozen values. Standard library only; nothing here does I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, TypedDict
from uuid import UUID

from eren_memory.errors import BadDate, TextTooLong
from eren_memory.text import checked, checked_scope, note_text, question_text

LARGEST_NUMBER = 2**31 - 1
"""Of a note: what every database can count to."""

_PROBE_LIMIT = 20


class NoteStatus(StrEnum):
    """Where a note stands; only `ACTIVE` notes answer."""

    DRAFT = "draft"
    """Suggested; waits for approval."""
    ACTIVE = "active"
    SUPERSEDED = "superseded"
    """Another note took its place: `Note.superseded_by`."""
    RETIRED = "retired"
    EXPIRED = "expired"
    """Its time was over: an audit took it out of use."""
    ERASED = "erased"
    """Deleted for privacy: number and history remain, every text is blank."""


class Origin(StrEnum):
    """What an answer was made from."""

    NOTEBOOK = "notebook"
    MODEL = "model"


class ClaimVerdict(StrEnum):
    """What the notebook says of a claim."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    SILENT = "silent"


class Path(StrEnum):
    """The way a question went through the engine."""

    UNEDITED = "unedited"
    GATE_CLOSED = "gate closed"
    ACCEPTED = "accepted"
    ACCEPTED_REREAD = "accepted, read again"
    REJECTED = "rejected"
    NOTE_QUOTED = "model unreachable, note quoted"
    NOTES_IN_PROMPT = "notes in the prompt"


Scope = tuple[str, ...]
"""Channels in which a note is visible, sorted; empty for the whole guild."""


@dataclass(frozen=True, slots=True)
class Probes:
    """A note's test: questions that must be answered from it, and questions that must not."""

    change: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """One correction, in its current revision. Times are UTC.

    `valid_from` is the first moment at which it answers, `valid_until` the first at which it no
    longer does. `verified_at` is when a person last vouched for it, `review_by` when one should.
    """

    id: UUID
    number: int
    guild_id: str
    text: str
    status: NoteStatus
    revision: int
    author_id: str
    created_at: datetime
    updated_at: datetime
    question: str | None = None
    source_url: str | None = None
    reason: str | None = None
    scope: Scope = ()
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    review_by: datetime | None = None
    verified_at: datetime | None = None
    approved_by: str | None = None
    superseded_by: UUID | None = None
    probes: Probes = Probes()

    def visible_to(self, view: View) -> bool:
        """Whether a search from there may bring it up."""
        return (
            self.status is NoteStatus.ACTIVE
            and self.guild_id == view.guild_id
            and (view.channels is None or not self.scope or bool({*self.scope} & {*view.channels}))
            and (view.at is None or self.valid_at(view.at))
        )

    def valid_at(self, moment: datetime) -> bool:
        """Whether its dates let it answer then."""
        begun = self.valid_from is None or self.valid_from <= moment
        return begun and (self.valid_until is None or moment < self.valid_until)


REVISED = (
    "text", "status", "question", "source_url", "reason", "scope", "valid_from", "valid_until",
    "review_by", "verified_at", "approved_by", "superseded_by", "probes",
)  # fmt: skip
"""Fields of a note that its revisions keep; the others never change."""

Changes = Mapping[str, tuple[Any, Any]]
"""Field: (before, after)."""


def difference(before: Note, after: Note) -> Changes:
    """What changed between two revisions of a note."""
    pairs = {name: (getattr(before, name), getattr(after, name)) for name in REVISED}
    return {name: (old, new) for name, (old, new) in pairs.items() if old != new}


class Edited(TypedDict, total=False):
    """Fields that a person may change. What is left out stays; None clears."""

    text: str
    question: str | None
    source_url: str | None
    reason: str | None
    scope: Scope
    valid_from: datetime | None
    valid_until: datetime | None
    review_by: datetime | None
    probes: Probes


@dataclass(frozen=True, slots=True)
class NoteDraft:
    """What a person supplies to make a note."""

    text: str
    question: str | None = None
    source_url: str | None = None
    reason: str | None = None
    scope: Scope = ()
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    review_by: datetime | None = None
    probes: Probes = Probes()

    def checked(self) -> NoteDraft:
        """The draft with every field checked and stripped. Raises `BadInput` naming the fault."""
        if self.valid_from and self.valid_until and self.valid_until <= self.valid_from:
            raise BadDate("The note would end before it begins. Set valid-until after valid-from.")
        return replace(
            self,
            text=note_text(self.text),
            question=question_text(self.question) if self.question else None,
            source_url=checked(self.source_url, what="source") if self.source_url else None,
            reason=checked(self.reason, what="reason") if self.reason else None,
            scope=checked_scope(self.scope),
            probes=_checked_probes(self.probes),
        )


PSEUDONYM = "forgotten:"
"""What the name begins with under which a forgotten person's acts stay."""


@dataclass(frozen=True, slots=True)
class By:
    """Who acts on the notebook, why, and from where (a link to the message, or a front end).

    Acts that share a `batch` are undone together; without one each act is its own.
    """

    actor_id: str
    reason: str | None = None
    where: str | None = None
    batch: UUID | None = None


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One act on a note. `note` is the revision that it left, `changes` is empty for the first."""

    act: str
    by: By
    at: datetime
    note: Note
    changes: Changes


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was asked or written. `guild_id` separates communities entirely.

    `channels` are those whose notes may be used: the channel and, in a thread, the one it is in.
    """

    guild_id: str
    channels: Scope = ()


@dataclass(frozen=True, slots=True)
class View:
    """Which notes a search may bring up; None for whatever their scope, or their dates."""

    guild_id: str
    channels: Scope | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A note that retrieval brought up.

    `dense` is the cosine similarity with the question, in [-1, 1]; `lexical` the BM25 score, >= 0.
    """

    note: Note
    dense: float
    lexical: float


@dataclass(frozen=True, slots=True)
class Usage:
    """Model calls and tokens; calls that were started and then cancelled count as calls."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        calls, prompt = self.calls + other.calls, self.prompt_tokens + other.prompt_tokens
        return Usage(calls, prompt, self.completion_tokens + other.completion_tokens)


@dataclass(frozen=True, slots=True)
class Trace:
    """Why an answer is what it is.

    `verdict` is the model's own probability that the note answers, `p` the calibrated one that the
    decision used; both None when no note was read. `milliseconds` is wall time in the engine,
    `mark` names the calibration that decided.
    """

    method: str
    path: Path
    candidates: tuple[Candidate, ...] = ()
    verdict: float | None = None
    p: float | None = None
    usage: Usage = field(default_factory=Usage)
    milliseconds: float = 0.0
    mark: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply to a question. `notes` were supplied to the model and accepted by the decision."""

    text: str
    origin: Origin
    notes: tuple[Candidate, ...]
    trace: Trace
    question: str = ""
    """What was answered, in a form that stands alone."""


@dataclass(frozen=True, slots=True)
class ClaimCheck:
    """A reply to a claim: the notebook's verdict, and yes or no from the notes or from the model."""

    verdict: ClaimVerdict
    answer: str
    origin: Origin
    notes: tuple[Candidate, ...]
    trace: Trace


def _checked_probes(probes: Probes) -> Probes:
    if len(probes.change) + len(probes.keep) > _PROBE_LIMIT:
        raise TextTooLong(f"A note has more than {_PROBE_LIMIT} probes. Keep the telling ones.")
    return Probes(
        tuple(question_text(one, "probe") for one in probes.change),
        tuple(question_text(one, "probe") for one in probes.keep),
    )
