import asyncio
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eren_memory.domain import NoteDraft, NoteStatus, normalised
from eren_memory.errors import BadInput, LedgerError, LedgerTooNew, NoteNotFound
from eren_memory.ledger import Ledger, open_ledger
from eren_memory.ledger.schema import SCHEMA_VERSION

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)


def url(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder / 'notebook.db'}"


@pytest_asyncio.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    async with open_ledger(url(tmp_path)) as opened:
        yield opened


async def add(ledger: Ledger, *texts: str, guild: str = "g", actor: str = "ann"):
    return await ledger.add(guild, [NoteDraft(text) for text in texts], actor, NOW)


async def test_notes_are_numbered_from_one_in_each_guild(ledger: Ledger):
    await add(ledger, "a", "b")
    await add(ledger, "c", guild="other")
    assert [note.number for note in await ledger.notes("g")] == [1, 2]
    assert [note.number for note in await ledger.notes("other")] == [1]


async def test_what_an_active_note_says_is_not_added_again_and_costs_no_number(ledger: Ledger):
    await add(ledger, "The capital is X.")
    again = await add(ledger, "the  capital is x.", "New.", "New.")
    assert [one.created for one in again] == [False, True, False]
    assert [note.number for note in await ledger.notes("g")] == [1, 2]
    assert (await add(ledger, "Next."))[0].note.number == 3


async def test_a_retired_statement_can_be_made_again(ledger: Ledger):
    await add(ledger, "a")
    await ledger.retire("g", 1, "bob", None, NOW)
    [again] = await add(ledger, "a")
    assert (again.created, again.note.number) == (True, 2)


async def test_retiring_twice_changes_nothing_and_says_so(ledger: Ledger):
    await add(ledger, "a")
    retired = await ledger.retire("g", 1, "bob", "old", NOW)
    assert (retired.status, retired.revision) == (NoteStatus.RETIRED, 2)
    with pytest.raises(BadInput, match="retired already"):
        await ledger.retire("g", 1, "bob", None, NOW)
    assert await ledger.note("g", 1) == retired


async def test_a_guild_never_reaches_anothers_note(ledger: Ledger):
    await add(ledger, "secret", guild="theirs")
    assert await ledger.notes("ours") == []
    with pytest.raises(NoteNotFound):
        await ledger.note("ours", 1)
    with pytest.raises(NoteNotFound):
        await ledger.retire("ours", 1, "eve", None, NOW)


async def test_every_write_is_attributed_and_leaves_its_revision(ledger: Ledger, tmp_path: Path):
    await add(ledger, "a", actor="ann")
    await ledger.retire("g", 1, "bob", "wrong", NOW)
    with sqlite3.connect(tmp_path / "notebook.db") as db:
        acts = db.execute(
            "SELECT actor_id, act, old_revision, new_revision, reason FROM audit_events ORDER BY id"
        ).fetchall()
        revisions = db.execute(
            "SELECT revision, text, status, actor_id FROM revisions ORDER BY revision"
        ).fetchall()
    db.close()
    assert acts == [("ann", "add", None, 1, None), ("bob", "retire", 1, 2, "wrong")]
    assert revisions == [(1, "a", "active", "ann"), (2, "a", "retired", "bob")]


async def test_times_come_back_as_utc(ledger: Ledger):
    await add(ledger, "a")
    assert (await ledger.note("g", 1)).created_at == NOW
    assert (await ledger.note("g", 1)).created_at.tzinfo is UTC


async def test_the_outbox_holds_each_change_until_it_is_projected(ledger: Ledger):
    await add(ledger, "a", "b")
    await ledger.retire("g", 1, "bob", None, NOW)
    pending = await ledger.pending(10)
    assert {note.number: note.status for note in pending.notes} == {
        1: NoteStatus.RETIRED,
        2: NoteStatus.ACTIVE,
    }
    await add(ledger, "c")
    await ledger.projected(pending)
    assert [note.text for note in (await ledger.pending(10)).notes] == ["c"]


async def test_writers_at_the_same_time_wait_for_each_other(tmp_path: Path):
    async with open_ledger(url(tmp_path)) as one, open_ledger(url(tmp_path)) as two:
        await asyncio.gather(*(add((one, two)[n % 2], f"note {n}") for n in range(40)))
        assert [note.number for note in await one.notes("g")] == list(range(1, 41))


async def test_two_processes_may_create_the_database_at_once(tmp_path: Path):
    async def use() -> None:
        async with open_ledger(url(tmp_path)) as ledger:
            assert await ledger.notes("g") == []

    await asyncio.gather(*(use() for _ in range(4)))


async def test_a_database_of_a_newer_program_is_refused(tmp_path: Path):
    async with open_ledger(url(tmp_path)):
        pass
    with sqlite3.connect(tmp_path / "notebook.db") as db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")
    db.close()
    with pytest.raises(LedgerTooNew, match=f"9999; this program knows up to {SCHEMA_VERSION}"):
        async with open_ledger(url(tmp_path)):
            pass


async def test_the_migrations_make_the_tables_that_the_code_uses(tmp_path: Path):
    import sqlalchemy as sa
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from eren_memory.ledger.schema import metadata

    async with open_ledger(url(tmp_path)):
        pass
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'notebook.db'}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


async def test_a_file_that_is_no_database_is_named(tmp_path: Path):
    (tmp_path / "notebook.db").write_text("not a database, just text that is long enough" * 10)
    with pytest.raises(LedgerError, match=r"notebook\.db is not a database"):
        async with open_ledger(url(tmp_path)):
            pass


@pytest.mark.parametrize("wrong", ["not a url", "mysterydb+x://u:pw@h/d", "sqlite:///sync.db"])
async def test_a_database_url_that_cannot_be_used_is_named_without_its_password(wrong: str):
    with pytest.raises(LedgerError, match="EREN_DATABASE_URL is not usable") as caught:
        async with open_ledger(wrong):
            pass
    assert "pw" not in str(caught.value)


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(LedgerError, match="Check that the folder exists and is writable"):
        async with open_ledger(url(tmp_path / "missing")):
            pass


acts = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from(["g", "h"]), st.sampled_from("abcdef")),
        st.tuples(st.just("retire"), st.sampled_from(["g", "h"]), st.integers(1, 6)),
    ),
    max_size=25,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(acts=acts)
async def test_any_sequence_of_acts_keeps_the_ledgers_invariants(acts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ledger")
    async with open_ledger(url(folder)) as ledger:
        done = 0
        for act, guild, what in acts:
            try:
                if act == "add":
                    done += (await add(ledger, what, guild=guild))[0].created
                else:
                    await ledger.retire(guild, what, "bob", None, NOW)
                    done += 1
            except BadInput:
                pass
        for guild in ("g", "h"):
            notes = await ledger.notes(guild)
            assert [note.number for note in notes] == list(range(1, len(notes) + 1))
            active = [normalised(n.text) for n in notes if n.status is NoteStatus.ACTIVE]
            assert len(active) == len(set(active))
        with sqlite3.connect(folder / "notebook.db") as db:
            for table in ("revisions", "audit_events", "outbox"):
                assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (done,)
        db.close()
