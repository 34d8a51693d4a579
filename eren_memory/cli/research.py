"""`eren calibrate`, `eren fit-scope` and `eren eval-conflicts`: what the shipped numbers come from."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eren_memory.cli import feedback
from eren_memory.cli.common import emit, json_option, progress_bar, run
from eren_memory.config import load_settings

if TYPE_CHECKING:
    from eren_memory.calibrations import Key
    from eren_memory.relevance import Calibration

data_option = click.option(
    "--data", required=True, type=click.Path(path_type=Path), help="Benchmark file."
)
_edits = click.option(
    "--edits", type=click.IntRange(1), help="Notes in the notebook [default: all]."
)
seed_option = click.option("--seed", default=0, show_default=True, help="Of the sample.")
concurrency_option = click.option(
    "--concurrency", default=2, show_default=True, type=click.IntRange(1), help="Questions at once."
)


@click.command()
@click.option("--data", type=click.Path(path_type=Path), help="Benchmark file.")
@click.option(
    "--from-feedback",
    is_flag=True,
    help="Show what members' and moderators' feedback says of the threshold instead.",
)
@click.option("--apply", is_flag=True, help="With --from-feedback: use what is proposed.")
@_edits
@click.option(
    "--questions",
    default=1_200,
    show_default=True,
    type=click.IntRange(30),
    help="Drawn in equal parts of each kind.",
)
@seed_option
@concurrency_option
@click.option("--out", type=click.Path(path_type=Path), help="Where to write it.")
@json_option
def calibrate(
    data: Path | None,
    edits: int | None,
    questions: int,
    seed: int,
    concurrency: int,
    out: Path | None,
    *,
    from_feedback: bool,
    apply: bool,
    as_json: bool,
) -> None:
    """Fit the decision to this model and embedder, from a benchmark file.

    For claims, half of the edits are applied unless --edits says otherwise: the claims of the
    others are those that no note decides.

    With --from-feedback nothing is asked: answers that people rated or corrected say whether another
    threshold would have decided better. It changes nothing without --apply; a bot that runs uses it
    from its next question on.
    """
    if from_feedback == (data is not None) or (apply and not from_feedback):
        raise click.UsageError(
            "Give either --data FILE, or --from-feedback with or without --apply."
        )
    if data is None:
        feedback.calibrate(out, apply=apply, as_json=as_json)
        return
    from eren_memory import calibrations
    from eren_memory.app import own_calibrations
    from eren_memory.evaluation.audit import check_labels
    from eren_memory.evaluation.bench_notebook import open_bench
    from eren_memory.evaluation.calibrate import calibrate as fit_all
    from eren_memory.evaluation.reading import load
    from eren_memory.evaluation.sampling import choose_cases, choose_edits

    settings = load_settings()
    benchmark = load(data)
    if warning := check_labels(benchmark):
        click.echo(f"eren: {warning}", err=True)
    half = len(benchmark.edits) // 2 if benchmark.claims else None
    applied = choose_edits(benchmark, edits or half, seed)
    cases = choose_cases(benchmark, applied, questions, seed)

    async def work() -> dict[Key, Calibration]:
        async with open_bench(settings, applied) as app:
            with progress_bar("Asking") as progress:
                return await fit_all(app, benchmark, applied, cases, concurrency, progress)

    made = run(work)
    target = out or own_calibrations(settings)
    calibrations.write(target, made)
    entries = [{"key": asdict(key), **asdict(value)} for key, value in made.items()]
    lines = [
        f"{key.task}, {'with' if key.logprobs else 'without'} log-probabilities: {value.fitted}, "
        f"gate {value.gate:.2f}, intercept {value.decision.intercept:.2f}, "
        f"verdict {value.decision.verdict:.2f}, dense {value.decision.dense:.2f}"
        for key, value in made.items()
    ]
    emit(entries, "\n".join([*lines, f"Written to {target}."]), as_json=as_json)


@click.command("fit-scope")
@data_option
@click.option(
    "--questions", default=3_000, show_default=True, type=click.IntRange(30), help="At most."
)
@json_option
def fit_scope(data: Path, questions: int, *, as_json: bool) -> None:
    """Train the scope head of the method serac, and print its numbers.

    It is fitted on one half of the edits and tried on the other, with all of them in the notebook
    (of claims: half of each half).
    """
    from eren_memory.evaluation import scope_fit
    from eren_memory.evaluation.bench_notebook import open_bench
    from eren_memory.evaluation.conflict_pairs import half
    from eren_memory.evaluation.reading import load
    from eren_memory.evaluation.sampling import choose_cases, choose_edits

    benchmark = load(data)
    count = len(benchmark.edits) // 2 if benchmark.claims else None
    applied = choose_edits(benchmark, count, 0)
    cases = choose_cases(benchmark, applied, questions, 0)

    async def work() -> list[scope_fit.Pairs]:
        async with open_bench(load_settings(), applied) as app:
            with progress_bar("Searching") as progress:
                return await scope_fit.pairs(app, applied, cases, progress)

    found = zip(cases, run(work), strict=True)
    halves: dict[str, list[scope_fit.Pairs]] = {"fitted on": [], "fresh": []}
    for case, rows in found:
        halves["fresh" if half(case.edit_id) else "fitted on"].append(rows)
    head = scope_fit.fit(halves["fitted on"])
    tried = {
        name: (len(mine), *scope_fit.decided_rightly(head, mine)) for name, mine in halves.items()
    }
    lines = [
        f"{name}: {count} questions, in scope {kept:.3f}, others {left:.3f}, EQ {eq:.3f}"
        for name, (count, kept, left, eq) in tried.items()
    ]
    made = f"ScopeHead({head.intercept}, {head.weights})"
    emit({**asdict(head), "tried": tried}, "\n".join([made, *lines]), as_json=as_json)


@click.command("eval-conflicts")
@click.option(
    "--counterfact", type=click.Path(path_type=Path), required=True, help="CounterFact-Hard file."
)
@click.option("--fever", type=click.Path(path_type=Path), required=True, help="FEVER file.")
@click.option("--pairs", "each", default=60, show_default=True, help="Pairs of every make.")
@seed_option
@click.option("--fit", "fitting", is_flag=True, help="Print weights fitted on the first half.")
def eval_conflicts(counterfact: Path, fever: Path, each: int, seed: int, *, fitting: bool) -> None:
    """Measure how well duplicates and conflicts between notes are found.

    The shipped weights were fitted on the first half of the development edits; the second is fresh.
    """
    from eren_memory.conflicts import Judge
    from eren_memory.evaluation import conflict_pairs as measure
    from eren_memory.evaluation.bench_notebook import open_bench

    files = [json.loads(path.read_text(encoding="utf-8")) for path in (counterfact, fever)]

    async def work() -> None:
        async with open_bench(load_settings(), []) as app:
            for half in (0, 1):
                edits, claims = (
                    [one for one in file if measure.half(one["id"]) == half] for file in files
                )
                chosen = await measure.pairs(edits, claims, each, seed, app.embedder)
                with progress_bar("Comparing") as progress:
                    seen = await measure.witnessed(
                        chosen, Judge(app.chat_model), app.embedder, progress
                    )
                for name, which in (("without a model", 0), (f"with {app.chat_model.name}", 1)):
                    rows = [pair[which] for pair in seen]
                    if fitting and half == 0:
                        click.echo(f"{name}: {json.dumps(measure.fit(rows, chosen))}")
                    title = f"half {half + 1} of the edits, {len(chosen)} pairs, {name}:"
                    click.echo("\n".join([title, *measure.table(rows, chosen)]))

    run(work)
