"""Train the scope head of the method `serac` on a benchmark file. No chat model is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from eren_memory.app import App
from eren_memory.domain import Place
from eren_memory.evaluation.bench_notebook import GUILD
from eren_memory.evaluation.datasets import Case, Edit, Kind
from eren_memory.evaluation.metrics import harmonic
from eren_memory.projection import Progress
from eren_memory.strategies.scoped import ScopeHead, features

_CANDIDATES = 20
# The nearest notes of a question that are shown to the classifier: its own among them, or none.
_PAIRED = 3
_TOGETHER = 32
_PLATEAU = 0.002


@dataclass(frozen=True, slots=True)
class Pairs:
    """A question beside the notes near it: features of each, and which of them answers it."""

    in_scope: bool
    features: list[tuple[float, float, float, float]]
    answers: list[bool]


async def pairs(
    app: App, edits: Sequence[Edit], cases: Sequence[Case], progress: Progress
) -> list[Pairs]:
    """Per case: the features of the notes near it, and which of them is its own."""
    own = {edit.id: {*edit.statements} for edit in edits}
    found: list[Pairs] = []

    async def near(case: Case) -> Pairs:
        candidates = await app.notebook.search(Place(GUILD), case.text, _CANDIDATES)
        answering = own[case.edit_id] if case.kind is Kind.SCOPE else set()
        kept = [
            one
            for place, one in enumerate(candidates)
            if place < _PAIRED or one.note.text in answering
        ]
        return Pairs(
            case.kind is Kind.SCOPE,
            [features(case.text, one) for one in kept],
            [one.note.text in answering for one in kept],
        )

    for start in range(0, len(cases), _TOGETHER):
        # Together, so that the embedder takes them as one batch.
        some = cases[start : start + _TOGETHER]
        found += await asyncio.gather(*(near(case) for case in some))
        progress(len(found), len(cases))
    return found


def fit(rows: Sequence[Pairs]) -> ScopeHead:
    """Logistic regression over all pairs, its intercept where EQ over the questions is best."""
    from sklearn.linear_model import LogisticRegression

    given = [one for row in rows for one in row.features]
    labels = [label for row in rows for label in row.answers]
    model = LogisticRegression(C=10.0, max_iter=5_000, class_weight="balanced")
    model.fit(np.array(given), np.array(labels))
    first, second, third, fourth = (round(float(w), 3) for w in model.coef_[0])
    head = ScopeHead(float(model.intercept_[0]), (first, second, third, fourth))
    shifts = np.linspace(-5, 5, 101)
    moved = [replace(head, intercept=round(head.intercept + float(shift), 3)) for shift in shifts]
    eqs = [decided_rightly(one, rows)[2] for one in moved]
    # The middle of the best: at its edges is the sample's luck.
    best = [one for one, eq in zip(moved, eqs, strict=True) if eq >= max(eqs) - _PLATEAU]
    return best[len(best) // 2]


def decided_rightly(head: ScopeHead, rows: Sequence[Pairs]) -> tuple[float, float, float]:
    """Shares of questions in scope whose own note is taken and of others left alone, and their EQ."""
    in_scope: list[bool] = []
    others: list[bool] = []
    for row in rows:
        p = [head.intercept + float(np.dot(head.weights, one)) for one in row.features]
        best = int(np.argmax(p)) if p else 0
        taken = bool(p) and p[best] >= 0
        if row.in_scope:
            in_scope.append(taken and row.answers[best])
        else:
            others.append(not taken)
    kept, left = (sum(some) / max(len(some), 1) for some in (in_scope, others))
    return kept, left, harmonic(kept, left)
