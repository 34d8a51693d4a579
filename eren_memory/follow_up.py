"""The prompt that makes a question stand alone: one is searched for, and answered, without the rest.

Like every prompt's, its parts are untrusted and quoted on one line each, the one that varies last.
"""

from __future__ import annotations

from collections.abc import Sequence

from eren_memory.community import Turn
from eren_memory.llm import Message

_INSTRUCTION = (
    "Rewrite the last question so that it can be understood without the conversation: put what is "
    "meant in the place of words such as it, they or there, and add what is left out. Keep its "
    "language and change nothing else. Never answer it. Repeat a question that can be understood "
    "alone as it is. Reply with the question only."
)
# Invented: a follow-up, a question that stands alone already, one that leaves most out, and one in
# another language.
_SHOTS = (
    ((Turn("Who built Brask Tower?", "Orla Brask."),), "when?", "When was Brask Tower built?"),
    (
        (Turn("Which instrument does Mira Voss play?", "The cello."),),
        "How do I sign up for the weekly race?",
        "How do I sign up for the weekly race?",
    ),
    (
        (
            Turn("How do I join a crew?", "Ask in the harbour channel."),
            Turn("Does that cost anything?", "No, it is free."),
        ),
        "and can I leave it again",
        "Can I leave a crew again after joining it?",
    ),
    (
        (Turn("Wo steht der Brask-Turm?", "In Quill Bay."),),
        "wer hat ihn gebaut",
        "Wer hat den Brask-Turm gebaut?",
    ),
)
# Of the conversation: what a follow-up can mean stands near its end.
_TURNS = 3
_TURN_CHARACTERS = 500


def standalone(conversation: Sequence[Turn], question: str) -> list[Message]:
    """Ask for the question in words that need no conversation, of which it quotes the end."""
    messages: list[Message] = [{"role": "system", "content": _INSTRUCTION}]
    for turns, asked, reply in _SHOTS:
        messages += [
            {"role": "user", "content": _quoted(turns, asked)},
            {"role": "assistant", "content": reply},
        ]
    return [*messages, {"role": "user", "content": _quoted(conversation, question)}]


def _quoted(conversation: Sequence[Turn], question: str) -> str:
    lines = [
        f"Earlier {kind}: {_one_line(text)[:_TURN_CHARACTERS]}"
        for turn in conversation[-_TURNS:]
        for kind, text in (("question", turn.question), ("answer", turn.answer))
    ]
    return "\n".join([*lines, f"Last question: {_one_line(question)}"])


def _one_line(text: str) -> str:
    return " ".join(text.split())
