"""What audits found, and what people said to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from eren_memory.domain import Note
from eren_memory.ledger.ledger import Ledger
from eren_memory.ledger.schema import UtcDateTime, notes
from eren_memory.ledger.upkeep_schema import findings
from eren_memory.ledger.upsert import upsert
from eren_memory.staleness import Finding, Stale

_EVIDENCE = ("since", "count", "total", "p")


class Findings:
    """Findings of every guild. Every method is one transaction.

    A finding is open while the notes that it speaks of are at the revision in which it was found: any
    act on one of them deals with it, until an audit finds it again.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def found(self, guild_id: str, some: Sequence[Finding], at: datetime) -> None:
        """Keep what an audit found at a moment; what changed is news again."""
        if not some:
            return
        async with self._ledger.writing() as connection:
            for one in some:
                other = one.other or one.note
                key = {"kind": one.stale, "note_id": one.note.id, "other_id": other.id}
                now: dict[str, Any] = {name: getattr(one, name) for name in _EVIDENCE}
                now |= {"revision": one.note.revision, "other_revision": other.revision}
                same = sa.and_(*(findings.c[name].is_not_distinct_from(now[name]) for name in now))
                kept = {
                    "found_at": sa.case(
                        (same, findings.c.found_at), else_=sa.literal(at, UtcDateTime())
                    ),
                    "told_at": sa.case((same, findings.c.told_at), else_=sa.null()),
                }
                new = {"guild_id": guild_id, "urgency": one.stale.urgency, "found_at": at}
                seen = {**now, "seen_at": at}
                await connection.execute(upsert(connection, findings, key, new | seen, seen | kept))

    async def withdraw(self, guild_id: str, at: datetime) -> None:
        """Forget what an audit did not find again at that moment."""
        async with self._ledger.writing() as connection:
            await connection.execute(
                sa.delete(findings).where(findings.c.guild_id == guild_id, findings.c.seen_at < at)
            )

    async def open(
        self, guild_id: str, now: datetime, limit: int, of: Sequence[UUID] | None = None
    ) -> list[Finding]:
        """What is open and not put off, the most urgent first; of some notes, if they are given."""
        query = sa.select(findings).where(_open(guild_id, now)).limit(limit)
        if of is not None:
            query = query.where(findings.c.note_id.in_(of))
        query = query.order_by(findings.c.urgency, findings.c.found_at, findings.c.note_id)
        async with self._ledger.reading() as connection:
            rows = (await connection.execute(query)).all()
        concerned = {row.note_id for row in rows} | {row.other_id for row in rows}
        known = await self._ledger.by_ids(concerned)
        return [_finding(row, known) for row in rows]

    async def counts(self, guild_id: str, now: datetime) -> dict[Stale, int]:
        """How many are open and not put off, of each kind, the most urgent first."""
        query = (
            sa.select(findings.c.kind, sa.func.count())
            .where(_open(guild_id, now))
            .group_by(findings.c.kind, findings.c.urgency)
            .order_by(findings.c.urgency)
        )
        async with self._ledger.reading() as connection:
            return {Stale(kind): count for kind, count in await connection.execute(query)}

    async def has_news(self, guild_id: str, now: datetime) -> bool:
        """Whether something is open that no digest has told since it was found or put off."""
        untold = sa.or_(findings.c.told_at.is_(None), findings.c.told_at < findings.c.snoozed_until)
        query = sa.select(findings.c.kind).where(_open(guild_id, now), untold).limit(1)
        async with self._ledger.reading() as connection:
            return (await connection.execute(query)).first() is not None

    async def told(self, guild_id: str, now: datetime) -> None:
        """A digest told of everything that is open."""
        async with self._ledger.writing() as connection:
            await connection.execute(
                sa.update(findings).where(_open(guild_id, now)).values(told_at=now)
            )

    async def put_off(self, note: Note, until: datetime, by: str) -> bool:
        """Put off what was found about a note; returns whether anything was."""
        async with self._ledger.writing() as connection:
            done = await connection.execute(
                sa.update(findings)
                .where(findings.c.note_id == note.id)
                .values(snoozed_until=until, snoozed_by=by)
            )
        return done.rowcount > 0

    async def put_off_by(self, note: Note, now: datetime) -> tuple[datetime, str] | None:
        """Until when, and by whom, what was found about a note is put off."""
        query = (
            sa.select(findings.c.snoozed_until, findings.c.snoozed_by)
            .where(findings.c.note_id == note.id, findings.c.snoozed_until > now)
            .limit(1)
        )
        async with self._ledger.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return (row.snoozed_until, row.snoozed_by) if row else None


def _open(guild_id: str, now: datetime) -> sa.ColumnElement[bool]:
    def unmoved(note_id: Any, revision: Any) -> sa.ColumnElement[bool]:
        return sa.exists().where(notes.c.id == note_id, notes.c.revision == revision)

    return sa.and_(
        findings.c.guild_id == guild_id,
        sa.or_(findings.c.snoozed_until.is_(None), findings.c.snoozed_until <= now),
        unmoved(findings.c.note_id, findings.c.revision),
        unmoved(findings.c.other_id, findings.c.other_revision),
    )


def _finding(row: Any, known: dict[UUID, Note]) -> Finding:
    other = known[row.other_id] if row.other_id != row.note_id else None
    evidence = {name: getattr(row, name) for name in _EVIDENCE}
    return Finding(Stale(row.kind), known[row.note_id], other, **evidence)
