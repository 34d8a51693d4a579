"""Simulated Discord around the real bot: the only file that knows how it is simulated."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import discord
import pytest
import pytest_asyncio
from simcord.actors import _dispatch_actor_interaction
from simcord.backend import serializers
from simcord.enums import InteractionType

from bot.client import ErenBot
from eren_memory.app import App, open_app
from eren_memory.community import GuildSettings
from eren_memory.config import Settings
from eren_memory.domain import By


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

    async def choose(self, chosen: GuildSettings) -> None:
        """What an administrator did in /eren setup."""
        await self.app.communities.choose(
            str(self.guild.id), chosen, By("admin"), datetime.now(UTC)
        )

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

    def thread_under(self, message: Any) -> Any:
        """A thread that hangs from a message, whose id it has."""
        made = self.env.backend.create_thread(
            self.channel.id, "aside", self.moderator.id, message_id=message.id
        )
        [thread] = [one for one in self.channel.threads if one.id == made.id]
        return thread

    async def send_again(self, message: Any, event: str = "MESSAGE_CREATE") -> None:
        """What a reconnection may do: the same message once more; or Discord, adding a preview."""
        backend = self.env.backend
        stored = backend.get_message(message.channel.id, message.id)
        guild = backend.get_guild(self.guild.id)
        author = guild.members[stored.author_id]
        payload = dict(serializers.message_payload(backend, stored))
        payload["guild_id"] = str(self.guild.id)
        payload["member"] = serializers.member_payload(backend, guild, author, with_user=False)
        backend.emit(event, payload)
        await self.env.settle()

    def payload(self, message: Any) -> dict[str, Any]:
        """A message as Discord has it now, with who wrote it and what it replies to."""
        channel_id = getattr(message, "channel_id", None) or message.channel.id
        stored = self.env.backend.get_message(channel_id, message.id)
        return dict(serializers.message_payload(self.env.backend, stored))

    def demote(self, member: Any) -> None:
        """Take every role from a member."""
        self.env.backend.edit_member(self.guild.id, member.id, {"role_ids": []})

    async def click_forged(self, member: Any, message: Any, custom_id: str) -> Any:
        """A click that Discord would not let through: on a button that the message does not have."""
        channel_id = getattr(message, "channel_id", None) or message.channel.id
        payload = self.payload(message)
        button = {"type": 2, "style": 2, "label": "forged", "custom_id": custom_id}
        payload["components"] = [{"type": 1, "components": [button]}]
        [channel] = [one for one in self.guild.channels.values() if one.id == channel_id]
        return await _dispatch_actor_interaction(
            member,
            InteractionType.MESSAGE_COMPONENT,
            channel,
            {"custom_id": custom_id, "component_type": 2},
            extra={"message": payload},
            source_message_id=message.id,
        )

    def requests(self, method: str, path_end: str) -> list[Any]:
        """What the bot asked of Discord."""
        return [
            request
            for request in self.env.http_requests
            if request.method == method and request.path.endswith(path_end)
        ]


@pytest.fixture
def message_content() -> bool:
    """Whether the bot has the Message Content intent; a module that needs it overrides this."""
    return False


@pytest_asyncio.fixture
async def warm_app(settings: Settings, message_content: bool) -> AsyncIterator[App]:
    chosen = settings.model_copy(update={"message_content": message_content})
    async with open_app(chosen) as app:
        await app.warm()
        yield app


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
