"""`--on-conflict`: what becomes of notes that say the same as a new one, or contradict it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from eren_memory.domain import NoteDraft
from eren_memory.errors import SimilarNotes
from eren_memory.terminal import said

if TYPE_CHECKING:
    from eren_memory.conflicts import Compared, Meeting
    from eren_memory.notebook import Notebook

on_conflict_option = click.option(
    "--on-conflict",
    type=click.Choice(["ask", "replace", "keep", "fail"]),
    default="ask",
    show_default=True,
    help="With notes that say the same or contradict: replace them, keep both, or fail.",
)


@dataclass(frozen=True, slots=True)
class Settled:
    """What a new note meets, and which of those notes it replaces."""

    compared: Compared
    replaced: Mapping[int, int | None]

    def data(self) -> dict[str, Any]:
        """For JSON."""
        conflicts = [
            {
                "number": one.note.number,
                "kind": str(one.kind),
                "text": one.note.text,
                "score": one.candidate.dense,
                "p": round(one.p, 4),
                "replaced": one.note.number in self.replaced,
            }
            for one in self.compared.meetings
        ]
        return {"conflicts": conflicts, "by_model": self.compared.by_model}

    def text(self) -> str:
        """For people, after the confirmation."""
        lines = [
            f"  {_LABELS[one.kind]} #{one.note.number}: {_title(one)}"
            + (" (replaced)" if one.note.number in self.replaced else "")
            for one in self.compared.meetings
        ]
        return "".join(f"\n{line}" for line in lines) + said(self.compared)


_SAID = {"duplicate": "says the same as", "conflict": "contradicts"}
_LABELS = {"duplicate": "same as", "conflict": "contradicts", "related": "related to"}


async def settle(
    notebook: Notebook,
    guild: str,
    draft: NoteDraft,
    policy: str,
    *,
    decided: Sequence[int] = (),
    ask: bool,
    apart_from: int | None = None,
) -> Settled:
    """Compare, and decide by the policy; the notes replaced are those seen here, in their revisions.

    Raises `SimilarNotes`, with nothing saved.
    """
    known: dict[int, int | None] = dict.fromkeys(decided)
    compared = await notebook.compare(guild, draft, apart_from=apart_from)
    open_ = [one for one in compared.grave if one.note.number not in decided]
    if not open_:
        return Settled(compared, known)
    if policy == "ask" and ask and sys.stdin.isatty():
        policy = _asked(open_)
    if policy == "replace":
        return Settled(compared, known | {one.note.number: one.note.revision for one in open_})
    if policy == "keep":
        return Settled(compared, known)
    met = " and ".join(f"{_SAID[one.kind]} note #{one.note.number}" for one in open_)
    raise SimilarNotes(
        f"This {met}. Nothing was saved. Put it in their place with --on-conflict replace, or keep "
        "both with --on-conflict keep."
    )


def _asked(meetings: Sequence[Meeting]) -> str:
    for one in meetings:
        click.echo(f"{_LABELS[one.kind]} #{one.note.number}: {_title(one)}", err=True)
    return str(
        click.prompt(
            "Replace, keep both, or stop?",
            type=click.Choice(["replace", "keep", "stop"]),
            default="stop",
            err=True,
        )
    )


def _title(one: Meeting) -> str:
    from eren_memory.text import first_line, shown

    return shown(first_line(one.note.text, 100))
