"""From rows to figures: pure functions. Fractions are between 0 and 1; None where nothing was asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from eren_memory.domain import Origin, Usage
from eren_memory.evaluation import metrics
from eren_memory.evaluation.datasets import Case, Kind
from eren_memory.evaluation.journal import Row
from eren_memory.evaluation.judging import Fault, Judged
from eren_memory.evaluation.metrics import mean

RECALL_AT = (1, 3, 5, 10, 20)
# DESIGN: calls are the mean of these three, 1:1:1; of what there is, in a file without them.
_PAPERS_KINDS = {Kind.SCOPE, Kind.SAME_SUBJECT, Kind.NEIGHBOUR}


def figures(found: Sequence[Judged]) -> dict[str, Any]:
    """The figures of one method; raw and micro-averaged unless they say otherwise."""
    audited = [one for one in found if not one.row.case.excluded]
    ends = metrics.intervals(
        _by_edit(one for one in found if one.in_scope),
        _by_edit(one for one in found if not one.in_scope),
    )
    es_ci, bp_ci, eq_ci = (_interval(one) for one in ends)
    kinds = sorted({one.row.case.kind for one in found})
    calls = {
        kind: mean([one.row.usage.calls for one in found if one.row.case.kind is kind])
        for kind in kinds
    }
    counted = (
        [calls[kind] for kind in _PAPERS_KINDS] if {*calls} >= _PAPERS_KINDS else calls.values()
    )
    usage = sum((one.row.usage for one in found), Usage())
    times = [one.row.milliseconds for one in found if not one.row.error] or [0.0]
    others = [one for one in found if not one.in_scope]
    return {
        **_rates(found),
        "es_ci": es_ci,
        "bp_ci": bp_ci,
        "eq_ci": eq_ci,
        "f1": _share([one.f1 for one in found if one.in_scope]),
        "bp_path": _share([one.by_path for one in others]),
        "bp_fresh": _share([one.fresh for one in others]),
        "macro": _macro(found),
        "audited": {**_rates(audited), "excluded": len(found) - len(audited)},
        "target_differs": _target_differs(found),
        "strata": _strata(found),
        "right": {
            kind: mean([_decided_rightly(one.row) for one in found if one.row.case.kind is kind])
            for kind in kinds
        },
        "recall": recall(found),
        "claims": _claims(found),
        "calibration": _calibration(found),
        "calls_per_question": mean([*counted]),
        "calls": calls,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "ms_p50": float(np.percentile(times, 50)),
        "ms_p95": float(np.percentile(times, 95)),
        "errors": ledger(found),
    }


def ledger(found: Sequence[Judged]) -> dict[str, int]:
    """Errors by their fault, and their sum as `total`."""
    counted = {str(fault): sum(one.fault is fault for one in found) for fault in Fault}
    return {**counted, "total": sum(not one.right for one in found)}


def recall(found: Sequence[Judged]) -> dict[str, float] | None:
    """Share of questions in scope with all their notes among the first k; None without a search."""
    ranks = [one.row.ranks for one in found if one.in_scope and one.row.ranks]
    if not ranks:
        return None
    return {
        str(k): mean([all(rank is not None and rank <= k for rank in some) for some in ranks])
        for k in RECALL_AT
    }


def stated(found: Sequence[Judged]) -> tuple[list[float], list[bool]]:
    """Each decision's probability that a note answers, and whether one does."""
    sure = [(one.row.p, one.in_scope) for one in found if one.row.p is not None]
    return [p for p, _ in sure], [answers for _, answers in sure]


def verdicts(found: Sequence[Judged]) -> tuple[list[float], list[bool]]:
    """Each reading's own probability that a note answers, and whether one does."""
    sure = [(one.row.verdict, one.in_scope) for one in found if one.row.verdict is not None]
    return [verdict for verdict, _ in sure], [answers for _, answers in sure]


def trade_off(found: Sequence[Judged]) -> list[tuple[float, float, float]]:
    """(threshold, share in scope that is accepted, share of the others that is not) of the decision.

    A question without a probability was stopped before the decision: no threshold brings it back.
    """
    scope = [one.row.p for one in found if one.in_scope]
    others = [one.row.p for one in found if not one.in_scope]
    curve = []
    for threshold in np.linspace(0, 1, 101).tolist():
        taken, left = (
            mean([p is not None and p >= threshold for p in some]) for some in (scope, others)
        )
        curve.append((threshold, taken, 1 - left))
    return curve


def _rates(found: Sequence[Judged]) -> dict[str, Any]:
    es = _share([one.right for one in found if one.in_scope])
    es_exact = _share([one.exact for one in found if one.in_scope])
    bp = _share([one.right for one in found if not one.in_scope])
    return {
        "es": es,
        "es_exact": es_exact,
        "bp": bp,
        "eq": _eq(es, bp),
        "eq_exact": _eq(es_exact, bp),
        "n_scope": sum(one.in_scope for one in found),
        "n_others": sum(not one.in_scope for one in found),
    }


def _macro(found: Sequence[Judged]) -> dict[str, float | None]:
    scope = _by_edit(one for one in found if one.in_scope)
    others = _by_edit(one for one in found if not one.in_scope)
    exact: dict[str, list[float]] = {}
    for one in (one for one in found if one.in_scope):
        exact.setdefault(one.row.case.edit_id, []).append(one.exact)
    es, es_exact, bp = (metrics.macro(some) if some else None for some in (scope, exact, others))
    return {
        "es": es, "es_exact": es_exact, "bp": bp, "eq": _eq(es, bp), "eq_exact": _eq(es_exact, bp),
    }  # fmt: skip


def _target_differs(found: Sequence[Judged]) -> dict[str, Any]:
    """Rows whose target is not the true answer: a model that ignores the notes fails all of them."""
    differing = [one for one in found if one.in_scope and _differs(one.row.case)]
    return {
        "n": len(differing),
        "es": _share([one.right for one in differing]),
        "es_exact": _share([one.exact for one in differing]),
    }


def _differs(case: Case) -> bool:
    return case.true is not None and not metrics.exact(case.target or "", case.true)


def _strata(found: Sequence[Judged]) -> dict[str, dict[str, Any]]:
    strata: dict[str, list[bool]] = {}
    for one in found:
        strata.setdefault(one.row.case.stratum, []).append(one.right)
    return {name: {"n": len(some), "right": mean(some)} for name, some in sorted(strata.items())}


def _claims(found: Sequence[Judged]) -> dict[str, Any] | None:
    """What the notebook said of claims that it must support, refute and be silent on."""
    if not all(one.row.case.target in {"yes", "no"} for one in found if one.in_scope) or not found:
        return None
    wanted = {"yes": "supported", "no": "refuted", None: "silent"}
    table = {w: dict.fromkeys(("supported", "refuted", "silent"), 0) for w in wanted.values()}
    for one in found:
        if not one.row.error:
            spoke = one.row.origin is Origin.NOTEBOOK
            table[wanted[one.row.case.target]][wanted[one.row.answer if spoke else None]] += 1
    right = table["supported"]["supported"] + table["refuted"]["refuted"]
    wrong = table["supported"]["refuted"] + table["refuted"]["supported"]
    return {
        "wanted_and_said": table,
        "polarity": right / (right + wrong) if right + wrong else None,
    }


def _calibration(found: Sequence[Judged]) -> dict[str, Any] | None:
    probabilities, outcomes = stated(found)
    if not probabilities:
        return None
    error = metrics.calibration_error(probabilities, outcomes)
    return {"expected_error": error, "n": len(probabilities)}


def _by_edit(found: Iterable[Judged]) -> Mapping[str, list[float]]:
    by_edit: dict[str, list[float]] = {}
    for one in found:
        by_edit.setdefault(one.row.case.edit_id, []).append(one.right)
    return by_edit


def _decided_rightly(row: Row) -> bool:
    wanted = Origin.NOTEBOOK if row.case.kind is Kind.SCOPE else Origin.MODEL
    return row.origin is wanted


def _share(values: Sequence[float]) -> float | None:
    return mean(values) if values else None


def _eq(es: float | None, bp: float | None) -> float | None:
    return None if es is None or bp is None else metrics.harmonic(es, bp)


def _interval(ends: Sequence[float]) -> list[float] | None:
    return None if np.isnan(ends[0]) else [float(ends[0]), float(ends[1])]
