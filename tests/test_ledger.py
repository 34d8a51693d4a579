import asyncio
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from eren_memory.domain import By, NoteDraft, NoteStatus
from eren_memory.errors import LedgerError, LedgerTooNew
from eren_memory.ledger import database as ledger_database
from eren_memory.ledger.ledger import Ledger, open_ledger
from eren_memory.ledger.schema import SCHEMA_VERSION, metadata
from tests.conftest import on_both

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
FIRST_VERSION = """
INSERT INTO guilds VALUES ('g', 2);
INSERT INTO notes VALUES ('{note}', 'g', 1, 'kept', 'h', 'active', 1, 'ann', 'why?', 'https://x',
    'because', '2026-11-01 10:00:00', '2026-11-01 10:00:00');
INSERT INTO notes VALUES ('{gone}', 'g', 2, 'gone', 'i', 'retired', 2, 'bob', NULL, NULL,
    NULL, '2026-11-01 10:00:00', '2026-11-02 10:00:00');
INSERT INTO revisions VALUES ('{note}', 1, 'kept', 'active', 'ann', '2026-11-01 10:00:00');
INSERT INTO revisions VALUES ('{gone}', 1, 'gone', 'active', 'bob', '2026-11-01 10:00:00');
INSERT INTO revisions VALUES ('{gone}', 2, 'gone', 'retired', 'ann', '2026-11-02 10:00:00');
INSERT INTO audit_events (at, guild_id, actor_id, act, note_id, old_revision, new_revision, reason)
    VALUES ('2026-11-01 10:00:00', 'g', 'ann', 'add', '{note}', NULL, 1, 'because');
INSERT INTO audit_events (at, guild_id, actor_id, act, note_id, old_revision, new_revision, reason)
    VALUES ('2026-11-01 10:00:00', 'g', 'bob', 'add', '{gone}', NULL, 1, NULL);
INSERT INTO audit_events (at, guild_id, actor_id, act, note_id, old_revision, new_revision, reason)
    VALUES ('2026-11-02 10:00:00', 'g', 'ann', 'retire', '{gone}', 1, 2, 'wrong')
"""


async def add(ledger: Ledger, *texts: str, guild: str = "g", actor: str = "ann"):
    async with ledger.act(guild, By(actor), NOW) as unit:
        made = [unit.made(NoteDraft(text), NoteStatus.ACTIVE) for text in texts]
        await unit.insert(made, "add")
    return made


async def rows(ledger: Ledger, table: str, columns: str, order: str = "1"):
    async with ledger.reading() as connection:
        found = await connection.execute(sa.text(f"SELECT {columns} FROM {table} ORDER BY {order}"))
        return [tuple(row) for row in found]


@on_both
async def test_notes_are_numbered_from_one_in_each_guild(database: str):
    async with open_ledger(database) as ledger:
        await add(ledger, "a", "b")
        await add(ledger, "c", guild="other")
        assert [note.number for note in await ledger.notes("g")] == [1, 2]
        assert [note.number for note in await ledger.notes("other")] == [1]


@on_both
async def test_an_act_that_fails_leaves_nothing_behind(database: str):
    async with open_ledger(database) as ledger:

        async def fail() -> None:
            async with ledger.act("g", By("ann"), NOW) as unit:
                await unit.insert([unit.made(NoteDraft("a"), NoteStatus.ACTIVE)], "add")
                raise RuntimeError

        with pytest.raises(RuntimeError):
            await fail()
        assert await ledger.is_empty()
        assert (await ledger.outbox.pending(10)).rows == ()


@on_both
async def test_every_write_is_attributed_and_leaves_its_revision(database: str):
    async with open_ledger(database) as ledger:
        await add(ledger, "a", actor="ann")
        async with ledger.act("g", By("bob", "wrong", "https://x/1"), NOW) as unit:
            note = await unit.note(1)
            await unit.save(note, note, "verify")
        events = "actor_id, act, old_revision, new_revision, reason, source_url"
        assert await rows(ledger, "audit_events", events, "id") == [
            ("ann", "add", None, 1, None, None),
            ("bob", "verify", 1, 2, "wrong", "https://x/1"),
        ]
        kept = "revision, act, actor_id, text, status, act_reason"
        assert await rows(ledger, "revisions", kept) == [
            (1, "add", "ann", "a", "active", None),
            (2, "verify", "bob", "a", "active", "wrong"),
        ]


@on_both
async def test_times_come_back_as_utc(database: str):
    async with open_ledger(database) as ledger:
        await add(ledger, "a")
        assert (await ledger.note("g", 1)).created_at == NOW
        assert (await ledger.note("g", 1)).created_at.tzinfo is UTC


@on_both
async def test_the_outbox_holds_each_change_until_it_is_projected(database: str):
    async with open_ledger(database) as ledger:
        await add(ledger, "a", "b")
        pending = await ledger.outbox.pending(10)
        assert {note.text for note in pending.notes} == {"a", "b"}
        await add(ledger, "c")
        await ledger.outbox.projected(pending.rows)
        assert [note.text for note in (await ledger.outbox.pending(10)).notes] == ["c"]
        assert await ledger.outbox.count() == 1


@on_both
async def test_writers_at_the_same_time_wait_for_each_other(database: str):
    async with open_ledger(database) as one, open_ledger(database) as two:
        await asyncio.gather(*(add((one, two)[n % 2], f"note {n}") for n in range(40)))
        assert [note.number for note in await one.notes("g")] == list(range(1, 41))


@on_both
async def test_processes_may_create_the_database_at_once(database: str):
    async def use() -> str:
        async with open_ledger(database) as ledger:
            return await ledger.id()

    assert len({*await asyncio.gather(*(use() for _ in range(16)))}) == 1


@pytest.mark.parametrize("lock", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
async def test_a_new_database_is_waited_for_while_another_process_makes_it(
    database: str, lock: str
):
    other = sqlite3.connect(database.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("CREATE TABLE theirs (x)")
    other.execute(lock)
    asyncio.get_running_loop().call_later(0.5, other.execute, "COMMIT")
    async with open_ledger(database) as ledger:
        assert await ledger.id()
    other.close()


@on_both
async def test_a_database_of_a_newer_program_is_refused(database: str):
    async with open_ledger(database) as ledger, ledger.writing() as connection:
        await connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(LedgerTooNew, match=f"9999; this program knows up to {SCHEMA_VERSION}"):
        async with open_ledger(database):
            pass


@on_both
async def test_the_migrations_make_the_tables_that_the_code_uses(database: str):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    async with open_ledger(database) as ledger, ledger.reading() as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync), metadata)
        )
    assert differences == []


@on_both
async def test_a_notebook_of_the_first_version_keeps_its_notes_and_their_history(database: str):
    engine = ledger_database.create_engine(database)
    note, gone = UUID(int=1), UUID(int=2)
    as_id = str if engine.dialect.name == "postgresql" else (lambda one: one.hex)
    script = FIRST_VERSION.format(note=as_id(note), gone=as_id(gone))
    async with ledger_database.writing(engine).begin() as connection:
        await connection.run_sync(lambda sync: ledger_database.migrate_to(sync, "0001"))
        for statement in script.split(";"):
            await connection.exec_driver_sql(statement)
    await engine.dispose()
    async with open_ledger(database) as ledger:
        kept, retired = await ledger.notes("g")
        assert (kept.text, kept.question, kept.scope, kept.verified_at) == (
            "kept", "why?", (), kept.created_at,
        )  # fmt: skip
        history = (await ledger.history(retired))[retired.id]
        assert [(one.act, one.by.actor_id, one.by.reason) for one in history] == [
            ("add", "bob", None),
            ("retire", "ann", "wrong"),
        ]
        async with ledger.act("g", By("ann"), NOW) as unit:
            last = await unit.last_batch()
        assert last is not None
        assert [[event.act for event in acts] for acts in last[1].values()] == [["retire"]]
        assert len(await ledger.id()) == 32


async def test_a_file_that_is_no_database_is_named(tmp_path: Path):
    (tmp_path / "notebook.db").write_text("not a database, just text that is long enough" * 10)
    with pytest.raises(LedgerError, match=r"notebook\.db is not a database"):
        async with open_ledger(f"sqlite:///{tmp_path / 'notebook.db'}"):
            pass


@pytest.mark.parametrize("wrong", ["not a url", "mysterydb+x://u:pw@h/d", "postgresql+no://u:pw@h"])
async def test_a_database_url_that_cannot_be_used_is_named_without_its_password(wrong: str):
    with pytest.raises(LedgerError, match="EREN_DATABASE_URL is not usable") as caught:
        async with open_ledger(wrong):
            pass
    assert "pw" not in str(caught.value)


async def test_a_server_that_is_not_there_is_named_without_its_password():
    with pytest.raises(LedgerError, match="cannot be reached") as caught:
        async with open_ledger("postgresql://u:pw@127.0.0.1:1/d"):
            pass
    assert "pw" not in str(caught.value)


async def test_a_database_that_the_server_does_not_have_is_named(postgresql: str):
    with pytest.raises(LedgerError, match="Create it first"):
        async with open_ledger(postgresql.replace("/postgres?", "/nothing?")):
            pass


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(LedgerError, match="Check that the folder exists and is writable"):
        async with open_ledger(f"sqlite:///{tmp_path / 'missing' / 'notebook.db'}"):
            pass


async def test_sqlite_waits_for_the_disk_and_overwrites_what_is_deleted(database: str):
    async with open_ledger(database) as ledger, ledger.reading() as connection:
        wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
        for pragma, value in wanted.items():
            assert (await connection.exec_driver_sql(f"PRAGMA {pragma}")).scalar() == value, pragma


async def test_a_database_error_does_not_quote_what_was_written(tmp_path: Path):
    engine = ledger_database.create_engine(f"sqlite:///{tmp_path / 'notebook.db'}")
    with pytest.raises(DBAPIError) as caught:
        async with engine.begin() as connection:
            await connection.execute(
                sa.text("INSERT INTO nowhere VALUES (:text)"), {"text": "Ann is ill."}
            )
    await engine.dispose()
    assert "Ann" not in str(caught.value)
