import json
from pathlib import Path
from typing import cast

import pytest

from eren_memory.config import Settings
from eren_memory.domain import Candidate, Note
from eren_memory.errors import BadInput
from eren_memory.evaluation import audit
from eren_memory.evaluation.bench_notebook import open_bench
from eren_memory.evaluation.calibrate import calibrate
from eren_memory.evaluation.datasets import Benchmark, Case, Form, Kind, is_verbatim
from eren_memory.evaluation.distractors import answered, gather
from eren_memory.evaluation.reading import load
from eren_memory.evaluation.sampling import choose_cases, choose_edits
from eren_memory.evaluation.variants import swapped
from eren_memory.relevance import Calibration, Labelled, Overlap, Task, Weights
from tests.benchmarks import claims, entries, quiet, read_notes, several, write
from tests.endpoint import Endpoint, Reply


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    return load(write(tmp_path / "counterfact.json", entries()))


def test_questions_that_a_file_repeats_count_once_and_clashes_are_set_aside(benchmark: Benchmark):
    edits = choose_edits(benchmark, None, 0)
    raw = choose_cases(benchmark, edits, None, 0, audited=False)
    kinds = {kind: sum(case.kind is kind for case in raw) for kind in Kind}
    assert kinds == {
        Kind.SCOPE: 12, Kind.SAME_SUBJECT: 6, Kind.NEIGHBOUR: 7, Kind.OUT_OF_SCOPE: 0,
    }  # fmt: skip
    [clash] = [case for case in raw if case.excluded]
    assert (clash.text, clash.kind) == ("What does Ann play?", Kind.NEIGHBOUR)
    assert clash.excluded == audit.ELSEWHERE_IN_SCOPE
    audited = choose_cases(benchmark, edits, None, 0)
    assert {case.text for case in raw} == {case.text for case in audited}
    assert len(audited) == len(raw) - 1


def test_a_sample_is_even_over_kinds_repeatable_and_covers_many_edits(benchmark: Benchmark):
    edits = choose_edits(benchmark, None, 0)
    sample = choose_cases(benchmark, edits, 18, 3)
    assert sample == choose_cases(benchmark, edits, 18, 3)
    assert sample != choose_cases(benchmark, edits, 18, 4)
    scope = [case for case in sample if case.kind is Kind.SCOPE]
    assert len(scope) == 6
    assert {case.stratum: 0 for case in scope} == {"verbatim": 0, "paraphrase": 0}
    assert sum(case.verbatim for case in scope) == 3


def test_a_small_sample_has_a_question_of_every_kind(benchmark: Benchmark):
    cases = choose_cases(benchmark, benchmark.edits, 2, 0)
    assert {case.kind for case in cases} == {Kind.SCOPE, Kind.SAME_SUBJECT, Kind.NEIGHBOUR}


def test_a_sample_does_not_depend_on_the_order_of_the_file(benchmark: Benchmark, tmp_path: Path):
    turned = load(write(tmp_path / "turned.json", entries()[::-1]))
    assert choose_edits(turned, 4, 1) == choose_edits(benchmark, 4, 1)
    drawn = [choose_cases(one, choose_edits(one, 4, 1), 9, 1) for one in (turned, benchmark)]
    assert drawn[0] == drawn[1]


def test_a_smaller_notebook_is_the_beginning_of_a_larger_one(benchmark: Benchmark):
    assert choose_edits(benchmark, 2, 5) == choose_edits(benchmark, 5, 5)[:2]


def test_claims_out_of_scope_come_from_edits_that_were_not_applied(tmp_path: Path):
    benchmark = load(write(tmp_path / "fever.json", claims()))
    applied = choose_edits(benchmark, 2, 0)
    cases = choose_cases(benchmark, applied, None, 0)
    assert benchmark.claims
    ids = {edit.id for edit in applied}
    assert {case.edit_id in ids for case in cases if case.kind is Kind.SCOPE} == {True}
    assert {case.edit_id in ids for case in cases if case.kind is Kind.OUT_OF_SCOPE} == {False}
    assert {case.target for case in cases if case.kind is Kind.OUT_OF_SCOPE} == {None}


def test_the_true_answer_of_a_claim_is_known_even_where_the_flags_are_too_many(tmp_path: Path):
    made = claims()
    made[0]["edit_scope_true_ans"] = ["no"] * 9
    made[1]["edit_scope_true_ans"] = ["no", "yes", "no", "yes"]
    first, second, third, *_ = load(write(tmp_path / "fever.json", made)).edits
    assert {case.true for case in first.cases} == {"no"}
    assert {case.true for case in second.cases} == {None}
    assert {case.true for case in third.cases} == {"yes"}


@pytest.mark.parametrize(
    ("text", "note", "claim", "verbatim"),
    [
        ("What does Ann play?", "Ann does play the harp.", False, True),
        ("Which instrument does Ann play?", "Ann does play the harp.", False, False),
        ("Ann plays the harp", "Ann plays the harp.", True, True),
        ("Ann is a harpist.", "Ann plays the harp.", True, False),
    ],
)
def test_verbatim_says_nothing_in_words_of_its_own(text, note, claim, verbatim):
    assert is_verbatim(text, [note], claim=claim) is verbatim


def test_several_notes_of_one_edit_are_read(tmp_path: Path):
    benchmark = load(write(tmp_path / "hotpot.json", several()))
    assert (benchmark.form, benchmark.claims) == (Form.HOTPOT, False)
    assert {len(edit.statements) for edit in benchmark.edits} == {2}


def test_edits_of_ones_own_are_lines(tmp_path: Path):
    path = tmp_path / "own.jsonl"
    lines = [
        {"note": "The ferry leaves at two.", "change": [["When does the ferry leave?", "two"]]},
        {"note": "The bridge is closed.", "keep": ["Who built the bridge?"], "id": "b"},
        {"note": ["One.", "Two."], "same_subject": ["Three?"], "neighbour": ["Four?"]},
    ]
    path.write_text("\n".join(json.dumps(line) for line in lines))
    benchmark = load(path)
    assert (benchmark.form, benchmark.claims) == (Form.OWN, False)
    assert [edit.id for edit in benchmark.edits] == ["1", "b", "3"]
    assert [case.kind for edit in benchmark.edits for case in edit.cases] == [
        Kind.SCOPE, Kind.OUT_OF_SCOPE, Kind.SAME_SUBJECT, Kind.NEIGHBOUR,
    ]  # fmt: skip


def test_claims_of_ones_own_have_yes_and_no_and_ask_nothing(tmp_path: Path):
    path = tmp_path / "own.jsonl"
    line = {"note": "The ferry leaves at two.", "change": [["The ferry leaves at noon.", "no"]]}
    path.write_text(json.dumps(line))
    assert load(path).claims
    line["change"] = [["Does the ferry leave at noon?", "no"]]
    path.write_text(json.dumps(line))
    assert not load(path).claims


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "cannot be read"),
        ('[{"id": 1', "not a whole JSON file"),
        (b"\xff[]", "not a whole JSON file"),
        ("{}", "not a list of edits"),
        ("[]", "not a list of edits"),
        ('[{"id": 1, "edit_scope": []}]', "entry 1, is not an edit"),
        ('[{"id": 1, "edit_statement": ["a", 2], "edit_scope": []}]', "entry 1, is not an edit"),
        ('[{"id": 1, "edit_statement": "a", "edit_scope": [["q"]]}]', "entry 1, is not an edit"),
        ('[{"id": 1, "edit_statement": "a", "edit_scope": [["q", ""]]}]', "entry 1, is not an"),
        ('[{"id": 1, "edit_statement": " ", "edit_scope": []}]', "note is empty"),
        ('[{"id": 1, "edit_statement": "a", "edit_scope": [["q", "Rome"]]}]', "is yes or no"),
        (
            '[{"id": 1, "edit_statement": "a", "edit_scope": [], "unrelated": {}}, {"id": 2}]',
            "entry 2, is not an edit",
        ),
        ('[{"id": 1, "edit_statement": "a", "edit_scope": []}] ' * 2, "not a whole JSON file"),
        (
            json.dumps([{"id": 1, "edit_statement": "a", "edit_scope": []}] * 2),
            "id 1 twice",
        ),
        ("[5]", "entry 1, is not an edit"),
        ('[{"id": 1, "edit_statement": "a", "edit_scope": {"q": "t"}}]', "a list was expected"),
        (
            '[{"id": 1, "edit_statement": "a", "edit_scope": [], "unrelated": {"same_subj": "q"}}]',
            "a list was expected",
        ),
    ],
)
def test_a_truncated_or_mislabelled_file_is_a_clear_error(tmp_path: Path, content, fault):
    path = tmp_path / "data.json"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadInput, match=fault):
        load(path)


def test_a_truncated_line_is_named(tmp_path: Path):
    path = tmp_path / "own.jsonl"
    path.write_text('{"note": "a"}\n{"note": "b')
    with pytest.raises(BadInput, match="line 2, is not a whole JSON object"):
        load(path)


def test_labels_that_belong_to_other_rows_are_noticed(tmp_path: Path):
    made = entries()
    for one, other in zip(made, entries()[1:] + entries()[:1], strict=True):
        targets = [target for _, target in other["edit_scope"]]
        one["edit_scope"] = [
            [q, target] for (q, _), target in zip(one["edit_scope"], targets, strict=True)
        ]
    with pytest.raises(BadInput, match="only 0% of the targets stand in their note"):
        audit.check_labels(load(write(tmp_path / "shuffled.json", made)))
    assert audit.check_labels(load(write(tmp_path / "whole.json", entries()))) is None


def test_a_few_labels_of_other_rows_are_noticed_too(tmp_path: Path):
    made = entries()
    made[0]["edit_scope"][0][1] = made[1]["edit_scope"][0][1]
    made[0]["edit_scope"][2][1] = made[1]["edit_scope"][0][1]
    with pytest.raises(BadInput, match="only 83%"):
        audit.check_labels(load(write(tmp_path / "shuffled.json", made)))


def test_turned_labels_of_claims_are_noticed(tmp_path: Path):
    made = claims()
    for one in made:
        one["edit_scope"] = [
            [text, "no" if label == "yes" else "yes"] for text, label in one["edit_scope"]
        ]
    with pytest.raises(BadInput, match="only 0% of the notes are labelled yes"):
        audit.check_labels(load(write(tmp_path / "fever.json", made)))


def test_claims_that_were_moved_to_other_notes_are_noticed(tmp_path: Path):
    made = claims()
    scopes = [one["edit_scope"] for one in made]
    for one, scope in zip(made, scopes[1:] + scopes[:1], strict=True):
        one["edit_scope"] = scope
    with pytest.raises(BadInput, match="100% of the notes are claims of another edit"):
        audit.check_labels(load(write(tmp_path / "fever.json", made)))


def test_claims_need_not_hold_the_note_itself(tmp_path: Path):
    made = claims()
    for one in made:
        del one["edit_scope"][0]
    assert audit.check_labels(load(write(tmp_path / "fever.json", made))) is None


def test_what_the_notebook_would_not_take_is_shortened_and_counted(tmp_path: Path):
    made = several()
    made[0]["edit_statement"][0] = "word " * 500
    made[1]["edit_statement"][0] += "\x96"
    benchmark = load(write(tmp_path / "hotpot.json", made))
    assert len(benchmark.edits[0].statements[0]) == 1_999
    assert benchmark.edits[1].statements[0] == several()[1]["edit_statement"][0]
    assert benchmark.shortened == 1
    own = tmp_path / "own.jsonl"
    own.write_text(json.dumps({"note": "word " * 500}))
    with pytest.raises(BadInput, match="limit is 2,000"):
        load(own)


def test_ones_own_targets_may_be_in_other_words_with_a_warning(tmp_path: Path):
    path = tmp_path / "own.jsonl"
    path.write_text('{"note": "It leaves at two.", "change": [["When?", "14:00"]]}')
    assert "only 0%" in (audit.check_labels(load(path)) or "")


def test_edits_that_clash_have_no_scope_or_both_labels_are_set_aside(tmp_path: Path):
    made = entries()
    made[1]["edit_scope"][0] = ["What does Ann play?", "harp1"]
    made[2]["edit_scope"] = []
    benchmark = load(write(tmp_path / "clashing.json", made))
    found = audit.exclusions(benchmark, benchmark.edits)
    reasons = {
        reason: {edit for (edit, _), r in found.items() if r == reason} for reason in found.values()
    }
    assert reasons[audit.CLASHING] == {"0", "1"}
    assert reasons[audit.NO_SCOPE] == {"2"}
    both = claims()
    both[1]["edit_scope"].append([both[0]["edit_scope"][0][0], "no"])
    benchmark = load(write(tmp_path / "fever.json", both))
    found = audit.exclusions(benchmark, benchmark.edits[:2])
    assert set(found.values()) == {audit.BOTH_LABELS}
    assert {edit for edit, _ in found} == {"0", "1"}


def test_one_statement_with_two_targets_clashes_whatever_is_asked(tmp_path: Path):
    made = entries()[:2]
    made[1]["edit_statement"] = "Ann does play the lute."
    made[1]["edit_scope"] = [["Which lute-like thing is it that Ann plays?", "lute"]]
    benchmark = load(write(tmp_path / "clashing.json", made))
    assert set(audit.exclusions(benchmark, benchmark.edits).values()) == {
        audit.CLASHING, audit.ELSEWHERE_IN_SCOPE,
    }  # fmt: skip


def test_distractors_come_from_other_files_and_then_are_generated(
    benchmark: Benchmark, tmp_path: Path
):
    other = write(tmp_path / "fever.json", claims())
    made = gather(benchmark, 5_000, [other], 0)
    assert len({*made.statements}) == 5_000
    assert made.generated == 5_000 - len(claims())
    assert made == gather(benchmark, 5_000, [other], 0)
    assert made.statements[: len(claims())] != gather(benchmark, 9, [other], 1).statements
    assert sum("Ann" in text for text in made.statements) > 100
    with pytest.raises(BadInput, match="Only 9,606 distractors"):
        gather(benchmark, 10**6, [other], 0)


def test_questions_that_a_distractor_answers_are_known(benchmark: Benchmark, tmp_path: Path):
    other = claims()
    other[0]["edit_statement"] = other[0]["edit_scope"][0][0] = "Zoe1 and Dee live in the old mill."
    made = gather(benchmark, 100, [write(tmp_path / "fever.json", other)], 0)
    found = {case.text for case, _ in answered(benchmark, made)}
    assert found == {
        "What does Zoe1 play?", "Where does Dee live?", "What does Dee play?",
        "What instrument does Dee play?",
    }  # fmt: skip


def test_swapped_entities_contradict_the_truth(tmp_path: Path):
    made = several()
    made[4]["edit_scope"][0][0] = "Does it begin in the Vale4 or in the Vale9?"
    benchmark, left = swapped(load(write(tmp_path / "hotpot.json", made)), 0)
    assert [case.text for case in left] == [
        "Does it begin in the Vale4 or in the Vale9?", "Are lake 5 and its river long?",
    ]  # fmt: skip
    for edit in benchmark.edits:
        [case] = edit.cases
        assert case.target != case.true
        assert str(case.target) in edit.statement
        assert str(case.true) not in edit.statement
    assert audit.in_notes(benchmark) == 1.0


async def test_calibrating_separates_what_the_model_and_retrieval_say(
    settings: Settings, benchmark: Benchmark, endpoint: Endpoint
):
    endpoint.when("Note: ", read_notes)
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
    from eren_memory.evaluation.calibrate import _balanced, _Found, _Row

    weights = Weights(0.0, 1.0, 0.0)
    fitted = Calibration(weights, weights, gate=0.0, doubtful=0.0)

    def row(n: int, answers: bool) -> _Row:
        kind = Kind.SCOPE if answers else Kind.NEIGHBOUR
        evidence = Labelled(0.3 + 0.6 * n / 40, 0.7, answers)
        source = Candidate(cast("Note", None), 0.7, 0.0)
        return _Row(_Found(Case("1", kind, "q", None), [], evidence), evidence, True, source)

    rows = [row(n, answers) for n in range(40) for answers in (True, False)]

    def cases(stopped: int) -> list[Case]:
        scope = [Case("1", Kind.SCOPE, f"s{n}", "t") for n in range(40)]
        return scope + [Case("1", Kind.NEIGHBOUR, f"n{n}", None) for n in range(40 + stopped)]

    alone = _balanced(fitted, rows, cases(0)).decision.intercept
    beside = _balanced(fitted, rows, cases(400)).decision.intercept
    assert beside > alone + 0.3
