"""A notebook in which one person is held in every place there is, beside another one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from uuid_utils.compat import uuid7

from eren_memory.app import App
from eren_memory.community import Asked, Complaint, GuildSettings, Queue, Used
from eren_memory.domain import By, Note, NoteDraft, NoteStatus, Probes
from eren_memory.ledger.budget_schema import budget_holds, budget_members
from eren_memory.ledger.schema import metadata, spaces
from eren_memory.ledger.upkeep_schema import findings

PERSON = "246813579246813579"
OTHER = "975318642975318642"
GUILD = "g"
NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)

# What the person wrote that goes with them, each sentence with a word that stands nowhere else.
THEIRS = {
    "question": "Where is the quillfish buried?",
    "complaint": "That is pure bosselwood.",
    "suggestion": "The tramway ends at Ondermarsh.",
    "rejected": "The tramway begins at Ippleford.",
    "reason": "Because my aunt Zerelda said so.",
    "note_reason": "Uncle Mortlake keeps its lamp.",
    "where": "https://discord.com/channels/1/2/777000777",
}
# What stays: the note is the community's.
NOTE = "The lighthouse of Varnholm is green."
OTHERS = {
    "note": "The mill of Askerby is closed on Mondays.",
    "question": "When is the mill of Askerby closed?",
    "comment": "The miller Torvald knows better.",
    "reason": "Torvald told me yesterday.",
}


def asked(who: str, question: str, *, answer: str = "In the harbour.", **more: Any) -> Asked:
    given: dict[str, Any] = {"trace": {"path": "fallback", "candidates": []}, **more}
    return Asked(
        id=uuid7(), guild_id=GUILD, channel_id="5", channels=("5",), asker_id=who,
        question=question, text=answer, origin="model", claim=False, private=False, at=NOW, **given,
    )  # fmt: skip


async def filled(app: App) -> dict[str, Note]:
    """Everything that the two of them could do."""
    book = app.notebook
    theirs, others = By(PERSON, THEIRS["reason"], THEIRS["where"]), By(OTHER, OTHERS["reason"])
    note = await book.add(GUILD, NoteDraft(NOTE, reason=THEIRS["note_reason"]), theirs)
    draft = await book.add(GUILD, NoteDraft(THEIRS["suggestion"]), theirs, status=NoteStatus.DRAFT)
    await app.reviews.suggested(draft.id, "5", "5001")
    turned_down = await book.add(
        GUILD, NoteDraft(THEIRS["rejected"]), theirs, status=NoteStatus.DRAFT
    )
    await book.reject(GUILD, turned_down.number, others)
    mill = NoteDraft(OTHERS["note"], question=OTHERS["question"])
    await book.add(GUILD, mill, others, status=NoteStatus.DRAFT)
    approved = await book.approve(GUILD, 4, theirs)
    # The other one's note answers what the person asked.
    about = NoteDraft(
        "Quills are buried nowhere.",
        question=THEIRS["question"],
        probes=Probes((THEIRS["question"], "Is it so?"), ()),
    )
    correction = await book.add(GUILD, about, others)
    await _asking(app, note, correction)
    await app.communities.choose(GUILD, GuildSettings(staff_channel="5"), theirs, NOW)
    async with book.ledger.writing() as connection:
        key = {"kind": "unused", "note_id": note.id, "other_id": note.id, "guild_id": GUILD}
        counted = {"urgency": 1, "revision": 1, "other_revision": 1}
        times = {"found_at": NOW, "seen_at": NOW, "snoozed_until": NOW + timedelta(days=9)}
        row = key | counted | times | {"snoozed_by": PERSON}
        await connection.execute(sa.insert(findings), [row])
        spent = {"guild_id": GUILD, "day": "2026-05-04", "member_id": PERSON, "questions": 1}
        spent |= {"tokens": 9, "cost": 0}
        await connection.execute(sa.insert(budget_members), [spent])
        hold = spent | {"id": uuid7(), "whole_day": "2026-05-04", "expires_at": NOW}
        await connection.execute(sa.insert(budget_holds), [hold])
        await connection.execute(sa.update(spaces).values(wished_by=PERSON, wished_at=NOW))
    return {"note": note, "draft": draft, "rejected": turned_down, "approved": approved}


async def _asking(app: App, note: Note, correction: Note) -> None:
    used = (Used(note.id, 1),)
    trace = {"path": "noted", "before": {"path": "fallback"}, "by": str(correction.id)}
    by_other, by_person = trace | {"corrector": OTHER}, trace | {"corrector": PERSON}
    own = asked(PERSON, THEIRS["question"], notes=used, messages=("8001",), trace=by_other)
    anothers = asked(OTHER, OTHERS["question"], trace=by_person, answer="On Mondays.")
    for one in (own, anothers):
        await app.records.keep(one)
    for one, who, comment in (
        (anothers, PERSON, THEIRS["complaint"]),
        (own, OTHER, OTHERS["comment"]),
    ):
        wrong = Complaint.WRONG
        await app.records.rate(one, who, NOW, helpful=False, complaint=wrong, comment=comment)
    gap = await app.reviews.raised(Queue.GAP, own, NOW)
    await app.reviews.shown(gap, "5", "5002")
    complaint = await app.reviews.raised(Queue.COMPLAINT, anothers, NOW)
    await app.reviews.close(GUILD, complaint.id, PERSON, "outcome.dismissed", NOW)


async def rows(app: App) -> str:
    """Everything in every table, as one text."""
    told = []
    async with app.notebook.ledger.reading() as connection:
        for table in metadata.sorted_tables:
            found = await connection.execute(sa.select(table))
            told += [f"{table.name} {tuple(row)!r}" for row in found]
    return "\n".join(told)


def files_with(home: Path, *words: str) -> list[str]:
    """Every file below a folder in which one of the words stands, in whatever encoding."""
    found = []
    for path in sorted(home.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            found += [
                f"{path.relative_to(home)}: {word}"
                for word in words
                if word.encode() in content or word.encode("utf-16-le") in content
            ]
    return found


def traces() -> list[str]:
    """What may be found nowhere once the person is forgotten."""
    return [PERSON, *THEIRS.values(), "quillfish", "bosselwood", "Ondermarsh", "Zerelda"]


async def held(app: App) -> dict[UUID, dict[str, Any]]:
    """Every point of the index."""
    index = await app.notebook.projector.open()
    found: dict[UUID, dict[str, Any]] = {}
    async for batch in index.scan(100):
        found |= {one: dict(payload) for one, payload in batch.items()}
    return found
