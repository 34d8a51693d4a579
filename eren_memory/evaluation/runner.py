"""Ask every case by every method, in notebooks of growing size. What comes back becomes a row."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

from eren_memory.app import App
from eren_memory.around_model import AroundModel, Ask
from eren_memory.domain import Answer, ClaimCheck, Place
from eren_memory.engine import Eren
from eren_memory.evaluation.bench_notebook import GUILD, fill
from eren_memory.evaluation.datasets import Case, Edit, Kind
from eren_memory.evaluation.journal import AGAIN, REFERENCE, UNSIZED, Journal, Row
from eren_memory.evaluation.methods import knowing
from eren_memory.llm import ChatModel, Completion, Message
from eren_memory.projection import Progress
from eren_memory.prompts import Style, unedited, unedited_claim
from eren_memory.strategies import STRATEGIES, Strategy
from eren_memory.text import question_text
from eren_memory.verdicts import says_yes

Heard = list[tuple[list[Message], str]]
"""Requests with their replies."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A size of the notebook: the edits in it, and what is asked then."""

    edits: tuple[Edit, ...]
    cases: tuple[Case, ...]


class Recorder(AroundModel):
    """A chat model that remembers, for each question, what was asked of it and what it replied."""

    def __init__(self, model: ChatModel) -> None:
        super().__init__(model)
        self._heard: ContextVar[Heard | None] = ContextVar("heard", default=None)

    async def _around(self, messages: Sequence[Message], ask: Ask) -> Completion:
        reply = await ask()
        heard = self._heard.get()
        if heard is not None:
            heard.append((list(messages), reply.text))
        return reply

    @contextmanager
    def listening(self) -> Iterator[Heard]:
        """What the model hears and says on behalf of this task."""
        heard: Heard = []
        token = self._heard.set(heard)
        try:
            yield heard
        finally:
            self._heard.reset(token)


class Runner:
    """Asks one notebook by several methods.

    Args:
        app: The notebook, without the edits; the model; the calibrations.
        strategies: The methods by name.
        claims: Whether the cases are claims.
        concurrency: Questions at once.
        journal: Where rows are written as they come.
        known: Rows that the journal has already; those that failed are asked again.
        progress: Told (rows, rows in all).
    """

    def __init__(
        self,
        app: App,
        strategies: Mapping[str, Strategy],
        *,
        claims: bool,
        concurrency: int,
        journal: Journal,
        known: Sequence[Row],
        progress: Progress,
    ) -> None:
        self._app = app
        self._strategies = strategies
        self._claims = claims
        self._limit = asyncio.Semaphore(concurrency)
        self._journal = journal
        self._rows = {row.key: row for row in known if not row.error}
        self._progress = progress
        self._total = 0
        self._recorder = Recorder(app.chat_model)

    async def run(self, stages: Sequence[Stage]) -> list[Row]:
        """All rows of these stages: the unedited model's first, then stage by stage.

        A failure becomes a row; it does not end the run.
        """
        texts = dict.fromkeys(case.text for stage in stages for case in stage.cases)
        outside = {
            case.text for stage in stages for case in stage.cases if case.kind is not Kind.SCOPE
        }
        plain = [Case("", Kind.OUT_OF_SCOPE, text, None) for text in texts]
        again = [case for case in plain if case.text in outside and REFERENCE in self._strategies]
        self._total = len(plain) + len(again)
        self._total += sum(len(stage.cases) for stage in stages) * len(self._strategies)
        await self._app.warm()
        await self._ask_all(REFERENCE, UNSIZED, plain, STRATEGIES, {})
        await self._ask_all(AGAIN, UNSIZED, again, {AGAIN: STRATEGIES[REFERENCE]}, {})
        for stage in stages:
            await fill(self._app, [text for edit in stage.edits for text in edit.statements])
            notes = {edit.id: edit.statements for edit in stage.edits}
            strategies = knowing(self._strategies, stage.edits)
            for method in strategies:
                if method == REFERENCE:
                    self._copy_reference(len(stage.edits), stage.cases)
                else:
                    await self._ask_all(method, len(stage.edits), stage.cases, strategies, notes)
        return list(self._rows.values())

    async def _ask_all(
        self,
        method: str,
        edits: int,
        cases: Sequence[Case],
        strategies: Mapping[str, Strategy],
        notes: Mapping[str, Sequence[str]],
    ) -> None:
        eren = Eren(
            self._app.notebook, self._recorder, self._app.calibrations, Style.SHORT, strategies
        )

        async def ask(case: Case) -> None:
            async with self._limit:
                row = await self._ask(eren, Row.unanswered(edits, method, case), notes)
            self._keep(row)

        left = [case for case in cases if (edits, method, case) not in self._rows]
        await asyncio.gather(*(ask(case) for case in left))

    def _copy_reference(self, edits: int, cases: Sequence[Case]) -> None:
        """The unedited model does not look at the notebook: its answers are those it gave already."""
        for case in cases:
            if (edits, REFERENCE, case) not in self._rows:
                plain = Case("", Kind.OUT_OF_SCOPE, case.text, None)
                answered = self._rows[UNSIZED, REFERENCE, plain]
                self._keep(replace(answered, edits=edits, case=case))

    def _keep(self, row: Row) -> None:
        self._journal.add(row)
        self._rows[row.key] = row
        self._progress(len(self._rows), self._total)

    async def _ask(self, eren: Eren, row: Row, notes: Mapping[str, Sequence[str]]) -> Row:
        """`row` with the answer, or with what went wrong."""
        case, place = row.case, Place(GUILD)
        said: Answer | ClaimCheck
        with self._recorder.listening() as heard:
            try:
                if self._claims:
                    said = await eren.check(case.text, place, row.method)
                    answer = said.answer
                else:
                    said = await eren.answer(case.text, place, row.method)
                    answer = said.text
            # A method under test may raise anything, and the run has others to ask.
            except Exception as error:  # noqa: BLE001
                return replace(row, error=f"{type(error).__name__}: {error}")
        found = [one.note.text for one in said.trace.candidates]
        own = notes.get(case.edit_id, ()) if found and case.kind is Kind.SCOPE else ()
        return replace(
            row,
            answer=answer,
            origin=said.origin,
            path=said.trace.path,
            fell_back=_fell_back(case.text, answer, heard, claims=self._claims),
            usage=said.trace.usage,
            milliseconds=said.trace.milliseconds,
            verdict=said.trace.verdict,
            p=said.trace.p,
            ranks=tuple(found.index(text) + 1 if text in found else None for text in own),
            cosine=max((one.dense for one in said.trace.candidates), default=None),
            error=None,
        )


def _fell_back(text: str, answer: str, heard: Heard, *, claims: bool) -> bool:
    """Whether an answer is what the unedited request, the same to the byte, was replied."""
    asked_as = question_text(text)
    request = unedited_claim(asked_as) if claims else unedited(asked_as, Style.SHORT)
    for asked, reply in heard:
        same = says_yes(reply) == (answer == "yes") if claims else reply == answer
        if asked == request and same:
            return True
    return False
