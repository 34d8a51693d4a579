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

from eren_memory.around_model import AroundModel, Ask
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


class ChargedModel(AroundModel):
    """A chat model whose calls are counted on the account of whoever they are made for.

    Those that are made for no guild, such as an evaluation's, are not counted. Where the account's
    budget is used up, `complete` raises `BudgetUsedUp`: nothing was asked.
    """

    def __init__(self, model: ChatModel, opened: Open) -> None:
        super().__init__(model)
        self._opened = opened

    async def _around(self, messages: Sequence[Message], ask: Ask) -> Completion:
        if (account := _account.get()) is not None:
            return await self._charge(account, messages, ask)
        if (guild_id := _guild.get()) is None:
            return await ask()
        async with self._opened(guild_id) as account:
            return await (self._charge(account, messages, ask) if account else ask())

    async def _charge(self, account: Account, messages: Sequence[Message], ask: Ask) -> Completion:
        if account.closed_until is not None:
            raise BudgetUsedUp(
                "Today's budget is used up; nothing more is asked of the model before "
                f"{account.closed_until:%Y-%m-%d %H:%M} UTC."
            )
        used: Usage | None = Usage(calls=1)
        try:
            reply = await ask()
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
            if used is not None:
                account.add(self.name, used)
