"""What an audit has to know: what was asked, how notes were used, what became of their sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from eren_memory.community import Complaint
from eren_memory.domain import Note, NoteStatus, Usage
from eren_memory.ledger.ledger import Ledger
from eren_memory.ledger.schema import answer_notes, answers, feedback, notes
from eren_memory.ledger.upkeep_schema import audits, checks, note_uses, source_changes
from eren_memory.ledger.upsert import upsert
from eren_memory.staleness import Audited, Check, Known, Stale

_CHECK = tuple(Check.__dataclass_fields__)


class Audits:
    """The last audit of every guild, and its evidence. Every method is one transaction."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def last(self, guild_id: str) -> Audited | None:
        """The last audit of a guild, or the one that is under way."""
        query = sa.select(audits).where(audits.c.guild_id == guild_id)
        async with self._ledger.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        usage = Usage(row.calls, row.prompt_tokens, row.completion_tokens)
        return Audited(
            row.watched_since, row.started_at, row.finished_at, row.complete, usage, row.digest_at
        )

    async def begin(self, guild_id: str, now: datetime, kept: timedelta) -> Audited:
        """An audit begins: take over from the answers, which are `kept` so long, what they used."""
        before = await self.last(guild_id)
        # Answers of before are gone unseen where nobody looked for longer than they are kept.
        seamless = before is not None and now - before.started_at < kept
        since = before.watched_since if before and seamless else now - kept
        used = (
            sa.select(answer_notes.c.note_id, sa.func.max(answers.c.at).label("at"))
            .join(answers, answers.c.id == answer_notes.c.answer_id)
            .where(
                answers.c.guild_id == guild_id,
                # An answer may be saved after one that was given later.
                answers.c.at >= (before.started_at - timedelta(days=1) if before else now - kept),
            )
            .group_by(answer_notes.c.note_id)
        )
        begun: dict[str, Any] = {"watched_since": since, "started_at": now}
        new = {"complete": False, "calls": 0, "prompt_tokens": 0, "completion_tokens": 0}
        key = {"guild_id": guild_id}
        async with self._ledger.writing() as connection:
            for row in (await connection.execute(used)).all():
                one, at = {"note_id": row.note_id}, {"last_at": row.at}
                await connection.execute(upsert(connection, note_uses, one, at))
            await connection.execute(upsert(connection, audits, key, begun | new, begun))
        return Audited(since, now, None, complete=False, usage=Usage(), digest_at=None)

    async def finish(self, guild_id: str, now: datetime, usage: Usage, *, complete: bool) -> None:
        """An audit came to its end."""
        async with self._ledger.writing() as connection:
            await connection.execute(
                sa.update(audits)
                .where(audits.c.guild_id == guild_id)
                .values(
                    finished_at=now,
                    complete=complete,
                    calls=usage.calls,
                    prompt_tokens=usage.prompt_tokens,
                    completion_tokens=usage.completion_tokens,
                )
            )

    async def due_digest(self, guild_id: str, now: datetime, period: timedelta) -> bool:
        """Claim this period's digest; of two who try, one hears True."""
        async with self._ledger.writing() as connection:
            done = await connection.execute(
                sa.update(audits)
                .where(
                    audits.c.guild_id == guild_id,
                    sa.or_(audits.c.digest_at.is_(None), audits.c.digest_at <= now - period),
                )
                .values(digest_at=now)
            )
        return done.rowcount == 1

    async def digest_failed(self, guild_id: str, claimed: datetime, then: datetime | None) -> None:
        """Give a claim back: nothing was sent."""
        async with self._ledger.writing() as connection:
            await connection.execute(
                sa.update(audits)
                .where(audits.c.guild_id == guild_id, audits.c.digest_at == claimed)
                .values(digest_at=then)
            )

    async def asked(self, kind: str, of: Sequence[Note]) -> dict[tuple[UUID, UUID, int], Check]:
        """What was asked about these notes, by note, other note and place."""
        query = sa.select(checks).where(
            checks.c.kind == kind, checks.c.note_id.in_([note.id for note in of])
        )
        async with self._ledger.reading() as connection:
            found = [_check(row) for row in await connection.execute(query)]
        return {(one.note_id, one.other_id, one.place): one for one in found}

    async def with_outcome(
        self, guild_id: str, kind: str, outcomes: Sequence[str], after: UUID | None, limit: int
    ) -> list[Check]:
        """What was asked in a guild with one of these outcomes, by note, whole notes at a time."""
        wanted = [
            checks.c.guild_id == guild_id,
            checks.c.kind == kind,
            checks.c.outcome.in_(outcomes),
        ]
        page = sa.select(checks.c.note_id).where(*wanted).distinct().order_by(checks.c.note_id)
        if after is not None:
            page = page.where(checks.c.note_id > after)
        query = sa.select(checks).where(*wanted, checks.c.note_id.in_(page.limit(limit)))
        query = query.order_by(checks.c.note_id, checks.c.other_id)
        async with self._ledger.reading() as connection:
            return [_check(row) for row in await connection.execute(query)]

    async def record(self, guild_id: str, check: Check) -> None:
        """Keep what was asked, in the place of what was asked about the same before."""
        key = {name: getattr(check, name) for name in ("kind", "note_id", "other_id", "place")}
        values = {name: getattr(check, name) for name in _CHECK if name not in key}
        async with self._ledger.writing() as connection:
            await connection.execute(
                upsert(connection, checks, key, values | {"guild_id": guild_id})
            )

    async def known(self, of: Sequence[Note]) -> dict[UUID, Known]:
        """What is known of some hundreds of notes at most, beside themselves."""
        ids = [note.id for note in of]
        used = sa.select(note_uses).where(note_uses.c.note_id.in_(ids))
        changed = sa.select(source_changes).where(source_changes.c.note_id.in_(ids))
        async with self._ledger.reading() as connection:
            uses = {row.note_id: row.last_at for row in await connection.execute(used)}
            sources = {
                row.note_id: (Stale(row.change), row.at)
                for row in await connection.execute(changed)
            }
            complained = {
                row.note_id: (row.all, row.misplaced or 0)
                for row in await connection.execute(_complaints(ids))
            }
        probes: Mapping[Any, Check] = await self.asked("probe", of)
        return {
            one: Known(
                uses.get(one),
                *complained.get(one, (0, 0)),
                sources.get(one),
                tuple(check for check in probes.values() if check.note_id == one),
            )
            for one in ids
        }

    async def source_changed(self, guild_id: str, url: str, change: Stale, at: datetime) -> int:
        """The message that notes come from changed; returns of how many notes in use."""
        mine = sa.select(notes.c.id).where(
            notes.c.source_url == url,
            notes.c.guild_id == guild_id,
            notes.c.status == NoteStatus.ACTIVE,
        )
        # Most messages are no note's source, and reading waits for nobody.
        async with self._ledger.reading() as connection:
            ids = list((await connection.execute(mine)).scalars())
        if ids:
            async with self._ledger.writing() as connection:
                for one in ids:
                    key, values = {"note_id": one}, {"change": change, "at": at}
                    await connection.execute(upsert(connection, source_changes, key, values))
        return len(ids)


def _complaints(ids: Sequence[UUID]) -> sa.Select[Any]:
    """👎 of answers from these notes, since somebody last vouched for the note."""
    misplaced = sa.case((feedback.c.complaint == Complaint.NOT_FROM_NOTEBOOK, 1), else_=0)
    return (
        sa.select(
            answer_notes.c.note_id,
            sa.func.count().label("all"),
            sa.func.sum(misplaced).label("misplaced"),
        )
        .join(feedback, feedback.c.answer_id == answer_notes.c.answer_id)
        .join(notes, notes.c.id == answer_notes.c.note_id)
        .where(
            answer_notes.c.note_id.in_(ids),
            ~feedback.c.helpful,
            sa.or_(notes.c.verified_at.is_(None), feedback.c.at > notes.c.verified_at),
        )
        .group_by(answer_notes.c.note_id)
    )


def _check(row: Any) -> Check:
    return Check(**{name: getattr(row, name) for name in _CHECK})
