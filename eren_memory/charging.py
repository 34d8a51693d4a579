"""Whom a model call is charged to: said once where a question, an audit or a comparison begins.

A call knows neither guild nor member, and what is made of it (a reading, a second look beside it) runs
in tasks of its own. So this is kept where asyncio carries it along: in a context variable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime

from eren_memory.domain import Usage
from eren_memory.errors import BudgetUsedUp, ErenError, ModelError
from eren_memory.llm import ChatModel, Completion, Message

# Characters of a prompt that are about one token. Of a call that is cut off nobody says how many it had.
_CHARACTERS = 4


@dataclass
class Account:
    """What the calls for one question used, by model; `closed_until` refuses further ones."""

    closed_until: datetime | None = None
    used: dict[str, Usage] = field(default_factory=dict)

    def add(self, model: str, usage: Usage) -> None:
        """Count a call."""
        self.used[model] = self.used.get(model, Usage()) + usage


Open = Callable[[str], AbstractAsyncContextManager[Account | None]]
"""Sets aside what one call for a guild may take, and settles; None where nobody counts."""

_guild: ContextVar[str | None] = ContextVar("charged_guild", default=None)
_account: ContextVar[Account | None] = ContextVar("charged_account", default=None)


@contextmanager
def charged_to(guild_id: str) -> Iterator[None]:
    """Model calls inside are for a guild."""
    before = _guild.set(guild_id)
    try:
        yield
    finally:
        _guild.reset(before)


@contextmanager
def charged_on(account: Account) -> Iterator[None]:
    """Model calls inside go on one account, which is settled as a whole."""
    before = _account.set(account)
    try:
        yield
    finally:
        _account.reset(before)


class ChargedModel:
    """A chat model whose calls are counted on the account of whoever they are made for.

    Those that are made for no guild, such as an evaluation's, are not counted.
    """

    def __init__(self, model: ChatModel, opened: Open) -> None:
        self._model = model
        self._opened = opened

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
        """See `ChatModel.complete`. Raises `BudgetUsedUp`: nothing was asked."""

        async def call(account: Account | None) -> Completion:
            if account is not None and account.closed_until is not None:
                raise BudgetUsedUp(
                    "Today's budget is used up; nothing more is asked of the model before "
                    f"{account.closed_until:%Y-%m-%d %H:%M} UTC."
                )
            used: Usage | None = Usage(calls=1)
            try:
                reply = await self._model.complete(
                    messages, max_tokens=max_tokens, logprobs=logprobs, on_text=on_text
                )
                used = Usage(1, reply.usage.prompt_tokens, reply.usage.completion_tokens)
                return reply
            except ErenError as error:
                if not (isinstance(error, ModelError) and error.asked):
                    used = None  # No call went out: there is no key, or the model is left alone.
                raise
            except asyncio.CancelledError:
                used = Usage(1, sum(len(one["content"]) for one in messages) // _CHARACTERS, 0)
                raise
            finally:
                if account is not None and used is not None:
                    account.add(self.name, used)

        if (account := _account.get()) is not None:
            return await call(account)
        if (guild_id := _guild.get()) is None:
            return await call(None)
        async with self._opened(guild_id) as account:
            return await call(account)

    async def close(self) -> None:
        """See `ChatModel.close`."""
        await self._model.close()
