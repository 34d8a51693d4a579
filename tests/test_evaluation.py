import json
from pathlib import Path
from typing import Any

import pytest

from eren_memory import relevance
from eren_memory.app import own_calibrations
from eren_memory.config import Settings
from eren_memory.domain import Usage
from eren_memory.errors import BadInput
from eren_memory.evaluation import metrics, runner
from eren_memory.evaluation.bench_notebook import open_bench
from eren_memory.evaluation.calibrate import calibrate
from eren_memory.evaluation.datasets import Benchmark, Case, Kind, choose_cases, choose_edits, load
from eren_memory.evaluation.journal import Journal, Row
from eren_memory.prompts import PROMPT_VERSION
from eren_memory.relevance import Calibration, Key, Labelled, Overlap, Task, Weights
from tests.endpoint import Endpoint, Reply

NAMES = ["Ann", "Bob", "Cid", "Dee", "Eve", "Fay"]


def entry(number: int) -> dict[str, Any]:
    name = NAMES[number]
    return {
        "id": number,
        "edit_statement": f"{name} plays the harp{number}.",
        "edit_scope": [
            [f"What does {name} play?", f"harp{number}"],
            [f"What does {name} play?", f"harp{number}"],
            [f"What instrument does {name} play?", f"harp{number}"],
        ],
        "unrelated": {
            "same_subj": [f"Where does {name} live?"],
            "neighbor_subj": [f"What does Zoe{number} play?", "What does Ann play?"],
        },
    }


@pytest.fixture
def benchmark_file(tmp_path: Path) -> Path:
    path = tmp_path / "counterfact.json"
    path.write_text(json.dumps([entry(number) for number in range(len(NAMES))]))
    return path


@pytest.fixture
def benchmark(benchmark_file: Path) -> Benchmark:
    return load(benchmark_file)


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


def test_questions_that_a_file_repeats_count_once_and_clashes_are_left_out(benchmark: Benchmark):
    cases = choose_cases(benchmark, choose_edits(benchmark, None, 0), None, 0)
    assert len({case.text for case in cases}) == len(cases)
    assert [c.kind for c in cases if c.text == "What does Ann play?"] == [Kind.SCOPE]
    kinds = {kind: sum(case.kind is kind for case in cases) for kind in Kind}
    assert kinds == {
        Kind.SCOPE: 12, Kind.SAME_SUBJECT: 6, Kind.NEIGHBOUR: 6, Kind.OUT_OF_SCOPE: 0,
    }  # fmt: skip


def test_a_sample_is_even_over_kinds_repeatable_and_covers_many_edits(benchmark: Benchmark):
    edits = choose_edits(benchmark, None, 0)
    sample = choose_cases(benchmark, edits, 18, 3)
    assert sample == choose_cases(benchmark, edits, 18, 3)
    assert sample != choose_cases(benchmark, edits, 18, 4)
    scope = [case for case in sample if case.kind is Kind.SCOPE]
    assert len(scope) == 6
    assert len({case.edit_id for case in scope}) == 6


def test_claims_out_of_scope_come_from_edits_that_were_not_applied(tmp_path: Path):
    entries = [
        {"id": n, "edit_statement": f"Claim {n}.", "edit_scope": [[f"Claim {n}, said so.", "yes"]]}
        for n in range(6)
    ]
    path = tmp_path / "fever.json"
    path.write_text(json.dumps(entries))
    benchmark = load(path)
    applied = choose_edits(benchmark, 2, 0)
    cases = choose_cases(benchmark, applied, None, 0)
    assert benchmark.claims
    ids = {edit.id for edit in applied}
    assert {case.edit_id in ids for case in cases if case.kind is Kind.SCOPE} == {True}
    assert {case.edit_id in ids for case in cases if case.kind is Kind.OUT_OF_SCOPE} == {False}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "cannot be read"),
        ('[{"id": 1', "not a whole JSON file"),
        ("{}", "not a list of edits"),
        ("[]", "not a list of edits"),
        ('[{"id": 1, "edit_scope": []}]', "entry 1, is not an edit"),
        ('[{"id": 1, "edit_statement": ["a", "b"], "edit_scope": []}]', "must be one sentence"),
        ('[{"id": 1, "edit_statement": "a", "edit_scope": [["q"]]}]', "entry 1, is not an edit"),
        ("[5]", "entry 1, is not an edit"),
    ],
)
def test_a_truncated_or_mislabelled_file_is_a_clear_error(tmp_path: Path, content, fault):
    path = tmp_path / "data.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BadInput, match=fault):
        load(path)


def script(endpoint: Endpoint) -> None:
    """A model that reads notes rightly."""

    def read(asked: dict[str, Any]) -> Reply:
        notes, question = asked["messages"][-1]["content"].split("\nQuestion: ")
        name = question.rstrip("?").split()[-2]
        for note in notes.split("\n"):
            if "play" in question and note.startswith(f"Note: {name} plays the "):
                return Reply(f"yes: the {note.split()[-1].rstrip('.')}", probability=0.99)
        return Reply("no", probability=0.99)

    endpoint.when("Note: ", read)


def quiet(_done: int, _total: int) -> None:
    return None


@pytest.fixture
def calibrated(settings: Settings) -> Settings:
    made = Calibration(Weights(0.0, 1.0, 0.0), Weights(-10.0, 0.0, 20.0), gate=0.1, doubtful=0.0)
    key = Key("scripted", "hashed-words", PROMPT_VERSION, True, Task.QUESTION)
    relevance.write(own_calibrations(settings), {key: made})
    return settings


async def measure(
    settings: Settings, benchmark: Benchmark, methods: list[str], journal: Journal
) -> dict[str, Any]:
    edits = choose_edits(benchmark, None, 0)
    cases = choose_cases(benchmark, edits, None, 0)
    async with open_bench(settings, edits) as app:
        rows = await runner.evaluate(
            app, cases, methods, claims=False, concurrency=4, journal=journal, progress=quiet
        )  # fmt: skip
        return runner.results(app, rows, methods, seed=0, notes=len(edits))


async def test_a_right_reader_scores_one_and_the_unedited_model_zero_and_one(
    calibrated: Settings, benchmark: Benchmark, endpoint: Endpoint
):
    script(endpoint)
    results = await measure(calibrated, benchmark, ["eren", "unedited"], Journal(None))
    ours, unedited = results["methods"]["eren"], results["methods"]["unedited"]
    assert (ours["es"], ours["es_exact"], ours["bp"], ours["eq"]) == (1, 1, 1, 1)
    assert ours["right"] == {"scope": 1, "same_subject": 1, "neighbour": 1}
    assert (unedited["es"], unedited["bp"], unedited["eq"]) == (0, 1, 0)
    assert unedited["calls_per_question"] == 1
    assert ours["calls"]["scope"] == 1
    assert not (calibrated.home / "notebook.db").exists()


async def test_shuffled_labels_are_noticed(
    calibrated: Settings, benchmark_file: Path, endpoint: Endpoint
):
    script(endpoint)
    entries = json.loads(benchmark_file.read_text())
    for number, one in enumerate(entries):
        one["edit_scope"] = [[q, f"harp{(number + 1) % len(NAMES)}"] for q, _ in one["edit_scope"]]
    benchmark_file.write_text(json.dumps(entries))
    results = await measure(calibrated, load(benchmark_file), ["eren"], Journal(None))
    assert results["methods"]["eren"]["es"] == 0


async def test_a_failing_endpoint_makes_rows_not_crashes(
    calibrated: Settings, benchmark: Benchmark, endpoint: Endpoint
):
    endpoint.when("Where does Bob", Reply(status=418, body="{}"))
    results = await measure(calibrated, benchmark, ["unedited"], Journal(None))
    assert results["methods"]["unedited"]["errors"] == {"failed": 1}
    assert results["methods"]["unedited"]["bp"] == pytest.approx(11 / 12)


async def test_a_killed_run_goes_on_with_what_it_has_to_the_same_figures(
    calibrated: Settings, benchmark: Benchmark, endpoint: Endpoint, tmp_path: Path
):
    script(endpoint)
    whole = await measure(calibrated, benchmark, ["eren"], Journal(tmp_path / "whole.jsonl"))
    lines = (tmp_path / "whole.jsonl").read_text().splitlines(keepends=True)
    cut = tmp_path / "cut.jsonl"
    cut.write_text("".join(lines[:30]) + lines[30][:25])  # Killed in the middle of a line.
    asked = len(endpoint.requests)
    resumed = await measure(calibrated, benchmark, ["eren"], Journal(cut))
    assert cut.read_text().splitlines(keepends=True)[:30] == lines[:30]
    assert len(cut.read_text().splitlines()) == len(lines)
    assert len(endpoint.requests) - asked < asked
    for figure in ("es", "bp", "eq", "calls_per_question"):
        assert resumed["methods"]["eren"][figure] == whole["methods"]["eren"][figure]


def test_a_file_that_is_no_journal_is_named(tmp_path: Path):
    path = tmp_path / "journal.jsonl"
    path.write_text('{"method": "eren"}\n')
    with pytest.raises(BadInput, match="is not a journal"):
        Journal(path).rows()


def test_a_journal_gives_back_what_was_written(tmp_path: Path):
    journal = Journal(tmp_path / "journal.jsonl")
    row = Row("eren", Case("1", Kind.SCOPE, "q\n?", "t"), "a", None, Usage(1, 2, 3), 4.5, "failed")
    journal.add(row)
    assert journal.rows() == [row]


async def test_calibrating_separates_what_the_model_and_retrieval_say(
    settings: Settings, benchmark: Benchmark, endpoint: Endpoint
):
    script(endpoint)
    edits = choose_edits(benchmark, None, 0)
    cases = choose_cases(benchmark, edits, None, 0)
    async with open_bench(settings, edits) as app:
        made = await calibrate(app, benchmark, edits, cases, 4, quiet)
    assert {(key.logprobs, key.task) for key in made} == {
        (True, Task.QUESTION), (False, Task.QUESTION),
    }  # fmt: skip
    for key, fitted in made.items():
        assert (key.model, key.embedder) == ("scripted", "hashed-words")
        assert fitted.fitted
        assert fitted.fitted.startswith("counterfact, ")
        assert fitted.decision.probability(0.99, 0.8) > 0.5 > fitted.decision.probability(0.01, 0.5)


async def test_a_model_that_says_yes_to_everything_leaves_the_decision_to_retrieval(
    settings: Settings, benchmark: Benchmark, endpoint: Endpoint
):
    endpoint.when("Note: ", Reply("yes: it is so", probability=0.99))
    edits = choose_edits(benchmark, None, 0)
    cases = choose_cases(benchmark, edits, None, 0)
    async with open_bench(settings, edits) as app:
        made = await calibrate(app, benchmark, edits, cases, 4, quiet)
    for fitted in made.values():
        assert abs(fitted.decision.verdict) < 0.01
        said = [
            fitted.decision.probability(0.99, 0.5, Overlap(rest, 1.0)) for rest in (0.1, 0.5, 0.9)
        ]
        assert said == sorted(said)
        # What retrieval holds for something else is not read, whatever the model would say.
        assert fitted.believed(0.2, Overlap(0.1, 0.0)) < fitted.floor


def test_the_threshold_weighs_the_questions_that_the_gate_stopped():
    """Where the gate already preserves most behaviour, the decision may be more generous."""
    from eren_memory.evaluation.calibrate import _balanced, _Row

    weights = Weights(0.0, 1.0, 0.0)
    fitted = Calibration(weights, weights, gate=0.0, doubtful=0.0)
    rows = [
        _Row(Labelled(0.3 + 0.6 * n / 40, 0.7, answers), True, answers)
        for n in range(40)
        for answers in (True, False)
    ]

    def cases(stopped: int) -> list[Case]:
        scope = [Case("1", Kind.SCOPE, f"s{n}", "t") for n in range(40)]
        return scope + [Case("1", Kind.NEIGHBOUR, f"n{n}", None) for n in range(40 + stopped)]

    alone = _balanced(fitted, rows, cases(0)).decision.intercept
    beside = _balanced(fitted, rows, cases(400)).decision.intercept
    assert beside > alone + 0.3
