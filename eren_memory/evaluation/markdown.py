"""`report.md`: the figures of a run as a page, beside those that others published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from eren_memory.evaluation.datasets import Form
from eren_memory.evaluation.judging import Fault
from eren_memory.evaluation.plots import CAPTIONS

# "Robust and Scalable Model Editing for LLMs" (COLING 2024), Flan-T5-XL (3B), 1,024 edits, percent.
PUBLISHED: Mapping[str, Sequence[tuple[str, float, float, float]]] = {
    Form.COUNTERFACT: (
        ("EREN", 96.9, 96.8, 96.9),
        ("one-step", 98.4, 24.5, 39.2),
        ("SERAC", 96.9, 51.4, 67.2),
        ("SERAC with augmented data", 93.9, 75.3, 83.6),
        ("ROME", 17.2, 7.3, 8.5),
        ("MEND", 0.0, 0.0, 0.0),
        ("fine-tuning", 17.0, 0.4, 0.8),
        ("unedited", 0.0, 100.0, 0.0),
    ),
    Form.FEVER: (
        ("EREN", 81.5, 79.6, 80.5),
        ("EREN, cleaned labels", 93.8, 96.7, 95.2),
        ("SERAC", 60.1, 67.9, 63.8),
    ),
}
"""ES, BP and EQ as published, by form of the file."""

_LISTED = 50
NONE = "-"


def page(results: Mapping[str, Any], plots: Sequence[str]) -> str:
    """The page, in Markdown. `plots` are the names of the pictures beside it."""
    return "\n".join(_lines(results, plots)) + "\n"


def table(results: Mapping[str, Any]) -> str:
    """The figures in short, for a terminal."""
    head = f"{'method':<16} {'ES':>6} {'BP':>6} {'EQ':>6} {'exact':>6} {'calls':>6}"
    lines = [head + f" {'p50 ms':>7} {'p95 ms':>7}"]
    for name, one in results["methods"].items():
        rates = (one["es"], one["bp"], one["eq"], one["eq_exact"])
        shown = " ".join(f"{_rate(rate):>6}" for rate in rates)
        failed = one["errors"][Fault.FAILED]
        lines.append(
            f"{name:<16} {shown} {one['calls_per_question']:6.2f} {one['ms_p50']:7.0f} "
            f"{one['ms_p95']:7.0f}" + (f"  {failed} failed" if failed else "")
        )
    about = (
        f"{results['questions']} questions, {results['notes']} notes, {results['model']}, "
        f"{results['embedder']}; {results['machine']}"
    )
    return "\n".join([*lines, "", about])


def _lines(results: Mapping[str, Any], plots: Sequence[str]) -> Iterator[str]:
    methods: Mapping[str, Any] = results["methods"]
    yield f"# {results['form']}: {', '.join(methods)}"
    yield ""
    yield (
        f"{results['data']} ({results['variant']}, SHA-256 {results['sha256'][:12]}…), "
        f"{results['edits']} edits, {results['notes']} notes of which {results['distractors']} "
        f"distractors, {results['questions']} questions, seed {results['seed']}. Chat model "
        f"{results['model']}, embedder {results['embedder']}; {results['machine']}; eren "
        f"{results['version']}."
    )
    if not results["complete"]:
        yield "\n**Not complete: questions are missing or failed. Go on with --resume.**"
    if results["warning"]:
        yield f"\n**{results['warning']}**"
    yield "\n## Measured here\n"
    yield "Raw, micro-averaged; in brackets the 95 % interval of a bootstrap over edits.\n"
    yield from grid(
        ["method", "ES", "BP", "EQ", "EQ exact", "calls", "p50 ms", "p95 ms", "tokens in / out"],
        (
            [
                name,
                _with(one["es"], one["es_ci"]),
                _with(one["bp"], one["bp_ci"]),
                _with(one["eq"], one["eq_ci"]),
                _rate(one["eq_exact"]),
                f"{one['calls_per_question']:.2f}",
                f"{one['ms_p50']:.0f}",
                f"{one['ms_p95']:.0f}",
                f"{one['prompt_tokens']:,} / {one['completion_tokens']:,}",
            ]
            for name, one in methods.items()
        ),
    )
    if published := PUBLISHED.get(results["form"]):
        yield "\n## Published, not measured here\n"
        yield "COLING 2024, Flan-T5-XL (3B), 1,024 edits: another model, other hardware, other rows.\n"
        yield from grid(
            ["method", "ES", "BP", "EQ"],
            ([name, *(f"{value / 100:.3f}" for value in values)] for name, *values in published),
        )
    yield from _averages(results)
    yield from _details(results)
    yield from _errors(methods)
    if len(results["curve"]) > 1:
        yield from _curve(results["curve"])
    yield "\n## Plots\n"
    if not plots:
        yield "None: matplotlib is not installed (`pip install 'eren-bot[eval]'`, then `eren report`)."
    for name in plots:
        yield f"![{CAPTIONS[name]}]({name})\n\n{CAPTIONS[name]}\n"
    yield from _left_out(results)


def _averages(results: Mapping[str, Any]) -> Iterator[str]:
    methods = results["methods"]
    yield "\n## Other ways to count\n"
    yield (
        "Exact: the answer equals the target after normalisation, instead of holding it in at most 16 "
        "words. Macro: every edit counts the same. Audited: without the questions at the end."
    )
    yield ""
    yield from grid(
        ["method", "ES exact", "F1", "macro ES", "macro BP", "macro EQ", "audited ES", "audited BP",
         "audited EQ", "audited EQ exact"],
        (
            [
                name,
                *(
                    _rate(value)
                    for value in (
                        one["es_exact"], one["f1"],
                        *(one["macro"][key] for key in ("es", "bp", "eq")),
                        *(one["audited"][key] for key in ("es", "bp", "eq", "eq_exact")),
                    )
                ),
            ]
            for name, one in methods.items()
        ),
    )  # fmt: skip
    yield "\n## Behaviour preserved, three ways\n"
    floor = results["noise_floor"]
    yield (
        "Cached: a fallback by the unedited request is worth the cached unedited answer. By path: the "
        "notebook had no part in the answer. Fresh: letter for letter the unedited answer. "
        + (
            f"The unedited model, asked twice, agreed with itself on {floor:.3f}: the noise floor."
            if floor is not None
            else "Name the method `unedited` to have the noise floor measured."
        )
    )
    yield ""
    yield from grid(
        ["method", "cached", "by path", "fresh"],
        (
            [name, *(_rate(one[key]) for key in ("bp", "bp_path", "bp_fresh"))]
            for name, one in methods.items()
        ),
    )


def _details(results: Mapping[str, Any]) -> Iterator[str]:
    methods = results["methods"]
    strata = list(dict.fromkeys(name for one in methods.values() for name in one["strata"]))
    kinds = list(dict.fromkeys(name for one in methods.values() for name in one["calls"]))
    yield "\n## By kind of question\n"
    yield from grid(
        ["method", *(f"{name} right" for name in strata), *(f"{name} calls" for name in kinds)],
        (
            [
                name,
                *(
                    f"{one['strata'][s]['right']:.3f} of {one['strata'][s]['n']}"
                    if s in one["strata"]
                    else NONE
                    for s in strata
                ),
                *(f"{one['calls'][kind]:.2f}" if kind in one["calls"] else NONE for kind in kinds),
            ]
            for name, one in methods.items()
        ),
    )
    if any(one["target_differs"]["n"] for one in methods.values()):
        yield "\n## Where the target is not the true answer\n"
        yield from grid(
            ["method", "questions", "ES", "ES exact"],
            (
                [
                    name,
                    str(one["target_differs"]["n"]),
                    _rate(one["target_differs"]["es"]),
                    _rate(one["target_differs"]["es_exact"]),
                ]
                for name, one in methods.items()
            ),
        )
    if any(one["claims"] for one in methods.values()):
        yield "\n## Claims\n"
        yield "Wanted → said, in claims; polarity is right among those rightly taken from a note.\n"
        said = ("supported", "refuted", "silent")
        yield from grid(
            ["method", "polarity", *(f"{wanted} → {' / '.join(said)}" for wanted in said)],
            (
                [
                    name,
                    _rate(one["claims"]["polarity"]),
                    *(
                        " / ".join(str(one["claims"]["wanted_and_said"][w][s]) for s in said)
                        for w in said
                    ),
                ]
                for name, one in methods.items()
                if one["claims"]
            ),
        )
    if searched := {name: one["recall"] for name, one in methods.items() if one["recall"]}:
        yield "\n## Recall\n"
        yield "Share of questions in scope with all notes of their edit among the first k.\n"
        places = list(next(iter(searched.values())))
        yield from grid(
            ["method", *(f"@{k}" for k in places)],
            ([name, *(_rate(found[k]) for k in places)] for name, found in searched.items()),
        )


def _errors(methods: Mapping[str, Any]) -> Iterator[str]:
    yield "\n## Errors\n"
    faults = [str(fault) for fault in Fault]
    yield from grid(
        ["method", *(fault.replace("_", " ") for fault in faults), "total"],
        (
            [name, *(str(one["errors"][fault]) for fault in faults), str(one["errors"]["total"])]
            for name, one in methods.items()
        ),
    )


def _curve(curve: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "\n## By size of the notebook\n"
    yield from grid(
        ["edits", "notes", "questions", "method", "ES", "BP", "EQ", "calls"],
        (
            [
                str(stage["edits"]),
                str(stage["notes"]),
                str(stage["questions"]),
                name,
                *(_rate(one[key]) for key in ("es", "bp", "eq")),
                f"{one['calls_per_question']:.2f}",
            ]
            for stage in curve
            for name, one in stage["methods"].items()
        ),
    )


def _left_out(results: Mapping[str, Any]) -> Iterator[str]:
    for title, key in (
        ("Left out of the audited figures", "excluded"),
        ("Not asked", "left_out"),
    ):
        listed = results[key]
        yield f"\n## {title}: {len(listed)}\n"
        for reason, count in Counter(one["reason"] for one in listed).items():
            yield f"- {count}: {reason}"
        if listed:
            yield ""
        for one in listed[:_LISTED]:
            yield f"    {one['text']}  ({one['reason']})"
        if len(listed) > _LISTED:
            yield f"    … and {len(listed) - _LISTED} more in results.json"


def grid(head: Sequence[str], rows: Iterator[list[str]]) -> Iterator[str]:
    """A table, line by line."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def _rate(value: float | None) -> str:
    return NONE if value is None else f"{value:.3f}"


def _with(value: float | None, ends: Sequence[float] | None) -> str:
    return _rate(value) + (f" [{ends[0]:.3f}, {ends[1]:.3f}]" if ends else "")
