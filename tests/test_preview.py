"""The answer that a draft would lead to, before anything is written."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio

from eren_memory import errors
from eren_memory.app import App, open_app
from eren_memory.community import Length, Tone
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft, Origin, Path, Place
from eren_memory.finding import utc_now
from eren_memory.prompts import chat_style, unedited
from tests.calibrated import NOTE, QUESTION, calibrate
from tests.endpoint import Endpoint, Reply

PLACE = Place("g", ("harbour",))
ANN = By("ann")
DRAFT = NoteDraft("The Fenlake Ferry leaves at dusk.")
DAY = timedelta(days=1)


@pytest_asyncio.fixture
async def app(settings: Settings, endpoint: Endpoint) -> AsyncIterator[App]:
    """Whoever reads the draft answers from it; whoever reads the old note alone, from that."""
    calibrate(settings)
    endpoint.when("at dusk", Reply("yes: at dusk", probability=0.95))
    endpoint.when("at noon", Reply("yes: at noon", probability=0.95))
    async with open_app(settings) as opened:
        yield opened


async def test_a_draft_answers_as_if_it_were_a_note(app: App):
    answer = await app.eren.preview(QUESTION, PLACE, DRAFT)
    assert (answer.text, answer.origin) == ("at dusk", Origin.NOTEBOOK)
    assert [one.note.number for one in answer.notes] == [0]
    assert answer.notes[0].note.text == DRAFT.text
    assert (answer.trace.path, answer.trace.method) == (Path.ACCEPTED, "eren")
    assert answer.question == QUESTION


async def test_a_preview_is_the_answer_that_saving_leads_to(app: App):
    await app.notebook.add("g", NoteDraft(NOTE), ANN)
    before = await app.eren.preview(QUESTION, PLACE, DRAFT, instead_of=[1])
    await app.notebook.add("g", DRAFT, ANN, supersedes=[1])
    after = await app.eren.answer(QUESTION, PLACE)
    assert (before.text, before.trace.path) == (after.text, after.trace.path)
    assert before.notes[0].dense == pytest.approx(after.notes[0].dense)
    assert before.trace.p == pytest.approx(after.trace.p)


async def test_a_preview_writes_nothing(app: App):
    await app.notebook.add("g", NoteDraft(NOTE), ANN)
    await app.eren.preview(QUESTION, PLACE, DRAFT, instead_of=[1])
    answer = await app.eren.answer(QUESTION, PLACE)
    assert answer.text == "at noon"
    assert [one.note.number for one in answer.trace.candidates] == [1]


async def test_notes_that_a_draft_replaces_are_not_read(app: App, endpoint: Endpoint):
    await app.notebook.add("g", NoteDraft(NOTE), ANN)
    answer = await app.eren.preview(QUESTION, PLACE, DRAFT, instead_of=[1])
    assert [one.note.number for one in answer.trace.candidates] == [0]
    assert NOTE not in endpoint.conversations[-1][-1]["content"]


async def test_notes_that_it_does_not_replace_are_read_beside_it(app: App, endpoint: Endpoint):
    await app.notebook.add("g", NoteDraft("The Fenlake Ferry leaves at ten."), ANN)
    answer = await app.eren.preview(QUESTION, PLACE, DRAFT)
    assert {one.note.number for one in answer.trace.candidates} == {0, 1}
    read = endpoint.conversations[-1][-1]["content"]
    assert "leaves at ten" in read
    assert "leaves at dusk" in read


@pytest.mark.parametrize("nearer", [True, False], ids=["the draft", "the note"])
async def test_the_nearer_of_a_draft_and_a_note_comes_first(app: App, nearer: bool):
    far = NoteDraft("The Fenlake Ferry has a red hull, two decks and a brass bell.")
    await app.notebook.add("g", far if nearer else NoteDraft(NOTE), ANN)
    answer = await app.eren.preview(QUESTION, PLACE, DRAFT if nearer else far)
    assert [one.note.number for one in answer.trace.candidates] == ([0, 1] if nearer else [1, 0])


async def test_notes_that_are_taken_out_make_room_for_others(app: App):
    for place in range(25):
        await app.notebook.add("g", NoteDraft(f"The Fenlake Ferry has deck {place}."), ANN)
    answer = await app.eren.preview(QUESTION, PLACE, DRAFT, instead_of=range(1, 6))
    numbers = [one.note.number for one in answer.trace.candidates]
    assert len(numbers) == 20
    assert not set(numbers) & set(range(1, 6))


@pytest.mark.parametrize(
    "draft",
    [
        replace(DRAFT, scope=("staff",)),
        replace(DRAFT, valid_from=utc_now() + DAY),
        replace(DRAFT, valid_until=utc_now() - DAY),
    ],
    ids=["another channel's", "not yet valid", "no longer valid"],
)
async def test_a_draft_that_would_not_be_seen_there_and_now_changes_nothing(
    app: App, draft: NoteDraft
):
    answer = await app.eren.preview(QUESTION, PLACE, draft)
    assert (answer.text, answer.origin) == ("unedited answer", Origin.MODEL)
    assert answer.trace.candidates == ()


async def test_a_draft_for_this_channel_answers_in_it(app: App):
    answer = await app.eren.preview(QUESTION, PLACE, replace(DRAFT, scope=("harbour",)))
    assert answer.text == "at dusk"


async def test_a_draft_that_does_not_answer_leaves_the_models_own_answer_in_the_style(
    app: App, endpoint: Endpoint
):
    style = chat_style(Tone.FORMAL, Length.MEDIUM)
    answer = await app.eren.preview("Who painted the ceiling?", PLACE, DRAFT, style=style)
    assert (answer.origin, answer.notes) == (Origin.MODEL, ())
    assert endpoint.conversations == [unedited("Who painted the ceiling?", style)]


async def test_a_draft_that_cannot_be_a_note_reaches_no_model(app: App, endpoint: Endpoint):
    with pytest.raises(errors.EmptyText):
        await app.eren.preview(QUESTION, PLACE, NoteDraft(" "))
    assert endpoint.requests == []
