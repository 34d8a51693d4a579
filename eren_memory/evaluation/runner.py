"""Ask every case by every method, and score what comes back."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Sequence
from typing import Any

import numpy as np

from eren_memory import __version__
from eren_memory.app import App
from eren_memory.domain import Origin, Place, Usage
from eren_memory.errors import ErenError
from eren_memory.evaluation.bench_notebook import GUILD
from eren_memory.evaluation.datasets import Case, Kind
from eren_memory.evaluation.journal import Journal, Row
from eren_memory.evaluation.metrics import contains, exact, harmonic, mean
from eren_memory.projection import Progress

REFERENCE = "unedited"
"""The method whose answers behaviour preservation compares with; it always runs, first."""


async def evaluate(
    app: App,
    cases: Sequence[Case],
    methods: Sequence[str],
    *,
    claims: bool,
    concurrency: int,
    journal: Journal,
    progress: Progress,
) -> list[Row]:
    """Ask all cases by each method, `REFERENCE` first. A failure becomes a row.

    What the journal holds already is not asked again.
    """
    order = [REFERENCE, *(method for method in methods if method != REFERENCE)]
    wanted = {(method, case) for method in order for case in cases}
    # What failed is asked again.
    rows = [row for row in journal.rows() if (row.method, row.case) in wanted and not row.error]
    known = {(row.method, row.case) for row in rows}
    limit = asyncio.Semaphore(concurrency)

    async def ask(method: str, case: Case) -> None:
        async with limit:
            row = await _ask(app, method, case, claims=claims)
        journal.add(row)
        rows.append(row)
        progress(len(rows), len(wanted))

    for method in order:
        await asyncio.gather(*(ask(method, case) for case in cases if (method, case) not in known))
    return rows


async def _ask(app: App, method: str, case: Case, *, claims: bool) -> Row:
    place = Place(GUILD)
    try:
        if claims:
            checked = await app.eren.check(case.text, place, method)
            text, origin, trace = checked.answer, checked.origin, checked.trace
        else:
            answer = await app.eren.answer(case.text, place, method)
            text, origin, trace = answer.text, answer.origin, answer.trace
    except ErenError as error:
        return Row(method, case, "", None, Usage(), 0.0, f"{type(error).__name__}: {error}")
    return Row(method, case, text, origin, trace.usage, trace.milliseconds)


def score(rows: Sequence[Row], method: str) -> dict[str, Any]:
    """The figures of one method, micro-averaged over cases; fractions between 0 and 1.

    `right` is the share of right decisions by kind: notebook in scope, model elsewhere.
    """
    unedited = {row.case.text: row.answer for row in rows if row.method == REFERENCE}
    mine = [row for row in rows if row.method == method]
    scope = [row for row in mine if row.case.kind is Kind.SCOPE]
    others = [row for row in mine if row.case.kind is not Kind.SCOPE]
    es = mean([contains(row.answer, row.case.target or "") for row in scope])
    es_exact = mean([exact(row.answer, row.case.target or "") for row in scope])
    # An answer that came from the model by the unedited prompt is the unedited answer: where an
    # endpoint varies from call to call, that is not the method's doing.
    bp = mean(
        [
            not row.error and (row.origin is Origin.MODEL or row.answer == unedited[row.case.text])
            for row in others
        ]
    )
    fresh = mean([not row.error and row.answer == unedited[row.case.text] for row in others])
    kinds = sorted({row.case.kind for row in mine})
    calls = {
        kind: mean([row.usage.calls for row in mine if row.case.kind is kind]) for kind in kinds
    }
    times = [row.milliseconds for row in mine if not row.error] or [0.0]
    return {
        "es": es,
        "es_exact": es_exact,
        "bp": bp,
        "bp_fresh": fresh,
        "eq": harmonic(es, bp),
        "eq_exact": harmonic(es_exact, bp),
        "right": {
            kind: mean([_right(row) for row in mine if row.case.kind is kind]) for kind in kinds
        },
        "calls_per_question": mean(list(calls.values())),
        "calls": calls,
        "prompt_tokens": sum(row.usage.prompt_tokens for row in mine),
        "completion_tokens": sum(row.usage.completion_tokens for row in mine),
        "ms_p50": float(np.percentile(times, 50)),
        "ms_p95": float(np.percentile(times, 95)),
        "errors": {"failed": sum(row.error is not None for row in mine)},
    }


def results(
    app: App, rows: Sequence[Row], methods: Sequence[str], *, seed: int, notes: int
) -> dict[str, Any]:
    """The document that `results.json` holds."""
    return {
        "machine": machine(),
        "version": __version__,
        "model": app.chat_model.name,
        "embedder": app.embedder.space,
        "seed": seed,
        "notes": notes,
        "questions": len({row.case.text for row in rows}),
        "methods": {method: score(rows, method) for method in methods},
    }


def machine() -> str:
    """What ran it."""
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def _right(row: Row) -> bool:
    wanted = Origin.NOTEBOOK if row.case.kind is Kind.SCOPE else Origin.MODEL
    return row.origin is wanted
