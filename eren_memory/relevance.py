"""Does a note answer the question? Evidence in, calibrated probability out.

The model testifies, retrieval testifies, and a logistic formula decides:

    p = sigmoid(intercept + verdict · logit(v) + dense · cosine)

where v is the model's own probability that the note answers. Weights are fitted per chat model,
embedding model and prompt version; `eren calibrate` makes them and `calibrations.json` ships ours.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from eren_memory.errors import ConfigError

ACCEPT = 0.5
"""A note answers when p reaches this."""
QUOTE_ALONE = 0.9
"""Retrieval evidence that may quote a note while the model is out of reach."""

# Beyond this, a small model's certainty says nothing more; it also keeps logits finite.
_CLIP = 8.0


class Task(StrEnum):
    """What is decided: whether a note answers a question, or speaks to a claim."""

    QUESTION = "question"
    CLAIM = "claim"


@dataclass(frozen=True, slots=True)
class Key:
    """What a calibration was fitted for."""

    model: str
    embedder: str
    prompt: str
    logprobs: bool
    task: Task


@dataclass(frozen=True, slots=True)
class Weights:
    """Of the formula above; `verdict` is 0 in the one that uses retrieval alone."""

    intercept: float
    verdict: float
    dense: float

    def logit(self, verdict: float, dense: float) -> float:
        """Log-odds for a model's probability `verdict` in [0, 1] and a cosine `dense`."""
        return self.intercept + self.verdict * _logit(verdict) + self.dense * dense

    def probability(self, verdict: float, dense: float) -> float:
        """p, the sigmoid of `logit`."""
        return _sigmoid(self.logit(verdict, dense))


@dataclass(frozen=True, slots=True)
class Calibration:
    """The decision's parameters for one key.

    Attributes:
        decision: Weights of the decision.
        retrieval: Weights of the cosine alone, before the model was asked.
        gate: Cosine under which no note is read.
        doubtful: Retrieval probability under which the unedited answer is asked for at once.
        polarity: For claims: added to the log-odds of true against false.
        fitted: Data, rows and date of the fit; None for the defaults.
    """

    decision: Weights
    retrieval: Weights
    gate: float
    doubtful: float
    polarity: float = 0.0
    fitted: str | None = None


@dataclass(frozen=True, slots=True)
class Labelled:
    """A row to fit on: the evidence, and whether the note did answer."""

    verdict: float
    dense: float
    answers: bool


# Without a fit: as the embedded model's, but more is asked of both witnesses.
DEFAULT = Calibration(
    decision=Weights(-11.0, 0.7, 14.0),
    retrieval=Weights(-13.0, 0.0, 16.0),
    gate=0.55,
    doubtful=0.25,
)
# A verdict in words alone, as a probability.
_IN_WORDS = {True: 0.95, False: 0.05}


def in_words(says_yes: bool) -> float:
    """The probability that stands for a verdict without log-probabilities."""
    return _IN_WORDS[says_yes]


class Calibrations:
    """Calibrations of one chat model and embedder: the operator's file, the package's, defaults.

    Args:
        model: The chat model's name.
        embedder: The embedding space.
        prompt: The version of the prompts.
        own: The file that `eren calibrate` writes for this installation.
    """

    def __init__(self, model: str, embedder: str, prompt: str, own: Path) -> None:
        self._names = (model, embedder, prompt)
        self._own = own
        self._known: dict[Key, Calibration] | None = None

    def key(self, task: Task, *, logprobs: bool) -> Key:
        """What a calibration is kept under."""
        return Key(*self._names, logprobs, task)

    def get(self, task: Task, *, logprobs: bool) -> Calibration:
        """The decision's parameters. Raises `ConfigError` for a damaged file of the operator's."""
        if self._known is None:
            own = read(self._own) if self._own.is_file() else {}
            self._known = _shipped() | own
        for graded in (logprobs, not logprobs):
            # An endpoint without log-probabilities has only the one; gate and band are the same.
            if found := self._known.get(self.key(task, logprobs=graded)):
                return found
        return DEFAULT


def read(path: Path) -> dict[Key, Calibration]:
    """The calibrations in a file. Raises `ConfigError` when it is not one."""
    return _read(path.read_text(encoding="utf-8"), str(path))


def write(path: Path, made: dict[Key, Calibration]) -> None:
    """Add calibrations to a file, replacing those of the same keys."""
    known = read(path) if path.is_file() else {}
    entries = [{"key": asdict(key), **asdict(value)} for key, value in (known | made).items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")


def fit(rows: Sequence[Labelled], *, keep: float = 0.99) -> Calibration:
    """Fit a calibration by logistic regression, both classes weighing the same.

    Args:
        rows: Labelled evidence of both classes.
        keep: Share of the answering notes that the gate lets through.

    Raises:
        ConfigError: One of the classes is missing.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    labels = np.array([row.answers for row in rows])
    if len(rows) == 0 or labels.all() or not labels.any():
        raise ConfigError(
            "A calibration needs questions that notes answer and questions that none does."
        )
    dense = np.array([row.dense for row in rows])
    verdict = np.array([_logit(row.verdict) for row in rows])
    model = LogisticRegression(C=10.0, class_weight="balanced")
    model.fit(np.column_stack([verdict, dense]), labels)
    alone = LogisticRegression(C=10.0, class_weight="balanced").fit(dense[:, None], labels)
    retrieval = Weights(float(alone.intercept_[0]), 0.0, float(alone.coef_[0][0]))
    p = np.array([retrieval.probability(0.5, one) for one in dense])
    return Calibration(
        decision=Weights(float(model.intercept_[0]), *(float(w) for w in model.coef_[0])),
        retrieval=retrieval,
        gate=float(np.quantile(dense[labels], 1 - keep)),
        # Where 19 of 20 answering notes lie above, asking at once is seldom wasted.
        doubtful=float(np.quantile(p[labels], 0.05)),
    )


@cache
def _shipped() -> dict[Key, Calibration]:
    text = (files("eren_memory") / "data" / "calibrations.json").read_text(encoding="utf-8")
    return _read(text, "the package's calibrations")


def _read(text: str, where: str) -> dict[Key, Calibration]:
    try:
        entries: list[dict[str, Any]] = json.loads(text)
        return dict(_entry(one) for one in entries)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{where} is not a calibration file: run eren calibrate again."
        ) from error


def _entry(entry: dict[str, Any]) -> tuple[Key, Calibration]:
    values = dict(entry)
    key = values.pop("key")
    values["decision"] = Weights(**values["decision"])
    values["retrieval"] = Weights(**values["retrieval"])
    return Key(**{**key, "task": Task(key["task"])}), Calibration(**values)


def _logit(p: float) -> float:
    if p <= 0.0:
        return -_CLIP
    if p >= 1.0:
        return _CLIP
    return max(-_CLIP, min(_CLIP, math.log(p / (1 - p))))


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
