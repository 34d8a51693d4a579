"""A measure that is learned: the cosine takes every dimension for as telling as any other."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from eren_memory import calibrations
from eren_memory.app import open_app
from eren_memory.calibrations import Calibrations, Key
from eren_memory.carrying import Pair
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft, Origin, Place
from eren_memory.evaluation.bench_notebook import open_bench
from eren_memory.evaluation.calibrate import calibrate as fit_all
from eren_memory.evaluation.reading import load
from eren_memory.evaluation.sampling import choose_cases, choose_edits
from eren_memory.fitting import fit_likeness
from eren_memory.likeness import Likeness
from eren_memory.recalibrating import recalibrate
from eren_memory.relevance import Calibration, Overlap, Task, Weights
from tests.benchmarks import quiet, write
from tests.calibrated import CALIBRATION, NOTE, QUESTION, READING, calibrate
from tests.endpoint import Endpoint, Reply, words_vector

LEARNED = Likeness(0.5, (1.0, -2.0), (0.25, 0.0))
FITTED = Calibration(
    decision=Weights(-1.0, 0.5, 2.0, 3.0, 1.0, 4.0),
    retrieval=Weights(-10.0, 0.0, 20.0),
    unread=Weights(-2.0, 0.0, 4.0, 5.0),
    gate=0.5,
    doubtful=0.2,
    likeness=LEARNED,
    fitted="on something",
)


def pairs(seed: int, rows: int = 600):
    """Unit vectors whose first three dimensions of sixteen agree where the note answers."""
    draw = np.random.default_rng(seed)
    labels = draw.random(rows) < 0.5
    ones, others = draw.normal(size=(2, rows, 16))
    others[:, :3] = np.where(labels[:, None], ones[:, :3], -ones[:, :3])
    ones, others = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (ones, others))
    return ones, others, labels.tolist(), [str(row) for row in range(rows)]


def right(measured, labels, threshold: float) -> float:
    return float(np.mean((np.array(measured) > threshold) == np.array(labels)))


def test_what_is_learned_tells_pairs_that_the_cosine_does_not():
    learned = fit_likeness(*pairs(0))
    assert learned is not None
    ones, others, labels, _ = pairs(1)
    measured = [learned[0].of(one, other) for one, other in zip(ones, others, strict=True)]
    cosines = (ones * others).sum(axis=1)
    assert right(measured, labels, 0) > 0.9
    assert right(measured, labels, 0) > right(cosines, labels, float(np.median(cosines))) + 0.1
    assert -1 < min(measured) < max(measured) < 1


def test_a_row_is_measured_by_what_was_learned_from_other_edits():
    """Ten questions of an edit that are all alike: by those of its own edit it would be known."""
    draw = np.random.default_rng(2)
    ones, others = draw.normal(size=(2, 200, 256)).repeat(10, axis=1)
    ones, others = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (ones, others))
    labels = (draw.random(200) < 0.5).repeat(10).tolist()
    groups = [str(edit) for edit in range(200) for _ in range(10)]
    learned = fit_likeness(np.ascontiguousarray(ones), others, labels, groups)
    assert learned is None or right(learned[1], labels, 0) < 0.65


def test_nothing_is_learned_where_the_cosine_tells_as_much_or_rows_are_few():
    ones, others, labels, groups = pairs(0)
    cosines = (ones * others).sum(axis=1)
    assert fit_likeness(ones, others, (cosines > np.median(cosines)).tolist(), groups) is None
    few = slice(0, 150)
    assert fit_likeness(ones[few], others[few], labels[few], groups[few]) is None
    assert fit_likeness(ones, others, labels, ["one"] * len(labels)) is None


def test_a_calibration_with_a_likeness_is_written_and_read_back_a_list_a_line(tmp_path: Path):
    path = tmp_path / "calibrations.json"
    key = Key("model", "embedder", "1", True, Task.QUESTION)
    wide = replace(LEARNED, product=(0.1, -2e-07) * 200, difference=(1.0,) * 400)
    made = {key: replace(FITTED, likeness=wide, fitted="of [1, 2] rows")}
    calibrations.write(path, made)
    assert calibrations.read(path) == made
    assert len(path.read_text().splitlines()) < 80


async def test_a_likeness_stays_in_its_embedding_space(tmp_path: Path):
    own = tmp_path / "calibrations.json"
    known = Calibrations("model", "old", "1", own)
    calibrations.write(own, {known.key(Task.QUESTION, logprobs=True): FITTED})
    draw = np.random.default_rng(3)
    seen = [
        Pair(x, x, Overlap(y, 1.0), Overlap(y, 1.0))
        for x, y in draw.uniform(0.1, 0.9, size=(60, 2))
    ]
    said, agreed = await recalibrate([known], own, "old", "new", seen, datetime.now(UTC))
    moved = known.of("new").get(Task.QUESTION, logprobs=True)
    assert said.startswith("carried over")
    assert agreed == 1.0
    assert moved.likeness is None
    assert moved.decision.likeness == 0
    assert moved.decision.property == pytest.approx(FITTED.decision.property)


@pytest.mark.parametrize(("intercept", "origin"), [(40.0, Origin.NOTEBOOK), (-40.0, Origin.MODEL)])
async def test_the_likeness_has_a_part_in_the_decision(
    settings: Settings, endpoint: Endpoint, intercept: float, origin: Origin
):
    none = (0.0,) * len(words_vector(NOTE))
    decision = replace(CALIBRATION.decision, likeness=9.0)
    calibrate(settings, decision=decision, likeness=Likeness(intercept, none, none))
    endpoint.when(READING, Reply("yes: at noon", probability=0.6))
    async with open_app(settings) as app:
        await app.notebook.add("g", NoteDraft(NOTE), By("ann"))
        given = await app.eren.answer(QUESTION, Place("g"))
    assert given.origin is origin


async def test_a_question_that_is_the_note_itself_is_as_like_it_as_can_be(
    settings: Settings, endpoint: Endpoint
):
    none = (0.0,) * len(words_vector(NOTE))
    decision = replace(CALIBRATION.decision, intercept=-7.0, likeness=9.0)
    calibrate(settings, decision=decision, likeness=Likeness(-40.0, none, none))
    endpoint.when(READING, Reply("yes: at noon", probability=0.6))
    async with open_app(settings) as app:
        await app.notebook.add("g", NoteDraft(NOTE), By("ann"))
        given = await app.eren.answer("The Fenlake Ferry leaves at noon?", Place("g"))
    assert given.origin is Origin.NOTEBOOK


async def test_a_fit_learns_a_likeness_from_questions_that_the_cosine_gets_wrong(
    settings: Settings, endpoint: Endpoint, tmp_path: Path
):
    """The question that shares a word with its note asks for something else."""
    made = [
        {
            "id": number,
            "edit_statement": f"Ann{number} does play the harp.",
            "subject_name": f"Ann{number}",
            "edit_scope": [[f"What is strummed by Ann{number}?", "harp"]],
            "unrelated": {
                "same_subj": [f"Where does Ann{number} play?"],
                "neighbor_subj": [f"What is strummed by Zoe{number}?"],
            },
        }
        for number in range(130)
    ]
    benchmark = load(write(tmp_path / "counterfact.json", made))
    edits = choose_edits(benchmark, None, 0)
    cases = choose_cases(benchmark, edits, None, 0)
    endpoint.when("Note: ", Reply("yes: harp", probability=0.6))
    async with open_bench(settings, edits) as app:
        fits = await fit_all(app, benchmark, edits, cases, 4, quiet)
    for fitted in fits.values():
        assert fitted.likeness is not None
        assert fitted.decision.likeness > 0
        assert fitted.unread is not None
        assert fitted.unread.likeness == 0  # What is not even read is not told by what was learned.
        said = np.array(words_vector("someone does play the harp"))
        apart = [
            fitted.likeness.of(np.array(words_vector(asked)), said)
            for asked in ("What is strummed by someone", "Where does someone play")
        ]
        assert apart[0] > 0 > apart[1]
