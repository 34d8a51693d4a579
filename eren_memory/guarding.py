"""A chat model that fails over and over is left alone for a while: nobody waits to hear what is known.

With an endpoint that takes a minute not to answer, each question would wait that minute, and those
behind it in line for many.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress

from circuitbreaker import CircuitBreaker

from eren_memory.around_model import AroundModel, Ask
from eren_memory.errors import ModelError, ModelRateLimited, ModelUnreachable
from eren_memory.llm import ChatModel, Completion, Message

# In a row, with no reply in between.
FAILURES = 3
REST_SECONDS = 15.0

_log = logging.getLogger(__name__)


class GuardedModel(AroundModel):
    """A chat model that is asked nothing while it rests: the last failure is raised again at once.

    Afterwards one call goes through. If it gets a reply, whatever that says, the rest is over; else it
    begins anew. Rate limits count as failures; refusals, keys and odd replies do not: somebody
    answered.

    Args:
        model: Who is asked.
        failures: After so many in a row it rests.
        rest: Seconds.
    """

    def __init__(
        self, model: ChatModel, failures: int = FAILURES, rest: float = REST_SECONDS
    ) -> None:
        super().__init__(model)
        self._rest = rest
        self._breaker = CircuitBreaker(failures, rest, (ModelUnreachable, ModelRateLimited))
        self._trying = False

    async def _around(self, messages: Sequence[Message], ask: Ask) -> Completion:
        failure = self._breaker.last_failure
        if failure is not None and (self._breaker.opened or self._trying):
            # A new one: the old one has the traceback of another question.
            again = type(failure)(*failure.args)
            again.asked = False
            raise again
        trying = self._trying = not self._breaker.closed
        try:
            reply = await ask()
        except ModelError as error:
            self._ended(error)
            raise
        finally:
            if trying:
                self._trying = False
        self._ended(None)
        return reply

    def _ended(self, error: ModelError | None) -> None:
        """Tell the breaker of a call that ended; of one that was called off, nothing is known."""
        before = self._breaker.closed
        with suppress(ModelError), self._breaker:
            if error is not None:
                raise error
        if before and not self._breaker.closed:
            _log.warning("The model is left alone for %g seconds: %s", self._rest, error)
        elif not before and self._breaker.closed:
            _log.warning("The model answers again.")
