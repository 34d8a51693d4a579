"""One contract for every index backend: the engine in process, the client's own, a live server."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
import pytest_asyncio
from qdrant_client import AsyncQdrantClient

from eren_memory.domain import Note, NoteStatus
from eren_memory.errors import IndexBusy, NoteIndexError
from eren_memory.index import Hit, NoteIndex, points
from eren_memory.index.edge import EdgeIndex
from eren_memory.index.server import ServerIndex
from tests.endpoint import DIMENSION, words_vector

NOW = datetime(2026, 11, 3, tzinfo=UTC)


def note(text: str, *, guild: str = "g", number: int = 1, revision: int = 1) -> Note:
    return Note(
        uuid4(), number, guild, text, NoteStatus.ACTIVE, revision, "ann", None, None, None, NOW, NOW
    )  # fmt: skip


def changed(one: Note, **fields: object) -> Note:
    values = {name: getattr(one, name) for name in Note.__dataclass_fields__}
    return Note(**(values | fields))


def vectors(*notes: Note) -> np.ndarray:
    return np.stack([words_vector(one.text) for one in notes])


async def put(index: NoteIndex, *notes: Note) -> None:
    await index.upsert(notes, vectors(*notes))
    await index.checkpoint()


async def found(index: NoteIndex, text: str, guild: str = "g") -> list[Hit]:
    return await index.search(text, words_vector(text)[None], guild, 5)


@pytest_asyncio.fixture(params=["edge", "memory", "server"])
async def index(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[NoteIndex]:
    opened: NoteIndex
    if request.param == "edge":
        opened, new = EdgeIndex.open(tmp_path, "space", DIMENSION, "english")
    elif request.param == "memory":
        opened, new = await ServerIndex.open(":memory:", None, "space", DIMENSION, "english")
    elif url := os.environ.get("QDRANT_URL"):
        space = f"test-{uuid4().hex}"
        opened, new = await ServerIndex.open(url, None, space, DIMENSION, "english")
    else:
        pytest.skip("QDRANT_URL is not set: no live server")
    assert new
    yield opened
    await opened.close()


async def test_the_nearest_note_comes_first_with_its_cosine(index: NoteIndex):
    near, far = note("the ferry leaves at noon"), note("mira plays the cello", number=2)
    await put(index, far, near)
    hits = await found(index, "when does the ferry leave at noon")
    assert hits[0].note_id == near.id
    assert hits[0].revision == 1
    question = words_vector("when does the ferry leave at noon")
    assert hits[0].dense == pytest.approx(float(words_vector(near.text) @ question), abs=1e-5)


async def test_a_rare_word_finds_its_note_and_a_note_found_by_words_alone_has_its_cosine(
    index: NoteIndex,
):
    notes = [note(f"the usual sentence of filler number {n}", number=n) for n in range(8)]
    rare = note("xylographer", number=9)
    await put(index, *notes, rare)
    question = np.roll(words_vector("something else"), 3)[None]
    hits = await index.search("xylographer", question, "g", 3)
    hit = next(hit for hit in hits if hit.note_id == rare.id)
    assert hit.lexical > 0
    assert hit.dense == pytest.approx(float(words_vector(rare.text) @ question[0]), abs=1e-5)


async def test_guilds_never_see_each_others_notes(index: NoteIndex):
    await put(index, note("the ferry leaves at noon", guild="theirs"))
    assert await found(index, "the ferry leaves at noon", "ours") == []
    assert len(await found(index, "the ferry leaves at noon", "theirs")) == 1


async def test_another_guilds_notes_do_not_show_through_in_the_scores(index: NoteIndex):
    await put(index, note("the xylographer lives here"), note("the ferry leaves", number=2))
    before = await found(index, "where is the xylographer")
    theirs = [note(f"xylographer number {n}", guild="theirs", number=n) for n in range(20)]
    await put(index, *theirs)
    after = await found(index, "where is the xylographer")
    assert [hit.lexical for hit in after] == pytest.approx([hit.lexical for hit in before])


async def test_a_later_revision_replaces_an_earlier_one(index: NoteIndex):
    first = note("the ferry leaves at noon")
    await put(index, first)
    await put(index, changed(first, text="the bridge opened in may", revision=2))
    [hit] = await found(index, "the bridge opened in may")
    assert hit.revision == 2
    assert hit.dense == pytest.approx(1.0, abs=1e-5)


async def test_an_earlier_revision_that_arrives_late_changes_nothing(index: NoteIndex):
    first = note("the ferry leaves at noon")
    await put(index, changed(first, text="the bridge opened in may", revision=2))
    await put(index, first)
    [hit] = await found(index, "the bridge opened in may")
    assert hit.revision == 2


async def test_a_retired_note_is_never_found_and_does_not_come_back(index: NoteIndex):
    first = note("the ferry leaves at noon")
    await put(index, first)
    await put(index, changed(first, status=NoteStatus.RETIRED, revision=2))
    assert await found(index, first.text) == []
    await put(index, first)
    assert await found(index, first.text) == []
    assert await index.count() == 0


async def test_only_active_notes_are_counted(index: NoteIndex):
    kept, retired = note("a b c"), note("d e f", number=2)
    await put(index, kept, changed(retired, status=NoteStatus.RETIRED, revision=2))
    assert await index.count() == 1


async def test_vectors_that_cannot_be_searched_are_refused_before_they_are_stored(index: NoteIndex):
    one = note("a")
    for wrong in (
        np.full((1, DIMENSION), np.nan, dtype=np.float32),
        np.ones((1, 3), dtype=np.float32),
        np.ones((2, DIMENSION), dtype=np.float32),
    ):
        with pytest.raises(NoteIndexError):
            await index.upsert([one], wrong)
    assert await index.count() == 0


def test_a_tombstone_keeps_no_text():
    assert "text" not in points.payload(changed(note("secret"), status=NoteStatus.RETIRED))


async def test_the_folder_remembers_what_was_written(tmp_path: Path):
    index, new = EdgeIndex.open(tmp_path, "space", DIMENSION, "english")
    await put(index, note("the ferry leaves at noon"))
    index.stamp()
    await index.close()
    index, again = EdgeIndex.open(tmp_path, "space", DIMENSION, "english")
    assert (new, again) == (True, False)
    assert await index.count() == 1
    await index.close()


async def test_a_folder_that_was_never_stamped_or_is_damaged_starts_over(tmp_path: Path):
    index, _ = EdgeIndex.open(tmp_path, "space", DIMENSION, "english")
    await put(index, note("a"))
    await index.close()  # As if killed before the outbox had everything.
    index, new = EdgeIndex.open(tmp_path, "space", DIMENSION, "english")
    assert new
    assert await index.count() == 0
    index.stamp()
    await index.close()
    (tmp_path / "notes_space" / "edge_config.json").write_text("{")
    index, new = EdgeIndex.open(tmp_path, "space", DIMENSION, "english")
    assert new
    await index.close()


async def test_another_language_or_space_starts_over(tmp_path: Path):
    for space, language in (("one", "english"), ("one", "german"), ("two", "german")):
        index, new = EdgeIndex.open(tmp_path, space, DIMENSION, language)
        assert new
        index.stamp()
        await index.close()


async def test_a_second_opener_is_told_who_has_it(tmp_path: Path):
    index, _ = EdgeIndex.open(tmp_path, "space", DIMENSION, "english")
    with pytest.raises(IndexBusy, match="Another process"):
        EdgeIndex.open(tmp_path, "space", DIMENSION, "english")
    await index.close()
    index, _ = EdgeIndex.open(tmp_path, "space", DIMENSION, "english")
    await index.close()


async def test_every_field_that_a_server_filters_on_is_indexed(monkeypatch: pytest.MonkeyPatch):
    """In process, an unindexed filter works; a strict server refuses it."""
    indexed: set[str] = set()
    filtered: set[str] = set()
    create = AsyncQdrantClient.create_payload_index
    query = AsyncQdrantClient.query_batch_points
    update = AsyncQdrantClient.batch_update_points

    async def created(self, collection, field, **rest):
        indexed.add(field)
        return await create(self, collection, field, **rest)

    async def queried(self, collection, requests, **rest):
        filtered.update(c.key for r in requests for c in r.filter.must)
        return await query(self, collection, requests, **rest)

    async def updated(self, collection, operations, **rest):
        filtered.update(c.key for o in operations for c in o.upsert.update_filter.must)
        return await update(self, collection, operations, **rest)

    monkeypatch.setattr(AsyncQdrantClient, "create_payload_index", created)
    monkeypatch.setattr(AsyncQdrantClient, "query_batch_points", queried)
    monkeypatch.setattr(AsyncQdrantClient, "batch_update_points", updated)
    index, _ = await ServerIndex.open(":memory:", None, "space", DIMENSION, "english")
    await put(index, note("a"))
    await found(index, "a")
    await index.close()
    assert filtered == {"guild_id", "status", "revision"}
    assert filtered <= indexed


async def test_a_server_that_is_not_there_is_one_clear_error():
    with pytest.raises(NoteIndexError, match="cannot be reached"):
        await ServerIndex.open("http://127.0.0.1:1", None, "space", DIMENSION, "english")
