"""JSONL and CSV, line by line: a file of any size takes the memory of one line."""

from __future__ import annotations

import csv
import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from eren_memory.errors import BadInput, ImportRefused
from eren_memory.transfer.records import FIELDS, HISTORY, Record

# A note with its probes and a very long history.
_LINE_LIMIT = 32_000_000
# Fields that CSV holds as JSON; the others are text.
_JSON = {"probes", HISTORY}
# A spreadsheet would compute a cell that begins so; the apostrophe makes it text, and is doubled
# where the text has it already, so that nothing is lost. One that is set up for another country divides
# cells at semicolons, whatever is quoted: what comes after one, or on a new line, may begin a cell too.
_FORMULA = re.compile(r"(\A|[;\t\r\n][^\S\t\r\n]*\"*)('*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")


class Writer(Protocol):
    """Takes records one by one."""

    def write(self, record: Record) -> None:
        """Append a record."""
        ...


def read(path: Path) -> Iterator[tuple[int, Record]]:
    """Records with the numbers of their lines; the name's ending tells CSV from JSONL.

    Raises:
        ImportRefused: The file cannot be read, or a line is of no use; the line is named.
    """
    if path.exists() and not path.is_file():
        raise ImportRefused(
            f"{path} cannot be read twice: it is not a regular file. Save it first."
        )
    try:
        with path.open("rb") as file:
            yield from _csv(file) if is_csv(path) else _jsonl(file)
    except _AtLine as error:
        raise ImportRefused(
            f"{path.name}, line {error.number}: {error} Nothing was imported."
        ) from None
    except OSError as error:
        raise ImportRefused(f"{path} cannot be read: {error.strerror}.") from error


@contextmanager
def written(path: Path, *, history: bool) -> Iterator[Writer]:
    """A file to write records to; it appears under its name when it is whole.

    Raises:
        BadInput: It cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        # Spreadsheets take CSV for something else than UTF-8 without the mark.
        encoding = "utf-8-sig" if is_csv(path) else "utf-8"
        with part.open("w", encoding=encoding, newline="") as file:
            yield _CsvWriter(file, history=history) if is_csv(path) else _JsonlWriter(file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)


def is_csv(path: Path) -> bool:
    """Whether the file's name says CSV."""
    return path.suffix.casefold() == ".csv"


class _AtLine(BadInput):
    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number = number


class _JsonlWriter:
    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, record: Record) -> None:
        self._file.write(json.dumps(record, ensure_ascii=False) + "\n")


class _CsvWriter:
    def __init__(self, file: IO[str], *, history: bool) -> None:
        names = [*FIELDS, HISTORY] if history else [*FIELDS]
        self._csv = csv.DictWriter(file, names)
        self._csv.writeheader()

    def write(self, record: Record) -> None:
        self._csv.writerow({name: _cell(name, value) for name, value in record.items()})


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    text = json.dumps(value, ensure_ascii=False) if name in _JSON else str(value)
    return _FORMULA.sub(r"\1'\2", text)


def _jsonl(file: IO[bytes]) -> Iterator[tuple[int, Record]]:
    for number, line in enumerate(_lines(file), start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line, object_pairs_hook=_once)
        except json.JSONDecodeError as error:
            fault = f"The line is not JSON ({error.msg}, column {error.colno})."
            raise _AtLine(number, fault) from None
        except ValueError as error:  # A number with thousands of digits.
            raise _AtLine(number, f"The line cannot be read as JSON: {error!s:.60}.") from None
        except RecursionError:
            raise _AtLine(number, "The line is nested too deeply.") from None
        if not isinstance(found, dict):
            raise _AtLine(number, 'The line is not a note: {"text": "…"}.')
        yield number, found


def _csv(file: IO[bytes]) -> Iterator[tuple[int, Record]]:
    csv.field_size_limit(_LINE_LIMIT)
    lines = _lines(file)
    header = next(lines, "")
    delimiter = max(",;\t", key=header.count)
    names = [name.strip() for name in next(csv.reader([header], delimiter=delimiter), [])]
    if "text" not in names:
        raise _AtLine(1, "The first line must name the columns, text among them.")
    if repeated := [name for name, times in Counter(names).items() if times > 1]:
        raise _AtLine(
            1, f"The column {min(repeated)!r:.40} stands there twice; one text is enough."
        )
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            number = reader.line_num + 1
            if not any(cells):
                continue
            if len(cells) != len(names):
                fault = f"The row has {len(cells)} cells, the first line {len(names)}."
                raise _AtLine(number, fault)
            yield number, {n: _value(n, c, number) for n, c in zip(names, cells, strict=True)}
    except csv.Error as error:
        raise _AtLine(reader.line_num + 1, f"The row is not CSV ({error}).") from None


def _value(name: str, cell: str, line: int) -> Any:
    text = _FORMULA.sub(lambda found: found[1] + found[2][1:], cell)
    if not text:
        return None
    if name not in _JSON:
        return text
    try:
        return json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise _AtLine(line, f"The cell {name} is not JSON.") from None


def _once(pairs: list[tuple[str, Any]]) -> Record:
    """An object; of a field that stands there twice people would read one and we the other."""
    found = dict(pairs)
    if len(found) != len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the field {twice!r:.40} stands there twice")
    return found


def _lines(file: IO[bytes]) -> Iterator[str]:
    for number, raw in enumerate(iter(lambda: file.readline(_LINE_LIMIT + 1), b""), start=1):
        if len(raw) > _LINE_LIMIT:
            raise _AtLine(number, f"The line is longer than {_LINE_LIMIT:,} bytes.")
        try:
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise _AtLine(number, f"The line is not UTF-8 (byte {error.start + 1}).") from None
