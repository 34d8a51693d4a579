"""Data folders and backups that earlier versions wrote open here, with every note, and answer."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
import sqlalchemy as sa

from eren_memory.app import open_app
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft, NoteStatus, Origin, Place
from eren_memory.ledger.archive import restore
from eren_memory.ledger.schema import SCHEMA_VERSION
from tests.conftest import on_both
from tests.endpoint import Endpoint, Reply

EARLIER = Path(__file__).parent / "upgrade"
FOLDERS = sorted(EARLIER.glob("*.tar.xz"))
BACKUPS = sorted(EARLIER.glob("*.zip"))
FERRY = "The Fenlake Ferry leaves at noon."
HERE = Place("local", ("77",))


@pytest.fixture
def answering(endpoint: Endpoint) -> Endpoint:
    endpoint.when("Note: " + FERRY, Reply("yes: at noon", 0.99))
    endpoint.when("Note: The market is on Friday.", Reply("yes: on Friday", 0.99))
    return endpoint


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda one: one.name[:4])
async def test_a_data_folder_of_an_earlier_version_opens_and_answers_and_takes_notes(
    folder: Path, settings: Settings, answering: Endpoint, tmp_path: Path
):
    home = tmp_path / "earlier"
    with tarfile.open(folder) as archive:
        archive.extractall(home, filter="data")
    moved = settings.model_copy(update={"home": home, "database_url": None})
    async with open_app(moved) as app:
        ledger = app.notebook.ledger
        async with ledger.reading() as connection:
            found = await connection.execute(sa.text("SELECT version_num FROM alembic_version"))
            assert found.scalar_one() == SCHEMA_VERSION
        notes = {note.text: note for note in await ledger.notes("local")}
        assert len(notes) == (5 if folder.name.startswith("0001") else 4)
        active = {text for text, note in notes.items() if note.status is NoteStatus.ACTIVE}
        assert {FERRY, "The market is on Friday."} <= active
        assert "retired" in {str(note.status) for note in notes.values()}
        for note in notes.values():
            history = await app.notebook.history("local", note.number)
            assert [entry.note.revision for entry in history] == [*range(1, note.revision + 1)]
            assert all(entry.by.actor_id == "local:someone" for entry in history)
        assert notes["The library closes at six."].question == "When does the library close?"
        # One note is in the index that was found, the other only in its outbox.
        for question, text in (
            ("When does the Fenlake Ferry leave?", "at noon"),
            ("When is the market?", "on Friday"),
        ):
            answer = await app.eren.answer(question, HERE)
            assert (answer.text, answer.origin) == (text, Origin.NOTEBOOK)
        done = await app.notebook.projector.reconcile()
        assert (done.missing, done.stale, done.orphaned) == (0, 0, 0)
        added = await app.notebook.add("local", NoteDraft("The zoo is open."), By("someone"))
        assert added.number == len(notes) + 1


@on_both
@pytest.mark.parametrize("backup", BACKUPS, ids=lambda one: one.stem)
async def test_a_backup_of_an_earlier_version_is_restored(
    backup: Path, settings: Settings, answering: Endpoint
):
    async with open_app(settings) as app:
        await restore(app.notebook.ledger, backup, {}, replace=False)
    async with open_app(settings) as app:
        assert len(await app.notebook.ledger.notes("local")) == 4
        [first, second] = await app.notebook.history("local", 1)
        assert (first.note.text, second.note.text) == ("The Fenlake Ferry leaves at two.", FERRY)
        assert second.by.reason == "the new timetable"
        answer = await app.eren.answer("When does the Fenlake Ferry leave?", HERE)
        assert (answer.text, answer.origin) == ("at noon", Origin.NOTEBOOK)


def test_every_schema_version_up_to_this_one_is_among_them():
    """Of the newest a folder is added when the next one is made."""
    written = {int(one.name[:4]) for one in FOLDERS}
    assert written >= set(range(1, int(SCHEMA_VERSION)))
