"""`eren eval` and `eren report`: compare methods on a benchmark file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from eren_memory.cli.common import emit, json_option, progress_bar, run, sizes
from eren_memory.cli.research import concurrency_option, data_option, seed_option
from eren_memory.config import load_settings


@click.command("eval")
@data_option
@click.option(
    "--methods",
    default="eren,eren-paper,one-step,unedited",
    show_default=True,
    help="Names with commas between: also retrieval-only, serac, oracle-note, and your own as "
    "package.module:Class. With unedited its difference from itself is measured.",
)
@click.option(
    "--edits",
    callback=sizes,
    help="Edits in the notebook; several sizes with commas between give a curve [default: all, and "
    "half of a file of claims].",
)
@click.option(
    "--questions",
    type=click.IntRange(3),
    help="At each size, equal parts of each kind, verbatim and paraphrase [default: all].",
)
@seed_option
@click.option(
    "--distractors",
    default=0,
    type=click.IntRange(0),
    help="Further notes, which belong to no edit.",
)
@click.option(
    "--distractors-from",
    multiple=True,
    type=click.Path(path_type=Path),
    help="File whose statements come first among them; may be repeated.",
)
@click.option(
    "--swap-entities",
    is_flag=True,
    help="Put other answers into the notes, so that they contradict the model.",
)
@concurrency_option
@click.option("--out", type=click.Path(path_type=Path), help="Folder for report and journal.")
@click.option("--resume", is_flag=True, help="Go on with the journal in the --out folder.")
@json_option
def evaluate(
    data: Path,
    methods: str,
    edits: list[int] | None,
    questions: int | None,
    seed: int,
    concurrency: int,
    out: Path | None,
    *,
    distractors: int,
    distractors_from: tuple[Path, ...],
    swap_entities: bool,
    resume: bool,
    as_json: bool,
) -> None:
    """Compare answering methods on CounterFact-Hard, FEVER, HotpotQA or edits of your own.

    Your own are JSONL, one edit a line: {"note": "...", "change": [["question", "target"]],
    "keep": ["question"]}.
    """
    from eren_memory.errors import BadInput
    from eren_memory.evaluation.markdown import table
    from eren_memory.evaluation.measure import Wanted, measure, plan
    from eren_memory.evaluation.methods import chosen

    try:
        strategies = chosen(methods)
    except BadInput as error:
        raise click.BadParameter(str(error), param_hint="--methods") from error
    if resume and out is None:
        raise click.UsageError("--resume needs the --out folder of the run to go on with.")
    if distractors_from and not distractors:
        raise click.UsageError("--distractors-from needs --distractors, how many there shall be.")
    wanted = Wanted(data, edits, questions, seed, distractors, distractors_from, swap_entities)
    planned = plan(wanted)
    if planned.warning:
        click.echo(f"eren: {planned.warning}", err=True)

    async def work() -> dict[str, Any]:
        return await measure(
            load_settings(),
            planned,
            strategies,
            out=out,
            resume=resume,
            concurrency=concurrency,
            bar=progress_bar,
        )

    results = run(work)
    emit(results, f"{table(results)}{_where(out)}", as_json=as_json)
    if failed := sum(one["errors"]["failed"] for one in results["methods"].values()):
        cure = (
            "--resume asks again for what failed" if out else "with --out they could be asked again"
        )
        click.echo(f"eren: {failed} answers failed; {cure}.", err=True)


@click.command("report")
@click.argument("folder", type=click.Path(path_type=Path))
@json_option
def report(folder: Path, *, as_json: bool) -> None:
    """Make the report of a run again from its journal; no model is called."""
    from eren_memory.evaluation.markdown import table
    from eren_memory.evaluation.report import rebuild

    results = rebuild(folder)
    emit(results, f"{table(results)}{_where(folder)}", as_json=as_json)


def _where(folder: Path | None) -> str:
    from eren_memory.evaluation.plots import available

    if folder is None:
        return ""
    without = "" if available() else ", without plots: pip install 'eren-bot[eval]'"
    return f"\nReport: {folder / 'report.md'}{without}"
