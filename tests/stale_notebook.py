"""A notebook of 200 notes of which 40 are stale in known ways, and how well an audit finds them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from eren_memory.app import App
from eren_memory.community import Asked, Complaint, Used
from eren_memory.domain import By, Note, NoteDraft, NoteStatus, Origin, Probes
from eren_memory.staleness import Finding, Report, Stale
from tests.endpoint import Reply

GUILD = "g"
ANN = By("ann")
DAY = timedelta(days=1)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
_LINK = "https://discord.com/channels/1/2/{}"

_PLACES = (
    "Harrow Keep", "Brask Mill", "Velm Harbour", "Orlin Tower", "Quill Bay", "Sable Bridge",
    "Tarn Chapel", "Wick Forge", "Dunmore Well", "Kelby Market", "Larch Hall", "Mossgate Inn",
    "Pike Island", "Rook Garden", "Stroud Vault", "Umber Cave",
)  # fmt: skip
_PROPERTIES = {
    "opening time": ("nine o'clock", "ten o'clock", "noon", "sunrise"),
    "keeper": ("Mira Voss", "Denis Harlan", "Tova Lind", "Sela Marr"),
    "entrance fee": ("three coins", "five coins", "a silver ring", "a loaf of bread"),
    "emblem": ("a red fox", "a white heron", "an iron key", "a green oak"),
    "dress code": ("plain wool", "grey cloaks", "no boots", "blue hats"),
    "founder": ("Arden Pike", "Hanne Brill", "Jor Eskil", "Lio Fenn"),
    "feast day": ("the first of May", "midsummer", "the last of June", "harvest moon"),
    "password": ("lantern", "copper", "willow", "raven"),
    "main dish": ("barley soup", "smoked trout", "apple bread", "turnip stew"),
    "guardian animal": ("a goose", "a mastiff", "a grey cat", "an owl"),
    "oldest book": ("The Long Tide", "The Ninth Gate", "Songs of Ash", "A Map of Rain"),
    "rest day": ("Monday", "Tuesday", "Wednesday", "Friday"),
}
_COMMON = (
    ("capital", "France", "Paris"),
    ("capital", "Japan", "Tokyo"),
    ("capital", "Italy", "Rome"),
    ("currency", "Japan", "the yen"),
)


@dataclass
class Clock:
    now: datetime = NOW - 200 * DAY

    def __call__(self) -> datetime:
        return self.now


Key = tuple[Stale, frozenset[int]]
"""A finding: why, and the numbers of the notes that it is about."""


@dataclass
class Facts:
    """What every note says, and which findings there are to make."""

    said: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """By text: property, subject, value."""
    common: set[str] = field(default_factory=set)
    """Questions that the unedited model answers by itself."""
    stale: set[Key] = field(default_factory=set)

    def draft(self, what: str, whom: str, value: str, text: str = "", **fields: Any) -> NoteDraft:
        text = text or f"The {what} of {whom} is {value}."
        self.said[text] = (what, whom, value)
        return NoteDraft(text, **fields)


async def seed(app: App, clock: Clock) -> Facts:
    """Fill the notebook as half a year would have; the clock ends at `NOW`."""
    facts = Facts()
    plain = [
        (what, whom, values[(row + column) % len(values)])
        for row, whom in enumerate(_PLACES)
        for column, (what, values) in enumerate(_PROPERTIES.items())
    ][: 200 - 8 - len(_COMMON)]
    unverified, unused, rest = plain[0:4], plain[4:8], plain[8:]

    async def add(*drafts: NoteDraft) -> list[Note]:
        return await app.notebook.add_many(GUILD, drafts, ANN)

    def expect(stale: Stale, *notes: Note) -> None:
        facts.stale |= {(stale, frozenset({note.number})) for note in notes}

    old = await add(*(facts.draft(*one) for one in unverified))
    expect(Stale.UNVERIFIED, *old)
    clock.now = NOW - 100 * DAY
    expect(Stale.UNUSED, *await add(*(facts.draft(*one) for one in unused)))
    while clock.now < NOW - 40 * DAY:
        await app.audit(GUILD, 0)
        clock.now += 20 * DAY
    await app.audit(GUILD, 0)
    dated: dict[Stale, dict[str, Any]] = {
        Stale.EXPIRED: {"valid_until": NOW - 5 * DAY},
        Stale.REVIEW: {"review_by": NOW - DAY},
    }
    for n, (stale, fields) in enumerate(dated.items()):
        part = rest[4 * n : 4 * n + 4]
        expect(stale, *await add(*(facts.draft(*one, **fields) for one in part)))
    broken = rest[8:12]
    expect(
        Stale.PROBE,
        *await add(
            # It answers what its own test says it must leave alone.
            *(facts.draft(*one, probes=Probes(keep=(question(*one[:2]),))) for one in broken)
        ),
    )
    # And tests that are as they should be.
    await add(*(facts.draft(*one, question=question(*one[:2])) for one in rest[12:24]))
    known = [facts.draft(*one, question=question(*one[:2])) for one in _COMMON]
    facts.common |= {str(draft.question) for draft in known}
    expect(Stale.OBSOLETE, *await add(*known))
    links = [_LINK.format(n) for n in range(8)]
    sourced = await add(
        *(facts.draft(*one, source_url=link) for one, link in zip(rest[24:32], links, strict=True))
    )
    complained = await add(*(facts.draft(*one) for one in rest[32:36]))
    others = await add(*(facts.draft(*one) for one in rest[36:]))
    for n, (stale, wrong) in enumerate(
        ((Stale.CONFLICT, "The {0} of {1} is {3}."), (Stale.DUPLICATE, "{1} has {2} as its {0}."))
    ):
        for note in others[4 * n : 4 * n + 4]:
            what, whom, value = facts.said[note.text]
            values = _PROPERTIES[what]
            other = values[(values.index(value) + 1) % len(values)]
            meant = other if stale is Stale.CONFLICT else value
            text = wrong.format(what, whom, value, other)
            [second] = await add(facts.draft(what, whom, meant, text))
            facts.stale.add((stale, frozenset({note.number, second.number})))
    await _use(app, clock, old, complained)
    expect(Stale.COMPLAINTS, *complained)
    for n, change in enumerate((Stale.SOURCE_DELETED, Stale.SOURCE_EDITED)):
        for note in sourced[2 * n : 2 * n + 2]:
            await app.audits.source_changed(GUILD, str(note.source_url), change, NOW - 3 * DAY)
            expect(change, note)
    clock.now = NOW
    return facts


async def _use(app: App, clock: Clock, used: list[Note], complained: list[Note]) -> None:
    clock.now = NOW - 20 * DAY
    await app.audit(GUILD, 0)
    clock.now = NOW - 10 * DAY
    for note in used:
        await _answer(app, note, clock.now)
    for note in complained:
        for member in "123":
            await _answer(app, note, clock.now, member)


async def _answer(app: App, note: Note, at: datetime, complains: str = "") -> None:
    asked = Asked(
        uuid4(), GUILD, "2", ("2",), "7", "Which?", "that", Origin.NOTEBOOK,
        claim=False, private=False, at=at, notes=(Used(note.id, note.revision),),
    )  # fmt: skip
    await app.records.keep(asked)
    if complains:
        wrong = Complaint.NOT_FROM_NOTEBOOK
        await app.records.rate(asked, complains, at, helpful=False, complaint=wrong)


def question(what: str, whom: str) -> str:
    return f"What is the {what} of {whom}?"


def scripted(facts: Facts) -> Callable[[dict[str, object]], Reply]:
    """A model that reads these notes without a fault."""

    def reply(asked: dict[str, object]) -> Reply:
        last = asked["messages"][-1]["content"]  # type: ignore[index]
        if met := re.fullmatch(r"Note: (.*)\nClaim: (.*)", last):
            one, other = (facts.said[text] for text in met.groups())
            same = one[:2] == other[:2]
            word = "unknown" if not same else "true" if one == other else "false"
            return Reply(word, probability=0.99)
        if met := re.search(r"\nQuestion: What is the (.*) of", last):
            if read := re.search(rf"Note: The {met[1]} of .* is (.*)\.\n", last):
                return Reply(f"yes: {read[1]}", probability=0.999)
            return Reply("no", probability=0.999)
        if met := re.search(r"What is the (.*) of (.*)\?", last):
            known = [value for *about, value in _COMMON if tuple(about) == met.groups()]
            return Reply(known[0] if known else "Nobody knows.")
        return Reply("Nobody knows.")

    return reply


def keys(found: list[Finding]) -> set[Key]:
    return {
        (one.stale, frozenset({one.note.number, *([one.other.number] if one.other else [])}))
        for one in found
    }


@dataclass
class Score:
    """Of one kind: how many findings there are to make, how many were made, and how many rightly."""

    there: int
    found: int
    right: int

    @property
    def precision(self) -> float:
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        return self.right / self.there if self.there else 1.0


def scores(facts: Facts, found: list[Finding]) -> dict[Stale, Score]:
    counted = {}
    for stale in Stale:
        true = {one for one in facts.stale if one[0] is stale}
        told = {one for one in keys(found) if one[0] is stale}
        counted[stale] = Score(len(true), len(told), len(true & told))
    return counted


def table(counted: dict[Stale, Score], report: Report) -> str:
    lines = [f"\n{'finding':<16}{'there':>6}{'found':>7}{'precision':>11}{'recall':>8}"]
    lines += [
        f"{stale:<16}{one.there:>6}{one.found:>7}{one.precision:>11.3f}{one.recall:>8.3f}"
        for stale, one in counted.items()
    ]
    cost = f"{report.usage.calls} calls: {report.pairs} pairs, {report.probes} probes"
    return "\n".join([*lines, cost])


async def states(app: App) -> dict[int, tuple[int, NoteStatus]]:
    """Revision and status of every note, by number."""
    notes = await app.notebook.ledger.notes(GUILD)
    return {note.number: (note.revision, note.status) for note in notes}
