"""Edit success, behaviour preservation and their harmonic mean: pure functions.

Normalisation: NFKC, lower case, punctuation and the articles a, an, the removed, spaces folded.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

WORD_LIMIT = 16
"""An answer longer than this does not count as giving the target."""


def normalise(text: str) -> str:
    """The form in which answers are compared."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = re.sub(r"[^\w\s]", " ", folded).split()
    return " ".join(word for word in words if word not in {"a", "an", "the"})


def contains(answer: str, target: str) -> bool:
    """Whether the target stands as whole words in an answer of at most `WORD_LIMIT` words."""
    said, wanted = normalise(answer), normalise(target)
    return bool(wanted) and len(said.split()) <= WORD_LIMIT and f" {wanted} " in f" {said} "


def exact(answer: str, target: str) -> bool:
    """Whether answer and target are the same after normalisation."""
    return normalise(answer) == normalise(target)


def mean(values: Sequence[float]) -> float:
    """The mean; 0 of nothing."""
    return sum(values) / len(values) if values else 0.0


def harmonic(es: float, bp: float) -> float:
    """EQ, the harmonic mean of edit success and behaviour preservation."""
    return 2 * es * bp / (es + bp) if es + bp else 0.0
