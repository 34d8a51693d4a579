"""`eren bench`: how fast it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from eren_memory.cli.common import emit, json_option, progress_bar, run, sizes
from eren_memory.cli.research import seed_option
from eren_memory.config import load_settings


@click.command()
@click.option(
    "--notes",
    "counts",
    default="1000,10000,100000",
    show_default=True,
    callback=sizes,
    help="Sizes of the notebook, with commas between.",
)
@click.option(
    "--only",
    help="Parts with commas between: search, add, question, guilds, memory, delay, askers, import, "
    "reembed, start, and model (the embedded chat model) [default: all but model].",
)
@seed_option
@click.option("--out", type=click.Path(path_type=Path), help="Folder for figures and pictures.")
@json_option
def bench(
    counts: list[int], only: str | None, seed: int, out: Path | None, *, as_json: bool
) -> None:
    """Measure how fast it is on this machine, each figure beside a baseline of the same run.

    In a temporary notebook; yours is left alone. All of it takes some minutes.
    """
    from eren_memory.evaluation.bench import page
    from eren_memory.evaluation.bench.run import PARTS, USUAL, Bench, save

    parts = [name.strip() for name in only.split(",")] if only is not None else list(USUAL)
    if unknown := [name for name in parts if name not in PARTS]:
        raise click.BadParameter(
            f"there is no part {unknown[0]!r}; choose of {', '.join(PARTS)}",
            param_hint="--only",
        )

    async def work() -> dict[str, Any]:
        with progress_bar("Measuring") as progress:
            return await Bench(load_settings(), counts, parts, seed, progress).run()

    results = run(work)
    if out is not None:
        save(out, results)
    where = f"\nReport: {out / 'bench.md'}" if out is not None else ""
    emit(results, f"{results['machine']}\n\n{page.table(results)}{where}", as_json=as_json)
