"""Budgets in Discord: who is refused, what is answered at the limit, and who is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import aiohttp
import discord
import pytest
import pytest_asyncio

from bot import failures
from bot.admission import Admission
from eren_memory.app import App, open_app
from eren_memory.budget_warnings import Warned
from eren_memory.budgets import Line
from eren_memory.community import GuildBudget, GuildSettings
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft
from eren_memory.errors import LedgerError
from eren_memory.ledger.communities import Communities
from eren_memory.setting_values import Instead
from tests.bot.conftest import World
from tests.bot.test_setup import admin, settings
from tests.calibrated import NOTE, QUESTION, calibrate
from tests.endpoint import Endpoint
from tests.test_faults_ledger import read_only

__all__ = ["admin"]
# What the scripted endpoint says that a call takes.
CALL = 10
refusals = pytest.mark.simcord(check_errors=False)


@pytest_asyncio.fixture
async def warm_app(settings: Settings) -> AsyncIterator[App]:
    calibrate(settings)
    offered = settings.model_copy(update={"models": "small", "prices": {"scripted": (2.0, 10.0)}})
    async with open_app(offered) as app:
        await app.warm()
        yield app


async def budget(world: World, **fields: Any) -> None:
    chosen = await world.app.communities.settings(str(world.guild.id))
    await world.choose(replace(chosen, budget=GuildBudget(**fields)))


async def ask(world: World, who: Any = None, question: str = "Who painted it?") -> Any:
    return await (who or world.member).slash(world.channel, "ask", question=question)


def is_an_answer(asked: Any) -> bool:
    return asked.response.content.startswith("unedited answer") and not asked.ephemeral


# Quotas


@refusals
async def test_a_member_who_used_up_the_quota_is_told_privately_until_when(world: World):
    await budget(world, member_questions=2)
    assert is_an_answer(await ask(world))
    assert is_an_answer(await ask(world))
    refused = await ask(world)
    assert refused.ephemeral
    assert "You have asked 2 questions today" in refused.response.content
    assert "<t:" in refused.response.content
    assert is_an_answer(await ask(world, world.moderator))


@refusals
async def test_a_quota_holds_after_a_restart_and_for_mentions(world: World):
    await budget(world, member_questions=1)
    await world.member.send(world.channel, f"<@{world.env.bot.user.id}> Who painted it?")
    assert world.channel.last_message.content.startswith("unedited answer")
    await world.restart()
    assert "You have asked 1 question today" in (await ask(world)).response.content
    await world.member.send(world.channel, f"<@{world.env.bot.user.id}> Who painted it?")
    assert "You have asked 1 question today" in world.channel.last_message.content


@refusals
async def test_an_administrator_gives_a_role_a_larger_quota_and_takes_it_away(
    world: World, admin: Any
):
    await budget(world, member_questions=1)
    role = world.guild.create_role("Regulars")
    regular = world.guild.add_member(world.env.create_user("regular"), roles=[role])
    said = await admin.slash(world.channel, "eren quota", role=role, questions=2)
    assert said.ephemeral
    assert f"<@&{role.id}>: 2 questions a day" in said.response.content
    for _ in range(2):
        assert is_an_answer(await ask(world, regular))
    assert "asked 2 questions" in (await ask(world, regular)).response.content
    assert is_an_answer(await ask(world))
    assert "asked 1 question" in (await ask(world)).response.content
    assert f"<@&{role.id}>" in (await admin.slash(world.channel, "eren quota")).response.content
    gone = await admin.slash(world.channel, "eren quota", role=role)
    assert "No role has a quota" in gone.response.content
    assert (await settings(world)).budget == GuildBudget(member_questions=1)


@refusals
async def test_only_administrators_set_quotas_and_budgets(world: World, admin: Any):
    await world.show_to_everyone("eren quota")
    role = world.guild.create_role("Regulars")
    for who in (world.member, world.moderator):
        refused = await who.slash(world.channel, "eren quota", role=role, questions=9)
        assert "Only members who can manage the server" in refused.response.content
    page = await admin.slash(world.channel, "eren setup")
    form = await admin.click(page.response, label="Budget")
    world.demote(admin)
    await admin.submit_modal(form, fill())
    assert await settings(world) == GuildSettings()


async def test_a_quota_is_in_the_audit_trail_with_who_set_it(world: World, admin: Any):
    role = world.guild.create_role("Regulars")
    await admin.slash(world.channel, "eren quota", role=role, questions=7)
    async with world.app.notebook.ledger.reading() as connection:
        found = await connection.exec_driver_sql("SELECT actor_id, act, reason FROM audit_events")
        [event] = found.all()
    assert (event.actor_id, event.act) == (str(admin.id), "settings")
    assert f'[["{role.id}", 7]]' in event.reason


# The budget of the server


def fill(**fields: Any) -> dict[str, Any]:
    empty = {"member_questions": "", "questions": "", "tokens": "", "money": ""}
    return empty | {"at_limit": ["operator"]} | fields


async def test_an_administrator_sets_the_budget_in_a_form(world: World, admin: Any):
    page = await admin.slash(world.channel, "eren setup")
    assert "Budget: the operator's" in page.response.content
    form = await admin.click(page.response, label="Budget")
    filled = fill(member_questions="5", tokens="20000", at_limit=["cheaper:small"])
    await admin.submit_modal(form, filled)
    assert (await settings(world)).budget == GuildBudget(
        member_questions=5, tokens=20_000, at_limit="cheaper:small"
    )
    assert "20,000 tokens" in page.response.content
    assert "at the limit: small answers" in page.response.content
    form = await admin.click(page.response, label="Budget")
    await admin.submit_modal(form, fill())
    assert (await settings(world)).budget == GuildBudget()


@refusals
@pytest.mark.parametrize(
    ("filled", "said"),
    [
        ({"tokens": "many"}, "many is not a whole number"),
        ({"questions": "0"}, "0 is not a whole number"),
        ({"questions": "²"}, "is not a whole number"),
        ({"money": "2.50"}, "needs the prices of the models"),  # That of small is missing.
    ],
)
async def test_a_budget_that_cannot_be_meant_changes_nothing(
    world: World, admin: Any, filled: dict[str, str], said: str
):
    page = await admin.slash(world.channel, "eren setup")
    form = await admin.click(page.response, label="Budget")
    submitted = await admin.submit_modal(form, fill(**filled))
    told = [page.response.content, *(one.content for one in submitted.followups)]
    assert any(said in one for one in told)
    assert await settings(world) == GuildSettings()


@refusals
async def test_at_the_limit_sure_notes_are_quoted_and_nothing_is_asked_of_the_model(
    world: World, endpoint: Endpoint
):
    await world.app.notebook.add(str(world.guild.id), NoteDraft(NOTE), By("someone"))
    await budget(world, tokens=CALL, at_limit="notes-only")
    assert is_an_answer(await ask(world))
    before = len(endpoint.requests)
    quoted = await ask(world, question=QUESTION)
    assert quoted.response.content.startswith(NOTE)
    assert "today's budget is used up, this is the note itself" in quoted.response.content
    unsure = await ask(world)
    assert "there is none here. I answer again at <t:" in unsure.response.content
    assert len(endpoint.requests) == before


async def test_at_the_limit_a_cheaper_model_answers_and_says_so(world: World, endpoint: Endpoint):
    await budget(world, tokens=CALL, at_limit="cheaper:small")
    assert "smaller model" not in (await ask(world)).response.content
    second = await ask(world)
    assert is_an_answer(second)
    assert "by a smaller model, as today's budget is used up" in second.response.content
    assert [one["model"] for one in endpoint.requests] == ["scripted", "small"]


@refusals
async def test_at_the_limit_questions_are_refused_privately_until_tomorrow(
    world: World, endpoint: Endpoint
):
    await budget(world, questions=1, at_limit="refuse")
    assert is_an_answer(await ask(world))
    refused = await ask(world, world.moderator)
    assert refused.ephemeral
    assert "budget of this server is used up. I answer again at <t:" in refused.response.content
    assert len(endpoint.requests) == 1


@refusals
async def test_the_staff_are_warned_at_80_and_at_100_percent_once_a_day(world: World):
    staff = world.guild.create_text_channel("staff")
    await world.choose(GuildSettings(staff_channel=str(staff.id)))
    await budget(world, questions=5)
    for _ in range(6):
        await ask(world)
        await world.restart()
    told = sorted(one.content for one in staff.history())
    assert len(told) == 2
    assert told[0].startswith("⚠ 80 % of today's budget (5 questions) are used.")
    assert told[1].startswith("⚠ Today's budget (5 questions) is used up.")


# What it says of it


async def test_usage_and_status_say_what_is_used_by_whom_and_what_for(world: World, admin: Any):
    await budget(world, tokens=100, member_questions=9)
    for who in (world.member, world.member, world.moderator):
        await ask(world, who)
    usage = (await admin.slash(world.channel, "eren usage")).response.content
    assert "30 of 100 tokens: 30 %" in usage
    assert "scripted: 3 calls, 30 tokens · 0.000132" in usage
    mine, theirs = f"<@{world.member.id}>: 2 questions", f"<@{world.moderator.id}>: 1 question"
    assert usage.index(mine) < usage.index(theirs)
    assert "9 questions a day for each member" in usage
    status = (await admin.slash(world.channel, "eren status")).response.content
    assert "Budget today: 30 of 100 tokens: 30 %" in status


async def test_without_a_budget_that_is_said(world: World, admin: Any):
    usage = await admin.slash(world.channel, "eren usage")
    assert "No daily budget is set" in usage.response.content


# What goes wrong between a place in the day and an answer


async def asked_today(world: World) -> int:
    guild = str(world.guild.id)
    await world.env.bot.desk.asker.admission.drain(5)
    standing = await world.app.purse.standing(guild, await world.app.communities.settings(guild))
    assert standing is not None
    [line] = [one for one in standing.lines if one.budget == "questions"]
    return line.used


@refusals
@pytest.mark.parametrize("code", [10062, failures.ACKNOWLEDGED])
async def test_a_question_that_discord_takes_no_answer_to_does_not_count(
    world: World, monkeypatch: pytest.MonkeyPatch, code: int
):
    await budget(world, questions=9, member_questions=9)

    async def gone(*_: object, **__: object) -> None:
        response = SimpleNamespace(status=404, reason="Not Found")
        raise discord.HTTPException(response, {"code": code, "message": "gone"})  # type: ignore[arg-type]

    with monkeypatch.context() as broken:
        broken.setattr(discord.InteractionResponse, "defer", gone)
        with suppress(Exception):  # The simulation misses a response.
            await ask(world)
    assert await asked_today(world) == 0
    assert is_an_answer(await ask(world))
    assert await asked_today(world) == 1


@refusals
async def test_a_question_that_is_refused_before_the_model_is_asked_does_not_count(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    await budget(world, questions=9)
    reserve = Admission.reserve

    async def last(*given: Any) -> Any:
        try:
            return await reserve(*given)
        finally:

            async def fails(*_: object) -> None:
                raise LedgerError("The disk failed.")

            broken.setattr(Communities, "settings", fails)

    with monkeypatch.context() as broken:
        broken.setattr(Admission, "reserve", last)
        assert (await ask(world)).response.content == "The disk failed."
    assert await asked_today(world) == 0


async def test_a_courtesy_that_fails_costs_nobody_the_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    await budget(world, questions=9)

    async def disconnected(*_: object) -> None:
        raise aiohttp.ServerDisconnectedError

    monkeypatch.setattr(discord.http.HTTPClient, "send_typing", disconnected)
    await world.member.send(world.channel, f"<@{world.env.bot.user.id}> Who painted it?")
    assert world.channel.last_message.content.startswith("unedited answer")
    assert await asked_today(world) == 1


@refusals
@pytest.mark.parametrize("by", ["mention", "command"])
async def test_with_a_budget_nothing_is_asked_that_the_ledger_cannot_count(
    world: World, endpoint: Endpoint, by: str
):
    await budget(world, questions=9)
    with read_only(world.app):
        if by == "mention":
            await world.member.send(world.channel, f"<@{world.env.bot.user.id}> Who painted it?")
            told = world.channel.last_message.content
        else:
            told = (await ask(world)).response.content
    assert "notebook.db is read-only" in told
    assert endpoint.requests == []
    assert is_an_answer(await ask(world))


async def test_a_staff_channel_that_is_not_there_just_now_is_told_later(world: World):
    guild = str(world.guild.id)
    warned = Warned(Line("questions", guild, 8, 10), 80, Instead(), datetime.now(UTC))
    assert await world.env.bot.desk.staff.budget_warning(warned)
    await world.choose(GuildSettings(staff_channel="404"))
    assert not await world.env.bot.desk.staff.budget_warning(warned)
