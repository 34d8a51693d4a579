"""The log: one event a line, no secret in it whoever logs it, and nothing of what people wrote."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import pytest

from bot import logs
from bot.logs import Lines
from eren_memory.config import Settings
from eren_memory.errors import LedgerError

SECRETS: dict[str, Any] = {
    "discord_token": "t0ken/of+the=bot",
    "openai_api_key": 'sk-with-"quotes"\\',
    "embedding_api_key": "schlüssel",
    "qdrant_api_key": "t0ken",
    "database_url": "postgresql://eren:pass%3Aword@db/eren",
}


def lines(**changed: Any) -> Lines:
    return Lines(Settings(**SECRETS, **changed))


def record(message: str, *args: Any, name: str = "bot.asking", **more: Any) -> logging.LogRecord:
    made = logging.LogRecord(name, logging.INFO, "file.py", 1, message, args, None)
    vars(made).update(more)
    return made


def raised(error: BaseException, cause: BaseException | None = None) -> Any:
    try:
        raise error from cause
    except type(error):
        return sys.exc_info()


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("log_content", [False, True])
def test_no_secret_setting_ever_appears(log_format: str, log_content: bool):
    form = lines(log_format=log_format, log_content=log_content)
    settings = Settings(**SECRETS)
    secret_fields = [
        name
        for name, field in Settings.model_fields.items()
        if "SecretStr" in str(field.annotation)
    ]
    assert {*secret_fields, "database_url"} == {*SECRETS}, "name a secret for the new setting"
    assert len(settings.secrets) == len(SECRETS) + 1  # The password, as it stands and as it is.
    for secret in settings.secrets:
        quoted = OSError(f"refused {secret}")
        told = [
            record("a library says %s", secret, name="httpx"),
            record(f"key={secret}", question=secret, path=f"x{secret}x"),
            record("failed", exc_info=raised(quoted)),
            record("failed", exc_info=raised(LedgerError("no"), quoted)),
        ]
        for one in told:
            line = form.format(one)
            assert secret not in line
            if log_format == "json":
                assert secret not in str(json.loads(line).values())


def test_json_is_one_object_a_line_with_the_request_and_what_happened():
    logs.request.set("the request")
    line = lines(log_format="json").format(
        record("Answered.", origin="notebook", calls=1, exc_info=raised(OSError("gone")))
    )
    assert "\n" not in line
    event = json.loads(line)
    assert event["level"] == "INFO"
    assert event["request"] == "the request"
    assert (event["message"], event["origin"], event["calls"]) == ("Answered.", "notebook", 1)
    assert event["error"].startswith("OSError: gone\n  ")
    logs.request.set("")


def test_nobody_can_write_a_line_of_their_own():
    line = lines().format(record("said %s", "a\n2026-11-25 CRITICAL forged \x1b[31m\u2028"))
    assert len(line.splitlines()) == 1
    assert "\x1b" not in line


def test_what_people_wrote_is_left_out_unless_asked_for():
    said = record("Answered.", question="Who is ill?", answer="Ann.", origin="model")
    assert "ill" not in lines().format(said)
    assert "Ann" not in lines().format(said)
    assert 'question="Who is ill?"' in lines(log_content=True).format(said)


def test_an_unexpected_error_is_told_by_its_kind_and_place_without_its_text():
    failed = record("failed", exc_info=raised(KeyError("Who is ill?"), ValueError("Ann is ill")))
    line = lines().format(failed)
    assert "KeyError" in line
    assert "because of ValueError" in line
    assert "test_logs.py" in line
    assert "ill?" not in line
    assert "Ann" not in line
    assert "Ann is ill" in lines(log_content=True).format(failed)


def test_our_own_errors_are_told_whole():
    assert "The disk is full." in lines().format(
        record("failed", exc_info=raised(LedgerError("The disk is full.")))
    )
