"""A gateway that comes and goes: no answer is lost or doubled, and what was asked meanwhile is answered."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from tests.bot import loopback
from tests.bot.test_process import MEMBER, MODERATOR, discord, environment, until
from tests.endpoint import Endpoint, Reply

__all__ = ["discord", "environment"]  # Fixtures.


async def test_a_gateway_that_flaps_while_questions_are_answered_loses_and_doubles_none(
    discord: loopback.Discord, endpoint: Endpoint, environment: dict[str, str], tmp_path: Path
):
    hold = asyncio.Event()
    endpoint.default = Reply("done", hold=hold)
    async with loopback.process(discord, tmp_path, environment):
        await asyncio.wait_for(discord.ready.wait(), 30)
        asked = [await discord.slash(MEMBER, "ask", question="Who 0?")]
        await until(lambda: endpoint.requests)
        for n in range(1, 4):
            await discord.drop()
            await asyncio.wait_for(discord.ready.wait(), 30)
            asked.append(await discord.slash(MEMBER, "ask", question=f"Who {n}?"))
        hold.set()

        def answered(one: str) -> bool:
            return str(discord.answer_to(one)).startswith("done")

        for one in asked:
            await until(partial(answered, one), 30)
            # Acknowledged and answered once.
            assert len(discord.said("POST", f"/{one}/")) == 1
            assert len(discord.said("PATCH", f"token{one}/")) >= 1
        assert len(endpoint.requests) == len(asked)
        # Commands and the notebook work as before.
        added = await discord.slash(MODERATOR, "note add", text="The ferry leaves at noon.")
        await until(lambda: "Added **#1**" in str(discord.answer_to(added)), 30)
