"""An OpenAI-compatible endpoint on loopback: real HTTP, scripted replies, recorded requests."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import math
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiohttp import web

from eren_memory.wording import STAND_IN

DIMENSION = 64
STEMS = 96


@dataclass
class Reply:
    """One scripted reply: `text` with an optional probability of its first word, or a raw body."""

    text: str | None = "ok"
    probability: float | None = None
    status: int = 200
    body: str | None = None
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    """Of a raw body."""
    refusal: str | None = None
    finish: str = "stop"
    delay: float = 0.0
    hold: asyncio.Event | None = None
    drop: bool = False
    """Break the connection in the middle of the body."""
    drip: bool = False
    """Send a space (of a stream: the first piece) now and then, and never end."""
    pieces: tuple[str, ...] = ()
    """How a stream cuts up `text`; left out, at its spaces."""
    pause: asyncio.Event | None = None
    """A stream waits for it after the first piece."""
    stop: bool = False
    """A stream ends after the first piece, as if that was all."""
    event: str | None = None
    """What a stream says in the place of everything after the first piece."""


@dataclass
class Endpoint:
    """Rules are tried in order: the first whose text stands in the last message replies."""

    url: str = ""
    default: Reply = field(default_factory=lambda: Reply("unedited answer"))
    requests: list[dict[str, Any]] = field(default_factory=list)
    rejects: dict[str, str] = field(default_factory=dict)
    rules: list[tuple[str, Reply | Callable[[dict[str, Any]], Reply]]] = field(default_factory=list)
    embedded: list[str] = field(default_factory=list)
    embedded_by: list[tuple[str, str]] = field(default_factory=list)
    """The same with the model's name."""
    embedders: dict[str, Callable[[str], np.ndarray]] = field(default_factory=dict)
    """Models that embed in another way than `words_vector`, by name."""
    unembeddable: str | None = None
    streams: bool = True
    """Whether `stream: true` is heeded."""

    def when(self, mark: str, reply: Reply | Callable[[dict[str, Any]], Reply]) -> None:
        """Reply so to requests whose last message has `mark` in it."""
        self.rules.append((mark, reply))

    @property
    def conversations(self) -> list[list[dict[str, str]]]:
        """The messages of every chat request so far."""
        return [request["messages"] for request in self.requests]

    async def chat(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        self.requests.append(asked)
        for parameter, message in self.rejects.items():
            if parameter in asked:
                error = {"message": message, "param": parameter, "type": "invalid_request_error"}
                return web.json_response({"error": error}, status=400)
        reply = self._reply_to(asked)
        if reply.hold is not None:
            await reply.hold.wait()
        await asyncio.sleep(reply.delay)
        if asked.get("stream") and self.streams and reply.body is None:
            return await _stream(request, asked, reply)
        if reply.drip:
            response = web.StreamResponse(headers={"Content-Type": "application/json"})
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):
                for _ in range(100):
                    await response.write(b" ")
                    await asyncio.sleep(0.1)
            return response
        if reply.drop:
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(b'{"choices": [')
            if request.transport:
                request.transport.abort()
            return response
        if reply.body is not None:
            return web.Response(
                text=reply.body,
                status=reply.status,
                content_type=reply.content_type,
                headers=reply.headers,
            )
        return web.json_response(_completion(asked, reply), status=reply.status)

    def _reply_to(self, asked: dict[str, Any]) -> Reply:
        last = asked["messages"][-1]["content"]
        reply = next((reply for mark, reply in self.rules if _stands(mark, last)), self.default)
        return reply(asked) if callable(reply) else reply

    async def embeddings(self, request: web.Request) -> web.Response:
        asked = await request.json()
        if self.unembeddable and any(self.unembeddable in text for text in asked["input"]):
            return web.json_response({"error": {"message": "too long"}}, status=400)
        self.embedded += asked["input"]
        self.embedded_by += [(asked["model"], text) for text in asked["input"]]
        vector = self.embedders.get(asked["model"], words_vector)
        data = [
            {"object": "embedding", "index": place, "embedding": vector(text).tolist()}
            for place, text in enumerate(asked["input"])
        ]
        return web.json_response({"object": "list", "data": data, "model": asked["model"]})


def _stands(mark: str, last: str) -> bool:
    """Whether a mark stands in a message; one that quotes a note, with a name of it hidden or not."""
    if mark in last or not mark.startswith("Note: "):
        return mark in last
    words = mark.split(" ")
    return any(
        " ".join([*words[:start], STAND_IN, *words[end:]]) in last
        for start in range(1, len(words))
        for end in range(start + 1, len(words) + 1)
        if all(word[:1].isupper() for word in words[start:end])
    )


def words_vector(text: str) -> np.ndarray:
    """A unit vector made of hashed words: texts that share words are near each other."""
    vector = np.full(DIMENSION, 1e-3, dtype=np.float32)
    for word in re.findall(r"\w+", text.lower()):
        vector[int(hashlib.md5(word.encode()).hexdigest(), 16) % DIMENSION] += 1
    return vector / np.linalg.norm(vector)


def stems_vector(text: str) -> np.ndarray:
    """As `words_vector`, of the words' beginnings, in another dimension: another space."""
    vector = np.full(STEMS, 1e-3, dtype=np.float32)
    for word in re.findall(r"\w+", text.lower()):
        vector[int(hashlib.sha1(word[:5].encode()).hexdigest(), 16) % STEMS] += 1
    return vector / np.linalg.norm(vector)


@asynccontextmanager
async def serve() -> AsyncIterator[Endpoint]:
    """A running endpoint on a free loopback port."""
    endpoint = Endpoint()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", endpoint.chat)
    app.router.add_post("/v1/embeddings", endpoint.embeddings)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    endpoint.url = f"http://127.0.0.1:{port}/v1"
    try:
        yield endpoint
    finally:
        await runner.cleanup()


async def _stream(request: web.Request, asked: dict[str, Any], reply: Reply) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)

    async def say(data: str) -> None:
        await response.write(f"data: {data}\n\n".encode())

    whole = _completion(asked, reply)
    choice = whole["choices"][0]
    base = {**whole, "object": "chat.completion.chunk", "usage": None}
    pieces = list(reply.pieces) or re.findall(r"\S*\s*", reply.text or "")
    for place, piece in enumerate(pieces or [""]):
        delta = {"content": piece, "refusal": choice["message"]["refusal"]}
        part = {"index": 0, "delta": delta, "finish_reason": None}
        if "logprobs" in choice:
            later = {"content": [_first_token(piece, 1.0)]}
            part["logprobs"] = later if place else choice["logprobs"]
        await say(json.dumps({**base, "choices": [part]}))
        while reply.drip:
            await asyncio.sleep(0.1)
            await say(json.dumps({**base, "choices": [part]}))
        if reply.pause is not None and place == 0:
            await reply.pause.wait()
        if reply.event is not None:
            await say(reply.event)
            return response
        if reply.stop:
            return response
        if reply.drop and request.transport:
            request.transport.abort()
            return response
    last = {"index": 0, "delta": {}, "finish_reason": reply.finish}
    await say(json.dumps({**base, "choices": [last]}))
    if asked.get("stream_options", {}).get("include_usage"):
        await say(json.dumps({**base, "choices": [], "usage": whole["usage"]}))
    await say("[DONE]")
    return response


def _completion(asked: dict[str, Any], reply: Reply) -> dict[str, Any]:
    choice: dict[str, Any] = {
        "index": 0,
        "finish_reason": reply.finish,
        "message": {"role": "assistant", "content": reply.text, "refusal": reply.refusal},
    }
    if asked.get("logprobs") and reply.probability is not None and reply.text:
        choice["logprobs"] = {"content": [_first_token(reply.text, reply.probability)]}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": asked["model"],
        "choices": [choice],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
    }


def _first_token(text: str, probability: float) -> dict[str, Any]:
    word = re.split(r"\W", text, maxsplit=1)[0]
    other = {"yes": "no", "no": "yes", "true": "unknown", "false": "unknown"}.get(word, "true")
    top = [
        {"token": token, "logprob": math.log(max(p, 1e-9)), "bytes": None}
        for token, p in ((word, probability), (other, 1 - probability))
    ]
    return {**top[0], "top_logprobs": top}
