"""What else could search the same vectors: scans, and Qdrant's Python stand-in for tests."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_Vectors = NDArray[np.float32]


def scan(notes: _Vectors, question: _Vectors, limit: int = 20) -> NDArray[np.intp]:
    """The `limit` rows nearest to the question, best first."""
    scores = notes @ question
    count = min(limit, len(scores))
    best = np.argpartition(scores, -count)[-count:]
    return best[np.argsort(-scores[best])]


def published(notes: _Vectors, question: _Vectors, limit: int = 5) -> NDArray[np.intp]:
    """The paper's retriever: every inner product, sorted."""
    return np.argsort(-(notes @ question))[:limit]


class LocalQdrant:
    """`qdrant-client` without a server: in memory, filtered by guild as ours is."""

    def __init__(self, notes: _Vectors, guild: str) -> None:
        import warnings

        from qdrant_client import QdrantClient, models

        self._client = QdrantClient(":memory:")
        self._client.create_collection(
            "notes",
            vectors_config=models.VectorParams(
                size=notes.shape[1], distance=models.Distance.COSINE
            ),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # It says that it is not meant for so many.
            self._client.upload_collection(
                "notes", vectors=notes, payload=({"guild_id": guild} for _ in range(len(notes)))
            )
        same = models.FieldCondition(key="guild_id", match=models.MatchValue(value=guild))
        self._filter = models.Filter(must=[same])

    def search(self, question: _Vectors) -> Any:
        """The 20 nearest."""
        return self._client.query_points(
            "notes", query=question.tolist(), query_filter=self._filter, limit=20
        ).points
