"""The chat model behind one method: any endpoint that the openai client can talk to."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypedDict, cast

from eren_memory.domain import Usage
from eren_memory.errors import (
    ModelUnauthorised,
    ModelUnreachable,
)
from eren_memory.llm_errors import is_too_long, malformed, translated
from eren_memory.llm_reply import Said

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.chat import ChatCompletionMessageParam

_CONNECT_SECONDS = 10.0
# A connection that nobody uses. Questions come minutes apart, and a new one costs three round trips.
_KEPT_OPEN_SECONDS = 120.0
_TOP_LOGPROBS = 10
# Reasoning models spend completion tokens on thoughts that nobody sees.
_ROOM_TO_THINK = 4_000
# What an endpoint refuses, by the name that it gives, and what goes with it.
_REFUSED = (
    (re.compile(r"logprobs"), {"logprobs", "top_logprobs"}),
    (re.compile(r"temperature"), {"temperature"}),
    (re.compile(r"stream_options"), {"stream_options"}),
    (re.compile(r"\bstream(ing)?\b"), {"stream", "stream_options"}),
)


# Marks that chat templates put between turns. Servers of open models read them wherever they stand, so
# that a question or a note could speak in another's name.
_TURN_MARK = re.compile(
    r"<(?=[|\uff5c][^<>\s]{1,40}[|\uff5c]>|/?s>|(?:start|end)_of_turn>)|\[(?=/?INST\])",
    re.IGNORECASE,
)


class Message(TypedDict):
    """One turn of a conversation, as endpoints take it."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Completion:
    """A reply.

    `first_token` has the first token's alternatives with their log-probabilities, best first; it is
    empty where the endpoint gives none. `cut` says that the reply ran into the token limit.
    """

    text: str
    first_token: tuple[tuple[str, float], ...]
    usage: Usage
    milliseconds: float
    cut: bool = False


class ChatModel(Protocol):
    """What the engine needs of a model."""

    @property
    def name(self) -> str:
        """Identifies the model: calibrations are kept under it."""
        ...

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        logprobs: bool = False,
        on_text: Callable[[str], None] | None = None,
    ) -> Completion:
        """One completion at temperature 0.

        Args:
            messages: The prompt.
            max_tokens: Room for the reply.
            logprobs: Ask for the first token's alternatives.
            on_text: Hears the reply as it grows, each time from its beginning and without thoughts.

        Raises:
            ModelError: There is no usable reply; part of one may have been heard.
        """
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address that speaks OpenAI's API; `base_url` None means OpenAI itself."""

    base_url: str | None
    api_key: str

    def __repr__(self) -> str:
        """Without the key."""
        return f"Endpoint({self.base_url!r})"


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one call wants of the endpoint, before what it refuses is dropped."""

    max_tokens: int
    logprobs: bool
    stream: bool


class OpenAIChat:
    """`ChatModel` over the openai client.

    What an endpoint refuses by name (`temperature`, `logprobs`, `max_tokens`, `stream`) is dropped
    or renamed once and remembered; so is `stream` where it is ignored. The client's own single retry
    is the only one.

    Args:
        name: Model, as the endpoint knows it.
        connect: Gives the endpoint, asked before each request; may start a server.
        timeout: Seconds for a whole call.
    """

    def __init__(
        self, name: str, connect: Callable[[], Awaitable[Endpoint]], *, timeout: float
    ) -> None:
        self._name = name
        self._connect = connect
        self._timeout = timeout
        self._client: AsyncOpenAI | None = None
        self._endpoint: Endpoint | None = None
        self._dropped: set[str] = set()
        self._thinks = False

    @property
    def name(self) -> str:
        """See `ChatModel.name`."""
        return self._name

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        logprobs: bool = False,
        on_text: Callable[[str], None] | None = None,
    ) -> Completion:
        """See `ChatModel.complete`."""
        client = await self._connected()
        import openai

        asked = _Asked(max_tokens, logprobs, stream=on_text is not None)
        started = time.perf_counter()
        try:
            # The client's timeout is for each read; a reply that drips would never end.
            async with asyncio.timeout(self._timeout):
                reply = await self._send(client, messages, asked)
                said = await self._said(reply, on_text)
        except TimeoutError:
            raise ModelUnreachable(
                "The model did not answer in time. Try again in a moment."
            ) from None
        except openai.OpenAIError as error:
            ours = translated(error, self._name)
            # Endpoints quote the key back; it must not stand in a traceback.
            raise ours from (None if isinstance(ours, ModelUnauthorised) else error)
        except ValueError as error:  # A body that claims to be JSON and is not.
            raise malformed(self._name) from error
        milliseconds = (time.perf_counter() - started) * 1000
        return Completion(said.text, said.first_token, said.usage, milliseconds, said.cut)

    async def _send(self, client: AsyncOpenAI, messages: Sequence[Message], asked: _Asked) -> Any:
        """Send the request, again without what the endpoint refuses or ignores."""
        import openai

        turns = cast("list[ChatCompletionMessageParam]", [_in_one_turn(one) for one in messages])
        while True:
            sent = self._parameters(asked)
            try:
                reply = await client.chat.completions.create(
                    model=self._name, messages=turns, **sent
                )
            except openai.BadRequestError as error:
                self._adapt(error)
                # Another request may have learned it meanwhile.
                if self._parameters(asked) == sent:
                    raise
                continue
            if not isinstance(reply, openai.AsyncStream) or not _is_whole(reply):
                return reply
            # The client would look for events in it and find none.
            await reply.close()
            self._dropped |= {"stream", "stream_options"}

    async def _said(self, reply: Any, on_text: Callable[[str], None] | None) -> Said:
        """Read a reply, whole or streamed."""
        import openai

        said, heard = Said(self._name), ""
        if isinstance(reply, openai.AsyncStream):
            async with reply:
                async for chunk in reply:
                    said.take_part(chunk)
                    if on_text is not None and said.shown not in ("", heard):
                        heard = said.shown
                        on_text(heard)
            said.end()
        else:
            said.take_whole(reply)
        said.check()
        if on_text is not None and said.text != heard:
            on_text(said.text)
        return said

    async def close(self) -> None:
        """See `ChatModel.close`."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def _connected(self) -> AsyncOpenAI:
        endpoint = await self._connect()
        if self._client is None or endpoint != self._endpoint:
            import httpx2
            import openai

            await self.close()
            self._endpoint = endpoint
            self._client = openai.AsyncOpenAI(
                base_url=endpoint.base_url,
                api_key=endpoint.api_key,
                timeout=openai.Timeout(self._timeout, connect=_CONNECT_SECONDS),
                max_retries=1,
                http_client=openai.DefaultAsyncHttpxClient(
                    limits=httpx2.Limits(keepalive_expiry=_KEPT_OPEN_SECONDS)
                ),
            )
        return self._client

    def _parameters(self, asked: _Asked) -> dict[str, Any]:
        wanted: dict[str, Any] = {"temperature": 0}
        if asked.logprobs:
            wanted |= {"logprobs": True, "top_logprobs": _TOP_LOGPROBS}
        if asked.stream:
            wanted |= {"stream": True, "stream_options": {"include_usage": True}}
        if self._thinks:
            wanted["max_completion_tokens"] = asked.max_tokens + _ROOM_TO_THINK
        else:
            wanted["max_tokens"] = asked.max_tokens
        return {name: value for name, value in wanted.items() if name not in self._dropped}

    def _adapt(self, error: Any) -> None:
        """Remember which parameter a 400 says is not supported, if it says so."""
        said = error.message.lower()
        if is_too_long(error) or not (error.param or "support" in said):
            return
        named = error.param or said
        if "max_tokens" in named:
            self._thinks = True
        for name, dropped in _REFUSED:
            if name.search(named):
                self._dropped |= dropped


def _in_one_turn(message: Message) -> Message:
    """The message without a mark that could end its turn and begin another's."""
    return {**message, "content": _TURN_MARK.sub(r"\g<0> ", message["content"])}


def _is_whole(stream: Any) -> bool:
    """Whether an endpoint ignored `stream` and sent a plain completion."""
    return "json" in stream.response.headers.get("content-type", "")
