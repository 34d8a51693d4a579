"""Replies that are heard while they grow."""

import asyncio
import json
import traceback
from dataclasses import replace

import pytest

from eren_memory import errors
from eren_memory.domain import Usage
from tests.chatting import ASK, KEY, chat
from tests.endpoint import Endpoint, Reply


async def test_a_reply_is_heard_from_its_beginning_each_time_it_grows(endpoint: Endpoint):
    endpoint.default = Reply("at noon, daily")
    heard: list[str] = []
    model = chat(endpoint.url)
    await model.complete(ASK, max_tokens=5, on_text=heard.append)
    await model.close()
    assert heard == ["at", "at noon,", "at noon, daily"]


async def test_a_reply_is_heard_before_it_has_ended(endpoint: Endpoint):
    endpoint.default = Reply("at noon", pause=asyncio.Event())
    heard: asyncio.Queue[str] = asyncio.Queue()
    model = chat(endpoint.url)
    asking = asyncio.create_task(model.complete(ASK, max_tokens=5, on_text=heard.put_nowait))
    assert await asyncio.wait_for(heard.get(), 2) == "at"
    assert not asking.done()
    endpoint.default.pause.set()  # type: ignore[union-attr]
    assert (await asking).text == "at noon"
    await model.close()


@pytest.mark.parametrize(
    "reply",
    [
        Reply("yes: at noon", probability=0.75),
        Reply("yes: at", probability=0.75, finish="length"),
        Reply("<think>Dusk? No.</think>\nat noon"),
    ],
    ids=["whole", "cut off", "after thoughts"],
)
async def test_a_streamed_completion_is_the_one_that_comes_without_streaming(
    endpoint: Endpoint, reply: Reply
):
    endpoint.default = reply
    model = chat(endpoint.url)
    plain = await model.complete(ASK, max_tokens=5, logprobs=True)
    streamed = await model.complete(ASK, max_tokens=5, logprobs=True, on_text=lambda _: None)
    await model.close()
    assert [bool(sent.get("stream")) for sent in endpoint.requests] == [False, True]
    assert replace(streamed, milliseconds=0) == replace(plain, milliseconds=0)


async def test_thoughts_are_never_heard(endpoint: Endpoint):
    pieces = ("<th", "ink>Is it", " Lyon?</thi", "nk>", "\n", "Paris", " <3")
    endpoint.default = Reply("".join(pieces), pieces=pieces)
    heard: list[str] = []
    model = chat(endpoint.url)
    await model.complete(ASK, max_tokens=5, on_text=heard.append)
    await model.close()
    assert heard == ["Paris", "Paris <3"]


async def test_a_reply_that_begins_like_thoughts_is_heard_at_its_end(endpoint: Endpoint):
    endpoint.default = Reply("<")
    heard: list[str] = []
    model = chat(endpoint.url)
    await model.complete(ASK, max_tokens=5, on_text=heard.append)
    await model.close()
    assert heard == ["<"]


async def test_an_endpoint_that_refuses_to_count_streams_uncounted(endpoint: Endpoint):
    endpoint.rejects = {"stream_options": "Unsupported parameter: 'stream_options'."}
    heard: list[str] = []
    model = chat(endpoint.url)
    for _ in range(2):
        completion = await model.complete(ASK, max_tokens=5, on_text=heard.append)
    await model.close()
    assert completion.usage == Usage(1)
    assert ["stream_options" in sent for sent in endpoint.requests] == [True, False, False]
    assert all(sent["stream"] for sent in endpoint.requests)
    assert heard[:2] == ["unedited", "unedited answer"]


@pytest.mark.parametrize("how", ["refuses", "ignores"])
async def test_an_endpoint_that_does_not_stream_is_heard_once_and_remembered(
    endpoint: Endpoint, how: str
):
    if how == "refuses":
        endpoint.rejects = {"stream": "Your organization must be verified to stream this model."}
    else:
        endpoint.streams = False
    model = chat(endpoint.url)
    for _ in range(2):
        heard: list[str] = []
        completion = await model.complete(ASK, max_tokens=5, on_text=heard.append)
        assert heard == [completion.text] == ["unedited answer"]
        assert completion.usage == Usage(1, 7, 3)
    await model.close()
    assert ["stream" in sent for sent in endpoint.requests] == [True, False, False]


async def test_a_complaint_about_something_upstream_does_not_end_streaming(endpoint: Endpoint):
    message = '{"error": {"message": "the upstream does not support logprobs"}}'
    endpoint.when(
        "hello", lambda asked: Reply(status=400, body=message) if "logprobs" in asked else Reply()
    )
    model = chat(endpoint.url)
    await model.complete(ASK, max_tokens=5, logprobs=True, on_text=lambda _: None)
    await model.close()
    assert endpoint.requests[-1]["stream"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"message": "overloaded", "type": "server_error"}, errors.ModelUnreachable),
        ({"message": "slow down", "code": 429}, errors.ModelRateLimited),
        ({"message": "pay", "code": "insufficient_quota"}, errors.ModelRateLimited),
        ({"message": "no", "code": "content_filter"}, errors.ModelRefused),
        ({"message": "no", "code": "context_length_exceeded"}, errors.PromptTooLong),
        ({"message": f"bad key {KEY}", "type": "authentication_error"}, errors.ModelUnauthorised),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
async def test_an_error_in_the_middle_of_a_reply_has_a_name(endpoint: Endpoint, said, expected):
    endpoint.default = Reply("at noon", event=json.dumps({"error": said}))
    heard: list[str] = []
    model = chat(endpoint.url)
    with pytest.raises(errors.ModelError) as caught:
        await model.complete(ASK, max_tokens=5, on_text=heard.append)
    await model.close()
    assert type(caught.value) is expected
    assert heard == ["at"]
    assert KEY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "event", ["{half", "[]", '{"choices": "text"}', '{"choices": [{"delta": "text"}]}']
)
async def test_a_part_that_is_none_is_named(endpoint: Endpoint, event: str):
    endpoint.default = Reply("at noon", event=event)
    model = chat(endpoint.url)
    with pytest.raises(errors.MalformedReply):
        await model.complete(ASK, max_tokens=5, on_text=lambda _: None)
    await model.close()


@pytest.mark.parametrize("how", ["drop", "stop"])
async def test_half_a_reply_is_no_answer(endpoint: Endpoint, how: str):
    endpoint.default = Reply("at noon", drop=how == "drop", stop=how == "stop")
    model = chat(endpoint.url)
    with pytest.raises(errors.ModelUnreachable):
        await model.complete(ASK, max_tokens=5, on_text=lambda _: None)
    await model.close()


@pytest.mark.parametrize("drip", [False, True], ids=["stands still", "drips"])
async def test_a_reply_that_does_not_end_in_time_is_given_up(endpoint: Endpoint, drip: bool):
    never = asyncio.Event()
    endpoint.default = Reply("at noon", pause=never, drip=drip)
    model = chat(endpoint.url, timeout=0.5)
    with pytest.raises(errors.ModelUnreachable, match="in time"):
        await asyncio.wait_for(model.complete(ASK, max_tokens=5, on_text=lambda _: None), 5)
    never.set()
    await model.close()


async def test_a_character_that_comes_in_halves_is_heard_whole_in_the_end(endpoint: Endpoint):
    endpoint.default = Reply("ok \U0001f600", pieces=("ok ", "\ud83d", "\ude00"))
    heard: list[str] = []
    model = chat(endpoint.url)
    completion = await model.complete(ASK, max_tokens=5, on_text=heard.append)
    await model.close()
    assert completion.text == heard[-1] == "ok \U0001f600"
