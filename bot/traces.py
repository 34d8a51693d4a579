"""What is kept of how an answer came about, and what the log says of it."""

from __future__ import annotations

import re
from typing import Any

from bot import render
from bot.desk import now
from bot.questions import Request
from bot.texts import Texts
from eren_memory.community import Asked, Used
from eren_memory.domain import Answer, ClaimCheck, Note

# Candidates that *Why?* explains.
_EXPLAINED = 5
_IGNORANT = re.compile(
    r"\b(i (do not|don't|don’t) (know|have (any )?information)|i('m|’m| am) (not sure|unable to|sorry)|"
    r"i (cannot|can't|can’t) (answer|say|tell|help|find|provide)|no information (about|on))\b",
    re.IGNORECASE,
)


def recorded(request: Request, made: Answer | ClaimCheck) -> tuple[Asked, list[Note]]:
    """What is kept of an answer, and the notes that it came from."""
    notes = [one.note for one in made.notes]
    text, question = made_text(request.t, made), request.text
    if isinstance(made, Answer):
        question = made.question or request.text
    asked = Asked(
        id=request.id,
        guild_id=request.place.guild_id,
        channel_id=request.channel_id,
        channels=request.place.channels,
        asker_id=request.asker_id,
        question=question,
        text=text,
        origin=str(made.origin),
        claim=request.claim,
        private=request.private,
        at=now(),
        notes=tuple(Used(note.id, note.revision) for note in notes),
        trace=trace_of(made),
        parent_id=request.parent.id if request.parent else None,
        missed=not notes and bool(_IGNORANT.search(text)),
    )
    return asked, notes


def told(asked: Asked) -> dict[str, Any]:
    """What the log says of an answer; `logs` keeps question and answer out unless asked for them."""
    figures = ("path", "calls", "prompt_tokens", "completion_tokens", "ms")
    said = {name: asked.trace[name] for name in figures}
    words = {"question": asked.question, "answer": asked.text}
    return {"origin": asked.origin, "notes": len(asked.notes)} | said | words


def made_text(t: Texts, made: Answer | ClaimCheck) -> str:
    """What was answered, in words."""
    if isinstance(made, Answer):
        return made.text
    return render.claim_text(t, made.verdict, made.answer)


def trace_of(made: Answer | ClaimCheck) -> dict[str, Any]:
    """How an answer came about, as it is kept: no text of any note."""
    trace = made.trace
    return {
        "method": trace.method,
        "path": str(trace.path),
        "verdict": trace.verdict,
        "p": trace.p,
        "mark": trace.mark,
        "calls": trace.usage.calls,
        "prompt_tokens": trace.usage.prompt_tokens,
        "completion_tokens": trace.usage.completion_tokens,
        "ms": round(trace.milliseconds),
        "candidates": [
            {
                "id": str(one.note.id),
                "revision": one.note.revision,
                "dense": round(one.dense, 4),
                "lexical": round(one.lexical, 2),
            }
            for one in trace.candidates[:_EXPLAINED]
        ],
    }
