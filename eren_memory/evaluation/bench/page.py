"""A bench as a page and as pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from eren_memory.evaluation.markdown import NONE, grid
from eren_memory.evaluation.plots import available, canvas

_FIGURES = ("p50_ms", "p95_ms", "per_second")


def page(results: Mapping[str, Any], pictures: Sequence[str]) -> str:
    """`bench.md`."""
    return "\n".join(_lines(results, pictures)) + "\n"


def table(results: Mapping[str, Any]) -> str:
    """The rows, for a page or a terminal."""
    head = ["what", "n", "p50 ms", "p95 ms", "per second", "baseline", "ratio", "further"]
    return "\n".join(grid(head, (_cells(row) for row in results["rows"])))


def draw(folder: Path, results: Mapping[str, Any]) -> list[str]:
    """Write the pictures there is something to show on; returns their names. None without matplotlib."""
    if not available():
        return []
    drawn = []
    for name, start, figure, unit in (
        ("search.png", ("search, one guild", "numpy scan, 20", "qdrant-client"), "p50_ms", "ms"),
        ("askers.png", ("askers at once",), "per_second", "questions a second"),
    ):
        lines = _by_size(results["rows"], start, figure)
        if not lines:
            continue
        canvassed, (axes,) = canvas()
        for what, points in lines.items():
            axes.plot(*zip(*points, strict=True), marker="o", markersize=4, label=what)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("askers" if name == "askers.png" else "notes")
        axes.set_ylabel(unit)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="x-small")
        canvassed.savefig(folder / name, dpi=150, metadata={"Software": None})
        drawn.append(name)
    return drawn


def _lines(results: Mapping[str, Any], pictures: Sequence[str]) -> Iterator[str]:
    yield "# Bench\n"
    yield f"{results['machine']}; {results['date']}; embedding model {results['embedder']}.  "
    yield ", ".join(f"{name} {one}" for name, one in results["versions"].items()) + "\n"
    yield (
        "A ratio is this row's figure by that of its baseline in the same run: of per second where both "
        "have it, else of the longest stall, of megabytes, or of the median.\n"
    )
    yield table(results)
    for picture in pictures:
        yield f"\n![{picture}]({picture})"


def _cells(row: Mapping[str, Any]) -> list[str]:
    figures = [_figure(row[name]) for name in _FIGURES]
    ratio = NONE if row["ratio"] is None else f"{row['ratio']:.2f}"
    return [row["what"], f"{row['n']:,}", *figures, row["baseline"] or NONE, ratio, _further(row)]


def _further(row: Mapping[str, Any]) -> str:
    told = {
        "calls": "{:.2f} calls",
        "added_ms": "{:+.1f} ms",
        "p999_ms": "p99.9 {:.1f} ms",
        "max_ms": "max {:.1f} ms",
        "megabytes": "{:,.0f} MB",
        "error": "failed: {}",
    }
    return ", ".join(form.format(row[name]) for name, form in told.items() if name in row)


def _figure(value: float | None) -> str:
    if value is None:
        return NONE
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _by_size(
    rows: Sequence[Mapping[str, Any]], starts: Sequence[str], figure: str
) -> dict[str, list[tuple[int, float]]]:
    lines: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        if row["what"].startswith(tuple(starts)) and row[figure] is not None:
            lines.setdefault(row["what"], []).append((row["n"], row[figure]))
    return lines
