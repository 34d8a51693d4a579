"""The words of this project as frozen values. Standard library only; nothing here does I/O."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from eren_memory.errors import EmptyText, TextTooLong, UnreadableText

NOTE_LIMIT = 2_000
"""Characters in a note."""
QUESTION_LIMIT = 1_000
"""Characters in a question or a claim."""
LARGEST_NUMBER = 2**31 - 1
"""Of a note: what every database can count to."""


class NoteStatus(StrEnum):
    """Where a note stands; only `ACTIVE` notes answer."""

    ACTIVE = "active"
    RETIRED = "retired"


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


@dataclass(frozen=True, slots=True)
class Note:
    """One correction, in its current revision. Times are UTC."""

    id: UUID
    number: int
    guild_id: str
    text: str
    status: NoteStatus
    revision: int
    author_id: str
    question: str | None
    source_url: str | None
    reason: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class NoteDraft:
    """What a person supplies to make a note; `text` is checked by `note_text`."""

    text: str
    question: str | None = None
    source_url: str | None = None
    reason: str | None = None

    def checked(self) -> NoteDraft:
        """The draft with every field checked and stripped. Raises `BadInput` naming the fault."""
        return NoteDraft(
            note_text(self.text),
            question_text(self.question) if self.question else None,
            _checked(self.source_url, what="source", limit=NOTE_LIMIT) if self.source_url else None,
            _checked(self.reason, what="reason", limit=NOTE_LIMIT) if self.reason else None,
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was asked or written. `guild_id` separates communities entirely."""

    guild_id: str
    channel_id: str | None = None


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
        return Usage(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
        )


@dataclass(frozen=True, slots=True)
class Trace:
    """Why an answer is what it is.

    `verdict` is the model's own probability that the note answers, `p` the calibrated one that the
    decision used; both None when no note was read. `milliseconds` is wall time in the engine.
    """

    method: str
    path: Path
    candidates: tuple[Candidate, ...] = ()
    verdict: float | None = None
    p: float | None = None
    usage: Usage = field(default_factory=Usage)
    milliseconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply to a question. `notes` were supplied to the model and accepted by the decision."""

    text: str
    origin: Origin
    notes: tuple[Candidate, ...]
    trace: Trace


@dataclass(frozen=True, slots=True)
class ClaimCheck:
    """A reply to a claim: the notebook's verdict, and yes or no from the notes or from the model."""

    verdict: ClaimVerdict
    answer: str
    origin: Origin
    notes: tuple[Candidate, ...]
    trace: Trace


def note_text(raw: str) -> str:
    """The text of a note, checked and stripped. Raises `BadInput` naming the fault."""
    return _checked(raw, what="note", limit=NOTE_LIMIT)


def question_text(raw: str, what: str = "question") -> str:
    """A question or claim, checked and stripped. Raises `BadInput` naming the fault."""
    return _checked(raw, what=what, limit=QUESTION_LIMIT)


def normalised(text: str) -> str:
    """The form in which two notes count as the same statement: NFKC, case and spacing folded."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def visible(text: str) -> bool:
    """Whether any character would show: not space, control or format (zero-width) characters."""
    return any(unicodedata.category(char)[0] not in "ZC" for char in text)


def first_line(text: str, limit: int = 80) -> str:
    """A title: the first line, cut at `limit` characters."""
    line = text.strip().splitlines()[0] if text.strip() else ""
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _checked(raw: str, *, what: str, limit: int) -> str:
    for position, char in enumerate(raw):
        # Cs: lone surrogates, which no database or endpoint can encode.
        category = unicodedata.category(char)
        if category == "Cs" or (category == "Cc" and char not in "\n\r\t"):
            raise UnreadableText(
                f"The {what} has an unreadable character (U+{ord(char):04X}, position {position + 1}). "
                "Remove it and try again."
            )
    text = raw.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not visible(text):
        raise EmptyText(f"The {what} is empty. Write at least one visible character.")
    if len(text) > limit:
        raise TextTooLong(
            f"The {what} has {len(text):,} characters; the limit is {limit:,}. Shorten it and try again."
        )
    return text
