"""Commands are told to Discord when they have changed, by one process of all that share a ledger."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import simcord

from bot import syncing
from bot.client import ErenBot
from eren_memory.app import App


def told(env: Any) -> int:
    return sum(one.method == "PUT" and one.path.endswith("/commands") for one in env.http_requests)


async def test_a_refused_sync_does_not_end_the_bot_and_is_tried_at_the_next_start(
    app: App, caplog: pytest.LogCaptureFixture
):
    async with simcord.run(ErenBot(app), strict_sync=False) as env:
        application = str(env.bot.application_id)
        await app.claims.told(application, "other commands")
        env.inject_error("PUT", "/applications/*/commands", status=400)
        await env.restart_bot(ErenBot(app))
        assert "Discord did not take the commands" in caplog.text
        assert await app.claims.published(application) == "other commands"
        await env.restart_bot(ErenBot(app))
        assert await app.claims.published(application) != "other commands"
        assert told(env) == 3


async def test_what_another_process_is_telling_is_left_to_it_and_done_if_it_did_not(
    app: App, monkeypatch: pytest.MonkeyPatch
):
    bot = ErenBot(app)
    async with simcord.run(bot, strict_sync=False) as env:
        application = str(bot.application_id)
        monkeypatch.setattr(syncing, "_LOOK_SECONDS", 0.05)
        await app.claims.told(application, "other commands")
        assert await app.claims.publish(application, "these")
        before, here = told(env), syncing.Syncing(bot.tree, app)
        await here.begin()
        assert told(env) == before
        # Another process, or the same after a kill: it came to nothing.
        await app.claims.told(application, None)
        async with asyncio.timeout(20):
            while await app.claims.published(application) == "other commands":
                await asyncio.sleep(0.01)
        assert told(env) == before + 1
        await here.end()


async def test_of_many_that_would_tell_the_same_one_does(app: App):
    began = await asyncio.gather(*(app.claims.publish("1", "these") for _ in range(10)))
    assert sum(began) == 1
    await app.claims.told("1", "these")
    assert not await app.claims.publish("1", "these")
    assert await app.claims.publish("1", "others")
