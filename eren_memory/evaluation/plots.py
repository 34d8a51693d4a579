"""The report's pictures; matplotlib is an extra, and a report without it says so."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eren_memory.evaluation.judging import Judged
from eren_memory.evaluation.metrics import reliability
from eren_memory.evaluation.scoring import stated, trade_off, verdicts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CAPTIONS = {
    "scaling.png": "EQ and model calls a question against the edits in the notebook.",
    "reliability.png": (
        "How often a note answers where the model and the decision say so; on the line is calibrated. "
        "The numbers are questions."
    ),
    "trade-off.png": (
        "The decision at every threshold: questions in scope that are accepted against others left "
        "alone. The dot is where it stands."
    ),
}
"""File and caption of each."""


def available() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def draw(
    folder: Path, results: Mapping[str, Any], methods: Mapping[str, Sequence[Judged]]
) -> list[str]:
    """Write the pictures there is something to show on; returns their names. None without matplotlib."""
    if not available():
        return []
    made = {
        "scaling.png": _scaling(results["curve"]),
        "reliability.png": _reliability(methods),
        "trade-off.png": _trade_off(methods),
    }
    for name, figure in made.items():
        if figure is None:
            (folder / name).unlink(missing_ok=True)
        else:
            figure.savefig(folder / name, dpi=150, metadata={"Software": None})
    return [name for name, figure in made.items() if figure is not None]


def canvas(columns: int = 1) -> tuple[Figure, Sequence[Axes]]:
    """An empty picture, and its panels from left to right."""
    from matplotlib.figure import Figure

    # Without pyplot there is no display to look for and no figure left open.
    figure = Figure(figsize=(5.0 * columns, 4.0), layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False)[0]
    return figure, list(axes)


def _scaling(curve: Sequence[Mapping[str, Any]]) -> Figure | None:
    if not curve[-1]["methods"]:
        return None
    figure, (eq, calls) = canvas(2)
    for method in curve[-1]["methods"]:
        sized = [
            (stage["edits"], stage["methods"][method])
            for stage in curve
            if method in stage["methods"]
        ]
        sizes = [size for size, _ in sized]
        # A method has its colour in both, also where it has no EQ.
        eq.plot(sizes, [_number(one["eq"]) for _, one in sized], marker="o", markersize=4)
        counted = [one["calls_per_question"] for _, one in sized]
        calls.plot(sizes, counted, marker="o", markersize=4, label=method)
    for axes, title in ((eq, "EQ"), (calls, "model calls a question")):
        axes.set_xscale("log")
        axes.set_xticks([stage["edits"] for stage in curve], [str(s["edits"]) for s in curve])
        axes.minorticks_off()
        axes.set_xlabel("edits in the notebook")
        axes.set_title(title)
        axes.grid(alpha=0.3)
    eq.set_ylim(-0.02, 1.02)
    calls.set_ylim(bottom=0)
    figure.legend(loc="outside right upper", fontsize="small")
    return figure


def _reliability(methods: Mapping[str, Sequence[Judged]]) -> Figure | None:
    columns = (("the model's own verdict", verdicts), ("the decision's p", stated))
    if not any(take(some)[0] for _, take in columns for some in methods.values()):
        return None
    figure, panels = canvas(2)
    for axes, (title, take) in zip(panels, columns, strict=True):
        axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
        for name, some in methods.items():
            probabilities, outcomes = take(some)
            if not probabilities:
                continue
            bins = reliability(probabilities, outcomes)
            axes.plot([p for p, _, _ in bins], [o for _, o, _ in bins], marker="o", label=name)
            for p, observed, count in bins:
                axes.annotate(str(count), (p, observed), fontsize="xx-small")
            axes.legend(fontsize="small")
        axes.set_title(title)
        axes.set_xlabel("probability that a note answers")
        axes.set_ylabel("share of questions that one answers")
    return figure


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _trade_off(methods: Mapping[str, Sequence[Judged]]) -> Figure | None:
    shown = {
        name: some
        for name, some in methods.items()
        if stated(some)[0] and {one.in_scope for one in some} == {True, False}
    }
    if not shown:
        return None
    figure, (axes,) = canvas()
    for name, some in shown.items():
        curve = trade_off(some)
        (line,) = axes.plot([t for _, t, _ in curve], [left for _, _, left in curve], label=name)
        _, taken, left = curve[50]
        axes.plot([taken], [left], marker="o", color=line.get_color())
    axes.set_xlabel("in scope: accepted")
    axes.set_ylabel("others: left alone")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    return figure
