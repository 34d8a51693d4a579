"""What waits for moderators: complaints and gaps, one entry a question, counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from eren_memory.community import Asked, Queue, Review
from eren_memory.ledger.ledger import Ledger
from eren_memory.ledger.rows import text_hash
from eren_memory.ledger.schema import reviews, suggestion_cards
from eren_memory.ledger.upsert import upsert


class Reviews:
    """The queue of every guild. Every method is one transaction."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def raised(self, queue: Queue, asked: Asked, now: datetime) -> Review:
        """Count a question that did not go well; one that was closed is opened again."""
        key = {
            "guild_id": asked.guild_id,
            "queue": queue,
            "question_hash": text_hash(asked.question),
        }
        again = {
            # Counting starts anew with what came after the last decision.
            "count": sa.case((reviews.c.closed_at.is_not(None), 1), else_=reviews.c.count + 1),
            "raised_at": now,
            "answer_id": asked.id,
            "closed_at": None,
            "closed_by": None,
            "outcome": None,
        }
        new = {"question": asked.question, "count": 1, "answer_id": asked.id, "raised_at": now}
        one = sa.and_(*(reviews.c[name] == value for name, value in key.items()))
        async with self._ledger.writing() as connection:
            # A closed entry's card says what was decided, and stays so: it gets a new one.
            await connection.execute(
                sa.update(reviews)
                .where(one, reviews.c.closed_at.is_not(None))
                .values(card_channel=None, card_message=None)
            )
            await connection.execute(upsert(connection, reviews, key, new, again))
            return _review((await connection.execute(sa.select(reviews).where(one))).one())

    async def shown(self, review: Review, channel_id: str, message_id: str) -> None:
        """Remember the message that shows an entry."""
        async with self._ledger.writing() as connection:
            await connection.execute(
                sa.update(reviews)
                .where(reviews.c.id == review.id)
                .values(card_channel=channel_id, card_message=message_id)
            )

    async def get(self, guild_id: str, review_id: int) -> Review | None:
        """An entry of the guild, open or closed."""
        query = sa.select(reviews).where(reviews.c.guild_id == guild_id, reviews.c.id == review_id)
        async with self._ledger.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return _review(row) if row else None

    async def waiting(self, guild_id: str, limit: int) -> list[Review]:
        """Open entries of a guild, complaints first, then by how often they came up."""
        query = (
            sa.select(reviews)
            .where(reviews.c.guild_id == guild_id, reviews.c.closed_at.is_(None))
            .order_by(reviews.c.queue, reviews.c.count.desc(), reviews.c.id)
            .limit(limit)
        )
        async with self._ledger.reading() as connection:
            return [_review(row) for row in await connection.execute(query)]

    async def close(
        self, guild_id: str, review_id: int, by: str, outcome: str, now: datetime
    ) -> bool:
        """Decide an entry; of two people who do at once, only one hears True."""
        async with self._ledger.writing() as connection:
            done = await connection.execute(
                sa.update(reviews)
                .where(
                    reviews.c.guild_id == guild_id,
                    reviews.c.id == review_id,
                    reviews.c.closed_at.is_(None),
                )
                .values(closed_at=now, closed_by=by, outcome=outcome)
            )
        return done.rowcount == 1

    async def reopen(self, guild_id: str, question: str, by: str) -> list[Review]:
        """Take back what this person decided about a question; returns the entries as they are then."""
        return await self._turn(
            (
                reviews.c.guild_id == guild_id,
                reviews.c.question_hash == text_hash(question),
                reviews.c.closed_by == by,
            ),
            {"closed_at": None, "closed_by": None, "outcome": None},
        )

    async def settle(
        self, guild_id: str, question: str, by: str, outcome: str, now: datetime
    ) -> list[Review]:
        """Decide what is open about a question; returns the entries as they are then."""
        return await self._turn(
            (
                reviews.c.guild_id == guild_id,
                reviews.c.question_hash == text_hash(question),
                reviews.c.closed_at.is_(None),
            ),
            {"closed_at": now, "closed_by": by, "outcome": outcome},
        )

    async def suggested(self, note_id: UUID, channel_id: str, message_id: str) -> None:
        """Remember the message that shows a suggested note."""
        async with self._ledger.writing() as connection:
            card = {"channel_id": channel_id, "message_id": message_id}
            await connection.execute(
                upsert(connection, suggestion_cards, {"note_id": note_id}, card)
            )

    async def card_of(self, note_id: UUID) -> tuple[str, str] | None:
        """The message (channel id, message id) that shows a suggested note."""
        query = sa.select(suggestion_cards).where(suggestion_cards.c.note_id == note_id)
        async with self._ledger.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return (row.channel_id, row.message_id) if row else None

    async def _turn(self, which: Sequence[Any], values: Mapping[str, Any]) -> list[Review]:
        async with self._ledger.writing() as connection:
            done = await connection.execute(
                sa.update(reviews).where(*which).values(**values).returning(reviews)
            )
            return [_review(row) for row in done]

    async def forget_before(self, moment: datetime, guild_id: str | None = None) -> int:
        """Delete entries that came up last before then, of a guild or of all; returns how many."""
        old = sa.delete(reviews).where(reviews.c.raised_at < moment)
        if guild_id is not None:
            old = old.where(reviews.c.guild_id == guild_id)
        async with self._ledger.writing() as connection:
            return (await connection.execute(old)).rowcount


def _review(row: Any) -> Review:
    card = (row.card_channel, row.card_message) if row.card_message else None
    return Review(
        id=row.id,
        guild_id=row.guild_id,
        queue=Queue(row.queue),
        question=row.question,
        count=row.count,
        answer_id=row.answer_id,
        raised_at=row.raised_at,
        card=card,
        closed_by=row.closed_by,
        outcome=row.outcome,
    )
