"""What a run leaves behind, from its journal alone: results.json, report.md, rows.csv and plots."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eren_memory.evaluation import plots
from eren_memory.evaluation.journal import AGAIN, REFERENCE, UNSIZED, Journal, Row, Run
from eren_memory.evaluation.judging import Judged, judged, noise_floor
from eren_memory.evaluation.markdown import page
from eren_memory.evaluation.scoring import figures
from eren_memory.strategies.oracle import OracleNote

JOURNAL = "journal.jsonl"
"""Name of a run's journal in its folder."""

# Below this, even the right note does not bring the target.
_ORACLE_ES = 0.6


@dataclass(frozen=True, slots=True)
class Report:
    """A run with its rows judged: by size of the notebook, in edits, and by method."""

    run: Run
    stages: dict[int, dict[str, list[Judged]]]
    noise_floor: float | None

    @classmethod
    def of(cls, run: Run, rows: Sequence[Row]) -> Report:
        """Judge the rows of a run, whole or not."""
        methods = list(dict.fromkeys(row.method for row in rows if row.edits != UNSIZED))
        # In the order in which the methods were named; a resumed run may have begun with others.
        stages = {
            edits: {method: judged(rows, method, edits) for method in methods}
            for edits in run.edits
        }
        return cls(run, stages, noise_floor(rows))

    def results(self) -> dict[str, Any]:
        """The document that `results.json` holds; its `methods` are those at the largest size."""
        run = self.run
        curve: list[dict[str, Any]] = []
        for edits, notes, planned in zip(run.edits, run.notes, run.planned, strict=True):
            methods = {name: some for name, some in self.stages[edits].items() if some}
            curve.append(
                {
                    "edits": edits,
                    "notes": notes,
                    "questions": len(
                        {one.row.case.text for some in methods.values() for one in some}
                    ),
                    "planned": planned,
                    "methods": {name: figures(some) for name, some in methods.items()},
                }
            )
        last = curve[-1]
        return {
            "machine": run.machine,
            "version": run.version,
            "model": run.model,
            "embedder": run.embedder,
            "data": run.file,
            "sha256": run.sha256,
            "form": run.form,
            "variant": run.variant,
            "seed": run.seed,
            **{name: last[name] for name in ("edits", "notes", "questions", "methods")},
            "distractors": run.distractors,
            "noise_floor": self.noise_floor,
            "complete": self.complete,
            "warning": " ".join(self._warnings(last["methods"])) or None,
            "excluded": self._excluded(),
            "left_out": [{"text": text, "reason": why} for text, why in run.left_out],
            "curve": curve,
        }

    @property
    def complete(self) -> bool:
        """Whether every planned question has a row by every method, and none failed."""
        return all(self.stages.values()) and all(
            len(some) == planned and not any(one.row.error for one in some)
            for planned, methods in zip(self.run.planned, self.stages.values(), strict=True)
            for some in methods.values()
        )

    def _warnings(self, methods: dict[str, Any]) -> Iterator[str]:
        if self.run.warning:
            yield self.run.warning
        oracle = methods.get(OracleNote.name, {"es": None})["es"]
        if oracle is not None and oracle < _ORACLE_ES:
            yield (
                f"{OracleNote.name}, which is shown the right note, has ES {oracle:.3f}: the labels "
                "belong to other rows, or this model does not read."
            )

    def _excluded(self) -> list[dict[str, str]]:
        """The questions that the audited figures at the largest size leave out."""
        cases = {
            one.row.case
            for some in self.stages[self.run.edits[-1]].values()
            for one in some
            if one.row.case.excluded
        }
        return [
            {
                "edit_id": case.edit_id,
                "text": case.text,
                "kind": case.kind,
                "reason": case.excluded or "",
            }
            for case in sorted(cases, key=lambda case: (case.edit_id, case.text))
        ]


def rebuild(folder: Path) -> dict[str, Any]:
    """Write everything in a run's folder anew from its journal; no model is called.

    Raises:
        BadInput: The folder has no journal, or one that cannot be read.
    """
    run, rows = Journal(folder / JOURNAL).read()
    return write(folder, run, rows)


def write(folder: Path, run: Run, rows: Sequence[Row]) -> dict[str, Any]:
    """Write results.json, rows.csv, plots and report.md; returns what is in the first."""
    report = Report.of(run, rows)
    results = report.results()
    drawn = plots.draw(folder, results, report.stages[run.edits[-1]])
    (folder / "results.json").write_text(
        json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    (folder / "report.md").write_text(page(results, drawn), encoding="utf-8")
    _write_rows(folder / "rows.csv", report, rows)
    return results


_COLUMNS = (
    "edits", "method", "edit_id", "stratum", "text", "target", "true", "answer", "unedited", "right",
    "exact", "f1", "fresh", "by_path", "fault", "excluded", "origin", "path", "verdict", "p", "cosine",
    "ranks", "calls", "prompt_tokens", "completion_tokens", "milliseconds", "error",
)  # fmt: skip


def _write_rows(path: Path, report: Report, rows: Sequence[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(_COLUMNS)
        for row in rows:
            if row.edits == UNSIZED and row.method in {REFERENCE, AGAIN}:
                table.writerow(_plain(row))
        for methods in report.stages.values():
            for some in methods.values():
                table.writerows(_judged(one) for one in some)


def _plain(row: Row) -> list[object]:
    """A reference row: nothing is right or wrong about it."""
    before = [row.edits, row.method, "", "", row.case.text, "", "", row.answer]
    return [*before, *[""] * 8, *_how(row)]


def _judged(one: Judged) -> list[object]:
    row, case = one.row, one.row.case
    return [
        row.edits, row.method, case.edit_id, case.stratum, case.text, case.target, case.true,
        row.answer, one.unedited, int(one.right), int(one.exact), f"{one.f1:.4f}", int(one.fresh),
        int(one.by_path), one.fault, case.excluded, *_how(row),
    ]  # fmt: skip


def _how(row: Row) -> list[object]:
    return [
        row.origin, row.path, row.verdict, row.p, row.cosine,
        " ".join("-" if rank is None else str(rank) for rank in row.ranks),
        row.usage.calls, row.usage.prompt_tokens, row.usage.completion_tokens,
        f"{row.milliseconds:.1f}", row.error,
    ]  # fmt: skip
