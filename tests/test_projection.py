import asyncio
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest
import sqlalchemy as sa

from eren_memory import projection
from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft, Place, View
from eren_memory.errors import DuplicateNote, IndexBusy, NoteNotFound
from eren_memory.reconciling import Reconciled
from tests import qdrant_http

NOW = datetime(2026, 11, 3, tzinfo=UTC)
FERRY = NoteDraft("The Fenlake Ferry leaves at noon.")


async def numbers(app: App, text: str = "When does the Fenlake Ferry leave?", guild: str = "g"):
    return [one.note.number for one in await app.notebook.search(Place(guild), text, 5)]


async def test_a_note_is_found_by_the_next_search_and_a_retired_one_by_none(app: App):
    assert await numbers(app) == []
    await app.notebook.add("g", FERRY, By("ann"))
    assert await numbers(app) == [1]
    await app.notebook.retire("g", 1, By("ann"))
    assert await numbers(app) == []


async def test_a_note_added_before_the_index_was_opened_is_found(settings: Settings):
    async with open_app(settings) as first:
        await first.notebook.add("g", FERRY, By("ann"))
        assert await first.notebook.ledger.outbox.count() == 1
    assert not (settings.home / "index").exists()
    async with open_app(settings) as second:
        assert await numbers(second) == [1]
        await second.notebook.projector.project()
        assert await second.notebook.ledger.outbox.count() == 0


async def test_the_same_statement_is_refused_with_the_number_that_makes_it(app: App):
    await app.notebook.add("g", FERRY, By("ann"))
    with pytest.raises(DuplicateNote, match="Note #1 already says exactly this"):
        await app.notebook.add("g", NoteDraft("the fenlake ferry  leaves at noon."), By("bob"))
    assert len(await app.notebook.ledger.notes("g")) == 1


async def test_guilds_are_apart_in_every_read(app: App):
    await app.notebook.add("theirs", FERRY, By("ann"))
    assert await numbers(app, guild="ours") == []
    assert await app.notebook.ledger.notes("ours") == []
    with pytest.raises(NoteNotFound):
        await app.notebook.ledger.note("ours", 1)
    assert await numbers(app, guild="theirs") == [1]


async def test_a_deleted_index_folder_is_built_again_from_the_ledger(settings: Settings):
    async with open_app(settings) as first:
        await first.notebook.add("g", FERRY, By("ann"))
        await first.notebook.add("g", NoteDraft("The bridge opened in 1911."), By("ann"))
        await first.notebook.retire("g", 2, By("ann"))
        assert await numbers(first) == [1]
    shutil.rmtree(settings.home / "index")
    async with open_app(settings) as second:
        assert await numbers(second) == [1]


async def test_an_index_that_lost_points_is_filled_again(settings: Settings):
    async with open_app(settings) as first:
        await first.notebook.add("g", FERRY, By("ann"))
        assert await numbers(first) == [1]
    async with open_app(settings) as second:
        await second.notebook.add("g", NoteDraft("The Fenlake Ferry is red."), By("ann"))
    with sqlite3.connect(settings.home / "notebook.db") as db:
        # Though the index never got the second note.
        db.execute("DELETE FROM outbox")
    db.close()
    async with open_app(settings) as third:
        assert sorted(await numbers(third)) == [1, 2]


async def test_the_index_is_never_believed_against_the_ledger(settings: Settings):
    async with open_app(settings) as app:
        await app.notebook.add("g", FERRY, By("ann"))
        assert await numbers(app) == [1]
        with sqlite3.connect(settings.home / "notebook.db") as db:
            db.execute("UPDATE notes SET status = 'retired'")
        db.close()
        assert await numbers(app) == []


async def test_an_index_that_mixes_up_guilds_leaks_nothing(app: App, monkeypatch):
    await app.notebook.add("theirs", FERRY, By("ann"))
    index = await app.notebook.projector.open()
    search = index.search
    monkeypatch.setattr(
        index, "search", lambda text, dense, _, limit: search(text, dense, View("theirs"), limit)
    )
    assert await numbers(app, guild="ours") == []
    assert await numbers(app, guild="theirs") == [1]


async def test_an_index_that_ignores_scope_and_dates_leaks_nothing(app: App, monkeypatch):
    hidden = (
        NoteDraft("The Fenlake Ferry leaves for the staff.", scope=("staff",)),
        NoteDraft(
            "The Fenlake Ferry leaves in spring.", valid_from=datetime(2999, 1, 1, tzinfo=UTC)
        ),
        NoteDraft("The Fenlake Ferry left.", valid_until=datetime(2001, 1, 1, tzinfo=UTC)),
    )
    await app.notebook.add_many("g", hidden, By("ann"))
    index = await app.notebook.projector.open()
    search = index.search
    monkeypatch.setattr(
        index, "search", lambda text, dense, _, limit: search(text, dense, View("g"), limit)
    )
    assert await numbers(app) == []
    assert len(await app.notebook.nearest("g", "When does the Fenlake Ferry leave?", 5)) == 3


async def test_a_second_process_writes_and_the_holder_of_the_index_finds_it(settings: Settings):
    async with open_app(settings) as holder, open_app(settings) as other:
        assert await numbers(holder) == []
        await other.notebook.add("g", FERRY, By("ann"))
        with pytest.raises(IndexBusy):
            await numbers(other)
        assert await numbers(holder) == [1]


async def test_a_guilds_note_is_embedded_once(app: App, endpoint):
    await app.notebook.add("g", FERRY, By("ann"))
    await numbers(app)
    await numbers(app)
    assert endpoint.embedded.count(FERRY.text) == 1


async def test_a_note_that_cannot_be_embedded_stops_nobody_and_is_not_lost(
    settings: Settings, endpoint
):
    endpoint.unembeddable = "poison"
    async with open_app(settings) as app:
        await app.notebook.projector.open()
        await app.notebook.add("theirs", NoteDraft("poison"), By("eve"))
        await app.notebook.add("g", FERRY, By("ann"))
        assert await numbers(app) == [1]
        assert [note.text for note in await app.notebook.ledger.notes("theirs")] == ["poison"]
        await app.notebook.projector.project()
        assert await app.notebook.ledger.outbox.count() == 1
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

    await app.notebook.add("g", FERRY, By("ann"))
    await app.notebook.add("g", NoteDraft("Another."), By("ann"))
    monkeypatch.setattr(app.embedder, "embed", single)
    with pytest.raises(EmbedderError, match="one at a time"):
        await app.notebook.projector.project()


async def test_projectors_of_two_processes_lose_no_note(settings: Settings):
    """A row that one of them finished must not come back as the number of another's."""
    async with open_app(settings) as one, open_app(settings) as two:
        first, second = one.notebook.ledger, two.notebook.ledger
        await one.notebook.add("g", FERRY, By("ann"))
        seen = await first.outbox.pending(10), await second.outbox.pending(10)
        await second.outbox.projected(seen[1].rows)
        await two.notebook.add("g", NoteDraft("Another."), By("ann"))
        await first.outbox.projected(seen[0].rows)
        assert [note.text for note in (await first.outbox.pending(10)).notes] == ["Another."]


async def test_searches_and_writes_at_once_agree_in_the_end(app: App):
    await app.notebook.projector.open()
    writes = [
        app.notebook.add("g", NoteDraft(f"The ferry number {n} is red."), By("a"))
        for n in range(20)
    ]
    await asyncio.gather(*writes, *(numbers(app) for _ in range(10)))
    await app.notebook.projector.project()
    assert await app.notebook.ledger.outbox.count() == 0
    index = await app.notebook.projector.open()
    assert await index.count() == 20


async def test_the_holder_of_the_index_takes_up_what_others_write_within_two_seconds(
    settings: Settings,
):
    async with open_app(settings) as holder, open_app(settings) as other:
        index = await holder.notebook.projector.ready()
        await other.notebook.add("g", FERRY, By("ann"))
        started = time.monotonic()
        while await index.count() == 0:
            assert time.monotonic() - started < 2
            await asyncio.sleep(0.05)


async def test_no_question_waits_for_a_great_import_of_another_process(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(projection, "_TAKEN_ALONG", 4)
    async with open_app(settings) as holder, open_app(settings) as other:
        await holder.notebook.add("g", FERRY, By("ann"))
        assert await numbers(holder) == [1]
        watch = holder.notebook.projector._watch
        assert watch is not None
        watch.cancel()  # Who would take it up meanwhile.
        drafts = [NoteDraft(f"Filler {n}.") for n in range(20)]
        await other.notebook.add_many("g", drafts, By("ann"))
        assert (await numbers(holder))[0] == 1
        await holder.notebook.projector.live.projector._settle()
        assert await holder.notebook.ledger.outbox.count() == 16
        # And a correction made here meanwhile is found at once.
        await holder.notebook.edit("g", 1, By("ann"), text="The Fenlake Ferry leaves at two.")
        [found] = await holder.notebook.search(Place("g"), "When does the Fenlake Ferry leave?", 1)
        assert found.note.revision == 2


async def test_what_stands_in_the_outbox_at_the_start_is_found_however_much_it_is(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(projection, "_BATCH", 4)
    async with open_app(settings) as first:
        await first.notebook.add_many(
            "g", [*(NoteDraft(f"Filler {n}.") for n in range(20)), FERRY], By("ann")
        )
    async with open_app(settings) as second:
        assert (await numbers(second))[0] == 21


class TestReconcile:
    """Both directions, repaired and reported."""

    async def test_an_index_that_agrees_is_left_alone(self, app: App):
        await app.notebook.add("g", FERRY, By("ann"))
        await app.notebook.add("g", NoteDraft("Gone."), By("ann"))
        await app.notebook.retire("g", 2, By("ann"))
        assert await app.notebook.projector.reconcile() == Reconciled(2, 0, 0, 0)

    async def test_what_differs_is_repaired_and_counted(self, app: App):
        notebook = app.notebook
        for text in ("Kept.", "Lost from the index.", "Changed behind its back.", "Retired."):
            await notebook.add("g", NoteDraft(text), By("ann"))
        index = await notebook.projector.ready()
        ledger = {note.number: note for note in await notebook.ledger.notes("g")}
        await index.remove([ledger[2].id])
        wrong = replace(ledger[3], text="Something else.", revision=7)
        unknown = replace(ledger[1], id=uuid4(), number=9, text="Never in the ledger.")
        await index.upsert([wrong, unknown], await app.embedder.embed([wrong.text, unknown.text]))
        with_old = await notebook.retire("g", 4, By("ann"))
        await index.remove([with_old.id])
        await index.upsert([ledger[4]], await app.embedder.embed([ledger[4].text]))
        report = await notebook.projector.reconcile()
        assert (report.missing, report.stale, report.orphaned) == (1, 2, 1)
        assert await notebook.projector.reconcile() == Reconciled(4, 0, 0, 0)
        assert await index.count() == 3
        found = await notebook.search(Place("g"), "Changed behind its back.", 1)
        assert found[0].note.number == 3

    async def test_a_write_during_the_comparison_is_not_taken_for_a_difference(self, app: App):
        await app.notebook.add("g", FERRY, By("ann"))
        index = await app.notebook.projector.ready()
        await index.remove([])
        async with app.notebook.ledger.act("g", By("bob"), NOW) as unit:
            note = await unit.note(1)
            await unit.save(note, replace(note, text="Newer."), "edit")
        assert (await app.notebook.projector.reconcile()).stale == 0


async def test_a_note_waits_in_the_outbox_until_the_index_is_safe_from_a_power_cut(
    app: App, monkeypatch: pytest.MonkeyPatch
):
    from eren_memory.errors import NoteIndexError

    index = await app.notebook.projector.ready()
    checkpoint = index.checkpoint

    async def full() -> None:
        raise NoteIndexError("disk full")

    monkeypatch.setattr(index, "checkpoint", full)
    await app.notebook.add("g", FERRY, By("ann"))
    assert await numbers(app) == [1]
    with pytest.raises(NoteIndexError):
        await app.notebook.projector.project()
    assert await app.notebook.ledger.outbox.count() == 1
    monkeypatch.setattr(index, "checkpoint", checkpoint)
    await app.notebook.projector.project()
    assert await app.notebook.ledger.outbox.count() == 0


async def test_a_note_that_was_written_is_not_embedded_again_while_the_disk_is_awaited(
    app: App, endpoint, monkeypatch: pytest.MonkeyPatch
):
    await app.notebook.projector.ready()
    await app.notebook.add("g", FERRY, By("ann"))
    for _ in range(3):
        assert await numbers(app) == [1]
    assert endpoint.embedded.count(FERRY.text) == 1


async def test_a_notebook_over_a_qdrant_server_keeps_every_promise(settings: Settings):
    async with qdrant_http.serve() as server:
        over_server = settings.model_copy(update={"qdrant_url": server.url})
        async with open_app(over_server) as one, open_app(over_server) as two:
            await one.notebook.add("g", FERRY, By("ann"))
            scoped = NoteDraft("The Fenlake Ferry's crew sleeps at noon.", scope=("crew",))
            await one.notebook.add("g", scoped, By("ann"))
            # A server may be searched by several processes.
            assert await numbers(one) == await numbers(two) == [1]
            await two.notebook.edit("g", 1, By("bob"), text="The Fenlake Ferry leaves at two.")
            [found] = await one.notebook.search(Place("g"), "When does the Fenlake Ferry leave?", 5)
            assert found.note.revision == 2
            await one.notebook.retire("g", 1, By("ann"))
            assert await numbers(two) == []
            assert await two.notebook.projector.reconcile() == Reconciled(2, 0, 0, 0)


@contextmanager
def statements(app: App) -> Iterator[list[str]]:
    """What is asked of the ledger's database meanwhile."""
    seen: list[str] = []

    def note(_connection, _cursor, statement, *_rest) -> None:
        seen.append(statement)

    engine = app.notebook.ledger._engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


async def test_a_question_reads_the_ledger_once(app: App):
    await app.notebook.add("g", FERRY, By("ann"))
    assert await numbers(app) == [1]
    watch = app.notebook.projector._watch
    assert watch is not None
    watch.cancel()
    with statements(app) as seen:
        await app.eren.answer("When does the Fenlake Ferry leave?", Place("g"))
        await app.eren.answer("Who won the chess cup?", Place("nobody's"))
    assert [one.split()[0] for one in seen] == ["SELECT"] * 2


async def test_a_note_of_another_process_that_is_indexed_while_a_question_searches_is_found(
    settings: Settings,
):
    async with open_app(settings) as holder, open_app(settings) as other:
        index = await holder.notebook.projector.ready()
        watch = holder.notebook.projector._watch
        assert watch is not None
        watch.cancel()
        await other.notebook.add("g", FERRY, By("ann"))
        search = index.search

        async def slow(*asked):
            found = await search(*asked)
            await holder.notebook.projector.project()
            return found

        index.search = slow  # type: ignore[method-assign]
        assert await numbers(holder) == [1]
