"""Just enough of Discord on loopback to run the unmodified process against: REST and a gateway."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

ROOT = Path(__file__).parents[2]
BOT, GUILD, CHANNEL, FORUM, MOD_ROLE = "1000", "2000", "3000", "3500", "4000"
# Of two shards the second has it.
OTHER_GUILD, OTHER_CHANNEL = str((1 << 22) + 2000), "3001"
_MANAGE_MESSAGES = 1 << 13
# The process is the real one; only where Discord is found is another.
_ELSEWHERE = """\
import os
import yarl
import discord.gateway, discord.http
url = os.environ["TEST_DISCORD"]
discord.http.Route.BASE = url + "/api/v10"
discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(url.replace("http", "ws") + "/gateway")
"""


@dataclass
class Call:
    """A request to the REST interface."""

    method: str
    path: str
    body: Any
    at: float
    token: str = ""
    """Of the bot that asked; none stands in what answers an interaction."""
    made: str = ""
    """The id of the message that came of it."""


@dataclass
class Session:
    """A shard's connection, or what it missed while there was none."""

    id: str
    shard: int
    count: int
    socket: web.WebSocketResponse
    sequence: int = 0
    missed: list[dict[str, Any]] = field(default_factory=list)

    async def send(self, event: str, data: Any) -> None:
        self.sequence += 1
        payload = {"op": 0, "t": event, "s": self.sequence, "d": data}
        if self.socket.closed:
            self.missed.append(payload)
        else:
            with contextlib.suppress(ConnectionError):
                await self.socket.send_json(payload)


@dataclass
class Discord:
    """The server. `calls` has what the bot asked of it, `dispatch` tells the bot something."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    identified: int = 0
    resumed: int = 0
    commands: list[dict[str, Any]] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    guilds: dict[str, str] = field(default_factory=lambda: {GUILD: CHANNEL})
    """Each with its channel."""
    acknowledged: set[str] = field(default_factory=set)
    refuses: int | None = None
    """With this code it ends the connection of whoever identifies."""
    _ids: int = 10_000
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    faults: list[tuple[str, str, int]] = field(default_factory=list)
    """Method, part of the path, status: the next such request fails so, once."""

    def new_id(self) -> str:
        self._ids += 1
        return str(self._ids)

    def said(self, method: str, part: str) -> list[Call]:
        return [one for one in self.calls if one.method == method and part in one.path]

    async def dispatch(self, event: str, data: Any) -> None:
        """Tell every process that has the guild's shard."""
        guild = int(data.get("guild_id", GUILD))
        for session in [*self.sessions]:
            if (guild >> 22) % session.count == session.shard:
                await session.send(event, data)

    async def drop(self) -> None:
        """Ask the bot to reconnect, as Discord does every few hours."""
        self.ready.clear()
        await self.sessions[-1].socket.send_json({"op": 7, "d": None})

    async def forget_session(self) -> None:
        """Have the bot begin anew: Discord no longer knows its session."""
        self.ready.clear()
        await self.sessions.pop().socket.send_json({"op": 9, "d": False})

    async def slash(self, member: str, name: str, guild: str = GUILD, **options: Any) -> str:
        """A member uses a command; returns the interaction's id."""
        kinds = {str: 3, bool: 5, int: 4}
        given = [
            {"name": key, "type": kinds[type(value)], "value": value}
            for key, value in options.items()
        ]
        root, *rest = name.split()
        [command] = [one for one in self.commands if one["name"] == root]
        if rest:
            given = [{"name": rest[0], "type": 1, "options": given}]
        called = {"id": command["id"], "name": root, "type": 1, "guild_id": None, "options": given}
        return await self._interact(2, member, guild, called)

    async def submit(self, member: str, opened: str, **typed: str) -> str:
        """A member fills in the form that an interaction opened; returns the interaction's id."""
        # The first of those who tried.
        form = self.said("POST", f"/{opened}/")[0].body["data"]
        filled = [
            one | {"component": one["component"] | {"value": typed.get(name, value)}}
            for one in form["components"]
            if (name := one["component"]["custom_id"], value := one["component"].get("value"))
        ]
        return await self._interact(
            5, member, GUILD, {"custom_id": form["custom_id"], "components": filled}
        )

    async def _interact(self, kind: int, member: str, guild: str, data: dict[str, Any]) -> str:
        interaction = self.new_id()
        roles = [MOD_ROLE] if member.startswith("9") else []
        await self.dispatch(
            "INTERACTION_CREATE",
            {
                "id": interaction,
                "application_id": BOT,
                "type": kind,
                "token": f"token{interaction}",
                "version": 1,
                "guild_id": guild,
                "channel_id": self.guilds[guild],
                "channel": _channel(guild, self.guilds[guild]),
                "guild": {"id": guild, "features": [], "locale": "en-US"},
                "locale": "en-US",
                "guild_locale": "en-US",
                "app_permissions": str((1 << 50) - 1),
                "entitlements": [],
                "authorizing_integration_owners": {"0": guild},
                "context": 0,
                "attachment_size_limit": 10_000_000,
                "member": _member(member, roles),
                "data": data,
            },
        )
        return interaction

    async def post(self, member: str, content: str) -> str:
        """A member opens a post in the forum; returns the post's id, which its first message has."""
        post = self.new_id()
        stamp = "2026-11-25T00:00:00+00:00"
        metadata = {"archived": False, "auto_archive_duration": 60, "archive_timestamp": stamp}
        thread = {
            "id": post, "guild_id": GUILD, "parent_id": FORUM, "type": 11, "owner_id": member,
            "name": "post", "thread_metadata": metadata | {"locked": False}, "message_count": 0,
            "member_count": 1, "rate_limit_per_user": 0, "flags": 0, "last_message_id": None,
        }  # fmt: skip
        await self.dispatch("THREAD_CREATE", thread | {"newly_created": True})
        message = self._message(post, post, content, _user(member, "member"))
        await self.dispatch(
            "MESSAGE_CREATE", message | {"guild_id": GUILD, "member": _member(member, [])}
        )
        return post

    async def mention(self, member: str, content: str, guild: str = GUILD) -> str:
        """A member says something to the bot; returns the message's id."""
        message, bot = self.new_id(), _user(BOT, "bot")
        said = self._message(message, self.guilds[guild], f"<@{BOT}> {content}", _user(member, "m"))
        told = {"guild_id": guild, "member": _member(member, []), "mentions": [bot]}
        await self.dispatch("MESSAGE_CREATE", said | told)
        return message

    def answer_to(self, interaction: str) -> str | None:
        """What the response to a command says by now."""
        edits = self.said("PATCH", f"token{interaction}/messages/@original")
        return str(edits[-1].body["content"]) if edits else None

    async def rest(self, request: web.Request) -> web.StreamResponse:
        body: Any = None
        if request.content_type == "application/json" and request.can_read_body:
            body = await request.json()
        elif request.content_type.startswith("multipart/"):
            form = await request.post()
            body = json.loads(str(form["payload_json"]))
        path = request.path.removeprefix("/api/v10")
        token = request.headers.get("Authorization", "").removeprefix("Bot ")
        call = Call(request.method, path, body, time.monotonic(), token)
        self.calls.append(call)
        for fault in self.faults:
            if fault[0] == request.method and fault[1] in path:
                self.faults.remove(fault)
                return _failure(fault[2])
        if request.method == "DELETE":
            return web.Response(status=204)
        if path.endswith("/callback"):
            interaction = path.split("/")[2]
            if interaction in self.acknowledged:
                said = {"code": 40060, "message": "Interaction has already been acknowledged."}
                told = json.dumps(said).encode()
                return web.Response(status=400, body=told, content_type="application/json")
            self.acknowledged.add(interaction)
        # The client looks for exactly this type.
        answer = self._answer(path, body)
        if isinstance(answer, dict) and request.method == "POST":
            call.made = str(answer.get("id", ""))
        return web.Response(body=json.dumps(answer).encode(), content_type="application/json")

    def _answer(self, path: str, body: Any) -> Any:
        if "/callback" in path:
            interaction = {"id": path.split("/")[2], "type": 2, "response_message_ephemeral": True}
            return {"interaction": interaction | {"response_message_loading": True}}
        if path == "/gateway/bot":
            limits = {"total": 99, "remaining": 99, "reset_after": 0, "max_concurrency": 1}
            url = self.url.replace("http", "ws") + "/gateway"
            return {"url": url, "shards": 1, "session_start_limit": limits}
        if path == "/users/@me":
            return _user(BOT, "bot") | {"bot": True}
        if path == "/oauth2/applications/@me":
            owner = {"owner": _user("1", "owner"), "id": BOT, "name": "eren", "flags": 0}
            extra = {"description": "", "icon": None, "bot_public": True, "verify_key": ""}
            return owner | extra | {"bot_require_code_grant": False}
        if path.endswith("/commands"):
            self.commands = [one | {"id": self.new_id()} for one in body]
            stored = {"application_id": BOT, "version": "1", "dm_permission": None}
            return [{"description": ""} | one | stored for one in self.commands]
        content = str((body or {}).get("content", ""))
        return self._message(self.new_id(), CHANNEL, content, _user(BOT, "bot"))

    @staticmethod
    def _message(message: str, channel: str, content: str, author: Any) -> dict[str, Any]:
        return {
            "id": message, "channel_id": channel, "author": author, "content": content,
            "timestamp": "2026-11-25T00:00:00+00:00", "edited_timestamp": None, "tts": False,
            "mention_everyone": False, "mentions": [], "mention_roles": [], "attachments": [],
            "embeds": [], "pinned": False, "type": 0,
        }  # fmt: skip

    async def gateway(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"op": 10, "d": {"heartbeat_interval": 30_000}})
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            received = json.loads(message.data)
            if received["op"] == 1:
                await socket.send_json({"op": 11, "d": None})
            elif received["op"] == 2 and self.refuses is not None:
                await socket.close(code=self.refuses)
            elif received["op"] == 2:
                shard, count = received["d"]["shard"]
                await self._welcome(Session(self.new_id(), shard, count, socket))
            elif received["op"] == 6:
                await self._resume(received["d"]["session_id"], socket)
        return socket

    async def _resume(self, session_id: str, socket: web.WebSocketResponse) -> None:
        [session] = [one for one in self.sessions if one.id == session_id]
        self.resumed += 1
        session.socket = socket
        for payload in session.missed:
            await socket.send_json(payload)
        session.missed.clear()
        await session.send("RESUMED", {})
        self.ready.set()

    async def _welcome(self, session: Session) -> None:
        self.identified += 1
        self.sessions.append(session)
        url = self.url.replace("http", "ws") + "/gateway"
        here = [one for one in self.guilds if (int(one) >> 22) % session.count == session.shard]
        await session.send(
            "READY",
            {
                "v": 10, "user": _user(BOT, "bot") | {"bot": True}, "session_id": session.id,
                "guilds": [{"id": one, "unavailable": True} for one in here],
                "resume_gateway_url": url, "application": {"id": BOT, "flags": 0},
                "shard": [session.shard, session.count],
            },
        )  # fmt: skip
        for one in here:
            await session.send("GUILD_CREATE", self._guild(one))
        self.ready.set()

    def _guild(self, guild: str) -> dict[str, Any]:
        everyone = {"id": guild, "name": "@everyone", "permissions": str(1 << 10 | 1 << 11)}
        mods = {"id": MOD_ROLE, "name": "Mods", "permissions": str(_MANAGE_MESSAGES)}
        shape = {"color": 0, "hoist": False, "position": 1, "managed": False, "mentionable": False}
        channel = _channel(guild, self.guilds[guild])
        return {
            "id": guild, "name": "guild", "owner_id": "1", "threads": [],
            "channels": [channel, channel | {"id": f"{FORUM}{guild[4:]}", "type": 15, "name": "help"}],
            "roles": [everyone | shape, mods | shape], "emojis": [], "stickers": [],
            "members": [_member(BOT, [])], "features": [], "member_count": 3, "presences": [],
            "voice_states": [], "stage_instances": [], "guild_scheduled_events": [],
            "preferred_locale": "en-US", "premium_tier": 0, "nsfw_level": 0, "mfa_level": 0,
            "verification_level": 0, "default_message_notifications": 0, "large": False,
            "explicit_content_filter": 0, "system_channel_flags": 0, "unavailable": False,
        }  # fmt: skip


@asynccontextmanager
async def serve() -> AsyncIterator[Discord]:
    """A running server on a free port."""
    discord = Discord()
    app = web.Application()
    app.router.add_get("/gateway", discord.gateway)
    app.router.add_route("*", "/api/v10/{path:.*}", discord.rest)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    discord.url = f"http://127.0.0.1:{port}"
    yield discord
    for session in discord.sessions:
        with contextlib.suppress(ConnectionError):
            await session.socket.close()
    await runner.cleanup()


@asynccontextmanager
async def process(
    discord: Discord, folder: Path, environment: dict[str, str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m bot`, as an operator starts it."""
    hook = folder / "hook"
    hook.mkdir(exist_ok=True)
    (hook / "sitecustomize.py").write_text(_ELSEWHERE)
    own = {
        "DISCORD_TOKEN": "token",
        "TEST_DISCORD": discord.url,
        "PYTHONPATH": f"{hook}{os.pathsep}{ROOT}",
        "EREN_HOME": str(folder / "home"),
        "EREN_HEALTH_PORT": "0",  # Tests run beside each other.
    }
    with (folder / "log.txt").open("ab") as log:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot",
            cwd=folder, env={**os.environ, **own, **environment}, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _failure(status: int) -> web.Response:
    body = {"message": "You are being rate limited.", "retry_after": 0.3, "global": False}
    headers = {"Via": "1.1 google", "Retry-After": "0.3"} if status == 429 else {}
    return web.Response(
        status=status,
        body=json.dumps(body).encode(),
        content_type="application/json",
        headers=headers,
    )


def _user(user_id: str, name: str) -> dict[str, Any]:
    return {"id": user_id, "username": name, "discriminator": "0", "avatar": None}


def _member(user_id: str, roles: list[str]) -> dict[str, Any]:
    permissions = 1 << 10 | 1 << 11 | (_MANAGE_MESSAGES if roles else 0)
    return {
        "user": _user(user_id, f"user{user_id}"), "roles": roles, "nick": None, "deaf": False,
        "joined_at": "2026-01-01T00:00:00+00:00", "mute": False, "flags": 0,
        "permissions": str(permissions), "pending": False,
    }  # fmt: skip


def _channel(guild: str, channel: str) -> dict[str, Any]:
    return {
        "id": channel, "type": 0, "guild_id": guild, "name": "general", "position": 0,
        "permission_overwrites": [], "topic": None, "nsfw": False, "last_message_id": None,
        "rate_limit_per_user": 0, "parent_id": None, "permissions": str(1 << 10 | 1 << 11),
        "flags": 0,
    }  # fmt: skip
