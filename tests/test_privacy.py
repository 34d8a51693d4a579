"""What is held about a person is told whole, and can be forgotten whole, and nobody else's is touched."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft, NoteStatus, Place, Probes
from eren_memory.errors import BadInput, ForgottenToday
from eren_memory.ledger.archive import back_up, restore
from eren_memory.ledger.disclosing import SECTIONS
from eren_memory.ledger.places import PLACES, Holds, columns
from eren_memory.ledger.schema import ProbesJson, ScopeJson, metadata, spaces
from eren_memory.ledger.upkeep_schema import job_runs
from eren_memory.privacy import Kept, Privacy
from tests.conftest import on_both
from tests.people import (
    GUILD,
    NOTE,
    NOW,
    OTHER,
    OTHERS,
    PERSON,
    THEIRS,
    asked,
    filled,
    rows,
    traces,
)

OPERATOR = By("local:op", where="command line")


def test_every_column_that_could_hold_a_person_says_what_it_holds():
    text = (sa.String, sa.JSON, ProbesJson, ScopeJson)
    there = {
        table.name: {one.name for one in table.columns if isinstance(one.type, text)}
        for table in metadata.sorted_tables
    }
    said = {table: set(named) for table, named in PLACES.items()}
    assert said == {table: names for table, names in there.items() if names}


def test_every_column_with_a_persons_id_is_part_of_what_people_are_told():
    told = {place for place, _ in SECTIONS.values()}
    assert told - {"answers.trace"} == {
        f"{one.table.name}.{one.name}" for one in columns(Holds.PERSON)
    }


@on_both
async def test_a_person_is_told_everything_about_them(app: App):
    await filled(app)
    document = json.loads(json.dumps(await app.privacy.export(PERSON)))
    assert [title for title, found in document["held"].items() if not found] == ["named_by_others"]
    told = json.dumps(document, ensure_ascii=False)
    assert [one for one in (NOTE, *THEIRS.values()) if one not in told] == []
    [question] = document["held"]["questions"]
    assert (question["text"], question["notes"]) == (
        "In the harbour.",
        [{"number": 1, "revision": 1}],
    )


@on_both
async def test_a_person_is_told_nothing_of_anybody_else(app: App):
    await filled(app)
    # Another one's words pass through the person's hands: retired, restored, and named in a note.
    await app.notebook.retire(GUILD, 4, By(PERSON))
    await app.notebook.restore(GUILD, 4, By(PERSON))
    await app.notebook.edit(GUILD, 4, By(OTHER), text="The mill of Askerby is never closed.")
    await app.notebook.restore(GUILD, 4, By(PERSON), revision=2)
    await app.notebook.add(GUILD, NoteDraft(f"Ask <@{PERSON}> about Brakelmoor."), By(OTHER))
    document = await app.privacy.export(PERSON)
    told = json.dumps(document, ensure_ascii=False)
    assert [one for one in (OTHER, *OTHERS.values(), "Brakelmoor") if one in told] == []
    named = document["held"]["named_by_others"]
    assert named == [{"place": place, "times": 1} for place in ("notes.text", "revisions.text")]


async def test_of_somebody_unknown_nothing_is_held(app: App):
    await filled(app)
    assert not any((await app.privacy.export("1" * 18))["held"].values())


@on_both
async def test_forgetting_leaves_nothing_of_the_person_in_any_table(app: App):
    await filled(app)
    before = await rows(app)
    assert [one for one in traces() if one not in before] == []
    gone = await app.privacy.forget(PERSON, OPERATOR)
    after = await rows(app)
    assert [one for one in traces() if one in after] == []
    done = gone.forgotten
    assert (done.questions, done.feedback, done.suggestions) == (1, 1, 2)
    assert sorted(done.cards) == [("5", "5001"), ("5", "5002")]
    assert not any((await app.privacy.export(PERSON))["held"].values())


@on_both
async def test_what_is_the_communitys_stays_and_others_keep_all_of_theirs(app: App):
    made = await filled(app)
    mill = (await app.notebook.history(GUILD, 4))[0].by
    before = (await app.privacy.export(OTHER))["held"]
    gone = await app.privacy.forget(PERSON, OPERATOR)
    pseudonym = gone.forgotten.pseudonym
    note = await app.notebook.ledger.note(GUILD, 1)
    assert (note.text, note.status, note.author_id) == (NOTE, NoteStatus.ACTIVE, pseudonym)
    [first] = await app.notebook.history(GUILD, 1)
    assert (first.act, first.by) == ("add", By(pseudonym))
    approved = await app.notebook.ledger.note(GUILD, made["approved"].number)
    assert (approved.text, approved.approved_by) == (OTHERS["note"], pseudonym)
    assert (await app.notebook.history(GUILD, 4))[0].by == mill
    after = (await app.privacy.export(OTHER))["held"]
    # Gone are the answer to the person, with what they said of it and that they corrected it; why they
    # rejected what the person suggested; and the question that the person asked.
    differs = {title for title in before if before[title] != after[title]}
    assert differs == {"acts", "corrected_answers", "feedback", "revisions"}
    assert len(after["acts"]) == len(before["acts"])
    [complained] = [one for one in after["revisions"] if one["note"] == 5]
    assert "quillfish" not in json.dumps(complained)


async def test_whoever_is_forgotten_at_most_once_a_day_is_refused_the_second_time(app: App):
    now = datetime(2026, 11, 25, 23, 59, tzinfo=UTC)
    privacy = Privacy(app.notebook, Kept(None, 90), app.reembedding.tidy, lambda: now)
    for _ in range(2):
        await app.notebook.add(GUILD, NoteDraft(f"The bridge is new, {now}."), By(PERSON))
        await privacy.forget(PERSON, By(PERSON), once_a_day=True)
        assert PERSON not in await rows(app)
        await app.notebook.add(GUILD, NoteDraft(f"The mill is closed, {now}."), By(PERSON))
        before = await rows(app)
        with pytest.raises(ForgottenToday):
            await privacy.forget(PERSON, By(PERSON), once_a_day=True)
        assert await rows(app) == before
        await privacy.forget(OTHER, By(OTHER), once_a_day=True)
        now += timedelta(days=1)
    await privacy.forget(PERSON, OPERATOR)
    await app.notebook.add(GUILD, NoteDraft("The pier is new."), By(PERSON))
    await privacy.forget(PERSON, OPERATOR)
    assert PERSON not in await rows(app)


@on_both
async def test_who_had_it_done_stands_in_the_audit_trail_and_the_person_does_not(app: App):
    await filled(app)
    gone = await app.privacy.forget(PERSON, OPERATOR)
    acts = (await app.privacy.export("local:op"))["held"]["acts"]
    assert [one["act"] for one in acts] == ["erase", "erase", "forget"]
    assert acts[-1]["reason"] == gone.forgotten.pseudonym
    await app.notebook.add(GUILD, NoteDraft("The sluice opens at six."), By(OTHER))
    themselves = await app.privacy.forget(OTHER, By(OTHER))
    assert OTHER not in await rows(app)
    assert themselves.forgotten.pseudonym != gone.forgotten.pseudonym


async def test_the_pseudonym_says_nothing_of_the_person(app: App):
    seen: set[str] = set()
    for _ in range(3):
        await app.notebook.add(GUILD, NoteDraft(f"Fact {len(seen)}."), By(PERSON))
        seen.add((await app.privacy.forget(PERSON, OPERATOR)).forgotten.pseudonym)
    assert len(seen) == 3
    assert all(re.fullmatch("forgotten:[0-9a-f]{10}", one) for one in seen)


async def test_only_the_reason_that_the_person_gave_leaves_a_note(app: App):
    for who, reason in ((PERSON, "Mine."), (OTHER, "Theirs.")):
        await app.notebook.add(GUILD, NoteDraft(f"Fact of {who}9.", reason=reason), By(who))
    await app.notebook.edit(GUILD, 1, By(OTHER), text="Another fact.")
    await app.notebook.edit(GUILD, 2, By(PERSON), text="Yet another fact.")
    await app.privacy.forget(PERSON, OPERATOR)
    assert [one.reason for one in await app.notebook.ledger.notes(GUILD)] == [None, "Theirs."]
    assert "Mine." not in await rows(app)


async def test_a_question_that_others_asked_too_stays_theirs(app: App):
    question = "When does the ferry leave?"
    for who in (PERSON, OTHER):
        await app.records.keep(asked(who, question))
    draft = NoteDraft("The ferry leaves at noon.", question=question)
    await app.notebook.add(GUILD, draft, By(OTHER))
    await app.privacy.forget(PERSON, OPERATOR)
    assert (await app.notebook.ledger.note(GUILD, 1)).question == question
    assert len((await app.privacy.export(OTHER))["held"]["questions"]) == 1


@on_both
async def test_what_moderators_test_a_note_with_stays_also_in_a_persons_words(app: App):
    question = "Where is the quillfish buried?"
    draft = NoteDraft("In the garden.", question=question, probes=Probes((question,), (question,)))
    note = await app.notebook.add(GUILD, draft, By(OTHER))
    await app.records.keep(asked(PERSON, question))
    before = await app.notebook.history(GUILD, 1)
    await app.privacy.forget(PERSON, OPERATOR)
    assert await app.notebook.ledger.note(GUILD, 1) == note
    assert await app.notebook.history(GUILD, 1) == before


@on_both
async def test_the_question_leaves_a_note_that_was_made_from_its_answer_or_by_the_person(app: App):
    question = "Where is the quillfish buried?"
    await app.records.keep(asked(PERSON, question, messages=("8001",)))
    link = "https://discord.com/channels/1/5/8001"
    probes = Probes((question, "Is it so?"), (question,))
    for text, source, who in (("In the garden.", link, OTHER), ("Under the oak.", None, PERSON)):
        draft = NoteDraft(text, question=question, source_url=source, probes=probes)
        made = await app.notebook.add(GUILD, draft, By(who))
        await app.notebook.edit(
            GUILD, made.number, By(OTHER), text=f"{text} Really.", source_url=None
        )
    await app.privacy.forget(PERSON, OPERATOR)
    assert "quillfish" not in await rows(app)
    for note in await app.notebook.ledger.notes(GUILD):
        assert (note.question, note.probes) == (None, Probes(("Is it so?",), ()))


async def test_no_index_is_written_anew_for_a_suggestion_that_was_never_in_one(app: App):
    for text in ("The tramway ends at Ondermarsh.", "The tramway begins at Ippleford."):
        await app.notebook.add(GUILD, NoteDraft(text), By(PERSON), status=NoteStatus.DRAFT)
    await app.notebook.approve(GUILD, 2, By(OTHER))
    for number, scrub in ((1, False), (2, True)):
        erased = await app.notebook.erase(GUILD, number, By(OTHER))
        pending = await app.notebook.ledger.outbox.pending(9, of=[erased.id])
        assert pending.scrub == scrub


@on_both
async def test_where_others_named_a_person_the_pseudonym_stands_and_the_note_is_found(app: App):
    await app.notebook.add(GUILD, NoteDraft(f"Ask <@{PERSON}> about Brakelmoor."), By(OTHER))
    await app.notebook.search(Place(GUILD), "Brakelmoor?", 5)
    await app.records.keep(asked(OTHER, "Whom?", answer=f"Ask <@!{PERSON}>, not {PERSON}9."))
    gone = await app.privacy.forget(PERSON, OPERATOR)
    [found] = await app.notebook.search(Place(GUILD), "Whom do I ask about Brakelmoor?", 5)
    assert found.note.text == f"Ask {gone.forgotten.pseudonym} about Brakelmoor."
    [told] = (await app.privacy.export(OTHER))["held"]["questions"]
    # A longer number is not theirs.
    assert told["text"] == f"Ask {gone.forgotten.pseudonym}, not {PERSON}9."
    assert gone.waiting is None


@on_both
async def test_errors_that_quote_a_note_name_nobody_who_was_forgotten(app: App):
    quoted = f"It cannot embed: Ask <@{PERSON}>."
    async with app.notebook.ledger.writing() as connection:
        await connection.execute(sa.update(spaces).values(refused=quoted))
        run: dict[str, Any] = {"job": "reembed", "guild_id": "", "result": quoted}
        run |= {"since": NOW, "attempts": 1, "token": 1}
        await connection.execute(sa.insert(job_runs), [run])
    gone = await app.privacy.forget(PERSON, OPERATOR)
    held = await rows(app)
    assert PERSON not in held
    assert held.count(f"Ask {gone.forgotten.pseudonym}.") == 2


async def test_names_that_are_words_are_replaced_only_where_they_stand_for_a_person(app: App):
    await app.notebook.add(GUILD, NoteDraft("The ann is a river."), By("ann"))
    await app.notebook.add(GUILD, NoteDraft("The bridge is new."), By("anne"))
    await app.privacy.forget("ann", OPERATOR)
    first, second = await app.notebook.ledger.notes(GUILD)
    assert (first.text, second.author_id) == ("The ann is a river.", "anne")
    assert first.author_id.startswith("forgotten:")


async def test_two_notes_that_become_the_same_become_one(app: App):
    for form in (f"<@{PERSON}>", f"<@!{PERSON}>"):
        await app.notebook.add(GUILD, NoteDraft(f"Ask {form} about keys."), By(OTHER))
    await app.privacy.forget(PERSON, OPERATOR)
    first, second = await app.notebook.ledger.notes(GUILD)
    assert sorted([first.status, second.status]) == ["active", "superseded"]
    assert PERSON not in await rows(app)


@pytest.mark.parametrize("user", ["", "a" * 65, "a\nb", "audit", "retention", "forgotten:12ab"])
async def test_what_is_no_person_is_refused(app: App, user: str):
    for act in (app.privacy.export(user), app.privacy.forget(user, OPERATOR)):
        with pytest.raises(BadInput):
            await act


async def test_a_mention_names_a_person(app: App):
    assert (await app.privacy.export(f" <@!{PERSON}> "))["person"] == PERSON


# Backups.


@on_both
async def test_a_restored_backup_does_not_bring_a_forgotten_person_back(app: App, tmp_path: Path):
    await filled(app)
    ledger = app.notebook.ledger
    await back_up(ledger, tmp_path / "before.zip", {}, NOW)
    await app.privacy.forget(PERSON, OPERATOR)
    await restore(ledger, tmp_path / "before.zip", {})
    after = await rows(app)
    assert [one for one in traces() if one in after] == []
    assert OTHERS["note"] in after
    # Nor does a second restore: who was forgotten is still known.
    await restore(ledger, tmp_path / "before.zip", {})
    assert PERSON not in await rows(app)


async def test_an_installation_of_a_later_backup_knows_who_was_forgotten(
    app: App, settings: Settings, tmp_path: Path
):
    await filled(app)
    ledger = app.notebook.ledger
    await back_up(ledger, tmp_path / "before.zip", {}, NOW)
    await app.privacy.forget(PERSON, OPERATOR)
    await back_up(ledger, tmp_path / "after.zip", {}, NOW)
    fresh = settings.model_copy(
        update={"home": tmp_path / "fresh", "database_url": f"sqlite:///{tmp_path}/fresh.db"}
    )
    async with open_app(fresh) as elsewhere:
        for name in ("after.zip", "before.zip"):
            await restore(elsewhere.notebook.ledger, tmp_path / name, {})
        assert PERSON not in await rows(elsewhere)


async def test_who_was_forgotten_is_itself_forgotten_after_its_time(app: App, tmp_path: Path):
    await filled(app)
    await back_up(app.notebook.ledger, tmp_path / "before.zip", {}, NOW)
    await app.privacy.forget(PERSON, OPERATOR)
    kept = app.settings.forgotten_kept_days
    await app.sweep(datetime.now(UTC) + timedelta(days=kept - 1))
    assert "\nforgotten (" in f"\n{await rows(app)}"
    await app.sweep(datetime.now(UTC) + timedelta(days=kept + 1))
    assert "\nforgotten (" not in f"\n{await rows(app)}"
    await restore(app.notebook.ledger, tmp_path / "before.zip", {})
    assert PERSON in await rows(app)


async def test_the_list_of_the_forgotten_names_nobody_and_no_moment(app: App):
    await app.privacy.forget(PERSON, OPERATOR)
    [entry] = [one for one in (await rows(app)).splitlines() if one.startswith("forgotten ")]
    assert PERSON not in entry
    assert ", 0, 0, tzinfo" in entry


# Retention.


async def test_a_rejected_suggestion_is_erased_after_its_time_and_no_other(app: App):
    draft, by = NoteStatus.DRAFT, By(PERSON)
    for text in ("Rejected, never in use.", "Waiting.", "In use for a while."):
        await app.notebook.add(GUILD, NoteDraft(text), by, status=draft)
    await app.notebook.reject(GUILD, 1, By(OTHER))
    await app.notebook.approve(GUILD, 3, By(OTHER))
    await app.notebook.retire(GUILD, 3, By(OTHER))
    kept = app.settings.suggestions_kept_days
    assert (await app.sweep(datetime.now(UTC) + timedelta(days=kept - 1))).notes == 0
    assert (await app.sweep(datetime.now(UTC) + timedelta(days=kept + 1))).notes == 1
    found = [one.status for one in await app.notebook.ledger.notes(GUILD)]
    assert found == [NoteStatus.ERASED, NoteStatus.DRAFT, NoteStatus.RETIRED]
