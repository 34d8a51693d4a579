"""A Qdrant server or cluster through its own async client: one collection an embedding space."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any, TypeVar
from uuid import UUID

import numpy as np
from qdrant_client import AsyncQdrantClient, models

from eren_memory.domain import Note, NoteStatus, View
from eren_memory.errors import NoteIndexError
from eren_memory.index import Held, Hit, Payload, Vectors, collections, points
from eren_memory.index.server_errors import translated

_T = TypeVar("_T")
_SECONDS = 10


class ServerIndex:
    """`NoteIndex` in a collection. Open it with `ServerIndex.open`."""

    def __init__(
        self, client: AsyncQdrantClient, collection: str, dimension: int, lexical: points.Lexical
    ) -> None:
        self._client = client
        self._collection = collection
        self._dimension = dimension
        self._lexical = lexical

    @classmethod
    async def open(
        cls,
        url: str,
        api_key: str | None,
        space: str,
        dimension: int,
        language: str,
        ledger_id: str,
    ) -> tuple[ServerIndex, bool]:
        """The collection of `space` at `url`, and whether it is new and has to be filled.

        Where it is new, those of earlier versions of this program are deleted.
        """
        client = _client(url, api_key)
        name = collections.name(space, language, ledger_id)
        index = cls(client, name, dimension, points.Lexical(language))
        try:
            new = await index._create_unless_there()
            for old in collections.earlier(space, language, ledger_id) if new else ():
                await index._run(client.delete_collection(old))
            return index, new
        except BaseException:
            await client.close()
            raise

    @classmethod
    async def drop(
        cls, url: str, api_key: str | None, space: str, language: str, ledger_id: str
    ) -> None:
        """Delete the collection of `space` at `url`."""
        name = collections.name(space, language, ledger_id)
        index = cls(_client(url, api_key), name, 0, points.Lexical(language))
        await index._run(index._client.delete_collection(name))
        await index.close()

    async def _create_unless_there(self) -> bool:
        new = not await self._exists()
        if new:
            made = collections.config(self._dimension)
            try:
                await self._run(self._client.create_collection(self._collection, **made))
            except NoteIndexError:
                # Of processes that start together, another one was faster.
                if not await self._exists():
                    raise
                new = False
        # Also where it was there: a first start may have been killed before the last of them.
        for field, kind in points.FILTERED.items():
            schema: Any = (
                models.KeywordIndexParams(
                    type=models.KeywordIndexType.KEYWORD, is_tenant=field == "guild_id"
                )
                if kind == "keyword"
                else models.PayloadSchemaType.INTEGER
            )
            await self._run(
                self._client.create_payload_index(self._collection, field, field_schema=schema)
            )
        return new

    async def _exists(self) -> bool:
        return await self._run(self._client.collection_exists(self._collection))

    async def upsert(self, notes: Sequence[Note], dense: Vectors) -> None:
        """See `NoteIndex.upsert`."""
        vectors = points.checked(notes, dense, self._dimension)
        operations: list[models.UpdateOperation] = [
            models.UpsertOperation(
                upsert=models.PointsList(
                    points=[self._point(note, vector)],
                    update_filter=models.Filter(
                        must=[
                            models.FieldCondition(
                                key="revision", range=models.Range(lt=note.revision)
                            )
                        ]
                    ),
                )
            )
            for note, vector in zip(notes, vectors, strict=True)
        ]
        await self._run(
            self._client.batch_update_points(
                self._collection, operations, wait=True, ordering=models.WriteOrdering.STRONG
            ),
            of_notes=True,
        )

    def _point(self, note: Note, vector: Vectors) -> models.PointStruct:
        vectors: dict[str, Any] = {}
        if note.status is NoteStatus.ACTIVE:
            indices, values = self._lexical.document(note.text)
            vectors = {
                points.DENSE: vector.tolist(),
                points.BM25: models.SparseVector(indices=indices, values=values),
            }
        return models.PointStruct(id=str(note.id), vector=vectors, payload=points.payload(note))

    async def checkpoint(self) -> None:
        """See `NoteIndex.checkpoint`: the server's write-ahead log has it once a write returns."""

    async def search(self, text: str, dense: Vectors, view: View, limit: int) -> list[Hit]:
        """See `NoteIndex.search`."""
        visible = _visible(view)
        words = self._lexical.query(text)
        by_cosine, by_bm25 = await self._rankings(
            _nearest(dense, visible, limit), _best(words, view, visible, limit)
        )
        further: list[list[points.Scored]] = [[], []]
        near, worded = points.one_sided(by_cosine, by_bm25, limit)
        if near or worded:
            further = await self._rankings(
                _nearest(dense, _these(near), len(near) or 1),
                _best(words, view, _these(worded), len(worded) or 1),
            )
        cosines, lexical = ({one: score for one, _, score in ranking} for ranking in further)
        return points.fused(by_cosine, by_bm25, cosines, lexical, limit)

    async def _rankings(self, *asked: models.QueryRequest) -> list[list[points.Scored]]:
        found = await self._run(self._client.query_batch_points(self._collection, [*asked]))
        return [
            [(UUID(str(hit.id)), _revision(hit), hit.score) for hit in one.points] for one in found
        ]

    async def count(self) -> int:
        """See `NoteIndex.count`."""
        active = models.Filter(must=[_equals("status", str(NoteStatus.ACTIVE))])
        counted = await self._run(
            self._client.count(self._collection, count_filter=active, exact=True)
        )
        return counted.count

    async def held(self, ids: Sequence[UUID]) -> dict[UUID, Held]:
        """See `NoteIndex.held`."""
        chosen, fields = [str(one) for one in ids], ["revision", "text"]
        found = await self._run(
            self._client.retrieve(self._collection, chosen, fields, with_vectors=[points.DENSE])
        )
        return {
            UUID(str(one.id)): Held(
                int(payload["revision"]), payload["text"], np.asarray(_dense(one), np.float32)
            )
            for one in found
            if "text" in (payload := one.payload or {})
        }

    async def scan(self, batch: int) -> AsyncIterator[dict[UUID, Payload]]:
        """See `NoteIndex.scan`."""
        offset: Any = None
        while True:
            records, offset = await self._run(
                self._client.scroll(
                    self._collection, limit=batch, offset=offset, with_vectors=False
                )
            )
            yield {UUID(str(one.id)): one.payload or {} for one in records}
            if offset is None:
                return

    def payload(self, note: Note) -> Payload:
        """See `NoteIndex.payload`."""
        return points.payload(note)

    async def remove(self, ids: Sequence[UUID]) -> None:
        """See `NoteIndex.remove`."""
        if ids:
            chosen = models.PointIdsList(points=[str(one) for one in ids])
            await self._run(
                self._client.delete(
                    self._collection, chosen, wait=True, ordering=models.WriteOrdering.STRONG
                )
            )

    async def scrub(self) -> None:
        """See `NoteIndex.scrub`: the server's optimizer drops what was overwritten, when it next runs."""

    async def close(self) -> None:
        """See `NoteIndex.close`."""
        await self._client.close()

    def stamp(self) -> None:
        """Nothing to record: the collection's name says what it was made of."""

    async def _run(self, work: Awaitable[_T], *, of_notes: bool = False) -> _T:
        with translated(of_notes=of_notes):
            return await work


def _client(url: str, api_key: str | None) -> AsyncQdrantClient:
    if url == ":memory:":
        return AsyncQdrantClient(location=url)
    return AsyncQdrantClient(url=url, api_key=api_key, timeout=_SECONDS, check_compatibility=False)


def _nearest(dense: Vectors, chosen: models.Filter, limit: int) -> models.QueryRequest:
    return models.QueryRequest(
        query=dense[0].tolist(),
        using=points.DENSE,
        filter=chosen,
        limit=limit,
        with_payload=["revision"],
    )


def _best(
    words: tuple[list[int], list[float]], view: View, chosen: models.Filter, limit: int
) -> models.QueryRequest:
    indices, values = words
    # Term statistics of what is shown alone, as in `edge_query`.
    corpus = models.IdfCorpusParams(corpus=models.Filter(must=_shown(view)))
    return models.QueryRequest(
        query=models.SparseVector(indices=indices, values=values),
        using=points.BM25,
        filter=chosen,
        limit=limit,
        with_payload=["revision"],
        params=models.SearchParams(idf=corpus),
    )


def _these(ids: Sequence[UUID]) -> models.Filter:
    return models.Filter(must=[models.HasIdCondition(has_id=[str(one) for one in ids])])


def _shown(view: View) -> list[models.Condition]:
    reach = models.FieldCondition(key="reach", match=models.MatchAny(any=points.reaches(view)))
    # The guild by itself too: the graphs are by guild.
    return [_equals("guild_id", view.guild_id), reach]


def _visible(view: View) -> models.Filter:
    conditions = _shown(view)
    if view.at is not None:
        begun, not_over = (
            models.Range(lte=view.at.timestamp()),
            models.Range(gt=view.at.timestamp()),
        )
        conditions.append(models.FieldCondition(key="valid_from", range=begun))
        conditions.append(models.FieldCondition(key="valid_until", range=not_over))
    return models.Filter(must=conditions)


def _equals(field: str, value: str) -> models.FieldCondition:
    return models.FieldCondition(key=field, match=models.MatchValue(value=value))


def _revision(hit: models.ScoredPoint) -> int:
    return int((hit.payload or {})["revision"])


def _dense(hit: models.Record) -> Sequence[float]:
    vectors: Any = hit.vector
    dense: Sequence[float] = vectors[points.DENSE]
    return dense
