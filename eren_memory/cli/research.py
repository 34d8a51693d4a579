"""`eren eval` and `eren calibrate`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eren_memory.cli.common import emit, json_option, progress_bar, run
from eren_memory.config import load_settings

if TYPE_CHECKING:
    from eren_memory.evaluation.journal import Journal
    from eren_memory.relevance import Calibration, Key

_data = click.option(
    "--data", required=True, type=click.Path(path_type=Path), help="CounterFact-Hard or FEVER file."
)
_edits = click.option(
    "--edits", type=click.IntRange(1), help="Notes in the notebook [default: all]."
)
_seed = click.option("--seed", default=0, show_default=True, help="Of the sample.")
_concurrency = click.option(
    "--concurrency", default=2, show_default=True, type=click.IntRange(1), help="Questions at once."
)


@click.command("eval")
@_data
@click.option(
    "--methods",
    default="eren,eren-paper,one-step,unedited",
    show_default=True,
    help="Names with commas between.",
)
@_edits
@click.option(
    "--questions", type=click.IntRange(3), help="In all, equal parts of each kind [default: all]."
)
@_seed
@_concurrency
@click.option("--out", type=click.Path(path_type=Path), help="Folder for results and journal.")
@click.option("--resume", is_flag=True, help="Go on with the journal in the --out folder.")
@json_option
def evaluate(
    data: Path,
    methods: str,
    edits: int | None,
    questions: int | None,
    seed: int,
    concurrency: int,
    out: Path | None,
    *,
    resume: bool,
    as_json: bool,
) -> None:
    """Compare answering methods on the edits of a benchmark file."""
    from eren_memory.evaluation import runner
    from eren_memory.evaluation.bench_notebook import open_bench
    from eren_memory.evaluation.datasets import choose_cases, choose_edits, load

    chosen = _methods(methods)
    benchmark = load(data)
    applied = choose_edits(benchmark, edits, seed)
    cases = choose_cases(benchmark, applied, questions, seed)

    journal = _journal(out, resume=resume)

    async def work() -> dict[str, Any]:
        async with open_bench(load_settings(), applied) as app:
            with progress_bar("Asking") as progress:
                rows = await runner.evaluate(
                    app,
                    cases,
                    chosen,
                    claims=benchmark.claims,
                    concurrency=concurrency,
                    journal=journal,
                    progress=progress,
                )
            return runner.results(app, rows, chosen, seed=seed, notes=len(applied))

    results = run(work)
    if out:
        (out / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    emit(results, _table(results), as_json=as_json)


@click.command()
@_data
@_edits
@click.option(
    "--questions",
    default=1_200,
    show_default=True,
    type=click.IntRange(30),
    help="Drawn in equal parts of each kind.",
)
@_seed
@_concurrency
@click.option("--out", type=click.Path(path_type=Path), help="Where to write it.")
@json_option
def calibrate(
    data: Path,
    edits: int | None,
    questions: int,
    seed: int,
    concurrency: int,
    out: Path | None,
    *,
    as_json: bool,
) -> None:
    """Fit the decision to this model and embedder, from a benchmark file.

    For claims, half of the edits are applied unless --edits says otherwise: the claims of the
    others are those that no note decides.
    """
    from eren_memory import relevance
    from eren_memory.app import own_calibrations
    from eren_memory.evaluation.bench_notebook import open_bench
    from eren_memory.evaluation.calibrate import calibrate as fit_all
    from eren_memory.evaluation.datasets import choose_cases, choose_edits, load

    settings = load_settings()
    benchmark = load(data)
    half = len(benchmark.edits) // 2 if benchmark.claims else None
    applied = choose_edits(benchmark, edits or half, seed)
    cases = choose_cases(benchmark, applied, questions, seed)

    async def work() -> dict[Key, Calibration]:
        async with open_bench(settings, applied) as app:
            with progress_bar("Asking") as progress:
                return await fit_all(app, benchmark, applied, cases, concurrency, progress)

    made = run(work)
    target = out or own_calibrations(settings)
    relevance.write(target, made)
    entries = [{"key": asdict(key), **asdict(value)} for key, value in made.items()]
    lines = [
        f"{key.task}, {'with' if key.logprobs else 'without'} log-probabilities: {value.fitted}, "
        f"gate {value.gate:.2f}, intercept {value.decision.intercept:.2f}, "
        f"verdict {value.decision.verdict:.2f}, dense {value.decision.dense:.2f}"
        for key, value in made.items()
    ]
    emit(entries, "\n".join([*lines, f"Written to {target}."]), as_json=as_json)


@click.command("eval-conflicts")
@click.option(
    "--counterfact", type=click.Path(path_type=Path), required=True, help="CounterFact-Hard file."
)
@click.option("--fever", type=click.Path(path_type=Path), required=True, help="FEVER file.")
@click.option("--pairs", "each", default=60, show_default=True, help="Pairs of every make.")
@_seed
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


def _journal(out: Path | None, *, resume: bool) -> Journal:
    from eren_memory.evaluation.journal import Journal

    if out is None:
        if resume:
            raise click.UsageError("--resume needs the --out folder of the run to go on with.")
        return Journal(None)
    out.mkdir(parents=True, exist_ok=True)
    path = out / "journal.jsonl"
    if path.exists() and not resume:
        raise click.UsageError(f"{out} holds a run already: add --resume, or name another folder.")
    return Journal(path)


def _methods(given: str) -> list[str]:
    from eren_memory.strategies import STRATEGIES

    chosen = [name.strip() for name in given.split(",") if name.strip()]
    if unknown := [name for name in chosen if name not in STRATEGIES]:
        raise click.BadParameter(
            f"{unknown[0]} is not one of {', '.join(STRATEGIES)}", param_hint="--methods"
        )
    return chosen


def _table(results: dict[str, Any]) -> str:
    head = f"{'method':<12} {'ES':>6} {'BP':>6} {'EQ':>6} {'exact':>6} {'calls':>6}"
    head += f" {'p50 ms':>7} {'p95 ms':>7}"
    lines = [
        f"{name:<12} {one['es']:6.3f} {one['bp']:6.3f} {one['eq']:6.3f} {one['eq_exact']:6.3f} "
        f"{one['calls_per_question']:6.2f} {one['ms_p50']:7.0f} {one['ms_p95']:7.0f}"
        + (f"  {one['errors']['failed']} failed" if one["errors"]["failed"] else "")
        for name, one in results["methods"].items()
    ]
    about = (
        f"{results['questions']} questions, {results['notes']} notes, {results['model']}, "
        f"{results['embedder']}; {results['machine']}"
    )
    return "\n".join([head, *lines, "", about])
