"""Every answered case on disk as it comes, so that a killed run goes on where it stopped."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eren_memory.domain import Origin, Usage
from eren_memory.errors import BadInput
from eren_memory.evaluation.datasets import Case, Kind


@dataclass(frozen=True, slots=True)
class Row:
    """One case by one method; `error` in place of an answer where it failed."""

    method: str
    case: Case
    answer: str
    origin: Origin | None
    usage: Usage
    milliseconds: float
    error: str | None = None


class Journal:
    """A JSONL file of rows, written one by one. Without a path it keeps nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def add(self, row: Row) -> None:
        """Write a row; it survives a kill of this process."""
        if self._path:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(row), ensure_ascii=False) + "\n")

    def rows(self) -> list[Row]:
        """The rows so far. A last line that was cut short is dropped from the file.

        Raises:
            BadInput: Another line is not a row.
        """
        if not self._path or not self._path.is_file():
            return []
        text = self._path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            self._path.write_text(whole, encoding="utf-8")
        try:
            return [_row(json.loads(line)) for line in whole.split("\n") if line]
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(f"{self._path} is not a journal of eren eval: remove it.") from error


def _row(fields: dict[str, Any]) -> Row:
    case, origin = fields["case"], fields["origin"]
    return Row(
        fields["method"],
        Case(case["edit_id"], Kind(case["kind"]), case["text"], case["target"]),
        fields["answer"],
        Origin(origin) if origin else None,
        Usage(**fields["usage"]),
        fields["milliseconds"],
        fields["error"],
    )
