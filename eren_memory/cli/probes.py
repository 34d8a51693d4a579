"""`eren note test` and `eren note propose`: a note's test questions."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from eren_memory.cli.common import (
    NUMBER,
    actor,
    emit,
    guild_option,
    json_option,
    number_argument,
    opened,
    progress_bar,
    run,
)
from eren_memory.domain import NoteStatus, Probes
from eren_memory.text import first_line, shown

if TYPE_CHECKING:
    from eren_memory.domain import Note
    from eren_memory.probing import Probed


@click.command()
@click.argument("number", type=NUMBER, required=False)
@guild_option
@json_option
def test(number: int | None, guild: str, *, as_json: bool) -> None:
    """Ask the probes of a note, or of all, without the notebook and with it.

    A note without probes is asked the question that it corrects. Exits 1 if a probe fails.
    """
    from eren_memory.probing import probe, probes_of

    async def work() -> list[Probed]:
        async with opened() as app:
            ledger = app.notebook.ledger
            chosen = (
                [await ledger.note(guild, number)]
                if number
                else await ledger.notes(guild, NoteStatus.ACTIVE)
            )
            asked = [(one, wanted) for one in chosen for wanted in probes_of(one)]
            results = []
            with progress_bar("Asking") as progress:
                for one, wanted in asked:
                    results.append(await probe(app.eren, one, wanted))
                    progress(len(results), len(asked))
            return results

    results = run(work)
    failed = sum(not one.passed for one in results)
    lines = [_line(one) for one in results]
    lines.append(f"{len(results) - failed} of {len(results)} probes passed.")
    emit([_probed(one) for one in results], "\n".join(lines), as_json=as_json)
    if failed:
        raise click.exceptions.Exit(1)


@click.command()
@number_argument
@click.option("--accept", is_flag=True, help="Save them all without asking.")
@guild_option
@json_option
def propose(number: int, guild: str, *, accept: bool, as_json: bool) -> None:
    """Have the model propose a note's probes; you accept the good ones, one by one.

    With --json, or without a terminal, they are only printed unless --accept saves them.
    """
    ask = not (accept or as_json) and sys.stdin.isatty()

    async def work() -> tuple[Probes, Note | None]:
        async with opened() as app:
            seen = await app.notebook.ledger.note(guild, number)
            proposed = await app.eren.propose(seen)
            chosen = _chosen(proposed) if ask else proposed if accept else Probes()
            if chosen == Probes():
                return proposed, None
            change, keep = seen.probes.change + chosen.change, seen.probes.keep + chosen.keep
            return proposed, await app.notebook.edit(
                guild, number, actor(), expect=seen.revision, probes=Probes(change, keep)
            )

    proposed, saved = run(work)
    data = {
        "number": number,
        "change": list(proposed.change),
        "keep": list(proposed.keep),
        "saved": saved is not None,
    }
    lines = [f"must answer      {shown(one)}" for one in proposed.change]
    lines += [f"must not answer  {shown(one)}" for one in proposed.keep]
    lines.append(
        f"Saved with note #{number}; eren note test {number} asks them."
        if saved
        else "Nothing was saved." + ("" if ask else " --accept saves them.")
    )
    emit(data, "\n".join(lines), as_json=as_json)


def _chosen(proposed: Probes) -> Probes:
    def good(question: str, kind: str) -> bool:
        return click.confirm(f"{kind}: {shown(question)}  Keep it?", default=True, err=True)

    return Probes(
        tuple(one for one in proposed.change if good(one, "must answer")),
        tuple(one for one in proposed.keep if good(one, "must not answer")),
    )


def _line(one: Probed) -> str:
    mark = "ok  " if one.passed else "FAIL"
    wanted = f"must {'' if one.probe.change else 'not '}answer"
    change = f"{shown(first_line(one.before))} → {shown(first_line(one.answer))}"
    return f"{mark} #{one.note.number} {wanted}: {shown(one.probe.question)}\n       {change}"


def _probed(one: Probed) -> dict[str, Any]:
    return {
        "number": one.note.number,
        "question": one.probe.question,
        "expected": "change" if one.probe.change else "keep",
        "passed": one.passed,
        "before": one.before,
        "answer": one.answer,
    }
