"""Every answered case on disk as it comes, so that a killed run goes on where it stopped.

The first line says what the run is; a run is only gone on with by the same one.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TextIO

from filelock import FileLock, Timeout

from eren_memory import domain
from eren_memory.domain import Origin, Usage
from eren_memory.errors import BadInput
from eren_memory.evaluation.datasets import Case, Kind

REFERENCE = "unedited"
"""The method whose answers behaviour preservation compares with; every text is asked once, first."""
AGAIN = "unedited, again"
"""The same asked a second time: how far the endpoint differs from itself."""
UNSIZED = 0
"""`Row.edits` of those two, which look at no notebook."""

_FORMAT = 2


@dataclass(frozen=True, slots=True)
class Run:
    """What makes two runs comparable; the fields that are only told are not compared.

    Attributes:
        file: Name of the data file.
        sha256: Of its content.
        form: What kind of file it is.
        model: The chat model.
        embedder: The embedding space.
        prompts: Version of the prompts.
        decision: Fingerprint of the calibration that decides.
        seed: Of the samples.
        edits: Sizes of the notebook, in edits, ascending.
        questions: Asked at each size; None for all.
        distractors: Notes that belong to no edit.
        distractor_files: SHA-256 of the files that the first of them come from.
        variant: What was done to the file before it was used.
        notes: Notes in the notebook at each size.
        planned: Questions at each size.
        left_out: Questions that were not asked, each with the reason.
        warning: What is odd about the labels.
        machine: What ran it.
        version: Of this program.
    """

    file: str = field(compare=False)
    sha256: str
    form: str
    model: str
    embedder: str
    prompts: str
    decision: str
    seed: int
    edits: tuple[int, ...]
    questions: int | None
    distractors: int = 0
    distractor_files: tuple[str, ...] = ()
    variant: str = "as published"
    notes: tuple[int, ...] = field(default=(), compare=False)
    planned: tuple[int, ...] = field(default=(), compare=False)
    left_out: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    warning: str | None = field(default=None, compare=False)
    machine: str = field(default="", compare=False)
    version: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Row:
    """One case by one method in a notebook of `edits` edits; `error` in place of an answer if it failed.

    Attributes:
        fell_back: The answer is the reply to a request that is the unedited one to the byte.
        ranks: Place (from 1) of each of the edit's notes among the candidates; None where it is not.
            Empty when the method did not search, or the case is not in scope.
        cosine: Of the nearest candidate.
    """

    edits: int
    method: str
    case: Case
    answer: str
    origin: Origin | None
    path: domain.Path | None
    fell_back: bool = False
    usage: Usage = field(default_factory=Usage)
    milliseconds: float = 0.0
    verdict: float | None = None
    p: float | None = None
    ranks: tuple[int | None, ...] = ()
    cosine: float | None = None
    error: str | None = None

    @classmethod
    def unanswered(cls, edits: int, method: str, case: Case) -> Row:
        """Before it was asked."""
        return cls(edits, method, case, "", None, None)

    @property
    def key(self) -> tuple[int, str, Case]:
        """What is asked only once."""
        return self.edits, self.method, self.case


class Journal:
    """A JSONL file of rows, each written as it comes. Without a path it keeps nothing.

    A row that was asked again, because it had failed, takes the place of the earlier one.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._file: TextIO | None = None
        self._lock = FileLock(f"{path}.lock", timeout=0) if path else None

    def begin(self, run: Run, *, resume: bool = False) -> list[Row]:
        """Start a journal, or go on with one; returns the rows that it has already.

        Raises:
            BadInput: There is one and `resume` is not asked for, it is of another run, or another
                process is writing it.
        """
        if self._path is None or self._lock is None:
            return []
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout:
            raise BadInput(
                f"Another process is writing {self._path}: wait for it, or name another folder."
            ) from None
        rows: list[Row] = []
        if self._path.is_file() and self._path.stat().st_size:
            if not resume:
                raise BadInput(
                    f"{self._path.parent} holds a run already: add --resume, or name another folder."
                )
            before, rows = self.read()
            if differing := _differences(before, run):
                raise BadInput(
                    f"{self._path.parent} holds another run: {differing}. "
                    "Give what it was started with, or name another folder."
                )
            self._file = self._path.open("a", encoding="utf-8")
        else:
            self._file = self._path.open("w", encoding="utf-8")
            self._write({"format": _FORMAT, "run": asdict(run)})
        return rows

    def add(self, row: Row) -> None:
        """Write a row; it survives a kill of this process."""
        if self._file:
            self._write(asdict(row))

    def close(self) -> None:
        """Close the file, and let others write it."""
        if self._file:
            self._file.close()
            self._file = None
        if self._lock:
            self._lock.release()

    def read(self) -> tuple[Run, list[Row]]:
        """The run and its rows so far. A last line that was cut short is dropped from the file.

        Raises:
            BadInput: There is no journal, or a line of it is not one that this program writes.
        """
        if self._path is None or not self._path.is_file():
            raise BadInput(f"There is no journal {self._path}: eren eval --out writes one.")
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            self._path.write_bytes(whole)
        head, *lines = whole.decode("utf-8").split("\n")
        rows: dict[tuple[int, str, Case], Row] = {}
        number = 1
        try:
            run = _run(json.loads(head))
            for line in filter(None, lines):
                number += 1
                row = _row(json.loads(line))
                rows[row.key] = row
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise BadInput(
                f"{self._path}, line {number}, is not of a journal of this version of eren eval: "
                "name another folder."
            ) from error
        return run, list(rows.values())

    def _write(self, data: dict[str, Any]) -> None:
        if self._file:
            self._file.write(json.dumps(data, ensure_ascii=False) + "\n")
            self._file.flush()


def _differences(before: Run, now: Run) -> str:
    """The fields that are compared and differ, in words."""
    return ", ".join(
        f"{one.name} was {getattr(before, one.name)} and is {getattr(now, one.name)}"
        for one in fields(Run)
        if one.compare and getattr(before, one.name) != getattr(now, one.name)
    )


def _run(head: dict[str, Any]) -> Run:
    if head["format"] != _FORMAT:
        raise ValueError("another format")
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in head["run"].items()
    }
    values["left_out"] = tuple((text, reason) for text, reason in values["left_out"])
    return Run(**values)


def _row(values: dict[str, Any]) -> Row:
    case, origin, path = values["case"], values["origin"], values["path"]
    return Row(
        **values
        | {
            "case": Case(**case | {"kind": Kind(case["kind"])}),
            "origin": Origin(origin) if origin else None,
            "path": domain.Path(path) if path else None,
            "usage": Usage(**values["usage"]),
            "ranks": tuple(values["ranks"]),
        }
    )
