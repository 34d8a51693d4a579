"""The prompt that proposes a note's test questions; a person accepts what is good of them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from eren_memory.domain import Probes
from eren_memory.llm import Message
from eren_memory.text import QUESTION_LIMIT, normalised, visible

_INSTRUCTION = (
    "Write test questions for a note. First three questions that the note answers, each in other "
    "words, every one understandable alone; each begins with +. Then three questions about the "
    "same subject that the note does not answer; each begins with -. One question a line, nothing else."
)
# Invented, as those of every prompt.
_SHOWN = "Mira Voss plays the cello."
_REPLY = """\
+ Which instrument does Mira Voss play?
+ What does Mira Voss play in the orchestra?
+ Is Mira Voss a cellist or a pianist?
- Where was Mira Voss born?
- Who taught Mira Voss?
- How old is Mira Voss?"""
_MOST_OF_EACH = 5
_LINE = re.compile(r"^\s*([+\-])\s*(\S.*?)\s*$")


def proposing(note: str) -> list[Message]:
    """Ask for questions that a note must answer, and that it must leave alone."""
    return [
        {"role": "system", "content": _INSTRUCTION},
        {"role": "user", "content": f"Note: {_SHOWN}"},
        {"role": "assistant", "content": _REPLY},
        {"role": "user", "content": f"Note: {' '.join(note.split())}"},
    ]


def proposed(reply: str, known: Sequence[str] = ()) -> Probes:
    """The questions of a reply, each once, without those that are `known` already."""
    found: dict[str, list[str]] = {"+": [], "-": []}
    seen = {normalised(one) for one in known}
    for line in reply.splitlines():
        match = _LINE.match(line)
        if match is None or not visible(match[2]) or len(match[2]) > QUESTION_LIMIT:
            continue
        if normalised(match[2]) not in seen and len(found[match[1]]) < _MOST_OF_EACH:
            seen.add(normalised(match[2]))
            found[match[1]].append(match[2])
    return Probes(tuple(found["+"]), tuple(found["-"]))
