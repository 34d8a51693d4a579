"""What a community decides about its assistant, and what it says of the answers: frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class Tone(StrEnum):
    """How answers sound."""

    NEUTRAL = "neutral"
    FRIENDLY = "friendly"
    FORMAL = "formal"


class Length(StrEnum):
    """How long answers are."""

    SHORT = "short"
    """One or two sentences."""
    MEDIUM = "medium"
    """A paragraph."""
    LONG = "long"
    """As long as it takes."""


class Digest(StrEnum):
    """How often the staff are told what has grown stale, where there is news."""

    DAILY = "daily"
    WEEKLY = "weekly"
    NEVER = "never"
    """Only who asks sees it."""


@dataclass(frozen=True, slots=True)
class GuildBudget:
    """What a guild may use in a day; None leaves it to the operator, whose own limits hold anyway.

    Attributes:
        member_questions: Of one member.
        role_questions: Of one member with a role, by its id; the most generous of somebody's roles
            holds, in the place of `member_questions`.
        questions: Of all members together.
        tokens: Of all model calls for the guild.
        money: What they may cost, in the currency of the operator's prices.
        at_limit: What is done then, as `budgets.AtLimit` has it.
    """

    member_questions: int | None = None
    role_questions: tuple[tuple[str, int], ...] = ()
    questions: int | None = None
    tokens: int | None = None
    money: float | None = None
    at_limit: str | None = None


@dataclass(frozen=True, slots=True)
class GuildSettings:
    """What a guild's administrators chose. Ids are Discord's, as text; empty means the default.

    Where no roles are named, everyone may ask and suggest, members who can manage messages moderate,
    and those who can manage the server administrate. Whoever can manage the server may everything.

    Attributes:
        ask_roles: Who may ask.
        suggest_roles: Who may suggest corrections.
        moderate_roles: Who may change the notebook.
        admin_roles: Who may change these settings.
        helper_roles: People whose reply keeps the bot silent in channels where it answers by itself.
        staff_channel: Where suggestions and complaints are shown.
        digest: How often it is told there what has grown stale.
        auto_channels: Channels and forums where it answers without being asked.
        auto_quiet: There it says nothing when no note applies.
        tone: How answers sound.
        length: How long they are.
        model: One of the models that the operator offers; None for the first.
        time_zone: Whose clocks jobs for the guild go by, such as Europe/Berlin; None for the operator's.
        budget: What may be used in a day.
    """

    ask_roles: tuple[str, ...] = ()
    suggest_roles: tuple[str, ...] = ()
    moderate_roles: tuple[str, ...] = ()
    admin_roles: tuple[str, ...] = ()
    helper_roles: tuple[str, ...] = ()
    staff_channel: str | None = None
    digest: Digest = Digest.DAILY
    auto_channels: tuple[str, ...] = ()
    auto_quiet: bool = True
    tone: Tone = Tone.NEUTRAL
    length: Length = Length.SHORT
    model: str | None = None
    time_zone: str | None = None
    budget: GuildBudget = GuildBudget()


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and the answer to it, earlier in a conversation."""

    question: str
    answer: str


class Complaint(StrEnum):
    """Why an answer did not help."""

    WRONG = "wrong"
    OUTDATED = "outdated"
    NOT_FROM_NOTEBOOK = "not from the notebook"
    """A note answered that should not have."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Used:
    """A note in the revision in which an answer used it."""

    note_id: UUID
    revision: int


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer as it was given, kept for a while.

    Attributes:
        id: Of the answer.
        guild_id: Where it was asked.
        channel_id: Where it stands.
        channels: Those whose notes could be used.
        asker_id: Who asked.
        question: In a form that stands alone.
        text: What was answered; empty where nothing could be.
        origin: `notebook` or `model`, or None where nothing could be answered.
        claim: Whether it was a claim to check.
        private: Only the asker sees it.
        at: When.
        notes: Those it was made from.
        trace: How it came about, as JSON.
        messages: Ids of the messages that it stands in, the first first.
        parent_id: The answer that this one follows up.
        missed: Neither the notebook nor the model knew.
    """

    id: UUID
    guild_id: str
    channel_id: str
    channels: tuple[str, ...]
    asker_id: str
    question: str
    text: str
    origin: str | None
    claim: bool
    private: bool
    at: datetime
    notes: tuple[Used, ...] = ()
    trace: dict[str, Any] = field(default_factory=dict)
    messages: tuple[str, ...] = ()
    parent_id: UUID | None = None
    missed: bool = False


class Queue(StrEnum):
    """What waits for moderators, beside suggested notes."""

    COMPLAINT = "complaint"
    """Answers that did not help, one entry a question."""
    GAP = "gap"
    """Questions that neither the notebook nor the model could answer."""


@dataclass(frozen=True, slots=True)
class Review:
    """An entry of the queue: a question, how often and when last it came up, and the newest answer.

    `card` is the message (channel id, message id) that shows it to the staff.
    """

    id: int
    guild_id: str
    queue: Queue
    question: str
    count: int
    answer_id: UUID | None
    raised_at: datetime
    card: tuple[str, str] | None = None
    closed_by: str | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What a guild's questions cost over some days."""

    days: int
    questions: int
    from_notebook: int
    missed: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    helpful: int
    unhelpful: int
