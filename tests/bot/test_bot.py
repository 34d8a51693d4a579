"""The bot as people use it, in simulated Discord."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import discord
import pytest

from bot.client import ErenBot
from bot.texts import texts
from eren_memory.app import App
from eren_memory.domain import By, NoteDraft
from tests.bot.conftest import World
from tests.endpoint import Endpoint, Reply

FERRY = "The Fenlake Ferry leaves at noon."
QUESTION = "When does the Fenlake Ferry leave?"


async def test_a_wrong_answer_is_corrected_and_other_answers_stay(world: World, endpoint: Endpoint):
    endpoint.when(f"Note: {FERRY}", Reply("yes: at noon", probability=0.999))
    before = await world.member.slash(world.channel, "ask", question=QUESTION)
    assert before.response.content == (
        "unedited answer\n-# The model's own knowledge; no note applies."
    )
    added = await world.moderator.slash(world.channel, "note add", text=FERRY)
    assert added.ephemeral
    assert added.response.content == f"Added **#1**: {FERRY}"
    after = await world.member.slash(world.channel, "ask", question=f"{QUESTION} Tell me")
    author = f"corrected by <@{world.moderator.id}>"
    [note] = await world.app.notebook.ledger.notes(str(world.guild.id))
    assert note.verified_at is not None
    verified = f"verified <t:{int(note.verified_at.timestamp())}:d>"
    assert after.response.content == f"at noon\n-# From note #1 · {author} · {verified}"
    other = await world.member.slash(world.channel, "ask", question="Who painted the ceiling?")
    assert other.response.content == before.response.content
    await world.moderator.slash(world.channel, "note retire", number="1", reason="moved")
    again = await world.member.slash(world.channel, "ask", question=QUESTION)
    assert again.response.content == before.response.content
    [note] = await world.app.notebook.ledger.notes(str(world.guild.id))
    assert note.author_id == str(world.moderator.id)


async def test_a_private_answer_is_seen_by_the_asker_alone(world: World):
    asked = await world.member.slash(world.channel, "ask", question="Who?", private=True)
    assert asked.ephemeral


@pytest.mark.simcord(check_errors=False)
@pytest.mark.parametrize(
    ("command", "options"),
    [("note add", {"text": "forged"}), ("note list", {}), ("note retire", {"number": "1"})],
)
async def test_a_member_cannot_touch_the_notebook_even_where_the_server_shows_the_command(
    world: World, command: str, options: dict[str, object]
):
    await world.app.notebook.add(str(world.guild.id), NoteDraft(FERRY), By("someone"))
    await world.show_to_everyone(command)
    refused = await world.member.slash(world.channel, command, **options)
    assert refused.ephemeral
    assert "Only moderators may change the notebook" in refused.response.content
    [note] = await world.app.notebook.ledger.notes(str(world.guild.id))
    assert (note.text, note.status) == (FERRY, "active")


@pytest.mark.simcord(check_errors=False)
async def test_moderating_one_channel_is_not_moderating_the_notebook(world: World):
    own = world.guild.create_text_channel(
        "temporary", overwrites={world.member: discord.PermissionOverwrite(manage_messages=True)}
    )
    await world.show_to_everyone("note add")
    refused = await world.member.slash(own, "note add", text="forged")
    assert "Only moderators may change the notebook" in refused.response.content
    assert await world.app.notebook.ledger.notes(str(world.guild.id)) == []


async def test_an_answer_can_neither_forge_nor_swallow_the_origin_line(
    world: World, endpoint: Endpoint
):
    endpoint.default = Reply("Trust me.\n-# From note #3 by <@1>\n```py\nprint()")
    asked = await world.member.slash(world.channel, "ask", question="Who?")
    lines = asked.response.content.splitlines()
    assert [line for line in lines if line.startswith("-#")] == [lines[-1]]
    assert "no note applies" in lines[-1]
    assert asked.response.content.count("```") == 2


async def test_every_command_is_acknowledged_before_any_work(world: World):
    await world.member.slash(world.channel, "ask", question="Who?")
    await world.moderator.slash(world.channel, "note list")
    callbacks = world.requests("POST", "/callback")
    assert [request.json["type"] for request in callbacks] == [5, 5]  # Deferred.


@pytest.mark.simcord(check_errors=False)
async def test_servers_never_see_each_others_notes(world: World, endpoint: Endpoint):
    endpoint.when("Note: ", Reply("yes: at noon", probability=0.999))
    await world.moderator.slash(world.channel, "note add", text=FERRY)
    elsewhere = world.env.create_guild()
    channel = elsewhere.create_text_channel("general")
    mods = elsewhere.create_role("Mods", permissions=discord.Permissions(manage_messages=True))
    stranger = elsewhere.add_member(world.env.create_user("stranger"), roles=[mods])
    asked = await stranger.slash(channel, "ask", question=QUESTION)
    assert "no note applies" in asked.response.content
    listed = await stranger.slash(channel, "note list")
    assert "No notes yet" in listed.response.content
    retired = await stranger.slash(channel, "note retire", number="1")
    assert "no note #1" in retired.response.content


async def test_nothing_that_is_said_can_ping(world: World, endpoint: Endpoint):
    endpoint.default = Reply("@everyone <@1> <@&2>")
    asked = await world.member.slash(world.channel, "ask", question="Who?")
    assert "@everyone" in asked.response.content
    await world.moderator.slash(world.channel, "note add", text="@everyone is welcome")
    for request in world.env.http_requests:
        body = request.json if isinstance(request.json, dict) else {}
        data = body.get("data", body)
        if isinstance(data, dict) and data.get("content"):
            assert data.get("allowed_mentions") == {"parse": []}, request


async def test_a_long_answer_comes_in_several_messages(world: World, endpoint: Endpoint):
    endpoint.default = Reply("word " * 900)
    asked = await world.member.slash(world.channel, "ask", question="Tell me all?")
    said = [asked.response.content, *(message.content for message in asked.followups)]
    assert len(said) > 2
    assert all(len(part) <= 2_000 for part in said)
    assert " ".join(" ".join(said).split()).startswith(("word " * 900).strip())
    assert "no note applies" in said[-1]


@pytest.mark.simcord(check_errors=False)
async def test_a_model_that_refuses_is_said_once(world: World, endpoint: Endpoint):
    endpoint.default = Reply(status=401, body="{}")
    asked = await world.member.slash(world.channel, "ask", question="Who?")
    assert "key" in asked.response.content
    assert asked.followups == []


@pytest.mark.simcord(check_errors=False)
async def test_an_unexpected_failure_is_logged_and_tells_nothing(
    world: World, caplog, monkeypatch: pytest.MonkeyPatch
):
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("internal detail")

    monkeypatch.setattr(type(world.app.notebook.ledger), "newest", broken)
    listed = await world.moderator.slash(world.channel, "note list")
    assert listed.response.content == texts(None)("failed.unexpected")
    assert "internal detail" in caplog.text


async def test_markdown_in_a_note_does_not_dress_up_as_the_bots_words(world: World):
    added = await world.moderator.slash(world.channel, "note add", text="**bold** -# small `x`")
    assert r"\*\*bold\*\*" in added.response.content


async def test_the_list_shows_the_newest_first_and_says_how_many_there_are(world: World):
    guild = str(world.guild.id)
    drafts = [NoteDraft(f"Note number {n} " + "x" * 60) for n in range(60)]
    await world.app.notebook.add_many(guild, drafts, By("someone"))
    listed = await world.moderator.slash(world.channel, "note list")
    content = listed.response.content
    assert content.startswith("**#60**")
    assert "60 notes, newest first · page 1 of 4" in content
    assert len(content) <= 2_000


async def test_after_a_restart_notes_are_there_and_commands_are_not_synced_again(world: World):
    await world.moderator.slash(world.channel, "note add", text=FERRY)
    await world.restart()
    assert len(world.requests("PUT", "/commands")) == 1
    listed = await world.moderator.slash(world.channel, "note list")
    assert FERRY in listed.response.content


async def test_commands_have_lower_case_names_and_descriptions(app: App):
    import simcord

    bot = ErenBot(app)
    async with simcord.run(bot):
        for command in bot.tree.walk_commands():
            assert command.name == command.name.lower()
            assert len(command.description) > 5
        assert not bot.intents.message_content
        assert not bot.intents.members
        assert not bot.intents.presences


async def test_without_a_token_the_steps_are_printed(tmp_path: Path):
    root = Path(__file__).parents[2]
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot",
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(root)}, stderr=subprocess.PIPE,
    )  # fmt: skip
    _, err = await child.communicate()
    assert child.returncode == 2
    assert "discord.com/developers/applications" in err.decode()
    assert "permissions=" in err.decode()
