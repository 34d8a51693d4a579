import asyncio
import json
import logging
import traceback
from typing import Any

import pytest

from eren_memory import errors
from eren_memory.llm import Endpoint as Address
from tests.chatting import ASK, KEY, chat, error_reply
from tests.endpoint import Endpoint, Reply


@pytest.mark.parametrize("on_text", [None, [].append], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (error_reply(401), errors.ModelUnauthorised),
        (error_reply(403), errors.ModelUnauthorised),
        (error_reply(404), errors.ModelNotFound),
        (error_reply(429), errors.ModelRateLimited),
        (error_reply(500), errors.ModelUnreachable),
        (error_reply(503), errors.ModelUnreachable),
        (error_reply(400, code="context_length_exceeded"), errors.PromptTooLong),
        (error_reply(400, "the request exceeds the available context size"), errors.PromptTooLong),
        (error_reply(400, code="content_filter"), errors.ModelRefused),
        (error_reply(400, "odd"), errors.ModelError),
        (error_reply(418), errors.ModelError),
        (
            Reply(body="<html>a captive portal</html>", content_type="text/html"),
            errors.MalformedReply,
        ),
        (Reply(body='{"half": '), errors.MalformedReply),
        (Reply(body="[]"), errors.MalformedReply),
        (Reply(body='{"choices": []}'), errors.MalformedReply),
        (Reply(body='{"choices": [{"message": "text"}]}'), errors.MalformedReply),
        (Reply(text=""), errors.EmptyReply),
        (Reply(text=None), errors.EmptyReply),
        (Reply(text=None, refusal="I will not"), errors.ModelRefused),
        (Reply(text="cut", finish="content_filter"), errors.ModelRefused),
    ],
    ids=lambda value: (
        value.__name__ if isinstance(value, type) else (value.body or str(value.text))[:30]
    ),
)
async def test_whatever_an_endpoint_does_wrong_has_a_name(
    endpoint: Endpoint, reply, expected, on_text
):
    endpoint.default = reply
    model = chat(endpoint.url)
    with pytest.raises(errors.ModelError) as caught:
        await model.complete(ASK, max_tokens=5, on_text=on_text)
    await model.close()
    assert type(caught.value) is expected


async def test_an_endpoint_that_is_not_there_is_unreachable():
    model = chat("http://127.0.0.1:1/v1")
    with pytest.raises(errors.ModelUnreachable, match="OPENAI_BASE_URL"):
        await model.complete(ASK, max_tokens=5)
    await model.close()


async def test_an_endpoint_that_never_answers_is_given_up(endpoint: Endpoint):
    endpoint.default = Reply(delay=5)
    model = chat(endpoint.url, timeout=0.2)
    with pytest.raises(errors.ModelUnreachable, match="in time"):
        await model.complete(ASK, max_tokens=5)
    await model.close()


async def test_an_endpoint_that_stops_in_the_middle_of_its_answer_is_unreachable(
    endpoint: Endpoint,
):
    endpoint.default = Reply(drop=True)
    model = chat(endpoint.url)
    with pytest.raises(errors.ModelUnreachable):
        await model.complete(ASK, max_tokens=5)
    await model.close()


async def test_a_failed_request_is_repeated_once(endpoint: Endpoint):
    endpoint.default = error_reply(500)
    model = chat(endpoint.url)
    with pytest.raises(errors.ModelUnreachable):
        await model.complete(ASK, max_tokens=5)
    await model.close()
    assert len(endpoint.requests) == 2


async def test_the_key_is_in_no_error_no_trace_and_no_log(endpoint: Endpoint, caplog):
    caplog.set_level(logging.DEBUG)
    endpoint.default = error_reply(401, f"Incorrect API key provided: {KEY}")
    model = chat(endpoint.url)
    with pytest.raises(errors.ModelUnauthorised) as caught:
        await model.complete(ASK, max_tokens=5)
    await model.close()
    assert KEY not in str(caught.value)
    assert KEY not in repr(Address(endpoint.url, KEY))
    assert KEY not in caplog.text
    assert KEY not in "".join(traceback.format_exception(caught.value))


async def test_usage_and_the_first_tokens_alternatives_come_back(endpoint: Endpoint):
    endpoint.default = Reply("yes: Paris", probability=0.75)
    model = chat(endpoint.url)
    completion = await model.complete(ASK, max_tokens=5, logprobs=True)
    await model.close()
    assert completion.text == "yes: Paris"
    assert [token for token, _ in completion.first_token] == ["yes", "no"]
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (7, 3)
    assert endpoint.requests[0]["temperature"] == 0


async def test_without_log_probabilities_there_are_no_alternatives(endpoint: Endpoint):
    model = chat(endpoint.url)
    completion = await model.complete(ASK, max_tokens=5, logprobs=True)
    await model.close()
    assert completion.first_token == ()


async def test_what_an_endpoint_refuses_by_name_is_left_out_once_and_remembered(endpoint: Endpoint):
    endpoint.rejects = {
        "max_tokens": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
        "logprobs": "logprobs is not supported with this model.",
        "temperature": "Unsupported value: 'temperature' does not support 0 with this model.",
    }
    model = chat(endpoint.url)
    await model.complete(ASK, max_tokens=5, logprobs=True)
    assert len(endpoint.requests) == 4
    await model.complete(ASK, max_tokens=5, logprobs=True)
    await model.close()
    assert len(endpoint.requests) == 5
    sent = endpoint.requests[-1]
    assert sent.keys() == {"model", "messages", "max_completion_tokens"}
    assert sent["max_completion_tokens"] > 1_000  # Room to think.


async def test_first_requests_at_the_same_time_all_learn(endpoint: Endpoint):
    endpoint.rejects = {"max_tokens": "Unsupported parameter: 'max_tokens' is not supported."}
    model = chat(endpoint.url)
    replies = await asyncio.gather(*(model.complete(ASK, max_tokens=5) for _ in range(4)))
    await model.close()
    assert [reply.text for reply in replies] == ["unedited answer"] * 4


async def test_one_prompt_that_is_too_long_changes_nothing_for_the_next(endpoint: Endpoint):
    said = "'max_tokens' is too large: this model's maximum context length is 4096 tokens"
    endpoint.default = error_reply(400, said)
    model = chat(endpoint.url)
    with pytest.raises(errors.PromptTooLong):
        await model.complete(ASK, max_tokens=5)
    endpoint.default = Reply("fine")
    await model.complete(ASK, max_tokens=5)
    await model.close()
    assert endpoint.requests[-1]["max_tokens"] == 5


async def test_an_endpoint_that_drips_is_given_up(endpoint: Endpoint):
    endpoint.default = Reply(drip=True)
    model = chat(endpoint.url, timeout=0.5)
    with pytest.raises(errors.ModelUnreachable, match="in time"):
        await model.complete(ASK, max_tokens=5)
    await model.close()


async def test_half_a_character_in_a_reply_harms_nothing(endpoint: Endpoint):
    endpoint.default = Reply(body=json.dumps(_reply("ok \ud83d")))
    model = chat(endpoint.url)
    assert (await model.complete(ASK, max_tokens=5)).text == "ok \ufffd"
    await model.close()


async def test_log_probabilities_without_alternatives_are_none(endpoint: Endpoint):
    body = _reply("yes: x")
    body["choices"][0]["logprobs"] = {"content": [{"token": "yes", "logprob": -0.1}]}
    endpoint.default = Reply(body=json.dumps(body))
    model = chat(endpoint.url)
    assert (await model.complete(ASK, max_tokens=5, logprobs=True)).first_token == ()
    await model.close()


async def test_thoughts_that_never_ended_are_no_answer(endpoint: Endpoint):
    endpoint.default = Reply("<think>Okay so the user")
    model = chat(endpoint.url)
    with pytest.raises(errors.EmptyReply):
        await model.complete(ASK, max_tokens=5)
    await model.close()


def _reply(text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


async def test_a_thinking_models_thoughts_are_not_its_answer(endpoint: Endpoint):
    endpoint.default = Reply("<think>Is it Lyon? No.</think>\nyes: Paris")
    model = chat(endpoint.url)
    assert (await model.complete(ASK, max_tokens=5)).text == "yes: Paris"
    await model.close()


def test_every_error_that_the_client_can_raise_is_translated():
    import openai
    from openai import _exceptions

    from eren_memory.llm_errors import translated

    for name in _exceptions.__all__:
        kind = getattr(openai, name, None) or getattr(_exceptions, name)
        error = kind.__new__(kind)
        error.message, error.code, error.body, error.status_code = "m", None, None, 500
        assert isinstance(translated(error, "model"), errors.ModelError), name
