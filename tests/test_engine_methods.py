"""Claims and the published methods, against a real endpoint whose replies are scripted."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from eren_memory import errors
from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.domain import By, ClaimVerdict, NoteDraft, Origin, Place
from eren_memory.prompts import unedited_claim
from tests.calibrated import NOTE, QUESTION, READING, calibrate
from tests.endpoint import Endpoint, Reply

PLACE = Place("g")
ANN = By("ann")


@pytest_asyncio.fixture
async def app(settings: Settings) -> AsyncIterator[App]:
    calibrate(settings)
    async with open_app(settings) as opened:
        await opened.notebook.add("g", NoteDraft(NOTE), ANN)
        yield opened


async def ask(app: App, question: str = QUESTION, method: str = "eren"):
    return await app.eren.answer(question, PLACE, method)


@pytest.mark.parametrize("method", ["eren", "eren-paper"])
async def test_the_fallback_of_a_claim_is_byte_for_byte_the_unedited_one(
    app: App, endpoint: Endpoint, method: str
):
    endpoint.when(READING, Reply("unknown", probability=0.99))
    endpoint.when("Can we conclude", Reply("It's impossible to say"))
    claim = "The Fenlake Ferry is red."
    await app.eren.check(claim, PLACE, "unedited")
    await app.eren.check(claim, PLACE, method)
    first, *_, last = endpoint.requests
    assert len(endpoint.requests) == 3
    assert first == last
    assert first["messages"] == unedited_claim(claim)


@pytest.mark.parametrize(
    ("word", "verdict", "answer"),
    [("true", ClaimVerdict.SUPPORTED, "yes"), ("false", ClaimVerdict.REFUTED, "no")],
)
async def test_a_claim_that_a_note_decides_is_decided_by_it(
    app: App, endpoint: Endpoint, word: str, verdict: ClaimVerdict, answer: str
):
    endpoint.when(READING, Reply(word, probability=0.98))
    checked = await app.eren.check("The Fenlake Ferry leaves at dawn.", PLACE)
    assert (checked.verdict, checked.answer, checked.origin) == (verdict, answer, Origin.NOTEBOOK)
    assert [one.note.number for one in checked.notes] == [1]


async def test_a_claim_that_no_note_decides_gets_the_models_own_yes_or_no(
    app: App, endpoint: Endpoint
):
    endpoint.when(READING, Reply("unknown", probability=0.99))
    endpoint.when("Is it true that", Reply("Yes"))
    checked = await app.eren.check("The Fenlake Ferry is red.", PLACE)
    assert (checked.verdict, checked.answer) == (ClaimVerdict.SILENT, "yes")
    assert (checked.origin, checked.notes) == (Origin.MODEL, ())


async def test_the_papers_method_answers_from_five_notes_or_falls_back(
    app: App, endpoint: Endpoint
):
    for number in range(6):
        await app.notebook.add("g", NoteDraft(f"The Fenlake Ferry has deck {number}."), ANN)
    endpoint.when("Read this and", Reply("At noon"))
    answer = await ask(app, method="eren-paper")
    assert (answer.text, answer.origin, len(answer.notes)) == ("At noon", Origin.NOTEBOOK, 5)
    assert answer.trace.usage.calls == 1


async def test_one_step_has_no_way_out(app: App, endpoint: Endpoint):
    endpoint.when("Read this and", Reply("unanswerable"))
    answer = await ask(app, method="one-step")
    assert (answer.text, answer.origin) == ("unanswerable", Origin.NOTEBOOK)


async def test_the_unedited_method_does_not_look_at_the_notebook(app: App, endpoint: Endpoint):
    answer = await ask(app, method="unedited")
    assert (answer.text, answer.trace.candidates) == ("unedited answer", ())


@pytest.mark.parametrize(
    ("question", "fault"),
    [("  ", "empty"), ("x" * 1001, "limit is 1,000"), ("a\x00b", "unreadable")],
)
async def test_a_bad_question_reaches_no_model(app: App, endpoint: Endpoint, question, fault):
    with pytest.raises(errors.BadInput, match=fault):
        await ask(app, question)
    assert endpoint.requests == []


async def test_an_unknown_method_names_the_known_ones(app: App):
    with pytest.raises(errors.BadInput, match="eren, eren-paper, one-step, unedited"):
        await ask(app, method="magic")


async def test_other_guilds_notes_are_not_even_candidates(app: App):
    answer = await app.eren.answer(QUESTION, Place("another"))
    assert answer.trace.candidates == ()
    assert answer.origin is Origin.MODEL
