"""Fit the decision to a chat model and an embedder, from labelled questions or claims."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from eren_memory.app import App
from eren_memory.domain import Candidate, Place
from eren_memory.evaluation.bench_notebook import GUILD
from eren_memory.evaluation.datasets import Benchmark, Case, Edit, Kind
from eren_memory.evaluation.metrics import harmonic
from eren_memory.projection import Progress
from eren_memory.prompts import Style
from eren_memory.relevance import Calibration, Key, Labelled, Task, fit, in_words
from eren_memory.strategies import Asking
from eren_memory.strategies.calibrated import nearest_cosine, testify, testify_on_claim

_CANDIDATES = 20
# The gate lets this share of the answering notes through; the rest is never read.
_KEEP = 0.99
_PLATEAU = 0.002


@dataclass(frozen=True, slots=True)
class _Found:
    case: Case
    candidates: Sequence[Candidate]


@dataclass(frozen=True, slots=True)
class _Row:
    evidence: Labelled
    graded: bool
    in_scope: bool
    # Log-odds of true against false, and whether the claim is true; for claims that notes decide.
    leaning: float = 0.0
    true: bool | None = None


async def calibrate(
    app: App,
    benchmark: Benchmark,
    edits: Sequence[Edit],
    cases: Sequence[Case],
    concurrency: int,
    progress: Progress,
) -> dict[Key, Calibration]:
    """Ask the model about every case that passes the gate, and fit with and without log-probabilities.

    `app` holds the notes of `edits`. A case counts as answered by its note only when the note that
    was read is its own.
    """
    own = {edit.id: edit.statement for edit in edits}
    found = [
        _Found(case, await app.notebook.search(Place(GUILD), case.text, _CANDIDATES))
        for case in cases
    ]
    nearest = [nearest_cosine(one.candidates) for one in found if one.case.kind is Kind.SCOPE]
    gate = float(np.quantile(nearest, 1 - _KEEP)) if nearest else 0.0
    asked = [one for one in found if one.candidates and nearest_cosine(one.candidates) >= gate]
    rows: list[_Row] = []
    limit = asyncio.Semaphore(concurrency)

    async def ask(one: _Found) -> None:
        async with limit:
            asking = Asking(app.chat_model, Style.SHORT, app.calibrations)
            read = _claim if benchmark.claims else _question
            rows.append(await read(one, own, asking))
            progress(len(rows), len(asked))

    await asyncio.gather(*(ask(one) for one in asked))
    task = Task.CLAIM if benchmark.claims else Task.QUESTION
    made = {}
    for logprobs in {False, *(row.graded for row in rows)}:
        usable = [
            row if logprobs else replace(row, evidence=_ungraded(row.evidence))
            for row in rows
            if row.graded or not logprobs
        ]
        evidence = [row.evidence for row in usable]
        fitted = replace(
            _balanced(fit(evidence), usable, cases),
            gate=gate,
            polarity=_polarity(rows),
            fitted=f"{benchmark.name}, {len(evidence)} rows, {datetime.now(UTC):%Y-%m-%d}",
        )
        made[app.calibrations.key(task, logprobs=logprobs)] = fitted
    return made


async def _question(one: _Found, own: dict[str, str], asking: Asking) -> _Row:
    heard = await testify(one.case.text, one.candidates, asking)
    answers = one.case.kind is Kind.SCOPE and heard.source.note.text == own[one.case.edit_id]
    in_scope = one.case.kind is Kind.SCOPE
    return _Row(Labelled(heard.verdict, heard.source.dense, answers), heard.graded, in_scope)


async def _claim(one: _Found, own: dict[str, str], asking: Asking) -> _Row:
    best = one.candidates[0]
    heard = await testify_on_claim(one.case.text, best, asking)
    answers = one.case.kind is Kind.SCOPE and best.note.text == own[one.case.edit_id]
    true = one.case.target == "yes" if answers else None
    evidence, in_scope = Labelled(heard.speaks, best.dense, answers), one.case.kind is Kind.SCOPE
    return _Row(evidence, heard.graded, in_scope, heard.leaning, true)


def _balanced(fitted: Calibration, rows: Sequence[_Row], cases: Sequence[Case]) -> Calibration:
    """Move the intercept to where EQ over all cases is best.

    The regression saw only what passed the gate. Edit success and behaviour preservation are over
    all cases: those that the gate stopped are kept in the second and lost in the first.
    """
    decision = fitted.decision
    scope = sum(case.kind is Kind.SCOPE for case in cases)
    others = len(cases) - scope
    scored = [
        (
            decision.logit(row.evidence.verdict, row.evidence.dense),
            row.evidence.answers,
            row.in_scope,
        )
        for row in rows
    ]
    thresholds = np.linspace(-3, 3, 121)
    eqs = []
    for threshold in thresholds:
        accepted = [(answers, in_scope) for x, answers, in_scope in scored if x >= threshold]
        es = sum(answers for answers, _ in accepted) / max(scope, 1)
        bp = 1 - sum(not in_scope for _, in_scope in accepted) / max(others, 1)
        eqs.append(harmonic(es, bp))
    # The middle of the plateau: its edges are where the sample's luck is.
    best = thresholds[np.array(eqs) >= max(eqs) - _PLATEAU]
    shift = float(np.median(best))
    return replace(fitted, decision=replace(decision, intercept=decision.intercept - shift))


def _ungraded(evidence: Labelled) -> Labelled:
    """The row as an endpoint without log-probabilities would have given it."""
    return replace(evidence, verdict=in_words(evidence.verdict >= 0.5))


def _polarity(rows: Sequence[_Row]) -> float:
    """The shift of the log-odds that gets most claims right; 0 for questions."""
    decided = [(row.leaning, row.true) for row in rows if row.true is not None]
    if not decided:
        return 0.0
    # The middle of the best stretch, not its edge.
    shifts = np.linspace(-3, 3, 121)
    right = [sum((leaning + shift >= 0) == true for leaning, true in decided) for shift in shifts]
    return float(np.median(shifts[np.array(right) == max(right)]))
