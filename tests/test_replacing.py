"""Replacing and approving: only what a person has seen, and never more than they may."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from eren_memory.app import App
from eren_memory.domain import By, NoteDraft, NoteStatus, Place
from eren_memory.embedder import EndpointEmbedder
from eren_memory.errors import BadDate, BadInput, EmbedderError, LedgerError, RevisionMoved

ANN, BOB = By("ann"), By("bob")
NEW = NoteDraft("The ferry leaves at two.")


async def add(app: App, text: str = "The ferry leaves at noon.", **fields):
    return await app.notebook.add("g", NoteDraft(text, **fields), ANN)


async def statuses(app: App) -> list[str]:
    return [str(note.status) for note in await app.notebook.ledger.notes("g")]


async def test_a_suggestion_takes_no_note_out_of_use(app: App):
    await add(app)
    with pytest.raises(BadInput, match="until it is approved"):
        await app.notebook.add("g", NEW, BOB, status=NoteStatus.DRAFT, supersedes=[1])
    assert await statuses(app) == ["active"]


async def test_a_note_that_changed_since_it_was_seen_is_not_replaced(app: App):
    await add(app)
    await app.notebook.edit("g", 1, BOB, text="The ferry leaves at one.")
    with pytest.raises(RevisionMoved):
        await app.notebook.add("g", NEW, ANN, supersedes={1: 1})
    assert await statuses(app) == ["active"]
    await app.notebook.add("g", NEW, ANN, supersedes={1: 2})
    assert await statuses(app) == ["superseded", "active"]


async def test_a_suggestion_that_changed_since_it_was_read_is_not_approved(app: App):
    await app.notebook.add("g", NoteDraft("Harmless."), BOB, status=NoteStatus.DRAFT)
    await app.notebook.edit("g", 1, BOB, text="Hostile.")
    with pytest.raises(RevisionMoved):
        await app.notebook.approve("g", 1, ANN, expect=1)
    assert await statuses(app) == ["draft"]


@pytest.mark.parametrize("scope", [(), ("staff", "crew")])
async def test_a_note_that_would_be_seen_in_fewer_places_replaces_nothing(app: App, scope):
    await add(app, scope=scope)
    with pytest.raises(BadInput, match="visible in places"):
        await app.notebook.add("g", NoteDraft("Later.", scope=("staff",)), ANN, supersedes=[1])
    assert await statuses(app) == ["active"]


async def test_a_note_that_begins_later_replaces_nothing(app: App):
    await add(app)
    later = NoteDraft("Later.", valid_from=datetime(2999, 1, 1, tzinfo=UTC))
    with pytest.raises(BadDate, match="begins later"):
        await app.notebook.add("g", later, ANN, supersedes=[1])
    assert await statuses(app) == ["active"]


async def test_an_erased_note_does_not_bar_the_way_to_undoing_what_was_before(app: App):
    await add(app)
    await add(app, "Private.")
    await app.notebook.erase("g", 2, ANN)
    [undone] = await app.notebook.undo("g", ANN)
    assert (undone.number, undone.status) == (1, NoteStatus.RETIRED)


async def test_a_note_that_the_embedder_refused_once_is_found_when_it_is_edited(
    app: App, monkeypatch: pytest.MonkeyPatch
):
    await app.notebook.projector.ready()
    embed = EndpointEmbedder.embed

    async def refusing(self, texts):
        if any("noon" in text for text in texts):
            raise EmbedderError("429")
        return await embed(self, texts)

    monkeypatch.setattr(EndpointEmbedder, "embed", refusing)
    await add(app)
    await app.notebook.edit("g", 1, ANN, text=NEW.text)
    found = await app.notebook.search(Place("g"), "When does the ferry leave?", 5)
    assert [one.note.number for one in found] == [1]


async def test_a_write_that_was_saved_is_not_reported_as_failed(
    app: App, monkeypatch: pytest.MonkeyPatch
):
    await app.notebook.projector.ready()
    pending = app.notebook.ledger.outbox.pending

    async def locked(*_, **__):
        raise LedgerError("locked")

    monkeypatch.setattr(app.notebook.ledger.outbox, "pending", locked)
    assert (await add(app)).number == 1
    monkeypatch.setattr(app.notebook.ledger.outbox, "pending", pending)


async def test_whatever_fails_notes_of_other_processes_are_taken_up_afterwards(
    app: App, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    index = await app.notebook.projector.ready()
    ledger_id = app.notebook.ledger.id

    async def broken() -> str:
        raise ValueError("odd")

    monkeypatch.setattr(app.notebook.ledger, "id", broken)
    while "odd" not in caplog.text:
        await asyncio.sleep(0.05)
    monkeypatch.setattr(app.notebook.ledger, "id", ledger_id)
    async with app.notebook.ledger.act("g", ANN, datetime.now(UTC)) as unit:
        await unit.insert([unit.made(NEW, NoteStatus.ACTIVE)], "add")
    for _ in range(60):
        if await index.count():
            break
        await asyncio.sleep(0.05)
    assert await index.count() == 1
