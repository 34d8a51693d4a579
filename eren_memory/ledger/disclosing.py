"""What the ledger holds about a person, as JSON, by place; and of nobody else.

Who else acted on the same notes and answers, and what others wrote, is left out, also where it is about
the person: the server's moderators can show that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from eren_memory.domain import REVISED, Probes
from eren_memory.ledger.budget_schema import budget_holds, budget_members
from eren_memory.ledger.mentions import Mention
from eren_memory.ledger.schema import (
    answer_messages,
    answer_notes,
    answers,
    audit_events,
    feedback,
    notes,
    reviews,
    revisions,
    spaces,
)
from eren_memory.ledger.upkeep_schema import findings

# In these acts the person supplied what the note says; in others they only chose among what others wrote.
_WROTE = {"add", "suggest", "edit", "merge", "import", "scope", "dates"}
# Beside `approved_by`, who else there is.
_OTHERS = {"approved_by", "superseded_by"}

_Rows = list[dict[str, Any]]


async def disclosed(connection: AsyncConnection, person: str) -> dict[str, _Rows]:
    """Everything held about a person, in sections."""
    found = {title: await read(connection, person) for title, (_, read) in SECTIONS.items()}
    found["named_by_others"] = await _named(connection, person)
    return found


async def _questions(connection: AsyncConnection, person: str) -> _Rows:
    query = sa.select(answers).where(answers.c.asker_id == person).order_by(answers.c.at)
    made = sa.select(notes.c.number, answer_notes.c.revision).join_from(
        answer_notes, notes, answer_notes.c.note_id == notes.c.id
    )
    told: _Rows = []
    for row in (await connection.execute(query)).mappings().all():
        said = sa.select(answer_messages.c.message_id)
        said = said.where(answer_messages.c.answer_id == row["id"])
        used = made.where(answer_notes.c.answer_id == row["id"])
        trace = {name: one for name, one in row["trace"].items() if name not in _CORRECTION}
        told.append(
            _plain({**row, "trace": trace})
            | {"notes": await _all(connection, used)}
            | {"messages": [*(await connection.execute(said)).scalars()]}
        )
    return told


# In a trace: who corrected the answer, with what, and what it was before.
_CORRECTION = {"corrector", "by"}


async def _corrected(connection: AsyncConnection, person: str) -> _Rows:
    corrector = answers.c.trace["corrector"].as_string()
    query = sa.select(answers.c.id, answers.c.guild_id, answers.c.at).where(corrector == person)
    return await _all(connection, query.order_by(answers.c.at))


async def _notes(connection: AsyncConnection, person: str) -> _Rows:
    told = (notes.c.id, notes.c.guild_id, notes.c.number, notes.c.status, notes.c.created_at)
    return await _some(connection, notes.c.author_id == person, told)


async def _approved(connection: AsyncConnection, person: str) -> _Rows:
    told = (notes.c.id, notes.c.guild_id, notes.c.number, notes.c.verified_at)
    return await _some(connection, notes.c.approved_by == person, told)


async def _approvals(connection: AsyncConnection, person: str) -> _Rows:
    told = (revisions.c.note_id, revisions.c.revision)
    return await _some(connection, revisions.c.approved_by == person, told)


async def _revisions(connection: AsyncConnection, person: str) -> _Rows:
    """With what they wrote: of a revision, that in which it differs from the one before."""
    before = revisions.alias()
    query = (
        sa.select(revisions, before, notes.c.guild_id, notes.c.number)
        .join_from(revisions, notes, revisions.c.note_id == notes.c.id)
        .outerjoin(
            before,
            sa.and_(
                before.c.note_id == revisions.c.note_id,
                before.c.revision == revisions.c.revision - 1,
            ),
        )
        .where(revisions.c.actor_id == person)
        .order_by(revisions.c.at)
    )
    told: _Rows = []
    for row in (await connection.execute(query)).mappings():
        one = {name: row[revisions.c[name]] for name in ("revision", "act", "at")}
        one |= {"guild_id": row[notes.c.guild_id], "note": row[notes.c.number]}
        one |= {"reason": row[revisions.c.act_reason], "where": row[revisions.c.act_source]}
        changed = {
            name: row[revisions.c[name]]
            for name in REVISED
            if name not in _OTHERS and row[revisions.c[name]] != row[before.c[name]]
        }
        wrote = row[revisions.c.act] in _WROTE
        one["changed"] = changed if wrote else sorted(changed)
        told.append(_plain(one))
    return told


async def _acts(connection: AsyncConnection, person: str) -> _Rows:
    e = audit_events.c
    told = (
        e.at, e.guild_id, e.act, notes.c.number.label("note"), e.old_revision, e.new_revision,
        e.reason, e.source_url,
    )  # fmt: skip
    query = sa.select(*told).outerjoin_from(audit_events, notes, e.note_id == notes.c.id)
    query = query.where(e.actor_id == person).order_by(e.id)
    return await _all(connection, query)


async def _feedback(connection: AsyncConnection, person: str) -> _Rows:
    return await _some(connection, feedback.c.member_id == person, (*feedback.c,))


async def _decided(connection: AsyncConnection, person: str) -> _Rows:
    r = reviews.c
    return await _some(
        connection, r.closed_by == person, (r.guild_id, r.queue, r.closed_at, r.outcome)
    )


async def _put_off(connection: AsyncConnection, person: str) -> _Rows:
    f = findings.c
    return await _some(
        connection, f.snoozed_by == person, (f.guild_id, f.kind, f.note_id, f.snoozed_until)
    )


async def _wished(connection: AsyncConnection, person: str) -> _Rows:
    return await _some(
        connection, spaces.c.wished_by == person, (spaces.c.space, spaces.c.wished_at)
    )


async def _budget(connection: AsyncConnection, person: str) -> _Rows:
    return await _some(connection, budget_members.c.member_id == person, (*budget_members.c,))


async def _under_way(connection: AsyncConnection, person: str) -> _Rows:
    return await _some(connection, budget_holds.c.member_id == person, (*budget_holds.c,))


SECTIONS: Mapping[str, tuple[str, Callable[[AsyncConnection, str], Awaitable[_Rows]]]] = {
    "questions": ("answers.asker_id", _questions),
    "feedback": ("feedback.member_id", _feedback),
    "notes": ("notes.author_id", _notes),
    "revisions": ("revisions.actor_id", _revisions),
    "acts": ("audit_events.actor_id", _acts),
    "approved": ("notes.approved_by", _approved),
    "approved_revisions": ("revisions.approved_by", _approvals),
    "corrected_answers": ("answers.trace", _corrected),
    "decided": ("reviews.closed_by", _decided),
    "put_off": ("findings.snoozed_by", _put_off),
    "budget": ("budget_members.member_id", _budget),
    "budget_under_way": ("budget_holds.member_id", _under_way),
    "embedding_models": ("spaces.wished_by", _wished),
}
"""Each section of what is told: the place that it tells of, and what reads it."""


async def _named(connection: AsyncConnection, person: str) -> _Rows:
    """Where others named the person by id: how often, not what they wrote."""
    mention, counts = Mention(person), dict[str, int]()
    own = {"answers": "asker_id", "feedback": "member_id", "revisions": "actor_id"}
    own |= {"notes": "author_id", "audit_events": "actor_id"}
    for column in mention.columns:
        table = column.table
        if column is answers.c.trace:
            continue
        async for key, _ in mention.rows(connection, column, ""):
            same = [table.c[name] == value for name, value in key.items()]
            if table.name in own:
                same.append(table.c[own[table.name]] != person)
            if (await connection.execute(sa.select(sa.literal(1)).where(*same))).first():
                name = f"{table.name}.{column.name}"
                counts[name] = counts.get(name, 0) + 1
    return [{"place": place, "times": times} for place, times in counts.items()]


async def _some(connection: AsyncConnection, which: Any, told: tuple[Any, ...]) -> _Rows:
    return await _all(connection, sa.select(*told).where(which).order_by(*told[:2]))


async def _all(connection: AsyncConnection, query: sa.Select[Any]) -> _Rows:
    return [_plain(row) for row in (await connection.execute(query)).mappings()]


def _plain(values: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): _json(one) for name, one in values.items()}


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Probes):
        return asdict(value)
    if isinstance(value, Mapping):
        return _plain(value)
    return [_json(one) for one in value] if isinstance(value, list | tuple) else value
