"""Figures from rows: what each is, and that errors add up."""

import math
from typing import Any

import pytest

from eren_memory.domain import Origin, Path, Usage
from eren_memory.evaluation import metrics
from eren_memory.evaluation.datasets import Case, Kind
from eren_memory.evaluation.journal import AGAIN, REFERENCE, UNSIZED, Row
from eren_memory.evaluation.judging import Fault, judged, noise_floor
from eren_memory.evaluation.scoring import figures, ledger, recall, trade_off

IN = Case("1", Kind.SCOPE, "in?", "Oslo", true="Rome")
OUT = Case("1", Kind.NEIGHBOUR, "out?", None)


@pytest.mark.parametrize(
    ("answer", "target", "is_contained", "is_exact"),
    [
        ("The Piano.", "piano", True, True),
        ("She plays the piano", "piano", True, False),
        ("pianoforte", "piano", False, False),
        ("New York City", "new york city", True, True),
        ("word " * 20 + "piano", "piano", False, False),
        ("Ｐｉａｎｏ", "piano", True, True),
        ("", "piano", False, False),
        ("piano", "", False, False),
    ],
)
def test_an_answer_is_compared_after_normalisation(answer, target, is_contained, is_exact):
    assert metrics.contains(answer, target) is is_contained
    assert metrics.exact(answer, target) is is_exact


def test_eq_is_the_harmonic_mean():
    assert metrics.harmonic(1.0, 1.0) == 1.0
    assert metrics.harmonic(0.5, 1.0) == pytest.approx(2 / 3)
    assert metrics.harmonic(0.0, 0.0) == 0.0


@pytest.mark.parametrize(
    ("answer", "target", "f1"),
    [("the Oslo", "Oslo", 1.0), ("Oslo it is", "Oslo", 0.5), ("Rome", "Oslo", 0.0), ("", "a b", 0)],
)
def test_f1_counts_words_in_common(answer, target, f1):
    assert metrics.f1(answer, target) == pytest.approx(f1)


def test_a_macro_average_gives_every_edit_the_same_weight():
    assert metrics.macro({"1": [1, 1, 1, 1], "2": [0]}) == 0.5


def test_intervals_hold_the_mean_and_widen_where_questions_of_an_edit_fail_together():
    apart = {str(n): [float(n % 4 > 0)] for n in range(100)}
    together = {str(n): [float(n % 4 > 0)] * 10 for n in range(10)}
    kept = {str(n): [1.0] for n in range(100)}
    es, bp, eq = metrics.intervals(apart, kept)
    assert es[0] < 0.75 < es[1]
    assert bp.tolist() == [1, 1]
    assert eq[0] < metrics.harmonic(0.75, 1.0) < eq[1]
    wide = metrics.intervals(together, {})[0]
    assert wide[1] - wide[0] > 2 * (es[1] - es[0])
    assert metrics.intervals(apart, kept).tolist() == metrics.intervals(apart, kept).tolist()


def test_intervals_of_nothing_are_unknown():
    assert all(math.isnan(end) for pair in metrics.intervals({}, {}) for end in pair)
    es, bp, eq = metrics.intervals({"1": [1.0], "2": [0.0]}, {})
    assert es.tolist() == [0, 1]
    assert math.isnan(bp[0])
    assert math.isnan(eq[0])


def test_the_calibration_error_is_zero_where_what_is_stated_comes_true():
    assert metrics.calibration_error([0.75] * 4, [True, True, True, False]) == 0
    assert metrics.calibration_error([0.95] * 4, [True, True, False, False]) == pytest.approx(0.45)
    assert metrics.reliability([1.0, 0.0], [True, False]) == [(0.0, 0.0, 1), (1.0, 1.0, 1)]


def reference(text: str, answer: str = "plain", error: str | None = None) -> Row:
    case = Case("", Kind.OUT_OF_SCOPE, text, None)
    return Row(UNSIZED, REFERENCE, case, answer, Origin.MODEL, Path.UNEDITED, error=error)


def row(case: Case, answer: str, origin: Origin | None = Origin.NOTEBOOK, **more) -> Row:
    values: dict[str, Any] = {"path": Path.ACCEPTED, "usage": Usage(1)} | more
    return Row(1, "m", case, answer, origin, **values)


def one(found: Row, *references: Row):
    [result] = judged([*(references or [reference(found.case.text)]), found], "m", 1)
    return result


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        (row(IN, "It is Oslo"), None),
        (row(IN, "Rome"), Fault.WRONG_ANSWER),
        (row(IN, "Rome", ranks=(None,)), Fault.WRONG_ANSWER),
        (row(IN, "plain", Origin.MODEL, path=Path.REJECTED, ranks=(1,)), Fault.FALSE_REJECT),
        (row(IN, "plain", Origin.MODEL, path=Path.GATE_CLOSED, ranks=(1,)), Fault.GATE_MISS),
        (
            row(IN, "plain", Origin.MODEL, path=Path.GATE_CLOSED, ranks=(1, None)),
            Fault.RETRIEVAL_MISS,
        ),
        (row(IN, "Oslo", Origin.MODEL, path=Path.UNEDITED), None),
        (row(IN, "", None, error="gone"), Fault.FAILED),
        (row(OUT, "plain", Origin.MODEL), None),
        (row(OUT, "plain"), None),
        (row(OUT, "other", Origin.MODEL, fell_back=True), None),
        (row(OUT, "other", Origin.MODEL), Fault.WRONG_ANSWER),
        (row(OUT, "Oslo"), Fault.FALSE_ACCEPT),
        (row(OUT, "", None, error="gone"), Fault.FAILED),
    ],
)
def test_every_error_has_one_fault(found: Row, fault: Fault | None):
    result = one(found)
    assert result.fault is fault
    assert result.right is (fault is None)


def test_without_an_unedited_answer_nothing_is_known_to_be_preserved():
    assert one(row(OUT, "plain", Origin.MODEL), reference("elsewhere?")).fault is Fault.FAILED
    broken = reference("out?", "", error="gone")
    assert one(row(OUT, "", Origin.MODEL, fell_back=True), broken).fault is Fault.FAILED


def test_the_ledger_sums_to_the_errors():
    found = [one(row(IN, "Oslo")), one(row(IN, "Rome")), one(row(OUT, "Rome"))]
    counted = ledger(found)
    assert counted.pop("total") == sum(counted.values()) == 2


def test_calls_are_averaged_over_the_kinds_and_not_over_the_questions():
    cases = [
        Case("1", kind, f"{kind} {n}", "Oslo" if kind is Kind.SCOPE else None)
        for kind, count in (
            (Kind.SCOPE, 1), (Kind.SAME_SUBJECT, 2), (Kind.NEIGHBOUR, 5), (Kind.OUT_OF_SCOPE, 9),
        )
        for n in range(count)
    ]  # fmt: skip
    calls = {Kind.SCOPE: 1, Kind.SAME_SUBJECT: 2, Kind.NEIGHBOUR: 3, Kind.OUT_OF_SCOPE: 9}
    found = [one(row(case, "Oslo", usage=Usage(calls[case.kind]))) for case in cases]
    assert figures(found)["calls_per_question"] == 2
    assert figures(found)["calls"] == calls


def test_audited_figures_leave_out_what_is_excluded():
    clash = Case("2", Kind.NEIGHBOUR, "clash?", None, excluded="why")
    found = [one(row(IN, "Oslo")), one(row(OUT, "plain")), one(row(clash, "Oslo"))]
    made = figures(found)
    assert (made["bp"], made["audited"]["bp"], made["audited"]["excluded"]) == (0.5, 1, 1)
    assert made["target_differs"] == {"n": 1, "es": 1, "es_exact": 1}


def test_recall_asks_for_all_notes_of_an_edit():
    found = [
        one(row(Case("1", Kind.SCOPE, f"q{n}", "Oslo"), "Oslo", ranks=ranks))
        for n, ranks in enumerate([(1, 2), (1, 4), (1, None)])
    ]
    assert recall(found) == {
        "1": 0, "3": pytest.approx(1 / 3), "5": pytest.approx(2 / 3),
        "10": pytest.approx(2 / 3), "20": pytest.approx(2 / 3),
    }  # fmt: skip


def test_no_threshold_brings_back_what_the_gate_stopped():
    found = [
        one(row(IN, "Oslo", p=0.9)),
        one(row(Case("1", Kind.SCOPE, "stopped?", "Oslo"), "plain", Origin.MODEL)),
        one(row(OUT, "plain", Origin.MODEL, p=0.3)),
    ]
    curve = {round(threshold, 2): rest for threshold, *rest in trade_off(found)}
    assert curve[0.0] == [0.5, 0]
    assert curve[0.5] == [0.5, 1]
    assert curve[1.0] == [0, 1]


def test_the_noise_floor_is_how_often_the_model_agrees_with_itself():
    second = [
        Row(UNSIZED, AGAIN, Case("", Kind.OUT_OF_SCOPE, text, None), answer, Origin.MODEL, None)
        for text, answer in (("a?", "plain"), ("b?", "other"))
    ]
    assert noise_floor([reference("a?"), reference("b?"), *second]) == 0.5
    assert noise_floor([reference("a?")]) is None
