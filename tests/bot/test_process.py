"""The unmodified `python -m bot` against a loopback Discord: promptness, stops and reconnections."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
import sqlalchemy as sa

from eren_memory.community import GuildSettings
from eren_memory.domain import By
from eren_memory.ledger.communities import Communities
from eren_memory.ledger.ledger import open_ledger
from eren_memory.ledger.runs import Runs
from eren_memory.ledger.schema import answers
from tests.bot import loopback
from tests.bot.loopback import Discord, free_port
from tests.endpoint import Endpoint, Reply

_PROMPT = 3.0
MODERATOR, MEMBER = "9001", "5001"


@pytest_asyncio.fixture
async def discord() -> AsyncIterator[Discord]:
    async with loopback.serve() as running:
        yield running


@pytest.fixture
def environment(endpoint: Endpoint) -> dict[str, str]:
    return {
        "EREN_MODEL": "scripted",
        "OPENAI_BASE_URL": endpoint.url,
        "OPENAI_API_KEY": "sk-secret-of-the-tests",
        "EREN_EMBEDDING_MODEL": "hashed-words",
        "EREN_EMBEDDING_URL": endpoint.url,
    }


async def until(holds: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.02)


async def test_a_slow_model_keeps_nobody_waiting_for_an_acknowledgement(
    discord: Discord, endpoint: Endpoint, environment: dict[str, str], tmp_path: Path
):
    endpoint.default = Reply("at last", delay=4)
    async with loopback.process(discord, tmp_path, environment):
        await asyncio.wait_for(discord.ready.wait(), 30)
        asked = time.monotonic()
        interaction = await discord.slash(MEMBER, "ask", question="Who?")
        await until(lambda: discord.said("POST", f"/{interaction}/"), _PROMPT)
        assert discord.said("POST", f"/{interaction}/")[0].body["type"] == 5
        await until(lambda: discord.answer_to(interaction), 3.5)
        assert str(discord.answer_to(interaction)).startswith("-# Thinking")
        await until(lambda: str(discord.answer_to(interaction)).startswith("at last"))
        edits = discord.said("PATCH", f"token{interaction}")
        shown = edits[:-1]  # The answer itself need not wait.
        assert all(later.at - one.at > 0.9 for one, later in pairwise(shown))
        assert edits[0].at - asked < 3.5


async def test_fifty_questions_at_once_are_acknowledged_in_time_and_all_answered(
    discord: Discord, endpoint: Endpoint, environment: dict[str, str], tmp_path: Path
):
    endpoint.default = Reply("done", delay=0.5)
    async with loopback.process(discord, tmp_path, environment):
        await asyncio.wait_for(discord.ready.wait(), 30)
        asked = {
            await discord.slash(str(6000 + n), "ask", question=f"Who {n}?"): time.monotonic()
            for n in range(50)
        }
        await until(lambda: all(discord.said("POST", f"/{one}/") for one in asked), 10)
        for one, at in asked.items():
            assert discord.said("POST", f"/{one}/")[0].at - at < _PROMPT
        await until(
            lambda: all(str(discord.answer_to(one)).startswith("done") for one in asked), 60
        )


async def test_a_stop_finishes_what_it_can_hands_back_the_rest_and_keeps_the_notes(
    discord: Discord, endpoint: Endpoint, environment: dict[str, str], tmp_path: Path
):
    endpoint.when("quick", Reply("soon", delay=2))
    endpoint.when("slow", Reply("never", delay=14))
    async with loopback.process(discord, tmp_path, environment) as child:
        await asyncio.wait_for(discord.ready.wait(), 30)
        added = await discord.slash(MODERATOR, "note add", text="The ferry leaves at noon.")
        await until(lambda: "Added **#1**" in str(discord.answer_to(added)))
        quick = await discord.slash(MEMBER, "ask", question="quick?")
        slow = await discord.slash(MEMBER, "ask", question="slow?")
        await until(lambda: len(endpoint.requests) >= 2)
        stopped = time.monotonic()
        child.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(child.wait(), 15) == 0
        assert time.monotonic() - stopped < 10
    assert str(discord.answer_to(quick)).startswith("soon")
    assert "being restarted" in str(discord.answer_to(slow))
    discord.ready.clear()
    async with loopback.process(discord, tmp_path, environment):
        await asyncio.wait_for(discord.ready.wait(), 30)
        listed = await discord.slash(MODERATOR, "note list")
        await until(lambda: "The ferry leaves at noon." in str(discord.answer_to(listed)))
        # The commands are the same, so Discord is not told again.
        assert len(discord.said("PUT", "/commands")) == 1


async def test_a_reconnection_in_mid_answer_loses_and_doubles_nothing(
    discord: Discord, endpoint: Endpoint, environment: dict[str, str], tmp_path: Path
):
    endpoint.default = Reply("done", delay=2)
    async with loopback.process(discord, tmp_path, environment):
        await asyncio.wait_for(discord.ready.wait(), 30)
        first = await discord.slash(MEMBER, "ask", question="Who?")
        await until(lambda: endpoint.requests)
        await discord.drop()
        await asyncio.wait_for(discord.ready.wait(), 20)
        second = await discord.slash(MEMBER, "ask", question="And who?")

        def answered(one: str) -> bool:
            return str(discord.answer_to(one)).startswith("done")

        for one in (first, second):
            await until(partial(answered, one))
        assert (discord.identified, discord.resumed) == (1, 1)
        assert len(endpoint.requests) == 2
        for one in (first, second):
            assert len(discord.said("POST", f"/{one}/")) == 1


async def test_a_session_that_discord_forgot_is_begun_anew_and_the_answer_still_comes(
    discord: Discord, endpoint: Endpoint, environment: dict[str, str], tmp_path: Path
):
    endpoint.default = Reply("done", delay=3)
    async with loopback.process(discord, tmp_path, environment):
        await asyncio.wait_for(discord.ready.wait(), 30)
        asked = await discord.slash(MEMBER, "ask", question="Who?")
        await until(lambda: endpoint.requests)
        await discord.forget_session()
        await asyncio.wait_for(discord.ready.wait(), 30)
        await until(lambda: str(discord.answer_to(asked)).startswith("done"))
        assert discord.identified == 2
        assert len(endpoint.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 502])
async def test_an_edit_that_discord_does_not_take_at_once_is_tried_again(
    discord: Discord,
    endpoint: Endpoint,
    environment: dict[str, str],
    tmp_path: Path,
    status: int,
):
    async with loopback.process(discord, tmp_path, environment):
        await asyncio.wait_for(discord.ready.wait(), 30)
        discord.faults.append(("PATCH", "/messages/@original", status))
        asked = await discord.slash(MEMBER, "ask", question="Who?")
        await until(lambda: len(discord.said("PATCH", f"token{asked}")) == 2)
        told = [one.body["content"] for one in discord.said("PATCH", f"token{asked}")]
        assert told[0] == told[1]
        assert told[0].startswith("unedited answer")
        added = await discord.slash(MODERATOR, "note add", text="The ferry leaves at noon.")
        await until(lambda: "Added **#1**" in str(discord.answer_to(added)))
        assert len(endpoint.requests) == 1


async def test_a_forum_post_that_a_note_answers_is_answered_unasked_and_others_are_not(
    discord: Discord, endpoint: Endpoint, environment: dict[str, str], tmp_path: Path
):
    note = "The Fenlake Ferry leaves at noon."
    endpoint.when(f"Note: {note}\nQuestion:", Reply("yes: at noon", probability=0.999))
    environment["EREN_MESSAGE_CONTENT"] = "true"
    async with loopback.process(discord, tmp_path, environment):
        await asyncio.wait_for(discord.ready.wait(), 30)
        added = await discord.slash(MODERATOR, "note add", text=note)
        await until(lambda: "Added **#1**" in str(discord.answer_to(added)))
        url = f"sqlite:///{tmp_path / 'home' / 'notebook.db'}"
        async with open_ledger(url) as ledger:
            chosen = GuildSettings(auto_channels=(loopback.FORUM,))
            await Communities(ledger).choose(loopback.GUILD, chosen, By("a"), datetime.now(UTC))
        other = await discord.post(MEMBER, "Who painted the ceiling?")
        asked = await discord.post(MEMBER, "When does the Fenlake Ferry leave?")
        await until(lambda: discord.said("POST", f"/channels/{asked}/messages"))
        [answer] = discord.said("POST", f"/channels/{asked}/messages")
        assert answer.body["content"].startswith("at noon\n-# From note #1")
        assert discord.said("POST", f"/channels/{other}/messages") == []


async def test_what_was_missed_while_the_bot_was_off_runs_once(
    discord: Discord, environment: dict[str, str], tmp_path: Path
):
    url = f"sqlite:///{tmp_path / 'home' / 'notebook.db'}"
    environment["EREN_BACKUP_FOLDER"] = str(tmp_path / "backups")
    jobs = ("retention", "purge", "reconcile", "backup")
    (tmp_path / "home").mkdir(exist_ok=True)
    async with open_ledger(url) as ledger:
        off = datetime.now(UTC) - timedelta(days=7)
        await Runs(ledger).heard_of([(one, "") for one in jobs], off)
    for _ in range(2):
        discord.ready.clear()
        async with loopback.process(discord, tmp_path, environment) as child:
            await asyncio.wait_for(discord.ready.wait(), 30)
            async with open_ledger(url) as ledger:
                runs = await Runs(ledger).all()
                async with asyncio.timeout(30):
                    while not all(runs[one, ""].ok for one in jobs):
                        await asyncio.sleep(0.1)
                        runs = await Runs(ledger).all()
            child.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(child.wait(), 15) == 0
    async with open_ledger(url) as ledger:
        runs = await Runs(ledger).all()
    assert [runs[one, ""].token for one in jobs] == [1, 1, 1, 1]
    assert len(list((tmp_path / "backups").iterdir())) == 1


@pytest.mark.parametrize("token", ["sk-secret-of-the-tests"])
async def test_no_secret_is_in_the_log(
    discord: Discord, endpoint: Endpoint, environment: dict[str, str], tmp_path: Path, token: str
):
    endpoint.default = Reply(
        status=401, body='{"error": {"message": "bad sk-secret-of-the-tests"}}'
    )
    async with loopback.process(discord, tmp_path, environment):
        await asyncio.wait_for(discord.ready.wait(), 30)
        asked = await discord.slash(MEMBER, "ask", question="Who?")
        await until(lambda: discord.answer_to(asked))
        assert token not in str(discord.answer_to(asked))
    assert token not in (tmp_path / "log.txt").read_text()


async def test_health_and_metrics_are_served_beside_the_bot_and_the_log_names_the_question(
    discord: Discord, endpoint: Endpoint, environment: dict[str, str], tmp_path: Path
):
    port = free_port()
    own = {"EREN_HEALTH_PORT": str(port), "EREN_LOG_FORMAT": "json"}
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as probe,
        loopback.process(discord, tmp_path, environment | own) as child,
    ):
        await asyncio.wait_for(discord.ready.wait(), 30)
        asked = await discord.slash(MEMBER, "ask", question="Who painted the ferry?")
        await until(lambda: "unedited answer" in str(discord.answer_to(asked)))
        async with asyncio.timeout(20):  # The gateway is ready when the servers have come in.
            while (await probe.get("/readyz")).status != 200:
                await asyncio.sleep(0.1)
        async with probe.get("/metrics") as page:
            assert 'eren_questions_total{kind="question",origin="model"} 1.0' in await page.text()
        child.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(child.wait(), 15) == 0
    log = (tmp_path / "log.txt").read_text()
    events = [json.loads(line) for line in log.splitlines()]
    [answered] = [one for one in events if one["message"] == "Answered."]
    url = f"sqlite:///{tmp_path / 'home' / 'notebook.db'}"
    async with open_ledger(url) as ledger, ledger.reading() as connection:
        kept = (await connection.execute(sa.select(answers.c.id))).scalar_one()
    assert answered["request"] == str(kept)
    assert "ferry" not in log


@pytest.mark.parametrize(
    ("code", "said"), [(4010, "Check EREN_SHARD_COUNT and"), (4011, "raise EREN_SHARD_COUNT")]
)
async def test_shards_that_discord_refuses_end_the_bot_with_the_cure(
    discord: Discord, environment: dict[str, str], tmp_path: Path, code: int, said: str
):
    discord.refuses = code
    async with loopback.process(discord, tmp_path, environment) as child:
        assert await asyncio.wait_for(child.wait(), 60) == 1
    assert said in (tmp_path / "log.txt").read_text().splitlines()[-1]


async def test_a_stop_does_not_wait_for_shards_that_are_still_to_be_connected(
    discord: Discord, environment: dict[str, str], tmp_path: Path
):
    environment["EREN_SHARD_COUNT"] = "9"  # One in five seconds.
    async with loopback.process(discord, tmp_path, environment) as child:
        await asyncio.wait_for(discord.ready.wait(), 60)
        child.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(child.wait(), 15) == 0
    assert discord.identified < 5
