"""What people read in Discord: pure functions from our values to message text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from discord.utils import escape_markdown

from eren_memory.domain import Answer, Note, NoteStatus, Origin, Path
from eren_memory.text import first_line, shown

MESSAGE_LIMIT = 2_000
"""Characters that Discord takes in one message."""


def answer_messages(answer: Answer) -> list[str]:
    """The answer with its origin line, as one or more messages."""
    return split(f"{_contained(answer.text)}\n{origin_line(answer)}")


def origin_line(answer: Answer) -> str:
    """Where an answer comes from, in small print."""
    if answer.origin is Origin.MODEL:
        return "-# The model's own knowledge; no note applies."
    notes = " · ".join(
        f"note #{one.note.number} by {_person(one.note.author_id)}" for one in answer.notes
    )
    quoted = " · the model is out of reach, this is the note itself"
    return f"-# From {notes}{quoted if answer.trace.path is Path.NOTE_QUOTED else ''}"


def note_list(notes: Sequence[Note], total: int) -> str:
    """Notes a line each, as many as fit into one message, and how many there are."""
    lines: list[str] = []
    footer = "-# {shown} of {total} notes, newest first"
    room = MESSAGE_LIMIT - len(footer) - 20
    for note in notes:
        line = _note_line(note)
        if room < len(line) + 1:
            break
        room -= len(line) + 1
        lines.append(line)
    return "\n".join([*lines, footer.format(shown=len(lines), total=total)])


def quoted(note: Note) -> str:
    """A note's first line, harmless as Markdown."""
    return escape_markdown(shown(first_line(note.text, 200)))


def split(text: str, limit: int = MESSAGE_LIMIT) -> list[str]:
    """Cut text into messages at line ends, else at spaces, else anywhere."""
    parts: list[str] = []
    while len(text) > limit:
        cut = max(text.rfind("\n", 0, limit), 0) or max(text.rfind(" ", 0, limit), 0) or limit
        parts.append(text[:cut])
        text = text[cut:].lstrip()
    return [*parts, text]


def _note_line(note: Note) -> str:
    mark = "" if note.status is NoteStatus.ACTIVE else f" *({note.status})*"
    return f"**#{note.number}** {escape_markdown(shown(first_line(note.text)))}{mark}"


def _contained(text: str) -> str:
    """Answer text that can neither pass for the origin line nor swallow it."""
    text = re.sub(r"^(\s*)-#", r"\1\\-#", text, flags=re.MULTILINE)
    return f"{text}\n```" if text.count("```") % 2 else text


def _person(author_id: str) -> str:
    """A mention (which pings nobody: the bot allows none); other front ends belong to the operator."""
    return f"<@{author_id}>" if author_id.isdigit() else "the operator"
