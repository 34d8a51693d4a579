"""Answers, checks and notes as text for a terminal.

Notes and answers are untrusted: characters that a terminal would obey are shown, not sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from eren_memory.domain import (
    Answer,
    Candidate,
    ClaimCheck,
    ClaimVerdict,
    HistoryEntry,
    Note,
    NoteStatus,
    Origin,
    Path,
    Probes,
    Trace,
)
from eren_memory.inputs import scope_text
from eren_memory.text import first_line, shown

if TYPE_CHECKING:
    from eren_memory.conflicts import Compared

_LIKE_ORIGIN = re.compile(r"^([^\S\n]*)([\u2010-\u2015\u2212\u2e3a\u2e3b\ufe58])", re.MULTILINE)
_VERDICTS = {
    ClaimVerdict.SUPPORTED: "Yes: a note supports this.",
    ClaimVerdict.REFUTED: "No: a note refutes this.",
}


def answer_text(answer: Answer) -> str:
    """The answer and the line that says where it comes from."""
    # A line of the answer's own must not pass for the one that says where it comes from.
    text = _LIKE_ORIGIN.sub(r"\1\\\2", shown(answer.text))
    return f"{text}\n{_origin(answer.origin, answer.notes, answer.trace)}"


def check_text(checked: ClaimCheck) -> str:
    """The verdict and the line that says where it comes from."""
    said = _VERDICTS.get(
        checked.verdict, f"The notebook is silent; the model says {checked.answer}."
    )
    return f"{said}\n{_origin(checked.origin, checked.notes, checked.trace)}"


def trace_text(trace: Trace) -> str:
    """Why an answer is what it is."""
    usage = trace.usage
    lines = [f"path        {trace.path}"]
    if trace.verdict is not None:
        lines.append(f"model says  {trace.verdict:.3f} that the note answers")
    if trace.p is not None:
        lines.append(f"decision    {trace.p:.3f} (accepted from 0.5)")
    lines.append(
        f"cost        {usage.calls} calls, {usage.prompt_tokens} + {usage.completion_tokens} tokens, "
        f"{trace.milliseconds:.0f} ms"
    )
    lines += [
        f"candidate   {one.dense:5.2f}  #{one.note.number} {shown(first_line(one.note.text, 60))}"
        for one in trace.candidates[:5]
    ]
    return "\n".join(lines)


def note_line(note: Note) -> str:
    """A note on one line."""
    mark = "" if note.status is NoteStatus.ACTIVE else f" ({note.status})"
    return f"#{note.number:<5} {shown(first_line(note.text))}{mark}"


def note_page(note: Note) -> str:
    """A note in full."""
    begun = note.valid_from and f"from {_day(note.valid_from)}"
    ends = note.valid_until and f"until {_day(note.valid_until)}"
    facts = {
        "status": f"{note.status}, revision {note.revision}",
        "scope": scope_text(note.scope) if note.scope else None,
        "valid": " ".join(one for one in (begun, ends) if one),
        "author": note.author_id,
        "approved": note.approved_by,
        "added": _day(note.created_at),
        "changed": _day(note.updated_at) if note.revision > 1 else None,
        "verified": _day(note.verified_at) if note.verified_at else None,
        "review by": _day(note.review_by) if note.review_by else None,
        "corrects": note.question,
        "source": note.source_url,
        "reason": note.reason,
        "must": "; ".join(note.probes.change),
        "must not": "; ".join(note.probes.keep),
    }
    told = [f"  {name:<9} {_block(value, 12)}" for name, value in facts.items() if value]
    return "\n".join([f"#{note.number}  {_block(note.text, 4) or '(erased)'}", *told])


def history_page(entries: Sequence[HistoryEntry]) -> str:
    """A note's revisions, the oldest first, with what each changed."""
    lines: list[str] = []
    for one in entries:
        why = f" ({one.by.reason})" if one.by.reason else ""
        head = f"{one.note.revision:>3}  {_day(one.at)}  {one.act} by {one.by.actor_id}{why}"
        lines.append(_block(head, 7))
        if not one.changes:
            lines.append(f"     {_block(one.note.text, 7)}")
        for name, (old, new) in one.changes.items():
            lines += [f"     {name}", f"     - {_value(old)}", f"     + {_value(new)}"]
    return "\n".join(lines)


def said(compared: Compared) -> str:
    """What there is to say of how a note was compared; nothing if as it should be."""
    if not compared.compared:
        return (
            "\n  Not compared with other notes: the embedding model or the index is out of reach."
        )
    if not compared.by_model:
        return "\n  Compared without the model: conflicts in other words may be missed."
    return ""


def reembedding_text(state: Mapping[str, Any]) -> str:
    """How far it is to another embedding model, what was kept, refused, or is only in the settings."""
    told = []
    if building := state["building"]:
        share = f"{building['done']:,} of {building['total']:,} notes"
        told.append(f"{building['space']} is being built: {share}")
    if state["named"]:
        told.append(
            f"the settings name {state['named']}: the bot goes over to it when it starts, or run "
            "eren reembed"
        )
    if kept := state["kept"]:
        told.append(f"{kept['space']} is kept until {kept['until'][:10]}")
    told += [f"refused: {why}" for why in state["refused"].values()]
    return shown("; ".join(told)) or "none"


def budget_text(state: Mapping[str, Any] | None) -> str:
    """What is used of today's budgets, and what is done at their end."""
    if state is None:
        return "none"
    told = [
        f"{one['used']:,} of {one['limit']:,} {one['budget']} of the {one['of']} ({one['percent']} %)"
        for one in state["today"]
    ]
    if most := state["questions_per_member"]:
        told.append(f"{most:,} questions a member")
    return shown("; ".join([*told, f"at the limit: {state['at_limit']}"]))


def _value(value: object) -> str:
    if isinstance(value, datetime):
        return _day(value)
    if isinstance(value, tuple):
        return shown(scope_text(value))
    if isinstance(value, Probes):
        must = [f"must answer: {one}" for one in value.change]
        return _block("\n".join([*must, *(f"must not answer: {one}" for one in value.keep)]), 7)
    return "" if value is None else _block(str(value), 7)


def _block(text: str, indent: int) -> str:
    """Text whose further lines stand further in, so that none of them passes for one of ours."""
    return shown(text).replace("\n", "\n" + " " * indent)


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _origin(origin: Origin, notes: tuple[Candidate, ...], trace: Trace) -> str:
    if origin is Origin.MODEL:
        return "  — The model's own knowledge; no note applies."
    numbers = ", ".join(f"#{one.note.number}" for one in notes)
    quoted = f": “{shown(first_line(notes[0].note.text, 100))}”" if len(notes) == 1 else ""
    without = " The model is out of reach; this is the note itself." if _alone(trace) else ""
    return f"  — From note {numbers}{quoted or '.'}{without}"


def _alone(trace: Trace) -> bool:
    return trace.path is Path.NOTE_QUOTED
