import asyncio
import shutil
import sqlite3

import pytest

from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.domain import NoteDraft
from eren_memory.errors import DuplicateNote, IndexBusy, NoteNotFound

FERRY = NoteDraft("The Fenlake Ferry leaves at noon.")


async def numbers(app: App, text: str = "When does the Fenlake Ferry leave?", guild: str = "g"):
    return [one.note.number for one in await app.notebook.search(guild, text, 5)]


async def test_a_note_is_found_by_the_next_search_and_a_retired_one_by_none(app: App):
    assert await numbers(app) == []
    await app.notebook.add("g", FERRY, "ann")
    assert await numbers(app) == [1]
    await app.notebook.retire("g", 1, "ann")
    assert await numbers(app) == []


async def test_a_note_added_before_the_index_was_opened_is_found(settings: Settings):
    async with open_app(settings) as first:
        await first.notebook.add("g", FERRY, "ann")
        assert await first.notebook.pending() == 1
    assert not (settings.home / "index").exists()
    async with open_app(settings) as second:
        assert await numbers(second) == [1]
        assert await second.notebook.pending() == 0


async def test_the_same_statement_is_refused_with_the_number_that_makes_it(app: App):
    await app.notebook.add("g", FERRY, "ann")
    with pytest.raises(DuplicateNote, match="Note #1 already says exactly this"):
        await app.notebook.add("g", NoteDraft("the fenlake ferry  leaves at noon."), "bob")
    assert len(await app.notebook.notes("g")) == 1


async def test_guilds_are_apart_in_every_read(app: App):
    await app.notebook.add("theirs", FERRY, "ann")
    assert await numbers(app, guild="ours") == []
    assert await app.notebook.notes("ours") == []
    with pytest.raises(NoteNotFound):
        await app.notebook.note("ours", 1)
    assert await numbers(app, guild="theirs") == [1]


async def test_a_deleted_index_folder_is_built_again_from_the_ledger(settings: Settings):
    async with open_app(settings) as first:
        await first.notebook.add("g", FERRY, "ann")
        await first.notebook.add("g", NoteDraft("The bridge opened in 1911."), "ann")
        await first.notebook.retire("g", 2, "ann")
        assert await numbers(first) == [1]
    shutil.rmtree(settings.home / "index")
    async with open_app(settings) as second:
        assert await numbers(second) == [1]


async def test_an_index_that_lost_points_is_filled_again(settings: Settings):
    async with open_app(settings) as first:
        await first.notebook.add("g", FERRY, "ann")
        assert await numbers(first) == [1]
    async with open_app(settings) as second:
        await second.notebook.add("g", NoteDraft("The Fenlake Ferry is red."), "ann")
    with sqlite3.connect(settings.home / "notebook.db") as db:
        # Though the index never got the second note.
        db.execute("DELETE FROM outbox")
    db.close()
    async with open_app(settings) as third:
        assert sorted(await numbers(third)) == [1, 2]


async def test_the_index_is_never_believed_against_the_ledger(settings: Settings):
    async with open_app(settings) as app:
        await app.notebook.add("g", FERRY, "ann")
        assert await numbers(app) == [1]
        with sqlite3.connect(settings.home / "notebook.db") as db:
            db.execute("UPDATE notes SET status = 'retired'")
        db.close()
        assert await numbers(app) == []


async def test_an_index_that_mixes_up_guilds_leaks_nothing(app: App, monkeypatch):
    await app.notebook.add("theirs", FERRY, "ann")
    index = await app.notebook.open()
    search = index.search
    monkeypatch.setattr(
        index, "search", lambda text, dense, _, limit: search(text, dense, "theirs", limit)
    )
    assert await numbers(app, guild="ours") == []
    assert await numbers(app, guild="theirs") == [1]


async def test_a_second_process_writes_and_the_holder_of_the_index_finds_it(settings: Settings):
    async with open_app(settings) as holder, open_app(settings) as other:
        assert await numbers(holder) == []
        await other.notebook.add("g", FERRY, "ann")
        with pytest.raises(IndexBusy):
            await numbers(other)
        assert await numbers(holder) == [1]


async def test_a_guilds_note_is_embedded_once(app: App, endpoint):
    await app.notebook.add("g", FERRY, "ann")
    await numbers(app)
    await numbers(app)
    assert endpoint.embedded.count(FERRY.text) == 1


async def test_a_note_that_cannot_be_embedded_stops_nobody_and_is_not_lost(
    settings: Settings, endpoint
):
    endpoint.unembeddable = "poison"
    async with open_app(settings) as app:
        await app.notebook.open()
        await app.notebook.add("theirs", NoteDraft("poison"), "eve")
        await app.notebook.add("g", FERRY, "ann")
        assert await numbers(app) == [1]
        assert [note.text for note in await app.notebook.notes("theirs")] == ["poison"]
        assert await app.notebook.pending() == 1
    endpoint.unembeddable = None
    async with open_app(settings) as again:
        assert await numbers(again, "poison", "theirs") == [1]


async def test_an_embedder_that_refuses_only_batches_ends_in_an_error_not_in_a_loop(
    app: App, monkeypatch: pytest.MonkeyPatch
):
    from eren_memory.errors import EmbedderError

    embed = app.embedder.embed

    async def single(texts):
        if len(texts) > 1:
            raise EmbedderError("one at a time")
        return await embed(texts)

    await app.notebook.add("g", FERRY, "ann")
    await app.notebook.add("g", NoteDraft("Another."), "ann")
    monkeypatch.setattr(app.embedder, "embed", single)
    with pytest.raises(EmbedderError, match="one at a time"):
        await app.notebook.project()


async def test_projectors_of_two_processes_lose_no_note(settings: Settings):
    """A row that one of them finished must not come back as the number of another's."""
    async with open_app(settings) as one, open_app(settings) as two:
        first, second = one.notebook._ledger, two.notebook._ledger
        await one.notebook.add("g", FERRY, "ann")
        seen = await first.pending(10), await second.pending(10)
        await second.projected(seen[1])
        await two.notebook.add("g", NoteDraft("Another."), "ann")
        await first.projected(seen[0])
        assert [note.text for note in (await first.pending(10)).notes] == ["Another."]


async def test_searches_and_writes_at_once_agree_in_the_end(app: App):
    await app.notebook.open()
    writes = [
        app.notebook.add("g", NoteDraft(f"The ferry number {n} is red."), "a") for n in range(20)
    ]
    await asyncio.gather(*writes, *(numbers(app) for _ in range(10)))
    assert await app.notebook.pending() == 0
    index = await app.notebook.open()
    assert await index.count() == 20
