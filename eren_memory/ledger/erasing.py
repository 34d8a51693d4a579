"""What an erasure takes with it, beside the note itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from eren_memory.domain import NoteStatus, Probes
from eren_memory.ledger.outbox import SpaceState
from eren_memory.ledger.rows import CHUNK
from eren_memory.ledger.schema import (
    answer_notes,
    answers,
    audit_events,
    notes,
    outbox,
    revisions,
    spaces,
)
from eren_memory.ledger.upkeep_schema import checks, findings, note_uses, source_changes

_TEXTS: Mapping[str, Any] = {
    "text": "",
    "question": None,
    "source_url": None,
    "reason": None,
    "probes": Probes(),
}
BLANK: Mapping[str, Any] = {**_TEXTS, "status": NoteStatus.ERASED, "superseded_by": None}
"""Fields of a note that was erased."""


def ever(status: NoteStatus) -> sa.ColumnElement[bool]:
    """Whether a row of `notes` ever had that status."""
    return sa.exists().where(revisions.c.note_id == notes.c.id, revisions.c.status == status)


def never_approved() -> sa.ColumnElement[bool]:
    """Whether a row of `notes` was only ever a suggestion."""
    return sa.and_(ever(NoteStatus.DRAFT), ~ever(NoteStatus.ACTIVE))


async def erase_traces(connection: AsyncConnection, note_id: UUID) -> None:
    """Blank a note's texts in its revisions, events and answers; forget what audits know of it."""
    await connection.execute(
        sa.update(revisions)
        .where(revisions.c.note_id == note_id)
        .values(**_TEXTS, act_reason=None, act_source=None)
    )
    await connection.execute(
        sa.update(audit_events)
        .where(audit_events.c.note_id == note_id)
        .values(reason=None, source_url=None)
    )
    made = sa.select(answer_notes.c.answer_id).where(answer_notes.c.note_id == note_id)
    await connection.execute(sa.update(answers).where(answers.c.id.in_(made)).values(text=""))
    for table in (findings, checks):
        concerned = sa.or_(table.c.note_id == note_id, table.c.other_id == note_id)
        await connection.execute(sa.delete(table).where(concerned))
    for table in (source_changes, note_uses):
        await connection.execute(sa.delete(table).where(table.c.note_id == note_id))


async def scrub_index(connection: AsyncConnection, note_ids: Sequence[UUID]) -> None:
    """Have every index made anew once it has these changed notes: its files may hold what they said."""
    for start in range(0, len(note_ids), CHUNK):
        some = outbox.c.note_id.in_(note_ids[start : start + CHUNK])
        await connection.execute(sa.update(outbox).where(some).values(scrub=True))
    if note_ids:
        # An index that is only kept for going back is not worth keeping a text for.
        await connection.execute(
            sa.update(spaces)
            .where(spaces.c.state == SpaceState.KEPT)
            .values(state=SpaceState.DROPPING)
        )
