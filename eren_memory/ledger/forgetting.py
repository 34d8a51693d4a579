"""A person forgotten: what is theirs is deleted, and what stays is a pseudonym's.

Deleted are their questions with the answers to them, what they said of answers, their suggestions that
nobody approved, their reasons and where they were when they acted. What stays is the community's: notes
and their history, and the audit trail, under a pseudonym that is drawn at random.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from eren_memory.domain import PSEUDONYM, By, Note, NoteStatus, Probes
from eren_memory.ledger import forgotten, rows
from eren_memory.ledger.erasing import never_approved, scrub_index
from eren_memory.ledger.mentions import Mention
from eren_memory.ledger.places import Holds, columns
from eren_memory.ledger.rows import CHUNK
from eren_memory.ledger.schema import (
    answer_messages,
    answer_notes,
    answers,
    audit_events,
    feedback,
    notes,
    reviews,
    revisions,
    suggestion_cards,
)
from eren_memory.ledger.unit import Unit

_SETTINGS = "settings"
_FORGET = "forget"
_NO_PROBES = '{"change": [], "keep": []}'


@dataclass(slots=True)
class Forgotten:
    """What a forgetting came to.

    Attributes:
        pseudonym: Who did what the person did, from now on.
        questions: Deleted with the answers to them.
        feedback: Deleted.
        suggestions: Of theirs that nobody approved; erased.
        mentions: Texts of others that named the person by id.
        pseudonymised: Rows that stay.
        notes: Changed in the search index.
        cards: Messages of ours (channel id, message id) that show what was deleted.
    """

    pseudonym: str
    questions: int = 0
    feedback: int = 0
    suggestions: int = 0
    mentions: int = 0
    pseudonymised: int = 0
    notes: list[UUID] = field(default_factory=list)
    cards: list[tuple[str, str]] = field(default_factory=list)


async def forget(connection: AsyncConnection, person: str, by: By, now: datetime) -> Forgotten:
    """Forget a person, in the caller's transaction. `by` is who has it done, maybe they themselves."""
    done = Forgotten(f"{PSEUDONYM}{secrets.token_hex(5)}")
    if by.actor_id == person:
        by = By(done.pseudonym, where=by.where)
    mention = Mention(person)
    units = await _locked(connection, mention, by, now)
    await _suggestions(connection, person, units, done)
    await _questions(connection, person, done)
    theirs = sa.delete(feedback).where(feedback.c.member_id == person)
    done.feedback = (await connection.execute(theirs)).rowcount
    await _reasons(connection, person)
    for column in columns(Holds.PERSON):
        held = sa.update(column.table).where(column == person).values({column: done.pseudonym})
        done.pseudonymised += (await connection.execute(held)).rowcount
    await _mentions(connection, mention, units, done)
    for guild_id, unit in units.items():
        done.notes += unit.changed
        event = {"batch": uuid7(), "at": now, "guild_id": guild_id, "act": _FORGET}
        event |= {"actor_id": by.actor_id, "reason": done.pseudonym}
        await connection.execute(sa.insert(audit_events), [event])
    await forgotten.remember(connection, person, now)
    return done


async def people(connection: AsyncConnection) -> set[str]:
    """Everybody whom the ledger holds by their id."""
    found: set[str] = set()
    for column in columns(Holds.PERSON):
        query = sa.select(column).where(column.is_not(None)).distinct()
        found |= {*(await connection.execute(query)).scalars()}
    return found


async def _locked(
    connection: AsyncConnection, mention: Mention, by: By, now: datetime
) -> dict[str, Unit]:
    """Every guild in whose notebook they acted or are named: until the end, nobody else acts there."""
    person = mention.person
    acted = sa.select(audit_events.c.guild_id).where(audit_events.c.actor_id == person)
    theirs = sa.or_(notes.c.author_id == person, notes.c.approved_by == person)
    wrote = sa.select(notes.c.guild_id).where(theirs)
    named = sa.select(notes.c.guild_id).where(mention.in_words(notes.c.text))
    units: dict[str, Unit] = {}
    for guild_id in sorted((await connection.execute(acted.union(wrote, named))).scalars()):
        units[guild_id] = Unit(connection, guild_id, By(by.actor_id), now, uuid7())
        await units[guild_id].lock()
    return units


async def _suggestions(
    connection: AsyncConnection, person: str, units: dict[str, Unit], done: Forgotten
) -> None:
    unapproved = sa.select(notes).where(
        notes.c.author_id == person, notes.c.status != NoteStatus.ERASED, never_approved()
    )
    for row in (await connection.execute(unapproved)).all():
        note = rows.to_note(row)
        card = suggestion_cards.c.note_id == note.id
        done.cards += await _cards(
            connection, suggestion_cards.c.channel_id, suggestion_cards.c.message_id, card
        )
        await connection.execute(sa.delete(suggestion_cards).where(card))
        await units[note.guild_id].erase(note)
        done.suggestions += 1


async def _questions(connection: AsyncConnection, person: str, done: Forgotten) -> None:
    corrected = answers.c.trace["by"].as_string().label("corrected_by")
    asked = sa.select(answers.c.id, answers.c.guild_id, answers.c.question, corrected)
    theirs = (await connection.execute(asked.where(answers.c.asker_id == person))).all()
    by_guild: dict[str, set[str]] = {}
    for row in theirs:
        by_guild.setdefault(row.guild_id, set()).add(row.question)
    ids, messages = [row.id for row in theirs], set[str]()
    for start in range(0, len(ids), CHUNK):
        some = ids[start : start + CHUNK]
        m = answer_messages.c
        shown = sa.select(m.message_id).where(m.answer_id.in_(some))
        messages |= {*(await connection.execute(shown)).scalars()}
        for table in (answer_notes, answer_messages, feedback):
            await connection.execute(sa.delete(table).where(table.c.answer_id.in_(some)))
        await connection.execute(sa.delete(answers).where(answers.c.id.in_(some)))
    about = {UUID(row.corrected_by) for row in theirs if row.corrected_by}
    for guild_id, questions in by_guild.items():
        about |= await _made_from(connection, guild_id, person, messages)
        await _words(connection, guild_id, sorted(questions), about, done)
    done.questions = len(theirs)


async def _made_from(
    connection: AsyncConnection, guild_id: str, person: str, messages: set[str]
) -> set[UUID]:
    """Notes that the person wrote, and those whose source is one of these messages."""
    query = sa.select(notes.c.id, notes.c.author_id, revisions.c.source_url).join_from(
        notes, revisions, revisions.c.note_id == notes.c.id
    )
    some = sa.or_(notes.c.author_id == person, revisions.c.source_url.is_not(None))
    found = await connection.execute(query.where(notes.c.guild_id == guild_id, some))
    return {
        row.id
        for row in found
        if row.author_id == person or row.source_url.rpartition("/")[2] in messages
    }


async def _words(
    connection: AsyncConnection,
    guild_id: str,
    questions: Sequence[str],
    about: set[UUID],
    done: Forgotten,
) -> None:
    """Take what they asked, and nobody else did, out of the queue and out of the notes about it.

    Elsewhere the same words are somebody else's: a moderator tests a note with what people ask.
    """
    for start in range(0, len(questions), CHUNK):
        some = questions[start : start + CHUNK]
        others = sa.select(answers.c.question).where(
            answers.c.guild_id == guild_id, answers.c.question.in_(some)
        )
        own = {*some} - {*(await connection.execute(others)).scalars()}
        waiting = sa.and_(reviews.c.guild_id == guild_id, reviews.c.question.in_(own))
        done.cards += await _cards(
            connection, reviews.c.card_channel, reviews.c.card_message, waiting
        )
        await connection.execute(sa.delete(reviews).where(waiting))
        for note_id in about:
            await _unasked(connection, note_id, own)


async def _unasked(connection: AsyncConnection, note_id: UUID, questions: set[str]) -> None:
    """Take questions out of a note and out of all of its revisions."""
    for table, key in ((notes, notes.c.id), (revisions, revisions.c.note_id)):
        of_them = sa.and_(key == note_id, table.c.question.in_(questions))
        await connection.execute(sa.update(table).where(of_them).values(question=None))
        some_probes = sa.cast(table.c.probes, sa.Text) != _NO_PROBES
        with_probes = sa.select(*table.primary_key, table.c.probes)
        for row in (await connection.execute(with_probes.where(key == note_id, some_probes))).all():
            if (left := _without(row.probes, questions)) != row.probes:
                one = [column == getattr(row, column.name) for column in table.primary_key]
                await connection.execute(sa.update(table).where(*one).values(probes=left))


async def _cards(
    connection: AsyncConnection, channel: Any, message: Any, which: Any
) -> list[tuple[str, str]]:
    query = sa.select(channel, message).where(which, message.is_not(None))
    return [(row[0], row[1]) for row in await connection.execute(query)]


def _without(probes: Probes, questions: set[str]) -> Probes:
    change = tuple(one for one in probes.change if one not in questions)
    return Probes(change, tuple(one for one in probes.keep if one not in questions))


async def _reasons(connection: AsyncConnection, person: str) -> None:
    """Why they acted, in their words, and where they were. What settings became is not their words."""
    acted = audit_events.c.actor_id == person
    words = sa.and_(acted, audit_events.c.act != _SETTINGS)
    await connection.execute(sa.update(audit_events).where(words).values(reason=None))
    await connection.execute(sa.update(audit_events).where(acted).values(source_url=None))
    before, r = revisions.alias(), revisions.c
    earlier = sa.and_(before.c.note_id == r.note_id, before.c.revision == r.revision - 1)
    given = (
        sa.select(r.note_id, r.reason)
        .outerjoin_from(revisions, before, earlier)
        .where(r.actor_id == person, r.reason.is_not(None))
        .where(r.reason.is_distinct_from(before.c.reason))
    )
    for row in (await connection.execute(given)).all():
        for table, key in ((notes, notes.c.id), (revisions, r.note_id)):
            theirs = sa.and_(key == row.note_id, table.c.reason == row.reason)
            await connection.execute(sa.update(table).where(theirs).values(reason=None))
    made = sa.update(revisions).where(revisions.c.actor_id == person)
    await connection.execute(made.values(act_reason=None, act_source=None))


async def _mentions(
    connection: AsyncConnection, mention: Mention, units: dict[str, Unit], done: Forgotten
) -> None:
    named: dict[UUID, str] = {}
    for column in mention.columns:
        async for key, value in mention.rows(connection, column, done.pseudonym):
            done.mentions += 1
            if column is notes.c.text:
                named[key["id"]] = value
                continue
            one = [column.table.c[name] == part for name, part in key.items()]
            await connection.execute(sa.update(column.table).where(*one).values({column: value}))
    for note in await rows.notes_where(connection, notes.c.id, [*named]):
        await _renamed(connection, note, named[note.id], units[note.guild_id])


async def _renamed(connection: AsyncConnection, note: Note, text: str, unit: Unit) -> None:
    """A note that named them gets another revision: the index takes it up by that."""
    after = replace(note, text=text)
    if note.status is NoteStatus.ACTIVE:
        same = (await unit.saying([text], NoteStatus.ACTIVE)).get(unit.statement(text))
        if same is not None:
            after = replace(after, status=NoteStatus.SUPERSEDED, superseded_by=same.id)
    await unit.save(note, after, _FORGET)
    await scrub_index(connection, [note.id])
