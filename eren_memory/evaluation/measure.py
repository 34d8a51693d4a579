"""A whole measurement: plan it, run it against the configured model, and leave a report."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eren_memory import __version__
from eren_memory.app import App
from eren_memory.config import Settings
from eren_memory.evaluation import variants
from eren_memory.evaluation.audit import check_labels
from eren_memory.evaluation.bench_notebook import fill, open_bench
from eren_memory.evaluation.datasets import Benchmark
from eren_memory.evaluation.distractors import Distractors, answered, gather
from eren_memory.evaluation.journal import Journal, Run
from eren_memory.evaluation.reading import load
from eren_memory.evaluation.report import JOURNAL, Report, rebuild
from eren_memory.evaluation.runner import Runner, Stage
from eren_memory.evaluation.sampling import choose_cases, choose_edits
from eren_memory.projection import Progress
from eren_memory.prompts import PROMPT_VERSION
from eren_memory.relevance import Task
from eren_memory.strategies import Strategy
from eren_memory.text import normalised

Bar = Callable[[str], AbstractContextManager[Progress]]
"""Makes a progress bar with a title."""

NOT_SWAPPABLE = "its answer cannot be swapped"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be measured.

    Attributes:
        data: The benchmark file.
        edits: Sizes of the notebook; None for all edits. Of claims half, because the claims of the
            others are those that no note decides.
        questions: At each size, in equal parts of each kind; None for all.
        seed: Of every draw.
        distractors: Notes that belong to no edit.
        distractors_from: Files from which the first of them are taken.
        swap: Whether the notes' answers are swapped, so that they contradict the model.
    """

    data: Path
    edits: Sequence[int] | None = None
    questions: int | None = None
    seed: int = 0
    distractors: int = 0
    distractors_from: Sequence[Path] = ()
    swap: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be asked, in which notebooks."""

    wanted: Wanted
    benchmark: Benchmark
    stages: tuple[Stage, ...]
    distractors: Distractors
    left_out: tuple[tuple[str, str], ...]
    warning: str | None


def plan(wanted: Wanted) -> Plan:
    """Read the files and draw the samples; no model is needed.

    Raises:
        BadInput: A file cannot be used, its labels belong to other rows, or there are too few
            distractors.
    """
    benchmark = load(wanted.data)
    warnings = [check_labels(benchmark)]
    if benchmark.shortened:
        warnings.append(f"{benchmark.shortened} notes are over the notebook's limit and were cut.")
    left: list[tuple[str, str]] = []
    if wanted.swap:
        benchmark, unswapped = variants.swapped(benchmark, wanted.seed)
        left += [(case.text, NOT_SWAPPABLE) for case in unswapped]
    distractors = gather(benchmark, wanted.distractors, wanted.distractors_from, wanted.seed)
    disputed = answered(benchmark, distractors)
    left += [(case.text, reason) for case, reason in disputed]
    benchmark = variants.without(benchmark, {case.text for case, _ in disputed})
    every = len(benchmark.edits)
    sizes = wanted.edits or [max(every // 2, 1) if benchmark.claims else every]
    stages = []
    for size in sorted({min(size, every) for size in sizes}):
        applied = choose_edits(benchmark, size, wanted.seed)
        cases = choose_cases(benchmark, applied, wanted.questions, wanted.seed, audited=False)
        stages.append(Stage(tuple(applied), tuple(cases)))
    warning = " ".join(filter(None, warnings)) or None
    return Plan(wanted, benchmark, tuple(stages), distractors, tuple(dict(left).items()), warning)


async def measure(
    settings: Settings,
    planned: Plan,
    strategies: Mapping[str, Strategy],
    *,
    out: Path | None,
    resume: bool,
    concurrency: int,
    bar: Bar,
) -> dict[str, Any]:
    """Ask the model and write the report to `out`; returns what `results.json` holds.

    Raises:
        BadInput: `out` holds another run, or one and `resume` is not asked for.
    """
    journal = Journal(out / JOURNAL if out else None)
    async with open_bench(settings, []) as app:
        run = _run(app, planned)
        try:
            known = journal.begin(run, resume=resume)
            if planned.distractors.statements:
                with bar("Indexing") as progress:
                    await fill(app, planned.distractors.statements, progress)
            with bar("Asking") as progress:
                rows = await Runner(
                    app,
                    strategies,
                    claims=planned.benchmark.claims,
                    concurrency=concurrency,
                    journal=journal,
                    known=known,
                    progress=progress,
                ).run(planned.stages)
        finally:
            journal.close()
    # From the journal also now, so that a report made again is the same.
    return rebuild(out) if out else Report.of(run, rows).results()


def machine() -> str:
    """What ran it."""
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def _run(app: App, planned: Plan) -> Run:
    wanted, benchmark = planned.wanted, planned.benchmark
    others = {normalised(text) for text in planned.distractors.statements}
    notes = [
        len(others | {normalised(text) for edit in stage.edits for text in edit.statements})
        for stage in planned.stages
    ]
    return Run(
        file=wanted.data.name,
        sha256=benchmark.sha256,
        form=benchmark.form,
        model=app.chat_model.name,
        embedder=app.embedder.space,
        prompts=PROMPT_VERSION,
        decision=_fingerprint(app),
        seed=wanted.seed,
        edits=tuple(len(stage.edits) for stage in planned.stages),
        questions=wanted.questions,
        distractors=len(planned.distractors.statements),
        distractor_files=planned.distractors.files,
        variant=variants.SWAPPED if wanted.swap else "as published",
        notes=tuple(notes),
        planned=tuple(len(stage.cases) for stage in planned.stages),
        left_out=planned.left_out,
        warning=planned.warning,
        machine=machine(),
        version=__version__,
    )


def _fingerprint(app: App) -> str:
    """Of the calibrations in use: with others the same method decides otherwise."""
    used = [app.calibrations.get(task, logprobs=given) for task in Task for given in (True, False)]
    return hashlib.sha256(repr(used).encode()).hexdigest()[:12]
