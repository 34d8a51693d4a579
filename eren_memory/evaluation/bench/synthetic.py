"""Notes, questions and vectors by a seed: a hundred thousand of them without a model."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

SPACE = "scripted"
DIMENSION = 384
"""As the vectors of MiniLM."""

_SYLLABLES = ("bra", "tol", "mi", "kes", "var", "un", "lo", "phi", "ster", "gan", "dre", "qua")
_WORDS = ["".join(parts) for parts in product(_SYLLABLES, repeat=3)]
# Words that every note has say little, as they do to a model.
_COMMON = 0.15


class Corpus:
    """Notes that say who or what something is, and questions about them, by their place."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def note(self, place: int) -> str:
        """The note at `place`."""
        subject, asked, _, value = self._parts(place)
        return f"The {asked} of {subject} is {value}."

    def notes(self, start: int, end: int) -> list[str]:
        """The notes from `start` on, to before `end`."""
        return [self.note(place) for place in range(start, end)]

    def answered(self, place: int) -> str:
        """A question that the note at `place` answers."""
        subject, asked, _, _ = self._parts(place)
        return f"What is the {asked} of {subject}?"

    def doubtful(self, place: int) -> str:
        """A question about that note's subject that it does not answer."""
        subject, _, other, _ = self._parts(place)
        return f"Has anybody seen the {other} of {subject}?"

    @staticmethod
    def unrelated(place: int) -> str:
        """A question that no note comes near."""
        return f"How long should a loaf with {place} grams of flour stay in a hot oven?"

    def _parts(self, place: int) -> tuple[str, str, str, str]:
        draw = random.Random(f"{self._seed}:{place}")  # noqa: S311 - A benchmark, no secret.
        asked, other, first, value = draw.sample(_WORDS, 4)
        return f"{first.title()} {place}", asked, other, value.title()


class WordsEmbedder:
    """An `Embedder` without a model: a unit vector made of one random vector a word."""

    space = SPACE

    async def load(self) -> int:
        """See `Embedder.load`."""
        return DIMENSION

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Embedder.embed`."""
        rows = np.stack([_sum(text) for text in texts])
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)

    async def close(self) -> None:
        """See `Embedder.close`."""


def _sum(text: str) -> NDArray[np.float32]:
    words = re.findall(r"\w+", text.lower()) or [""]
    weights = [_COMMON if len(word) <= 3 and word.isalpha() else 1.0 for word in words]
    return np.asarray(
        np.sum([w * _vector(word) for w, word in zip(weights, words, strict=True)], axis=0),
        dtype=np.float32,
    )


@lru_cache(maxsize=4_096)
def _vector(word: str) -> NDArray[np.float32]:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).standard_normal(DIMENSION, dtype=np.float32)
