"""Nothing is kept longer than promised: answers, rejected suggestions, what a departed guild left."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from eren_memory.domain import By, NoteStatus
from eren_memory.ledger.communities import Communities
from eren_memory.ledger.persons import Persons
from eren_memory.ledger.records import Records
from eren_memory.ledger.reviews import Reviews
from eren_memory.notebook import Notebook

_BY = By("retention")
_PAGE = 500

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Times:
    """How long things are kept.

    Attributes:
        answers: Questions with their answers and what was said of them, and the queue.
        suggestions: Those that were rejected.
        departed: Notes of a guild that removed the bot.
        forgotten: The list of who was forgotten.
    """

    answers: timedelta
    suggestions: timedelta
    departed: timedelta
    forgotten: timedelta


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
    kept: Times,
) -> Swept:
    """Forget what is older than its time.

    Args:
        notebook: Its notes are erased, not deleted: that there were some remains.
        records: Answers.
        reviews: The queue, which lives as long as the answers.
        communities: Which guilds removed the bot, and when.
        now: The present.
        kept: How long what is kept.
    """
    answers = await records.forget_before(now - kept.answers)
    waiting = await reviews.forget_before(now - kept.answers)
    notes = 0
    for note in await notebook.ledger.rejected_suggestions(now - kept.suggestions):
        await notebook.erase(note.guild_id, note.number, _BY)
        notes += 1
    for guild_id, left_at in await communities.departed(now - kept.departed):
        _log.warning("Guild %s removed the bot on %s: forgetting it.", guild_id, left_at.date())
        answers += await records.forget_before(now, guild_id)
        waiting += await reviews.forget_before(now, guild_id)
        notes += await _erase(notebook, guild_id)
        await communities.forget(guild_id)
    await Persons(notebook.ledger).expire(now, kept.forgotten)
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
