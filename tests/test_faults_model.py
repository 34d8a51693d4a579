"""A chat model that is slow, down, limited, odd or unwilling: what a question gets, and that it recovers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from eren_memory import errors
from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft, Origin, Place
from eren_memory.domain import Path as Way
from eren_memory.guarding import GuardedModel
from tests.chatting import ASK, chat, error_reply
from tests.endpoint import Endpoint, Reply

FERRY = "The Fenlake Ferry leaves at noon."
QUESTION = "When does the Fenlake Ferry leave?"
HERE = Place("g", ("c",))

NO_MODEL = {
    "slow": Reply(delay=1.5),
    "drips": Reply(drip=True),
    "down": error_reply(503),
    "broken off": Reply(drop=True),
    "limited": Reply(status=429, body="{}", headers={"Retry-After": "30"}),
}
ODD = {
    "a web page": Reply(body="<html>a captive portal</html>", content_type="text/html"),
    "half a body": Reply(body='{"choices": [{"mess'),
    "no choices": Reply(body='{"choices": []}'),
    "null choices": Reply(body='{"choices": null}'),
    "wrong types": Reply(body='{"choices": [{"message": {"content": {"a": [1]}}}]}'),
    "a number": Reply(body="17"),
    "ten megabytes": Reply("very " * 2_000_000),
    "nothing": Reply(""),
    "thoughts alone": Reply("<think>hm"),
    "a refusal": Reply(None, refusal="I will not"),
    "filtered": Reply("cut", finish="content_filter"),
}
UNTRUE = {
    "not a number": float("nan"),
    "infinite": float("inf"),
    "more than certain": 900.0,
}


@pytest_asyncio.fixture
async def guarded(settings: Settings) -> AsyncIterator[App]:
    """The application as the bot opens it, with a note, before a model that is given half a second."""
    chosen = settings.model_copy(update={"model_timeout": 0.5})
    async with open_app(chosen, guarded=True) as app:
        await app.notebook.add("g", NoteDraft(FERRY), By("somebody"))
        yield app


@pytest.mark.parametrize("fault", NO_MODEL)
async def test_without_a_model_the_note_itself_or_a_clear_error_and_the_next_question_is_answered(
    guarded: App, endpoint: Endpoint, fault: str
):
    endpoint.default = NO_MODEL[fault]
    with pytest.raises((errors.ModelUnreachable, errors.ModelRateLimited)):
        await guarded.eren.answer("Who painted the ceiling?", HERE)
    quoted = await guarded.eren.answer(FERRY, HERE)
    assert (quoted.text, quoted.origin, quoted.trace.path) == (
        FERRY,
        Origin.NOTEBOOK,
        Way.NOTE_QUOTED,
    )
    endpoint.default = Reply("Somebody.")
    assert (await guarded.eren.answer("Who painted the ceiling?", HERE)).text == "Somebody."


@pytest.mark.parametrize("fault", ODD)
async def test_an_odd_reply_is_never_an_answer_and_the_next_question_is_answered(
    guarded: App, endpoint: Endpoint, fault: str
):
    endpoint.default = ODD[fault]
    for question in ("Who painted the ceiling?", QUESTION):
        with pytest.raises(errors.ModelError) as caught:
            await guarded.eren.answer(question, HERE)
        assert len(str(caught.value)) < 200
    endpoint.default = Reply("Somebody.")
    assert (await guarded.eren.answer("Who painted the ceiling?", HERE)).text == "Somebody."


@pytest.mark.parametrize("fault", UNTRUE)
async def test_log_probabilities_that_cannot_be_decide_nothing(
    guarded: App, endpoint: Endpoint, fault: str
):
    def lying(asked: dict[str, Any]) -> Reply:
        tokens = [{"token": "yes", "logprob": UNTRUE[fault], "bytes": None}]
        choice = {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "no"},
            "logprobs": {"content": [{**tokens[0], "top_logprobs": tokens}]},
        }
        return Reply(body=json.dumps({"choices": [choice]}))

    def plain(_: dict[str, Any]) -> Reply:
        return Reply("no")

    replies = [plain, lying]

    def reply(asked: dict[str, Any]) -> Reply:
        return replies[0](asked)

    endpoint.when("Question:", reply)
    by_words = await guarded.eren.answer(QUESTION, HERE)
    replies.pop(0)
    answer = await guarded.eren.answer(QUESTION, HERE)
    assert (answer.text, answer.trace.verdict, answer.trace.p) == (
        by_words.text,
        by_words.trace.verdict,
        by_words.trace.p,
    )


async def test_a_stream_that_never_stops_talking_is_cut_off(endpoint: Endpoint):
    endpoint.default = Reply("x " * 300_000, pieces=("x " * 50_000,) * 6)
    model, heard = chat(endpoint.url), list[str]()
    with pytest.raises(errors.MalformedReply):
        await model.complete(ASK, max_tokens=5, on_text=heard.append)
    await model.close()
    assert max(map(len, heard)) <= 200_000


async def test_a_rate_limit_says_when_and_nobody_waits_for_it(endpoint: Endpoint):
    endpoint.default = Reply(status=429, body="{}", headers={"Retry-After": "30"})
    model = chat(endpoint.url)
    with pytest.raises(errors.ModelRateLimited, match=r"Try again in 30 s\."):
        await model.complete(ASK, max_tokens=5)
    assert len(endpoint.requests) == 1
    await model.close()


async def test_a_short_rate_limit_is_waited_for(endpoint: Endpoint):
    limited = Reply(status=429, body="{}", headers={"Retry-After": "0.05"})
    replies = iter([limited, Reply("done")])
    endpoint.when("hello", lambda _: next(replies))
    model = chat(endpoint.url)
    assert (await model.complete(ASK, max_tokens=5)).text == "done"
    await model.close()


@pytest.mark.parametrize("fault", ["slow", "down", "limited"])
async def test_a_model_that_fails_over_and_over_is_left_alone_and_says_why_at_once(
    endpoint: Endpoint, fault: str, caplog: pytest.LogCaptureFixture
):
    model = GuardedModel(chat(endpoint.url, timeout=0.2), failures=3, rest=30)
    endpoint.default = NO_MODEL[fault]
    said = set()
    for _ in range(3):
        with pytest.raises(errors.ModelError) as caught:
            await model.complete(ASK, max_tokens=5)
        said.add((type(caught.value), str(caught.value)))
    asked = len(endpoint.requests)
    for _ in range(50):
        with pytest.raises(errors.ModelError) as caught:
            await model.complete(ASK, max_tokens=5)
        said.add((type(caught.value), str(caught.value)))
    assert len(endpoint.requests) == asked
    assert len(said) == 1
    assert "left alone for 30 seconds" in caplog.text
    await model.close()


async def test_after_its_rest_one_call_tries_the_model_and_then_all_go_through(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
):
    model = GuardedModel(chat(endpoint.url), failures=1, rest=0.01)
    endpoint.default = error_reply(400, "odd")
    with pytest.raises(errors.ModelError):
        await model.complete(ASK, max_tokens=5)
    endpoint.default = error_reply(503)
    with pytest.raises(errors.ModelUnreachable):
        await model.complete(ASK, max_tokens=5)
    await asyncio.sleep(0.05)
    hold, before = asyncio.Event(), len(endpoint.requests)
    endpoint.default = Reply("back", hold=hold)
    trying = asyncio.create_task(model.complete(ASK, max_tokens=5))
    while len(endpoint.requests) == before:
        await asyncio.sleep(0.01)
    with pytest.raises(errors.ModelUnreachable):
        await model.complete(ASK, max_tokens=5)
    hold.set()
    assert (await trying).text == "back"
    both = [model.complete(ASK, max_tokens=5) for _ in range(2)]
    assert [one.text for one in await asyncio.gather(*both)] == ["back", "back"]
    assert "answers again" in caplog.text
    await model.close()


async def test_a_call_that_was_called_off_says_nothing_about_the_model(endpoint: Endpoint):
    model = GuardedModel(chat(endpoint.url), failures=2, rest=30)
    endpoint.default = error_reply(503)
    with pytest.raises(errors.ModelUnreachable):
        await model.complete(ASK, max_tokens=5)
    before = len(endpoint.requests)
    hold = asyncio.Event()
    endpoint.default = Reply(hold=hold)
    off = asyncio.create_task(model.complete(ASK, max_tokens=5))
    while len(endpoint.requests) == before:
        await asyncio.sleep(0.01)
    off.cancel()
    await asyncio.gather(off, return_exceptions=True)
    hold.set()
    endpoint.default = error_reply(503)
    with pytest.raises(errors.ModelUnreachable):
        await model.complete(ASK, max_tokens=5)
    before = len(endpoint.requests)
    with pytest.raises(errors.ModelUnreachable):
        await model.complete(ASK, max_tokens=5)
    assert len(endpoint.requests) == before
    await model.close()
