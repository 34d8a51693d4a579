"""Suggestions, complaints and gaps: the staff's channel and /review."""

from __future__ import annotations

from typing import Any

import pytest

from eren_memory.community import GuildSettings
from eren_memory.domain import By, NoteDraft, NoteStatus
from tests.bot.conftest import World
from tests.endpoint import Endpoint, Reply

FERRY = "The Fenlake Ferry leaves at noon."
QUESTION = "When does the Fenlake Ferry leave?"


async def staffed(world: World) -> Any:
    staff = world.guild.create_text_channel("staff")
    await world.choose(GuildSettings(staff_channel=str(staff.id)))
    return staff


async def suggest(world: World) -> Any:
    return await world.member.slash(world.channel, "suggest", text=FERRY, question=QUESTION)


async def complain(world: World, answer: Any, who: Any = None) -> None:
    actor = who or world.member
    form = await actor.click(answer.response, custom_id="eren:down")
    await actor.submit_modal(form, {"reason": "wrong", "comment": "it is at noon"})


async def first(world: World) -> Any:
    return await world.app.notebook.ledger.note(str(world.guild.id), 1)


async def test_a_suggestion_is_shown_to_the_staff_and_approved_there(world: World):
    staff = await staffed(world)
    await suggest(world)
    card = staff.last_message
    assert f"**Suggestion #1** by <@{world.member.id}>" in card.content
    assert FERRY in card.content
    await world.restart()
    done = await world.moderator.click(card, label="Approve")
    assert "Saved **#1**" in done.response.content
    note = await first(world)
    assert (note.status, note.author_id, note.approved_by) == (
        "active",
        str(world.member.id),
        str(world.moderator.id),
    )
    assert f"Approved by <@{world.moderator.id}>" in staff.last_message.content
    assert staff.last_message.components == []


async def test_the_suggester_hears_what_became_of_it(world: World):
    staff = await staffed(world)
    await suggest(world)
    await world.moderator.click(staff.last_message, label="Reject")
    told = world.env.backend.get_user(world.member.id)
    sent = [one.json["content"] for one in world.requests("POST", "/messages")]
    assert any("did not take your suggestion #1" in one for one in sent), told
    assert (await first(world)).status == "retired"


async def test_a_suggestion_is_edited_before_it_is_approved(world: World):
    staff = await staffed(world)
    await suggest(world)
    form = await world.moderator.click(staff.last_message, label="Edit")
    text = "The Fenlake Ferry leaves at noon sharp."
    await world.moderator.submit_modal(form, {"text": text, "where": "as it is"})
    note = await first(world)
    assert (note.status, note.text) == ("active", text)


@pytest.mark.simcord(check_errors=False)
async def test_of_two_who_decide_one_does_and_the_other_is_told(world: World):
    staff = await staffed(world)
    await suggest(world)
    card = staff.last_message
    ids = [one.custom_id for row in card.components for one in row.children]
    await world.moderator.click(card, label="Reject")
    late = await world.click_forged(world.moderator, card, ids[0])
    assert "Somebody was faster" in late.response.content
    assert (await first(world)).status == "retired"


@pytest.mark.simcord(check_errors=False)
@pytest.mark.parametrize("label", ["Approve", "Edit", "Reject"])
async def test_a_member_who_sees_the_card_decides_nothing(world: World, label: str):
    staff = await staffed(world)
    await suggest(world)
    refused = await world.member.click(staff.last_message, label=label)
    assert refused.ephemeral
    assert "Only moderators" in refused.response.content
    assert (await first(world)).status == "draft"


async def test_approving_a_suggestion_corrects_the_public_answer(world: World, endpoint: Endpoint):
    endpoint.when(f"Note: {FERRY}\nQuestion:", Reply("yes: at noon", probability=0.999))
    staff = await staffed(world)
    answer = await world.member.slash(world.channel, "ask", question=QUESTION)
    shown = await world.member.context_menu(world.channel, "Correct this answer", answer.response)
    await world.member.submit_modal(
        shown, {"question": QUESTION, "text": FERRY, "where": "everywhere"}
    )
    await world.moderator.click(staff.last_message, label="Approve")
    [public] = [one for one in world.channel.history() if one.id == answer.response.id]
    assert public.content.startswith("at noon\n-# From note #1")
    assert f"corrected by <@{world.member.id}>" in public.content


async def test_complaints_about_a_question_are_one_card_that_counts(world: World):
    staff = await staffed(world)
    answer = await world.member.slash(world.channel, "ask", question=QUESTION)
    await complain(world, answer)
    await complain(world, answer, world.moderator)
    await complain(world, answer)  # Once more by the same member.
    [card] = staff.history()
    assert "**Did not help, 2 times**" in card.content
    assert "unedited answer" in card.content
    assert "wrong: it is at noon" in card.content


async def test_a_complaint_is_settled_by_a_correction(world: World, endpoint: Endpoint):
    endpoint.when(f"Note: {FERRY}\nQuestion:", Reply("yes: at noon", probability=0.999))
    staff = await staffed(world)
    answer = await world.member.slash(world.channel, "ask", question=QUESTION)
    await complain(world, answer)
    form = await world.moderator.click(staff.last_message, label="Correct")
    preview = await world.moderator.submit_modal(
        form, {"question": QUESTION, "text": FERRY, "where": "everywhere"}
    )
    await world.moderator.click(preview.response, label="Save")
    [public] = [one for one in world.channel.history() if one.id == answer.response.id]
    assert public.content.startswith("at noon")
    assert f"Corrected by <@{world.moderator.id}>" in staff.last_message.content
    assert await world.app.reviews.waiting(str(world.guild.id), 9) == []


async def test_a_gap_is_shown_and_settled(world: World, endpoint: Endpoint):
    endpoint.default = Reply("I don't know.")
    staff = await staffed(world)
    await world.member.slash(world.channel, "ask", question="Who painted it?")
    assert "**Nobody knew**" in staff.last_message.content
    await world.restart()
    await world.moderator.click(staff.last_message, label="Settle")
    assert f"Settled by <@{world.moderator.id}>" in staff.last_message.content
    assert staff.last_message.components == []


async def test_what_was_asked_in_private_is_not_shown_in_the_staffs_channel(
    world: World, endpoint: Endpoint
):
    endpoint.default = Reply("I don't know.")
    staff = await staffed(world)
    await world.member.slash(world.channel, "ask", question="Who painted it?", private=True)
    assert staff.history() == []


async def test_review_goes_through_all_that_waits(world: World, endpoint: Endpoint):
    await suggest(world)
    answer = await world.member.slash(world.channel, "ask", question="Who painted it?")
    await complain(world, answer)
    endpoint.default = Reply("I don't know.")
    await world.member.slash(world.channel, "ask", question="Who built it?")
    page = await world.moderator.slash(world.channel, "review")
    assert page.ephemeral
    assert "1 of 3 · 1 suggestions, 1 complaints, 1 unanswered" in page.response.content
    assert FERRY in page.response.content
    await world.restart()
    await world.moderator.click(page.response, label="▶")
    assert "Who painted it?" in page.response.content
    await world.moderator.click(page.response, label="▶")
    assert "Who built it?" in page.response.content
    await world.moderator.click(page.response, label="◀")
    assert "Who painted it?" in page.response.content


async def test_nothing_to_review_is_said(world: World):
    page = await world.moderator.slash(world.channel, "review")
    assert page.response.content == "Nothing waits for you."


async def test_a_suggestion_that_contradicts_asks_what_to_do(world: World, endpoint: Endpoint):
    guild = str(world.guild.id)
    old = NoteDraft("The Fenlake Ferry leaves at one.")
    await world.app.notebook.add(guild, old, By("someone"))
    staff = await staffed(world)
    await suggest(world)
    endpoint.when("Claim: ", Reply("false", probability=0.99))
    met = await world.moderator.click(staff.last_message, label="Approve")
    assert "contradicts it" in met.response.content
    await world.moderator.click(met.response, label="Replace")
    await world.moderator.click(met.response, label="Save")
    notes = await world.app.notebook.ledger.notes(guild)
    assert [one.status for one in notes] == [NoteStatus.SUPERSEDED, NoteStatus.ACTIVE]
