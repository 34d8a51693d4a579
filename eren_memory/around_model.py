"""What does something before or after each call of a chat model, and is a chat model itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence

from eren_memory.llm import ChatModel, Completion, Message

Ask = Callable[[], Awaitable[Completion]]
"""Makes the call; raises as `ChatModel.complete`."""


class AroundModel(ABC):
    """A `ChatModel` that asks another one, in its own way.

    Args:
        model: Who is asked.
    """

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    @property
    def name(self) -> str:
        """See `ChatModel.name`."""
        return self._model.name

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        logprobs: bool = False,
        on_text: Callable[[str], None] | None = None,
    ) -> Completion:
        """See `ChatModel.complete`."""

        def ask() -> Awaitable[Completion]:
            return self._model.complete(
                messages, max_tokens=max_tokens, logprobs=logprobs, on_text=on_text
            )

        return await self._around(messages, ask)

    @abstractmethod
    async def _around(self, messages: Sequence[Message], ask: Ask) -> Completion:
        """One call, which `ask` makes."""

    async def close(self) -> None:
        """See `ChatModel.close`."""
        await self._model.close()
