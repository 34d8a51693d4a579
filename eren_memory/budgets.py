"""Daily budgets: how much may be used, how much is, and what is done at the limit. Nothing is kept here.

what is used, with what is held for questions under way
    │
    ├─ the member's own quota is reached ─────► quota: asked again tomorrow
    ├─ a budget is reached ─► what was chosen for that: notes-only, refuse, or a cheaper model
    │                         (which ends in notes-only when as much again is used)
    └─ else ──────────────────────────────────► allowed
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from eren_memory.community import GuildBudget
from eren_memory.errors import BadInput
from eren_memory.setting_values import AtLimit, Instead

WARNED = (80, 100)
"""Percent of a budget at which people are told."""
EVERY_GUILD = ""
"""In the place of a guild's id: the whole installation."""
MICRO = 1_000_000
"""Money is counted in millionths: a price for a million tokens is that of one token."""
_CHEAPER_FACTOR = 2


@dataclass(frozen=True, slots=True)
class Most:
    """The most that may be used in a day; None: as much as one likes. `cost` is in millionths."""

    questions: int | None = None
    tokens: int | None = None
    cost: int | None = None

    def __bool__(self) -> bool:
        return any(one is not None for one in (self.questions, self.tokens, self.cost))

    def within(self, other: Most) -> Most:
        """The lower of each."""
        return Most(
            lowest(self.questions, other.questions),
            lowest(self.tokens, other.tokens),
            lowest(self.cost, other.cost),
        )


@dataclass(frozen=True, slots=True)
class Used:
    """What was used of a day, in the units of `Most`."""

    questions: int = 0
    tokens: int = 0
    cost: int = 0

    def __add__(self, other: Used) -> Used:
        return Used(
            self.questions + other.questions, self.tokens + other.tokens, self.cost + other.cost
        )


@dataclass(frozen=True, slots=True)
class Today:
    """How a guild's day stands: settled, and held for what is under way; `asked` by one member."""

    guild: Used = Used()
    whole: Used = Used()
    guild_held: Used = Used()
    whole_held: Used = Used()
    asked: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One budget of a day: `questions`, `tokens` or `money`, of a guild or of all of them."""

    budget: str
    guild_id: str
    used: int
    most: int

    @property
    def percent(self) -> int:
        """Of the budget; 100 only when it is reached."""
        return self.used * 100 // self.most


@dataclass(frozen=True, slots=True)
class Limits:
    """Everything that holds in one guild.

    Attributes:
        member: Questions of a member.
        roles: The same by role, for those who have one of them.
        guild: Of the guild.
        whole: Of the installation.
        instead: What is done at the guild's limit.
        whole_instead: What is done at the installation's.
        ceiling: Questions that no member may exceed, whatever the guild says.
    """

    member: int | None = None
    roles: tuple[tuple[str, int], ...] = ()
    guild: Most = Most()
    whole: Most = Most()
    instead: Instead = field(default_factory=Instead)
    whole_instead: Instead = field(default_factory=Instead)
    ceiling: int | None = None

    def __bool__(self) -> bool:
        of_members = (self.member, self.ceiling)
        return bool(self.guild or self.whole or self.roles) or any(of_members)

    def of(self, roles: Collection[str]) -> int | None:
        """Questions of a member with these roles."""
        theirs = [most for role, most in self.roles if role in roles]
        return lowest(max(theirs) if theirs else self.member, self.ceiling)

    def lines(self, today: Today, guild_id: str, *, held: bool = False) -> Iterator[Line]:
        """Every budget that there is, the installation's first."""
        whole = today.whole + today.whole_held if held else today.whole
        guild = today.guild + today.guild_held if held else today.guild
        for whose, most, used in (
            (EVERY_GUILD, self.whole, whole),
            (guild_id, self.guild, guild),
        ):
            for budget, limit, so_far in (
                ("questions", most.questions, used.questions),
                ("tokens", most.tokens, used.tokens),
                ("money", most.cost, used.cost),
            ):
                if limit is not None:
                    yield Line(budget, whose, so_far, limit)


def limits(
    chosen: GuildBudget,
    models: Collection[str],
    member: int | None,
    guild: Most,
    whole: Most,
    instead: Instead,
) -> Limits:
    """A guild's own choice, within what the operator allows: the other arguments."""
    own = Most(chosen.questions, chosen.tokens, micros(chosen.money))
    way = instead
    if chosen.at_limit:
        with suppress(BadInput):  # Of a version that knew another way: the operator's then.
            way = Instead.parse(chosen.at_limit)
    if way.model is not None and way.model not in models:
        way = Instead()  # It is no longer offered.
    return Limits(
        chosen.member_questions,
        chosen.role_questions,
        own.within(guild),
        whole,
        way,
        instead,
        member,
    )


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a question: asked as always where there is no `way`.

    `quota` is the member's own number of questions, when that is reached.
    """

    way: AtLimit | None = None
    model: str | None = None
    line: Line | None = None
    quota: int | None = None

    @property
    def refused(self) -> bool:
        """Whether there is to be no answer."""
        return self.quota is not None or self.way is AtLimit.REFUSE

    @property
    def silenced(self) -> bool:
        """Whether the model is not to be called."""
        return self.refused or self.way is AtLimit.NOTES_ONLY


# The strictest of several counts.
_STRICT = (AtLimit.CHEAPER, AtLimit.NOTES_ONLY, AtLimit.REFUSE)


def decide(
    holding: Limits, today: Today, guild_id: str, quota: int | None, model: str | None
) -> Decision:
    """What becomes of the next question.

    Args:
        holding: The budgets.
        today: What is used; what is held counts as used.
        guild_id: Whose question.
        quota: Of the member who asks; None for none, or where nobody asks.
        model: That would answer. To be cheaper it takes another.
    """
    if quota is not None and today.asked >= quota:
        return Decision(quota=quota)
    found = Decision()
    for line in holding.lines(today, guild_id, held=True):
        if line.used < line.most:
            continue
        chosen = holding.whole_instead if line.guild_id == EVERY_GUILD else holding.instead
        way = chosen.way
        spent_again = line.used >= _CHEAPER_FACTOR * line.most
        if way is AtLimit.CHEAPER and (spent_again or chosen.model == model):
            way = AtLimit.NOTES_ONLY
        if found.way is None or _STRICT.index(way) > _STRICT.index(found.way):
            found = Decision(way, chosen.model if way is AtLimit.CHEAPER else None, line)
    return found


def day_of(now: datetime, zone: tzinfo) -> date:
    """Which day it is there."""
    return now.astimezone(zone).date()


def ends(day: date, zone: tzinfo) -> datetime:
    """When a day is over there, in UTC."""
    return datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)


def lowest(*of: int | None) -> int | None:
    """The lowest of those that there are."""
    return min((one for one in of if one is not None), default=None)


def micros(money: float | None) -> int | None:
    """An amount in millionths."""
    return None if money is None else max(1, round(money * MICRO))
