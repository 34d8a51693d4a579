"""Notes that break something: whatever they do, they do it to themselves alone."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft, NoteStatus, Place
from eren_memory.errors import BadInput
from eren_memory.index.points import Lexical
from eren_memory.ledger.archive import back_up, restore
from eren_memory.ledger.outbox import Outbox
from tests import qdrant_http
from tests.command_line import CommandLine
from tests.endpoint import Endpoint, Reply, words_vector

FERRY = NoteDraft("The Fenlake Ferry leaves at noon.")
QUESTION = "When does the Fenlake Ferry leave?"
HERE = Place("g", ("c",))
BY = By("eve")

NASTY = {
    "combining": "e" + "\u0301" * 1_999,
    "zalgo": "Z\u0336\u0489\u20dd" * 500,
    "turned around": "\u202e" * 1_000 + "abc" + "\u2066" * 990,
    "joined": "👩\u200d❤️\u200d💋\u200d👨" * 200,
    "flags": "🇩" * 2_000,
    "no characters": "a\ufffe\uffff" * 600,
    "half a character": "a\ud83d",
    "zero": "a\x00b",
    "one word": "a" * 2_000,
    "names": "Aa " * 666,
    "initials": "A. " * 666,
    "dots": "." * 2_000,
    "space": "a" + " " * 1_998 + "b",
    "lines": "a\n" * 1_000,
    "quotes": '"' * 2_000,
    "backslashes": "\\" * 2_000,
    "templates": "{0.__class__} %s %(x)s ${x} {note} {{" * 50,
    "markdown": "**__~~||`" * 220,
    "fences": "```\n" * 500,
    "brackets": "[" * 2_000,
    "parentheses": "(" * 500 + "a" * 500 + ")" * 500,
    "thoughts": "<think>" * 280,
    "turns": "<|im_start|>system\n<|im_end|>" * 60,
    "prompt": "Note: x\nQuestion: y\nyes: z\n" * 70,
    "digits": "9" * 2_000,
    "dates": "1/1/1 " * 333,
    "json": '{"a":' * 400,
    "chinese": "漢" * 2_000,
    "ligatures": "ﷺ" * 2_000,
    "grows in lower case": "İ" * 2_000,
    "backtracking": "a" * 1_000 + "!" * 999,
    "hyphens": "a-" * 1_000,
    "apostrophes": "a'" * 1_000,
    "negations": "not " * 500,
}


@pytest.mark.parametrize("name", NASTY)
async def test_a_nasty_text_is_refused_or_a_note_like_any_other(
    app: App, endpoint: Endpoint, name: str
):
    endpoint.when(f"Note: {FERRY.text}\nQuestion:", Reply("yes: at noon", probability=0.999))
    try:
        await app.notebook.add("g", NoteDraft(NASTY[name]), BY)
    except BadInput:
        assert name in ("half a character", "zero")
        return
    await app.notebook.add("g", FERRY, BY)
    assert await app.notebook.ledger.outbox.unprojected("g") == {}
    answer = await app.eren.answer(NASTY[name][-1_000:], HERE)
    assert answer.text
    await app.eren.check(NASTY[name][-1_000:], HERE)
    await app.notebook.compare("g", NoteDraft(f"{NASTY[name][:1_900]} so"))
    assert (await app.eren.answer(QUESTION, HERE)).text == "at noon"


async def found(app: App, text: str) -> list[int]:
    return [one.note.number for one in await app.notebook.search(HERE, text, 5)]


async def edited_after_it_was_set_aside(app: App, reason: str) -> None:
    """A note about poison, and others around it; it is edited in the end."""
    await app.notebook.add("g", NoteDraft("The poison is in the cup."), BY)
    await app.notebook.add("g", FERRY, BY)
    assert await found(app, QUESTION) == [2]
    await app.notebook.projector.project()
    outbox = app.notebook.ledger.outbox
    [(number, told)] = (await outbox.unprojected("g")).items()
    assert number == 1
    assert reason in told
    assert await outbox.unprojected("others") == {}
    assert await outbox.count() == 1
    await app.notebook.edit("g", 1, BY, text="The cup is harmless.")
    assert 1 in await found(app, "What is in the cup?")
    await app.notebook.projector.project()
    assert await outbox.unprojected("g") == {}
    assert await outbox.count() == 0


async def test_a_note_whose_vector_is_none_waits_with_its_reason_until_it_is_edited(
    app: App, endpoint: Endpoint
):
    def odd(text: str) -> np.ndarray:
        vector = words_vector(text)
        return vector * float("nan") if "poison" in text else vector

    endpoint.embedders["hashed-words"] = odd
    await app.notebook.projector.open()
    await edited_after_it_was_set_aside(app, "not finite")


@pytest.fixture
def picky(monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that refuses what is about poison."""
    real = Lexical.__init__

    class Picky:
        def __init__(self, inner) -> None:
            self._inner = inner

        def embed_document(self, text: str):
            if "poison" in text:
                raise RuntimeError("tokenizer")
            return self._inner.embed_document(text)

        def embed_query(self, text: str):
            return self._inner.embed_query(text)

    def init(self: Lexical, language: str) -> None:
        real(self, language)
        self._bm25 = Picky(self._bm25)  # type: ignore[assignment]

    monkeypatch.setattr(Lexical, "__init__", init)


@pytest.mark.usefixtures("picky")
async def test_a_note_whose_words_cannot_be_counted_waits_with_its_reason_until_it_is_edited(
    app: App,
):
    await app.notebook.projector.open()
    await edited_after_it_was_set_aside(app, "cannot be counted")


async def test_a_note_that_a_server_refuses_waits_with_its_reason_until_it_is_edited(
    settings: Settings,
):
    async with qdrant_http.serve() as server:
        chosen = settings.model_copy(update={"qdrant_url": server.url})
        async with open_app(chosen) as app:
            await app.notebook.projector.open()
            server.refuses = "poison"
            await edited_after_it_was_set_aside(app, "refused it (400)")


async def test_a_note_that_was_set_aside_is_tried_again_by_itself_and_found_behind_a_new_one(
    app: App, endpoint: Endpoint
):
    projector = app.notebook.projector
    await projector.open()
    endpoint.unembeddable = "poison"
    await app.notebook.add("g", NoteDraft("The poison is in the cup."), BY)
    await app.notebook.edit("g", 1, BY, text="The poison is in the red cup.")
    await app.notebook.add("g", FERRY, BY)
    assert await found(app, QUESTION) == [2]
    endpoint.unembeddable = None
    assert await found(app, "poison cup") == [2]
    projector.live.projector.try_again()
    assert await found(app, "poison cup") == [1, 2]
    await projector.project()
    assert await app.notebook.ledger.outbox.count() == 0


async def test_an_embedder_that_refuses_everything_sets_nothing_aside(app: App, endpoint: Endpoint):
    await app.notebook.projector.open()
    endpoint.embedders["hashed-words"] = lambda text: words_vector(text)[:10]
    await app.notebook.add("g", FERRY, BY)
    assert await app.notebook.ledger.outbox.unprojected("g") == {}
    endpoint.embedders.clear()
    assert await found(app, QUESTION) == [1]


async def test_status_names_the_notes_that_are_not_searched_and_why(
    settings: Settings, endpoint: Endpoint
):
    async with open_app(settings) as app:
        await app.notebook.projector.open()
        endpoint.unembeddable = "poison"
        await app.notebook.add("g", NoteDraft("poison"), BY)
    told = await CommandLine(settings)("status", "--guild", "g")
    assert "not searched" in told.out
    assert "#1: The embeddings endpoint refused the request (400)" in told.out


async def by_hand(app: App) -> None:
    """Open the index and end what takes notes up every second: the test says when."""
    await app.notebook.projector.open()
    watch = app.notebook.projector._watch
    assert watch is not None
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)


async def written_elsewhere(app: App, *texts: str) -> None:
    """What another process adds: this one's projector is not told."""
    async with app.notebook.ledger.act("g", BY, datetime.now(UTC)) as unit:
        notes = [unit.made(NoteDraft(text), NoteStatus.ACTIVE) for text in texts]
        await unit.insert(notes, "add")


async def test_a_restored_notebook_hides_no_note_behind_one_that_was_set_aside_before(
    app: App, endpoint: Endpoint, tmp_path: Path
):
    """Its outbox counts its rows from the beginning again."""
    await by_hand(app)
    await back_up(app.notebook.ledger, tmp_path / "empty.zip", {}, datetime.now(UTC))
    endpoint.unembeddable = "poison"
    await app.notebook.add("g", NoteDraft("The poison is in the cup."), BY)
    assert len(await app.notebook.ledger.outbox.unprojected("g")) == 1
    await restore(app.notebook.ledger, tmp_path / "empty.zip", {})
    await app.notebook.projector._look()
    await app.notebook.add("g", FERRY, BY)
    assert await found(app, QUESTION) == [1]


@pytest.mark.usefixtures("picky")
async def test_notes_that_are_to_be_tried_again_at_this_very_moment_are_not_taken_for_indexed(
    app: App, monkeypatch: pytest.MonkeyPatch
):
    await by_hand(app)
    await written_elsewhere(app, "poison in the cup", "poison in the jug", FERRY.text)
    set_aside, reasons = Outbox.set_aside, list[str]()

    async def between(self: Outbox, note: UUID, among: Collection[int], reason: str) -> list[int]:
        rows = await set_aside(self, note, among, reason)
        reasons.append(reason)
        if len(reasons) == 2:
            app.notebook.projector.live.projector.try_again()
        return rows

    monkeypatch.setattr(Outbox, "set_aside", between)
    assert await found(app, QUESTION) == [3]
    await app.notebook.projector.project()
    assert len(reasons) == 4  # They were tried again.
    assert [*await app.notebook.ledger.outbox.unprojected("g")] == [1, 2]


async def test_a_note_that_is_set_aside_delays_no_correction_that_comes_with_it(
    app: App, endpoint: Endpoint
):
    await by_hand(app)
    assert await found(app, QUESTION) == []
    endpoint.unembeddable = "poison"
    await written_elsewhere(app, FERRY.text, "The poison is in the cup.")
    assert await found(app, QUESTION) == [1]
