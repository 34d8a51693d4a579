"""Correcting a wrong answer where it stands, as moderators and members do it."""

from __future__ import annotations

from typing import Any

import pytest

from eren_memory.domain import By, NoteDraft
from tests.bot.conftest import World
from tests.endpoint import Endpoint, Reply

FERRY = "The Fenlake Ferry leaves at noon."
QUESTION = "When does the Fenlake Ferry leave?"
FORM = {"question": QUESTION, "text": FERRY, "where": "everywhere"}


@pytest.fixture
def ferry(endpoint: Endpoint) -> None:
    """A model that believes two o'clock, and reads the note when it is shown it."""
    endpoint.when(f"Note: {FERRY}\nQuestion:", Reply("yes: at noon", probability=0.999))
    endpoint.when(QUESTION, Reply("The Fenlake Ferry leaves at two."))


async def ask(world: World, question: str = QUESTION, **options: Any) -> Any:
    return await world.member.slash(world.channel, "ask", question=question, **options)


async def correct(world: World, who: Any, answer: Any, **form: str) -> Any:
    shown = await who.context_menu(world.channel, "Correct this answer", answer.response)
    assert shown.modal is not None
    return await who.submit_modal(shown, FORM | form)


def message(world: World, answer: Any) -> Any:
    [found] = [one for one in world.channel.history() if one.id == answer.response.id]
    return found


async def test_a_moderator_corrects_a_wrong_answer_in_three_interactions(world: World, ferry: None):
    answer = await ask(world)
    assert "at two" in answer.response.content
    # One: the menu. Two: the form.
    preview = await correct(world, world.moderator, answer)
    assert preview.ephemeral
    said = preview.response.content
    assert "leaves at two" in said.split("**Before**")[1].split("**After**")[0]
    assert "at noon" in said.split("**After**")[1]
    assert "would not be answered" not in said
    # Three: save.
    saved = await world.moderator.click(preview.response, label="Save")
    assert f"Saved **#1**: {FERRY}" in preview.response.content
    assert "suggested → in use" in preview.response.content
    assert saved.acknowledged
    public = message(world, answer)
    assert public.content.startswith("at noon\n-# From note #1")
    assert f"corrected by <@{world.moderator.id}>" in public.content
    [note] = await world.app.notebook.ledger.notes(str(world.guild.id))
    assert note.source_url == public.jump_url
    assert note.question == QUESTION


async def test_the_asker_is_told_without_a_ping(world: World, ferry: None):
    answer = await ask(world)
    preview = await correct(world, world.moderator, answer)
    await world.moderator.click(preview.response, label="Save")
    last = world.channel.last_message
    assert last.reference is not None
    assert last.reference.message_id == answer.response.id
    assert f"<@{world.member.id}>" in last.content
    sent = world.requests("POST", "/messages")[-1].json
    assert sent["allowed_mentions"] == {"parse": [], "replied_user": False}


async def test_the_corrected_question_is_answered_from_the_note_and_others_are_unchanged(
    world: World, ferry: None
):
    other = await ask(world, "Who painted the ceiling?")
    answer = await ask(world)
    preview = await correct(world, world.moderator, answer)
    await world.moderator.click(preview.response, label="Save")
    again = await ask(world, f"Tell me: {QUESTION}")
    assert again.response.content.startswith("at noon\n-# From note #1")
    still = await ask(world, "Who painted the ceiling?")
    assert still.response.content == other.response.content


async def test_the_form_holds_the_question_and_the_answers_sentence(world: World, ferry: None):
    answer = await ask(world)
    shown = await world.moderator.context_menu(
        world.channel, "Correct this answer", answer.response
    )
    values = {
        label["component"]["custom_id"]: label["component"].get("value")
        for label in shown.modal["components"]
    }
    assert values["question"] == QUESTION
    assert values["text"] == "The Fenlake Ferry leaves at two."


async def test_a_contradicting_note_is_replaced_in_four_interactions(
    world: World, endpoint: Endpoint
):
    old = "The Fenlake Ferry leaves at one."
    guild = str(world.guild.id)
    await world.app.notebook.add(guild, NoteDraft(old), By("someone"))
    endpoint.when("Claim: The Fenlake Ferry", Reply("false", probability=0.99))
    endpoint.when(f"Note: {FERRY}", Reply("yes: at noon", probability=0.999))
    endpoint.when(f"Note: {old}", Reply("yes: at one", probability=0.999))
    answer = await ask(world)
    assert answer.response.content.startswith("at one")
    met = await correct(world, world.moderator, answer)
    assert "contradicts it" in met.response.content
    assert "leaves at one" in met.response.content
    await world.moderator.click(met.response, label="Replace")
    assert "In place of #1" in met.response.content
    await world.moderator.click(met.response, label="Save")
    one, two = await world.app.notebook.ledger.notes(guild)
    assert (one.status, one.superseded_by, two.status) == ("superseded", two.id, "active")
    assert message(world, answer).content.startswith("at noon")


@pytest.mark.parametrize("choice", ["Keep both", "Only in this channel"])
async def test_a_near_note_may_be_kept_and_the_new_one_kept_to_a_channel(
    world: World, endpoint: Endpoint, choice: str
):
    guild = str(world.guild.id)
    old = NoteDraft("The Fenlake Ferry leaves at one.")
    await world.app.notebook.add(guild, old, By("someone"))
    endpoint.when("Claim: The Fenlake Ferry", Reply("false", probability=0.99))
    met = await correct(world, world.moderator, await ask(world))
    await world.moderator.click(met.response, label=choice)
    await world.moderator.click(met.response, label="Save")
    one, two = await world.app.notebook.ledger.notes(guild)
    assert (one.status, two.status) == ("active", "active")
    assert two.scope == (() if choice == "Keep both" else (str(world.channel.id),))


async def test_two_notes_are_merged_into_one_text(world: World, endpoint: Endpoint):
    guild = str(world.guild.id)
    old = NoteDraft("The Fenlake Ferry leaves at one.")
    await world.app.notebook.add(guild, old, By("someone"))
    endpoint.when("Claim: The Fenlake Ferry", Reply("false", probability=0.99))
    met = await correct(world, world.moderator, await ask(world))
    form = await world.moderator.click(met.response, label="Merge")
    text = "The Fenlake Ferry leaves at noon, on Sundays at one."
    merged = await world.moderator.submit_modal(form, {"text": text})
    await world.moderator.click(merged.response, label="Save")
    one, two = await world.app.notebook.ledger.notes(guild)
    assert (one.status, two.status, two.text) == ("superseded", "active", text)


async def test_undo_takes_the_correction_back_with_what_it_replaced(
    world: World, endpoint: Endpoint
):
    guild = str(world.guild.id)
    old = NoteDraft("The Fenlake Ferry leaves at one.")
    await world.app.notebook.add(guild, old, By("someone"))
    endpoint.when("Claim: The Fenlake Ferry", Reply("false", probability=0.99))
    met = await correct(world, world.moderator, await ask(world))
    await world.moderator.click(met.response, label="Replace")
    await world.moderator.click(met.response, label="Save")
    await world.restart()
    undone = await world.moderator.click(met.response, label="Undo")
    assert "Taken back" in undone.response.content
    one, two = await world.app.notebook.ledger.notes(guild)
    assert (one.status, two.status) == ("active", "retired")


async def test_nothing_is_saved_before_save_and_cancel_gives_the_draft_up(
    world: World, ferry: None
):
    answer = await ask(world)
    preview = await correct(world, world.moderator, answer)
    again = await ask(world)
    assert "at two" in again.response.content
    await world.moderator.click(preview.response, label="Cancel")
    [note] = await world.app.notebook.ledger.notes(str(world.guild.id))
    assert note.status == "retired"
    assert "at two" in message(world, answer).content


async def test_the_buttons_of_a_correction_are_alive_after_a_restart(world: World, ferry: None):
    answer = await ask(world)
    preview = await correct(world, world.moderator, answer)
    await world.restart()
    await world.moderator.click(preview.response, label="Save")
    assert message(world, answer).content.startswith("at noon")


@pytest.mark.simcord(check_errors=False)
async def test_saving_twice_saves_once(world: World, ferry: None):
    preview = await correct(world, world.moderator, await ask(world))
    [save] = [
        one["custom_id"]
        for row in preview.response.components
        for one in row["components"]
        if one["label"] == "Save"
    ]
    await world.moderator.click(preview.response, label="Save")
    await world.click_forged(world.moderator, preview.response, save)
    [note] = await world.app.notebook.ledger.notes(str(world.guild.id))
    assert note.revision == 2


@pytest.mark.simcord(check_errors=False)
async def test_somebody_who_lost_the_role_in_between_cannot_save(world: World, ferry: None):
    preview = await correct(world, world.moderator, await ask(world))
    world.demote(world.moderator)
    refused = await world.moderator.click(preview.response, label="Save")
    assert "Only moderators" in refused.followups[-1].content
    [note] = await world.app.notebook.ledger.notes(str(world.guild.id))
    assert note.status == "draft"


async def test_a_member_gets_the_same_form_and_what_they_send_is_a_suggestion(
    world: World, ferry: None
):
    answer = await ask(world)
    thanked = await correct(world, world.member, answer)
    assert thanked.ephemeral
    assert "waits for a moderator" in thanked.response.content
    [note] = await world.app.notebook.ledger.notes(str(world.guild.id))
    assert (note.status, note.author_id) == ("draft", str(world.member.id))
    again = await ask(world)
    assert "at two" in again.response.content


@pytest.mark.simcord(check_errors=False)
async def test_only_an_answer_of_the_bot_can_be_corrected(world: World):
    said = await world.member.send(world.channel, "The Fenlake Ferry leaves at noon.")
    refused = await world.moderator.context_menu(world.channel, "Correct this answer", said)
    assert refused.ephemeral
    assert "not an answer of mine" in refused.response.content


async def test_an_answer_that_is_no_longer_kept_is_corrected_from_the_message(
    world: World, ferry: None
):
    from datetime import UTC, datetime, timedelta

    answer = await ask(world)
    await world.app.records.forget_before(datetime.now(UTC) + timedelta(days=1))
    preview = await correct(world, world.moderator, answer)
    await world.moderator.click(preview.response, label="Save")
    assert message(world, answer).content.startswith("at noon\n-# From note #1")


async def test_a_private_answer_stays_and_the_moderator_is_told_why(world: World, ferry: None):
    answer = await world.moderator.slash(world.channel, "ask", question=QUESTION, private=True)
    preview = await correct(world, world.moderator, answer)
    await world.moderator.click(preview.response, label="Save")
    assert "That answer is private" in preview.response.content


async def test_a_note_for_another_channel_does_not_show_in_this_ones_answer(
    world: World, ferry: None
):
    answer = await ask(world)
    staff = world.guild.create_text_channel("staff")
    preview = await correct(world, world.moderator, answer)
    note = await world.app.notebook.edit(
        str(world.guild.id), 1, By(str(world.moderator.id)), scope=(str(staff.id),)
    )
    refused = await world.moderator.click(preview.response, label="Save")
    # The draft moved on under the button; nothing happens at all.
    assert "somebody changed it" in refused.followups[-1].content
    await world.app.notebook.approve(str(world.guild.id), 1, By("x"), expect=note.revision)
    assert "at two" in message(world, answer).content


async def test_save_to_notebook_makes_a_note_with_its_author_and_link(world: World):
    said = await world.member.send(world.channel, FERRY)
    shown = await world.moderator.context_menu(world.channel, "Save to notebook", said)
    saved = await world.moderator.submit_modal(shown, {"text": FERRY, "where": "everywhere"})
    await world.moderator.click(saved.response, label="Save")
    assert "public answer" not in saved.response.content
    [note] = await world.app.notebook.ledger.notes(str(world.guild.id))
    assert (note.status, note.text, note.source_url) == ("active", FERRY, said.jump_url)
    assert note.reason == "said by member"
    # What a person said is theirs: nothing edits it.
    assert [one.content for one in world.channel.history() if one.id == said.id] == [FERRY]
