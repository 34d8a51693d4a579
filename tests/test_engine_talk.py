"""Answers in a conversation, in a community's style, and heard while they grow."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from eren_memory.app import App, open_app
from eren_memory.community import Length, Tone, Turn
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft, Origin, Path, Place
from eren_memory.errors import BadInput, ModelUnreachable
from eren_memory.prompts import Style, chat_style, unedited
from eren_memory.relevance import Weights
from tests.calibrated import NOTE, QUESTION, READING, calibrate
from tests.endpoint import Endpoint, Reply

PLACE = Place("g")
ANN = By("ann")
TALK = [Turn("What is the Fenlake Ferry?", "A boat.")]
FOLLOW_UP = "when does it leave"
MARK = "Last question: "


@pytest_asyncio.fixture
async def app(settings: Settings) -> AsyncIterator[App]:
    calibrate(settings)
    async with open_app(settings) as opened:
        await opened.notebook.add("g", NoteDraft(NOTE), ANN)
        yield opened


async def test_a_follow_up_is_answered_as_the_question_that_it_means(app: App, endpoint: Endpoint):
    endpoint.when(MARK + FOLLOW_UP, Reply(QUESTION))
    endpoint.when(READING, Reply("yes: at noon", probability=0.95))
    answer = await app.eren.answer(FOLLOW_UP, PLACE, conversation=TALK)
    assert (answer.text, answer.origin) == ("at noon", Origin.NOTEBOOK)
    assert answer.question == QUESTION
    assert endpoint.conversations[-1][-1]["content"].endswith(
        "Question: When does the Zelmo leave?"
    )
    assert "Earlier answer: A boat." in endpoint.conversations[0][-1]["content"]


async def test_the_call_for_a_follow_up_is_counted(app: App, endpoint: Endpoint):
    endpoint.when(MARK, Reply(QUESTION))
    endpoint.when(READING, Reply("yes: at noon", probability=0.95))
    answer = await app.eren.answer(FOLLOW_UP, PLACE, conversation=TALK)
    usage = answer.trace.usage
    assert (usage.calls, usage.prompt_tokens, usage.completion_tokens) == (2, 14, 6)
    assert len(endpoint.requests) == 2


async def test_a_question_without_a_conversation_is_answered_as_it_is(app: App, endpoint: Endpoint):
    answer = await app.eren.answer(f" {QUESTION} ", PLACE)
    assert answer.question == QUESTION
    assert not any(MARK in asked[-1]["content"] for asked in endpoint.conversations)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(""),
        Reply("x" * 1_001),
        Reply("When does the", finish="length"),
        Reply("a\x00b"),
        Reply(None, refusal="I will not"),
        Reply(status=500, body="{}"),
    ],
    ids=["empty", "too long", "cut off", "unreadable", "refused", "failed"],
)
async def test_a_follow_up_that_cannot_be_reworded_is_answered_as_it_is(
    app: App, endpoint: Endpoint, reply: Reply
):
    endpoint.when(MARK, reply)
    answer = await app.eren.answer(FOLLOW_UP, PLACE, conversation=TALK)
    assert (answer.text, answer.question) == ("unedited answer", FOLLOW_UP)
    assert endpoint.conversations[-1] == unedited(FOLLOW_UP, Style.CHAT)


async def test_a_bad_follow_up_reaches_no_model(app: App, endpoint: Endpoint):
    with pytest.raises(BadInput):
        await app.eren.answer(" ", PLACE, conversation=TALK)
    assert endpoint.requests == []


async def test_a_style_phrases_the_models_own_answer_and_gives_it_room(
    app: App, endpoint: Endpoint
):
    style = chat_style(Tone.FRIENDLY, Length.LONG)
    await app.eren.answer("Who painted the ceiling?", PLACE, style=style)
    await app.eren.answer("Who painted the ceiling?", PLACE)
    styled, plain = endpoint.requests
    assert styled["messages"] == unedited("Who painted the ceiling?", style)
    assert styled["max_tokens"] == 1_500
    assert plain["messages"] == unedited("Who painted the ceiling?", Style.CHAT)


@pytest.mark.parametrize(
    ("question", "path"),
    [("Who painted the ceiling?", Path.GATE_CLOSED), (QUESTION, Path.REJECTED)],
)
async def test_the_models_own_answer_is_heard_while_it_grows(
    app: App, endpoint: Endpoint, question: str, path: Path
):
    endpoint.when(READING, Reply("no", probability=0.99))
    heard: list[str] = []
    answer = await app.eren.answer(question, PLACE, on_text=heard.append)
    assert answer.trace.path is path
    assert heard == ["unedited", "unedited answer"]


@pytest.mark.parametrize("method", ["unedited", "eren-paper"])
async def test_every_methods_fallback_is_heard(app: App, endpoint: Endpoint, method: str):
    endpoint.when("Read this and", Reply("unanswerable"))
    heard: list[str] = []
    await app.eren.answer(QUESTION, PLACE, method, on_text=heard.append)
    assert heard == ["unedited", "unedited answer"]


async def test_what_is_heard_is_the_unedited_request(app: App, endpoint: Endpoint):
    await app.eren.answer("Who painted the ceiling?", PLACE)
    await app.eren.answer("Who painted the ceiling?", PLACE, on_text=lambda _: None)
    plain, heard = endpoint.requests
    assert heard == plain | {"stream": True, "stream_options": {"include_usage": True}}


async def test_nothing_else_is_streamed(app: App, endpoint: Endpoint):
    def reply(asked: dict[str, list[object]]) -> Reply:
        is_first = len(asked["messages"]) > 2
        return Reply("no", probability=0.52) if is_first else Reply("at noon")

    endpoint.when(READING, reply)
    endpoint.when(MARK, Reply(QUESTION))
    heard: list[str] = []
    answer = await app.eren.answer(FOLLOW_UP, PLACE, conversation=TALK, on_text=heard.append)
    assert answer.trace.path is Path.ACCEPTED_REREAD
    assert heard == []
    assert not any("stream" in sent for sent in endpoint.requests)


@pytest.fixture
def early(settings: Settings, endpoint: Endpoint) -> asyncio.Event:
    """The fallback starts at once and says its first word; the verdict waits for this."""
    calibrate(settings, doubtful=1.0)
    return asyncio.Event()


async def _until_both_are_asked(endpoint: Endpoint) -> None:
    while len(endpoint.requests) < 2:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)  # So that what was said early has arrived.


async def test_an_early_fallback_is_not_heard_before_the_note_is_rejected(
    settings: Settings, endpoint: Endpoint, early: asyncio.Event
):
    rest = asyncio.Event()
    endpoint.when(READING, Reply("no", probability=0.99, hold=early))
    endpoint.default = Reply("unedited answer", pause=rest)
    heard: list[str] = []
    async with open_app(settings) as app:
        await app.notebook.add("g", NoteDraft(NOTE), ANN)
        asking = asyncio.create_task(app.eren.answer(QUESTION, PLACE, on_text=heard.append))
        await _until_both_are_asked(endpoint)
        assert heard == []
        early.set()
        while not heard:
            await asyncio.sleep(0.01)
        assert heard == ["unedited"]
        rest.set()
        assert (await asking).trace.usage.calls == 2
    assert heard == ["unedited", "unedited answer"]


async def test_a_fallback_that_has_ended_early_is_heard_whole_after_the_rejection(
    settings: Settings, endpoint: Endpoint, early: asyncio.Event
):
    endpoint.when(READING, Reply("no", probability=0.99, hold=early))
    heard: list[str] = []
    async with open_app(settings) as app:
        await app.notebook.add("g", NoteDraft(NOTE), ANN)
        asking = asyncio.create_task(app.eren.answer(QUESTION, PLACE, on_text=heard.append))
        await _until_both_are_asked(endpoint)
        early.set()
        await asking
    assert heard == ["unedited answer"]


async def test_an_early_fallback_is_never_heard_when_the_note_answers(
    settings: Settings, endpoint: Endpoint, early: asyncio.Event
):
    endpoint.when(READING, Reply("yes: at noon", probability=0.95, hold=early))
    heard: list[str] = []
    async with open_app(settings) as app:
        await app.notebook.add("g", NoteDraft(NOTE), ANN)
        asking = asyncio.create_task(app.eren.answer(QUESTION, PLACE, on_text=heard.append))
        await _until_both_are_asked(endpoint)
        early.set()
        assert (await asking).text == "at noon"
    assert heard == []


async def test_notes_that_do_not_fit_the_context_let_the_early_fallback_be_heard(
    settings: Settings, endpoint: Endpoint, early: asyncio.Event
):
    body = '{"error": {"message": "too long", "code": "context_length_exceeded"}}'
    endpoint.when(READING, Reply(status=400, body=body, hold=early))
    heard: list[str] = []
    async with open_app(settings) as app:
        await app.notebook.add("g", NoteDraft(NOTE), ANN)
        asking = asyncio.create_task(app.eren.answer(QUESTION, PLACE, on_text=heard.append))
        await _until_both_are_asked(endpoint)
        early.set()
        await asking
    assert heard == ["unedited answer"]


async def test_an_early_fallback_is_not_heard_when_the_verdict_never_comes(
    settings: Settings, endpoint: Endpoint, early: asyncio.Event
):
    calibrate(settings, doubtful=1.0, retrieval=Weights(-5.0, 0.0, 0.0))
    endpoint.when(READING, Reply(status=503, body="{}", hold=early))
    heard: list[str] = []
    async with open_app(settings) as app:
        await app.notebook.add("g", NoteDraft(NOTE), ANN)
        asking = asyncio.create_task(app.eren.answer(QUESTION, PLACE, on_text=heard.append))
        await _until_both_are_asked(endpoint)
        early.set()
        with pytest.raises(ModelUnreachable):
            await asking
    assert heard == []
