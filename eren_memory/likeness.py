"""Whether two remainders speak of one property, by a measure learned from labelled questions.

The cosine takes every dimension of an embedding for as telling as any other. A logistic regression
on what two vectors have in common and where they differ, dimension by dimension, learns which of
them tell "where was born" from "where died". It belongs to one embedding space.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

SOMEONE = "someone"
"""Stands where both texts have the same name, so that what is compared are whole sentences."""
# Log-odds at which the tanh bends: beyond, more certainty says little more.
_BEND = 4.0


@dataclass(frozen=True, slots=True)
class Likeness:
    """A learned measure of two unit vectors; see `compared` for what is weighed.

    log-odds = intercept + Σ product · products + Σ difference · differences

    Attributes:
        intercept: Of the log-odds.
        product: A weight for each dimension.
        difference: A weight for each dimension.
    """

    intercept: float
    product: tuple[float, ...]
    difference: tuple[float, ...]

    def of(self, one: NDArray[Any], other: NDArray[Any]) -> float:
        """The measure, in (-1, 1); above 0 the two speak of one property. Shape (dimension,) each."""
        import numpy as np

        both = np.concatenate(compared(one, other))
        weights = np.array(self.product + self.difference)
        return bent(self.intercept + float(both @ weights))


def compared(one: NDArray[Any], other: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The products of two unit vectors (or of rows of them) and their differences, by dimension.

    Scaled so that they are of one size in every embedding space. A dimension in which all texts are
    the same, as some models have, stays as small as it is.
    """
    width = math.sqrt(one.shape[-1])
    return width * one * other, width / 4 * abs(one - other)


def bent(log_odds: float) -> float:
    """Log-odds as a number in (-1, 1), the range of a cosine."""
    return math.tanh(log_odds / _BEND)
