"""What each model call took, told to whoever measures; and whether the endpoint answers at all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from eren_memory.around_model import AroundModel, Ask
from eren_memory.domain import Usage
from eren_memory.errors import ModelUnauthorised, ModelUnreachable
from eren_memory.llm import ChatModel, Completion, Endpoint, Message
from eren_memory.llm_errors import translated

OnCall = Callable[[str, Usage, float, BaseException | None], None]
"""Told of every model call: the model, what was used, seconds, and what ended it if not a reply."""

_PING_SECONDS = 5.0


class WatchedModel(AroundModel):
    """A chat model whose every call is told to a listener, those that fail or are cancelled too."""

    def __init__(self, model: ChatModel, on_call: OnCall) -> None:
        super().__init__(model)
        self._on_call = on_call

    async def _around(self, messages: Sequence[Message], ask: Ask) -> Completion:
        started = time.perf_counter()
        try:
            reply = await ask()
        except BaseException as error:
            self._on_call(self.name, Usage(calls=1), time.perf_counter() - started, error)
            raise
        self._on_call(self.name, reply.usage, time.perf_counter() - started, None)
        return reply


async def ping(connect: Callable[[], Awaitable[Endpoint]], model: str) -> None:
    """Ask an endpoint for its list of models, which costs no tokens.

    One that has no such list, or another form of it, answers: that is enough.

    Raises:
        ModelError: It does not answer, or refuses the key.
    """
    import openai

    endpoint = await connect()
    client = openai.AsyncOpenAI(
        base_url=endpoint.base_url,
        api_key=endpoint.api_key,
        timeout=_PING_SECONDS,
        max_retries=0,
    )
    try:
        async with asyncio.timeout(_PING_SECONDS), client:
            await client.models.list()
    except TimeoutError:
        raise ModelUnreachable(
            f"The model's endpoint did not answer within {_PING_SECONDS:.0f} seconds."
        ) from None
    except (
        openai.APIConnectionError,
        openai.AuthenticationError,
        openai.InternalServerError,
        openai.PermissionDeniedError,
        openai.RateLimitError,
    ) as error:
        ours = translated(error, model)
        raise ours from (None if isinstance(ours, ModelUnauthorised) else error)
    except (openai.OpenAIError, TypeError, ValueError, AttributeError):
        return
