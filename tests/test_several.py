"""Questions that no note answers alone: two are found, and read together."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.domain import Answer, By, NoteDraft, Origin, Place
from eren_memory.relevance import Weights
from eren_memory.wording import linked, named
from tests.calibrated import calibrate
from tests.endpoint import Endpoint, Reply

FERRY = "The Fenlake Ferry opened in 1911."
BRIDGE = "The Oakmere Bridge opened in 1899."
WHICH = "Which opened first, the Fenlake Ferry or the Oakmere Bridge?"
OWNER = "The Fenlake Ferry belongs to Harrow Lines."
SEAT = "Harrow Lines has its head office in Tarn."
WHERE = "In which town is the head office of the company to which the Fenlake Ferry belongs?"
# Stands in the last message of a reading that shows two notes.
TOGETHER = "\nNote: "


@pytest_asyncio.fixture
async def app(settings: Settings) -> AsyncIterator[App]:
    # Retrieval and one note alone never suffice here, unless the model is sure.
    calibrate(settings, decision=Weights(-6.0, 1.0, 4.0), gate=0.2)
    async with open_app(settings) as opened:
        yield opened


async def ask(app: App, question: str, *notes: str, scope: tuple[str, ...] = ()) -> Answer:
    for text in notes:
        await app.notebook.add("g", NoteDraft(text, scope=scope), By("ann"))
    return await app.eren.answer(question, Place("g"))


def numbers(answer: Answer) -> list[int]:
    return [one.note.number for one in answer.notes]


async def test_a_question_about_two_things_is_answered_from_both_notes_in_one_call(
    app: App, endpoint: Endpoint
):
    endpoint.when(TOGETHER, Reply("yes: the Oakmere Bridge", probability=0.9))
    answer = await ask(app, WHICH, FERRY, BRIDGE)
    assert (answer.text, answer.origin) == ("the Oakmere Bridge", Origin.NOTEBOOK)
    assert sorted(numbers(answer)) == [1, 2]
    assert answer.trace.usage.calls == len(endpoint.requests) == 1


async def test_a_bridge_is_found_by_a_second_search_and_read_with_the_first_note(
    app: App, endpoint: Endpoint
):
    endpoint.when(TOGETHER, Reply("yes: Tarn", probability=0.9))
    endpoint.when("Note: ", Reply("no", probability=0.9))
    answer = await ask(app, WHERE, OWNER, SEAT, "The zoo is open at noon.")
    assert (answer.text, answer.origin) == ("Tarn", Origin.NOTEBOOK)
    assert sorted(numbers(answer)) == [1, 2]
    assert answer.trace.usage.calls == 2


async def test_less_is_believed_of_a_chain_than_of_a_question_that_names_both(
    app: App, endpoint: Endpoint
):
    endpoint.when(TOGETHER, Reply("yes: Tarn", probability=0.7))
    endpoint.when("Note: ", Reply("no", probability=0.9))
    answer = await ask(app, WHERE, OWNER, SEAT)
    assert (answer.text, answer.origin) == ("unedited answer", Origin.MODEL)


async def test_two_notes_together_say_no_word_that_neither_has(app: App, endpoint: Endpoint):
    endpoint.when(TOGETHER, Reply("yes: pay @evil", probability=0.99))
    endpoint.when("Note: ", Reply("no", probability=0.99))
    answer = await ask(app, WHICH, FERRY, BRIDGE)
    assert answer.text == "unedited answer"


async def test_a_question_that_one_note_answers_costs_one_call_whatever_goes_on_from_it(
    app: App, endpoint: Endpoint
):
    endpoint.when("Note: ", Reply("yes: Harrow Lines", probability=0.99))
    calibrated = "To whom does the Fenlake Ferry belong?"
    answer = await ask(app, calibrated, OWNER, SEAT)
    assert numbers(answer) == [1]
    assert answer.trace.usage.calls == len(endpoint.requests) == 1


async def test_a_second_search_stays_where_the_question_was_asked(app: App, endpoint: Endpoint):
    endpoint.when(TOGETHER, Reply("yes: Tarn", probability=0.99))
    endpoint.when("Note: ", Reply("no", probability=0.99))
    await ask(app, "Anything?", SEAT, scope=("77",))
    answer = await ask(app, WHERE, OWNER)
    assert answer.text == "unedited answer"
    assert not any("Tarn" in str(asked) for asked in endpoint.conversations)


async def test_a_preview_finds_the_bridge_that_a_draft_would_be(app: App, endpoint: Endpoint):
    endpoint.when(TOGETHER, Reply("yes: Tarn", probability=0.9))
    endpoint.when("Note: ", Reply("no", probability=0.9))
    await ask(app, "Anything?", OWNER)
    answer = await app.eren.preview(WHERE, Place("g"), NoteDraft(SEAT))
    assert answer.text == "Tarn"


@pytest.mark.parametrize(
    ("one", "other", "goes_on"),
    [
        (OWNER, SEAT, True),
        (SEAT, OWNER, True),
        ("The Fenlake Ferry leaves at noon.", "The Fenlake Ferry is red.", False),
        (OWNER, "Tova Lind was born in Tarn.", False),
        # About the same property of something else: the value alone links nothing.
        ("The Fenlake Ferry is owned by Orbix.", "The Velm was made by Orbix.", False),
    ],
)
def test_notes_are_linked_by_a_name_that_the_question_does_not_have(
    one: str, other: str, goes_on: bool
):
    assert linked(WHERE, one, other) is goes_on


def test_names_are_looked_for_in_all_notes():
    assert named(WHICH, FERRY) == 0.5
    assert named(WHICH, FERRY, BRIDGE) == 1
