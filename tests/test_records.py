"""What was answered, what people said of it, what waits for moderators, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
import sqlalchemy as sa

from eren_memory.app import App
from eren_memory.community import Asked, Complaint, GuildSettings, Length, Queue, Used
from eren_memory.domain import By, Note, NoteDraft, NoteStatus
from eren_memory.errors import BadInput
from eren_memory.ledger.communities import Communities
from eren_memory.ledger.ledger import Ledger, open_ledger
from eren_memory.ledger.records import Records
from eren_memory.ledger.reviews import Reviews
from eren_memory.ledger.schema import audit_events
from tests.conftest import on_both

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest_asyncio.fixture
async def ledger(database: str) -> AsyncIterator[Ledger]:
    async with open_ledger(database) as opened:
        yield opened


def asked(**fields: Any) -> Asked:
    made = Asked(
        id=uuid4(),
        guild_id="g",
        channel_id="c",
        channels=("c",),
        asker_id="ann",
        question="When does the ferry leave?",
        text="at noon",
        origin="model",
        claim=False,
        private=False,
        at=NOW,
        trace={"calls": 2, "prompt_tokens": 100, "completion_tokens": 7},
    )
    return replace(made, **fields)


async def note(ledger: Ledger, text: str = "The ferry leaves at noon.") -> Note:
    async with ledger.act("g", By("mod"), NOW) as unit:
        made = unit.made(NoteDraft(text), NoteStatus.ACTIVE)
        await unit.insert([made], "add")
    return made


@on_both
async def test_an_answer_is_found_again_by_each_of_its_messages(ledger: Ledger):
    records, used = Records(ledger), await note(ledger)
    one = asked(messages=("11", "12"), notes=(Used(used.id, 1),), origin="notebook")
    await records.keep(one)
    assert await records.by_message("g", "11") == one
    assert await records.by_message("g", "12") == one
    assert await records.by_id("g", one.id) == one


@on_both
async def test_no_guild_finds_the_answers_of_another(ledger: Ledger):
    records, one = Records(ledger), asked(messages=("11",))
    await records.keep(one)
    assert await records.by_message("other", "11") is None
    assert await records.by_id("other", one.id) is None


@on_both
async def test_a_conversation_is_bounded_and_in_its_order(ledger: Ledger):
    records = Records(ledger)
    chain = [asked(question="0")]
    for n in range(1, 6):
        chain.append(asked(question=str(n), parent_id=chain[-1].id))
    for one in chain:
        await records.keep(one)
    found = await records.conversation(chain[-1], 3)
    assert [one.question for one in found] == ["3", "4", "5"]


@on_both
async def test_the_public_answers_of_a_note_are_listed_and_private_ones_are_not(ledger: Ledger):
    records, used = Records(ledger), await note(ledger)
    by_note = {"notes": (Used(used.id, 1),)}
    public = asked(messages=("1",), **by_note)
    await records.keep(public)
    await records.keep(asked(messages=("2",), private=True, **by_note))
    await records.keep(asked(**by_note))  # Was never posted.
    await records.keep(asked(messages=("3",)))
    assert await records.using(used, 10) == [public]


@on_both
async def test_a_corrected_answer_says_what_it_was_made_from(ledger: Ledger):
    records, used = Records(ledger), await note(ledger)
    one = asked(messages=("1", "2"))
    await records.keep(one)
    now = replace(one, text="at two", origin="notebook", messages=("1",), notes=(Used(used.id, 1),))
    await records.corrected(now)
    assert await records.by_message("g", "1") == now
    assert await records.by_message("g", "2") is None


@on_both
async def test_a_member_has_one_opinion_and_complains_once(ledger: Ledger):
    records, one = Records(ledger), asked()
    await records.keep(one)
    assert not await records.rate(one, "bob", NOW, helpful=True)
    assert await records.rate(one, "bob", NOW, helpful=False, complaint=Complaint.WRONG)
    assert not await records.rate(
        one, "bob", NOW, helpful=False, complaint=Complaint.OUTDATED, comment="since May"
    )
    assert await records.complaints(one) == [(Complaint.OUTDATED, "since May")]
    spent = await records.spent("g", NOW - timedelta(days=1), 1)
    assert (spent.helpful, spent.unhelpful) == (0, 1)


@on_both
async def test_what_questions_cost_is_added_up(ledger: Ledger):
    records = Records(ledger)
    await records.keep(asked())
    await records.keep(asked(origin="notebook"))
    await records.keep(asked(origin=None, missed=True, trace={}))
    await records.keep(asked(at=NOW - timedelta(days=9)))
    await records.keep(asked(guild_id="other"))
    spent = await records.spent("g", NOW - timedelta(days=7), 7)
    assert (spent.questions, spent.from_notebook, spent.missed) == (3, 1, 1)
    assert (spent.calls, spent.prompt_tokens, spent.completion_tokens) == (4, 200, 14)


@on_both
async def test_old_answers_are_forgotten_with_all_that_was_said_of_them(ledger: Ledger):
    records, used = Records(ledger), await note(ledger)
    old = asked(at=NOW - timedelta(days=31), messages=("1",), notes=(Used(used.id, 1),))
    new = asked(messages=("2",))
    for one in (old, new):
        await records.keep(one)
        await records.rate(one, "bob", NOW, helpful=False)
    assert await records.forget_before(NOW - timedelta(days=30)) == 1
    assert await records.by_id("g", old.id) is None
    assert await records.complaints(old) == []
    assert await records.by_id("g", new.id) == new


async def test_erasing_a_note_blanks_the_answers_that_were_made_from_it(app: App):
    made = await app.notebook.add("g", NoteDraft("Ann lives in Oslo."), By("mod"))
    one = asked(text="in Oslo", notes=(Used(made.id, 1),))
    await app.records.keep(one)
    await app.notebook.erase("g", made.number, By("mod"))
    kept = await app.records.by_id("g", one.id)
    assert kept is not None
    assert kept.text == ""


@on_both
async def test_the_same_question_is_one_entry_that_counts(ledger: Ledger):
    reviews = Reviews(ledger)
    first, again = asked(), asked(question="when does the  FERRY leave?")
    await reviews.raised(Queue.COMPLAINT, first, NOW)
    raised = await reviews.raised(Queue.COMPLAINT, again, NOW)
    await reviews.raised(Queue.GAP, asked(question="Who?"), NOW)
    assert (raised.count, raised.answer_id, raised.question) == (2, again.id, first.question)
    waiting = await reviews.waiting("g", 10)
    assert [(one.queue, one.count) for one in waiting] == [(Queue.COMPLAINT, 2), (Queue.GAP, 1)]
    assert await reviews.waiting("other", 10) == []


@on_both
async def test_of_two_who_decide_an_entry_at_once_one_does(ledger: Ledger):
    reviews = Reviews(ledger)
    one = await reviews.raised(Queue.GAP, asked(), NOW)
    done = await asyncio.gather(
        *(reviews.close("g", one.id, by, "dismissed", NOW) for by in ("ann", "bob", "cid"))
    )
    assert sorted(done) == [False, False, True]
    closed = await reviews.get("g", one.id)
    assert closed is not None
    assert closed.closed_by == ("ann", "bob", "cid")[done.index(True)]
    assert await reviews.waiting("g", 10) == []


@on_both
async def test_nobody_decides_an_entry_of_another_guild(ledger: Ledger):
    reviews = Reviews(ledger)
    one = await reviews.raised(Queue.GAP, asked(), NOW)
    assert not await reviews.close("other", one.id, "ann", "dismissed", NOW)
    assert await reviews.get("other", one.id) is None
    assert len(await reviews.waiting("g", 10)) == 1


@on_both
async def test_an_entry_that_was_closed_opens_again_with_a_new_card(ledger: Ledger):
    reviews = Reviews(ledger)
    one = await reviews.raised(Queue.GAP, asked(), NOW)
    await reviews.shown(one, "staff", "99")
    await reviews.raised(Queue.GAP, asked(), NOW)
    assert [each.card for each in await reviews.waiting("g", 1)] == [("staff", "99")]
    await reviews.close("g", one.id, "ann", "dismissed", NOW)
    again = await reviews.raised(Queue.GAP, asked(), NOW)
    assert (again.id, again.count, again.card, again.outcome) == (one.id, 1, None, None)


@on_both
async def test_what_a_guild_chose_is_kept_and_attributed(ledger: Ledger):
    communities = Communities(ledger)
    assert await communities.settings("g") == GuildSettings()
    chosen = GuildSettings(ask_roles=("1", "2"), staff_channel="3", length=Length.LONG)
    await communities.choose("g", chosen, By("admin"), NOW)
    await communities.choose("g", chosen, By("admin"), NOW)
    assert await communities.settings("g") == chosen
    assert await communities.settings("other") == GuildSettings()
    async with ledger.reading() as connection:
        [event] = (await connection.execute(sa.select(audit_events))).all()
    assert (event.actor_id, event.act) == ("admin", "settings")
    assert '"length": ["short", "long"]' in event.reason


@on_both
async def test_leaving_a_guild_is_remembered_from_its_first_moment_until_it_is_back(
    ledger: Ledger,
):
    communities = Communities(ledger)
    chosen = GuildSettings(staff_channel="3")
    await communities.choose("g", chosen, By("admin"), NOW)
    await communities.left("g", NOW)
    await communities.left("g", NOW + timedelta(days=1))
    assert await communities.departed(NOW + timedelta(days=9)) == [("g", NOW)]
    assert await communities.departed(NOW) == []
    await communities.present(["g"])
    assert await communities.departed(NOW + timedelta(days=9)) == []
    assert await communities.settings("g") == chosen


async def test_choosing_settings_is_nothing_that_undo_could_take_back(app: App):
    made = await app.notebook.add("g", NoteDraft("Ann lives in Oslo."), By("mod"))
    await app.communities.choose("g", GuildSettings(staff_channel="3"), By("mod"), NOW)
    [undone] = await app.notebook.undo("g", By("mod"))
    assert undone.id == made.id


async def test_one_act_is_taken_back_by_its_batch_whatever_was_done_since(app: App):
    batch = uuid4()
    await app.notebook.add("g", NoteDraft("First."), By("mod", batch=batch))
    await app.notebook.add("g", NoteDraft("Second."), By("mod"))
    [undone] = await app.notebook.undo("g", By("mod"), batch)
    assert (undone.number, undone.status) == (1, "retired")
    for who in ("mod", "somebody"):
        with pytest.raises(BadInput, match="not yours to take back"):
            await app.notebook.undo("g", By(who), batch)


async def test_a_guild_that_left_is_forgotten_after_its_time_and_others_are_not(app: App):
    for guild in ("gone", "here"):
        made = await app.notebook.add(guild, NoteDraft("Ann lives in Oslo."), By("mod"))
        await app.records.keep(asked(guild_id=guild, notes=(Used(made.id, 1),)))
        await app.reviews.raised(Queue.GAP, asked(guild_id=guild), NOW)
    await app.communities.left("gone", NOW)
    kept = timedelta(days=app.settings.departed_kept_days)
    answers_kept = timedelta(days=app.settings.answers_kept_days)
    assert answers_kept < kept
    early = await app.sweep(NOW + answers_kept - timedelta(days=1))
    assert (early.answers, early.reviews, early.notes) == (0, 0, 0)
    await app.sweep(NOW + kept - timedelta(days=1))
    [note] = await app.notebook.ledger.notes("gone")
    assert note.text == "Ann lives in Oslo."
    assert (await app.sweep(NOW + kept + timedelta(days=1))).notes == 1
    [note] = await app.notebook.ledger.notes("gone")
    assert (note.status, note.text) == ("erased", "")
    [note] = await app.notebook.ledger.notes("here")
    assert note.text == "Ann lives in Oslo."
    assert await app.communities.departed(NOW + kept * 9) == []


async def test_a_shared_batch_is_taken_back_by_each_for_their_own_part(app: App):
    batch = uuid4()
    await app.notebook.add("g", NoteDraft("Ann's."), By("ann", batch=batch))
    await app.notebook.add("g", NoteDraft("Bob's."), By("bob", batch=batch))
    [undone] = await app.notebook.undo("g", By("ann"), batch)
    assert undone.text == "Ann's."
    notes = await app.notebook.ledger.notes("g")
    assert [one.status for one in notes] == ["retired", "active"]


async def test_an_entry_that_still_comes_up_is_not_forgotten(app: App):
    kept = timedelta(days=app.settings.answers_kept_days)
    await app.reviews.raised(Queue.COMPLAINT, asked(), NOW)
    await app.reviews.raised(Queue.COMPLAINT, asked(), NOW + kept)
    await app.sweep(NOW + kept + timedelta(days=1))
    [review] = await app.reviews.waiting("g", 9)
    assert review.count == 2


async def test_a_message_that_was_taken_stays_so_for_a_day_and_is_then_forgotten(app: App):
    assert await app.claims.hear([1, 2], NOW)
    await app.sweep(NOW + timedelta(hours=23))
    assert not await app.claims.hear([2, 3], NOW)
    await app.sweep(NOW + timedelta(hours=25))
    assert await app.claims.hear([1, 2, 3], NOW)
