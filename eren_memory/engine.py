"""Answer a question, check a claim: search, let the strategy decide, say how it went."""

from __future__ import annotations

import time
from collections.abc import Sequence

from eren_memory.domain import Answer, Candidate, ClaimCheck, Place, Trace
from eren_memory.errors import BadInput
from eren_memory.llm import ChatModel
from eren_memory.notebook import Notebook
from eren_memory.prompts import Style
from eren_memory.relevance import Calibrations
from eren_memory.strategies import STRATEGIES, Asking, Strategy
from eren_memory.text import question_text

DEFAULT_METHOD = "eren"


class Eren:
    """The assistant of every guild: one notebook, one model.

    Args:
        notebook: Where corrections are searched.
        model: Answers, and testifies about relevance.
        calibrations: The decision's parameters.
        style: How answers are phrased.
    """

    def __init__(
        self,
        notebook: Notebook,
        model: ChatModel,
        calibrations: Calibrations,
        style: Style = Style.CHAT,
    ) -> None:
        self._notebook = notebook
        self._model = model
        self._calibrations = calibrations
        self._style = style

    async def answer(self, question: str, place: Place, method: str = DEFAULT_METHOD) -> Answer:
        """Answer from a note that answers the question, or as the unedited model would.

        Raises:
            BadInput: The question is empty, too long or unreadable, or the method is unknown.
            ModelError: The model gave no usable answer and no note could stand for it.
            NoteIndexError: The notebook cannot be searched.
        """
        started = time.perf_counter()
        asked, strategy = question_text(question), _strategy(method)
        candidates = await self._candidates(asked, place, strategy)
        asking = self._asking()
        outcome = await strategy.answer(asked, candidates, asking)
        trace = Trace(
            method,
            outcome.path,
            tuple(candidates),
            outcome.verdict,
            outcome.p,
            asking.usage,
            (time.perf_counter() - started) * 1000,
        )
        return Answer(outcome.text, outcome.origin, outcome.notes, trace)

    async def check(self, claim: str, place: Place, method: str = DEFAULT_METHOD) -> ClaimCheck:
        """Whether the notebook supports or refutes a claim; silent: the unedited model's yes or no.

        Raises: as `answer`.
        """
        started = time.perf_counter()
        asked, strategy = question_text(claim, "claim"), _strategy(method)
        candidates = await self._candidates(asked, place, strategy)
        asking = self._asking()
        checked = await strategy.check(asked, candidates, asking)
        trace = Trace(
            method,
            checked.path,
            tuple(candidates),
            checked.evidence,
            checked.p,
            asking.usage,
            (time.perf_counter() - started) * 1000,
        )
        answer = "yes" if checked.yes else "no"
        return ClaimCheck(checked.verdict, answer, checked.origin, checked.notes, trace)

    def _asking(self) -> Asking:
        return Asking(self._model, self._style, self._calibrations, self._notebook.embedder)

    async def _candidates(self, text: str, place: Place, strategy: Strategy) -> Sequence[Candidate]:
        if not strategy.candidates:
            return []
        return await self._notebook.search(place, text, strategy.candidates)


def _strategy(method: str) -> Strategy:
    if method not in STRATEGIES:
        raise BadInput(f"There is no method {method}. Choose one of: {', '.join(STRATEGIES)}.")
    return STRATEGIES[method]
