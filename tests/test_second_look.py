"""A note that neither answers clearly nor clearly does not: the model is asked in other words."""

import random

import pytest

from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft, Origin, Path, Place
from eren_memory.fitting import fit_second
from eren_memory.relevance import NOT_COPIED, SecondLook, is_unsure
from eren_memory.wording import STAND_IN
from tests.calibrated import NOTE, QUESTION, READING, calibrate
from tests.endpoint import Endpoint, Reply

# As the model is shown them, the name hidden.
SECOND = f"{QUESTION}\n{NOTE}".replace("Fenlake Ferry", STAND_IN)
WEIGHTS = SecondLook(0.0, 1.0, 2.0)


async def answer(app: App):
    await app.notebook.add("g", NoteDraft(NOTE), By("ann"))
    return await app.eren.answer(QUESTION, Place("g"))


@pytest.mark.parametrize(
    ("first", "second", "origin", "path"),
    [
        (Reply("yes: at noon", probability=0.6), "yes", Origin.NOTEBOOK, Path.ACCEPTED),
        (Reply("yes: at noon", probability=0.6), "no", Origin.MODEL, Path.REJECTED),
    ],
)
async def test_a_second_look_decides_what_the_first_left_open(
    settings: Settings, endpoint: Endpoint, first: Reply, second: str, origin: Origin, path: Path
):
    calibrate(settings, second=WEIGHTS)
    endpoint.when(READING, first)
    endpoint.when(SECOND, Reply(second, probability=0.9))
    async with open_app(settings) as app:
        given = await answer(app)
    assert (given.origin, given.trace.path) == (origin, path)
    assert given.trace.verdict == pytest.approx(0.6)
    assert given.trace.p is not None
    assert (given.trace.p > 0.9) == (second == "yes")
    assert given.trace.usage.calls == len(endpoint.requests) == 2 + (origin is Origin.MODEL)


@pytest.mark.parametrize(("said", "probability"), [("yes: at noon", 0.99), ("no", 0.99)])
async def test_what_is_clear_costs_no_second_look(
    settings: Settings, endpoint: Endpoint, said: str, probability: float
):
    calibrate(settings, second=WEIGHTS)
    endpoint.when(READING, Reply(said, probability=probability))
    async with open_app(settings) as app:
        await answer(app)
    assert not any(SECOND in str(asked[-1]) for asked in endpoint.conversations)
    assert len(endpoint.requests) == (1 if said.startswith("yes") else 2)


async def test_the_second_look_does_not_show_the_name_either(
    settings: Settings, endpoint: Endpoint
):
    calibrate(settings, second=WEIGHTS)
    endpoint.when(READING, Reply("yes: at noon", probability=0.6))
    endpoint.when(SECOND, Reply("yes", probability=0.9))
    async with open_app(settings) as app:
        await answer(app)
    assert len(endpoint.conversations) == 2
    assert not any("Fenlake" in asked[-1]["content"] for asked in endpoint.conversations)


async def test_a_model_that_goes_away_before_the_second_look_leaves_the_first_verdict(
    settings: Settings, endpoint: Endpoint
):
    calibrate(settings, second=WEIGHTS)
    endpoint.when(READING, Reply("yes: at noon", probability=0.6))
    endpoint.when(SECOND, Reply(status=429))
    async with open_app(settings) as app:
        given = await answer(app)
    assert given.text == "at noon"


async def test_a_yes_with_an_answer_that_the_note_does_not_have_speaks_for_something_else(
    settings: Settings, endpoint: Endpoint
):
    calibrate(settings)
    endpoint.when(READING, Reply("yes: at midnight", probability=0.8))
    async with open_app(settings) as app:
        given = await answer(app)
    assert given.trace.verdict == NOT_COPIED
    assert given.origin is Origin.MODEL


async def test_a_yes_whose_answer_is_the_name_that_was_asked_about_speaks_for_something_else(
    settings: Settings, endpoint: Endpoint
):
    calibrate(settings)
    endpoint.when(READING, Reply(f"yes: {STAND_IN}.", probability=0.8))
    async with open_app(settings) as app:
        given = await answer(app)
    assert given.trace.verdict == NOT_COPIED
    assert given.origin is Origin.MODEL


def drawn(verdict_tells: bool) -> list[tuple[float, float, bool]]:
    draw = random.Random(0)
    rows = []
    for _ in range(200):
        answers = draw.random() < 0.5
        second = draw.betavariate(*((4, 2) if answers and verdict_tells else (2, 4)))
        rows.append((draw.uniform(0.3, 0.7), second, answers))
    return rows


def test_a_second_verdict_that_tells_is_fitted_to_move_the_decision():
    fitted = fit_second(drawn(verdict_tells=True))
    assert fitted is not None
    assert fitted.probability(0.5, 0.9) > 0.5 > fitted.probability(0.5, 0.1)


def test_no_second_look_is_fitted_to_a_handful_of_rows():
    assert fit_second(drawn(verdict_tells=True)[:12]) is None


@pytest.mark.parametrize(("p", "unsure"), [(0.02, False), (0.5, True), (0.99, False)])
def test_only_what_is_neither_here_nor_there_is_unsure(p: float, unsure: bool):
    assert is_unsure(p) is unsure
