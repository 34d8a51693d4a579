"""Long text in messages: cut at paragraphs, lines or words, code fences closed and opened again."""

from __future__ import annotations

import re
from dataclasses import dataclass

MESSAGE_LIMIT = 2_000
"""Characters that Discord takes in one message."""
MOST_MESSAGES = 4
"""Longer answers come as a file: a wall of messages pushes everybody else's away."""

_FENCE = re.compile(r"```(?:([\w+#-]*)(?=\n))?")
# Room for closing a fence at the end of a part and opening it again in the next.
_FENCE_ROOM = 40


def split(text: str, limit: int = MESSAGE_LIMIT) -> list[str]:
    """Cut text into parts of at most `limit` characters, each of which is whole Markdown."""
    parts: list[str] = []
    opening = ""
    rest = text
    while len(opening) + len(rest) > limit:
        room = limit - len(opening) - _FENCE_ROOM
        cut = _cut(rest, room)
        part, rest = opening + rest[:cut].rstrip(), rest[cut:].lstrip("\n")
        language = _open_fence(part)
        if part.strip():  # Discord takes no message of blanks alone.
            parts.append(part if language is None else f"{part}\n```")
        opening = "" if language is None else f"```{language}\n"
    return [*parts, opening + rest]


@dataclass(frozen=True, slots=True)
class Page:
    """Messages in their order; what is too long for them comes whole as a `file` with the last."""

    parts: tuple[str, ...]
    file: str | None = None


def paged(body: str, line: str, overflow: str) -> Page:
    """An answer with its origin line, which always stands under the last message.

    Args:
        body: The answer.
        line: Where it comes from.
        overflow: Says that the rest is in the file.
    """
    parts = split(f"{body}\n{line}")
    if len(parts) <= MOST_MESSAGES:
        return Page(tuple(parts))
    foot = f"\n-# {overflow}\n{line}"
    return Page((split(body, MESSAGE_LIMIT - len(foot))[0] + foot,), body)


def closed(text: str) -> str:
    """The text with a code fence that it leaves open closed."""
    return text if _open_fence(text) is None else f"{text}\n```"


def _cut(text: str, room: int) -> int:
    """Where to end a part: after a paragraph, else a line, else a word, else anywhere."""
    for mark in ("\n\n", "\n", " "):
        # An early paragraph would leave a part almost empty.
        if (found := text.rfind(mark, room // 3, room)) > 0:
            return found
    # Not inside of a fence's own three characters.
    return len(text[:room].rstrip("`")) or room


def _open_fence(text: str) -> str | None:
    """The language of the code fence that is open at the end; None when none is."""
    opened: str | None = None
    for fence in _FENCE.finditer(text):
        opened = (fence.group(1) or "")[:20] if opened is None else None
    return opened
