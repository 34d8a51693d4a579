"""What is wrong with a file's labels: whether to trust them at all, and which cases to set aside.

Raw figures count every question, audited ones leave out those that no method could answer rightly.
"""

from __future__ import annotations

from collections.abc import Sequence

from eren_memory.errors import BadInput
from eren_memory.evaluation.datasets import Benchmark, Edit, Form, Kind
from eren_memory.evaluation.metrics import normalise

NO_SCOPE = "its edit has no question in scope"
CLASHING = "its edit clashes with another"
ELSEWHERE_IN_SCOPE = "word for word in scope of another edit"
BOTH_LABELS = "the file has the claim with both labels"

_PLAUSIBLE = 0.9


def exclusions(benchmark: Benchmark, applied: Sequence[Edit]) -> dict[tuple[str, str], str]:
    """The cases that audited figures leave out: (id of the edit, text) and the reason."""
    in_scope: dict[str, dict[str, str]] = {}
    for edit in applied:
        for case in edit.scope:
            in_scope.setdefault(normalise(case.text), {})[edit.id] = normalise(case.target or "")
    clashing = set() if benchmark.claims else _clashing(applied, in_scope)
    contradictory = _contradictory(benchmark) if benchmark.claims else set()
    applied_ids = {edit.id for edit in applied}
    found: dict[tuple[str, str], str] = {}
    for edit in benchmark.edits:
        for case in edit.cases:
            text = normalise(case.text)
            must_change = edit.id in applied_ids and case.kind is Kind.SCOPE
            reason = None
            if text in contradictory:
                reason = BOTH_LABELS
            elif edit.id in applied_ids and not edit.scope:
                reason = NO_SCOPE
            elif edit.id in clashing and must_change:
                reason = CLASHING
            elif text in in_scope and not must_change:
                reason = ELSEWHERE_IN_SCOPE
            if reason:
                found[edit.id, case.text] = reason
    return found


def in_notes(benchmark: Benchmark) -> float:
    """The share of labels that the notes themselves bear out; 1 where there is nothing to compare.

    Of questions: targets that stand in their note. Of claims: notes that the file, asked for the note
    itself, labels yes.
    """
    borne_out: list[bool] = []
    for edit in benchmark.edits:
        notes = f" {normalise(' '.join(edit.statements))} "
        for case in edit.scope:
            if benchmark.claims and case.verbatim:
                borne_out.append(case.target == "yes")
            elif not benchmark.claims and case.target not in {"yes", "no"}:
                borne_out.append(f" {normalise(case.target or '')} " in notes)
    return sum(borne_out) / len(borne_out) if borne_out else 1.0


def check_labels(benchmark: Benchmark) -> str | None:
    """Notice labels that belong to other rows.

    Returns:
        A warning, for a file of one's own, whose targets may be in other words than the notes.

    Raises:
        BadInput: A published file whose labels its notes do not bear out.
    """
    share, moved = in_notes(benchmark), _moved(benchmark)
    if share >= _PLAUSIBLE and moved <= 1 - _PLAUSIBLE:
        return None
    if share < _PLAUSIBLE:
        what = (
            "notes are labelled yes as claims"
            if benchmark.claims
            else "targets stand in their note"
        )
        said = f"In {benchmark.name} only {share:.0%} of the {what}"
    else:
        said = f"In {benchmark.name} {moved:.0%} of the notes are claims of another edit"
    if benchmark.form is Form.OWN:
        return f"{said}. If that is not meant, the labels belong to other rows."
    raise BadInput(
        f"{said}, unlike in the published {benchmark.form}. The labels are shuffled or damaged: take "
        "the file from its source again."
    )


def _moved(benchmark: Benchmark) -> float:
    """The share of edits whose note is a claim of another edit, and not one of theirs."""
    if not benchmark.claims:
        return 0.0
    holders: dict[str, set[str]] = {}
    for edit in benchmark.edits:
        for case in edit.scope:
            holders.setdefault(normalise(case.text), set()).add(edit.id)
    found = [holders.get(normalise(edit.statement), {edit.id}) for edit in benchmark.edits]
    moved = sum(edit.id not in some for edit, some in zip(benchmark.edits, found, strict=True))
    return moved / len(benchmark.edits)


def _clashing(applied: Sequence[Edit], in_scope: dict[str, dict[str, str]]) -> set[str]:
    """Edits that give one question, or one statement, different targets."""
    said: dict[str, dict[str, str]] = {}
    for edit in applied:
        for case in edit.scope:
            target = normalise(case.target or "")
            statement = f" {normalise(edit.statement)} "
            if f" {target} " in statement:
                frame = "note:" + statement.replace(f" {target} ", " … ")
                said.setdefault(frame, {})[edit.id] = target
    return {
        edit_id
        for targets in (*in_scope.values(), *said.values())
        if len({*targets.values()}) > 1
        for edit_id in targets
    }


def _contradictory(benchmark: Benchmark) -> set[str]:
    labels: dict[str, set[str]] = {}
    for edit in benchmark.edits:
        for case in edit.scope:
            labels.setdefault(normalise(case.text), set()).add(case.target or "")
    return {text for text, found in labels.items() if len(found) > 1}
