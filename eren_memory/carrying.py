"""Carry a calibration over to another embedding space, without asking a model.

Two embedding models put the same pair of texts at different cosines. On pairs of questions and notes
that both have seen, the quantiles of the new cosines are laid on those of the old ones by a straight
line; put into the formula of `relevance`, it decides in the new space about as many pairs, and mostly
the same ones. What the chat model's verdict weighs stays as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from eren_memory.relevance import ACCEPT, Calibration, Overlap, Weights

CARRIED = "carried over from"
"""How `Calibration.fitted` begins where it was not fitted but carried over."""

_FEWEST = 30
_QUANTILES = 19


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and a note in two spaces: the cosine of both, and that of what they do not share.

    `old` and `new` are cosines in [-1, 1], as are the overlaps' properties.
    """

    old: float
    new: float
    old_overlap: Overlap
    new_overlap: Overlap


@dataclass(frozen=True, slots=True)
class Line:
    """An old cosine for a new one: shift + slope · new."""

    shift: float = 0.0
    slope: float = 1.0

    def back(self, old: float) -> float:
        """The new cosine for an old one."""
        return (old - self.shift) / self.slope


def enough(pairs: Sequence[Pair]) -> bool:
    """Whether there are pairs enough to carry anything over."""
    return len(pairs) >= _FEWEST


def carried(before: Calibration, pairs: Sequence[Pair], source: str) -> Calibration:
    """`before` for the new space; `source` says in `fitted` where it came from."""
    dense = _line([one.old for one in pairs], [one.new for one in pairs])
    # 1 means that nothing was left to compare, in every space.
    rest = [one for one in pairs if one.old_overlap.property < 1]
    property_ = _line(
        [one.old_overlap.property for one in rest], [one.new_overlap.property for one in rest]
    )

    def moved(weights: Weights) -> Weights:
        return replace(
            weights,
            intercept=weights.intercept
            + weights.dense * dense.shift
            + weights.property * property_.shift,
            dense=weights.dense * dense.slope,
            property=weights.property * property_.slope,
            likeness=0.0,  # It was learned in the old space; 0 is what it says of nothing.
        )

    polarity = before.polarity
    return replace(
        before,
        decision=moved(before.decision),
        retrieval=moved(before.retrieval),
        unread=moved(before.unread) if before.unread else None,
        gate=dense.back(before.gate),
        likeness=None,
        polarity=replace(
            polarity,
            intercept=polarity.intercept + polarity.dense * dense.shift,
            dense=polarity.dense * dense.slope,
        ),
        fitted=f"{CARRIED} {source} ({before.fitted})" if before.fitted else None,
    )


def agreement(before: Calibration, after: Calibration, pairs: Sequence[Pair]) -> float:
    """The share of pairs about which retrieval alone says the same in both spaces."""
    same = [
        (before.believed(one.old, one.old_overlap) >= ACCEPT)
        == (after.believed(one.new, one.new_overlap) >= ACCEPT)
        for one in pairs
    ]
    return sum(same) / len(same)


def _line(old: Sequence[float], new: Sequence[float]) -> Line:
    """The line through the quantiles; a regression on the pairs themselves would come out flatter."""
    import numpy as np

    if len(old) < _FEWEST:
        return Line()
    at = np.linspace(0.05, 0.95, _QUANTILES)
    from_, to = np.quantile(new, at), np.quantile(old, at)
    if from_[-1] - from_[0] < 1e-3:
        return Line()
    slope, shift = np.polyfit(from_, to, 1)
    return Line(float(shift), float(slope))
