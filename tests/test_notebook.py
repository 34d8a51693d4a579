"""Acts on notes, on both databases: what each does, what it refuses, and that it can be taken back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.domain import By, Note, NoteDraft, NoteStatus, Place, Probes
from eren_memory.errors import (
    BadDate,
    BadInput,
    DuplicateNote,
    NoteNotFound,
    NotInThatState,
    RevisionMoved,
    UnreadableText,
)
from tests.conftest import on_both

pytestmark = on_both

ANN, BOB = By("ann"), By("bob", "because", "https://discord.com/channels/1/2")
DAY = timedelta(days=1)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 3, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture
async def app(settings: Settings, clock: Clock) -> AsyncIterator[App]:
    async with open_app(settings, clock=clock) as opened:
        yield opened


async def add(app: App, text: str = "The ferry leaves at noon.", **fields) -> Note:
    return await app.notebook.add("g", NoteDraft(text, **fields), ANN)


async def found(app: App, *channels: str) -> list[int]:
    place = Place("g", channels)
    return sorted(
        one.note.number for one in await app.notebook.search(place, "when does the ferry leave", 9)
    )


async def current(app: App, number: int = 1) -> Note:
    return await app.notebook.ledger.note("g", number)


async def test_an_added_note_carries_everything_it_was_given(app: App, clock: Clock):
    draft = NoteDraft(
        " The ferry leaves at noon. ",
        question="When does it leave?",
        source_url="https://discord.com/channels/1/2/3",
        reason="new timetable",
        scope=("b", "a", "b"),
        valid_from=clock.now,
        valid_until=clock.now + DAY,
        review_by=clock.now + DAY / 2,
        probes=Probes(("When?",), ("Where?",)),
    )
    await app.notebook.add("g", draft, BOB)
    note = await current(app)
    assert (note.text, note.scope, note.probes) == (
        "The ferry leaves at noon.", ("a", "b"), Probes(("When?",), ("Where?",)),
    )  # fmt: skip
    assert (note.valid_from, note.valid_until) == (clock.now, clock.now + DAY)
    assert (note.author_id, note.verified_at, note.revision) == ("bob", clock.now, 1)


async def test_an_edit_is_a_new_revision_and_the_next_search_finds_it(app: App, clock: Clock):
    await add(app)
    assert await found(app) == [1]
    clock.now += DAY
    edited = await app.notebook.edit("g", 1, BOB, text="The ferry leaves at two.")
    assert (edited.revision, edited.verified_at, edited.author_id) == (2, clock.now, "ann")
    [hit] = await app.notebook.search(Place("g"), "when does the ferry leave", 5)
    assert hit.note == edited
    first, second = await app.notebook.history("g", 1)
    assert (first.act, first.by.actor_id, first.changes) == ("add", "ann", {})
    assert (second.act, second.by) == ("edit", BOB)
    assert second.changes["text"] == ("The ferry leaves at noon.", "The ferry leaves at two.")


async def test_an_edit_of_a_revision_that_moved_is_refused_and_shows_what_changed(app: App):
    await add(app)
    await app.notebook.edit("g", 1, BOB, expect=1, text="The ferry leaves at two.")
    with pytest.raises(RevisionMoved, match="revision 2, not 1") as caught:
        await app.notebook.edit("g", 1, ANN, expect=1, text="The ferry leaves at three.")
    assert caught.value.changes["text"] == ("The ferry leaves at noon.", "The ferry leaves at two.")
    assert "noon" not in str(caught.value)
    assert (await current(app)).text == "The ferry leaves at two."


async def test_of_two_edits_at_once_one_is_refused(app: App):
    await add(app)
    done = await asyncio.gather(
        *(app.notebook.edit("g", 1, ANN, expect=1, text=f"At {n}.") for n in range(5)),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in done) == ["Note", *["RevisionMoved"] * 4]


@pytest.mark.parametrize(
    ("fields", "act"),
    [
        ({"scope": ("staff",)}, "scope"),
        ({"valid_until": datetime(2027, 1, 1, tzinfo=UTC)}, "dates"),
        ({"review_by": datetime(2027, 1, 1, tzinfo=UTC)}, "dates"),
        ({"question": "When?"}, "edit"),
        ({"probes": Probes(("When?",))}, "edit"),
    ],
)
async def test_an_edit_is_named_by_what_it_changes_and_can_be_cleared(app: App, fields, act):
    await add(app)
    edited = await app.notebook.edit("g", 1, ANN, **fields)
    assert (await app.notebook.history("g", 1))[-1].act == act
    [(name, value)] = fields.items()
    assert getattr(edited, name) == value
    cleared = await app.notebook.edit("g", 1, ANN, **{name: getattr(NoteDraft("x"), name)})
    assert getattr(cleared, name) == getattr(NoteDraft("x"), name)


async def test_an_edit_that_changes_nothing_is_refused(app: App):
    await add(app)
    with pytest.raises(BadInput, match="like that already"):
        await app.notebook.edit("g", 1, ANN, text=" The ferry leaves at noon. ")
    assert (await current(app)).revision == 1


async def test_dates_that_make_no_sense_are_refused(app: App, clock: Clock):
    await add(app)
    with pytest.raises(BadDate, match="passed already"):
        await app.notebook.edit("g", 1, ANN, valid_until=clock.now)
    with pytest.raises(BadDate, match="end before it begins"):
        await app.notebook.edit(
            "g", 1, ANN, valid_from=clock.now + DAY, valid_until=clock.now + DAY
        )
    assert (await current(app)).revision == 1


async def test_the_same_statement_is_refused_whatever_brings_it_about(app: App):
    await add(app)
    await add(app, "Another.")
    for act in (
        add(app, "the  ferry leaves\u200b at NOON."),
        app.notebook.edit("g", 2, ANN, text="The ferry leaves at noon."),
    ):
        with pytest.raises(DuplicateNote, match="Note #1 already says exactly this"):
            await act
    await app.notebook.retire("g", 1, ANN)
    await app.notebook.edit("g", 2, ANN, text="The ferry leaves at noon.")
    with pytest.raises(DuplicateNote, match="Note #2"):
        await app.notebook.restore("g", 1, ANN)


async def test_a_retired_note_answers_no_more_until_it_is_restored(app: App):
    await add(app)
    assert (await app.notebook.retire("g", 1, BOB)).status is NoteStatus.RETIRED
    assert await found(app) == []
    with pytest.raises(NotInThatState, match="is retired, and for this it must be active"):
        await app.notebook.retire("g", 1, ANN)
    assert (await app.notebook.restore("g", 1, ANN)).status is NoteStatus.ACTIVE
    assert await found(app) == [1]
    with pytest.raises(BadInput, match="like that already"):
        await app.notebook.restore("g", 1, ANN)


async def test_an_older_revision_can_be_restored(app: App):
    await add(app, reason="first")
    await app.notebook.edit("g", 1, ANN, text="Wrong.", scope=("staff",))
    restored = await app.notebook.restore("g", 1, ANN, revision=1)
    assert (restored.text, restored.scope, restored.revision) == (
        "The ferry leaves at noon.", (), 3,
    )  # fmt: skip
    with pytest.raises(NotInThatState, match="no such revision"):
        await app.notebook.restore("g", 1, ANN, revision=9)


async def test_a_note_that_supersedes_others_answers_in_their_place_at_once(app: App):
    await add(app)
    await add(app, "The ferry leaves at one.")
    draft = NoteDraft("The ferry leaves at two.")
    new = await app.notebook.add("g", draft, BOB, supersedes=[1, 2])
    assert await found(app) == [3]
    assert [(await current(app, n)).superseded_by for n in (1, 2)] == [new.id, new.id]
    with pytest.raises(NotInThatState):
        await app.notebook.add("g", NoteDraft("Later."), ANN, supersedes=[1])
    assert len(await app.notebook.ledger.notes("g")) == 3
    restored = await app.notebook.restore("g", 1, ANN)
    assert (restored.status, restored.superseded_by) == (NoteStatus.ACTIVE, None)


async def test_a_note_may_supersede_one_that_says_the_same(app: App):
    await add(app)
    await app.notebook.add("g", NoteDraft("the ferry leaves at noon."), BOB, supersedes=[1])
    assert await found(app) == [2]


async def test_a_merged_note_stands_for_both(app: App):
    await add(app)
    await add(app, "The ferry departs at 12.")
    kept = await app.notebook.merge("g", 1, 2, BOB, "The ferry leaves at noon (12:00).")
    assert kept.text == "The ferry leaves at noon (12:00)."
    assert (await current(app, 2)).status is NoteStatus.SUPERSEDED
    assert await found(app) == [1]
    with pytest.raises(BadInput, match="with itself"):
        await app.notebook.merge("g", 1, 1, ANN)


async def test_notes_of_different_scopes_are_not_merged(app: App):
    await add(app)
    await add(app, "The ferry departs at 12.", scope=("staff",))
    with pytest.raises(BadInput, match="different places"):
        await app.notebook.merge("g", 1, 2, ANN)
    assert (await current(app, 2)).status is NoteStatus.ACTIVE


async def test_a_suggestion_answers_only_when_approved_and_names_who_did(app: App, clock: Clock):
    draft = NoteDraft("The ferry leaves at noon.")
    await app.notebook.add("g", draft, By("eve"), status=NoteStatus.DRAFT)
    assert await found(app) == []
    clock.now += DAY
    approved = await app.notebook.approve("g", 1, BOB)
    assert (approved.author_id, approved.approved_by, approved.verified_at) == (
        "eve", "bob", clock.now,
    )  # fmt: skip
    assert await found(app) == [1]
    with pytest.raises(NotInThatState):
        await app.notebook.approve("g", 1, BOB)


async def test_a_rejected_suggestion_that_is_restored_waits_again(app: App):
    await app.notebook.add("g", NoteDraft("x"), By("eve"), status=NoteStatus.DRAFT)
    assert (await app.notebook.reject("g", 1, BOB)).status is NoteStatus.RETIRED
    assert (await app.notebook.restore("g", 1, BOB)).status is NoteStatus.DRAFT


async def test_verifying_renews_the_date_and_clears_a_review_that_is_due(app: App, clock: Clock):
    await add(app, review_by=clock.now + DAY)
    assert (await app.notebook.verify("g", 1, BOB)).review_by == clock.now + DAY
    clock.now += 2 * DAY
    verified = await app.notebook.verify("g", 1, BOB)
    assert (verified.verified_at, verified.review_by) == (clock.now, None)
    again = await app.notebook.verify("g", 1, BOB, review_by=clock.now + DAY)
    assert again.review_by == clock.now + DAY


async def test_an_erased_note_leaves_no_text_anywhere_and_never_comes_back(app: App):
    await add(app, "Ann lives in Kelby.", question="Where is Ann?", reason="Ann said so")
    await app.notebook.edit("g", 1, By("bob", "Ann moved"), text="Ann lives in Brask.")
    erased = await app.notebook.erase("g", 1, BOB)
    assert (erased.status, erased.text, erased.question) == (NoteStatus.ERASED, "", None)
    history = await app.notebook.history("g", 1)
    assert [one.act for one in history] == ["add", "edit", "erase"]
    assert "Ann" not in repr(history)
    async with app.notebook.ledger.reading() as connection:
        for table in ("notes", "revisions", "audit_events"):
            rows = await connection.exec_driver_sql(f"SELECT * FROM {table}")
            assert "Ann" not in repr(rows.all()), table
    assert await app.notebook.search(Place("g"), "Where does Ann live?", 5) == []
    for refused in (
        app.notebook.restore("g", 1, ANN),
        app.notebook.restore("g", 1, ANN, revision=1),
        app.notebook.edit("g", 1, ANN, text="Back."),
        app.notebook.undo("g", BOB),
    ):
        with pytest.raises(BadInput):
            await refused
    assert (await current(app)) == erased


async def test_undo_takes_back_ones_own_last_act_and_then_the_one_before(app: App):
    await add(app)
    await app.notebook.edit("g", 1, ANN, text="The ferry leaves at two.")
    await app.notebook.add("g", NoteDraft("Bob's."), BOB)
    [undone] = await app.notebook.undo("g", ANN)
    assert (undone.number, undone.text) == (1, "The ferry leaves at noon.")
    [gone] = await app.notebook.undo("g", ANN)
    assert (gone.number, gone.status) == (1, NoteStatus.RETIRED)
    with pytest.raises(BadInput, match="nothing here"):
        await app.notebook.undo("g", ANN)
    assert (await current(app, 2)).status is NoteStatus.ACTIVE


async def test_undo_takes_a_replacement_back_as_a_whole(app: App):
    await add(app)
    await app.notebook.add("g", NoteDraft("the ferry leaves at noon."), BOB, supersedes=[1])
    await app.notebook.undo("g", BOB)
    assert await found(app) == [1]
    assert (await current(app)).superseded_by is None


async def test_undo_is_refused_when_somebody_changed_the_note_since(app: App):
    await add(app)
    await app.notebook.edit("g", 1, BOB, text="Bob's text.")
    with pytest.raises(RevisionMoved):
        await app.notebook.undo("g", ANN)
    assert (await current(app)).text == "Bob's text."


async def test_a_scoped_note_is_seen_in_its_channels_alone(app: App):
    await add(app)
    await add(app, "The staff ferry leaves at one.", scope=("staff",))
    assert await found(app, "general") == [1]
    assert await found(app, "thread", "staff") == [1, 2]
    assert await found(app) == [1]
    await app.notebook.edit("g", 2, ANN, scope=())
    assert await found(app, "general") == [1, 2]


async def test_a_note_answers_from_its_first_moment_until_its_last(app: App, clock: Clock):
    await add(app, valid_from=clock.now + DAY, valid_until=clock.now + 2 * DAY)
    seen = []
    for _ in range(4):
        seen.append(await found(app))
        clock.now += DAY / 2
    assert seen == [[], [], [1], [1]]
    assert await found(app) == []
    assert len(await app.notebook.nearest("g", "when does the ferry leave", 5)) == 1


@pytest.mark.parametrize(
    "act",
    [
        lambda notebook: notebook.edit("ours", 1, ANN, text="x"),
        lambda notebook: notebook.retire("ours", 1, ANN),
        lambda notebook: notebook.restore("ours", 1, ANN),
        lambda notebook: notebook.merge("ours", 1, 2, ANN),
        lambda notebook: notebook.approve("ours", 1, ANN),
        lambda notebook: notebook.verify("ours", 1, ANN),
        lambda notebook: notebook.erase("ours", 1, ANN),
        lambda notebook: notebook.history("ours", 1),
        lambda notebook: notebook.add("ours", NoteDraft("x"), ANN, supersedes=[1]),
    ],
)
async def test_another_guilds_notes_are_out_of_reach(app: App, act):
    await app.notebook.add("theirs", NoteDraft("Theirs."), BOB)
    with pytest.raises(NoteNotFound):
        await act(app.notebook)
    assert (await app.notebook.ledger.note("theirs", 1)).revision == 1
    assert await app.notebook.ledger.notes("ours") == []


async def test_a_reason_that_cannot_be_read_is_refused(app: App):
    await add(app)
    with pytest.raises(UnreadableText):
        await app.notebook.retire("g", 1, By("ann", "bad \x00 reason"))
    assert (await current(app)).status is NoteStatus.ACTIVE
