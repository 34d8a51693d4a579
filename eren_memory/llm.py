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
    EmptyReply,
    ErenError,
    MalformedReply,
    ModelError,
    ModelNotFound,
    ModelRateLimited,
    ModelRefused,
    ModelUnauthorised,
    ModelUnreachable,
    PromptTooLong,
)

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.chat import ChatCompletionMessageParam

_CONNECT_SECONDS = 10.0
_TOP_LOGPROBS = 10
# Reasoning models spend completion tokens on thoughts that nobody sees.
_ROOM_TO_THINK = 4_000
_THOUGHTS = re.compile(r"\A\s*<think>.*?(?:</think>\s*|\Z)", re.DOTALL)


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
        self, messages: Sequence[Message], *, max_tokens: int, logprobs: bool = False
    ) -> Completion:
        """One completion at temperature 0. Raises `ModelError`."""
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


class OpenAIChat:
    """`ChatModel` over the openai client.

    What an endpoint refuses by name (`temperature`, `logprobs`, `max_tokens`) is dropped or renamed
    once and remembered. The client's own single retry is the only one.

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
        self, messages: Sequence[Message], *, max_tokens: int, logprobs: bool = False
    ) -> Completion:
        """See `ChatModel.complete`."""
        client = await self._connected()
        import openai

        started = time.perf_counter()
        try:
            # The client's timeout is for each read; a reply that drips would never end.
            async with asyncio.timeout(self._timeout):
                reply = await self._send(client, messages, max_tokens, logprobs)
        except TimeoutError:
            raise ModelUnreachable(
                "The model did not answer in time. Try again in a moment."
            ) from None
        except (openai.AuthenticationError, openai.PermissionDeniedError):
            # Endpoints quote the key back; it must not stand in a traceback.
            raise ModelUnauthorised(
                "The model's endpoint refused the key. Check OPENAI_API_KEY."
            ) from None
        except openai.OpenAIError as error:
            raise _translated(error, self._name) from error
        except ValueError as error:  # A body that claims to be JSON and is not.
            raise _malformed(self._name) from error
        return _completion(reply, self._name, (time.perf_counter() - started) * 1000)

    async def _send(
        self, client: AsyncOpenAI, messages: Sequence[Message], max_tokens: int, logprobs: bool
    ) -> Any:
        """Send the request, again without what a 400 names as not supported."""
        import openai

        turns = cast("list[ChatCompletionMessageParam]", list(messages))
        while True:
            sent = self._parameters(max_tokens, logprobs)
            try:
                return await client.chat.completions.create(
                    model=self._name, messages=turns, **sent
                )
            except openai.BadRequestError as error:
                self._adapt(error)
                # Another request may have learned it meanwhile.
                if self._parameters(max_tokens, logprobs) == sent:
                    raise

    async def close(self) -> None:
        """See `ChatModel.close`."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def _connected(self) -> AsyncOpenAI:
        endpoint = await self._connect()
        if self._client is None or endpoint != self._endpoint:
            import openai

            await self.close()
            self._endpoint = endpoint
            self._client = openai.AsyncOpenAI(
                base_url=endpoint.base_url,
                api_key=endpoint.api_key,
                timeout=openai.Timeout(self._timeout, connect=_CONNECT_SECONDS),
                max_retries=1,
            )
        return self._client

    def _parameters(self, max_tokens: int, logprobs: bool) -> dict[str, Any]:
        wanted: dict[str, Any] = {"temperature": 0}
        if logprobs:
            wanted |= {"logprobs": True, "top_logprobs": _TOP_LOGPROBS}
        if self._thinks:
            wanted["max_completion_tokens"] = max_tokens + _ROOM_TO_THINK
        else:
            wanted["max_tokens"] = max_tokens
        return {name: value for name, value in wanted.items() if name not in self._dropped}

    def _adapt(self, error: Any) -> None:
        """Remember which parameter a 400 says is not supported, if it says so."""
        said = error.message.lower()
        if _is_too_long(error) or not (error.param or "support" in said):
            return
        named = error.param or said
        if "max_tokens" in named:
            self._thinks = True
        for name, also in (("logprobs", "top_logprobs"), ("temperature", "temperature")):
            if name in named:
                self._dropped |= {name, also}


def _is_too_long(error: Any) -> bool:
    said = error.message.lower()
    return error.code == "context_length_exceeded" or (
        "context" in said and any(word in said for word in ("exceed", "maximum", "too large"))
    )


def _translated(error: Any, model: str) -> ErenError:
    """The vendor's error in our words; the original, which may quote headers, stays the cause."""
    import openai

    if isinstance(error, openai.BadRequestError):
        return _refused(error)
    if isinstance(error, openai.APIResponseValidationError):
        return _malformed(model)
    # Subclasses first: a timeout is a connection error too.
    known: tuple[tuple[type[Exception], ErenError], ...] = (
        (
            openai.APITimeoutError,
            ModelUnreachable("The model did not answer in time. Try again in a moment."),
        ),
        (
            openai.APIConnectionError,
            ModelUnreachable(
                "The model's endpoint cannot be reached. Check OPENAI_BASE_URL and the network."
            ),
        ),
        (
            openai.InternalServerError,
            ModelUnreachable("The model's endpoint failed. Try again in a moment."),
        ),
        (
            openai.RateLimitError,
            ModelRateLimited("The model's rate limit or quota is used up. Try again later."),
        ),
        (
            openai.NotFoundError,
            ModelNotFound(
                f"The endpoint does not serve {model}. Check EREN_MODEL and OPENAI_BASE_URL."
            ),
        ),
    )
    for kind, ours in known:
        if isinstance(error, kind):
            return ours
    return ModelError(f"The model call failed ({type(error).__name__}).")


def _refused(error: Any) -> ModelError:
    """What a 400 means, when it is not about a parameter."""
    if _is_too_long(error):
        return PromptTooLong(
            "The question and its notes do not fit the model's context. Shorten it."
        )
    if error.code == "content_filter" or "content management policy" in error.message.lower():
        return ModelRefused("The model's provider declined this request.")
    return ModelError("The model's endpoint refused the request (400).")


def _malformed(model: str) -> MalformedReply:
    return MalformedReply(
        f"The endpoint's reply for {model} is not a chat completion. Check OPENAI_BASE_URL."
    )


def _completion(reply: Any, model: str, milliseconds: float) -> Completion:
    """Read the reply without trusting its shape: the client does not validate it."""
    try:
        choice = reply.choices[0]
        message = choice.message
        refusal, finish = getattr(message, "refusal", None), choice.finish_reason
        text = _encodable(_THOUGHTS.sub("", message.content or "")).strip()
        content = (getattr(choice, "logprobs", None) and choice.logprobs.content) or []
        top = (getattr(content[0], "top_logprobs", None) or ()) if content else ()
        first = tuple((str(one.token), float(one.logprob)) for one in top)
        used = reply.usage
        usage = Usage(1, int(used.prompt_tokens), int(used.completion_tokens)) if used else Usage(1)
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise _malformed(model) from error
    if refusal or finish == "content_filter":
        raise ModelRefused("The model declined this request.")
    if not text:
        raise EmptyReply("The model replied with nothing. Try again, or ask in other words.")
    return Completion(text, first, usage, milliseconds, cut=finish == "length")


def _encodable(text: str) -> str:
    """Half a character, which JSON allows and nothing else takes, as a replacement character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
