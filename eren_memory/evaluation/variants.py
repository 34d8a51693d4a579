"""What can be done to a benchmark before it is used: answers swapped, questions left out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container
from dataclasses import replace

from eren_memory.errors import BadInput
from eren_memory.evaluation.datasets import Benchmark, Case, Edit, Kind
from eren_memory.evaluation.metrics import normalise

SWAPPED = "entities swapped"


def swapped(benchmark: Benchmark, seed: int) -> tuple[Benchmark, list[Case]]:
    """The notes with another edit's answer in the place of their own, so that they contradict the model.

    In HotpotQA the target is the truth, so a model may know it without reading. An edit is swapped
    when its answer stands in its notes and not in the question, and is not yes or no.

    Returns:
        The edits that could be swapped, their new answer as target and the old one as true answer;
        and the cases of those that could not.

    Raises:
        BadInput: None can be swapped, or the file is of claims.
    """
    if benchmark.claims:
        raise BadInput("Entities of claims cannot be swapped: their answer is yes or no.")
    answers = [case.target for edit in benchmark.edits for case in edit.scope if case.target]
    made: list[Edit] = []
    left: list[Case] = []
    for edit in benchmark.edits:
        after = _swapped(edit, answers, seed)
        if after is None:
            left += edit.scope
        else:
            made.append(after)
    if not made:
        raise BadInput(
            f"No answer of {benchmark.name} stands in its notes: nothing can be swapped."
        )
    return replace(benchmark, edits=tuple(made)), left


def without(benchmark: Benchmark, texts: Container[str]) -> Benchmark:
    """The same edits without the cases of these texts."""
    return replace(
        benchmark,
        edits=tuple(
            replace(edit, cases=tuple(case for case in edit.cases if case.text not in texts))
            for edit in benchmark.edits
        ),
    )


def _swapped(edit: Edit, answers: list[str], seed: int) -> Edit | None:
    targets = {case.target for case in edit.scope}
    if len(targets) != 1 or (old := targets.pop()) is None or old.lower() in {"yes", "no"}:
        return None
    word = re.compile(rf"(?<!\w){re.escape(old)}(?!\w)", re.IGNORECASE)
    asked = " ".join(case.text for case in edit.cases)
    if word.search(asked) or not any(word.search(one) for one in edit.statements):
        return None
    known = normalise(f"{asked} {' '.join(edit.statements)}")
    fitting = sorted(
        {one for one in answers if _shape(one) == _shape(old) and normalise(one) not in known},
        key=lambda one: hashlib.sha256(f"{seed}:{edit.id}:{one}".encode()).digest(),
    )
    if not fitting:
        return None
    new = fitting[0]
    return replace(
        edit,
        statements=tuple(word.sub(lambda _: new, one) for one in edit.statements),
        cases=tuple(
            replace(case, target=new, true=old) if case.kind is Kind.SCOPE else case
            for case in edit.cases
        ),
    )


def _shape(answer: str) -> tuple[bool, bool, bool]:
    """What an answer must share with the one that it replaces: digits, a name, one word or several."""
    return bool(re.search(r"\d", answer)), answer[:1].isupper(), " " in answer.strip()
