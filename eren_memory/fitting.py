"""Fit the decision's weights to labelled evidence: logistic regressions, imported late."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from eren_memory.errors import ConfigError
from eren_memory.relevance import (
    Calibration,
    Labelled,
    Leaning,
    Polarity,
    SecondLook,
    Weights,
    clipped,
    logit,
)

# Rows of each class under which a second look is not fitted.
_FEW = 10


def fit_unread(rows: Sequence[Labelled], *, keep: float = 0.995) -> Calibration:
    """Fit what is known before the model is asked; until it is, retrieval decides alone.

    Args:
        rows: Labelled evidence of both classes; the verdicts are not looked at.
        keep: Share of the answering notes that gate and floor each let through.

    Raises:
        ConfigError: One of the classes is missing.
    """
    import numpy as np

    labels = np.array([row.answers for row in rows])
    if len(rows) == 0 or labels.all() or not labels.any():
        raise ConfigError(
            "A calibration needs questions that notes answer and questions that none does."
        )
    dense = np.array([row.dense for row in rows])
    intercept, *weights = _regression(dense[:, None], labels)
    retrieval = Weights(intercept, 0.0, *weights)
    shown = [[row.dense, row.overlap.property, row.overlap.names] for row in rows]
    intercept, *weights = _rising(shown, labels)
    unread = Weights(intercept, 0.0, *weights)
    p = np.array([unread.probability(0.5, row.dense, row.overlap) for row in rows])
    return Calibration(
        decision=unread,
        retrieval=retrieval,
        unread=unread,
        gate=float(np.quantile(dense[labels], 1 - keep)),
        floor=float(np.quantile(p[labels], 1 - keep)),
        # Where 19 of 20 answering notes lie above, asking at once is seldom wasted.
        doubtful=float(np.quantile(p[labels], 0.05)),
    )


def fit_decision(before: Calibration, rows: Sequence[Labelled]) -> Calibration:
    """Fit how much the model's verdict says beside retrieval, on notes that were read.

    Three numbers only: log-odds = a + b · logit(v) + c · (log-odds by `unread`). What `before` stops
    is left out, so little of retrieval's range is left to fit its weights on again. A model whose
    verdict says nothing, or the contrary of what it should, gets no weight: retrieval decides alone.
    """
    unread = before.unread or before.retrieval
    read = [row for row in rows if before.believed(row.dense, row.overlap) >= before.floor]
    if len({row.answers for row in read}) < 2:
        return before
    evidence = [[logit(row.verdict), unread.logit(0.5, row.dense, row.overlap)] for row in read]
    a, b, c = _rising(evidence, [row.answers for row in read])
    if c == 0:
        return before
    decision = Weights(
        a + c * unread.intercept, b, c * unread.dense, c * unread.property, c * unread.names
    )
    return replace(before, decision=decision)


def fit_second(rows: Sequence[tuple[float, float, bool]]) -> SecondLook | None:
    """Fit a second look on rows that were unsure: p, the second verdict, whether the note answers.

    None where there are too few to tell, or where the second verdict says nothing.
    """
    if min(sum(answers for *_, answers in rows), sum(not answers for *_, answers in rows)) < _FEW:
        return None
    shown = [[logit(p), logit(verdict)] for p, verdict, _ in rows]
    fitted = SecondLook(*_rising(shown, [answers for *_, answers in rows]))
    return fitted if fitted.verdict > 0 else None


def fit_polarity(rows: Sequence[Leaning]) -> Polarity:
    """Fit a polarity by logistic regression; the defaults where one of the classes is missing."""
    import numpy as np

    labels = np.array([row.true for row in rows])
    if len(rows) == 0 or labels.all() or not labels.any():
        return Polarity()
    heard = [(clipped(row.leaning), row.dense, row.negated) for row in rows]
    return Polarity(*_regression(np.array(heard, dtype=float), labels))


def _rising(features: Sequence[Sequence[float]], labels: Any) -> list[float]:
    """As `_regression`, with no weight below zero: evidence for a note never counts against it.

    The feature with the lowest weight is left out until none is negative.
    """
    import numpy as np

    table, kept = np.array(features, dtype=float), list(range(len(features[0])))
    while kept:
        intercept, *weights = _regression(table[:, kept], labels)
        if min(weights) >= 0:
            found = dict(zip(kept, weights, strict=True))
            return [intercept, *(found.get(place, 0.0) for place in range(table.shape[1]))]
        kept.pop(weights.index(min(weights)))
    return [0.0] * (table.shape[1] + 1)


def _regression(features: Any, labels: Any) -> list[float]:
    """Intercept and weights of a logistic regression that weighs both classes the same."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=10.0, class_weight="balanced", max_iter=1_000)
    model.fit(features, labels)
    return [float(model.intercept_[0]), *(float(weight) for weight in model.coef_[0])]
