"""A row of a bench: figures, and what they are compared with."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

_COMPARED = ("per_second", "max_ms", "megabytes", "p50_ms")
"""What a ratio is of: the first that both rows have."""


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured at a size.

    Attributes:
        what: Its name.
        n: Its size: notes, or askers where `what` says so.
        p50_ms: Median, in milliseconds.
        p95_ms: 95th percentile.
        per_second: How many of `what` in a second.
        baseline: Name of the row that it is compared with: of the same size if there is one.
        ratio: This row's figure by the baseline's: of `per_second`, else of `max_ms`, `megabytes` or
            `p50_ms`, the first that both have.
        p999_ms: 99.9th percentile; of the event loop's stalls.
        max_ms: The longest of them.
        calls: Model calls a question.
        added_ms: What the median adds to the baseline's.
        megabytes: Resident memory.
        error: Why there are no figures.
    """

    what: str
    n: int
    p50_ms: float | None = None
    p95_ms: float | None = None
    per_second: float | None = None
    baseline: str | None = None
    ratio: float | None = None
    p999_ms: float | None = None
    max_ms: float | None = None
    calls: float | None = None
    added_ms: float | None = None
    megabytes: float | None = None
    error: str | None = None

    def record(self) -> dict[str, Any]:
        """As JSON: the fields that every row has, and those further ones that say something."""
        always = ("what", "n", "p50_ms", "p95_ms", "per_second", "baseline", "ratio")
        return {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in asdict(self).items()
            if name in always or value is not None
        }


def spread(what: str, n: int, milliseconds: Sequence[float], baseline: str | None = None) -> Row:
    """A row of latencies."""
    p50, p95 = np.percentile(milliseconds, [50, 95])
    return Row(what, n, float(p50), float(p95), baseline=baseline)


def rate(what: str, n: int, done: int, seconds: float, baseline: str | None = None) -> Row:
    """A row of throughput."""
    return Row(what, n, per_second=done / seconds, baseline=baseline)


def stalls(what: str, n: int, late: Sequence[float], baseline: str | None = None) -> Row:
    """A row of how late an event loop came to its task, in milliseconds."""
    p50, p95, p999 = np.percentile(late, [50, 95, 99.9])
    return Row(
        what, n, float(p50), float(p95), baseline=baseline, p999_ms=float(p999), max_ms=max(late)
    )


def compared(rows: Sequence[Row]) -> list[Row]:
    """The rows with their ratios; a baseline that failed, or was not run, gives none."""
    return [_compared(row, rows) for row in rows]


def _compared(row: Row, rows: Sequence[Row]) -> Row:
    named = [one for one in rows if one.what == row.baseline and one.error is None]
    if row.error is not None or not named:
        return replace(row, baseline=row.baseline if named else None)
    base = next((one for one in named if one.n == row.n), named[0])
    ratio = None
    for figure in _COMPARED:
        mine, its = getattr(row, figure), getattr(base, figure)
        if mine is not None and its:
            ratio = mine / its
            break
    added = None
    if row.calls is not None and row.p50_ms is not None and base.p50_ms is not None:
        added = row.p50_ms - base.p50_ms
    return replace(row, ratio=ratio, added_ms=added)


async def timed(
    work: Callable[[int], Awaitable[Any]], times: int, seconds: float = 5.0
) -> list[float]:
    """Milliseconds of each of `times` runs, of fewer (three at least) where they take too long."""
    await work(0)
    taken: list[float] = []
    begun = time.perf_counter()
    for turn in range(1, times + 1):
        started = time.perf_counter()
        await work(turn)
        now = time.perf_counter()
        taken.append((now - started) * 1000)
        if now - begun > seconds and len(taken) >= 3:
            break
    return taken
