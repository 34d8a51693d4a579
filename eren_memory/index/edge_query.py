"""What Qdrant Edge is asked: the nearest by cosine and the best by BM25, of what a view shows."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import qdrant_edge as qe

from eren_memory.domain import View
from eren_memory.index import Vectors, points

_FIELDS = ["revision", "valid_from", "valid_until"]


def request(
    dense: Vectors,
    sparse: tuple[list[int], list[float]],
    view: View,
    limit: int,
    *,
    dated: bool,
) -> qe.QueryBatchRequest:
    """Two queries in one, of the same filter.

    Args:
        dense: Shape (dimension,).
        sparse: Indices and weights of the question's words.
        view: What may be found.
        limit: Of each.
        dated: Whether the dates of notes are checked by the engine.
    """
    visible = qe.Filter(must=[*_shown(view), *(_timely(view) if dated else [])])
    return qe.QueryBatchRequest(
        [
            qe.QueryRequest(limit, query=_near(dense), filter=visible, with_payload=_FIELDS),
            qe.QueryRequest(
                limit,
                query=_words(sparse),
                filter=visible,
                with_payload=_FIELDS,
                params=_statistics(view),
            ),
        ]
    )


def scores(
    dense: Vectors,
    sparse: tuple[list[int], list[float]],
    view: View,
    near: Sequence[UUID],
    worded: Sequence[UUID],
) -> qe.QueryBatchRequest:
    """The cosines of some notes and the BM25 scores of others, in two queries.

    Those without a word of the question are not returned.
    """
    return qe.QueryBatchRequest(
        [
            qe.QueryRequest(max(len(near), 1), query=_near(dense), filter=_these(near)),
            qe.QueryRequest(
                max(len(worded), 1),
                query=_words(sparse),
                filter=_these(worded),
                params=_statistics(view),
            ),
        ]
    )


def _these(ids: Sequence[UUID]) -> qe.Filter:
    return qe.Filter(must=[qe.HasIdCondition({*ids})])


def _near(dense: Vectors) -> qe.Query:
    return qe.Query.Nearest(dense.tolist(), using=points.DENSE)


def _words(sparse: tuple[list[int], list[float]]) -> qe.Query:
    return qe.Query.Nearest(qe.SparseVector(*sparse), using=points.BM25)


def _statistics(view: View) -> qe.SearchParams:
    # Of terms in what is shown: others' notes must not show through.
    return qe.SearchParams(idf=qe.IdfParams(qe.Filter(must=[*_shown(view)])))


def _shown(view: View) -> list[qe.FieldCondition]:
    reaches = points.reaches(view)
    # The engine counts what matches one value without looking at it.
    match = qe.MatchAny(reaches) if len(reaches) > 1 else qe.MatchValue(reaches[0])
    return [qe.FieldCondition("reach", match=match)]


def _timely(view: View) -> list[qe.FieldCondition]:
    if view.at is None:
        return []
    now = view.at.timestamp()
    return [
        qe.FieldCondition("valid_from", range=qe.RangeFloat(lte=now)),
        qe.FieldCondition("valid_until", range=qe.RangeFloat(gt=now)),
    ]
