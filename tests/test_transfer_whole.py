"""An import is one act: foretold, taken back, cut short, repeated; and it fits into any memory."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.domain import REVISED, Note, NoteDraft
from eren_memory.errors import BadInput, ImportRefused, RevisionMoved
from eren_memory.ledger.ledger import Ledger
from eren_memory.transfer.exporting import export_notes
from eren_memory.transfer.importing import Imported, import_notes
from eren_memory.transfer.planning import Planned
from tests.command_line import CommandLine
from tests.conftest import on_both
from tests.test_transfer import ANN, BOB, both_formats, fill, revised, texts, written

UUID_1 = "0192d3a0-0000-7000-8000-000000000001"


@pytest.fixture
def batch_of_three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eren_memory.transfer.importing._BATCH", 3)


def contents(note: Note) -> dict[str, Any]:
    return {name: getattr(note, name) for name in REVISED}


async def everything(ledger: Ledger, *guilds: str) -> list[Any]:
    """Notes with their history, and what waits for the index."""
    notes = [note for guild in guilds for note in await ledger.notes(guild)]
    return [*(await ledger.history(*notes)).items(), await ledger.outbox.count()]


@both_formats
async def test_a_dry_run_tells_what_would_change_and_writes_nothing(
    app: App, tmp_path: Path, ending: str, batch_of_three
):
    rows = [{"text": f"Note {n}.", "number": 2 * n + 1} for n in range(7)]
    file = written(tmp_path / "plain.jsonl", *rows)
    told: list[Planned] = []
    done = await import_notes(app.notebook, "g", file, BOB, dry_run=True, on_plan=told.append)
    assert done == Imported(new=7)
    assert [{"text": one.note.text, "number": one.note.number} for one in told] == rows
    assert {one.outcome for one in told} == {"new"}
    assert await app.notebook.ledger.is_empty()

    await fill(app)
    file = tmp_path / f"notes.{ending}"
    await export_notes(app.notebook, "g", file)
    revised(file, lambda row: row["number"] in {2, "2"} and row.update(question="Why?"))
    await app.notebook.erase("g", 3, ANN)
    before = await everything(app.notebook.ledger, "g")
    told.clear()
    done = await import_notes(app.notebook, "g", file, BOB, dry_run=True, on_plan=told.append)
    assert done == Imported(changed=1, known=13, erased=1)
    assert [one.outcome for one in told[:4]] == ["known", "changed", "erased", "known"]
    assert told[1].changes == {"question": ("Asked, then cleared", "Why?")}
    assert told[1].before == await app.notebook.ledger.note("g", 2)
    assert await everything(app.notebook.ledger, "g") == before


@both_formats
async def test_an_erased_note_is_not_brought_back_by_an_older_export(
    app: App, tmp_path: Path, ending: str
):
    await app.notebook.add("g", NoteDraft("Private.", question="Whose?"), ANN)
    await app.notebook.add("g", NoteDraft("Public."), ANN)
    file = tmp_path / f"notes.{ending}"
    await export_notes(app.notebook, "g", file, history=True)
    await app.notebook.erase("g", 1, ANN)
    assert await import_notes(app.notebook, "g", file, BOB) == Imported(known=1, erased=1)
    revised(file, lambda row: row.pop("revision") and row.pop("history"))
    assert await import_notes(app.notebook, "g", file, BOB) == Imported(known=1, erased=1)
    assert await texts(app) == ["", "Public."]
    assert not any(one.note.text for one in await app.notebook.history("g", 1))


@on_both
async def test_undo_takes_back_a_whole_import(app: App, tmp_path: Path, batch_of_three):
    for n in range(4):
        await app.notebook.add("g", NoteDraft(f"Old {n}."), ANN)
    file = tmp_path / "notes.jsonl"
    await export_notes(app.notebook, "g", file)
    before = await app.notebook.ledger.notes("g")
    revised(file, lambda row: row.update(text=row["text"] + " New.", question="Why?"))
    new = [{"text": f"New {n}."} for n in range(7)]
    written(file, file.read_bytes(), *new)
    assert await import_notes(app.notebook, "g", file, BOB) == Imported(new=7, changed=4)
    taken = await app.notebook.undo("g", BOB)
    assert sorted(note.number for note in taken) == list(range(1, 12))
    after = await app.notebook.ledger.notes("g")
    assert [contents(note) for note in after[:4]] == [contents(note) for note in before]
    assert {note.status for note in after[4:]} == {"retired"}
    with pytest.raises(BadInput, match="done nothing"):
        await app.notebook.undo("g", BOB)


async def test_an_import_that_somebody_worked_on_is_not_undone_in_part(
    app: App, tmp_path: Path, batch_of_three
):
    file = written(tmp_path / "notes.jsonl", *({"text": f"New {n}."} for n in range(7)))
    await import_notes(app.notebook, "g", file, BOB)
    await app.notebook.edit("g", 2, ANN, question="Why?")
    with pytest.raises(RevisionMoved, match="Note #2"):
        await app.notebook.undo("g", BOB)
    assert {note.status for note in await app.notebook.ledger.notes("g")} == {"active"}


async def test_a_note_is_its_last_revision_whatever_history_a_file_gives(app: App, tmp_path: Path):
    past = {"text": "First.", "act": "add", "actor_id": "ann", "at": "2026-01-01", "revision": 1}
    for wrong in ({"text": "Another."}, {"revision": 2}, {"status": "retired"}):
        last = past | {"text": "Now.", "revision": 3} | wrong
        row = {"id": UUID_1, "text": "Now.", "revision": 3, "history": [past, last]}
        with suppress(ImportRefused):
            await import_notes(app.notebook, "g", written(tmp_path / "n.jsonl", row), BOB)
        for note in await app.notebook.ledger.notes("g"):
            newest = (await app.notebook.history("g", note.number))[-1].note
            assert (newest.revision, contents(newest)) == (note.revision, contents(note))


async def test_a_note_that_stands_in_a_file_twice_is_refused_before_anything_is_written(
    app: App, tmp_path: Path, batch_of_three
):
    row = {"id": UUID_1, "text": "One.", "revision": 1}
    others = [{"text": f"{n}."} for n in range(4)]
    file = written(tmp_path / "notes.jsonl", row, *others, row | {"text": "Two.", "revision": 7})
    with pytest.raises(ImportRefused, match=r"line 6: .*Nothing was imported"):
        await import_notes(app.notebook, "g", file, BOB)
    assert await app.notebook.ledger.is_empty()


async def test_a_file_that_becomes_shorter_while_it_is_read_is_told(
    app: App, tmp_path: Path, batch_of_three
):
    file = written(tmp_path / "notes.jsonl", *({"text": f"Note {n}."} for n in range(5)))

    def shorten(_: Planned) -> None:
        written(file, {"text": "Note 0."})

    with pytest.raises(ImportRefused, match=r"changed while it was read: \d of 5 rows"):
        await import_notes(app.notebook, "g", file, ANN, on_plan=shorten)


@both_formats
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyError()])
async def test_an_export_that_fails_leaves_an_earlier_file_and_nothing_else(
    app: App, tmp_path: Path, ending: str, error: Exception, monkeypatch: pytest.MonkeyPatch
):
    await fill(app)
    folder = tmp_path / "out"
    folder.mkdir()
    file = folder / f"notes.{ending}"
    await export_notes(app.notebook, "g", file)
    earlier = file.read_bytes()
    calls = 0

    def failing(*_: object) -> dict[str, Any]:
        nonlocal calls
        calls += 1
        if calls == 9:
            raise error
        return {"text": "x" * 100_000}

    monkeypatch.setattr("eren_memory.transfer.exporting.record", failing)
    with pytest.raises(BadInput if isinstance(error, OSError) else KeyError):
        await export_notes(app.notebook, "g", file)
    assert file.read_bytes() == earlier
    assert list(folder.iterdir()) == [file]


async def test_an_export_to_where_nothing_can_be_written_is_refused(app: App, tmp_path: Path):
    for path in (tmp_path / "missing" / "notes.csv", tmp_path):
        with pytest.raises(BadInput, match="cannot be written"):
            await export_notes(app.notebook, "g", path)


_IMPORT = """
import sys
from eren_memory.cli import main
from eren_memory.transfer import importing
importing._BATCH = 7
sys.argv = ["eren", "import", sys.argv[1]]
main()
"""
_MANY = 300


def _count(database: Path) -> int:
    if not database.exists():
        return 0
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM notes").fetchone()[0])
        except sqlite3.OperationalError:  # There is no table yet.
            return 0


async def test_an_import_that_was_killed_is_completed_by_running_it_again(
    settings: Settings, tmp_path: Path
):
    lines = [{"text": f"Note {n} of many."} for n in range(_MANY)]
    file = written(tmp_path / "notes.jsonl", *lines)
    environment = {**os.environ, **CommandLine(settings).environment}
    database = settings.home / "notebook.db"
    draw, cut = random.Random(), []
    for least in sorted(draw.randrange(_MANY - 100) for _ in range(3)):
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _IMPORT, str(file), env=environment, stdout=subprocess.DEVNULL
        )
        while child.returncode is None and _count(database) < least:
            await asyncio.sleep(0.002)
        await asyncio.sleep(draw.uniform(0, 0.02))
        if child.returncode is None:
            child.send_signal(signal.SIGKILL)
        await child.wait()
        cut.append(_count(database))
    assert any(0 < count < _MANY for count in cut), cut
    again = await CommandLine(settings).in_a_process("import", str(file), "--json")
    assert again.data["added"] == _MANY - cut[-1]
    async with open_app(settings) as app:
        notes = await app.notebook.ledger.notes("local")
        assert [note.number for note in notes] == list(range(1, _MANY + 1))
        assert {note.text for note in notes} == {line["text"] for line in lines}
        assert all(len(past) == 1 for past in (await app.notebook.ledger.history(*notes)).values())
        index = await app.notebook.projector.ready()
        assert await index.count() == _MANY


_MEASURED = """
import asyncio, json, re, sys, time
from pathlib import Path
from eren_memory.app import open_app
from eren_memory.config import Settings
from eren_memory.domain import By
from eren_memory.transfer.importing import import_notes

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

async def main():
    few, many, dry_run = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "True"
    async with open_app(Settings(home=Path("home"))) as app:
        await import_notes(app.notebook, "few", few, By("ann"), dry_run=dry_run)
        before, begun = peak(), time.process_time()
        done = await import_notes(app.notebook, "many", many, By("ann"), dry_run=dry_run)
        print(json.dumps([done.new, peak() - before, time.process_time() - begun]))

asyncio.run(main())
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is told by Linux")
@pytest.mark.parametrize(("count", "dry_run"), [(25_000, True), (8_000, False)])
async def test_an_import_takes_the_same_memory_however_large_the_file(
    tmp_path: Path, count: int, dry_run: bool
):
    filler = "The ferry leaves at noon. " * 80
    few, many = tmp_path / "few.jsonl", tmp_path / "many.jsonl"
    for file, lines in ((few, 10), (many, count)):
        with file.open("w") as out:
            out.writelines(
                json.dumps({"text": f"{n} {filler}"[:2_000]}) + "\n" for n in range(lines)
            )
    assert many.stat().st_size > count * 2_000
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _MEASURED, str(few), str(many), str(dry_run),
        cwd=tmp_path, stdout=subprocess.PIPE,
    )  # fmt: skip
    told, _ = await child.communicate()
    new, megabytes, seconds = json.loads(told)
    assert new == count
    assert megabytes < 20
    assert seconds < 20
