"""The log: one event a line, for people or as JSON, without secrets and without what people wrote."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from collections.abc import Sequence
from contextvars import ContextVar
from types import TracebackType
from typing import Any
from urllib.parse import quote

import aiohttp
import discord

from eren_memory.config import Settings
from eren_memory.errors import ErenError

request: ContextVar[str] = ContextVar("request", default="")
"""What is worked on: the id of the answer, or of Discord's interaction. In every line that it causes."""

_OURS = ("bot", "eren_memory")
_USUAL = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}
# What people wrote, where a line has it.
_CONTENT = {"question", "answer"}
# Exceptions whose text is about the matter; others may quote what they were given.
_PLAIN = (ErenError, OSError, aiohttp.ClientError, discord.DiscordException, TimeoutError)

_log = logging.getLogger(__name__)


def set_up(settings: Settings) -> None:
    """Send everything that is logged, warned or raised to stderr, by the settings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines(settings))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in _OURS:
        logging.getLogger(name).setLevel(settings.log_level)
    logging.captureWarnings(capture=True)
    # It would print a line's arguments as they are.
    logging.raiseExceptions = False
    sys.excepthook = _unexpected


class Lines(logging.Formatter):
    """Makes a line of an event. In text, the frames of an exception follow, indented."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._json = settings.log_format == "json"
        self._content = settings.log_content
        quoted = [quote(one, safe="") for one in settings.secrets]
        # The longest first: one may be a part of another.
        self._secrets = sorted({*settings.secrets, *quoted}, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        event: dict[str, Any] = {
            "time": f"{seconds}.{record.msecs:03.0f}Z",
            "level": record.levelname,
            "logger": record.name,
        }
        if about := request.get():
            event["request"] = about
        event["message"] = self._without_secrets(record.getMessage())
        event |= self._details(record)
        if record.exc_info and record.exc_info[1] is not None:
            event["error"] = self._without_secrets(self._told(record.exc_info[1]))
        return json.dumps(event, ensure_ascii=False) if self._json else _text(event)

    def _details(self, record: logging.LogRecord) -> dict[str, Any]:
        """What one of our own lines says besides its sentence."""
        if record.name.partition(".")[0] not in _OURS:
            return {}
        hidden = _USUAL if self._content else _USUAL | _CONTENT
        return {
            name: value if isinstance(value, int | float) else self._without_secrets(str(value))
            for name, value in vars(record).items()
            if name not in hidden
        }

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _told(self, error: BaseException) -> str:
        """An exception and what led to it, the last first; quotes nothing that people wrote."""
        told, seen = [], set()
        cause: BaseException | None = error
        while cause is not None and id(cause) not in seen:
            seen.add(id(cause))
            told.append(self._named(cause) + _frames(cause.__traceback__))
            cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
        return "\nbecause of ".join(told)

    def _named(self, error: BaseException) -> str:
        kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
        if self._content or isinstance(error, _PLAIN):
            return f"{kind}: {error}"
        return f"{kind} (its text is logged with EREN_LOG_CONTENT)"


def _frames(trace: TracebackType | None) -> str:
    frames: Sequence[traceback.FrameSummary] = traceback.extract_tb(trace)
    return "".join(f"\n  {one.filename}:{one.lineno} in {one.name}" for one in frames)


def _text(event: dict[str, Any]) -> str:
    error = event.pop("error", "")
    fixed = [event.pop(name, "") for name in ("time", "level", "logger", "request", "message")]
    words = [_one_line(str(one)) for one in fixed if one]
    words += [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in event.items()]
    line = " ".join(words)
    return f"{line}\n    {error.replace(chr(10), chr(10) + '    ')}" if error else line


def _one_line(text: str) -> str:
    """Nobody can write a line of their own into the log."""
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in text)


def _unexpected(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        _log.critical("The bot ends, for a reason that nobody expected.", exc_info=error)
