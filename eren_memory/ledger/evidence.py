"""Answers whose decision people judged; see `recalibration` for what counts as which label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from eren_memory.community import Complaint, Queue
from eren_memory.domain import NoteStatus, Origin
from eren_memory.ledger.ledger import Ledger
from eren_memory.ledger.rows import text_hash
from eren_memory.ledger.schema import answers, feedback, notes, reviews

_DISMISSED = "outcome.dismissed"


@dataclass(frozen=True, slots=True)
class Judged:
    """A decision that people judged.

    `mark` says which calibration made it with the probability `p`, `answers` whether the note that was
    read is about the question, `people` who said so.
    """

    mark: str
    p: float
    answers: bool
    people: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Votes:
    helpful: frozenset[str] = frozenset()
    misplaced: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()


async def judged(ledger: Ledger) -> list[Judged]:
    """Every decision that people judged, the newest of each question, the oldest question first."""
    rated = sa.select(feedback.c.answer_id)
    kept = sa.select(answers).where(
        sa.or_(answers.c.id.in_(rated), answers.c.trace["by"].as_string().is_not(None))
    )
    async with ledger.reading() as connection:
        rows = (await connection.execute(kept.order_by(answers.c.at))).all()
        given = (await connection.execute(sa.select(feedback))).all()
        dismissed = {
            (row.guild_id, row.question_hash)
            for row in await connection.execute(
                sa.select(reviews.c.guild_id, reviews.c.question_hash).where(
                    reviews.c.queue == Queue.COMPLAINT, reviews.c.outcome == _DISMISSED
                )
            )
        }
        corrected = [UUID(row.trace["by"]) for row in rows if "by" in row.trace]
        read = [UUID(was) for row in rows if (was := _read(row.trace.get("before", {})))]
        standing = {
            note.id: note
            for note in await connection.execute(
                sa.select(notes.c.id, notes.c.status, notes.c.superseded_by).where(
                    notes.c.id.in_([*corrected, *read])
                )
            )
        }
    votes = _votes(given)
    found: dict[tuple[str, str], Judged] = {}
    for row in rows:
        question = (row.guild_id, text_hash(row.question))
        if "by" in row.trace:
            one = _by_correction(row, standing)
        else:
            one = _by_votes(row, votes.get(row.id, _Votes()), dismissed=question in dismissed)
        if one is not None:
            found.pop(question, None)
            found[question] = one
    return list(found.values())


def _votes(given: Any) -> dict[UUID, _Votes]:
    by_answer: dict[UUID, dict[str, set[str]]] = {}
    for row in given:
        kind = (
            "helpful"
            if row.helpful
            else "misplaced"
            if row.complaint == Complaint.NOT_FROM_NOTEBOOK
            else "others"
        )
        by_answer.setdefault(row.answer_id, {}).setdefault(kind, set()).add(row.member_id)
    return {
        one: _Votes(**{kind: frozenset(who) for kind, who in kinds.items()})
        for one, kinds in by_answer.items()
    }


def _read(trace: Mapping[str, Any]) -> str | None:
    """The note that was read: the one used, or else the nearest."""
    used = trace.get("notes") or [one["id"] for one in trace.get("candidates", [])]
    return used[0] if used else None


def _by_correction(row: Any, standing: Mapping[UUID, Any]) -> Judged | None:
    before, read = row.trace.get("before", {}), _read(row.trace.get("before", {}))
    note = standing.get(UUID(read)) if read else None
    if note is None:
        return None
    by = UUID(row.trace["by"])
    if by in {note.id, note.superseded_by}:
        return _made(before, answers=True, people=frozenset([row.trace["corrector"]]))
    if note.status == NoteStatus.ACTIVE:
        return _made(before, answers=False, people=frozenset([row.trace["corrector"]]))
    return None


def _by_votes(row: Any, votes: _Votes, *, dismissed: bool) -> Judged | None:
    misplaced = frozenset[str]() if dismissed else votes.misplaced
    if row.origin == Origin.NOTEBOOK:
        if len(votes.helpful) == len(misplaced):
            return None
        answers = len(votes.helpful) > len(misplaced)
        return _made(row.trace, answers=answers, people=votes.helpful if answers else misplaced)
    if votes.helpful and not votes.others and not votes.misplaced:
        return _made(row.trace, answers=False, people=votes.helpful)
    return None


def _made(trace: Mapping[str, Any], *, answers: bool, people: frozenset[str]) -> Judged | None:
    mark, p = trace.get("mark"), trace.get("p")
    if mark is None or p is None:
        return None  # No note was read, or an earlier version of this program decided.
    return Judged(mark, float(p), answers, people)
