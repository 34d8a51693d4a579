"""Answer a question, check a claim, try a draft: search, let the strategy decide, say how it went."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial

from eren_memory.calibrations import Calibrations
from eren_memory.charging import charged_to
from eren_memory.community import Turn
from eren_memory.domain import (
    Answer,
    Candidate,
    ClaimCheck,
    Note,
    NoteDraft,
    Place,
    Probes,
    Trace,
)
from eren_memory.errors import BadInput
from eren_memory.llm import ChatModel
from eren_memory.notebook import Notebook
from eren_memory.prompts import Style
from eren_memory.proposing import proposed, proposing
from eren_memory.relevance import Task
from eren_memory.space import Projection
from eren_memory.strategies import STRATEGIES, Asking, Search, Strategy
from eren_memory.text import question_text

DEFAULT_METHOD = "eren"
_PROPOSAL_TOKENS = 400


class Eren:
    """The assistant of every guild: one notebook, one model.

    Args:
        notebook: Where corrections are searched.
        model: Answers, and testifies about relevance.
        calibrations: The decision's parameters, of any embedding space.
        style: How answers are phrased.
        strategies: The methods to choose from, by name.
    """

    def __init__(
        self,
        notebook: Notebook,
        model: ChatModel,
        calibrations: Calibrations,
        style: Style = Style.CHAT,
        strategies: Mapping[str, Strategy] = STRATEGIES,
    ) -> None:
        self._notebook = notebook
        self._model = model
        self._calibrations = calibrations
        self._style = style
        self._strategies = strategies

    @property
    def version(self) -> str:
        """What its answers depend on beside the notebook: models, prompts and fitted weights."""
        key = self._calibrations.key(Task.QUESTION, logprobs=True)
        return f"{key} {self._calibrations.get(Task.QUESTION, logprobs=True)}"

    async def answer(
        self,
        question: str,
        place: Place,
        method: str = DEFAULT_METHOD,
        *,
        conversation: Sequence[Turn] = (),
        style: Style | None = None,
        on_text: Callable[[str], None] | None = None,
    ) -> Answer:
        """Answer from a note that answers the question, or as the unedited model would.

        Args:
            question: What was asked.
            place: Where.
            method: Name of the strategy.
            conversation: What was asked and answered before, oldest first. With it, one more call
                makes the question stand alone first.
            style: How to phrase the answer; None for the assistant's own.
            on_text: Hears the unedited model's answer as it grows, each time from its beginning;
                never called before it is certain that no note answers.

        Raises:
            BadInput: The question is empty, too long or unreadable, or the method is unknown.
            ModelError: The model gave no usable answer and no note could stand for it.
            NoteIndexError: The notebook cannot be searched.
        """
        started = time.perf_counter()
        asked, strategy = question_text(question), self._strategy(method)
        async with self._space(strategy, place) as space:
            search = partial(self._candidates, place=place, strategy=strategy, space=space)
            asking = self._asking(space, style, on_text, search)
            if conversation:
                asked = await asking.standalone(conversation, asked)
            candidates = await self._candidates(asked, place, strategy, space)
            return await _answered(asked, candidates, strategy, asking, started)

    async def preview(
        self,
        question: str,
        place: Place,
        draft: NoteDraft,
        *,
        instead_of: Collection[int] = (),
        style: Style | None = None,
    ) -> Answer:
        """The answer that a draft would lead to; nothing is written.

        Args:
            question: What would be asked.
            place: Where.
            draft: Counts as an active note, its number 0, where its scope and dates let it.
            instead_of: Numbers of the notes that it would replace.
            style: How to phrase the answer; None for the assistant's own.

        Raises: as `answer`, and `BadInput` for a draft that cannot be a note.
        """
        started = time.perf_counter()
        asked, strategy = question_text(question), self._strategy(DEFAULT_METHOD)
        async with self._space(strategy, place) as space:

            async def search(text: str) -> Sequence[Candidate]:
                return await self._notebook.search_with(
                    place, text, strategy.candidates, draft, instead_of, space
                )

            candidates = await search(asked)
            asking = self._asking(space, style, search=search)
            return await _answered(asked, candidates, strategy, asking, started)

    async def check(self, claim: str, place: Place, method: str = DEFAULT_METHOD) -> ClaimCheck:
        """Whether the notebook supports or refutes a claim; silent: the unedited model's yes or no.

        Raises: as `answer`.
        """
        started = time.perf_counter()
        asked, strategy = question_text(claim, "claim"), self._strategy(method)
        async with self._space(strategy, place) as space:
            candidates = await self._candidates(asked, place, strategy, space)
            asking = self._asking(space)
            checked = await strategy.check(asked, candidates, asking)
        trace = Trace(
            method,
            checked.path,
            tuple(candidates),
            checked.evidence,
            checked.p,
            asking.usage,
            (time.perf_counter() - started) * 1000,
            checked.mark,
        )
        answer = "yes" if checked.yes else "no"
        return ClaimCheck(checked.verdict, answer, checked.origin, checked.notes, trace)

    async def propose(self, note: Note) -> Probes:
        """Test questions for a note, by the model; nothing is saved.

        Raises:
            ModelError: The model gave no usable answer.
        """
        with charged_to(note.guild_id):
            reply = await self._model.complete(proposing(note.text), max_tokens=_PROPOSAL_TOKENS)
        return proposed(reply.text, [*note.probes.change, *note.probes.keep])

    @asynccontextmanager
    async def _space(self, strategy: Strategy, place: Place) -> AsyncIterator[Projection]:
        """The space in which a question begins, and stays to its end; its calls are its guild's."""
        searching = strategy.candidates > 0
        with charged_to(place.guild_id):
            async with self._notebook.projector.using(searching=searching) as space:
                yield space

    def _asking(
        self,
        space: Projection,
        style: Style | None = None,
        on_text: Callable[[str], None] | None = None,
        search: Search | None = None,
    ) -> Asking:
        calibrations = self._calibrations.of(space.space)
        return Asking(
            self._model, style or self._style, calibrations, space.embedder, on_text, search
        )

    async def _candidates(
        self, text: str, place: Place, strategy: Strategy, space: Projection
    ) -> Sequence[Candidate]:
        if not strategy.candidates:
            return []
        return await self._notebook.search(place, text, strategy.candidates, space)

    def _strategy(self, method: str) -> Strategy:
        if method not in self._strategies:
            known = ", ".join(self._strategies)
            raise BadInput(f"There is no method {method}. Choose one of: {known}.")
        return self._strategies[method]


async def _answered(
    question: str,
    candidates: Sequence[Candidate],
    strategy: Strategy,
    asking: Asking,
    started: float,
) -> Answer:
    outcome = await strategy.answer(question, candidates, asking)
    trace = Trace(
        strategy.name,
        outcome.path,
        tuple(candidates),
        outcome.verdict,
        outcome.p,
        asking.usage,
        (time.perf_counter() - started) * 1000,
        outcome.mark,
    )
    return Answer(outcome.text, outcome.origin, outcome.notes, trace, question)
