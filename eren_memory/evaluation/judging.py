"""What each row is worth, and of what kind its error is: pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from eren_memory.domain import Origin, Path
from eren_memory.evaluation import metrics
from eren_memory.evaluation.datasets import Kind
from eren_memory.evaluation.journal import AGAIN, REFERENCE, UNSIZED, Row


class Fault(StrEnum):
    """Why a question counts as an error; each error has one."""

    FAILED = "failed"
    """No answer came, from the method or, to compare with, from the unedited model."""
    RETRIEVAL_MISS = "retrieval_miss"
    """A note that answers was not among the candidates."""
    GATE_MISS = "gate_miss"
    """Retrieval found it, and stopped before anything was read."""
    FALSE_REJECT = "false_reject"
    """It was read, or could have been, and turned down."""
    FALSE_ACCEPT = "false_accept"
    """The notebook answered what no note answers."""
    WRONG_ANSWER = "wrong_answer"
    """The notebook answered, and wrongly; or the model did, by another request than the unedited."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A row and what it is worth.

    `right` is edit success by containment in scope, and elsewhere behaviour preservation against the
    cached unedited answer; `exact` is the former by equality. `f1` is 0 out of scope. `fresh` says
    that the answer is letter for letter the unedited one, `by_path` that the notebook had no part in it.
    """

    row: Row
    unedited: str
    right: bool
    exact: bool
    fault: Fault | None
    f1: float = 0.0
    fresh: bool = False
    by_path: bool = False

    @property
    def in_scope(self) -> bool:
        """Whether a note must answer it."""
        return self.row.case.kind is Kind.SCOPE


def judged(rows: Iterable[Row], method: str, edits: int) -> list[Judged]:
    """The rows of a method in a notebook of that size, in an order of their own."""
    rows = list(rows)
    reference = {
        row.case.text: row for row in rows if (row.method, row.edits) == (REFERENCE, UNSIZED)
    }
    again = {row.case.text: row for row in rows if row.method == AGAIN}
    mine = [row for row in rows if (row.method, row.edits) == (method, edits)]
    mine.sort(key=lambda row: (row.case.kind, row.case.edit_id, row.case.text))
    # The unedited model's own answers are the cached ones; a fresh answer of its is the second.
    fresh = again if method == REFERENCE else {}
    return [
        _judge(row, reference.get(row.case.text), fresh.get(row.case.text, row).answer)
        for row in mine
    ]


def _judge(row: Row, reference: Row | None, fresh_answer: str) -> Judged:
    answer, unedited = row.answer, reference.answer if reference else ""
    failed = row.error is not None
    if row.case.kind is Kind.SCOPE:
        target = row.case.target or ""
        right = not failed and metrics.contains(answer, target)
        exact = not failed and metrics.exact(answer, target)
        f1 = 0.0 if failed else metrics.f1(answer, target)
        fault = None if right else _fault_in_scope(row)
        return Judged(row, unedited, right, exact, fault, f1)
    failed = failed or reference is None or reference.error is not None
    fresh = not failed and fresh_answer == unedited
    # A fallback served from a cache of unedited answers gives the cached one: that an endpoint varies
    # from call to call is not the method's doing, and stands beside this as the fresh figure.
    right = not failed and (row.fell_back or answer == unedited)
    by_path = not failed and row.origin is Origin.MODEL
    fault = None
    if not right:
        fault = Fault.FALSE_ACCEPT if row.origin is Origin.NOTEBOOK else Fault.WRONG_ANSWER
        fault = Fault.FAILED if failed else fault
    return Judged(row, unedited, right, right, fault, fresh=fresh, by_path=by_path)


def _fault_in_scope(row: Row) -> Fault:
    if row.error is not None:
        return Fault.FAILED
    if row.origin is Origin.NOTEBOOK:
        return Fault.WRONG_ANSWER
    if None in row.ranks:
        return Fault.RETRIEVAL_MISS
    return Fault.GATE_MISS if row.path is Path.GATE_CLOSED else Fault.FALSE_REJECT


def noise_floor(rows: Iterable[Row]) -> float | None:
    """How often the unedited model, asked twice, gave the same answer to what is out of scope."""
    rows = [row for row in rows if row.edits == UNSIZED and not row.error]
    first = {row.case.text: row.answer for row in rows if row.method == REFERENCE}
    again = [row for row in rows if row.method == AGAIN and row.case.text in first]
    return metrics.mean([row.answer == first[row.case.text] for row in again]) if again else None
