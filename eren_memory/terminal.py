"""Answers, checks and notes as text for a terminal.

Notes and answers are untrusted: characters that a terminal would obey are shown, not sent.
"""

from __future__ import annotations

import unicodedata

from eren_memory.domain import (
    Answer,
    Candidate,
    ClaimCheck,
    ClaimVerdict,
    Note,
    NoteStatus,
    Origin,
    Path,
    Trace,
    first_line,
)

_VERDICTS = {
    ClaimVerdict.SUPPORTED: "Yes: a note supports this.",
    ClaimVerdict.REFUTED: "No: a note refutes this.",
}


def safe(text: str) -> str:
    """`text` with control and direction-changing characters written out."""
    return "".join(
        char if char in "\n\t" or unicodedata.category(char) not in {"Cc", "Cf"} else _escaped(char)
        for char in text
    )


def answer_text(answer: Answer) -> str:
    """The answer and the line that says where it comes from."""
    return f"{safe(answer.text)}\n{_origin(answer.origin, answer.notes, answer.trace)}"


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
        f"candidate   {one.dense:5.2f}  #{one.note.number} {safe(first_line(one.note.text, 60))}"
        for one in trace.candidates[:5]
    ]
    return "\n".join(lines)


def note_line(note: Note) -> str:
    """A note on one line."""
    mark = "" if note.status is NoteStatus.ACTIVE else f" ({note.status})"
    return f"#{note.number:<5} {safe(first_line(note.text))}{mark}"


def note_page(note: Note) -> str:
    """A note in full."""
    facts = {
        "status": f"{note.status}, revision {note.revision}",
        "author": note.author_id,
        "added": f"{note.created_at:%Y-%m-%d %H:%M} UTC",
        "changed": f"{note.updated_at:%Y-%m-%d %H:%M} UTC" if note.revision > 1 else None,
        "corrects": note.question,
        "source": note.source_url,
        "reason": note.reason,
    }
    told = [f"  {name:<9} {safe(value)}" for name, value in facts.items() if value]
    return "\n".join([f"#{note.number}  {safe(note.text)}", *told])


def _origin(origin: Origin, notes: tuple[Candidate, ...], trace: Trace) -> str:
    if origin is Origin.MODEL:
        return "  — The model's own knowledge; no note applies."
    numbers = ", ".join(f"#{one.note.number}" for one in notes)
    quoted = f": “{safe(first_line(notes[0].note.text, 100))}”" if len(notes) == 1 else ""
    without = " The model is out of reach; this is the note itself." if _alone(trace) else ""
    return f"  — From note {numbers}{quoted or '.'}{without}"


def _alone(trace: Trace) -> bool:
    return trace.path is Path.NOTE_QUOTED


def _escaped(char: str) -> str:
    return f"\\u{ord(char):04x}"
