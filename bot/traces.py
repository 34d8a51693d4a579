"""What is kept of how an answer came about, and what the log says of it."""

from __future__ import annotations

from typing import Any

from bot import render
from bot.texts import Texts
from eren_memory.community import Asked
from eren_memory.domain import Answer, ClaimCheck

# Candidates that *Why?* explains.
_EXPLAINED = 5


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
