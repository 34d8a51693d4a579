"""The benchmark files in their published form, and one's own edits, as edits with their questions.

Published: a JSON list with `edit_statement`, `edit_scope` and, in CounterFact-Hard, `unrelated`.
One's own: JSONL, one edit a line, as `{"note": …, "change": [[question, target], …], "keep": [question,
…], "same_subject": […], "neighbour": […], "subject": …, "id": …}`; only `note` must be there.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from eren_memory.errors import BadInput
from eren_memory.evaluation.datasets import Benchmark, Case, Edit, Form, Kind, is_verbatim
from eren_memory.evaluation.metrics import normalise
from eren_memory.text import NOTE_LIMIT, note_text


def load(path: Path) -> Benchmark:
    """Read CounterFact-Hard, FEVER, HotpotQA, or one's own edits from a file ending in `.jsonl`.

    Raises:
        BadInput: The file is missing, cut short, or of another form; the entry is named.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from error
    entries = list(_entries(path, content))
    if not entries:
        raise BadInput(f"{path} is not a list of edits.")
    form = _form(entries[0])
    edits: list[Edit] = []
    for number, entry in enumerate(entries, start=1):
        try:
            edits.append(_edit(entry, number, form))
        except (AttributeError, KeyError, TypeError, ValueError, BadInput) as error:
            said = str(error) if isinstance(error, BadInput) else f"{error!r:.80}"
            raise BadInput(f"{path}, entry {number}, is not an edit: {said}.") from None
    if twice := [one for one, count in Counter(edit.id for edit in edits).items() if count > 1]:
        raise BadInput(f"{path} has the id {twice[0]} twice: every edit needs its own.")
    claims = form is Form.FEVER or (form is Form.OWN and _are_claims(edits))
    if claims:
        _check_claims(path, edits)
    marked = tuple(_marked(edit, claims=claims) for edit in edits)
    shortened = 0 if form is Form.OWN else sum(_too_long(entry) for entry in entries)
    sha256 = hashlib.sha256(content).hexdigest()
    return Benchmark(path.stem, marked, claims, form, sha256, shortened)


def _entries(path: Path, content: bytes) -> Iterator[Any]:
    try:
        text = content.decode("utf-8")
        if path.suffix == ".jsonl":
            for number, line in enumerate(text.split("\n"), start=1):
                if line.strip():
                    yield _line(path, number, line)
            return
        entries = json.loads(text)
    except ValueError as error:
        raise BadInput(f"{path} is not a whole JSON file: {error}.") from error
    if not isinstance(entries, list):
        raise BadInput(f"{path} is not a list of edits.")
    yield from entries


def _line(path: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise BadInput(f"{path}, line {number}, is not a whole JSON object: {error}.") from error


def _form(entry: Any) -> Form:
    if not isinstance(entry, dict):
        return Form.OWN
    if "note" in entry:
        return Form.OWN
    if "unrelated" in entry:
        return Form.COUNTERFACT
    return Form.HOTPOT if isinstance(entry.get("edit_statement"), list) else Form.FEVER


def _edit(entry: Any, number: int, form: Form) -> Edit:
    if not isinstance(entry, dict):
        raise TypeError("not an object")
    if _form(entry) is not form:
        raise ValueError(f"not of the form of the first, which is {form}")
    own = form is Form.OWN
    edit_id = str(entry.get("id", number) if own else entry["id"])
    said = _listed(entry["note" if own else "edit_statement"])
    statements = tuple(note_text(one if own else _usable(one)) for one in said)
    if not statements:
        raise ValueError("no note")
    scope = [_asked(one) for one in _list(entry.get("change", []) if own else entry["edit_scope"])]
    true = _true_answers(entry.get("edit_scope_true_ans"), len(scope))
    cases = [
        Case(edit_id, Kind.SCOPE, text, target, known)
        for (text, target), known in zip(scope, true, strict=True)
    ]
    unrelated = entry if own else entry.get("unrelated", {})
    for kind, key in _UNRELATED[own]:
        cases += [Case(edit_id, kind, _text(text), None) for text in _list(unrelated.get(key, []))]
    # The files repeat questions; each counts once for its edit, under its first kind.
    seen: dict[str, Case] = {}
    for case in cases:
        seen.setdefault(case.text, case)
    subject = entry.get("subject" if own else "subject_name")
    return Edit(edit_id, statements, tuple(seen.values()), subject)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"a list was expected, not {value!r:.40}")
    return value


def _listed(said: Any) -> list[Any]:
    return said if isinstance(said, list) else [said]


def _usable(note: str) -> str:
    """A published note as a notebook takes it: without control characters, and not too long."""
    plain = "".join(" " if unicodedata.category(char) == "Cc" else char for char in note).strip()
    return plain if len(plain) <= NOTE_LIMIT else plain[: NOTE_LIMIT + 1].rsplit(" ", 1)[0].strip()


def _too_long(entry: dict[str, Any]) -> int:
    return sum(len(one.strip()) > NOTE_LIMIT for one in _listed(entry["edit_statement"]))


# By whether the entry is of the plain form.
_UNRELATED = {
    False: ((Kind.SAME_SUBJECT, "same_subj"), (Kind.NEIGHBOUR, "neighbor_subj")),
    True: (
        (Kind.SAME_SUBJECT, "same_subject"),
        (Kind.NEIGHBOUR, "neighbour"),
        (Kind.OUT_OF_SCOPE, "keep"),
    ),
}


def _marked(edit: Edit, *, claims: bool) -> Edit:
    cases = (
        replace(case, verbatim=is_verbatim(case.text, edit.statements, claim=claims))
        if case.kind is Kind.SCOPE
        else case
        for case in edit.cases
    )
    return replace(edit, cases=tuple(cases))


def _asked(pair: Any) -> tuple[str, str]:
    text, target = pair
    if not normalise(_text(target)):
        raise ValueError(f"a question without a target: {text!r:.40}")
    return _text(text), _text(target)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise TypeError(f"text was expected, not {value!r:.40}")
    return "".join(" " if unicodedata.category(char) == "Cc" else char for char in value).strip()


def _true_answers(flagged: Any, count: int) -> list[str | None]:
    """One a question. FEVER flags each edit's claims alike, but not always as many as there are."""
    if isinstance(flagged, list) and len(flagged) == count:
        return flagged
    return [flagged[0] if flagged and len({*flagged}) == 1 else None] * count


def _are_claims(edits: Sequence[Edit]) -> bool:
    """Whether one's own edits are claims: every target is yes or no, and nothing is asked."""
    scope = [case for edit in edits for case in edit.scope]
    return bool(scope) and all(
        case.target in _LABELS and not case.text.endswith("?") for case in scope
    )


_LABELS = {"yes", "no"}


def _check_claims(path: Path, edits: Sequence[Edit]) -> None:
    for number, edit in enumerate(edits, start=1):
        for case in edit.scope:
            if case.target not in _LABELS:
                raise BadInput(
                    f"{path}, entry {number}, is not an edit: a claim's label is yes or no, not "
                    f"{case.target!r:.40}."
                )
