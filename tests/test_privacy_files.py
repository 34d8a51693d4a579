"""After a forgetting no file of the data folder has the person's id or words, whoever had it open."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft, Place
from eren_memory.errors import NoteIndexError
from eren_memory.index import shards
from eren_memory.index.edge import EdgeIndex
from eren_memory.index.points import payload
from eren_memory.ledger.archive import back_up
from eren_memory.ledger.outbox import Outbox
from tests.command_line import CommandLine
from tests.endpoint import Endpoint
from tests.people import (
    GUILD,
    NOTE,
    NOW,
    OTHER,
    OTHERS,
    PERSON,
    THEIRS,
    files_with,
    filled,
    held,
    traces,
)

OPERATOR = By("local:op")
SECRET = "Brakelmoor"


async def search(app: App, words: str) -> list[str]:
    return [one.note.text for one in await app.notebook.search(Place(GUILD), words, 5)]


@pytest.fixture
def run(settings: Settings) -> CommandLine:
    return CommandLine(settings)


async def test_no_file_has_the_person_while_the_notebook_is_open_and_after(settings: Settings):
    async with open_app(settings) as app:
        await filled(app)
        await search(app, "lighthouse")
        assert files_with(settings.home, PERSON) != []
        await app.privacy.forget(PERSON, OPERATOR)
        assert files_with(settings.home, *traces()) == []
        assert NOTE in await search(app, "lighthouse of Varnholm")
    assert files_with(settings.home, *traces()) == []
    assert files_with(settings.home, OTHER, OTHERS["note"]) != []


async def test_nothing_is_left_between_the_pages_of_a_notebook_that_has_lived(app: App):
    """Rows grown, moved and deleted: pages split, freed and used again."""
    for round_ in range(3):
        drafts = [NoteDraft(f"{n} {'x' * (n * 7 % 900)} {round_}") for n in range(120)]
        await app.notebook.add_many(GUILD, drafts, By(PERSON, THEIRS["reason"]))
        for number in range(1 + 120 * round_, 60 + 120 * round_):
            await app.notebook.erase(GUILD, number, By(OTHER))
    await app.privacy.forget(PERSON, OPERATOR)
    assert files_with(app.settings.home, PERSON, "Zerelda") == []


async def test_what_an_earlier_program_left_in_the_file_goes_too(settings: Settings):
    file = settings.home / "notebook.db"
    async with open_app(settings) as app:
        await filled(app)
    with closing(sqlite3.connect(file, isolation_level=None)) as before:
        before.execute("PRAGMA secure_delete = OFF")
        before.execute("CREATE TABLE old (text)")
        rows = [(f"{PERSON} {number} {'x' * 500}",) for number in range(50)]
        before.executemany("INSERT INTO old VALUES (?)", rows)
        before.execute("DROP TABLE old")
        before.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    async with open_app(settings) as app:
        await app.privacy.forget(PERSON, OPERATOR)
        assert files_with(settings.home, *traces()) == []


async def test_the_index_never_has_an_author(app: App):
    await filled(app)
    await search(app, "lighthouse")
    folder = app.settings.home / "index"
    assert files_with(folder, "Varnholm") != []
    assert files_with(folder, PERSON, OTHER) == []
    note = await app.notebook.ledger.note(GUILD, 1)
    assert PERSON not in str(payload(note))


async def test_where_others_named_the_person_the_index_is_written_anew(app: App):
    await app.notebook.add(GUILD, NoteDraft(f"Ask <@{PERSON}> about eels."), By(OTHER))
    await app.notebook.add(GUILD, NoteDraft("Eels are long."), By(OTHER))
    await search(app, "eels")
    assert files_with(app.settings.home / "index", PERSON) != []
    gone = await app.privacy.forget(PERSON, OPERATOR)
    assert files_with(app.settings.home, PERSON) == []
    found = await search(app, "Whom do I ask about eels?")
    assert found == [f"Ask {gone.forgotten.pseudonym} about eels.", "Eels are long."]


async def test_the_command_forgets_what_nobody_has_open(settings: Settings, run: CommandLine):
    async with open_app(settings) as app:
        await filled(app)
        await app.notebook.add(GUILD, NoteDraft(f"Ask <@{PERSON}> about eels."), By(OTHER))
        await search(app, "eels")
    done = (await run("privacy", "forget", PERSON, "--yes", "--json")).data
    assert (done["questions"], done["suggestions"], done["index"]) == (1, 2, "done")
    assert files_with(settings.home, *traces()) == []


async def test_a_running_process_has_forgotten_within_seconds(settings: Settings, run: CommandLine):
    async with open_app(settings) as app:
        await filled(app)
        await app.notebook.add(GUILD, NoteDraft(f"Ask <@{PERSON}> about eels."), By(OTHER))
        await search(app, "eels")
        ran = await run.in_a_process("privacy", "forget", PERSON, "--yes")
        assert (ran.status, "within seconds" in ran.out) == (0, True), ran.err
        async with asyncio.timeout(30):
            while files_with(settings.home, *traces()) or await app.notebook.ledger.outbox.count():
                await asyncio.sleep(0.2)
        assert any("about eels" in text for text in await search(app, "eels"))


async def test_an_erased_note_leaves_the_index_at_once(app: App):
    await app.notebook.add(GUILD, NoteDraft(f"The key lies in {SECRET}."), By(OTHER))
    await app.notebook.add(GUILD, NoteDraft("Eels are long."), By(OTHER))
    await search(app, "eels")
    await app.notebook.erase(GUILD, 1, By(OTHER))
    await app.notebook.projector.project()
    assert files_with(app.settings.home, SECRET) == []
    assert await search(app, "eels") == ["Eels are long."]
    [kept] = [one for one in (await held(app)).values() if one["status"] == "active"]
    assert kept["text"] == "Eels are long."
    report = await app.notebook.projector.reconcile()
    assert (report.missing, report.stale, report.orphaned) == (0, 0, 0)


async def test_questions_are_answered_while_the_index_is_written_anew(app: App):
    texts = [f"Eel number {n} is long." for n in range(600)]
    await app.notebook.add_many(GUILD, [NoteDraft(text) for text in texts], By(OTHER))
    await search(app, "eel")
    await app.notebook.erase(GUILD, 1, By(OTHER))
    writing = asyncio.create_task(app.notebook.projector.project())
    answered = 0
    while not writing.done():
        assert await search(app, "eel number 7") != []
        answered += 1
    await writing
    assert answered > 0
    assert len(await held(app)) == 600


async def test_what_could_not_be_written_anew_is_tried_again_also_after_a_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    async with open_app(settings) as app:
        await app.notebook.add(GUILD, NoteDraft(f"The key lies in {SECRET}."), By(OTHER))
        await app.notebook.add(GUILD, NoteDraft("Eels are long."), By(OTHER))
        await search(app, "eels")
        with monkeypatch.context() as broken:
            broken.setattr(shards, "_copy", _full)
            await app.notebook.erase(GUILD, 1, By(OTHER))
            with pytest.raises(NoteIndexError):
                await app.notebook.projector.project()
            assert await app.notebook.ledger.outbox.count() > 0
            assert await search(app, "eels") == ["Eels are long."]
            assert files_with(settings.home / "index", SECRET) != []
            await app.notebook.projector.close()
    async with open_app(settings) as app:
        assert await search(app, "eels") == ["Eels are long."]
        await app.notebook.projector.project()
        assert files_with(settings.home, SECRET) == []


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_while_erasing(settings: dict[str, Any], owner: str, name: str) -> None:
    """Erase a note, and be killed where this function is called."""

    async def erase() -> None:
        async with open_app(Settings(**settings)) as app:
            await app.notebook.projector.ready()
            owners = {"index": EdgeIndex, "shards": shards, "outbox": Outbox}
            setattr(owners[owner], name, _die)
            await app.notebook.erase(GUILD, 1, By(OTHER))
            await app.notebook.projector.project()

    asyncio.run(erase())


@pytest.mark.parametrize(
    ("owner", "name"),
    [("index", "scrub"), ("shards", "_copy"), ("shards", "exchange"), ("outbox", "projected")],
)
async def test_whoever_is_killed_while_an_erased_text_leaves_the_files_goes_on_and_embeds_nothing(
    settings: Settings, endpoint: Endpoint, owner: str, name: str
):
    async with open_app(settings) as app:
        await app.notebook.add(GUILD, NoteDraft(f"The key lies in {SECRET}."), By(OTHER))
        await app.notebook.add(GUILD, NoteDraft("Eels are long."), By(OTHER))
        await search(app, "eels")
    process = multiprocessing.get_context("spawn").Process(
        target=killed_while_erasing, args=(settings.model_dump(), owner, name)
    )
    process.start()
    await asyncio.to_thread(process.join, 60)
    assert process.exitcode == -signal.SIGKILL
    endpoint.embedded.clear()
    async with open_app(settings) as app:
        await app.notebook.projector.project()
        assert files_with(settings.home, SECRET) == []
        assert not any("Eels" in text or SECRET in text for text in endpoint.embedded)
        assert await app.notebook.ledger.outbox.count() == 0
        assert await search(app, "eels") == ["Eels are long."]
    assert [path.name for path in (settings.home / "index").iterdir() if path.is_dir()] == [
        "notes_hashed_words"
    ]


async def test_only_backups_may_still_hold_the_person(app: App, run: CommandLine):
    await filled(app)
    backups = app.settings.home / "backups"
    backups.mkdir()
    await back_up(app.notebook.ledger, backups / "eren-20260504-000000.zip", {}, NOW)
    told = (await run("privacy", "export", PERSON, "--json", EREN_BACKUP_FOLDER=str(backups))).data
    assert "newest 7 daily backups" in told["elsewhere"][0]
    await app.privacy.forget(PERSON, OPERATOR)
    assert files_with(app.settings.home, *traces()) == []  # Compressed; see test_privacy.


async def test_no_line_of_the_log_has_the_person(app: App, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG, "eren_memory"):
        await filled(app)
        await app.privacy.export(PERSON)
        await app.privacy.forget(PERSON, OPERATOR)
    assert [one for one in traces() if one in caplog.text] == []


# The command.


async def test_the_command_prints_one_document(app: App, run: CommandLine):
    await filled(app)
    told = (await run("privacy", "export", PERSON, "--json")).data
    assert (told["person"], len(told["held"]["questions"])) == (PERSON, 1)
    assert (await run("privacy", "export", f"<@{PERSON}>")).data["held"] == told["held"]


async def test_forgetting_asks_first(app: App, run: CommandLine):
    await filled(app)
    ran = await run("privacy", "forget", PERSON, stdin="n\n")
    assert (ran.status, ran.out) == (1, "")
    assert "Nobody was forgotten." in ran.err
    assert len((await app.privacy.export(PERSON))["held"]["questions"]) == 1
    ran = await run("privacy", "forget", PERSON, stdin="y\n")
    assert "Deleted 1 questions, 1 ratings and 2 suggestions" in ran.out


async def test_what_is_nobody_is_refused_in_a_line(run: CommandLine):
    ran = await run("privacy", "forget", "audit", "--yes")
    assert "not a person" in ran.refusal


def test_the_folder_is_searched_in_every_file(tmp_path: Path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "log").write_bytes(b"\0\1" + PERSON.encode() + b"\xff")
    assert files_with(tmp_path, PERSON) == [f"deep/log: {PERSON}"]
