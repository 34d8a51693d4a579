"""Whatever people do in whatever order: the ledger's invariants hold, and undo gives back what was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.domain import REVISED, By, Note, NoteDraft, NoteStatus
from eren_memory.errors import BadInput
from eren_memory.ledger.schema import audit_events, guilds, notes, outbox, revisions
from eren_memory.text import normalised

NOW = datetime(2026, 11, 3, tzinfo=UTC)
PEOPLE = ("ann", "bob")
number = st.integers(1, 5)
text = st.sampled_from(["a", "b", "c", "A ", "d"])
fields = st.one_of(
    st.fixed_dictionaries({"text": text}),
    st.fixed_dictionaries({"scope": st.sampled_from([(), ("x",), ("y", "x")])}),
    st.fixed_dictionaries({"valid_until": st.sampled_from([None, NOW + timedelta(days=1), NOW])}),
)
acts = st.lists(
    st.tuples(
        st.sampled_from(PEOPLE),
        st.one_of(
            st.tuples(st.just("add"), text, st.lists(number, max_size=2)),
            st.tuples(st.just("suggest"), text),
            st.tuples(st.just("edit"), number, fields),
            st.tuples(st.just("restore"), number, st.none() | st.integers(1, 4)),
            st.tuples(st.just("merge"), number, number, st.none() | text),
            *(
                st.tuples(st.just(act), number)
                for act in ("retire", "approve", "reject", "verify", "erase")
            ),
            st.tuples(st.just("undo")),
        ),
    ),
    max_size=20,
)


async def do(app: App, person: str, act: tuple[Any, ...]) -> bool:
    """One act; whether it was allowed."""
    notebook, by = app.notebook, By(person)
    try:
        match act:
            case ("add", said, supersedes):
                await notebook.add("g", NoteDraft(said), by, supersedes=supersedes)
            case ("suggest", said):
                await notebook.add("g", NoteDraft(said), by, status=NoteStatus.DRAFT)
            case ("edit", n, changed):
                await notebook.edit("g", n, by, **changed)
            case ("restore", n, revision):
                await notebook.restore("g", n, by, revision)
            case ("merge", n, other, said):
                await notebook.merge("g", n, other, by, said)
            case ("undo",):
                await notebook.undo("g", by)
            case (name, n):
                await getattr(notebook, name)("g", n, by)
    except BadInput:
        return False
    return True


async def rows(app: App, table: sa.Table) -> list[Any]:
    async with app.notebook.ledger.reading() as connection:
        return list(await connection.execute(sa.select(table)))


def contents(note: Note) -> dict[str, Any]:
    return {name: getattr(note, name) for name in REVISED}


async def check_invariants(app: App) -> None:
    found = await app.notebook.ledger.notes("g")
    assert [note.number for note in found] == list(range(1, len(found) + 1))
    active = [normalised(note.text) for note in found if note.status is NoteStatus.ACTIVE]
    assert len(active) == len(set(active))
    ids = {note.id for note in found}
    kept, told = await rows(app, revisions), await rows(app, audit_events)
    for note in found:
        mine = sorted((row for row in kept if row.note_id == note.id), key=lambda row: row.revision)
        assert [row.revision for row in mine] == list(range(1, note.revision + 1))
        assert all(getattr(mine[-1], name) == getattr(note, name) for name in REVISED)
        events = [row for row in told if row.note_id == note.id]
        assert [row.new_revision for row in events] == [row.revision for row in mine]
        assert [row.old_revision for row in events] == [None, *range(1, note.revision)]
        assert all(row.actor_id in PEOPLE and row.batch for row in events)
        assert (note.status is NoteStatus.SUPERSEDED) == (note.superseded_by is not None)
        assert note.superseded_by is None or note.superseded_by in ids
        assert note.status is not NoteStatus.ERASED or not any(row.text for row in mine)
    assert len(await rows(app, outbox)) == len(kept)
    assert {row.guild_id for row in await rows(app, guilds)} <= {"g"}
    assert len(await rows(app, notes)) == len(found)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(done=acts)
async def test_any_sequence_of_acts_keeps_the_ledgers_invariants(done, tmp_path: Path):
    async with open_app(Settings(home=tmp_path / uuid4().hex), clock=lambda: NOW) as app:
        for person, act in done:
            await do(app, person, act)
        await check_invariants(app)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(before=acts, last=acts.filter(bool))
async def test_undo_gives_back_what_was(before, last, tmp_path: Path):
    async with open_app(Settings(home=tmp_path / uuid4().hex), clock=lambda: NOW) as app:
        for person, act in before:
            await do(app, person, act)
        were = {note.id: note for note in await app.notebook.ledger.notes("g")}
        for person, act in last:
            if act[0] not in {"undo", "erase"} and await do(app, person, act):
                await app.notebook.undo("g", By(person))
                break
        for note in await app.notebook.ledger.notes("g"):
            if note.id in were:
                assert contents(note) == contents(were[note.id])
            else:
                assert note.status is NoteStatus.RETIRED
        await check_invariants(app)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
async def test_a_long_sequence_keeps_them_on_postgresql_too(settings: Settings):
    import random

    draw = random.Random(7)
    async with open_app(settings, clock=lambda: NOW) as app:
        for _ in range(150):
            n, said = draw.randint(1, 6), draw.choice("abcd")
            act: tuple[Any, ...] = draw.choice(
                [
                    ("add", said, []), ("suggest", said), ("edit", n, {"text": said}),
                    ("restore", n, None), ("merge", n, draw.randint(1, 6), None), ("undo",),
                    *((name, n) for name in ("retire", "approve", "reject", "verify")),
                ]
            )  # fmt: skip
            await do(app, draw.choice(PEOPLE), act)
        await check_invariants(app)
