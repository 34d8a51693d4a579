"""Where notes are visible, who wrote them, and how they are shown, in simulated Discord."""

import pytest

from eren_memory.domain import By, NoteDraft
from tests.bot.conftest import World
from tests.endpoint import Endpoint, Reply

FERRY = "The Fenlake Ferry leaves at noon."
QUESTION = "When does the Fenlake Ferry leave?"


async def scoped(world: World, endpoint: Endpoint, *channels: object) -> None:
    """A note that only these channels see, and a model that would answer from it."""
    endpoint.when(f"Note: {FERRY}", Reply("yes: at noon", probability=0.999))
    draft = NoteDraft(FERRY, scope=tuple(str(one) for one in channels))
    await world.app.notebook.add(str(world.guild.id), draft, By("someone"))


async def asked(world: World, channel: object) -> str:
    said = await world.member.slash(channel, "ask", question=QUESTION)
    return str(said.response.content)


async def test_a_channels_note_answers_there_and_in_no_other(world: World, endpoint: Endpoint):
    await scoped(world, endpoint, world.channel.id)
    elsewhere = world.guild.create_text_channel("elsewhere")
    assert (await asked(world, world.channel)).startswith("at noon\n-# From note #1")
    assert "no note applies" in await asked(world, elsewhere)


async def test_in_a_thread_the_notes_of_the_channel_that_it_hangs_from_answer(
    world: World, endpoint: Endpoint
):
    await scoped(world, endpoint, world.channel.id)
    thread = world.thread_in(world.channel)
    assert thread.id != world.channel.id
    assert (await asked(world, thread)).startswith("at noon\n-# From note #1")


async def test_in_a_thread_the_notes_of_another_channel_do_not_answer(
    world: World, endpoint: Endpoint
):
    await scoped(world, endpoint, world.channel.id)
    elsewhere = world.guild.create_text_channel("elsewhere")
    assert "no note applies" in await asked(world, world.thread_in(elsewhere))


async def test_a_threads_own_note_stays_in_the_thread(world: World, endpoint: Endpoint):
    thread = world.thread_in(world.channel)
    await scoped(world, endpoint, thread.id)
    assert (await asked(world, thread)).startswith("at noon\n-# From note #1")
    assert "no note applies" in await asked(world, world.channel)


async def test_the_audit_trail_says_who_added_a_note_and_in_which_channel(world: World):
    await world.moderator.slash(world.channel, "note add", text=FERRY)
    guild = str(world.guild.id)
    [entry] = await world.app.notebook.history(guild, 1)
    link = f"https://discord.com/channels/{guild}/{world.channel.id}"
    assert (entry.act, entry.by) == ("add", By(str(world.moderator.id), None, link))


async def test_the_audit_trail_says_who_retired_a_note_why_and_in_which_channel(world: World):
    guild = str(world.guild.id)
    await world.app.notebook.add(guild, NoteDraft(FERRY), By("someone"))
    office = world.guild.create_text_channel("office")
    await world.moderator.slash(office, "note retire", number="1", reason="it sank")
    entry = (await world.app.notebook.history(guild, 1))[-1]
    link = f"https://discord.com/channels/{guild}/{office.id}"
    assert (entry.act, entry.by) == ("retire", By(str(world.moderator.id), "it sank", link))


@pytest.mark.parametrize("char", ["\u202e", "\u2066", "\u200b"])
async def test_characters_that_turn_text_around_or_hide_are_shown_as_codes(world: World, char: str):
    added = await world.moderator.slash(world.channel, "note add", text=f"Pay {char}nna now")
    listed = await world.moderator.slash(world.channel, "note list")
    retired = await world.moderator.slash(world.channel, "note retire", number="1")
    for content in (said.response.content for said in (added, listed, retired)):
        assert char not in content
        # The backslash itself is escaped: Discord would swallow a single one.
        assert rf"Pay \\u{ord(char):04x}nna now" in content
    [note] = await world.app.notebook.ledger.notes(str(world.guild.id))
    assert note.text == f"Pay {char}nna now"
