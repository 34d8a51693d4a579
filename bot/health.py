"""Whether the bot can do its work, part by part; asked often, looked at seldom, no model call made."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from bot.metrics import Metrics
from eren_memory.app import App
from eren_memory.domain import Usage
from eren_memory.errors import (
    EmptyReply,
    ErenError,
    LocalModelError,
    ModelError,
    ModelRefused,
    PromptTooLong,
)

# For so long what was last seen of a part is believed.
_FRESH = {"ledger": 5.0, "index": 5.0, "model": 60.0}
_PATIENCE = 5.0
# These say something about a question, nothing about the model.
_ABOUT_A_QUESTION = (EmptyReply, ModelRefused, PromptTooLong)

Troubles = Mapping[str, str | None]
"""Part: what is wrong with it, in a sentence that may be shown; None where nothing is."""


@dataclass(frozen=True, slots=True)
class _Seen:
    trouble: str | None
    at: float


class Health:
    """What is known of the parts that an answer needs: gateway, ledger, index and model."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._app: App | None = None
        self._connected: Callable[[], bool] = lambda: False
        self._seen: dict[str, _Seen] = {}
        self._looking = asyncio.Lock()

    def begin(self, app: App, connected: Callable[[], bool]) -> None:
        """Everything is loaded: from now on the parts are looked at."""
        self._connected, self._app = connected, app

    def called(
        self, _model: str, _usage: Usage, _seconds: float, error: BaseException | None
    ) -> None:
        """A model call ended, which says more than any check."""
        if error is None or isinstance(error, _ABOUT_A_QUESTION):
            self._note("model", None)
        elif isinstance(error, ModelError | LocalModelError):
            self._note("model", str(error))

    async def troubles(self) -> Troubles:
        """Every part and what is wrong with it. At most one look at a time, and few of them."""
        if (app := self._app) is None:
            return dict.fromkeys(("gateway", *_FRESH), "It is still starting.")
        async with self._looking:
            await asyncio.gather(
                self._look("ledger", lambda: self._ledger(app)),
                self._look("index", lambda: _index(app)),
                self._look("model", app.ping_model),
            )
        gateway = None if self._connected() else "It is not connected to Discord."
        found = {"gateway": gateway} | {name: self._seen[name].trouble for name in _FRESH}
        for name, trouble in found.items():
            self._metrics.ready.labels(name).set(trouble is None)
        return found

    async def _look(self, name: str, look: Callable[[], Awaitable[None]]) -> None:
        seen = self._seen.get(name)
        if seen is not None and time.monotonic() - seen.at < _FRESH[name]:
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                await look()
        except ErenError as error:
            self._note(name, str(error))
        except TimeoutError:
            self._note(name, f"It did not answer within {_PATIENCE:.0f} seconds.")
        except Exception as error:  # noqa: BLE001 - A probe reports, whatever it meets.
            self._note(name, f"It failed ({type(error).__name__}).")
        else:
            self._note(name, None)

    def _note(self, name: str, trouble: str | None) -> None:
        self._seen[name] = _Seen(trouble, time.monotonic())

    async def _ledger(self, app: App) -> None:
        self._metrics.outbox.set(await app.notebook.ledger.outbox.count())


async def _index(app: App) -> None:
    index = await app.notebook.projector.open()
    await index.count()
