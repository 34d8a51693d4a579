"""Collections of a Qdrant server: their names, and what one is made with."""

from __future__ import annotations

from typing import Any

from qdrant_client import models

from eren_memory.index import points


def name(space: str, language: str, ledger_id: str, version: int = points.FORMAT) -> str:
    """The collection of a space. It says what it was made of: several ledgers may share a server."""
    return f"{points.collection_name(space)}_{language}_v{version}_{ledger_id}"


def earlier(space: str, language: str, ledger_id: str) -> list[str]:
    """Those of earlier versions of this program, whose points held more than they do now."""
    return [name(space, language, ledger_id, version) for version in range(1, points.FORMAT)]


def config(dimension: int) -> dict[str, Any]:
    """What a collection is made with."""
    return {
        "vectors_config": {
            points.DENSE: models.VectorParams(
                size=dimension, distance=models.Distance.COSINE, on_disk=True
            )
        },
        "sparse_vectors_config": {
            points.BM25: models.SparseVectorParams(modifier=models.Modifier.IDF)
        },
        # One graph a guild, none over all of them.
        "hnsw_config": models.HnswConfigDiff(m=0, payload_m=16),
        "quantization_config": models.ScalarQuantization(
            scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, always_ram=True)
        ),
        "strict_mode_config": models.StrictModeConfig(
            enabled=True,
            unindexed_filtering_retrieve=False,
            unindexed_filtering_update=False,
            max_query_limit=1_000,
        ),
    }
