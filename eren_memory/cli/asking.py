"""`eren ask` and `eren check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from eren_memory.cli.common import (
    channel_option,
    emit,
    guild_option,
    json_option,
    opened,
    run,
)

if TYPE_CHECKING:
    from eren_memory.domain import Answer, Candidate, ClaimCheck, Scope, Trace


@click.command()
@click.argument("question")
@click.option(
    "--method", default="eren", show_default=True, help="eren, eren-paper, one-step or unedited."
)
@channel_option
@click.option("--trace", "with_trace", is_flag=True, help="Show candidates, scores and decision.")
@guild_option
@json_option
def ask(
    question: str, method: str, channel: Scope, guild: str, *, with_trace: bool, as_json: bool
) -> None:
    """Ask a question; the answer says whether a note made it."""
    from eren_memory.domain import Place
    from eren_memory.terminal import answer_text, trace_text

    async def work() -> Answer:
        async with opened() as app:
            return await app.eren.answer(question, Place(guild, channel), method)

    answer = run(work)
    text = answer_text(answer) + (f"\n\n{trace_text(answer.trace)}" if with_trace else "")
    data = {"answer": answer.text, **_common(answer)}
    emit(data | ({"trace": _trace(answer.trace)} if with_trace else {}), text, as_json=as_json)


@click.command()
@click.argument("claim")
@click.option(
    "--method", default="eren", show_default=True, help="eren, eren-paper, one-step or unedited."
)
@channel_option
@guild_option
@json_option
def check(claim: str, method: str, channel: Scope, guild: str, *, as_json: bool) -> None:
    """Check a claim: supported, refuted, or silent and then the model's own yes or no."""
    from eren_memory.domain import Place
    from eren_memory.terminal import check_text

    async def work() -> ClaimCheck:
        async with opened() as app:
            return await app.eren.check(claim, Place(guild, channel), method)

    checked = run(work)
    data = {"verdict": checked.verdict, "answer": checked.answer, **_common(checked)}
    emit(data, check_text(checked), as_json=as_json)


def _common(answer: Answer | ClaimCheck) -> dict[str, Any]:
    usage = answer.trace.usage
    return {
        "origin": answer.origin,
        "notes": [_candidate(one) for one in answer.notes],
        "p": answer.trace.p,
        "calls": usage.calls,
        "tokens": {"prompt": usage.prompt_tokens, "completion": usage.completion_tokens},
        "ms": round(answer.trace.milliseconds, 1),
    }


def _candidate(candidate: Candidate) -> dict[str, Any]:
    note = candidate.note
    return {
        "number": note.number,
        "id": str(note.id),
        "revision": note.revision,
        "text": note.text,
        "score": candidate.dense,
    }


def _trace(trace: Trace) -> dict[str, Any]:
    return {
        "method": trace.method,
        "path": trace.path,
        "verdict": trace.verdict,
        "candidates": [_candidate(one) | {"lexical": one.lexical} for one in trace.candidates],
    }
