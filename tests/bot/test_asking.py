"""Asking: commands, menus, mentions, replies and threads."""

from __future__ import annotations

from typing import Any

import pytest

from eren_memory.community import GuildSettings
from eren_memory.domain import By, NoteDraft
from tests.bot.conftest import World
from tests.endpoint import Endpoint, Reply

FERRY = "The Fenlake Ferry leaves at noon."
QUESTION = "When does the Fenlake Ferry leave?"


async def record(world: World, message_id: int) -> Any:
    return await world.app.records.by_message(str(world.guild.id), str(message_id))


async def answer_from_note(world: World, endpoint: Endpoint, **fields: Any) -> Any:
    endpoint.when(f"Note: {FERRY}\nQuestion:", Reply("yes: at noon", probability=0.999))
    await world.app.notebook.add(
        str(world.guild.id), NoteDraft(FERRY, **fields), By(str(world.moderator.id))
    )
    return await world.member.slash(world.channel, "ask", question=QUESTION)


async def test_a_claim_is_checked_by_the_notes_first(world: World, endpoint: Endpoint):
    await world.app.notebook.add(str(world.guild.id), NoteDraft(FERRY), By("someone"))
    endpoint.when("Claim: The Fenlake Ferry leaves at two.", Reply("false", probability=0.999))
    checked = await world.member.slash(
        world.channel, "check", claim="The Fenlake Ferry leaves at two."
    )
    assert checked.response.content.startswith("No: a note refutes this.\n-# From note #1")


@pytest.mark.parametrize(("menu", "begins"), [("Ask about this", "unedited"), ("Check", "Prob")])
async def test_a_message_is_asked_about_or_checked_from_its_menu(
    world: World, menu: str, begins: str
):
    said = await world.moderator.send(world.channel, "The moon is made of cheese.")
    name = menu if menu.startswith("Ask") else "Check this claim"
    answer = await world.member.context_menu(world.channel, name, said)
    head, body = answer.response.content.split("\n", 1)
    assert head == f"-# About {said.jump_url}"
    assert body.startswith(begins)


@pytest.mark.simcord(check_errors=False)
async def test_a_message_without_text_is_no_question(world: World):
    said = await world.moderator.send(world.channel, "", attachments=[("a.png", b"x")])
    refused = await world.member.context_menu(world.channel, "Ask about this", said)
    assert refused.ephemeral
    assert "no text" in refused.response.content


async def test_a_mention_is_answered_with_a_reply(world: World):
    said = await world.member.send(
        world.channel, f"<@{world.env.bot.user.id}> Who painted the ceiling?"
    )
    last = world.channel.last_message
    assert last.content.startswith("unedited answer\n-# ")
    assert last.reference.message_id == said.id


async def test_an_empty_mention_is_told_how(world: World):
    await world.member.send(world.channel, f"<@{world.env.bot.user.id}>")
    assert "mention me with a question" in world.channel.last_message.content


async def test_people_who_talk_to_each_other_are_left_alone(world: World, endpoint: Endpoint):
    await world.member.send(world.channel, "When does the ferry leave?")
    assert endpoint.requests == []


async def test_a_reply_to_an_answer_is_understood_from_what_was_said_before(
    world: World, endpoint: Endpoint
):
    first = await world.member.slash(world.channel, "ask", question="Who painted the ceiling?")
    endpoint.when("And when", Reply("When was the ceiling painted?"))
    await world.member.send(
        world.channel, f"<@{world.env.bot.user.id}> And when?", reply_to=first.response
    )
    standalone, asked = endpoint.conversations[-2:]
    assert "Who painted the ceiling?" in standalone[-1]["content"]
    assert asked[-1]["content"].endswith("When was the ceiling painted?")
    kept = await record(world, world.channel.last_message.id)
    assert kept.question == "When was the ceiling painted?"
    assert kept.trace["calls"] == 2


async def test_a_first_question_costs_no_call_more(world: World, endpoint: Endpoint):
    await world.member.send(world.channel, f"<@{world.env.bot.user.id}> Who painted it?")
    assert len(endpoint.requests) == 1


async def test_the_chain_of_replies_is_bounded(world: World, endpoint: Endpoint):
    endpoint.when("And", Reply("Who?"))
    last: Any = (await world.member.slash(world.channel, "ask", question="Who 0?")).response
    for n in range(1, 7):
        await world.member.send(
            world.channel, f"<@{world.env.bot.user.id}> And {n}?", reply_to=last
        )
        last = world.channel.last_message
    standalone = endpoint.conversations[-2][-1]["content"]
    assert "Who 0?" not in standalone


async def test_a_question_in_private_is_declined(world: World, endpoint: Endpoint):
    await world.member.send_dm("Who painted the ceiling?")
    sent = world.requests("POST", "/messages")[-1].json
    assert "Ask me in a server" in sent["content"]
    assert endpoint.requests == []


async def test_an_answer_is_kept_with_what_it_was_made_from(world: World, endpoint: Endpoint):
    answer = await answer_from_note(world, endpoint)
    kept = await record(world, answer.response.id)
    [note] = await world.app.notebook.ledger.notes(str(world.guild.id))
    assert (kept.question, kept.text, kept.origin) == (QUESTION, "at noon", "notebook")
    assert [one.note_id for one in kept.notes] == [note.id]
    assert kept.asker_id == str(world.member.id)
    assert kept.trace["path"] == "accepted"
    assert FERRY not in str(kept.trace)


async def test_why_tells_members_titles_and_moderators_the_whole_text(
    world: World, endpoint: Endpoint
):
    long = f"{QUESTION} At noon.\nA second line that says more."
    endpoint.when(f"Note: {QUESTION}", Reply("yes: at noon", probability=0.999))
    await world.app.notebook.add(str(world.guild.id), NoteDraft(long), By("someone"))
    answer = await world.member.slash(world.channel, "ask", question=QUESTION)
    seen = await world.member.click(answer.response, label="Why?")
    assert seen.ephemeral
    assert "→ **#1**" in seen.response.content
    assert "second line" not in seen.response.content
    assert "model call" in seen.response.content
    full = await world.moderator.click(answer.response, label="Why?")
    assert "second line" in full.response.content


async def test_why_does_not_show_a_note_that_has_gone_into_hiding(world: World, endpoint: Endpoint):
    answer = await answer_from_note(world, endpoint)
    staff = world.guild.create_text_channel("staff")
    await world.app.notebook.edit(str(world.guild.id), 1, By("someone"), scope=(str(staff.id),))
    seen = await world.member.click(answer.response, label="Why?")
    assert "Ferry" not in seen.response.content
    assert "not shown here" in seen.response.content


async def test_thumbs_are_kept_with_the_answer_also_after_a_restart(
    world: World, endpoint: Endpoint
):
    answer = await answer_from_note(world, endpoint)
    await world.restart()
    thanked = await world.member.click(answer.response, custom_id="eren:up")
    assert thanked.ephemeral
    form = await world.moderator.click(answer.response, custom_id="eren:down")
    told = await world.moderator.submit_modal(form, {"reason": "outdated", "comment": "since May"})
    assert told.ephemeral
    kept = await record(world, answer.response.id)
    assert await world.app.records.complaints(kept) == [("outdated", "since May")]
    [review] = await world.app.reviews.waiting(str(world.guild.id), 9)
    assert (review.queue, review.question, review.count) == ("complaint", QUESTION, 1)


@pytest.mark.simcord(check_errors=False)
async def test_buttons_under_a_forgotten_answer_say_so(world: World, endpoint: Endpoint):
    from datetime import UTC, datetime, timedelta

    answer = await answer_from_note(world, endpoint)
    await world.app.records.forget_before(datetime.now(UTC) + timedelta(days=1))
    told = await world.member.click(answer.response, label="Why?")
    assert "no longer have the story" in told.response.content


@pytest.mark.simcord(check_errors=False)
async def test_whoever_may_not_ask_is_refused_in_private(world: World, endpoint: Endpoint):
    role = world.guild.create_role("Members")
    await world.choose(GuildSettings(ask_roles=(str(role.id),)))
    refused = await world.member.slash(world.channel, "ask", question="Who?")
    told = refused.response
    assert refused.ephemeral
    assert "may not ask here" in told.content
    allowed = await world.moderator.slash(world.channel, "ask", question="Who?")
    assert allowed.response.content.startswith("unedited answer")
    assert len(endpoint.requests) == 1


@pytest.mark.simcord(check_errors=False)
async def test_a_member_who_asks_too_much_is_asked_to_wait_and_others_are_not(
    world: World, endpoint: Endpoint
):
    for _ in range(world.app.settings.questions_per_member):
        await world.member.slash(world.channel, "ask", question="Who?")
    refused = await world.member.slash(world.channel, "ask", question="Who?")
    told = refused.response
    assert refused.ephemeral
    assert "Ask again in" in told.content
    other = await world.moderator.slash(world.channel, "ask", question="Who?")
    assert other.response.content.startswith("unedited answer")


async def test_a_question_that_nobody_knows_waits_for_the_moderators(
    world: World, endpoint: Endpoint
):
    endpoint.default = Reply("I'm sorry, I don't know who painted it.")
    for _ in range(2):
        answer = await world.member.slash(world.channel, "ask", question="Who painted it?")
    assert "a moderator may see the question" in answer.response.content
    [review] = await world.app.reviews.waiting(str(world.guild.id), 9)
    assert (review.queue, review.question, review.count) == ("gap", "Who painted it?", 2)


async def test_an_answer_far_too_long_comes_as_a_file(world: World, endpoint: Endpoint):
    endpoint.default = Reply("word " * 3_000)
    answer = await world.member.slash(world.channel, "ask", question="Who?")
    assert answer.followups == []
    [file] = answer.response.attachments
    assert file.filename == "answer.md"
    assert (await file.read()).decode().split() == ["word"] * 3_000
    assert "no note applies" in answer.response.content.splitlines()[-1]


async def test_a_servers_tone_length_and_model_are_used(world: World, endpoint: Endpoint):
    from eren_memory.community import Length, Tone

    await world.member.slash(world.channel, "ask", question="Who?")
    await world.choose(GuildSettings(tone=Tone.FORMAL, length=Length.LONG))
    await world.member.slash(world.channel, "ask", question="Who?")
    before, after = (one[0]["content"] for one in endpoint.conversations[-2:])
    assert before != after


async def test_links_show_where_they_lead_and_odd_characters_are_written_out(
    world: World, endpoint: Endpoint
):
    endpoint.default = Reply("[my bank](https://evil.example/x) \u202eabc")
    answer = await world.member.slash(world.channel, "ask", question="Who?")
    assert "[my bank] (<https://evil.example/x>)" in answer.response.content
    assert "\u202e" not in answer.response.content
