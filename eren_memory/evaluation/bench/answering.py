"""What a question costs beyond the model, and how many can be asked at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from statistics import mean

from eren_memory.domain import Place
from eren_memory.embedder import Embedder
from eren_memory.evaluation.bench.rows import Row, rate, spread, timed
from eren_memory.evaluation.bench.scripted import DELAY, GUILD, Scripted, open_scripted
from eren_memory.evaluation.bench.synthetic import Corpus
from eren_memory.prompts import Style, unedited

ASKERS = (1, 8, 32)
_QUESTIONS = 40
_ASKED = 96
_PLACE = Place(GUILD)
_ALONE = f"the model alone ({DELAY * 1000:.0f} ms a reply)"
# Their cosines are a real model's, so they are apart from the synthetic corpus.
_NOTE = "The harbour master of Fenlake is Tova Lind."
_REAL = {
    "off the notebook": "How long should a loaf of {} grams stay in a hot oven?",
    "in scope": "Who is the harbour master of Fenlake?",
    "doubtful": "When was the harbour master of Fenlake born?",
}


async def question(opened: Scripted, corpus: Corpus, size: int) -> AsyncIterator[Row]:
    """Time that the engine adds to the model's, by kind of question."""
    kinds = {
        "off the notebook": [corpus.unrelated(turn) for turn in range(_QUESTIONS + 1)],
        "in scope": [corpus.answered(turn % size) for turn in range(_QUESTIONS + 1)],
        "doubtful": [corpus.doubtful(turn % size) for turn in range(_QUESTIONS + 1)],
    }
    async for row in _delays(opened, kinds, size, "scripted vectors"):
        yield row


async def encoded_question(opened: Scripted, embedder: Embedder, size: int) -> AsyncIterator[Row]:
    """The same with a real embedding model for what is asked."""
    await opened.fill([_NOTE])
    kinds = {
        kind: [text.format(turn) for turn in range(_QUESTIONS + 1)] for kind, text in _REAL.items()
    }
    async for row in _delays(opened, kinds, size, embedder.space):
        yield row


async def _delays(
    opened: Scripted, kinds: Mapping[str, Sequence[str]], size: int, by: str
) -> AsyncIterator[Row]:
    alone = f"{_ALONE}, {by}"

    async def unaided(turn: int) -> None:
        await opened.model.complete(unedited(f"Question {turn}?", Style.CHAT), max_tokens=100)

    yield spread(alone, size, await timed(unaided, _QUESTIONS))
    for kind, texts in kinds.items():
        calls: list[int] = []

        async def ask(turn: int, texts: Sequence[str] = texts, calls: list[int] = calls) -> None:
            answer = await opened.eren.answer(texts[turn], _PLACE)
            calls.append(answer.trace.usage.calls)

        row = spread(f"question {kind} ({by})", size, await timed(ask, _QUESTIONS), alone)
        yield Row(row.what, size, row.p50_ms, row.p95_ms, baseline=alone, calls=mean(calls))


async def askers(home: Path, corpus: Corpus, embedder: Embedder, size: int) -> AsyncIterator[Row]:
    """Questions a second when many ask at once, with a real embedding model for what is asked."""
    async with open_scripted(home, embedder) as opened:
        await opened.fill([*corpus.notes(0, size), _NOTE])
        await opened.notebook.projector.project()
        await opened.eren.answer("Is it ready?", _PLACE)
        texts = [one.format(turn) for turn in range(_ASKED // 3) for one in _REAL.values()]

        async def unaided(text: str) -> None:
            await opened.model.complete(unedited(text, Style.CHAT), max_tokens=100)

        async def ask(text: str) -> None:
            await opened.eren.answer(text, _PLACE)

        name = f"askers at once, the model alone ({DELAY * 1000:.0f} ms a reply)"
        for count in ASKERS:
            asked = texts[: max(count * 3, 24)]
            for what, work, baseline in (
                (name, unaided, None),
                (f"askers at once, {size:,} notes ({embedder.space})", ask, name),
            ):
                waiting, taken = iter(asked), list[float]()

                async def one(work=work, waiting=waiting, taken=taken) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
                    for text in waiting:
                        started = time.perf_counter()
                        await work(text)
                        taken.append((time.perf_counter() - started) * 1000)

                begun = time.perf_counter()
                await asyncio.gather(*(one() for _ in range(count)))
                row = rate(what, count, len(taken), time.perf_counter() - begun, baseline)
                times = spread(what, count, taken)
                yield Row(what, count, times.p50_ms, times.p95_ms, row.per_second, baseline)
