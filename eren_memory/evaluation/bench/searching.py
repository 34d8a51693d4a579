"""How long a search takes: ours, and what one could have taken instead."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eren_memory.domain import Place, View
from eren_memory.evaluation.bench import alternatives
from eren_memory.evaluation.bench.rows import Row, spread, timed
from eren_memory.evaluation.bench.scripted import GUILD, Scripted
from eren_memory.evaluation.bench.synthetic import Corpus, WordsEmbedder
from eren_memory.finding import utc_now

SCAN = "numpy scan, 20 best"
_LIMIT = 20
_SEARCHES = 200
_GUILD_NOTES = 100
_STEP = 5_000


async def search(opened: Scripted, corpus: Corpus, size: int) -> AsyncIterator[Row]:
    """Of a guild that has all the notes, beside scans and another index over the same vectors."""
    embedder = WordsEmbedder()
    asked = [corpus.answered(turn * 7 % size) for turn in range(_SEARCHES + 1)]
    questions = await embedder.embed(asked)
    vectors = await _vectors(corpus, size)
    index = await opened.notebook.projector.ready()
    view = View(GUILD, (), utc_now())
    place = Place(GUILD)

    async def ours(turn: int) -> None:
        found = await opened.notebook.search(place, asked[turn], _LIMIT)
        if found[0].note.text != corpus.note(turn * 7 % size):
            raise RuntimeError(f"the search did not find the note for {asked[turn]!r}")

    yield spread(SCAN, size, await timed(_called(alternatives.scan, vectors, questions), _SEARCHES))
    paper = _called(alternatives.published, vectors, questions)
    yield spread(
        "the paper's retriever (all inner products, 5 best)",
        size,
        await timed(paper, _SEARCHES),
        SCAN,
    )
    yield spread("search, one guild (scripted vectors)", size, await timed(ours, _SEARCHES), SCAN)
    alone = await timed(
        lambda turn: index.search(asked[turn], questions[turn][None], view, _LIMIT), _SEARCHES
    )
    yield spread("search, one guild, the index alone (scripted vectors)", size, alone, SCAN)
    name = "qdrant-client, local mode (scripted vectors)"
    try:
        other = alternatives.LocalQdrant(vectors, GUILD)
    except ImportError as error:
        yield Row(name, size, baseline=SCAN, error=str(error))
        return
    yield spread(name, size, await timed(_called(other.search, questions), _SEARCHES), SCAN)


async def guilds(opened: Scripted, corpus: Corpus, size: int) -> AsyncIterator[Row]:
    """Of many small guilds in one index."""
    count = max(1, size // _GUILD_NOTES)
    for guild in range(count):
        start = guild * _GUILD_NOTES
        notes = corpus.notes(start, min(start + _GUILD_NOTES, size))
        await opened.fill(notes, f"guild-{guild}")
    await opened.notebook.projector.project()
    places = [turn * 131 % count for turn in range(_SEARCHES + 1)]
    asked = [corpus.answered(min(place * _GUILD_NOTES + 3, size - 1)) for place in places]

    async def ours(turn: int) -> None:
        found = await opened.notebook.search(Place(f"guild-{places[turn]}"), asked[turn], _LIMIT)
        if not found:
            raise RuntimeError(f"the search found nothing for {asked[turn]!r}")

    embedder = WordsEmbedder()
    questions = await embedder.embed(asked)
    of_one = await _vectors(corpus, min(_GUILD_NOTES, size))
    alone = "numpy scan of one guild's notes"
    scanned = await timed(_called(alternatives.scan, of_one, questions), _SEARCHES)
    yield spread(alone, size, scanned)
    yield spread(
        f"search, {count:,} guilds of {_GUILD_NOTES} notes (scripted vectors)",
        size,
        await timed(ours, _SEARCHES),
        alone,
    )


async def _vectors(corpus: Corpus, size: int) -> NDArray[np.float32]:
    embedder = WordsEmbedder()
    parts = [
        await embedder.embed(corpus.notes(start, min(start + _STEP, size)))
        for start in range(0, size, _STEP)
    ]
    return np.concatenate(parts)


def _called(work: Callable[..., Any], *given: Any) -> Callable[[int], Awaitable[None]]:
    """A plain function of a question's vector as a thing to be timed."""
    *first, questions = given
    rows: Sequence[Any] = questions

    async def call(turn: int) -> None:
        work(*first, rows[turn])

    return call
