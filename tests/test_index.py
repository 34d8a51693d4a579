"""One contract for every index backend: the engine in process, the client's own, a live server."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import numpy as np
import pytest
import pytest_asyncio

from eren_memory.domain import Note, NoteStatus, View
from eren_memory.errors import IndexBusy, NoteIndexError
from eren_memory.index import Hit, NoteIndex, points
from eren_memory.index.edge import EdgeIndex
from eren_memory.index.server import ServerIndex
from tests import qdrant_http
from tests.endpoint import DIMENSION, words_vector

NOW = datetime(2026, 11, 3, tzinfo=UTC)
LEDGER = "ledger"


def note(text: str, *, guild: str = "g", number: int = 1, revision: int = 1) -> Note:
    return Note(uuid4(), number, guild, text, NoteStatus.ACTIVE, revision, "ann", NOW, NOW)


def changed(one: Note, **fields: Any) -> Note:
    return replace(one, **fields)


def vectors(*notes: Note) -> np.ndarray:
    return np.stack([words_vector(one.text) for one in notes])


async def put(index: NoteIndex, *notes: Note) -> None:
    await index.upsert(notes, vectors(*notes))
    await index.checkpoint()


async def found(index: NoteIndex, text: str, guild: str = "g", **view) -> list[Hit]:
    return await index.search(text, words_vector(text)[None], View(guild, **view), 5)


@pytest_asyncio.fixture(params=["edge", "memory", "http", "server"])
async def index(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[NoteIndex]:
    opened: NoteIndex
    stack = AsyncExitStack()
    if request.param == "edge":
        opened, new = EdgeIndex.open(tmp_path, "space", DIMENSION, "english", LEDGER)
    elif request.param == "memory":
        opened, new = await ServerIndex.open(
            ":memory:", None, "space", DIMENSION, "english", LEDGER
        )
    elif request.param == "http":
        served = await stack.enter_async_context(qdrant_http.serve())
        opened, new = await ServerIndex.open(
            served.url, None, "space", DIMENSION, "english", LEDGER
        )
    elif url := os.environ.get("QDRANT_URL"):
        space = f"test-{uuid4().hex}"
        opened, new = await ServerIndex.open(url, None, space, DIMENSION, "english", LEDGER)
    else:
        pytest.skip("QDRANT_URL is not set: no live server")
    assert new
    yield opened
    await opened.close()
    await stack.aclose()


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
    hits = await index.search("xylographer", question, View("g"), 3)
    hit = next(hit for hit in hits if hit.note_id == rare.id)
    assert hit.lexical > 0
    assert hit.dense == pytest.approx(float(words_vector(rare.text) @ question[0]), abs=1e-5)


async def test_a_near_note_has_its_points_for_words_also_where_many_others_have_more(
    index: NoteIndex,
):
    near = note("where is the xylographer")
    many = [note(f"xylographer xylographer number {n}", number=n + 2) for n in range(8)]
    strangers = [note(f"the filler of day {n}", number=n + 10) for n in range(8)]
    await put(index, near, *many, *strangers)
    asked = "where is the xylographer now"
    few = await index.search(asked, words_vector(asked)[None], View("g"), 3)
    every = await index.search(asked, words_vector(asked)[None], View("g"), 20)
    points_of = {hit.note_id: hit.lexical for hit in every}
    assert few[0].note_id == near.id
    assert few[0].lexical == pytest.approx(points_of[near.id])
    assert 0 < points_of[near.id] < min(points_of[one.id] for one in many)


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
    index, new = EdgeIndex.open(tmp_path, "space", DIMENSION, "english", LEDGER)
    await put(index, note("the ferry leaves at noon"))
    index.stamp()
    await index.close()
    index, again = EdgeIndex.open(tmp_path, "space", DIMENSION, "english", LEDGER)
    assert (new, again) == (True, False)
    assert await index.count() == 1
    await index.close()


async def test_what_was_checkpointed_is_whole_in_the_log_alone(tmp_path: Path):
    """As after a power cut: of everything since the engine's own flush only the log is left."""
    index, _ = EdgeIndex.open(tmp_path, "space", DIMENSION, "english", LEDGER)
    await put(index, note("the ferry leaves at noon"))
    index.stamp()
    await index.close()
    folder, cut = tmp_path / "notes_space", tmp_path / "cut" / "notes_space"
    shutil.copytree(folder, cut)
    index, _ = EdgeIndex.open(tmp_path, "space", DIMENSION, "english", LEDGER)
    await put(index, *(note(f"door {number} is open", number=number) for number in range(2, 60)))
    shutil.rmtree(cut / "wal")
    shutil.copytree(folder / "wal", cut / "wal")
    await index.close()
    left, new = EdgeIndex.open(tmp_path / "cut", "space", DIMENSION, "english", LEDGER)
    assert not new
    assert await left.count() == 59
    assert [one.revision for one in await found(left, "door 30 is open")][:1] == [1]
    await left.close()


async def test_a_checkpoint_waits_for_the_disk_without_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The engine's flush holds the interpreter's lock, and with it the event loop."""
    index, _ = EdgeIndex.open(tmp_path, "space", DIMENSION, "english", LEDGER)
    synced: list[str] = []
    monkeypatch.setattr("eren_memory.index.log.os.fsync", lambda _: synced.append("log"))
    flushed = Flushed(index._shard)
    monkeypatch.setattr(index, "_shard", flushed)
    await put(index, note("the ferry leaves at noon"))
    assert (len(synced) > 1, flushed.times) == (True, 0)
    monkeypatch.setattr("eren_memory.index.log._FLUSHED_TOGETHER", 1)
    await put(index, note("the zoo is open", number=2))
    assert flushed.times == 1
    await index.close()


async def test_what_a_killed_process_left_is_replayed_by_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The engine replays its log with the interpreter's lock held."""
    asked: list[list[str]] = []
    run = subprocess.run

    def counted(command: list[str], **how: Any) -> Any:
        asked.append(command)
        return run(command, **how)

    monkeypatch.setattr("eren_memory.index.log.subprocess.run", counted)
    index, _ = EdgeIndex.open(tmp_path, "space", DIMENSION, "english", LEDGER)
    index.stamp()
    await put(index, note("the ferry leaves at noon"))
    shutil.copytree(tmp_path / "notes_space", tmp_path / "killed" / "notes_space")
    await index.close()
    index, _ = EdgeIndex.open(tmp_path, "space", DIMENSION, "english", LEDGER)
    await index.close()
    assert not asked
    left, new = EdgeIndex.open(tmp_path / "killed", "space", DIMENSION, "english", LEDGER)
    assert (len(asked), new, await left.count()) == (1, False, 1)
    await left.close()


class Flushed:
    """A shard that counts its flushes."""

    def __init__(self, shard: Any) -> None:
        self.shard, self.times = shard, 0

    def flush(self) -> None:
        self.times += 1
        self.shard.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.shard, name)


async def test_a_folder_that_was_never_stamped_or_is_damaged_starts_over(tmp_path: Path):
    index, _ = EdgeIndex.open(tmp_path, "space", DIMENSION, "english", LEDGER)
    await put(index, note("a"))
    await index.close()  # As if killed before the outbox had everything.
    index, new = EdgeIndex.open(tmp_path, "space", DIMENSION, "english", LEDGER)
    assert new
    assert await index.count() == 0
    index.stamp()
    await index.close()
    (tmp_path / "notes_space" / "edge_config.json").write_text("{")
    index, new = EdgeIndex.open(tmp_path, "space", DIMENSION, "english", LEDGER)
    assert new
    await index.close()


async def test_another_language_space_or_ledger_starts_over(tmp_path: Path):
    for space, language, ledger in (
        ("one", "english", "a"),
        ("one", "german", "a"),
        ("two", "german", "a"),
        ("two", "german", "b"),
    ):
        index, new = EdgeIndex.open(tmp_path, space, DIMENSION, language, ledger)
        assert new
        index.stamp()
        await index.close()


async def test_a_second_opener_is_told_who_has_it(tmp_path: Path):
    index, _ = EdgeIndex.open(tmp_path, "space", DIMENSION, "english", LEDGER)
    with pytest.raises(IndexBusy, match="Another process"):
        EdgeIndex.open(tmp_path, "space", DIMENSION, "english", LEDGER)
    await index.close()
    index, _ = EdgeIndex.open(tmp_path, "space", DIMENSION, "english", LEDGER)
    await index.close()


async def test_scoped_notes_are_found_in_their_channels_alone(index: NoteIndex):
    everywhere = note("the ferry leaves at noon")
    private = note("the ferry leaves at two", number=2)
    await put(index, everywhere, changed(private, scope=("staff", "crew")))

    async def seen(*channels: str):
        return {hit.note_id for hit in await found(index, "the ferry leaves", channels=channels)}

    assert await seen("general") == {everywhere.id}
    assert await seen("general", "crew") == {everywhere.id, private.id}
    assert await seen() == {everywhere.id}
    assert len(await found(index, "the ferry leaves")) == 2


async def test_what_is_hidden_does_not_show_through_in_the_scores(index: NoteIndex):
    await put(index, note("the xylographer lives here"), note("the ferry leaves", number=2))
    before = await found(index, "where is the xylographer", channels=("general",))
    hidden = [
        changed(note(f"xylographer number {n}", number=n + 3), scope=("staff",)) for n in range(20)
    ]
    await put(index, *hidden)
    after = await found(index, "where is the xylographer", channels=("general",))
    assert [hit.lexical for hit in after] == pytest.approx([hit.lexical for hit in before])


async def test_notes_are_found_from_their_first_moment_to_their_last(index: NoteIndex):
    day = timedelta(days=1)
    dated = changed(note("the ferry leaves at noon"), valid_from=NOW, valid_until=NOW + day)
    await put(index, dated)
    for at, expected in ((NOW - day, 0), (NOW, 1), (NOW + day / 2, 1), (NOW + day, 0)):
        assert len(await found(index, dated.text, at=at)) == expected, at


async def test_notes_that_have_run_out_leave_their_places_to_others(index: NoteIndex):
    over = [
        changed(note("the ferry leaves at noon", number=n), valid_until=NOW) for n in range(2, 10)
    ]
    await put(index, note("the ferry leaves the island at noon or later"), *over)
    [hit] = await found(index, "the ferry leaves at noon", at=NOW)
    assert hit.dense > 0.5


@pytest.mark.parametrize("between", [", ", '", "', "/", "\n"])
async def test_names_of_guilds_and_channels_are_never_read_as_one_another(
    index: NoteIndex, between: str
):
    await put(index, changed(note("the ferry leaves"), scope=(f"b{between}channel:c",)))
    assert not await found(index, "ferry", f"g{between}channel:b", channels=("c",))
    assert await found(index, "ferry", channels=(f"b{between}channel:c",))


async def test_a_scan_shows_everything_and_what_was_removed_can_be_made_again(index: NoteIndex):
    kept, retired = note("a b c"), note("d e f", number=2)
    gone = changed(retired, status=NoteStatus.RETIRED, revision=2)
    await put(index, kept, gone)
    held = {one: payload async for page in index.scan(1) for one, payload in page.items()}
    assert held == {kept.id: index.payload(kept), gone.id: index.payload(gone)}
    await index.remove([kept.id, gone.id])
    assert [page async for page in index.scan(10) if page] == []
    await put(index, retired)
    assert len(await found(index, "d e f")) == 1


async def test_a_server_is_asked_for_tenants_quantization_and_strict_mode():
    async with qdrant_http.serve() as server:
        index, _ = await ServerIndex.open(server.url, None, "space", DIMENSION, "english", LEDGER)
        await index.close()
        [created] = [
            body
            for method, path, body, _ in server.requests
            if path.count("/") == 2 and method == "PUT"
        ]
        assert created["hnsw_config"] == {"m": 0, "payload_m": 16}
        assert created["quantization_config"]["scalar"]["type"] == "int8"
        assert created["strict_mode_config"]["enabled"] is True
        assert created["strict_mode_config"]["unindexed_filtering_retrieve"] is False
        indexes = {
            body["field_name"]: body["field_schema"]
            for _, path, body, _ in server.requests
            if path.endswith("/index")
        }
        assert indexes.keys() == points.FILTERED.keys()
        assert indexes["guild_id"]["is_tenant"] is True


async def test_processes_that_start_together_make_one_collection():
    async with qdrant_http.serve() as server:
        both = [
            ServerIndex.open(server.url, None, "space", DIMENSION, "english", LEDGER)
            for _ in range(2)
        ]
        (one, first), (other, second) = await asyncio.gather(*both)
        assert sorted([first, second]) == [False, True]
        await put(one, note("the ferry leaves at noon"))
        assert len(await found(other, "ferry")) == 1
        await one.close()
        await other.close()


async def test_a_server_that_wants_a_key_gets_it_and_a_wrong_one_is_named():
    async with qdrant_http.serve(api_key="right") as server:
        with pytest.warns(UserWarning, match="insecure"):
            index, _ = await ServerIndex.open(
                server.url, "right", "space", DIMENSION, "english", LEDGER
            )
        await put(index, note("a"))
        await index.close()
        with (
            pytest.warns(UserWarning, match="insecure"),
            pytest.raises(NoteIndexError, match="EREN_QDRANT_API_KEY"),
        ):
            await ServerIndex.open(server.url, "wrong", "space", DIMENSION, "english", LEDGER)


async def test_ledgers_that_share_a_server_have_their_own_notes():
    async with qdrant_http.serve() as server:
        for ledger in ("one", "two"):
            index, new = await ServerIndex.open(
                server.url, None, "space", DIMENSION, "english", ledger
            )
            assert new
            await put(index, note("a"))
            assert await index.count() == 1
            await index.close()


async def test_a_server_that_is_not_there_is_one_clear_error():
    with pytest.raises(NoteIndexError, match="cannot be reached"):
        await ServerIndex.open("http://127.0.0.1:1", None, "space", DIMENSION, "english", LEDGER)


async def test_the_stand_in_server_refuses_what_a_strict_one_would():
    """What makes the tests over HTTP worth something."""
    from qdrant_client import AsyncQdrantClient, models
    from qdrant_client.http.exceptions import UnexpectedResponse

    async with qdrant_http.serve() as server:
        index, _ = await ServerIndex.open(server.url, None, "space", DIMENSION, "english", LEDGER)
        client = AsyncQdrantClient(url=server.url, check_compatibility=False)
        [collection] = [one.name for one in (await client.get_collections()).collections]
        unindexed = models.Filter(
            must=[models.FieldCondition(key="author_id", match=models.MatchValue(value="ann"))]
        )
        with pytest.raises(UnexpectedResponse, match="Index required"):
            await client.count(collection, count_filter=unindexed)
        async with aiohttp.ClientSession(server.url) as http:
            body = {"limit": 1, "with_paylod": True}
            async with http.post(f"/collections/{collection}/points/scroll", json=body) as reply:
                assert reply.status == 400
        await client.close()
        await index.close()


async def test_a_scrubbed_index_holds_what_it_held(index: NoteIndex):
    ferry, mill = note("The ferry leaves at noon."), note("The mill is closed.", number=2)
    await put(index, ferry, mill)
    await put(index, changed(mill, status=NoteStatus.RETIRED, revision=2))
    before = [held async for held in index.scan(10)], await found(index, "ferry at noon")
    await index.scrub()
    await index.checkpoint()
    assert ([held async for held in index.scan(10)], await found(index, "ferry at noon")) == before
    # And goes on: what comes is written, and what comes late is refused.
    await put(index, mill, changed(ferry, text="The ferry leaves at one.", revision=2))
    assert [hit.revision for hit in await found(index, "the ferry")] == [2]


async def test_a_collection_of_an_earlier_version_is_deleted():
    async with qdrant_http.serve() as server:
        old = f"notes_space_english_v{points.FORMAT - 1}_{LEDGER}"
        another = f"{old}_of_another"
        for name in (old, another):
            await server.local.create_collection(name, {})
        index, new = await ServerIndex.open(server.url, None, "space", DIMENSION, "english", LEDGER)
        await index.close()
        kept = {one.name for one in (await server.local.get_collections()).collections}
    assert new
    assert kept == {another, f"notes_space_english_v{points.FORMAT}_{LEDGER}"}
