"""Many notes about one thing: the one that speaks of what is asked is read."""

import re
from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio

from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft, Place
from eren_memory.relevance import Weights
from tests.calibrated import READING, calibrate
from tests.endpoint import DIMENSION, Endpoint, Reply

QUESTION = "When does the Fenlake Ferry leave?"
RIGHT = "The Fenlake Ferry sails at noon."
THINGS = ("song", "stamp", "choir", "cake", "poster")
# What the embedder makes of a word: a name outweighs all else, and to leave and to sail are one.
MEANINGS = {"fenlake": (0, 4.0), "leave": (1, 0.2), "sails": (1, 2.0), "far": (-2, 20.0)} | {
    thing: (place + 2, 0.5) for place, thing in enumerate(THINGS)
}


def meant(text: str) -> np.ndarray:
    vector = np.full(DIMENSION, 1e-3, dtype=np.float32)
    for word in re.findall(r"\w+", text.lower()):
        place, weight = MEANINGS.get(word, (-1, 0.0))
        vector[place] += weight
    return vector / np.linalg.norm(vector)


@pytest_asyncio.fixture
async def app(settings: Settings, endpoint: Endpoint) -> AsyncIterator[App]:
    endpoint.embedders["hashed-words"] = meant
    endpoint.when(READING, Reply("yes: at noon", probability=0.999))
    calibrate(settings, decision=Weights(-2.5, 1.0, 4.0), gate=0.3)
    async with open_app(settings) as opened:
        yield opened


async def fill(app: App, *notes: str) -> None:
    await app.notebook.add_many("g", [NoteDraft(text) for text in notes], By("ann"))


def about(thing: str) -> str:
    # The name twice, and hardly more: nearer to any question with the name, by meaning and by words.
    return f"Fenlake Ferry: the Fenlake Ferry {thing}."


async def test_of_many_notes_about_one_thing_the_one_is_read_that_speaks_of_what_is_asked(
    app: App, endpoint: Endpoint
):
    await fill(app, *map(about, THINGS), RIGHT)
    answer = await app.eren.answer(QUESTION, Place("g"))
    assert answer.trace.candidates[0].note.text != RIGHT
    assert [one.note.text for one in answer.notes] == [RIGHT]
    assert answer.trace.usage.calls == 1


@pytest.mark.parametrize(
    ("question", "things"),
    [
        (QUESTION.lower(), THINGS),
        (QUESTION, THINGS[:1]),
        (QUESTION, ("far song", "far stamp", "far choir")),
    ],
    ids=["no name", "two notes", "others further off"],
)
async def test_elsewhere_nothing_more_is_embedded(
    app: App, endpoint: Endpoint, question: str, things: tuple[str, ...]
):
    await fill(app, *map(about, things), RIGHT)
    await app.eren.answer(question, Place("g"))
    assert not [text for text in endpoint.embedded if "this thing" in text]
