"""The answers that were given, and what people said of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from eren_memory.community import Asked, Complaint, Spent, Used
from eren_memory.domain import Note, Origin
from eren_memory.ledger.ledger import Ledger
from eren_memory.ledger.rows import CHUNK
from eren_memory.ledger.schema import answer_messages, answer_notes, answers, feedback
from eren_memory.ledger.upsert import upsert

_COLUMNS = (
    "id", "guild_id", "channel_id", "channels", "asker_id", "question", "text", "origin", "claim",
    "private", "missed", "at", "trace", "parent_id",
)  # fmt: skip


class Records:
    """Answers as they were given. Every method is one transaction."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def keep(self, asked: Asked) -> None:
        """Save an answer."""
        async with self._ledger.writing() as connection:
            row = {name: getattr(asked, name) for name in _COLUMNS}
            await connection.execute(sa.insert(answers), [row])
            await _attach(connection, asked)

    async def corrected(self, asked: Asked) -> None:
        """Save what an answer says from now on, and which notes it was made from."""
        async with self._ledger.writing() as connection:
            await connection.execute(
                sa.update(answers)
                .where(answers.c.id == asked.id)
                .values(text=asked.text, origin=asked.origin, trace=asked.trace)
            )
            for table in (answer_notes, answer_messages):
                await connection.execute(sa.delete(table).where(table.c.answer_id == asked.id))
            await _attach(connection, asked)

    async def by_message(self, guild_id: str, message_id: str) -> Asked | None:
        """The answer that stands in a message of the guild; None if it is not kept."""
        told = sa.select(answer_messages.c.answer_id).where(
            answer_messages.c.message_id == message_id
        )
        return await self._one(answers.c.guild_id == guild_id, answers.c.id.in_(told))

    async def by_id(self, guild_id: str, answer_id: UUID) -> Asked | None:
        """An answer of the guild; None if it is not kept."""
        return await self._one(answers.c.guild_id == guild_id, answers.c.id == answer_id)

    async def conversation(self, last: Asked, most: int) -> list[Asked]:
        """The answers that led to this one and itself, the oldest first, `most` at most."""
        chain = [last]
        while len(chain) < most and (parent := chain[0].parent_id) is not None:
            before = await self.by_id(last.guild_id, parent)
            if before is None or before in chain:
                break
            chain.insert(0, before)
        return chain

    async def using(self, note: Note, limit: int) -> list[Asked]:
        """Public answers that were made from a note, the newest first."""
        made = sa.select(answer_notes.c.answer_id).where(answer_notes.c.note_id == note.id)
        posted = sa.select(answer_messages.c.answer_id)
        return await self._some(
            limit,
            answers.c.guild_id == note.guild_id,
            answers.c.id.in_(made),
            answers.c.id.in_(posted),
            ~answers.c.private,
        )

    async def questions(self, limit: int) -> list[str]:
        """What was asked of every guild's bot, each once, the newest first."""
        query = (
            sa.select(answers.c.question)
            .where(sa.not_(answers.c.claim))
            .group_by(answers.c.question)
            .order_by(sa.func.max(answers.c.at).desc())
            .limit(limit)
        )
        async with self._ledger.reading() as connection:
            return list((await connection.execute(query)).scalars())

    async def rate(
        self,
        asked: Asked,
        member_id: str,
        now: datetime,
        *,
        helpful: bool,
        complaint: Complaint | None = None,
        comment: str | None = None,
    ) -> bool:
        """Save what a member thinks of an answer, in the place of what they thought before.

        Returns whether they had not complained of it yet.
        """
        async with self._ledger.writing() as connection:
            theirs = sa.and_(feedback.c.answer_id == asked.id, feedback.c.member_id == member_id)
            before = (
                await connection.execute(sa.select(feedback.c.helpful).where(theirs))
            ).scalar()
            values = {"helpful": helpful, "complaint": complaint, "comment": comment, "at": now}
            await connection.execute(
                upsert(
                    connection, feedback, {"answer_id": asked.id, "member_id": member_id}, values
                )
            )
        return not helpful and before is not False

    async def complaints(self, asked: Asked) -> list[tuple[Complaint, str | None]]:
        """Why an answer did not help, with what people added, the newest first."""
        query = (
            sa.select(feedback.c.complaint, feedback.c.comment)
            .where(feedback.c.answer_id == asked.id, ~feedback.c.helpful)
            .order_by(feedback.c.at.desc())
        )
        async with self._ledger.reading() as connection:
            found = await connection.execute(query)
            return [(Complaint(row.complaint or Complaint.OTHER), row.comment) for row in found]

    async def spent(self, guild_id: str, since: datetime, days: int) -> Spent:
        """What a guild's questions cost since then."""
        mine = sa.and_(answers.c.guild_id == guild_id, answers.c.at >= since)
        asked = sa.select(answers.c.origin, answers.c.missed, answers.c.trace).where(mine)
        rated = (
            sa.select(feedback.c.helpful, sa.func.count())
            .join(answers, answers.c.id == feedback.c.answer_id)
            .where(mine)
            .group_by(feedback.c.helpful)
        )
        async with self._ledger.reading() as connection:
            rows = (await connection.execute(asked)).all()
            ratings = {bool(row[0]): int(row[1]) for row in await connection.execute(rated)}
        return Spent(
            days=days,
            questions=len(rows),
            from_notebook=sum(row.origin == Origin.NOTEBOOK for row in rows),
            missed=sum(row.missed for row in rows),
            calls=sum(int(row.trace.get("calls", 0)) for row in rows),
            prompt_tokens=sum(int(row.trace.get("prompt_tokens", 0)) for row in rows),
            completion_tokens=sum(int(row.trace.get("completion_tokens", 0)) for row in rows),
            helpful=ratings.get(True, 0),
            unhelpful=ratings.get(False, 0),
        )

    async def forget_before(self, moment: datetime, guild_id: str | None = None) -> int:
        """Delete answers that are older, with what was said of them; returns how many.

        Of one guild only, where it is given.
        """
        old = sa.select(answers.c.id).where(answers.c.at < moment).order_by(answers.c.at)
        if guild_id is not None:
            old = old.where(answers.c.guild_id == guild_id)
        done = 0
        while True:
            async with self._ledger.writing() as connection:
                ids = list((await connection.execute(old.limit(CHUNK))).scalars())
                for table in (answer_notes, answer_messages, feedback):
                    await connection.execute(sa.delete(table).where(table.c.answer_id.in_(ids)))
                await connection.execute(sa.delete(answers).where(answers.c.id.in_(ids)))
            done += len(ids)
            if len(ids) < CHUNK:
                return done

    async def _one(self, *where: Any) -> Asked | None:
        found = await self._some(1, *where)
        return found[0] if found else None

    async def _some(self, limit: int, *where: Any) -> list[Asked]:
        query = sa.select(answers).where(*where).order_by(answers.c.at.desc()).limit(limit)
        async with self._ledger.reading() as connection:
            rows = (await connection.execute(query)).all()
            return [await _asked(connection, row) for row in rows]


async def _attach(connection: AsyncConnection, asked: Asked) -> None:
    notes = [
        {"answer_id": asked.id, "note_id": one.note_id, "revision": one.revision}
        for one in asked.notes
    ]
    messages = [
        {"answer_id": asked.id, "message_id": message, "place": place}
        for place, message in enumerate(asked.messages)
    ]
    for table, rows in ((answer_notes, notes), (answer_messages, messages)):
        if rows:
            await connection.execute(sa.insert(table), rows)


async def _asked(connection: AsyncConnection, row: Any) -> Asked:
    used = sa.select(answer_notes).where(answer_notes.c.answer_id == row.id)
    said = (
        sa.select(answer_messages.c.message_id)
        .where(answer_messages.c.answer_id == row.id)
        .order_by(answer_messages.c.place)
    )
    notes: Sequence[Any] = (await connection.execute(used)).all()
    messages = (await connection.execute(said)).scalars()
    return Asked(
        **{name: getattr(row, name) for name in _COLUMNS},
        notes=tuple(Used(one.note_id, one.revision) for one in notes),
        messages=tuple(messages),
    )
