import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.domain import NOTE_LIMIT
from eren_memory.errors import ImportRefused
from eren_memory.transfer import import_notes


def written(path: Path, *lines: bytes | str | dict[str, object]) -> Path:
    raw = [
        line
        if isinstance(line, bytes)
        else (line if isinstance(line, str) else json.dumps(line)).encode()
        for line in lines
    ]
    path.write_bytes(b"\n".join(raw))
    return path


async def test_every_line_becomes_a_note(app: App, tmp_path: Path):
    file = written(
        tmp_path / "notes.jsonl",
        b"\xef\xbb\xbf" + b'{"text": "One."}',
        "",
        {"text": "Zwei – ünïcode 🎉", "question": "Q?", "source_url": "https://x", "reason": None},
        {"text": "x" * NOTE_LIMIT},
    )
    done = await import_notes(app.notebook, "g", file, "ann")
    assert (done.added, done.known) == (3, 0)
    notes = await app.notebook.notes("g")
    assert [note.text for note in notes] == ["One.", "Zwei – ünïcode 🎉", "x" * NOTE_LIMIT]
    assert (notes[1].question, notes[1].source_url, notes[1].author_id) == (
        "Q?",
        "https://x",
        "ann",
    )


async def test_importing_again_adds_only_what_is_missing(app: App, tmp_path: Path):
    file = written(tmp_path / "notes.jsonl", {"text": "One."})
    await import_notes(app.notebook, "g", file, "ann")
    file = written(tmp_path / "notes.jsonl", {"text": "One."}, {"text": "Two."})
    done = await import_notes(app.notebook, "g", file, "ann")
    assert (done.added, done.known) == (1, 1)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b'{"text": "half', "not JSON"),
        (b'{"text": "\xff"}', r"not UTF-8 \(byte 11\)"),
        (b'{"text": "a\\u0000b"}', r"U\+0000"),
        (b'{"text": "a\x00b"}', "not JSON"),
        (b'{"text": "\\ud800"}', r"U\+D800"),
        (b'{"text": "  "}', "empty"),
        (b'{"text": 5}', "needs a text"),
        (b'["text"]', "needs a text"),
        (b'{"text": "a", "colour": "red"}', "unknown field: 'colour'"),
        (b'{"text": "a", "question": 5}', "question is not text"),
        (b'{"text": "' + b"x" * 2_001 + b'"}', "limit is 2,000"),
        (b'{"text": "' + b"x" * 200_000 + b'"}', "longer than 100,000 bytes"),
        (b"[" * 90_000, "JSON|nested"),
        (b'{"text": ' + b"9" * 5_000 + b"}", "cannot be read as JSON"),
    ],
    ids=range(14),
)
async def test_one_bad_line_is_named_and_nothing_is_imported(
    app: App, tmp_path: Path, line: bytes, fault: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("eren_memory.transfer._BATCH", 1)
    file = written(tmp_path / "notes.jsonl", {"text": "Good."}, {"text": "Fine."}, line)
    with pytest.raises(ImportRefused, match=rf"(?s)notes\.jsonl, line 3: .*(?:{fault})") as caught:
        await import_notes(app.notebook, "g", file, "ann")
    assert "Nothing was imported" in str(caught.value)
    assert await app.notebook.notes("g") == []


async def test_a_pipe_is_refused_because_it_cannot_be_checked_first(app: App, tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ImportRefused, match="not a regular file"):
        await import_notes(app.notebook, "g", pipe, "ann")


async def test_a_file_that_cannot_be_read_is_named(app: App, tmp_path: Path):
    for path in (tmp_path / "missing.jsonl", tmp_path):
        with pytest.raises(ImportRefused, match="cannot be read"):
            await import_notes(app.notebook, "g", path, "ann")


_IMPORT = """
import sys
from eren_memory import transfer
from eren_memory.cli import main
transfer._BATCH = 7
sys.argv = ["eren", "import", sys.argv[1]]
main()
"""


async def test_an_import_that_was_killed_is_completed_by_running_it_again(
    settings: Settings, endpoint, tmp_path: Path
):
    file = written(
        tmp_path / "notes.jsonl", *(json.dumps({"text": f"Note {n} of many."}) for n in range(700))
    )
    environment = {
        **os.environ,
        "EREN_HOME": str(settings.home),
        "EREN_MODEL": "scripted",
        "OPENAI_BASE_URL": endpoint.url,
        "EREN_EMBEDDING_MODEL": "hashed-words",
        "EREN_EMBEDDING_URL": endpoint.url,
    }
    import asyncio

    for wait in (0.0, 0.1, 0.3):
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _IMPORT, str(file), env=environment, stdout=subprocess.DEVNULL
        )
        database = settings.home / "notebook.db"
        deadline = time.monotonic() + 30
        while not database.exists() and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3 + wait)
        if child.returncode is None:
            child.send_signal(signal.SIGKILL)
        await child.wait()
    async with open_app(settings) as app:
        await import_notes(app.notebook, "local", file, "ann")
        notes = await app.notebook.notes("local")
        assert [note.number for note in notes] == list(range(1, 701))
        assert {note.text for note in notes} == {f"Note {n} of many." for n in range(700)}
        await app.notebook.project()
        assert await (await app.notebook.open()).count() == 700
