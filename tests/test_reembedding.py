"""Another embedding model, while questions are answered: nothing mixed, nothing lost, nothing twice."""

import asyncio
import shutil
import sqlite3
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from eren_memory.app import App, open_app, own_calibrations
from eren_memory.calibrations import read
from eren_memory.community import Asked
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft, Place
from eren_memory.errors import BadInput, IndexBusy, ReembedRefused
from eren_memory.ledger.outbox import Outbox, SpaceState
from eren_memory.reembedding import Reembedded
from eren_memory.relevance import Task
from tests import qdrant_http
from tests.calibrated import calibrate
from tests.conftest import on_both
from tests.endpoint import DIMENSION, STEMS, Endpoint, stems_vector, words_vector

ANN = By("ann")
OLD, NEW = "hashed-words", "hashed-stems"
PLACE = Place("g")


@pytest.fixture(autouse=True)
def _other_space(endpoint: Endpoint) -> None:
    endpoint.embedders[NEW] = stems_vector


def texts(count: int) -> list[str]:
    things = ("ferry", "bridge", "library", "market", "tower", "school", "museum", "garden")
    acts = ("opens", "closes", "begins", "ends", "rests", "moves")
    return [
        f"The {things[n % 8]} of district {n} {acts[n % 6]} at {n % 24} o'clock."
        for n in range(count)
    ]


async def fill(app: App, count: int = 40) -> None:
    await app.notebook.add_many("g", [NoteDraft(text) for text in texts(count)], ANN)
    await app.notebook.projector.project()


async def live(app: App) -> str:
    return await app.notebook.ledger.spaces.live()


async def go_to(app: App, space: str = NEW) -> Reembedded:
    await app.reembedding.wish(space, "ann")
    return await step(app)


async def step(app: App) -> Reembedded:
    done = await app.reembedding.step()
    assert done is not None
    return done


async def ask_before(app: App) -> None:
    """Past questions enough, so that no note's own text is asked to compare the spaces."""
    for n in range(100):
        asked = Asked(
            uuid4(), "g", "c", ("c",), "ann", f"When does the tower {n} open?", "at noon", "model",
            claim=False, private=False, at=datetime.now(UTC), trace={},
        )  # fmt: skip
        await app.records.keep(asked)


async def held_texts(app: App) -> dict[int, str]:
    """What the live index holds, with each vector that of the live model for the text it stands by."""
    index = await app.notebook.projector.ready()
    notes = await app.notebook.ledger.notes("g")
    held = await index.held([note.id for note in notes])
    vector = {OLD: words_vector, NEW: stems_vector}[await live(app)]
    for one in held.values():
        np.testing.assert_allclose(one.dense, vector(one.text), atol=1e-5)
    return {note.number: held[note.id].text for note in notes if note.id in held}


async def wanted_texts(app: App) -> dict[int, str]:
    return {n.number: n.text for n in await app.notebook.ledger.notes("g") if n.status == "active"}


async def test_the_notebook_goes_over_to_another_model_and_says_what_it_saw(app: App, endpoint):
    await fill(app)
    done = await go_to(app)
    assert (done.space, done.before, done.notes, done.embedded) == (NEW, OLD, 40, 40)
    assert done.overlap is not None
    assert done.overlap > 0.3
    assert await live(app) == app.embedder.space == NEW
    assert await held_texts(app) == await wanted_texts(app)
    assert (await app.notebook.search(PLACE, texts(3)[2], 1))[0].note.number == 3
    assert endpoint.embedded_by[-1] == (NEW, texts(3)[2])


async def test_no_text_is_embedded_twice_in_a_space_there_and_back_and_there_again(
    app: App, endpoint: Endpoint
):
    await ask_before(app)
    await fill(app)
    await go_to(app)
    await app.notebook.edit("g", 7, ANN, text="The ferry sank.")
    await app.notebook.retire("g", 8, ANN)
    back = await app.reembedding.wish_back("ann")
    assert back == OLD
    done = await step(app)
    assert (done.space, done.embedded) == (OLD, 1)
    assert await held_texts(app) == await wanted_texts(app)
    await app.notebook.add("g", NoteDraft("A new tower."), ANN)
    done = await go_to(app, NEW)
    assert (done.space, done.embedded) == (NEW, 1)
    assert await held_texts(app) == await wanted_texts(app)
    notes = {*texts(40), "The ferry sank.", "A new tower."}
    counted = Counter(one for one in endpoint.embedded_by if one[1] in notes)
    # What was edited or retired before it could be seen by a space is of no interest to it.
    assert {*counted.values()} == {1}
    assert len(counted) == 2 * 42


async def test_a_change_that_keeps_the_text_is_not_embedded(app: App, endpoint: Endpoint):
    await fill(app, 3)
    before = len(endpoint.embedded)
    await app.notebook.verify("g", 2, ANN)
    await app.notebook.edit("g", 3, ANN, scope=("staff",))
    await app.notebook.projector.project()
    assert len(endpoint.embedded) == before
    assert await held_texts(app) == await wanted_texts(app)


async def test_edits_during_the_backfill_are_right_in_both_indexes(app: App, monkeypatch):
    await fill(app)
    monkeypatch.setattr("eren_memory.reembedding._BATCH", 4)
    new = await app.notebook.projector.beside(NEW)
    embed, edited = new.embedder.embed, 0

    async def edit_meanwhile(some):
        nonlocal edited
        if edited < 6:
            edited += 1
            # One that is written already, and one that still waits.
            await app.notebook.edit("g", edited, ANN, text=f"Edited in between {edited}.")
            await app.notebook.edit("g", 41 - edited, ANN, text=f"Edited before {edited}.")
            hits = await app.notebook.search(PLACE, f"Edited in between {edited}.", 9)
            assert edited in [one.note.number for one in hits]
            assert app.embedder.space == OLD
        return await embed(some)

    monkeypatch.setattr(new.embedder, "embed", edit_meanwhile)
    await go_to(app)
    assert edited == 6
    assert await held_texts(app) == await wanted_texts(app)
    await app.reembedding.wish_back("ann")
    await app.reembedding.step()
    assert await live(app) == OLD
    assert await held_texts(app) == await wanted_texts(app)


async def test_a_question_ends_in_the_space_in_which_it_began(
    app: App, settings: Settings, endpoint: Endpoint
):
    await fill(app)
    async with app.notebook.projector.using() as began:
        await go_to(app)
        await asyncio.sleep(0.05)
        hits = await app.notebook.search(PLACE, texts(6)[5], 1, began)
        assert hits[0].note.number == 6
        assert endpoint.embedded_by[-1][0] == OLD
        assert app.calibrations.key(Task.QUESTION, logprobs=True).embedder == NEW
    async with asyncio.timeout(5):
        while app.notebook.projector.has(OLD):
            await asyncio.sleep(0.01)


def _random(text: str) -> np.ndarray:
    vector = np.random.default_rng(abs(hash(text)) % 2**32).normal(size=STEMS)
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize(
    ("garbage", "why"),
    [
        (_random, "finds other notes"),
        (lambda _: np.ones(STEMS) / np.sqrt(STEMS), "nearly the same vector"),
        (
            lambda text: np.full(STEMS, np.nan) if "library" in text else stems_vector(text),
            "finite",
        ),
    ],
)
async def test_a_model_whose_vectors_mean_nothing_is_refused_and_the_old_one_stays(
    app: App, endpoint: Endpoint, settings: Settings, garbage, why
):
    endpoint.embedders[NEW] = garbage
    await fill(app)
    with pytest.raises(ReembedRefused, match=why):
        await go_to(app)
    assert await live(app) == app.embedder.space == OLD
    await app.reembedding.tidy()
    assert why in (await app.reembedding.state())["refused"][NEW]
    assert not (settings.home / "index" / "notes_hashed_stems").exists()
    assert await held_texts(app) == await wanted_texts(app)
    # A wish after that begins with nothing of it.
    endpoint.embedders[NEW] = stems_vector
    assert (await go_to(app)).embedded == 40
    assert await held_texts(app) == await wanted_texts(app)


async def test_a_model_that_cannot_be_loaded_is_refused_with_its_reason(app: App, tmp_path: Path):
    await fill(app, 3)
    gone = str(tmp_path / "no-model")
    now = datetime.now(UTC)
    await app.notebook.ledger.spaces.begin(gone, endpoint=False, wished_by="ann", now=now)
    with pytest.raises(ReembedRefused, match=r"cannot be loaded .* go on in the old one"):
        await app.reembedding.step()
    assert await live(app) == OLD
    assert await app.reembedding.wanted() is None


async def test_the_live_space_is_the_one_in_the_ledger_and_the_settings_are_a_wish_once(
    settings: Settings,
):
    other = settings.model_copy(update={"embedding_model": NEW})
    other.model_fields_set.add("embedding_model")
    async with open_app(settings) as app:
        await fill(app)
    async with open_app(other) as app:
        assert app.embedder.space == OLD
        assert (await app.reembedding.state())["named"] == NEW
        assert await app.notebook.search(PLACE, texts(1)[0], 1)
        assert await app.reembedding.heed()
        await app.reembedding.step()
        assert await live(app) == NEW
        assert not await app.reembedding.heed()
        await app.reembedding.wish_back("ann")
        await app.reembedding.step()
    async with open_app(other) as app:
        # The environment says what it said: going back was the newer wish.
        assert not await app.reembedding.heed()
        assert app.embedder.space == OLD
    async with open_app(settings) as app:
        assert await app.reembedding.heed()
        assert await app.reembedding.wanted() is None  # It is live already.


async def test_a_setting_that_nobody_made_wishes_nothing(settings: Settings):
    async with open_app(settings) as app:
        await fill(app, 3)
    silent = settings.model_copy(update={"embedding_model": "all-MiniLM-L6-v2"})
    silent.model_fields_set.discard("embedding_model")
    async with open_app(silent) as app:
        assert app.embedder.space == OLD
        assert not await app.reembedding.heed()


async def test_a_live_model_that_cannot_be_loaded_any_more_is_replaced_by_that_of_the_settings(
    settings: Settings, tmp_path: Path, caplog
):
    async with open_app(settings) as app:
        await fill(app, 3)
    gone = str(tmp_path / "no-model")
    with sqlite3.connect(settings.home / "notebook.db") as db:
        db.execute("UPDATE spaces SET space = ?, endpoint = 0", [gone])
    db.close()
    async with open_app(settings) as app:
        assert app.embedder.space == gone
        assert (await app.notebook.search(PLACE, texts(2)[1], 1))[0].note.number == 2
        assert await live(app) == OLD
        assert await held_texts(app) == await wanted_texts(app)
    assert "no-model cannot be loaded" in caplog.text


async def test_an_index_folder_of_before_is_used_as_it_is(settings: Settings, endpoint: Endpoint):
    async with open_app(settings) as app:
        await fill(app)
    with sqlite3.connect(settings.home / "notebook.db") as db:
        # As the version before left it: no spaces, an outbox without them.
        db.executescript(
            "DROP TABLE spaces; DROP INDEX ix_outbox_space_seq; DROP TABLE job_runs; DROP TABLE audits;"
            "DROP TABLE findings; DROP TABLE checks; DROP TABLE source_changes; DROP TABLE note_uses;"
            "DROP INDEX ix_notes_source_url; DROP TABLE budget_holds; DROP TABLE budget_days;"
            "DROP TABLE heard_messages; DROP TABLE published_commands; DROP TABLE forgotten;"
            "DROP TABLE budget_members; DROP TABLE budget_models; DROP TABLE budget_warnings;"
            "ALTER TABLE outbox DROP COLUMN space; ALTER TABLE outbox DROP COLUMN reason;"
            "ALTER TABLE outbox DROP COLUMN scrub;"
            "UPDATE alembic_version SET version_num = '0003';"
            "INSERT INTO outbox (note_id) SELECT id FROM notes WHERE number = 1;"
        )
    db.close()
    embedded = len(endpoint.embedded)
    changed = settings.model_copy(update={"embedding_model": NEW})
    async with open_app(changed) as app:
        assert app.embedder.space == OLD
        assert await Outbox(app.notebook.ledger, OLD).count() == 1
        assert (await app.notebook.search(PLACE, texts(2)[1], 1))[0].note.number == 2
        assert await held_texts(app) == await wanted_texts(app)
    assert {one for _, one in endpoint.embedded_by[embedded:]} == {"dimension", texts(2)[1]}


async def test_an_index_that_was_kept_is_deleted_when_its_time_is_over(settings: Settings):
    now = datetime(2026, 11, 3, tzinfo=UTC)
    folder = settings.home / "index" / "notes_hashed_words"
    async with open_app(settings, clock=lambda: now) as app:
        await fill(app)
        await go_to(app)
        await app.reembedding.tidy()
        assert folder.exists()
        now += timedelta(days=8)
        async with asyncio.timeout(5):
            while app.notebook.projector.has(OLD):
                await asyncio.sleep(0.01)
        await app.reembedding.tidy()
        assert not folder.exists()
        assert (await app.notebook.ledger.spaces.all())[OLD].state is SpaceState.GONE
        with pytest.raises(BadInput, match="No earlier index is kept"):
            await app.reembedding.wish_back("ann")


async def test_what_is_erased_leaves_the_kept_index_at_once(settings: Settings, app: App):
    await fill(app)
    await go_to(app)
    await asyncio.sleep(0.1)
    await app.notebook.erase("g", 1, ANN)
    await app.reembedding.tidy()
    assert not (settings.home / "index" / "notes_hashed_words").exists()


async def test_a_wish_may_be_withdrawn_and_leaves_nothing(
    app: App, settings: Settings, monkeypatch
):
    await fill(app)
    monkeypatch.setattr("eren_memory.reembedding._RENEW_SECONDS", 0)
    monkeypatch.setattr("eren_memory.reembedding._BATCH", 4)
    new = await app.notebook.projector.beside(NEW)
    embed = new.embedder.embed

    async def withdraw(some):
        await app.reembedding.wish_back("bob")
        return await embed(some)

    monkeypatch.setattr(new.embedder, "embed", withdraw)
    await app.reembedding.wish(NEW, "ann")
    assert await app.reembedding.step() is None
    await app.reembedding.tidy()
    assert await live(app) == OLD
    assert not (settings.home / "index" / "notes_hashed_stems").exists()


async def test_two_models_whose_indexes_would_share_a_name_are_refused(app: App):
    await fill(app, 1)
    with pytest.raises(BadInput, match="differ in nothing but signs"):
        await app.reembedding.wish("Hashed_Words", "ann")


async def test_how_far_it_is_can_be_seen_as_it_goes_on(app: App, monkeypatch):
    monkeypatch.setattr("eren_memory.reembedding._BATCH", 8)
    monkeypatch.setattr("eren_memory.projection._SETTLED_SLOWLY", 8)
    await fill(app)
    await app.reembedding.wish(NEW, "ann")
    seen = [(await app.reembedding.state())["building"]["done"]]
    new = await app.notebook.projector.beside(NEW)
    embed = new.embedder.embed

    async def look(some):
        seen.append((await app.reembedding.state())["building"]["done"])
        return await embed(some)

    monkeypatch.setattr(new.embedder, "embed", look)
    await step(app)
    assert sorted(set(seen))[:5] == [0, 8, 16, 24, 32]
    assert seen == sorted(seen)


async def test_questions_are_answered_and_the_loop_turns_while_notes_are_embedded(app: App):
    """No timed assertion: the figure is from `python -m tests.reembedding_trial`."""
    await fill(app, 200)
    await app.reembedding.wish(NEW, "ann")
    work = asyncio.create_task(app.reembedding.step())
    found, spaces = [], []
    while not work.done():
        async with app.notebook.projector.using() as space:
            spaces.append(space.space)
            found += await app.notebook.search(PLACE, texts(4)[3], 1, space)
        await asyncio.sleep(0)
    await work
    assert len(found) == len(spaces) > 5
    assert {one.note.number for one in found} == {4}
    assert spaces == sorted(spaces, reverse=True)  # Once over, never back.


class TestThresholds:
    """Those of the new space: its own, or the old ones carried over, and labelled so."""

    async def test_without_any_for_the_new_space_the_old_ones_are_carried_over(
        self, app: App, settings: Settings
    ):
        calibrate(settings, fitted="made for the test")
        await fill(app, 60)
        before = app.calibrations.get(Task.QUESTION, logprobs=True)
        done = await go_to(app)
        after = app.calibrations.get(Task.QUESTION, logprobs=True)
        assert done.calibration == after.fitted
        assert after.fitted is not None
        assert after.fitted.startswith(f"carried over from {OLD} by ")
        assert after.fitted.endswith("(made for the test)")
        assert after != before
        assert after.decision.verdict == before.decision.verdict
        assert done.agreement is not None
        assert done.agreement > 0.8
        assert app.is_calibrated

    async def test_the_operators_own_for_the_new_space_are_used_as_they_are(
        self, app: App, settings: Settings
    ):
        calibrate(settings, fitted="made for the test")
        await fill(app)
        await go_to(app)
        file = own_calibrations(settings)
        text = file.read_text().replace("carried over from", "fitted by hand, not from")
        file.write_text(text)
        await app.reembedding.wish_back("ann")
        await app.reembedding.step()
        await app.notebook.ledger.spaces.drop(NEW)
        await app.reembedding.tidy()
        done = await go_to(app)
        assert done.calibration == "its own"
        assert any("fitted by hand" in str(one.fitted) for one in read(file).values())

    async def test_defaults_stay_uncalibrated_though_they_are_carried_over(self, app: App):
        await fill(app)
        done = await go_to(app)
        assert "uncalibrated" in done.calibration
        assert not app.is_calibrated

    async def test_a_notebook_too_small_to_compare_says_so(self, app: App):
        await fill(app, 5)
        done = await go_to(app)
        assert (done.overlap, done.agreement) == (None, None)
        assert "too few notes" in done.calibration


async def test_another_process_of_a_server_index_follows_within_two_seconds(settings: Settings):
    async with qdrant_http.serve() as server:
        over_server = settings.model_copy(update={"qdrant_url": server.url})
        async with open_app(over_server) as one, open_app(over_server) as two:
            await fill(one)
            assert (await two.notebook.search(PLACE, texts(2)[1], 1))[0].note.number == 2
            await go_to(one)
            async with asyncio.timeout(2):
                while two.embedder.space != NEW:
                    await asyncio.sleep(0.05)
            assert (await two.notebook.search(PLACE, texts(2)[1], 1))[0].note.number == 2
            await two.notebook.edit("g", 1, ANN, text="Moved to the island.")
            [found] = await one.notebook.search(PLACE, "Moved to the island.", 1)
            assert found.note.number == 1


async def test_of_two_processes_one_builds_and_the_claim_of_a_dead_one_ends(settings: Settings):
    now = datetime(2026, 11, 3, tzinfo=UTC)
    async with qdrant_http.serve() as server:
        over_server = settings.model_copy(update={"qdrant_url": server.url})
        async with (
            open_app(over_server, clock=lambda: now) as one,
            open_app(over_server, clock=lambda: now) as two,
        ):
            await fill(one)
            await one.reembedding.wish(NEW, "ann")
            assert await one.reembedding._claim(NEW)  # And then it is killed.
            assert await two.reembedding.step() is None
            now += timedelta(minutes=1)
            done = await step(two)
            assert (done.space, done.embedded) == (NEW, 40)
            assert not await one.notebook.ledger.spaces.switch(OLD, "x", now, {})


async def test_with_the_embedded_index_the_process_that_holds_it_does_the_work(settings: Settings):
    async with open_app(settings) as holder, open_app(settings) as other:
        await fill(holder)
        await other.reembedding.wish(NEW, "ann")
        with pytest.raises(IndexBusy):
            await other.reembedding.step()
        async with holder.reembedding.in_background():
            done = await other.reembedding.finish()
        assert done is not None
        assert done.space == NEW
        assert (await holder.notebook.search(PLACE, texts(2)[1], 1))[0].note.number == 2


@on_both
async def test_a_note_saved_as_a_migration_begins_is_in_its_outbox(settings: Settings):
    async with open_app(settings) as app:
        await fill(app, 3)
        ledger = app.notebook.ledger
        await asyncio.gather(
            *(app.notebook.add("g", NoteDraft(f"Meanwhile {n}."), ANN) for n in range(10)),
            app.reembedding.wish(NEW, "ann"),
        )
        assert await Outbox(ledger, NEW).count() == 13


async def test_a_restored_notebook_is_built_again_in_the_live_space(app: App, tmp_path):
    from eren_memory.ledger.archive import back_up, restore

    await fill(app)
    await go_to(app)
    await back_up(app.notebook.ledger, tmp_path / "a.zip", {}, datetime.now(UTC))
    await restore(app.notebook.ledger, tmp_path / "a.zip", {})
    async with asyncio.timeout(5):
        while await live(app) != NEW:
            await asyncio.sleep(0.05)
    assert await held_texts(app) == await wanted_texts(app)
    spaces = await app.notebook.ledger.spaces.all()
    assert [*spaces] == [NEW]


async def test_an_index_that_is_lost_while_it_is_built_is_built_again(settings: Settings):
    async with open_app(settings) as app:
        await fill(app)
        await app.reembedding.wish(NEW, "ann")
        new = await app.notebook.projector.beside(NEW)
        await new.projector.project()
    shutil.rmtree(settings.home / "index" / "notes_hashed_stems")
    async with open_app(settings) as app:
        done = await step(app)
        assert (done.space, done.embedded) == (NEW, 40)
        assert await held_texts(app) == await wanted_texts(app)
    assert DIMENSION != STEMS
