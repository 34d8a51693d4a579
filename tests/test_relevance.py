import json
import random
from pathlib import Path

import pytest

from eren_memory import calibrations, relevance
from eren_memory.calibrations import Calibrations, Key
from eren_memory.errors import ConfigError
from eren_memory.fitting import fit_decision, fit_polarity, fit_unread
from eren_memory.relevance import (
    Calibration,
    Labelled,
    Leaning,
    Overlap,
    Polarity,
    Task,
)

KEY = Key("model", "embedder", "1", True, Task.QUESTION)


def rows(count: int = 200) -> list[Labelled]:
    """Answering notes have a sure verdict and a high cosine, more or less."""
    draw = random.Random(7)
    made = []
    for number in range(count):
        answers = number % 2 == 0
        verdict = min(max(draw.gauss(0.9 if answers else 0.2, 0.15), 0.001), 0.999)
        made.append(Labelled(verdict, draw.gauss(0.85 if answers else 0.6, 0.08), answers))
    return made


def fit(shown: list[Labelled]) -> Calibration:
    return fit_decision(fit_unread(shown), shown)


def test_a_fit_separates_what_it_was_shown_and_what_it_was_not():
    fitted = fit(rows())
    fresh = rows(401)[201:]
    right = [
        (fitted.decision.probability(row.verdict, row.dense) >= relevance.ACCEPT) == row.answers
        for row in fresh
    ]
    assert sum(right) / len(right) > 0.93


def test_both_witnesses_count():
    weights = fit(rows()).decision
    assert weights.probability(0.9, 0.8) > weights.probability(0.1, 0.8)
    assert weights.probability(0.9, 0.8) > weights.probability(0.9, 0.5)


def test_what_is_said_of_the_subject_counts_apart_from_the_subject():
    """Two notes about the same person are equally near; what they say of it is not."""
    shown = [
        Labelled(0.5, 0.7 + 0.01 * (n % 5), n % 2 == 0, Overlap(0.5 if n % 2 == 0 else 0.1, 1.0))
        for n in range(60)
    ]
    unread = fit_unread(shown)
    same = [unread.believed(0.72, Overlap(rest, 1.0)) for rest in (0.5, 0.1)]
    assert same[0] > 0.9
    assert same[1] < 0.1


def test_a_model_whose_verdict_says_the_contrary_or_nothing_leaves_the_decision_to_retrieval():
    lying = [Labelled(1 - row.verdict, row.dense, row.answers) for row in rows()]
    silent = [Labelled(0.95, row.dense, row.answers) for row in rows()]
    for shown in (lying, silent):
        decision = fit(shown).decision
        assert decision.verdict < 0.01
        assert decision.probability(0.95, 0.9) > relevance.ACCEPT > decision.probability(0.95, 0.5)


def test_evidence_for_a_note_never_counts_against_it():
    """A few rows may suggest that likeness speaks against a note; that is their chance."""
    draw = random.Random(5)
    shown = [
        Labelled(0.5, draw.gauss(0.8, 0.1), n % 2 == 0, Overlap(draw.random() + n % 2, n % 2))
        for n in range(40)
    ]
    unread = fit_unread(shown).unread
    assert unread is not None
    assert min(unread.dense, unread.property, unread.names) >= 0


@pytest.mark.parametrize("verdict", [0.0, 1.0])
def test_an_unknown_model_that_always_says_the_same_does_not_outvote_clear_retrieval(verdict):
    decision = relevance.DEFAULT.decision
    assert decision.probability(verdict, 0.9, Overlap(0.6, 1.0)) > relevance.ACCEPT
    assert decision.probability(verdict, 0.6, Overlap(0.1, 1.0)) < relevance.ACCEPT


def test_polarity_weighs_the_model_the_distance_and_the_negation():
    draw = random.Random(3)
    shown = []
    for n in range(300):
        true, negated = n % 2 == 0, draw.random() < (0.1 if n % 2 == 0 else 0.5)
        leaning, near = draw.gauss(1 if true else -1, 1.5), draw.gauss(0.9 if true else 0.8, 0.05)
        shown.append(Leaning(leaning, near, negated, true))
    fitted = fit_polarity(shown)
    assert fitted.logit(2, 0.85, negated=False) > fitted.logit(-2, 0.85, negated=False)
    assert fitted.logit(0, 0.95, negated=False) > fitted.logit(0, 0.75, negated=False)
    assert fitted.logit(0, 0.85, negated=False) > fitted.logit(0, 0.85, negated=True)


def test_without_claims_to_fit_on_the_model_is_believed():
    assert fit_polarity([]) == Polarity()
    assert Polarity().logit(0.5, 0.0, negated=True) > 0 > Polarity().logit(-0.5, 1.0, negated=False)


def test_certainty_of_zero_or_one_stays_finite():
    weights = relevance.DEFAULT.decision
    assert 0 < weights.probability(0.0, -1.0) < weights.probability(1.0, 1.0) < 1


def test_a_fit_of_one_class_is_refused():
    with pytest.raises(ConfigError, match="needs questions that notes answer"):
        fit([Labelled(0.9, 0.9, True)])


def test_a_written_calibration_is_read_back_and_others_are_kept(tmp_path: Path):
    path = tmp_path / "calibrations.json"
    first, second = fit(rows()), fit(rows(100))
    other = Key("another", "embedder", "1", False, Task.CLAIM)
    calibrations.write(path, {KEY: first})
    calibrations.write(path, {other: second})
    assert calibrations.read(path) == {KEY: first, other: second}


def test_an_operators_calibration_comes_before_the_packages_and_unknown_keys_use_defaults(
    tmp_path: Path,
):
    own = tmp_path / "calibrations.json"
    fitted = fit(rows())
    calibrations.write(own, {KEY: fitted})
    known = Calibrations("model", "embedder", "1", own)
    assert known.get(Task.QUESTION, logprobs=True) == fitted
    assert known.get(Task.QUESTION, logprobs=False) == fitted  # The gate is the same.
    assert known.get(Task.CLAIM, logprobs=True) is relevance.DEFAULT
    assert relevance.DEFAULT.fitted is None


def test_a_damaged_calibration_file_is_named(tmp_path: Path):
    own = tmp_path / "calibrations.json"
    own.write_text('[{"key": {}}]')
    with pytest.raises(ConfigError, match=r"calibrations\.json is not a calibration file"):
        Calibrations("m", "e", "1", own).get(Task.QUESTION, logprobs=True)


def test_a_calibration_file_of_an_older_form_is_not_half_believed(tmp_path: Path):
    own = tmp_path / "calibrations.json"
    calibrations.write(own, {KEY: fit(rows())})
    (older,) = json.loads(own.read_text())
    del older["decision"]["names"]
    own.write_text(json.dumps([older]))
    with pytest.raises(ConfigError, match="run eren calibrate again"):
        calibrations.read(own)
    made = {KEY: fit(rows(100))}
    calibrations.write(own, made)
    assert calibrations.read(own) == made
    assert json.loads((tmp_path / "calibrations.json.old").read_text()) == [older]


@pytest.mark.parametrize("task", Task)
def test_the_package_ships_calibrations_for_the_embedded_parts(tmp_path: Path, task: Task):
    from eren_memory.config import DEFAULT_EMBEDDING_MODEL
    from eren_memory.model_file import MODEL_NAME
    from eren_memory.prompts import PROMPT_VERSION

    shipped = Calibrations(MODEL_NAME, DEFAULT_EMBEDDING_MODEL, PROMPT_VERSION, tmp_path / "none")
    assert all(shipped.get(task, logprobs=graded).fitted for graded in (True, False))
