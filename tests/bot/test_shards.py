"""Two real bot processes over one PostgreSQL and one index, in front of a loopback Discord."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from eren_memory.app import open_app
from eren_memory.community import GuildSettings
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft
from eren_memory.ledger.ledger import open_ledger
from eren_memory.ledger.runs import Runs
from tests import qdrant_http
from tests.bot import loopback
from tests.bot.loopback import CHANNEL, GUILD, OTHER_CHANNEL, OTHER_GUILD, Discord
from tests.bot.test_process import MEMBER, MODERATOR, until
from tests.endpoint import Endpoint, Reply

pytestmark = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
GUILDS = {GUILD: CHANNEL, OTHER_GUILD: OTHER_CHANNEL}
NOTE = "The Fenlake Ferry leaves at noon."
LATER = "The Fenlake Ferry leaves at six."
QUESTION = "When does the Fenlake Ferry leave?"


@pytest_asyncio.fixture
async def discord(endpoint: Endpoint) -> AsyncIterator[Discord]:
    for text, answer in ((NOTE, "at noon"), (LATER, "at six")):
        endpoint.when(f"Note: {text}\nQuestion:", Reply(f"yes: {answer}", probability=0.999))
    async with loopback.serve() as running:
        running.guilds = dict(GUILDS)
        yield running


@pytest_asyncio.fixture
async def environment(
    endpoint: Endpoint, database: str, settings: Settings
) -> AsyncIterator[dict[str, str]]:
    async with qdrant_http.serve() as qdrant:
        yield {
            "EREN_MODEL": "scripted",
            "OPENAI_BASE_URL": endpoint.url,
            "OPENAI_API_KEY": "sk-secret-of-the-tests",
            "EREN_EMBEDDING_MODEL": "hashed-words",
            "EREN_EMBEDDING_URL": endpoint.url,
            "EREN_DATABASE_URL": database,
            "EREN_QDRANT_URL": qdrant.url,
            "EREN_SHARD_COUNT": "2",
        }


async def started(
    stack: AsyncExitStack,
    discord: Discord,
    folder: Path,
    environment: dict[str, str],
    shards: tuple[str, ...],
) -> list[asyncio.subprocess.Process]:
    """A process for each of these, all at once; each has a token of its own, to be told apart by."""
    children = []
    for place, ids in enumerate(shards):
        home = folder / f"process{place}"
        home.mkdir(exist_ok=True)
        own = environment | {"EREN_SHARD_IDS": ids, "DISCORD_TOKEN": f"token{place}"}
        process = loopback.process(discord, home, own)
        children.append(await stack.enter_async_context(process))
    logs = [folder / f"process{place}" / "log.txt" for place in range(len(shards))]
    await until(lambda: all("Ready as" in one.read_text() for one in logs), 90)
    return children


def posted(discord: Discord, channel: str) -> list[tuple[str, str]]:
    """What was said in a channel, as it reads by now, and by which process; no progress."""
    found = []
    for one in discord.said("POST", f"/channels/{channel}/messages"):
        edits = discord.said("PATCH", f"/channels/{channel}/messages/{one.made}")
        said = str((edits or [one])[-1].body["content"])
        if not said.startswith("-# Thinking"):
            found.append((one.token, said))
    return found


async def stale(environment: dict[str, str], home: Path) -> None:
    """A note for each server that nobody has vouched for in a long time, and jobs that are due."""
    settings = Settings(
        home=home,
        database_url=environment["EREN_DATABASE_URL"],
        model="scripted",
        openai_base_url=environment["OPENAI_BASE_URL"],
        openai_api_key="sk-secret-of-the-tests",
        embedding_model="hashed-words",
        embedding_url=environment["EREN_EMBEDDING_URL"],
        qdrant_url=environment["EREN_QDRANT_URL"],
    )
    now = datetime.now(UTC)
    async with open_app(settings, clock=lambda: now - timedelta(days=400)) as app:
        for guild in GUILDS:
            await app.notebook.add(guild, NoteDraft(NOTE), By("someone"))
    async with open_app(settings) as app:
        for guild, channel in GUILDS.items():
            chosen = GuildSettings(staff_channel=channel)
            await app.communities.choose(guild, chosen, By("admin"), now)
            await app.audit(guild)
    async with open_ledger(environment["EREN_DATABASE_URL"]) as ledger:
        due = [(job, guild) for job in ("audit", "digest") for guild in GUILDS]
        await Runs(ledger).heard_of(due, now - timedelta(days=3))


async def test_each_process_serves_the_servers_of_its_shards_and_tells_their_staff_once(
    discord: Discord, environment: dict[str, str], tmp_path: Path
):
    await stale(environment, tmp_path / "home")
    async with AsyncExitStack() as stack:
        await started(stack, discord, tmp_path, environment, ("0", "1"))
        assert sorted((one.shard, one.count) for one in discord.sessions) == [(0, 2), (1, 2)]
        assert len(discord.said("PUT", "/commands")) == 1
        await until(lambda: all(posted(discord, channel) for channel in GUILDS.values()), 90)
        async with open_ledger(environment["EREN_DATABASE_URL"]) as ledger:
            keys = [(job, guild) for job in ("audit", "digest") for guild in GUILDS]
            runs = await Runs(ledger).all()
            while not all(runs[key].ok for key in keys):
                await asyncio.sleep(0.1)
                runs = await Runs(ledger).all()
        assert [runs[key].token for key in keys] == [1, 1, 1, 1]
        for place, guild in enumerate(GUILDS):
            [(token, said)] = posted(discord, GUILDS[guild])
            assert token == f"token{place}"
            assert "#1" in said
            await discord.mention(MEMBER, QUESTION, guild)
        await until(lambda: all(len(posted(discord, one)) == 2 for one in GUILDS.values()))
        for place, channel in enumerate(GUILDS.values()):
            token, said = posted(discord, channel)[-1]
            assert token == f"token{place}"
            assert said.startswith("at noon")


async def test_two_processes_with_the_same_shards_answer_once_and_one_goes_on_when_killed(
    discord: Discord, endpoint: Endpoint, environment: dict[str, str], tmp_path: Path
):
    async with AsyncExitStack() as stack:
        children = await started(stack, discord, tmp_path, environment, ("0-1", "0,1"))
        assert len(discord.said("PUT", "/commands")) == 1
        said = [f"Who is number {n}?" for n in range(6)]
        for one in said:
            await discord.mention(MEMBER, one)
        await until(lambda: len(posted(discord, CHANNEL)) == len(said))
        asked = await discord.slash(MEMBER, "ask", question="Who painted the ceiling?")
        added = await discord.slash(MODERATOR, "note add", text=NOTE)
        await until(lambda: discord.answer_to(asked) and discord.answer_to(added))
        assert "Added **#1**" in str(discord.answer_to(added))
        # Whatever came of a message that both saw has come by now, in both.
        await discord.mention(MEMBER, QUESTION)
        await until(lambda: len(posted(discord, CHANNEL)) == len(said) + 1)
        assert posted(discord, CHANNEL)[-1][1].startswith("at noon")
        assert len([one for one in endpoint.conversations if "number" in str(one[-1])]) == len(said)
        assert len([one for one in endpoint.conversations if "ceiling" in str(one[-1])]) == 1
        opened = await discord.slash(MODERATOR, "note edit", number="1")
        await until(lambda: opened in discord.acknowledged)
        sent = await discord.submit(MODERATOR, opened, text=LATER)
        await until(lambda: discord.answer_to(sent))
        assert "restarted while you typed" not in str(discord.said("POST", f"/{sent}/"))
        assert LATER in str(discord.answer_to(sent))
        children[0].kill()
        await children[0].wait()
        await discord.mention(MEMBER, QUESTION)
        listed = await discord.slash(MODERATOR, "note list")
        await until(lambda: len(posted(discord, CHANNEL)) == len(said) + 2)
        assert posted(discord, CHANNEL)[-1][0] == "token1"
        assert posted(discord, CHANNEL)[-1][1].startswith("at six")
        await until(lambda: LATER in str(discord.answer_to(listed)))
        for place in range(2):
            log = (tmp_path / f"process{place}" / "log.txt").read_text()
            assert not [line for line in log.splitlines() if " ERROR " in line]


async def test_a_shard_that_does_not_exist_is_named_before_anything_is_begun(
    discord: Discord, environment: dict[str, str], tmp_path: Path
):
    own: dict[str, Any] = environment | {"EREN_SHARD_IDS": "2"}
    async with loopback.process(discord, tmp_path, own) as child:
        assert await asyncio.wait_for(child.wait(), 60) == 1
    log = (tmp_path / "log.txt").read_text()
    assert "EREN_SHARD_IDS" in log
    assert "there is no shard 2" in log
    assert discord.calls == []
