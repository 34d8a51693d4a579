"""Nothing is kept longer than promised: answers for their time, and what a departed guild left."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from eren_memory.domain import By, NoteStatus
from eren_memory.ledger import Communities, Records, Reviews
from eren_memory.notebook import Notebook

_BY = By("retention", "the server removed the bot, and its time has passed")
_PAGE = 500

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Swept:
    """How much was forgotten."""

    answers: int
    reviews: int
    notes: int


async def sweep(
    notebook: Notebook,
    records: Records,
    reviews: Reviews,
    communities: Communities,
    now: datetime,
    answers_kept: timedelta,
    departed_kept: timedelta,
) -> Swept:
    """Forget what is older than its time.

    Args:
        notebook: Its notes are erased, not deleted: that there were some remains.
        records: Answers.
        reviews: The queue, which lives as long as the answers.
        communities: Which guilds removed the bot, and when.
        now: The present.
        answers_kept: How long answers are kept.
        departed_kept: How long the notes of a guild that removed the bot are.
    """
    answers = await records.forget_before(now - answers_kept)
    waiting = await reviews.forget_before(now - answers_kept)
    notes = 0
    for guild_id, left_at in await communities.departed(now - departed_kept):
        _log.warning("Guild %s removed the bot on %s: forgetting it.", guild_id, left_at.date())
        answers += await records.forget_before(now, guild_id)
        waiting += await reviews.forget_before(now, guild_id)
        notes += await _erase(notebook, guild_id)
        await communities.forget(guild_id)
    return Swept(answers, waiting, notes)


async def _erase(notebook: Notebook, guild_id: str) -> int:
    done = last = 0
    while page := await notebook.ledger.notes(guild_id, after=last, limit=_PAGE):
        for note in page:
            if note.status is not NoteStatus.ERASED:
                await notebook.erase(guild_id, note.number, _BY)
                done += 1
        last = page[-1].number
    return done
