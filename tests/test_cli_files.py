"""`eren import`, `export`, `backup` and `reconcile`: the notebook in files, and the index beside it."""

import json
from pathlib import Path

import pytest

from eren_memory.app import open_app
from eren_memory.config import Settings
from tests.command_line import CommandLine

NOON = "The ferry leaves at noon."
TEN = "The ferry leaves at ten."
BRIDGE = "Bridges open on Sundays."


@pytest.fixture
def eren(settings: Settings) -> CommandLine:
    return CommandLine(settings)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Notes to import, one of which there may be already."""
    path = tmp_path / "notes.jsonl"
    lines = ({"text": NOON}, {"text": BRIDGE, "scope": "channel:staff"})
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


async def texts(eren: CommandLine, **variables: str) -> list[str]:
    return [one["text"] for one in (await eren("note", "list", "--json", **variables)).data]


async def test_a_dry_run_says_what_an_import_would_do_and_does_nothing(
    eren: CommandLine, file: Path
):
    await eren("note", "add", NOON)
    dry = await eren("import", str(file), "--dry-run")
    assert (dry.status, dry.err) == (0, "")
    assert dry.out == f"+ {BRIDGE}\n1 new, 0 changed, 1 known. Nothing was written.\n"
    plan = (await eren("import", str(file), "--dry-run", "--json")).data
    assert (plan["added"], plan["changed"], plan["known"]) == (1, 0, 1)
    assert plan["plan"] == [{"outcome": "new", "number": None, "text": BRIDGE, "changes": {}}]
    assert await texts(eren) == [NOON]


async def test_an_import_adds_what_is_new_and_again_changes_nothing(eren: CommandLine, file: Path):
    await eren("note", "add", NOON)
    done = await eren("import", str(file))
    assert (done.status, done.out) == (0, "Added 1 notes, 1 were known.\n")
    assert (await eren("import", str(file), "--json")).data == {
        "added": 0, "changed": 0, "known": 2, "erased": 0, "waiting": 0,
    }  # fmt: skip
    assert await texts(eren) == [NOON, BRIDGE]
    assert (await eren("note", "show", "2", "--json")).data["scope"] == "channel:staff"


async def test_an_export_that_was_edited_comes_back_as_edits_with_old_and_new(
    eren: CommandLine, tmp_path: Path
):
    await eren("note", "add", NOON)
    exported = await eren("export", str(tmp_path / "out.jsonl"))
    assert (exported.status, exported.out) == (0, f"Wrote 1 notes to {tmp_path}/out.jsonl.\n")
    changed = (tmp_path / "out.jsonl").read_text().replace("noon", "ten")
    (tmp_path / "out.jsonl").write_text(changed)
    dry = await eren("import", str(tmp_path / "out.jsonl"), "--dry-run")
    assert f"~ #1\n    text: '{NOON}' → '{TEN}'\n" in dry.out
    plan = (await eren("import", str(tmp_path / "out.jsonl"), "--dry-run", "--json")).data
    assert plan["plan"] == [
        {
            "outcome": "changed", "number": 1, "text": TEN,
            "changes": {"text": {"old": NOON, "new": TEN}},
        }
    ]  # fmt: skip
    assert await texts(eren) == [NOON]
    assert (await eren("import", str(tmp_path / "out.jsonl"), "--json")).data["changed"] == 1
    assert await texts(eren) == [TEN]
    assert (await eren("note", "undo")).status == 0
    assert await texts(eren) == [NOON]


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
async def test_what_is_exported_is_imported_elsewhere_to_the_same_notes(
    eren: CommandLine, tmp_path: Path, ending: str
):
    await eren(
        "note", "add", NOON, "--question", "When?", "--source", "s", "--scope", "channel:a,b",
        "--valid-until", "2099-01-01", "--probe", "p?", "--probe-not", "q?", "--reason", 'r, "r"',
    )  # fmt: skip
    await eren("note", "add", f"{BRIDGE}\nAnd on Mondays.", "--draft")
    file = str(tmp_path / f"out.{ending}")
    assert (await eren("export", file, "--json")).data == {"exported": 2, "file": file}
    home = {"EREN_HOME": str(tmp_path / "elsewhere")}
    assert (await eren("import", file, "--json", **home)).data["added"] == 2
    here = (await eren("note", "list", "--json")).data
    assert (await eren("note", "list", "--json", **home)).data == here


async def test_an_export_with_history_takes_every_revision_along(eren: CommandLine, tmp_path: Path):
    await eren("note", "add", NOON)
    await eren("note", "edit", "1", TEN, "--reason", "winter")
    file = str(tmp_path / "out.jsonl")
    await eren("export", file, "--history")
    home = {"EREN_HOME": str(tmp_path / "elsewhere")}
    await eren("import", file, **home)
    history = (await eren("note", "history", "1", "--json")).data
    assert (await eren("note", "history", "1", "--json", **home)).data == history
    assert len(history) == 2


async def test_a_line_that_is_no_note_is_named_and_nothing_is_imported(
    eren: CommandLine, file: Path
):
    file.write_text(f'{file.read_text()}{{"text": "x", "status": "odd"}}\n')
    refused = (await eren("import", str(file))).refusal
    assert "notes.jsonl" in refused
    assert "3" in refused
    assert "status" in refused
    assert await texts(eren) == []


async def test_an_export_cannot_be_written_where_there_is_no_folder(
    eren: CommandLine, tmp_path: Path
):
    await eren("note", "add", NOON)
    assert "cannot be written" in (await eren("export", str(tmp_path / "no" / "x.csv"))).refusal
    assert "cannot be written" in (await eren("backup", str(tmp_path / "no" / "x.zip"))).refusal


async def test_a_backup_brings_everything_back_in_an_empty_place(eren: CommandLine, tmp_path: Path):
    await eren("note", "add", NOON)
    await eren("note", "edit", "1", TEN, "--reason", "winter")
    await eren("note", "add", "Theirs.", "--guild", "theirs")
    file, home = str(tmp_path / "all.zip"), {"EREN_HOME": str(tmp_path / "elsewhere")}
    made = await eren("backup", file)
    assert (made.status, made.out) == (0, "Backed up 2 notes with 3 revisions.\n")
    back = (await eren("backup", file, "--restore", "--json", **home)).data
    assert (back["file"], back["rows"]["notes"], back["rows"]["revisions"]) == (file, 2, 3)
    for words in (("list",), ("list", "--guild", "theirs"), ("history", "1")):
        here = (await eren("note", *words, "--json")).data
        assert (await eren("note", *words, "--json", **home)).data == here
    [found] = (await eren("note", "search", "ferry", "--json", **home)).data
    assert found["text"] == TEN


async def test_a_backup_does_not_overwrite_notes_unless_it_is_told_to(
    eren: CommandLine, tmp_path: Path
):
    file = str(tmp_path / "all.zip")
    await eren("note", "add", NOON)
    await eren("backup", file)
    await eren("note", "edit", "1", TEN)
    await eren("note", "add", BRIDGE)
    await eren("note", "search", "ferry")
    assert "--replace" in (await eren("backup", file, "--restore")).refusal
    assert await texts(eren) == [TEN, BRIDGE]
    back = await eren("backup", file, "--restore", "--replace")
    assert (back.status, back.out) == (0, "Restored 1 notes with 1 revisions.\n")
    assert await texts(eren) == [NOON]
    # The index of what was there before is not believed.
    found = (await eren("note", "search", "ferry bridges", "--json")).data
    assert [one["text"] for one in found] == [NOON]


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short"])
async def test_what_is_no_backup_is_refused_and_nothing_changes(
    eren: CommandLine, tmp_path: Path, content: bytes
):
    file = tmp_path / "all.zip"
    file.write_bytes(content)
    await eren("note", "add", NOON)
    assert "all.zip" in (await eren("backup", str(file), "--restore", "--replace")).refusal
    assert (
        "cannot be read"
        in (await eren("backup", str(tmp_path / "none.zip"), "--restore", "--replace")).refusal
    )
    assert await texts(eren) == [NOON]


async def test_reconciling_a_sound_index_finds_nothing(eren: CommandLine):
    await eren("note", "add", NOON)
    assert (await eren("reconcile", "--json")).data == {
        "checked": 1, "missing": 0, "stale": 0, "orphaned": 0,
    }  # fmt: skip
    said = await eren("reconcile")
    assert (said.status, said.err) == (0, "")
    assert said.out.startswith("Compared 1 notes: ")
    assert said.out.endswith("All well.\n")


async def test_reconciling_reports_and_repairs_what_is_missing(
    eren: CommandLine, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("eren_memory.projections._LOOK_SECONDS", 3600)
    await eren("note", "add", NOON)
    await eren("note", "add", BRIDGE)
    async with open_app(settings) as app:
        ferry, bridge = await app.notebook.ledger.notes("local")
        await app.notebook.projector.project()
        index = await app.notebook.projector.open()
        await index.remove([ferry.id])
        await index.checkpoint()
        # A note that waits makes up for the one that is gone: counting does not tell.
        await app.notebook.ledger.outbox.enqueue([bridge.id])
    said = (await eren("reconcile", "--json")).data
    assert said == {"checked": 2, "missing": 1, "stale": 0, "orphaned": 0}
    found = (await eren("note", "search", "ferry", "--json")).data
    assert NOON in [one["text"] for one in found]
    again = await eren("reconcile")
    assert again.out.endswith("All well.\n")


async def test_reconciling_beside_the_holder_of_the_index_is_refused(
    eren: CommandLine, settings: Settings
):
    async with open_app(settings) as holder:
        await holder.warm()
        assert "Another process" in (await eren("reconcile")).refusal
