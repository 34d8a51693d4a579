"""The benchmark files in their published form, as edits and the questions that go with them."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from eren_memory.errors import BadInput


class Kind(StrEnum):
    """What a question is to the edits; only `SCOPE` must be answered from a note."""

    SCOPE = "scope"
    SAME_SUBJECT = "same_subject"
    NEIGHBOUR = "neighbour"
    OUT_OF_SCOPE = "out_of_scope"


@dataclass(frozen=True, slots=True)
class Case:
    """A question or claim. `target` is what an edited model must say; None out of scope."""

    edit_id: str
    kind: Kind
    text: str
    target: str | None


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit: the note, and its cases."""

    id: str
    statement: str
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A file of edits. `claims` says whether its cases are claims with yes or no."""

    name: str
    edits: tuple[Edit, ...]
    claims: bool


def load(path: Path) -> Benchmark:
    """Read CounterFact-Hard or FEVER.

    Raises:
        BadInput: The file is missing, cut short, or of another form; the entry is named.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise BadInput(f"{path} is not a whole JSON file: {error}.") from error
    if not isinstance(entries, list) or not entries:
        raise BadInput(f"{path} is not a list of edits.")
    claims = all("unrelated" not in entry for entry in entries if isinstance(entry, dict))
    edits = []
    for number, entry in enumerate(entries, start=1):
        try:
            edits.append(_edit(entry))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise BadInput(f"{path}, entry {number}, is not an edit: {error!r:.80}.") from None
    return Benchmark(path.stem, tuple(edits), claims)


def _edit(entry: dict[str, Any]) -> Edit:
    edit_id, statement = str(entry["id"]), entry["edit_statement"]
    if not isinstance(statement, str):
        raise TypeError("edit_statement must be one sentence")
    scope = [(Kind.SCOPE, text, target) for text, target in entry["edit_scope"]]
    unrelated = entry.get("unrelated", {})
    scope += [(Kind.SAME_SUBJECT, text, None) for text in unrelated.get("same_subj", [])]
    scope += [(Kind.NEIGHBOUR, text, None) for text in unrelated.get("neighbor_subj", [])]
    # The files repeat questions; each counts once, under its first kind.
    seen: dict[str, Case] = {}
    for kind, text, target in scope:
        seen.setdefault(text.strip(), Case(edit_id, kind, text.strip(), target))
    return Edit(edit_id, statement.strip(), tuple(seen.values()))


def choose_edits(benchmark: Benchmark, count: int | None, seed: int) -> list[Edit]:
    """The edits that go into the notebook: all, or `count` of them drawn by id."""
    ordered = sorted(benchmark.edits, key=lambda edit: _draw(seed, edit.id))
    return ordered[:count]


def choose_cases(
    benchmark: Benchmark, applied: Sequence[Edit], count: int | None, seed: int
) -> list[Case]:
    """`count` cases in equal parts of each kind (all of them for None), each text once.

    A question out of scope of one edit that is word for word another's in-scope question is left
    out: no method could answer it both ways. Claims out of scope are those of edits that were not
    applied.
    """
    by_kind: dict[Kind, list[Case]] = {}
    for case in _cases(benchmark, applied):
        by_kind.setdefault(case.kind, []).append(case)
    chosen: list[Case] = []
    for kind, cases in by_kind.items():
        random.Random(f"{seed}:{kind}").shuffle(cases)  # noqa: S311 - A repeatable sample.
        chosen += _spread(cases)[: None if count is None else count // len(by_kind)]
    return chosen


def _cases(benchmark: Benchmark, applied: Sequence[Edit]) -> Iterator[Case]:
    in_scope = {case.text for edit in applied for case in edit.cases if case.kind is Kind.SCOPE}
    seen: set[str] = set()
    for edit in applied:
        for case in edit.cases:
            clashes = case.kind is not Kind.SCOPE and case.text in in_scope
            if not clashes and case.text not in seen:
                seen.add(case.text)
                yield case
    if not benchmark.claims:
        return
    ids = {edit.id for edit in applied}
    for edit in benchmark.edits:
        for case in edit.cases:
            if edit.id not in ids and case.text not in seen:
                seen.add(case.text)
                yield Case(edit.id, Kind.OUT_OF_SCOPE, case.text, None)


def _spread(cases: Sequence[Case]) -> list[Case]:
    """One case of every edit before a second one of any: a sample covers many edits."""
    turn: dict[str, int] = {}
    ranked = []
    for case in cases:
        ranked.append((turn.get(case.edit_id, 0), case))
        turn[case.edit_id] = turn.get(case.edit_id, 0) + 1
    return [case for _, case in sorted(ranked, key=lambda pair: pair[0])]


def _draw(seed: int, edit_id: str) -> bytes:
    return hashlib.sha256(f"{seed}:{edit_id}".encode()).digest()
