"""Setting up a server, and what the bot says of itself."""

from __future__ import annotations

from typing import Any

import discord
import pytest

from eren_memory.community import Digest, GuildSettings, Length, Tone
from eren_memory.domain import By, NoteDraft
from tests.bot.conftest import World


@pytest.fixture
def admin(world: World) -> Any:
    role = world.guild.create_role("Admins", permissions=discord.Permissions(manage_guild=True))
    return world.guild.add_member(world.env.create_user("admin"), roles=[role])


async def settings(world: World) -> GuildSettings:
    return await world.app.communities.settings(str(world.guild.id))


async def test_an_administrator_says_who_may_do_what(world: World, admin: Any):
    page = await admin.slash(world.channel, "eren setup")
    assert page.ephemeral
    assert "May ask: everyone" in page.response.content
    await world.restart()
    helpers = world.guild.create_role("Helpers")
    form = await admin.click(page.response, label="People")
    await admin.submit_modal(form, {"moderate_roles": [helpers], "ask_roles": [helpers]})
    assert (await settings(world)).moderate_roles == (str(helpers.id),)
    assert f"Moderate the notebook: <@&{helpers.id}>" in page.response.content
    # They see the commands only where Discord shows them: that, and how, is said.
    assert "does not see /note, /review" in page.response.content


@pytest.mark.simcord(check_errors=False)
async def test_a_role_that_moderates_may_and_managing_messages_is_not_enough_then(
    world: World, admin: Any
):
    role = world.guild.create_role("Editors")
    editor = world.guild.add_member(world.env.create_user("editor"), roles=[role])
    await world.choose(GuildSettings(moderate_roles=(str(role.id),)))
    await world.show_to_everyone("note add")
    added = await editor.slash(world.channel, "note add", text="The ferry leaves at noon.")
    assert added.response.content.startswith("Added **#1**")
    refused = await world.moderator.slash(world.channel, "note add", text="Another.")
    assert "Only moderators" in refused.response.content


async def test_channels_tone_and_length_are_chosen_in_forms(world: World, admin: Any):
    staff = world.guild.create_text_channel("staff")
    page = await admin.slash(world.channel, "eren setup")
    form = await admin.click(page.response, label="Channels")
    await admin.submit_modal(
        form,
        {
            "staff_channel": [staff],
            "digest": "weekly",
            "auto_channels": [world.channel],
            "auto_quiet": "no",
        },
    )
    form = await admin.click(page.response, label="Answers")
    await admin.submit_modal(form, {"tone": "friendly", "length": "long"})
    assert await settings(world) == GuildSettings(
        staff_channel=str(staff.id),
        digest=Digest.WEEKLY,
        auto_channels=(str(world.channel.id),),
        auto_quiet=False,
        tone=Tone.FRIENDLY,
        length=Length.LONG,
    )
    assert "Message Content is off" in page.response.content


async def test_a_missing_permission_is_named_with_its_channel_and_its_cure(
    world: World, admin: Any
):
    me = world.guild.me
    assert me is not None
    locked = world.guild.create_text_channel(
        "staff",
        overwrites={
            world.guild.default_role: discord.PermissionOverwrite(attach_files=False),
        },
    )
    bot_role = next(one for name, one in world.guild.roles.items() if name == "TestBot")
    world.env.backend.edit_role(
        world.guild.id, bot_role.id, {"permissions": discord.Permissions(view_channel=True).value}
    )
    await world.choose(GuildSettings(staff_channel=str(locked.id)))
    page = await admin.slash(world.channel, "eren setup")
    assert f"Attach Files is missing in <#{locked.id}>: Channel settings" in page.response.content


async def test_a_channel_and_a_role_that_are_gone_are_named(world: World, admin: Any):
    await world.choose(GuildSettings(staff_channel="1", ask_roles=("2",)))
    page = await admin.slash(world.channel, "eren setup")
    assert "<#1> is gone" in page.response.content
    assert "A role that is chosen here is gone (2)" in page.response.content


@pytest.mark.simcord(check_errors=False)
@pytest.mark.parametrize("command", ["eren setup", "eren status", "eren usage"])
async def test_only_administrators_set_up(world: World, command: str):
    await world.show_to_everyone(command)
    for who in (world.member, world.moderator):
        refused = await who.slash(world.channel, command)
        assert "Only members who can manage the server" in refused.response.content


@pytest.mark.simcord(check_errors=False)
async def test_an_open_setup_page_obeys_nobody_who_lost_the_role(world: World, admin: Any):
    page = await admin.slash(world.channel, "eren setup")
    other = await admin.slash(world.channel, "eren setup")
    form = await admin.click(page.response, label="Answers")
    world.demote(admin)
    await admin.submit_modal(form, {"tone": "formal", "length": "long"})
    assert await settings(world) == GuildSettings()
    refused = await admin.click(other.response, label="People")
    assert refused.modal is None


async def test_status_and_usage_say_what_there_is_and_what_it_costs(world: World, admin: Any):
    await world.app.notebook.add(str(world.guild.id), NoteDraft("One."), By("someone"))
    await world.member.slash(world.channel, "ask", question="Who painted it?")
    status = await admin.slash(world.channel, "eren status")
    assert "scripted" in status.response.content
    assert "uncalibrated" in status.response.content
    assert "1 in use" in status.response.content
    usage = await admin.slash(world.channel, "eren usage")
    assert "Last 1 days: 1 asked, 0% from notes" in usage.response.content
    assert "1 model calls, 10 tokens" in usage.response.content
