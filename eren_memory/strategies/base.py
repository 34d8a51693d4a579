"""The interface of a strategy, and what it is given for one question."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from eren_memory.calibrations import Calibrations
from eren_memory.community import Turn
from eren_memory.domain import Candidate, ClaimVerdict, Origin, Path, Usage
from eren_memory.embedder import Embedder
from eren_memory.errors import BadInput, ModelError
from eren_memory.follow_up import standalone
from eren_memory.likeness import SOMEONE, Likeness
from eren_memory.llm import ChatModel, Completion, Message
from eren_memory.prompts import Style, unedited, unedited_claim
from eren_memory.relevance import Calibration, Overlap, Task
from eren_memory.text import question_text
from eren_memory.verdicts import says_yes
from eren_memory.wording import named, residues

Search = Callable[[str], Awaitable[Sequence[Candidate]]]
"""Finds notes for a text, where the question was asked."""

_WORD_TOKENS = 8
_STANDALONE_TOKENS = 300


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a strategy made of a question. `notes` were read and accepted, `mark` says by what."""

    text: str
    origin: Origin
    path: Path
    notes: tuple[Candidate, ...] = ()
    verdict: float | None = None
    p: float | None = None
    mark: str | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """What a strategy made of a claim; `yes` is the answer to "is it true?"."""

    yes: bool
    verdict: ClaimVerdict
    origin: Origin
    path: Path
    notes: tuple[Candidate, ...] = ()
    evidence: float | None = None
    p: float | None = None
    mark: str | None = None


class Asking:
    """One question's access to the models: counts calls and tokens, knows the unedited prompts.

    Args:
        model: Whom to ask.
        style: How answers are phrased.
        calibrations: The decision's parameters.
        embedder: Compares what question and note say apart from what they share.
        on_text: Hears the unedited answer as it grows, each time whole, from the moment at which it
            is certain to be the answer.
    """

    def __init__(
        self,
        model: ChatModel,
        style: Style,
        calibrations: Calibrations,
        embedder: Embedder,
        on_text: Callable[[str], None] | None = None,
        search: Search | None = None,
    ) -> None:
        self._model = model
        self._calibrations = calibrations
        self._embedder = embedder
        self._on_text = on_text
        self._search = search
        self._decided = False
        self._so_far = ""
        self.style = style
        self.usage = Usage()

    def calibration(self, task: Task, *, logprobs: bool) -> Calibration:
        """The decision's parameters for this model, with or without log-probabilities."""
        return self._calibrations.get(task, logprobs=logprobs)

    def mark(self, task: Task, *, logprobs: bool) -> str:
        """What to remember those parameters by."""
        return self._calibrations.mark(task, logprobs=logprobs)

    async def overlap(self, question: str, note: str, likeness: Likeness | None) -> Overlap:
        """How question and note agree apart from the words that they share."""
        rests, names = residues(question, note), named(question, note)
        if not all(rests):
            # One is part of the other, so nothing in it speaks of another property.
            return Overlap(1.0, names, 1.0)
        told = [*rests, *(residues(question, note, instead=SOMEONE) if likeness else ())]
        one, other, *whole = await self._embedder.embed(told)
        return Overlap(float(one @ other), names, likeness.of(*whole) if likeness else 0.0)

    async def nearness(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """The cosine of each pair of texts, in [-1, 1]."""
        texts = list(dict.fromkeys(text for pair in pairs for text in pair))
        vectors = dict(zip(texts, await self._embedder.embed(texts), strict=True))
        return [float(vectors[one] @ vectors[other]) for one, other in pairs]

    async def search(self, text: str) -> Sequence[Candidate]:
        """What a second search finds, in the same place; nothing where there is none."""
        return await self._search(text) if self._search is not None else []

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        logprobs: bool = False,
        on_text: Callable[[str], None] | None = None,
    ) -> Completion:
        """One counted model call; it counts from its start, also when it is cancelled."""
        self.usage += Usage(calls=1)
        completion = await self._model.complete(
            messages, max_tokens=max_tokens, logprobs=logprobs, on_text=on_text
        )
        used = completion.usage
        self.usage += Usage(0, used.prompt_tokens, used.completion_tokens)
        return completion

    async def standalone(self, conversation: Sequence[Turn], question: str) -> str:
        """The question in words that need no conversation, or as it is where that fails."""
        messages = standalone(conversation, question)
        try:
            reply = await self.complete(messages, max_tokens=_STANDALONE_TOKENS)
            return question if reply.cut else question_text(reply.text)
        except (ModelError, BadInput):
            # Whatever the model is unable to do, the call that answers will say.
            return question

    async def unedited(self, question: str, *, early: bool = False) -> str:
        """What the model says by itself. Every strategy falls back to exactly this.

        Args:
            question: What to answer.
            early: Before the decision: nobody hears it until `decided` is called.
        """
        if not early:
            self.decided()
        messages = unedited(question, self.style)
        heard = self._hear if self._on_text is not None else None
        return (await self.complete(messages, max_tokens=self.style.tokens, on_text=heard)).text

    def decided(self) -> None:
        """No note answers: what the model says by itself is heard from now on."""
        self._decided = True
        if self._on_text is not None and self._so_far:
            self._on_text(self._so_far)

    def _hear(self, text: str) -> None:
        self._so_far = text
        if self._on_text is not None and self._decided:
            self._on_text(text)

    async def unedited_claim(self, claim: str) -> bool:
        """Whether the model by itself holds the claim true."""
        completion = await self.complete(unedited_claim(claim), max_tokens=_WORD_TOKENS)
        return says_yes(completion.text)


class Strategy(Protocol):
    """A way to answer. Stateless: what a question needs comes in as arguments."""

    name: str
    candidates: int
    """How many candidates it wants; 0 spares the search."""

    async def answer(
        self, question: str, candidates: Sequence[Candidate], asking: Asking
    ) -> Outcome:
        """Answer a question. Raises `ModelError`."""
        ...

    async def check(self, claim: str, candidates: Sequence[Candidate], asking: Asking) -> Checked:
        """Check a claim. Raises `ModelError`."""
        ...
