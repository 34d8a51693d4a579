"""A backup is one moment of the whole ledger; it comes back as it was, on any database, or not at all."""

from __future__ import annotations

import asyncio
import errno
import json
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
import pytest_asyncio
import sqlalchemy as sa

from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft, NoteStatus, Place
from eren_memory.errors import BackupRefused
from eren_memory.ledger.archive import back_up, restore
from eren_memory.ledger.ledger import Ledger, open_ledger
from eren_memory.ledger.schema import identity, metadata, outbox, spaces
from eren_memory.ledger.upkeep_schema import heard_messages, published_commands
from tests.conftest import on_both
from tests.test_transfer import ANN, BOB, fill

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
Members = dict[str, bytes]


@pytest_asyncio.fixture
async def source(settings: Settings, tmp_path: Path) -> AsyncIterator[App]:
    """Another installation, on SQLite, with notes of every kind in two guilds."""
    home = tmp_path / "source"
    async with open_app(settings.model_copy(update={"home": home, "database_url": None})) as opened:
        await fill(opened)
        await opened.notebook.add("other", NoteDraft("Theirs."), BOB)
        yield opened


@pytest_asyncio.fixture
async def archive(source: App, tmp_path: Path) -> Path:
    await back_up(source.notebook.ledger, tmp_path / "notes.zip", {}, NOW)
    return tmp_path / "notes.zip"


async def dump(ledger: Ledger) -> dict[str, list[Any]]:
    """Every row of every table that a backup holds, but for the ledger's id."""
    async with ledger.reading() as connection:
        return {
            table.name: sorted(map(tuple, await connection.execute(sa.select(table))), key=repr)
            for table in metadata.sorted_tables
            if table not in {outbox, spaces, identity, heard_messages, published_commands}
        }


def members(archive: Path) -> Members:
    with ZipFile(archive) as file:
        return {name: file.read(name) for name in file.namelist()}


def packed(path: Path, found: Members) -> Path:
    with ZipFile(path, "w", ZIP_DEFLATED) as file:
        for name, content in found.items():
            file.writestr(name, content)
    return path


def lines(found: Members, table: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in found[f"{table}.jsonl"].splitlines()]


@on_both
async def test_a_restored_ledger_is_the_moment_of_the_backup_on_any_database_and_back(
    app: App, source: App, tmp_path: Path
):
    ledger, moment = source.notebook.ledger, await dump(source.notebook.ledger)
    file, again = tmp_path / "one.zip", tmp_path / "two.zip"
    told = await back_up(ledger, file, {}, NOW)
    assert told.made_at == NOW
    assert told.rows == {name: len(rows) for name, rows in moment.items()} | {"identity": 1}
    await source.notebook.add("g", NoteDraft("Later."), ANN)
    await source.notebook.edit("g", 1, ANN, text="Later, too.")

    there = app.notebook.ledger
    assert await restore(there, file, {}) == told
    assert await dump(there) == moment
    assert await there.id() != await ledger.id()
    await back_up(there, again, {}, NOW)
    await restore(ledger, again, {})  # In place of what was written since.
    assert await dump(ledger) == moment
    assert len({await ledger.id(), await there.id()}) == 2


@on_both
async def test_work_goes_on_after_a_restore_where_it_stood(app: App, archive: Path):
    await app.notebook.add("g", NoteDraft("Gone."), ANN)
    await restore(app.notebook.ledger, archive, {})
    notebook = app.notebook
    [taken] = await notebook.undo("g", ANN)
    assert (taken.number, taken.status) == (12, NoteStatus.ACTIVE)
    assert (await notebook.add("g", NoteDraft("New."), BOB)).number == 17
    assert (await notebook.add("other", NoteDraft("New."), BOB)).number == 2
    assert (await notebook.undo("other", BOB))[0].number == 2
    await notebook.projector.ready()
    report = await notebook.projector.reconcile()
    assert (report.missing, report.stale, report.orphaned) == (0, 0, 0)
    assert [one.note.number for one in await notebook.search(Place("g"), "A new bridge", 1)] == [13]


@on_both
async def test_an_open_application_finds_the_notes_of_a_restore_without_a_restart(
    app: App, archive: Path, database: str
):
    await app.notebook.add("g", NoteDraft("The new bridge of before."), ANN)

    async def found() -> list[str]:
        near = await app.notebook.search(Place("g"), "the new bridge", 5)
        return [one.note.text for one in near]

    assert "The new bridge of before." in await found()
    async with open_ledger(database) as other:
        await restore(other, archive, {})
    async with asyncio.timeout(5):
        while "A new bridge." not in await found():
            await asyncio.sleep(0.1)
    assert "The new bridge of before." not in await found()
    assert (await app.notebook.add("g", NoteDraft("One more new bridge."), ANN)).number == 17
    assert "One more new bridge." in await found()


async def test_a_question_during_a_restore_is_answered_though_the_index_is_exchanged(
    app: App, archive: Path, monkeypatch: pytest.MonkeyPatch
):
    await app.notebook.add("g", NoteDraft("The new bridge of before."), ANN)
    before, embed = await app.notebook.projector.ready(), app.embedder.embed
    asked, exchanged = asyncio.Event(), asyncio.Event()

    async def slow(texts: list[str]) -> Any:
        if texts == ["the new bridge"]:
            asked.set()
            await exchanged.wait()
        return await embed(texts)

    monkeypatch.setattr(app.embedder, "embed", slow)
    question = asyncio.create_task(app.notebook.search(Place("g"), "the new bridge", 5))
    await asked.wait()
    await restore(app.notebook.ledger, archive, {})
    async with asyncio.timeout(5):
        while await app.notebook.projector.open() is before:
            await asyncio.sleep(0.05)
    exchanged.set()
    assert "The new bridge of before." not in [one.note.text for one in await question]


@on_both
async def test_a_backup_is_of_one_moment_however_much_is_written_meanwhile(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    count = 300

    async def write() -> None:
        async with open_ledger(database) as ledger, ledger.act("g", ANN, NOW) as unit:
            for number in range(1, 20):
                note = await unit.note(number)
                await unit.save(note, note, "verify")
            new = unit.made(NoteDraft(f"Meanwhile {unit.next_number()}."), NoteStatus.ACTIVE)
            await unit.insert([new], "add")

    class Written(ZipFile):
        def open(self, *args: Any, **options: Any) -> Any:
            if self.filelist:  # The moment is that of the first table's rows.
                other = threading.Thread(target=lambda: asyncio.run(write()))
                other.start()
                other.join()
            return super().open(*args, **options)

    async with open_ledger(database) as ledger:
        async with ledger.act("g", ANN, NOW) as unit:
            made = [unit.made(NoteDraft(f"Note {n}."), NoteStatus.ACTIVE) for n in range(count)]
            await unit.insert(made, "add")
        before = await dump(ledger)
        monkeypatch.setattr("eren_memory.ledger.archive.ZipFile", Written)
        await back_up(ledger, tmp_path / "notes.zip", {}, NOW)
        monkeypatch.undo()
        assert len(await ledger.notes("g")) >= count + 3
        found = members(tmp_path / "notes.zip")
        notes = {one["id"]: one["revision"] for one in lines(found, "notes")}
        newest = {one["note_id"]: one["revision"] for one in lines(found, "revisions")}
        assert newest == notes
        assert len(notes) == len(lines(found, "audit_events")) == count
        await restore(ledger, tmp_path / "notes.zip", {})
        assert await dump(ledger) == before


OLD = {"id": UUID(int=1).hex, "guild_id": "g", "number": 4, "text": "kept", "text_hash": "h"}
OLD |= {"status": "retired", "revision": 2, "author_id": "ann", "question": "why?"}
OLD |= {"source_url": None, "reason": "so", "created_at": "2026-11-01T10:00:00+00:00"}
OLD |= {"updated_at": "2026-11-02T10:00:00.000007+00:00"}
PAST = {"note_id": UUID(int=1).hex, "text": "kept", "actor_id": "ann"}
EVENT = {"guild_id": "g", "actor_id": "ann", "note_id": UUID(int=1).hex, "source_url": None}
FIRST_SCHEMA: dict[str, list[dict[str, Any]]] = {
    "guilds": [{"guild_id": "g", "last_number": 6}],
    "notes": [OLD],
    "revisions": [
        PAST | {"revision": 1, "status": "active", "at": OLD["created_at"]},
        PAST | {"revision": 2, "status": "retired", "at": OLD["updated_at"]},
    ],
    "audit_events": [
        EVENT | {"id": 3, "at": OLD["created_at"], "act": "add", "old_revision": None,
                 "new_revision": 1, "reason": None},
        EVENT | {"id": 8, "at": OLD["updated_at"], "act": "retire", "old_revision": 1,
                 "new_revision": 2, "reason": "wrong"},
    ],
}  # fmt: skip


@on_both
async def test_an_archive_of_the_first_version_is_brought_up_to_date(app: App, tmp_path: Path):
    rows = {name: len(found) for name, found in FIRST_SCHEMA.items()}
    told = {"format": 1, "schema": "0001", "made_at": NOW.isoformat(), "rows": rows, "files": []}
    found = {
        f"{name}.jsonl": "".join(json.dumps(row) + "\n" for row in table).encode()
        for name, table in FIRST_SCHEMA.items()
    }
    file = packed(tmp_path / "old.zip", found | {"manifest.json": json.dumps(told).encode()})
    await app.notebook.add("g", NoteDraft("Gone."), ANN)
    was = await app.notebook.ledger.id()
    await restore(app.notebook.ledger, file, {})
    [note] = await app.notebook.ledger.notes("g")
    assert (note.number, note.text, note.question, note.status) == (4, "kept", "why?", "retired")
    assert note.updated_at == datetime(2026, 11, 2, 10, 0, 0, 7, tzinfo=UTC)
    first, last = await app.notebook.history("g", 4)
    assert (first.act, first.by, first.note.question) == ("add", By("ann"), "why?")
    assert (last.act, last.by, last.note.status) == ("retire", By("ann", "wrong"), "retired")
    assert await app.notebook.ledger.id() != was
    assert (await app.notebook.undo("g", ANN))[0].status is NoteStatus.ACTIVE
    assert (await app.notebook.add("g", NoteDraft("New."), ANN)).number == 7


async def test_files_beside_the_ledger_come_along_and_no_others(
    app: App, source: App, tmp_path: Path
):
    mine, theirs, file = tmp_path / "mine.json", tmp_path / "theirs.json", tmp_path / "notes.zip"
    mine.write_bytes(b"\0fitted")
    beside = {"calibrations.json": mine, "nothing.json": tmp_path / "nothing.json"}
    told = await back_up(source.notebook.ledger, file, beside, NOW)
    assert told.files == ("calibrations.json",)
    found = members(file)
    manifest = json.loads(found["manifest.json"])
    manifest["files"].append("../evil.json")
    found["manifest.json"] = json.dumps(manifest).encode()
    packed(file, found | {"files/../evil.json": b"evil"})
    await restore(app.notebook.ledger, file, {"calibrations.json": theirs})
    assert theirs.read_bytes() == b"\0fitted"
    assert not [*tmp_path.parent.glob("evil.json"), *tmp_path.rglob("evil.json")]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyError()])
async def test_a_backup_that_fails_leaves_an_earlier_one_and_nothing_else(
    source: App, tmp_path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "out"
    folder.mkdir()
    await back_up(source.notebook.ledger, folder / "notes.zip", {}, NOW)
    earlier = (folder / "notes.zip").read_bytes()

    def failing(*_: object) -> bytes:
        raise error

    monkeypatch.setattr("eren_memory.ledger.archive._line", failing)
    with pytest.raises(BackupRefused if isinstance(error, OSError) else KeyError):
        await back_up(source.notebook.ledger, folder / "notes.zip", {}, NOW)
    assert [(one.name, one.read_bytes()) for one in folder.iterdir()] == [("notes.zip", earlier)]
    with pytest.raises(BackupRefused, match="cannot be written"):
        await back_up(source.notebook.ledger, folder / "missing" / "notes.zip", {}, NOW)


@on_both
async def test_a_table_of_another_program_in_the_same_database_is_left_alone(
    app: App, archive: Path
):
    ledger = app.notebook.ledger
    async with ledger.writing() as connection:
        await connection.exec_driver_sql("CREATE TABLE theirs (word TEXT)")
        await connection.exec_driver_sql("INSERT INTO theirs VALUES ('kept')")
    await restore(ledger, archive, {})
    async with ledger.reading() as connection:
        assert (await connection.exec_driver_sql("SELECT word FROM theirs")).scalar() == "kept"


async def test_what_was_erased_is_in_no_backup(archive: Path):
    found = members(archive)
    assert not [name for name, content in found.items() if b"Private" in content]
    assert any(b"The old bridge" in content for content in found.values())
