"""Simulated Discord around the real bot: the only file that knows how it is simulated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import discord
import pytest
import pytest_asyncio

from bot.client import ErenBot
from eren_memory.app import App


@dataclass
class World:
    """One server with a moderator and a member, in front of a running bot."""

    env: Any
    app: App
    guild: Any
    channel: Any
    moderator: Any
    member: Any

    async def restart(self) -> None:
        """A new bot process over the same data."""
        await self.env.restart_bot(ErenBot(self.app))

    async def show_to_everyone(self, command: str) -> None:
        """What a server's integration settings can do: offer a command to every member."""
        registered = await self.env.bot.tree.fetch_commands()
        [found] = [one for one in registered if one.name == command.split(maxsplit=1)[0]]
        self.guild.set_command_permissions(found, {self.guild.default_role: True})

    def thread_in(self, channel: Any) -> Any:
        """A thread that hangs from a channel."""
        made = self.env.backend.create_thread(channel.id, "aside", self.moderator.id)
        [thread] = [one for one in channel.threads if one.id == made.id]
        return thread

    def requests(self, method: str, path_end: str) -> list[Any]:
        """What the bot asked of Discord."""
        return [
            request
            for request in self.env.http_requests
            if request.method == method and request.path.endswith(path_end)
        ]


@pytest_asyncio.fixture
async def warm_app(app: App) -> App:
    await app.warm()
    return app


@pytest.fixture
def simcord_bot(warm_app: App) -> ErenBot:
    return ErenBot(warm_app)


@pytest.fixture
def world(simcord_env: Any, warm_app: App) -> World:
    guild = simcord_env.create_guild()
    channel = guild.create_text_channel("general")
    mods = guild.create_role("Mods", permissions=discord.Permissions(manage_messages=True))
    moderator = guild.add_member(simcord_env.create_user("moderator"), roles=[mods])
    member = guild.add_member(simcord_env.create_user("member"))
    return World(simcord_env, warm_app, guild, channel, moderator, member)
