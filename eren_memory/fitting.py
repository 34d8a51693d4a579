"""Fit the decision's weights to labelled evidence: logistic regressions, imported late."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from eren_memory.errors import ConfigError
from eren_memory.likeness import Likeness, bent, compared
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

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Rows of each class, and edits, under which a likeness is not learned.
_FEW_TO_LEARN = 100
_FOLDS = 5
# How freely the weights of a likeness are learned: so many of them learn any noise.
_LIKENESS_C = 0.3
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


def fit_likeness(
    ones: NDArray[Any], others: NDArray[Any], labels: Sequence[bool], groups: Sequence[str]
) -> tuple[Likeness, list[float]] | None:
    """Learn what tells pairs of one property from others.

    Args:
        ones: Unit vectors of the questions, shape (rows, dimension).
        others: Of the notes.
        labels: Whether the note answers.
        groups: Rows of a group are never learned from and measured together.

    Returns:
        The measure, and what each row has by one that was learned from the other groups alone: in
        the rows that it was learned from a measure shows more than it knows. None where there are too
        few rows, or where the cosine tells as much.
    """
    import numpy as np
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedGroupKFold

    answers = np.array(labels, dtype=bool)
    rare = min(int(answers.sum()), int((~answers).sum()))
    if rare < _FEW_TO_LEARN or len({*groups}) < _FEW_TO_LEARN:
        return None
    features = np.hstack(compared(ones, others)).astype(float)
    cosines = (ones * others).sum(axis=1)
    apart = np.zeros(len(answers))
    for learned, left in StratifiedGroupKFold(_FOLDS).split(features, answers, groups):
        intercept, *weights = _regression(features[learned], answers[learned], _LIKENESS_C)
        apart[left] = [bent(x) for x in features[left] @ np.array(weights) + intercept]
    if roc_auc_score(answers, apart) <= roc_auc_score(answers, cosines):
        return None
    intercept, *weights = np.round(_regression(features, answers, _LIKENESS_C), 4).tolist()
    half = len(weights) // 2
    return Likeness(intercept, tuple(weights[:half]), tuple(weights[half:])), apart.tolist()


def fit_decision(before: Calibration, rows: Sequence[Labelled]) -> Calibration:
    """Fit how much the model's verdict says beside retrieval, on notes that were read.

    Few numbers only: log-odds = a + b · logit(v) + c · (log-odds by `unread`) + d · likeness. What
    `before` stops is left out, so little of retrieval's range is left to fit its weights on again. A
    model whose verdict says nothing, or the contrary of what it should, gets no weight: retrieval
    decides alone.
    """
    unread = before.unread or before.retrieval
    read = [row for row in rows if before.believed(row.dense, row.overlap) >= before.floor]
    if len({row.answers for row in read}) < 2:
        return before
    evidence = [
        [logit(row.verdict), unread.logit(0.5, row.dense, row.overlap), row.overlap.likeness]
        for row in read
    ]
    a, b, c, d = _rising(evidence, [row.answers for row in read])
    if c == 0:
        return before
    decision = Weights(
        a + c * unread.intercept, b, c * unread.dense, c * unread.property, c * unread.names, d
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


def _regression(features: Any, labels: Any, c: float = 10.0) -> list[float]:
    """Intercept and weights of a logistic regression that weighs both classes the same."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=c, class_weight="balanced", max_iter=1_000)
    model.fit(features, labels)
    return [float(model.intercept_[0]), *(float(weight) for weight in model.coef_[0])]
