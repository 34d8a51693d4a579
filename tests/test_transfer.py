"""Notes out to a file and in again: nothing is lost on the way, and nothing happens twice."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft, NoteStatus, Probes
from eren_memory.errors import ImportRefused
from eren_memory.text import NOTE_LIMIT, checked
from eren_memory.transfer.exporting import export_notes
from eren_memory.transfer.importing import Imported, import_notes
from eren_memory.transfer.records import record
from tests.conftest import on_both

ANN, BOB = By("ann", "Why?\nSo that.", "https://discord.com/channels/1/2"), By("bob")
SPRING, SUMMER = datetime(2027, 3, 1, tzinfo=UTC), datetime(2027, 6, 1, 9, 30, 0, 5, tzinfo=UTC)
PROBES = Probes(("When does the ferry leave?", "=A1?"), ("Who owns\nthe “ferry”?",))

both_formats = pytest.mark.parametrize("ending", ["jsonl", "csv"])


@pytest_asyncio.fixture
async def elsewhere(settings: Settings, tmp_path: Path) -> AsyncIterator[App]:
    """Another installation, on SQLite."""
    home = tmp_path / "elsewhere"
    async with open_app(settings.model_copy(update={"home": home, "database_url": None})) as opened:
        yield opened


async def fill(app: App) -> None:
    """Notes of every kind, with a past: numbers 1 to 16, of which #7 is erased."""
    notebook = app.notebook
    texts = ["The ferry leaves at noon.", 'Two lines:\n"quoted", it\'s;\ta tab\n\nand Ω, 日本語.']
    texts += ["👩‍👩‍👧 and می‌خواهم, e\u0301 and é", "x" * NOTE_LIMIT, "𝔘" * NOTE_LIMIT, "=1+1"]
    texts += ["Private.", "The old bridge.", "'=kept", "＝SUM(A1)", "Merged away.", "Retired."]
    for text in texts:
        await notebook.add("g", NoteDraft(text), ANN)
    await notebook.add("g", NoteDraft("A new bridge."), BOB, supersedes=[8])  # 13, and forwards.
    await notebook.merge("g", 9, 11, ANN)  # Backwards.
    for text in ("Waits.", "Was refused.", "Was approved."):
        await notebook.add("g", NoteDraft(text), BOB, status=NoteStatus.DRAFT)
    await notebook.reject("g", 15, By("ann", "no"))
    await notebook.approve("g", 16, ANN)
    await notebook.edit(
        "g", 1, ANN, text="The ferry leaves at one.", question="@When?\r\nToday?", reason="-",
        source_url="https://x/?a=1&b=“2”", scope=("20", "10"), valid_from=SPRING,
        valid_until=SUMMER, review_by=SPRING, probes=PROBES,
    )  # fmt: skip
    await notebook.edit("g", 2, BOB, question="Asked, then cleared")
    await notebook.edit("g", 2, BOB, question=None)
    await notebook.restore("g", 2, ANN, 2)
    await notebook.erase("g", 7, ANN)
    await notebook.retire("g", 12, ANN)
    await notebook.verify("g", 10, BOB, review_by=SUMMER)


async def records(app: App, guild: str = "g") -> list[dict[str, Any]]:
    return [record(note) for note in await app.notebook.ledger.notes(guild)]


async def texts(app: App, guild: str = "g") -> list[str]:
    return [note.text for note in await app.notebook.ledger.notes(guild)]


def written(path: Path, *lines: bytes | str | dict[str, Any]) -> Path:
    """A file of these lines; a mapping is written as JSON."""
    raw = [json.dumps(line) if isinstance(line, dict) else line for line in lines]
    path.write_bytes(b"\n".join(one.encode() if isinstance(one, str) else one for one in raw))
    return path


def revised(path: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """The file as a spreadsheet would save it after `change` was made to each row."""
    if path.suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for row in rows:
            change(row)
        return written(path, *rows)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        change(row)
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(out.getvalue(), encoding="utf-8-sig", newline="")
    return path


@on_both
@both_formats
@pytest.mark.parametrize("history", [False, True], ids=["alone", "with history"])
async def test_what_was_exported_and_imported_elsewhere_exports_as_the_same_file(
    app: App, elsewhere: App, tmp_path: Path, ending: str, history: bool
):
    await fill(app)
    first, second = tmp_path / f"first.{ending}", tmp_path / f"second.{ending}"
    assert await export_notes(app.notebook, "g", first, history=history) == 15
    assert await import_notes(elsewhere.notebook, "g", first, BOB) == Imported(new=15)
    await export_notes(elsewhere.notebook, "g", second, history=history)
    if history:
        for n in (1, 2, 10, 15):
            assert await elsewhere.notebook.history("g", n) == await app.notebook.history("g", n)
    assert first.read_bytes() == second.read_bytes()
    assert [one["number"] for one in await records(elsewhere)] == [*range(1, 7), *range(8, 17)]
    assert (await elsewhere.notebook.add("g", NoteDraft("One more."), ANN)).number == 17


async def test_an_erased_note_is_not_exported(app: App, tmp_path: Path):
    await fill(app)
    await export_notes(app.notebook, "g", tmp_path / "notes.jsonl", history=True)
    assert not any(
        json.loads(line)["number"] == 7 or "Private" in line or "erased" in line
        for line in (tmp_path / "notes.jsonl").read_text().splitlines()
    )


async def test_a_history_that_an_export_wrote_can_be_imported_however_long(
    app: App, elsewhere: App, tmp_path: Path
):
    await app.notebook.add("g", NoteDraft("🎉" * NOTE_LIMIT), ANN)
    for n in range(12):
        probes = Probes(tuple(f"{n} {i} " + "🎉" * 900 for i in range(20)))
        await app.notebook.edit("g", 1, ANN, probes=probes)
    await export_notes(app.notebook, "g", tmp_path / "notes.jsonl", history=True)
    await import_notes(elsewhere.notebook, "g", tmp_path / "notes.jsonl", BOB)
    assert await records(elsewhere) == await records(app)


note_texts = (
    st.tuples(
        st.sampled_from(
            ["", "=", "+", "-", "@", "'", "''=", "'a", "＝", "＋", "－", "＠", '"', "{"]
        ),
        st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t,;'\"")),
        st.characters(categories=["L", "N", "P", "S"]),
    )
    .map("".join)
    .map(lambda text: checked(text, what="note"))
)
moments = st.datetimes(timezones=st.just(UTC))
drafts = st.builds(
    NoteDraft,
    text=note_texts,
    question=st.none() | note_texts,
    source_url=st.none() | note_texts,
    reason=st.none() | note_texts,
    scope=st.sampled_from([(), ("1",), ("=2", "a b", "ü:x")]),
    valid_from=st.sampled_from([None, SPRING]),
    valid_until=st.none() | moments.filter(lambda moment: moment > SPRING),
    review_by=st.none() | moments,
    probes=st.builds(Probes, *[st.lists(note_texts, max_size=2).map(tuple)] * 2),
)
_guilds = count()


@both_formats
@examples(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(made=st.lists(drafts, min_size=1, max_size=5))
@example(made=[NoteDraft(f"{sign}1") for sign in "=+-@'＝＋－＠\ufeff\u2028"])
async def test_whatever_a_note_says_survives_export_and_import(
    app: App, elsewhere: App, tmp_path: Path, ending: str, made: list[NoteDraft]
):
    guild, file = f"g{next(_guilds)}", tmp_path / f"notes.{ending}"
    await app.notebook.add_many(guild, made, ANN)
    await export_notes(app.notebook, guild, file, history=True)
    await import_notes(elsewhere.notebook, guild, file, BOB)
    assert await records(elsewhere, guild) == await records(app, guild)
    before = file.read_bytes()
    await export_notes(elsewhere.notebook, guild, file, history=True)
    assert file.read_bytes() == before


@on_both
@both_formats
async def test_another_guild_of_the_same_ledger_gets_copies_of_its_own_and_only_once(
    app: App, tmp_path: Path, ending: str
):
    await fill(app)
    file = tmp_path / f"notes.{ending}"
    await export_notes(app.notebook, "g", file, history=True)
    assert await import_notes(app.notebook, "copy", file, BOB) == Imported(new=15)
    assert await import_notes(app.notebook, "copy", file, BOB) == Imported(known=15)
    here = [one for one in await records(app) if one["status"] != NoteStatus.ERASED]
    there = await records(app, "copy")
    own = {one["id"]: other["id"] for one, other in zip(here, there, strict=True)}
    assert not own.keys() & {*own.values()}
    exported = file.read_text()
    for one, other in own.items():
        exported = exported.replace(one, other)
    await export_notes(app.notebook, "copy", file, history=True)
    assert file.read_text() == exported


@both_formats
async def test_importing_an_export_again_changes_nothing(app: App, tmp_path: Path, ending: str):
    await fill(app)
    file, again = tmp_path / f"notes.{ending}", tmp_path / f"again.{ending}"
    await export_notes(app.notebook, "g", file, history=True)
    assert await import_notes(app.notebook, "g", file, BOB) == Imported(known=15)
    await export_notes(app.notebook, "g", again, history=True)
    assert again.read_bytes() == file.read_bytes()


async def test_importing_plain_rows_again_adds_only_what_is_missing(app: App, tmp_path: Path):
    rows: list[dict[str, Any]] = [{"text": "One."}, {"text": "Two.", "status": "draft"}]
    rows += [{"text": "Gone.", "status": "retired"}]
    file = written(tmp_path / "notes.jsonl", *rows)
    assert await import_notes(app.notebook, "g", file, ANN) == Imported(new=3)
    assert await import_notes(app.notebook, "g", file, ANN) == Imported(known=3)
    file = written(file, {"text": "ONE. "}, *rows, {"text": "Three."})
    assert await import_notes(app.notebook, "g", file, ANN) == Imported(new=1, known=4)
    assert await texts(app) == ["One.", "Two.", "Gone.", "Three."]


async def test_a_statement_that_stands_in_a_file_twice_becomes_one_note(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("eren_memory.transfer.importing._BATCH", 2)
    lines = [{"text": text} for text in ("One.", "Two.", "Three.", "one.", "Two.")]
    file = written(tmp_path / "notes.jsonl", *lines)
    wanted = Imported(new=3, known=2)
    assert await import_notes(app.notebook, "g", file, ANN, dry_run=True) == wanted
    assert await import_notes(app.notebook, "g", file, ANN) == wanted
    assert await texts(app) == ["One.", "Two.", "Three."]


async def test_a_note_without_a_number_of_its_own_gets_one_that_is_free(app: App, tmp_path: Path):
    await app.notebook.add("g", NoteDraft("First here."), ANN)
    rows: list[dict[str, Any]] = [{"text": "a", "number": 2}, {"text": "b"}]
    rows += [{"text": "c", "number": 1}, {"text": "d", "number": 2}, {"text": "e", "number": 9}]
    file = written(tmp_path / "notes.jsonl", *rows, {"text": "f"})
    assert await import_notes(app.notebook, "g", file, ANN) == Imported(new=6)
    found = {note.text: note.number for note in await app.notebook.ledger.notes("g")}
    assert (found["First here."], found["a"], found["e"]) == (1, 2, 9)
    assert len({*found.values()}) == 7


@both_formats
async def test_an_edit_made_in_a_spreadsheet_is_an_edit_by_who_imports_it(
    app: App, tmp_path: Path, ending: str
):
    await fill(app)
    file = tmp_path / f"notes.{ending}"
    await export_notes(app.notebook, "g", file)
    changed = {"text": "The ferry leaves at two.", "scope": "guild", "question": ""}
    revised(file, lambda row: row["question"] and row["number"] in {1, "1"} and row.update(changed))
    done = await import_notes(app.notebook, "g", file, By("bob", "season", "command line"))
    assert done == Imported(changed=1, known=14)
    *_, before, last = await app.notebook.history("g", 1)
    assert (last.act, last.by) == ("import", By("bob", "season", "command line"))
    assert last.note.revision == before.note.revision + 1
    assert dict(last.changes) | {"verified_at": None} == {
        "text": ("The ferry leaves at one.", "The ferry leaves at two."),
        "question": ("@When?\nToday?", None),
        "scope": (("10", "20"), ()),
        "verified_at": None,
    }
    note = await app.notebook.ledger.note("g", 1)
    assert (note.author_id, note.valid_until, note.verified_at) == ("ann", SUMMER, last.at)
    assert await import_notes(app.notebook, "g", file, BOB) == Imported(known=15)


@both_formats
async def test_an_edit_of_a_note_that_moved_on_is_refused_with_its_line_and_nothing_imported(
    app: App, tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("eren_memory.transfer.importing._BATCH", 1)
    for text in ("One.", "Two."):
        await app.notebook.add("g", NoteDraft(text), ANN)
    file = tmp_path / f"notes.{ending}"
    await export_notes(app.notebook, "g", file)
    revised(file, lambda row: row.update(text=row["text"] + " And more."))
    await app.notebook.edit("g", 2, ANN, question="What is two?")
    line = {"jsonl": 2, "csv": 3}[ending]
    with pytest.raises(ImportRefused, match=rf"line {line}: Note #2 is at revision 2 and the row"):
        await import_notes(app.notebook, "g", file, BOB)
    assert await texts(app) == ["One.", "Two."]
    revised(file, lambda row: row.pop("revision"))
    assert await import_notes(app.notebook, "g", file, BOB) == Imported(changed=2)
    assert await texts(app) == ["One. And more.", "Two. And more."]
