"""Files as people and programs make them: what is read, what is refused whole, what is cut short."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest

from eren_memory.app import App
from eren_memory.domain import NoteDraft, Probes
from eren_memory.errors import ImportRefused
from eren_memory.text import NOTE_LIMIT
from eren_memory.transfer.exporting import export_notes
from eren_memory.transfer.importing import Imported, import_notes
from tests.test_transfer import ANN, BOB, SPRING, both_formats, texts, written

UUID_1 = "0192d3a0-0000-7000-8000-000000000001"
LONG = 40_000_000
GOOD = ({"text": "Good.", "revision": "1"}, {"text": "Fine.", "revision": "1"})
HISTORY = {"revision": 1, "text": "a", "act": "add", "actor_id": "ann", "at": "2026-01-01"}


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row is a transaction of its own."""
    monkeypatch.setattr("eren_memory.transfer.importing._BATCH", 1)


def as_csv(path: Path, *rows: dict[str, Any], delimiter: str = ",") -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        names = list(dict.fromkeys(name for row in rows for name in row))
        writer = csv.DictWriter(file, names, delimiter=delimiter)
        writer.writeheader()
        for row in rows:
            writer.writerow({n: v if isinstance(v, str) else json.dumps(v) for n, v in row.items()})
    return path


async def refused(app: App, file: Path, line: int, fault: str) -> None:
    with pytest.raises(ImportRefused, match=rf"(?s){file.name}, line {line}: .*(?:{fault})") as e:
        await import_notes(app.notebook, "g", file, ANN)
    assert str(e.value).endswith("Nothing was imported.")
    assert await app.notebook.ledger.is_empty()


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
async def test_a_spreadsheets_csv_is_read_whatever_its_separator_line_end_and_mark(
    app: App, tmp_path: Path, ends: str, delimiter: str, mark: str
):
    rows = [
        ["source_url", "text", "scope", "valid_until", "id", "probes"],
        ["", '"Zwei; drei,\tvier."', "", "", "", ""],
        ["https://x", f'"Two{ends}lines, ""quoted""."', "channel:1", "2027-01-31", "", ""],
        ["", "", "", "", "", ""],
        ["", "Drei – ünïcode 🎉", "guild", "", UUID_1, '"{""keep"": [""Q?""]}"'],
    ]
    file = tmp_path / "notes.CSV"
    lines = ends.join(delimiter.join(row) for row in rows)
    file.write_text(mark + lines, encoding="utf-8", newline="")
    assert await import_notes(app.notebook, "g", file, ANN) == Imported(new=3)
    one, two, three = await app.notebook.ledger.notes("g")
    assert (one.text, two.text) == ("Zwei; drei,\tvier.", 'Two\nlines, "quoted".')
    assert (two.source_url, two.scope, str(two.valid_until)[:10]) == (
        "https://x", ("1",), "2027-01-31",
    )  # fmt: skip
    assert (three.text, str(three.id)) == ("Drei – ünïcode 🎉", UUID_1)
    assert three.probes == Probes(keep=("Q?",))
    assert {note.author_id for note in (one, two, three)} == {"ann"}


async def test_jsonl_may_have_a_mark_empty_lines_and_any_of_the_fields(app: App, tmp_path: Path):
    lines: list[Any] = [
        b"\xef\xbb\xbf" + b'{"text": "One."}\r',
        "",
        {"text": "Two.", "reason": None},
        "  ",
    ]
    file = written(tmp_path / "notes.jsonl", *lines, {"number": 7, "text": "x" * NOTE_LIMIT})
    assert await import_notes(app.notebook, "g", file, ANN) == Imported(new=3)
    assert await texts(app) == ["One.", "Two.", "x" * NOTE_LIMIT]
    assert [note.number for note in await app.notebook.ledger.notes("g")] == [1, 2, 7]


@both_formats
async def test_a_row_that_was_added_to_an_export_becomes_a_note(
    app: App, tmp_path: Path, ending: str
):
    await app.notebook.add("g", NoteDraft("One."), ANN)
    file = tmp_path / f"notes.{ending}"
    await export_notes(app.notebook, "g", file)
    with file.open("a", encoding="utf-8", newline="") as out:
        empty = "," * (file.read_text().splitlines()[0].count(",") - 2)
        out.write(f",,Two.{empty}\r\n" if ending == "csv" else '{"text": "Two."}\n')
    assert await import_notes(app.notebook, "g", file, BOB) == Imported(new=1, known=1)
    note = await app.notebook.ledger.note("g", 2)
    assert (note.text, note.status, note.author_id, note.revision) == ("Two.", "active", "bob", 1)
    assert note.verified_at == note.created_at


SIGNS = ["=", "+", "-", "@", "＝", "＋", "－", "＠", "'=", "''="]


async def test_an_exported_csv_is_marked_as_utf_8_and_no_cell_is_a_formula(
    app: App, tmp_path: Path
):
    said = [f"{sign}A{n}" for n, sign in enumerate(SIGNS)]
    for text in said:
        await app.notebook.add("g", NoteDraft(text, question=text, source_url=text), ANN)
    await export_notes(app.notebook, "g", tmp_path / "notes.csv", history=True)
    assert (tmp_path / "notes.csv").read_bytes().startswith("\ufeffid,number,text".encode())
    with (tmp_path / "notes.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row, text in zip(rows, said, strict=True):
        assert row["text"] == row["question"] == row["source_url"] == f"'{text}"
        assert not any(cell.startswith(tuple(SIGNS[:8])) for cell in row.values())


FAULTS: list[tuple[str, Any, str]] = [
    ("text", "", "needs a text|is empty"),
    ("text", " \u200b ", "The note is empty"),
    ("text", "x" * (NOTE_LIMIT + 1), "limit is 2,000"),
    ("text", "a\0b", r"U\+0000"),
    ("question", "x" * 1_001, "limit is 1,000"),
    ("reason", "a\x1bb", r"U\+001B"),
    ("scope", "everyone", "field scope: 'everyone' is not a scope"),
    ("scope", "channel:", "not a scope"),
    ("scope", "channel:" + "x" * 65, "printable characters"),
    ("status", "gone", "field status cannot be read: 'gone'"),
    ("status", "erased", "field status: An erased note cannot"),
    ("id", "1234", "field id cannot be read: '1234'"),
    ("superseded_by", "#2", "field superseded_by cannot be read"),
    ("number", "0", "field number: 0 is not between 1 and"),
    ("number", "-3", "field number: -3 is not"),
    ("number", "2147483648", "field number: 2147483648 is not"),
    ("number", "one", "field number cannot be read: 'one'"),
    ("number", "9" * 5_000, "field number cannot be read"),
    ("revision", "1.5", "field revision cannot be read"),
    ("author_id", "x" * 65, "limit is 64"),
    ("author_id", "a\u2028b", "cannot be printed"),
    ("valid_from", "01/02/2027", "field valid_from: '01/02/2027' is not an ISO 8601 date"),
    ("valid_until", "2027-02-30", "field valid_until: .* is not an ISO 8601 date"),
    ("review_by", "soon", "field review_by: .* is not an ISO"),
    ("created_at", "9999-12-31T23:59-01:00", "field created_at: .* is not an ISO"),
    ("probes", {"change": "When?"}, "field probes"),
    ("probes", {"change": ["x" * 1_001]}, "The probe has 1,001 characters"),
    ("probes", {"change": ["Q?"] * 21}, "more than 20 probes"),
    ("probes", {"ask": ["Q?"]}, "field probes: It looks like"),
    ("probes", ["Q?"], "field probes: It looks like"),
    ("colour", "red", "no field 'colour'; id, number, text"),
    ("history", 5, "field history is not a list"),
    ("history", ["a"], "lacks revision, text, act"),
    ("history", [HISTORY | {"revision": 2}], "history does not end with the note's own"),
    ("history", [HISTORY | {"at": "soon"}], "field at: .* is not an ISO"),
    ("history", [HISTORY | {"colour": 1}], "unknown field: 'colour'"),
    ("history", [HISTORY | {"text": "a\0b"}], r"U\+0000"),
    ("history", [HISTORY | {"text": "\ud800"}], r"U\+D800"),
    ("history", [HISTORY | {"act": "a" * 40}], "field act"),
    ("history", [HISTORY | {"text": "x" * (NOTE_LIMIT + 1)}], "limit is 2,000"),
    ("history", [HISTORY, HISTORY], "history"),
]


@both_formats
@pytest.mark.parametrize(
    ("field", "value", "fault"), FAULTS, ids=[f"{n}-{one[0]}" for n, one in enumerate(FAULTS)]
)
async def test_a_row_of_no_use_is_named_with_its_line_and_nothing_is_imported(
    app: App, tmp_path: Path, one_by_one, ending: str, field: str, value: Any, fault: str
):
    bad = {"text": "a", "revision": "1"} | {field: value}
    if ending == "csv":
        # An unknown column is in every row.
        line = 2 if field == "colour" else 4
        await refused(app, as_csv(tmp_path / "notes.csv", *GOOD, bad), line, fault)
    else:
        await refused(app, written(tmp_path / "notes.jsonl", *GOOD, bad), 3, fault)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b'{"text": "half', r"not JSON \(.*, column \d+\)"),
        (b'{"text": "\xff"}', r"not UTF-8 \(byte 11\)"),
        (b'{"text": "a\x00b"}', "not JSON"),
        (b'{"text": "\\ud800"}', r"U\+D800"),
        (b'{"text": 5}', "needs a text"),
        (b'{"question": "a"}', "needs a text"),
        (b'{"text": "a", "question": 5}', "field question: It is not text"),
        (b'{"text": "a", "number": true}', "field number"),
        (b'{"text": "a", "probes": {"keep": [5]}}', "field probes: It is not text"),
        (b'["text"]', "not a note"),
        (b"[" * 90_000, "JSON|nested"),
        (b'{"text": ' + b"9" * 5_000 + b"}", "cannot be read as JSON"),
        (b'{"text": "LONG"}', "line is longer than"),
    ],
    ids=range(13),
)
async def test_a_line_that_is_no_note_is_named_and_nothing_is_imported(
    app: App, tmp_path: Path, one_by_one, line: bytes, fault: str
):
    line = line.replace(b"LONG", LONG * b"x")
    file = written(tmp_path / "notes.jsonl", *GOOD, line, {"text": "After."})
    await refused(app, file, 3, fault)


@pytest.mark.parametrize(
    ("lines", "line", "fault"),
    [
        (b"", 1, "must name the columns, text among them"),
        (b"question;source_url\nWhy?;x", 1, "must name the columns, text among them"),
        (b"text,question\na,\nb,,\n", 3, "row has 3 cells, the first line 2"),
        (b"text,question\na,\nb\n", 3, "row has 1 cells, the first line 2"),
        (b'text\n"a\nb"\n"c\n', 4, "not CSV"),
        (b'text\na\n"b" c\n', 3, "not CSV"),
        (b"text\na\n\xff\n", 3, r"not UTF-8 \(byte 1\)"),
        ("text\nä".encode("utf-16"), 1, "not UTF-8"),
        (b"text\na\nLONG", 3, "line is longer than"),
        (b'text\na\n"' + b"x\n" * 2_000_000, 3, "not CSV|longer"),
        (b"text,probes\na,\nb,{\n", 3, "cell probes is not JSON"),
        (b"text,history\na,\nb,x\n", 3, "cell history is not JSON"),
        (b"text,question,text\na,b,c\n", 1, "text"),
    ],
    ids=range(13),
)
async def test_a_table_that_cannot_be_read_is_refused_at_the_line_where_it_ends(
    app: App, tmp_path: Path, one_by_one, lines: bytes, line: int, fault: str
):
    (tmp_path / "notes.csv").write_bytes(lines.replace(b"LONG", LONG * b"x"))
    with pytest.raises(ImportRefused, match=rf"(?s)notes\.csv, line \d+: .*(?:{fault})") as caught:
        await import_notes(app.notebook, "g", tmp_path / "notes.csv", ANN)
    told = int(str(caught.value).split("line ")[1].split(":")[0])
    assert told == line or (told > line and b'"x' in lines)
    assert await app.notebook.ledger.is_empty()


async def test_a_pipe_is_refused_because_it_cannot_be_checked_first(app: App, tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ImportRefused, match="not a regular file"):
        await import_notes(app.notebook, "g", tmp_path / "pipe", ANN)


async def test_a_file_that_cannot_be_read_is_named(app: App, tmp_path: Path):
    for path in (tmp_path / "missing.jsonl", tmp_path):
        with pytest.raises(ImportRefused, match="cannot be read"):
            await import_notes(app.notebook, "g", path, ANN)


@both_formats
@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        ({"text": "One."}, "Note #1 already says exactly this"),
        ({"valid_until": "2020-01-01"}, "would end before it begins"),
    ],
    ids=["duplicate", "dates"],
)
async def test_an_edit_that_a_person_could_not_make_is_refused_before_anything_is_written(
    app: App, tmp_path: Path, one_by_one, ending: str, edit: dict[str, Any], fault: str
):
    for text in ("One.", "Two."):
        await app.notebook.add("g", NoteDraft(text, valid_from=SPRING), ANN)
    two = await app.notebook.ledger.note("g", 2)
    rows: tuple[dict[str, Any], ...] = (
        {"text": "New."},
        {"id": str(two.id), "text": "Two."} | edit,
    )
    if ending == "csv":
        file = as_csv(tmp_path / "notes.csv", *({"id": ""} | edit | row for row in rows))
    else:
        file = written(tmp_path / "notes.jsonl", *rows)
    line = {"jsonl": 2, "csv": 3}[ending]
    with pytest.raises(ImportRefused, match=f"line {line}: .*{fault}"):
        await import_notes(app.notebook, "g", file, BOB)
    assert await texts(app) == ["One.", "Two."]
    assert (await app.notebook.ledger.note("g", 2)).revision == 1


@pytest.mark.parametrize("batch", [1, 500])
@pytest.mark.parametrize("told", [(1, 2), (None, 1), (1, None)], ids=["edits", "later", "earlier"])
async def test_a_file_does_not_make_one_statement_twice_by_its_edits(
    app: App, tmp_path: Path, batch: int, told: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("eren_memory.transfer.importing._BATCH", batch)
    for text in ("One.", "Two."):
        await app.notebook.add("g", NoteDraft(text), ANN)
    ids = {note.number: {"id": str(note.id)} for note in await app.notebook.ledger.notes("g")}
    file = written(tmp_path / "n.jsonl", *(ids.get(one, {}) | {"text": "Same."} for one in told))
    refusal = ""
    try:
        await import_notes(app.notebook, "g", file, BOB)
    except ImportRefused as error:
        refusal = str(error)
    found = await texts(app)
    assert found == ["One.", "Two."] if refusal else found.count("Same.") == 1
    assert not refusal or "line 2" in refusal
