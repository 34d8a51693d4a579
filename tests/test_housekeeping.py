"""The outbox watched, tombstones purged, backups made: on the real index and the real ledger."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft, NoteStatus, Place
from eren_memory.errors import BackupRefused, ConfigError, NoteIndexError
from eren_memory.housekeeping import OutboxWatch, keep_backups, purge
from eren_memory.ledger.archive import restore
from tests.endpoint import Endpoint

FERRY = NoteDraft("The Fenlake Ferry leaves at noon.")
QUESTION = "When does the Fenlake Ferry leave?"
BY = By("ann")


async def held(app: App) -> dict[UUID, str]:
    """Every point of the index, tombstones too, and its status."""
    index = await app.notebook.projector.open()
    points: dict[UUID, str] = {}
    async for batch in index.scan(100):
        points |= {one: payload["status"] for one, payload in batch.items()}
    return points


async def found(app: App) -> list[int]:
    return [one.note.number for one in await app.notebook.search(Place("g"), QUESTION, 5)]


def later(days: int) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


@pytest.fixture(params=["embedded", "server"])
def indexed(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """On both kinds of index."""
    url = ":memory:" if request.param == "server" else None
    return settings.model_copy(update={"qdrant_url": url})


async def test_old_tombstones_are_purged_and_everything_else_stays(indexed: Settings):
    async with open_app(indexed) as app:
        notes = [await app.notebook.add("g", NoteDraft(f"{FERRY.text} {n}"), BY) for n in range(3)]
        await app.notebook.projector.ready()
        await app.notebook.retire("g", 1, BY)
        await app.notebook.projector.project()
        ledger, projector = app.notebook.ledger, app.notebook.projector
        assert await purge(ledger, projector, later(-1)) == "Purged 0 tombstones."
        assert (await held(app))[notes[0].id] == "retired"
        assert await purge(ledger, projector, later(1)) == "Purged 1 tombstones."
        assert await held(app) == {notes[1].id: "active", notes[2].id: "active"}
        report = await projector.reconcile()
        assert (report.missing, report.stale, report.orphaned) == (0, 0, 0)


async def test_a_note_whose_tombstone_was_purged_can_come_back_and_no_earlier_form_does(
    indexed: Settings,
):
    async with open_app(indexed) as app:
        first = await app.notebook.add("g", FERRY, BY)
        await app.notebook.projector.ready()
        await app.notebook.retire("g", 1, BY)
        await app.notebook.projector.project()
        await purge(app.notebook.ledger, app.notebook.projector, later(1))
        # The earlier form arrives late, from whoever was frozen for that long.
        index = await app.notebook.projector.open()
        await index.upsert([first], await app.embedder.embed([first.text]))
        assert await found(app) == []
        await app.notebook.projector.reconcile()
        assert (await held(app)).get(first.id) != "active"
        await app.notebook.restore("g", 1, BY)
        assert await found(app) == [1]


async def test_a_tombstone_whose_note_waits_for_the_index_stays(app: App, settings: Settings):
    note = await app.notebook.add("g", FERRY, BY)
    await app.notebook.projector.ready()
    await app.notebook.retire("g", 1, BY)
    await app.notebook.projector.project()
    # It takes up nothing for a second after it is opened again.
    assert app.notebook.projector._watch is not None
    app.notebook.projector._watch.cancel()
    await app.notebook.ledger.outbox.enqueue([note.id])
    assert await purge(app.notebook.ledger, app.notebook.projector, later(1)) == (
        "Purged 0 tombstones."
    )
    assert await held(app) == {note.id: "retired"}


async def test_a_note_that_another_process_brought_back_meanwhile_is_found_again(
    app: App, monkeypatch: pytest.MonkeyPatch
):
    note = await app.notebook.add("g", FERRY, BY)
    projector, ledger = app.notebook.projector, app.notebook.ledger
    index = await projector.ready()
    await app.notebook.retire("g", 1, BY)
    await projector.project()
    remove = index.remove

    async def overtaken(ids: list[UUID]) -> None:
        """The other has restored and projected it between our look and our act."""
        async with ledger.act("g", BY, datetime.now(UTC)) as unit:
            now = await unit.note(1)
            back = await unit.save(now, replace(now, status=NoteStatus.ACTIVE), "restore")
        await index.upsert([back], await app.embedder.embed([back.text]))
        pending = await ledger.outbox.pending(10)
        await ledger.outbox.projected(pending.rows)
        await remove(ids)

    monkeypatch.setattr(index, "remove", overtaken)
    await purge(ledger, projector, later(1))
    monkeypatch.setattr(index, "remove", remove)
    assert await found(app) == [1]
    assert note.id in await held(app)


async def test_an_outbox_that_does_not_move_is_reported_after_minutes_and_no_sooner(
    app: App, endpoint: Endpoint
):
    await app.notebook.projector.ready()
    now = datetime(2026, 11, 25, tzinfo=UTC)
    watch = OutboxWatch(app.notebook.ledger, app.notebook.projector, lambda: now)
    assert await watch.look() == "Nothing waits."
    endpoint.unembeddable = " "  # In all there is.
    await app.notebook.add("g", FERRY, BY)
    assert await watch.look() == "1 notes are being taken up."
    now += timedelta(minutes=4)
    await watch.look()
    now += timedelta(minutes=1)
    with pytest.raises(NoteIndexError, match="1 notes have waited for the index for over 5"):
        await watch.look()
    endpoint.unembeddable = None
    await app.notebook.projector.project()
    assert await watch.look() == "Nothing waits."


async def test_a_note_that_is_set_aside_is_no_trouble_of_the_outbox_and_hides_none(
    app: App, endpoint: Endpoint
):
    await app.notebook.projector.ready()
    now = datetime(2026, 11, 25, tzinfo=UTC)
    watch = OutboxWatch(app.notebook.ledger, app.notebook.projector, lambda: now)
    endpoint.unembeddable = "Ferry"
    await app.notebook.add("g", FERRY, BY)
    apart = "1 notes are set aside: `eren status` says why."
    for _ in range(2):
        assert await watch.look() == f"Nothing waits. {apart}"
        now += timedelta(minutes=6)
    endpoint.unembeddable = " "
    await app.notebook.add("g", NoteDraft("The mill is closed."), BY)
    assert await watch.look() == f"1 notes are being taken up. {apart}"
    now += timedelta(minutes=6)
    with pytest.raises(NoteIndexError, match=f"1 notes have waited .*{apart}"):
        await watch.look()


async def test_whoever_no_longer_takes_notes_up_is_made_to_again(app: App):
    projector = app.notebook.projector
    await projector.ready()
    assert projector._watch is not None
    projector._watch.cancel()
    await asyncio.gather(projector._watch, return_exceptions=True)
    async with app.notebook.ledger.act("g", BY, datetime.now(UTC)) as unit:
        await unit.insert([unit.made(FERRY, NoteStatus.ACTIVE)], "add")
    watch = OutboxWatch(app.notebook.ledger, projector, lambda: datetime.now(UTC))
    await watch.look()
    async with asyncio.timeout(10):
        while await app.notebook.ledger.outbox.count():
            await asyncio.sleep(0.05)


async def test_backups_are_whole_and_the_newest_are_kept(settings: Settings, tmp_path: Path):
    folder = tmp_path / "backups"
    own = tmp_path / "calibrations.json"
    own.write_text("[]")
    async with open_app(settings) as app:
        for day in range(4):
            await app.notebook.add("g", NoteDraft(f"Note of day {day}."), BY)
            now = datetime(2026, 11, 20 + day, 2, 30, tzinfo=UTC)
            said = await keep_backups(
                app.notebook.ledger, folder, {"calibrations.json": own}, 2, now
            )
            (folder / "mine.zip").touch()
            (folder / "eren-20200101-000000.zip.part").touch()
        assert said == "Backed up 4 notes to eren-20261123-023000.zip."
        await keep_backups(app.notebook.ledger, folder, {}, 2, later(0))
    kept = sorted(path.name for path in folder.iterdir())
    assert kept[0] == "eren-20261123-023000.zip"
    assert len(kept) == 3  # Two backups, and what is not ours.
    assert "mine.zip" in kept
    shutil.rmtree(settings.home)
    settings.home.mkdir()
    async with open_app(settings) as fresh:
        there = {"calibrations.json": tmp_path / "back.json"}
        await restore(fresh.notebook.ledger, folder / kept[0], there)
        assert [one.text for one in await fresh.notebook.ledger.notes("g")] == [
            f"Note of day {day}." for day in range(4)
        ]
        assert there["calibrations.json"].read_text() == "[]"
        # What ran there counts here: nothing is leased to a process that is elsewhere.
        assert not any(one.running for one in await fresh.jobs.overview("g"))


async def test_a_backup_that_cannot_be_written_deletes_no_earlier_one(app: App, tmp_path: Path):
    folder = tmp_path / "backups"
    now = datetime(2026, 11, 25, tzinfo=UTC)
    await keep_backups(app.notebook.ledger, folder, {}, 1, now)
    (folder / "eren-20261126-000000.zip.part").mkdir()  # In the way.
    with pytest.raises(BackupRefused, match="cannot be written"):
        await keep_backups(app.notebook.ledger, folder, {}, 1, now + timedelta(days=1))
    assert (folder / "eren-20261125-000000.zip").is_file()


async def test_every_installation_has_its_jobs_and_a_backup_where_a_folder_is_set(
    settings: Settings, tmp_path: Path
):
    async with open_app(settings) as app:
        names = [one.id for one in await app.jobs.all()]
        assert names == ["outbox", "retention", "purge", "reconcile", "recalibration"]
    where = {"backup_folder": tmp_path / "backups", "time_zone": "Europe/Berlin"}
    async with open_app(settings.model_copy(update=where)) as app:
        for job in await app.jobs.all():
            assert await app.jobs.run_now(job.id, "g")
        states = await app.jobs.overview("g")
        assert all(one.ok for one in states)
        due = {one.id: one.next_at for one in states}
        assert due["backup"] is not None
        assert due["backup"].astimezone(settings.model_copy(update=where).zone).hour == 2
    assert len(list((tmp_path / "backups").iterdir())) == 1


def test_a_time_zone_that_there_is_not_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch):
    from eren_memory.config import load_settings

    for bad in ("Mars/Olympus", "../etc/passwd", ""):
        monkeypatch.setenv("EREN_TIME_ZONE", bad)
        if bad:
            with pytest.raises(ConfigError, match="EREN_TIME_ZONE is not usable"):
                load_settings()
        else:
            assert load_settings().time_zone == "UTC"
