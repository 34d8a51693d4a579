"""/privacy: everybody sees what is held about them, is forgotten if they wish, and nobody else."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from bot.questions import Request
from bot.texts import texts
from eren_memory.community import GuildSettings
from eren_memory.domain import By, NoteDraft, NoteStatus, Place
from tests.bot.conftest import World
from tests.bot.test_load import Wall
from tests.endpoint import Endpoint, Reply
from tests.people import files_with, rows

FERRY = "The Fenlake Ferry leaves at noon."
QUESTION = "When does the quillfish leave?"


async def asked(world: World, who: Any, question: str = QUESTION) -> Any:
    return await who.slash(world.channel, "ask", question=question)


async def forgotten(world: World, who: Any) -> Any:
    sure = await who.slash(world.channel, "privacy forget")
    assert sure.ephemeral
    return await who.click(sure.response, custom_id="eren:forget")


async def test_a_member_gets_everything_about_them_in_a_file_that_only_they_see(
    world: World, endpoint: Endpoint
):
    await asked(world, world.member)
    await asked(world, world.moderator, "Where is the mill?")
    told = await world.member.slash(world.channel, "privacy export")
    assert told.ephemeral
    [file] = told.response.attachments
    assert file.filename == "held-about-you.json"
    document = json.loads(await file.read())
    assert document["person"] == str(world.member.id)
    assert [one["question"] for one in document["held"]["questions"]] == [QUESTION]
    assert str(world.moderator.id) not in json.dumps(document)


async def test_a_member_is_forgotten_once_they_are_sure(world: World, endpoint: Endpoint):
    await asked(world, world.member)
    await world.member.slash(world.channel, "suggest", text="The pier is new.", question=QUESTION)
    member, home = str(world.member.id), world.app.settings.home
    sure = await world.member.slash(world.channel, "privacy forget")
    assert "every" in sure.response.content
    assert member in await rows(world.app)
    await world.restart()
    done = await world.member.click(sure.response, custom_id="eren:forget")
    assert "1 questions, 0 ratings and 1 suggestions" in done.response.content
    assert done.response.components == []
    assert member not in await rows(world.app)
    assert files_with(home, member, "quillfish", "The pier is new.") == []


async def test_whoever_clicks_is_forgotten_and_nobody_else(world: World, endpoint: Endpoint):
    answer = await asked(world, world.member)
    await asked(world, world.moderator, "Where is the mill?")
    await world.click_forged(world.moderator, answer.response, "eren:forget")
    held = await rows(world.app)
    assert str(world.moderator.id) not in held
    assert str(world.member.id) in held


async def test_the_staff_no_longer_see_what_was_deleted(world: World, endpoint: Endpoint):
    staff = world.guild.create_text_channel("staff")
    await world.choose(GuildSettings(staff_channel=str(staff.id)))
    await world.member.slash(world.channel, "suggest", text="The pier is new.", question=QUESTION)
    card = staff.last_message
    assert "The pier is new." in card.content
    await forgotten(world, world.member)
    assert len(world.requests("DELETE", f"/messages/{card.id}")) == 1
    assert staff.last_message is None


async def test_a_note_stays_and_its_author_is_somebody(world: World, endpoint: Endpoint):
    guild, by = str(world.guild.id), By(str(world.member.id))
    await world.app.notebook.add(guild, NoteDraft(FERRY), by)
    await forgotten(world, world.member)
    note = await world.app.notebook.ledger.note(guild, 1)
    assert (note.text, note.status) == (FERRY, NoteStatus.ACTIVE)
    shown = await world.moderator.slash(world.channel, "note show", number="1")
    assert "by somebody who was forgotten" in shown.response.content


@pytest.mark.simcord(check_errors=False)
async def test_an_answer_to_somebody_forgotten_says_that_it_is_not_kept(
    world: World, endpoint: Endpoint
):
    answer = await asked(world, world.member)
    await forgotten(world, world.member)
    why = await world.moderator.click(answer.response, custom_id="eren:why")
    assert str(world.member.id) not in why.response.content
    assert "no longer" in why.response.content
    # Whoever comes back begins anew.
    await asked(world, world.member)
    held = (await world.app.privacy.export(str(world.member.id)))["held"]
    assert len(held["questions"]) == 1


@pytest.mark.simcord(check_errors=False)
async def test_nobody_is_forgotten_twice_a_day_and_the_operator_can_do_it_at_once(
    world: World, endpoint: Endpoint
):
    await asked(world, world.member)
    first = await forgotten(world, world.member)
    assert "1 questions" in first.response.content
    await asked(world, world.member)
    again = await forgotten(world, world.member)
    assert "forgotten you today already" in again.followups[-1].content
    member = str(world.member.id)
    assert len((await world.app.privacy.export(member))["held"]["questions"]) == 1
    await world.app.privacy.forget(member, By("local:op"))
    assert member not in await rows(world.app)


@pytest.mark.simcord(check_errors=False)
async def test_exports_count_as_questions(world: World, endpoint: Endpoint):
    for _ in range(world.app.settings.questions_per_member):
        await world.member.slash(world.channel, "privacy export")
    refused = await world.member.slash(world.channel, "privacy export")
    assert "a lot of questions" in refused.response.content
    assert refused.response.attachments == []


async def test_what_is_being_answered_to_whoever_is_forgotten_is_forgotten_too(
    world: World, endpoint: Endpoint
):
    hold, done = asyncio.Event(), list[str]()
    endpoint.default = Reply("at noon", hold=hold)
    member, desk = str(world.member.id), world.env.bot.desk
    question = Request(Place("g", ("c",)), "c", member, QUESTION, texts(None))

    async def asks() -> None:
        desk.asker.admission.admit(question, question.t)
        await desk.asker.ask(question, Wall(done, "answered"))

    forget = world.app.privacy.forget

    async def noted(*given: Any) -> Any:
        done.append("forgotten")
        return await forget(*given)

    sure = await world.member.slash(world.channel, "privacy forget")
    asking = asyncio.create_task(asks())
    while not endpoint.requests:
        await asyncio.sleep(0.01)
    asyncio.get_running_loop().call_later(0.1, hold.set)
    with pytest.MonkeyPatch.context() as watched:
        watched.setattr(world.app.privacy, "forget", noted)
        await world.member.click(sure.response, custom_id="eren:forget")
    await asking
    assert done == ["answered", "forgotten"]
    assert member not in await rows(world.app)
