"""The model's adapter against the scripted endpoint."""

from __future__ import annotations

import json

from eren_memory.llm import Endpoint, Message, OpenAIChat
from tests.endpoint import Reply

ASK: list[Message] = [{"role": "user", "content": "hello"}]
KEY = "sk-secret-of-the-tests"


def chat(url: str, *, timeout: float = 5, name: str = "scripted") -> OpenAIChat:
    async def connect() -> Endpoint:
        return Endpoint(url, KEY)

    return OpenAIChat(name, connect, timeout=timeout)


def error_reply(status: int, message: str = "no", code: str | None = None) -> Reply:
    return Reply(status=status, body=json.dumps({"error": {"message": message, "code": code}}))
