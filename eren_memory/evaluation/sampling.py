"""Which edits go into the notebook and which questions are asked: drawn by id and seed.

A draw does not depend on the order of the file, and a smaller one is the beginning of a larger one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from eren_memory.evaluation.audit import exclusions
from eren_memory.evaluation.datasets import Benchmark, Case, Edit, Kind


def choose_edits(benchmark: Benchmark, count: int | None, seed: int) -> list[Edit]:
    """The edits that go into the notebook: all, or `count` of them drawn by id."""
    ordered = sorted(benchmark.edits, key=lambda edit: _draw(seed, edit.id))
    return ordered[:count]


def choose_cases(
    benchmark: Benchmark,
    applied: Sequence[Edit],
    count: int | None,
    seed: int,
    *,
    audited: bool = True,
) -> list[Case]:
    """`count` cases in equal parts of each kind (all of them for None), each question once.

    The part in scope is half verbatim, half paraphrases, as far as there are. Where an edit brings
    no questions out of scope of its own (claims, HotpotQA), those of edits that were not applied are
    taken. `audited` leaves out what `audit.exclusions` names; otherwise those cases carry the reason.
    """
    known = exclusions(benchmark, applied)
    by_kind: dict[Kind, list[Case]] = {}
    for case in _cases(benchmark, applied):
        reason = known.get((case.edit_id, case.text))
        if not (audited and reason):
            by_kind.setdefault(case.kind, []).append(replace(case, excluded=reason))
    chosen: list[Case] = []
    for cases in by_kind.values():
        cases.sort(key=lambda case: _draw(seed, f"{case.edit_id}:{case.text}"))
        part = None if count is None else max(count // len(by_kind), 1)
        chosen += _balanced(_spread(cases), part)
    return chosen


def _cases(benchmark: Benchmark, applied: Sequence[Edit]) -> Iterator[Case]:
    """Every question once in scope, and once outside of it."""
    seen: set[tuple[str, bool]] = set()
    for edit in applied:
        for case in edit.cases:
            key = (case.text, case.kind is Kind.SCOPE)
            if key not in seen:
                seen.add(key)
                yield case
    if any(case.kind is not Kind.SCOPE for edit in benchmark.edits for case in edit.cases):
        return
    ids, asked = {edit.id for edit in applied}, {text for text, _ in seen}
    for edit in benchmark.edits:
        for case in edit.cases:
            if edit.id not in ids and case.text not in asked:
                asked.add(case.text)
                yield replace(case, kind=Kind.OUT_OF_SCOPE, target=None, verbatim=False)


def _spread(cases: Sequence[Case]) -> list[Case]:
    """One case of every edit before a second one of any: a sample covers many edits."""
    turn: dict[str, int] = {}
    ranked = []
    for case in cases:
        ranked.append((turn.get(case.edit_id, 0), case))
        turn[case.edit_id] = turn.get(case.edit_id, 0) + 1
    return [case for _, case in sorted(ranked, key=lambda pair: pair[0])]


def _balanced(cases: Sequence[Case], count: int | None) -> list[Case]:
    """The first `count`, half of them verbatim and half not, as far as there are."""
    if count is None or count >= len(cases):
        return list(cases)
    verbatim = [case for case in cases if case.verbatim]
    others = [case for case in cases if not case.verbatim]
    half = min(len(verbatim), max(count // 2, count - len(others)))
    return verbatim[:half] + others[: count - half]


def _draw(seed: int, identity: str) -> bytes:
    return hashlib.sha256(f"{seed}:{identity}".encode()).digest()
