"""With the Message Content intent: follow-ups without a mention, and channels where it speaks up."""

from __future__ import annotations

from typing import Any

import pytest

from bot.cogs import listen
from eren_memory.community import GuildSettings
from eren_memory.domain import By, NoteDraft
from eren_memory.errors import LedgerError
from eren_memory.ledger.ledger import Ledger
from eren_memory.ledger.records import Records
from tests.bot.conftest import World
from tests.endpoint import Endpoint, Reply
from tests.people import rows
from tests.test_faults_ledger import read_only

FERRY = "The Fenlake Ferry leaves at noon."
QUESTION = "When does the Fenlake Ferry leave?"


@pytest.fixture
def message_content() -> bool:
    return True


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than the simulation waits by itself, so that a test can say something in between."""
    monkeypatch.setattr(listen, "_DEBOUNCE", 20.0)


@pytest.fixture
def helpers(world: World) -> Any:
    """A role whose holders answer people."""
    return world.guild.create_role("Helpers")


async def speak_up(world: World, endpoint: Endpoint, helpers: Any, **chosen: Any) -> None:
    endpoint.when(f"Note: {FERRY}\nQuestion:", Reply("yes: at noon", probability=0.999))
    await world.app.notebook.add(str(world.guild.id), NoteDraft(FERRY), By("someone"))
    wanted = {"auto_channels": (str(world.channel.id),), "helper_roles": (str(helpers.id),)}
    await world.choose(GuildSettings(**{**wanted, **chosen}))


def said(world: World, channel: Any = None) -> list[str]:
    """What the bot said in a channel."""
    me = world.env.bot.user.id
    where = channel or world.channel
    return [one.content for one in where.history() if one.author.id == me]


async def wait(world: World) -> None:
    await world.env.advance_time(21)


async def test_a_question_that_a_note_answers_is_answered_unasked(
    world: World, endpoint: Endpoint, helpers: Any
):
    await speak_up(world, endpoint, helpers)
    await world.member.send(world.channel, QUESTION)
    assert said(world) == []
    await wait(world)
    [answer] = said(world)
    assert answer.startswith("at noon\n-# From note #1")


async def test_where_no_note_applies_it_is_silent(world: World, endpoint: Endpoint, helpers: Any):
    await speak_up(world, endpoint, helpers)
    await world.member.send(world.channel, "Who painted the ceiling?")
    await wait(world)
    assert said(world) == []


async def test_unless_the_server_wants_the_models_own_knowledge(
    world: World, endpoint: Endpoint, helpers: Any
):
    await speak_up(world, endpoint, helpers, auto_quiet=False)
    await world.member.send(world.channel, "Who painted the ceiling?")
    await wait(world)
    [answer] = said(world)
    assert answer.startswith("unedited answer")


async def test_a_burst_of_messages_is_one_question(world: World, endpoint: Endpoint, helpers: Any):
    await speak_up(world, endpoint, helpers)
    for part in ("hello", "a question about the", "Fenlake Ferry", QUESTION):
        await world.member.send(world.channel, part)
    await wait(world)
    asked = [one for one in endpoint.embedded if "hello\n" in one]
    assert asked == [f"hello\na question about the\nFenlake Ferry\n{QUESTION}"]


async def test_it_is_silent_once_a_helper_has_replied(
    world: World, endpoint: Endpoint, helpers: Any
):
    await speak_up(world, endpoint, helpers)
    helper = world.guild.add_member(world.env.create_user("helper"), roles=[helpers])
    await world.member.send(world.channel, QUESTION)
    await helper.send(world.channel, "At noon.")
    await wait(world)
    assert said(world) == []


async def test_in_other_channels_it_is_silent(world: World, endpoint: Endpoint, helpers: Any):
    await speak_up(world, endpoint, helpers)
    elsewhere = world.guild.create_text_channel("elsewhere")
    await world.member.send(elsewhere, QUESTION)
    await wait(world)
    assert said(world, elsewhere) == []


@pytest.mark.parametrize("who", ["member", "moderator"])
async def test_the_asker_or_a_moderator_dismisses_what_nobody_asked_for(
    world: World, endpoint: Endpoint, helpers: Any, who: str
):
    await speak_up(world, endpoint, helpers)
    await world.member.send(world.channel, QUESTION)
    await wait(world)
    await getattr(world, who).click(world.channel.last_message, label="Dismiss")
    assert said(world) == []


@pytest.mark.simcord(check_errors=False)
async def test_somebody_else_cannot_dismiss_it(world: World, endpoint: Endpoint, helpers: Any):
    await speak_up(world, endpoint, helpers)
    await world.member.send(world.channel, QUESTION)
    await wait(world)
    other = world.guild.add_member(world.env.create_user("other"))
    refused = await other.click(world.channel.last_message, label="Dismiss")
    assert "Only moderators" in refused.response.content
    assert len(said(world)) == 1


async def test_a_posts_first_message_is_answered_and_the_rest_is_left_to_people(
    world: World, endpoint: Endpoint, helpers: Any
):
    thread = world.thread_in(world.channel)
    await speak_up(world, endpoint, helpers)
    await world.member.send(thread, QUESTION)
    await wait(world)
    assert said(world, thread) == []


async def test_in_a_thread_under_an_answer_nobody_has_to_mention_it(
    world: World, endpoint: Endpoint
):
    answer = await world.member.slash(world.channel, "ask", question="Who painted it?")
    thread = world.thread_under(answer.response)
    endpoint.when("And when", Reply("When was it painted?"))
    await world.member.send(thread, "And when?")
    [follow_up] = said(world, thread)
    assert follow_up.startswith("unedited answer")
    assert endpoint.conversations[-1][-1]["content"].endswith("When was it painted?")


async def test_a_reply_to_an_answer_needs_no_ping(world: World, endpoint: Endpoint):
    answer = await world.member.slash(world.channel, "ask", question="Who painted it?")
    await world.member.send(world.channel, "And when?", reply_to=answer.response)
    assert len(said(world)) == 2


async def test_a_mention_in_reply_to_a_question_answers_that_question(
    world: World, endpoint: Endpoint
):
    asked = await world.moderator.send(world.channel, "Who painted the ceiling?")
    await world.member.send(world.channel, f"<@{world.env.bot.user.id}>", reply_to=asked)
    assert endpoint.conversations[-1][-1]["content"].endswith("Who painted the ceiling?")
    assert said(world)[-1].startswith(f"-# About {asked.jump_url}")


async def test_a_question_that_it_was_silent_about_is_its_askers_to_have_forgotten(
    world: World, endpoint: Endpoint, helpers: Any
):
    await speak_up(world, endpoint, helpers)
    question = "Who painted the ceiling of the chapel?"
    endpoint.when(question, Reply("I don't know."))
    await world.member.send(world.channel, question)
    await wait(world)
    guild, member = str(world.guild.id), str(world.member.id)
    [waiting] = await world.app.reviews.waiting(guild, 5)
    assert (waiting.question, said(world)) == (question, [])
    [told] = (await world.app.privacy.export(member))["held"]["questions"]
    assert told["question"] == question
    await world.app.privacy.forget(member, By(member))
    assert await world.app.reviews.waiting(guild, 5) == []
    assert question not in await rows(world.app)


# Where the ledger cannot be written


def asks(world: World) -> str:
    return f"<@{world.env.bot.user.id}> {QUESTION}"


async def test_a_question_that_cannot_be_noted_is_answered_all_the_same(
    world: World, endpoint: Endpoint, helpers: Any
):
    await speak_up(world, endpoint, helpers)
    with read_only(world.app):
        await world.member.send(world.channel, asks(world))
        await world.member.send(world.channel, QUESTION)
        await wait(world)
    assert [one.splitlines()[0] for one in said(world)] == ["at noon", "at noon"]


async def test_where_another_process_may_answer_too_the_member_is_told_why_this_does_not(
    world: World, endpoint: Endpoint, helpers: Any, monkeypatch: pytest.MonkeyPatch
):
    await speak_up(world, endpoint, helpers)
    monkeypatch.setattr(Ledger, "shared", True)
    with read_only(world.app):
        await world.member.send(world.channel, asks(world))
        await world.member.send(world.channel, QUESTION)  # Nobody asked the bot.
        await wait(world)
    [told] = said(world)
    assert "read-only" in told


async def test_where_the_ledger_cannot_even_be_read_only_who_asked_is_told(
    world: World, endpoint: Endpoint, helpers: Any, monkeypatch: pytest.MonkeyPatch
):
    await speak_up(world, endpoint, helpers)
    remark = await world.moderator.send(world.channel, "The ferry is late today.")

    async def fails(*_: object) -> None:
        raise LedgerError("The disk failed.")

    monkeypatch.setattr(Records, "by_message", fails)
    await world.member.send(world.channel, "As ever.", reply_to=remark)
    assert said(world) == []
    await world.member.send(world.channel, asks(world), reply_to=remark)
    assert said(world) == ["The disk failed."]
