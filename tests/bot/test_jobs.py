"""What runs by itself, as people in Discord see it, and what feedback in Discord is kept for."""

from __future__ import annotations

import asyncio
from datetime import time
from typing import Any

import discord
import pytest

from eren_memory.community import GuildSettings
from eren_memory.domain import By, NoteDraft
from eren_memory.errors import NoteIndexError
from eren_memory.jobs import Every, GuildJob, Job
from eren_memory.ledger.evidence import judged
from eren_memory.relevance import Task
from tests.bot.conftest import World
from tests.endpoint import Endpoint, Reply

FERRY = "The Fenlake Ferry leaves at two."
QUESTION = "When does the Fenlake Ferry leave?"
OTHER = "Who owns the Fenlake Ferry now?"
"""For which the note is read, and rejected."""


@pytest.fixture
def admin(world: World) -> Any:
    role = world.guild.create_role("Admins", permissions=discord.Permissions(manage_guild=True))
    return world.guild.add_member(world.env.create_user("admin"), roles=[role])


async def fails(_guild: str = "") -> str:
    raise NoteIndexError("It is away, at /a/secret/path.")


async def fail(world: World, job: Job) -> None:
    """Have the bot come upon a job that is due: the first time it only hears of it."""
    world.app.jobs.add(job)
    for _ in range(3):
        await world.app.jobs.run(job)


def guilds_job(world: World, name: str, run: Any) -> GuildJob:
    async def here() -> list[str]:
        return [str(world.guild.id)]

    return GuildJob(name, time(9), run, here)


async def test_status_says_what_runs_by_itself_when_and_how_it_went(world: World, admin: Any):
    await world.app.jobs.run_now("purge", "")
    await fail(world, Job("broken", Every(0), fails))
    status = await admin.slash(world.channel, "eren status")
    lines = status.response.content.splitlines()
    [purge] = [line for line in lines if " purge: " in line]
    assert purge.startswith("✓ purge: <t:")
    assert "; next <t:" in purge
    assert any(line.startswith("– retention: not yet run") for line in lines)
    # What went wrong for all servers is the operator's to read.
    assert any(line.startswith("✗ broken: <t:") for line in lines)
    assert "secret" not in status.response.content


async def test_the_bot_begins_its_jobs_and_stops_them_with_itself(world: World):
    async with asyncio.timeout(10):
        while await world.app.jobs._runs.of(("outbox", "")) is None:
            await asyncio.sleep(0.05)
    schedule = world.env.bot._schedule
    assert schedule._timers.running
    await world.env.bot.drain()
    assert not schedule._timers.running
    await world.restart()
    assert world.env.bot._schedule._timers.running


async def test_a_servers_job_that_fails_is_told_to_its_staff_once(world: World, admin: Any):
    staff = world.guild.create_text_channel("staff")
    await world.choose(GuildSettings(staff_channel=str(staff.id)))
    job = Job("digest", Every(0), fails, str(world.guild.id))
    await fail(world, job)
    assert (await world.app.jobs._runs.all())[job.key].ok is False
    told = [one.content for one in staff.history()]
    assert len(told) == 1
    assert told[0].startswith(
        "⚠ The job **digest** failed and is tried again by itself: It is away"
    )


async def test_a_job_of_all_servers_that_fails_is_told_to_the_owner_and_to_no_server(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    await fail(world, Job("broken", Every(0), fails))
    owner = world.env.bot.application.owner.id
    sent = [one for one in world.requests("POST", "/messages") if one.json]
    assert [one.json["content"].split(" failed")[0] for one in sent] == ["⚠ The job **broken**"]
    [opened] = world.requests("POST", "/users/@me/channels")
    assert opened.json == {"recipient_id": owner}
    assert list(world.channel.history()) == []


@pytest.mark.simcord(check_errors=False)
async def test_a_time_zone_is_chosen_in_setup_and_a_wrong_one_is_refused(world: World, admin: Any):
    page = await admin.slash(world.channel, "eren setup")
    assert "Time zone: the operator's" in page.response.content
    form = await admin.click(page.response, label="Channels")
    await admin.submit_modal(
        form, {"auto_quiet": "yes", "digest": "daily", "time_zone": "europe/berlin"}
    )
    guild = str(world.guild.id)
    assert (await world.app.communities.settings(guild)).time_zone == "Europe/Berlin"
    assert "Time zone: Europe/Berlin" in page.response.content
    form = await admin.click(page.response, label="Channels")
    refused = await admin.submit_modal(
        form, {"auto_quiet": "yes", "digest": "daily", "time_zone": "Berlin"}
    )
    assert any("Did you mean Europe/Berlin?" in one.content for one in refused.followups)
    assert (await world.app.communities.settings(guild)).time_zone == "Europe/Berlin"

    async def morning(_guild: str) -> str:
        return "Good morning."

    world.app.jobs.add(guilds_job(world, "digest", morning))
    [digest] = [one for one in await world.app.jobs.overview(guild) if one.id == "digest"]
    assert digest.next_at is not None
    assert digest.next_at.hour in (7, 8)  # Nine in Berlin.


@pytest.mark.parametrize(
    ("question", "said", "label"),
    [(QUESTION, "complaint", False), (QUESTION, "thanks", True), (OTHER, "thanks", False)],
)
async def test_what_members_say_under_an_answer_is_kept_as_evidence_of_its_decision(
    world: World, endpoint: Endpoint, question: str, said: str, label: bool
):
    await world.app.notebook.add(str(world.guild.id), NoteDraft(FERRY), By("someone"))
    likely = 0.999 if question == QUESTION else 0.001
    endpoint.when("Note: The", Reply("yes: at two" if likely > 0.5 else "no", probability=likely))
    answer = await world.member.slash(world.channel, "ask", question=question)
    if said == "thanks":
        await world.member.click(answer.response, custom_id="eren:up")
    else:
        form = await world.member.click(answer.response, custom_id="eren:down")
        await world.member.submit_modal(form, {"reason": "not from the notebook", "comment": ""})
    [one] = await judged(world.app.notebook.ledger)
    assert one.answers is label
    assert one.people == {str(world.member.id)}
    assert one.mark == world.app.calibrations.mark(Task.QUESTION, logprobs=True)


async def test_a_correction_that_replaces_the_note_that_was_read_is_kept_as_evidence(
    world: World, endpoint: Endpoint
):
    guild = str(world.guild.id)
    await world.app.notebook.add(guild, NoteDraft(FERRY), By("someone"))
    endpoint.when("Claim: The Fenlake Ferry", Reply("false", probability=0.99))
    endpoint.when("Note: The", Reply("no", probability=0.001))
    answer = await world.member.slash(world.channel, "ask", question=OTHER)
    kept = await world.app.records.by_message(guild, str(answer.response.id))
    assert kept is not None
    assert (kept.origin, kept.trace["path"]) == ("model", "rejected")
    form = await world.moderator.context_menu(world.channel, "Correct this answer", answer.response)
    noon = "The Fenlake Ferry leaves at noon."
    filled = {"question": OTHER, "text": noon, "where": "everywhere"}
    step = await world.moderator.submit_modal(form, filled)
    await world.moderator.click(step.response, label="Replace")
    await world.moderator.click(step.response, label="Save")
    [one] = await judged(world.app.notebook.ledger)
    assert (one.answers, one.p) == (True, kept.trace["p"])
    assert one.people == {str(world.moderator.id)}


async def test_how_jobs_end_is_counted(world: World):
    await world.app.jobs.run_now("purge", "")
    await fail(world, Job("broken", Every(0), fails))
    page = world.env.bot.desk.metrics.page().decode()
    assert 'eren_jobs_total{job="purge",result="ok"} 1.0' in page
    assert 'eren_jobs_total{job="broken",result="failed"}' in page


async def test_a_server_that_discord_cannot_reach_waits_for_its_jobs(world: World):
    def here(jobs: list[Job]) -> list[tuple[str, str]]:
        return [one.key for one in jobs if one.guild_id]

    guild = str(world.guild.id)
    assert here(await world.app.jobs.all()) == [("audit", guild), ("digest", guild)]
    world.env.backend.emit("GUILD_DELETE", {"id": guild, "unavailable": True})
    await world.env.settle()
    assert [one.unavailable for one in world.env.bot.guilds] == [True]
    assert here(await world.app.jobs.all()) == []
