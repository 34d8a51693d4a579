"""What is wrong with an archive is found before anything changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from eren_memory.app import App
from eren_memory.domain import NoteDraft, NoteStatus
from eren_memory.errors import BackupRefused, LedgerTooNew
from eren_memory.ledger.archive import back_up, restore
from eren_memory.ledger.ledger import open_ledger
from tests.conftest import on_both
from tests.test_backup import NOW, Members, dump, members, packed
from tests.test_transfer import ANN


@pytest_asyncio.fixture
async def archive(tmp_path: Path) -> Path:
    """A backup of a few notes with a past, made on SQLite."""
    async with open_ledger(f"sqlite:///{tmp_path / 'source.db'}") as ledger:
        async with ledger.act("g", ANN, NOW) as unit:
            texts = ("One.", "Zwei – ünïcode 🎉", "Three.", "Four.")
            made = [unit.made(NoteDraft(text), NoteStatus.ACTIVE) for text in texts]
            await unit.insert(made, "add")
            await unit.save(made[0], made[0], "verify")
        await back_up(ledger, tmp_path / "notes.zip", {}, NOW)
    return tmp_path / "notes.zip"


def _change(name: str, change: Callable[[bytes], bytes]) -> Callable[[Members], Any]:
    return lambda found: found.update({name: change(found[name])})


def _row(table: str, **fields: Any) -> Callable[[Members], Any]:
    """Put fields into the last row of a table."""

    def change(content: bytes) -> bytes:
        *others, last = content.splitlines(keepends=True)
        return b"".join(others) + json.dumps(json.loads(last) | fields).encode() + b"\n"

    return _change(f"{table}.jsonl", change)


def _told(change: Callable[[dict[str, Any]], Any]) -> Callable[[Members], Any]:
    """Change the manifest."""

    def changed(content: bytes) -> bytes:
        told = json.loads(content)
        change(told)
        return json.dumps(told).encode()

    return _change("manifest.json", changed)


DAMAGES: dict[str, Callable[[Members], Any]] = {
    "another format": _told(lambda told: told.update(format=99)),
    "no format": _told(lambda told: told.pop("format")),
    "wrong count": _told(lambda told: told["rows"].update(notes=3)),
    "table not told": _told(lambda told: told["rows"].pop("revisions")),
    "schema of another kind": _told(lambda told: told.update(schema=["0002"])),
    "missing file beside": _told(lambda told: told.update(files=["calibrations.json"])),
    "no manifest": lambda found: found.pop("manifest.json"),
    "manifest of another kind": lambda found: found.update({"manifest.json": b"[1]"}),
    "manifest not JSON": lambda found: found.update({"manifest.json": b"{"}),
    "no table": lambda found: found.pop("audit_events.jsonl"),
    "row missing": _change("revisions.jsonl", lambda content: content.partition(b"\n")[2]),
    "row twice": _change("guilds.jsonl", lambda content: content * 2),
    "row not JSON": _change("notes.jsonl", lambda content: content.replace(b"}", b"", 1)),
    "row of another kind": _change("notes.jsonl", lambda content: b"[]\n" * content.count(b"\n")),
    "bad date": _row("notes", created_at="yesterday"),
    "unknown column": _row("notes", colour="red"),
    "empty text": _row("notes", text=None),
    "revision of no note": _row("revisions", note_id=UUID(int=1).hex),
}


@on_both
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_an_archive_that_is_not_whole_is_refused_and_nothing_changes(
    app: App, archive: Path, tmp_path: Path, damage: Callable[[Members], Any]
):
    await app.notebook.add("g", NoteDraft("Mine."), ANN)
    ledger, beside = app.notebook.ledger, {"calibrations.json": tmp_path / "calibrations.json"}
    before, was = await dump(ledger), await ledger.id()
    found = members(archive)
    damage(found)
    with pytest.raises(BackupRefused) as caught:
        await restore(ledger, packed(archive, found), beside)
    assert "notes.zip" in str(caught.value)
    assert await dump(ledger) == before
    assert await ledger.id() == was
    assert (await app.notebook.add("g", NoteDraft("Goes on."), ANN)).number == 2


async def test_a_file_that_is_no_archive_is_refused(app: App, archive: Path, tmp_path: Path):
    whole = archive.read_bytes()
    for content in (
        b"",
        b"no zip",
        *(whole[:end] for end in range(1, len(whole), len(whole) // 20)),
    ):
        archive.write_bytes(content)
        with pytest.raises(BackupRefused, match=r"notes\.zip"):
            await restore(app.notebook.ledger, archive, {})
    for path in (tmp_path, tmp_path / "missing.zip"):
        with pytest.raises(BackupRefused, match="cannot be read"):
            await restore(app.notebook.ledger, path, {})
    assert await app.notebook.ledger.is_empty()


async def test_whichever_byte_flips_the_notes_come_back_as_they_were_or_not_at_all(
    app: App, archive: Path
):
    whole, ledger, refused = archive.read_bytes(), app.notebook.ledger, 0
    await restore(ledger, archive, {})
    moment = await dump(ledger)
    tried = [*range(0, len(whole), len(whole) // 90), *range(len(whole) - 22, len(whole))]
    for place in tried:
        archive.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            await restore(ledger, archive, {})
        except BackupRefused:
            refused += 1
        assert await dump(ledger) == moment, place
    assert refused > len(tried) / 2


@on_both
async def test_an_archive_of_a_newer_program_is_refused(app: App, archive: Path):
    await app.notebook.add("g", NoteDraft("Mine."), ANN)
    before, found = await dump(app.notebook.ledger), members(archive)
    _told(lambda told: told.update(schema="9999"))(found)
    with pytest.raises(LedgerTooNew, match="9999"):
        await restore(app.notebook.ledger, packed(archive, found), {})
    assert await dump(app.notebook.ledger) == before
