import random
from pathlib import Path

import pytest

from eren_memory import relevance
from eren_memory.errors import ConfigError
from eren_memory.relevance import Calibrations, Key, Labelled, Task

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


def test_a_fit_separates_what_it_was_shown_and_what_it_was_not():
    fitted = relevance.fit(rows())
    fresh = rows(401)[201:]
    right = [
        (fitted.decision.probability(row.verdict, row.dense) >= relevance.ACCEPT) == row.answers
        for row in fresh
    ]
    assert sum(right) / len(right) > 0.93


def test_both_witnesses_count():
    weights = relevance.fit(rows()).decision
    assert weights.probability(0.9, 0.8) > weights.probability(0.1, 0.8)
    assert weights.probability(0.9, 0.8) > weights.probability(0.9, 0.5)


def test_certainty_of_zero_or_one_stays_finite():
    weights = relevance.DEFAULT.decision
    assert 0 < weights.probability(0.0, -1.0) < weights.probability(1.0, 1.0) < 1


def test_a_fit_of_one_class_is_refused():
    with pytest.raises(ConfigError, match="needs questions that notes answer"):
        relevance.fit([Labelled(0.9, 0.9, True)])


def test_a_written_calibration_is_read_back_and_others_are_kept(tmp_path: Path):
    path = tmp_path / "calibrations.json"
    first, second = relevance.fit(rows()), relevance.fit(rows(100))
    other = Key("another", "embedder", "1", False, Task.CLAIM)
    relevance.write(path, {KEY: first})
    relevance.write(path, {other: second})
    assert relevance.read(path) == {KEY: first, other: second}


def test_an_operators_calibration_comes_before_the_packages_and_unknown_keys_use_defaults(
    tmp_path: Path,
):
    own = tmp_path / "calibrations.json"
    fitted = relevance.fit(rows())
    relevance.write(own, {KEY: fitted})
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


@pytest.mark.parametrize("task", Task)
def test_the_package_ships_calibrations_for_the_embedded_parts(tmp_path: Path, task: Task):
    from eren_memory.config import DEFAULT_EMBEDDING_MODEL
    from eren_memory.model_file import MODEL_NAME
    from eren_memory.prompts import PROMPT_VERSION

    shipped = Calibrations(MODEL_NAME, DEFAULT_EMBEDDING_MODEL, PROMPT_VERSION, tmp_path / "none")
    assert all(shipped.get(task, logprobs=graded).fitted for graded in (True, False))
