"""Edit success, behaviour preservation and their harmonic mean: pure functions.

Answers are normalised as `text.answer_form` says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from eren_memory.text import answer_form

WORD_LIMIT = 16
"""An answer longer than this does not count as giving the target."""


normalise = answer_form
"""The form in which answers are compared."""


def contains(answer: str, target: str) -> bool:
    """Whether the target stands as whole words in an answer of at most `WORD_LIMIT` words."""
    said, wanted = normalise(answer), normalise(target)
    return bool(wanted) and len(said.split()) <= WORD_LIMIT and f" {wanted} " in f" {said} "


def exact(answer: str, target: str) -> bool:
    """Whether answer and target are the same after normalisation."""
    return normalise(answer) == normalise(target)


def f1(answer: str, target: str) -> float:
    """Words in common, as the harmonic mean of precision and recall; SQuAD's and HotpotQA's F1."""
    said, wanted = normalise(answer).split(), normalise(target).split()
    common = sum((Counter(said) & Counter(wanted)).values())
    return harmonic(common / len(said), common / len(wanted)) if common else 0.0


def mean(values: Sequence[float]) -> float:
    """The mean; 0 of nothing."""
    return sum(values) / len(values) if values else 0.0


def harmonic(es: float, bp: float) -> float:
    """EQ, the harmonic mean of edit success and behaviour preservation."""
    return 2 * es * bp / (es + bp) if es + bp else 0.0


def macro(by_edit: Mapping[str, Sequence[float]]) -> float:
    """The mean over edits of each edit's mean: every edit counts the same."""
    return mean([mean(by_edit[edit]) for edit in sorted(by_edit)])


def intervals(
    success: Mapping[str, Sequence[float]],
    preserved: Mapping[str, Sequence[float]],
    *,
    resamples: int = 2_000,
    seed: int = 0,
) -> NDArray[np.float64]:
    """95 % bootstrap intervals of ES, BP and EQ, micro-averaged, with edits drawn and not questions.

    Questions about one edit succeed and fail together, so each resample draws whole edits, with all
    that was asked about them in and out of scope.

    Args:
        success: By edit, 1 for every question in scope that was answered with its target, else 0.
        preserved: By edit, 1 for every other question whose answer did not change, else 0.
        resamples: How many draws.
        seed: Of the draws.

    Returns:
        Shape (3, 2): lower and upper end of ES, BP and EQ; NaN where there was nothing to average.
    """
    edits = sorted({*success, *preserved})
    if not edits:
        return np.full((3, 2), np.nan)
    draws = np.random.default_rng(seed).multinomial(
        len(edits), np.full(len(edits), 1 / len(edits)), size=resamples
    )
    es, bp = (_resampled(values, edits, draws) for values in (success, preserved))
    with np.errstate(invalid="ignore", divide="ignore"):
        eq = np.where(es + bp > 0, 2 * es * bp / (es + bp), es + bp)
    return np.array([_interval(one) for one in (es, bp, eq)])


def _resampled(
    values: Mapping[str, Sequence[float]], edits: Sequence[str], draws: NDArray[np.int64]
) -> NDArray[np.float64]:
    sums = np.array([sum(values.get(edit, ())) for edit in edits], dtype=float)
    counts = np.array([len(values.get(edit, ())) for edit in edits], dtype=float)
    with np.errstate(invalid="ignore"):
        shares: NDArray[np.float64] = (draws @ sums) / (draws @ counts)
    return shares


def _interval(values: NDArray[np.float64]) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def calibration_error(
    probabilities: Sequence[float], outcomes: Sequence[bool], bins: int = 10
) -> float:
    """Expected calibration error: mean distance of stated probability and observed share, by bin."""
    return sum(
        abs(stated - observed) * count
        for stated, observed, count in reliability(probabilities, outcomes, bins)
    ) / max(len(probabilities), 1)


def reliability(
    probabilities: Sequence[float], outcomes: Sequence[bool], bins: int = 10
) -> list[tuple[float, float, int]]:
    """Per bin of equal width that is not empty: mean probability, share of outcomes, count."""
    filled: dict[int, list[tuple[float, bool]]] = {}
    for stated, outcome in zip(probabilities, outcomes, strict=True):
        filled.setdefault(min(int(stated * bins), bins - 1), []).append((stated, outcome))
    return [
        (mean([s for s, _ in rows]), mean([float(o) for _, o in rows]), len(rows))
        for _, rows in sorted(filled.items())
    ]
