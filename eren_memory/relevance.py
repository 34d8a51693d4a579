"""Does a note answer the question? Evidence in, calibrated probability out.

The model testifies, retrieval testifies, and a logistic formula decides:

    p = sigmoid(intercept + verdict · logit(v) + dense · cosine + property · rest + names · share)

where v is the model's own probability that the note answers, `rest` the cosine of question and note
without the words that they share, and `share` the part of the question's names that the note has
(`wording`). Weights are fitted per chat model, embedding model and prompt version; `eren calibrate`
makes them and `calibrations.json` ships ours.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar, cast

from eren_memory.errors import ConfigError

_T = TypeVar("_T")

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
class Overlap:
    """How far question and note agree apart from their subject, and whether the names agree.

    `property` is a cosine, in [-1, 1], `names` a share, in [0, 1]; see `wording`.
    """

    property: float = 0.0
    names: float = 0.0


@dataclass(frozen=True, slots=True)
class Weights:
    """Of the formula above; `verdict` is 0 in the one that uses retrieval alone."""

    intercept: float
    verdict: float
    dense: float
    property: float = 0.0
    names: float = 0.0

    def logit(self, verdict: float, dense: float, overlap: Overlap = Overlap()) -> float:
        """Log-odds for a model's probability `verdict` in [0, 1], a cosine `dense` and the words."""
        return (
            self.intercept
            + self.verdict * logit(verdict)
            + self.dense * dense
            + self.property * overlap.property
            + self.names * overlap.names
        )

    def probability(self, verdict: float, dense: float, overlap: Overlap = Overlap()) -> float:
        """p, the sigmoid of `logit`."""
        return _sigmoid(self.logit(verdict, dense, overlap))


@dataclass(frozen=True, slots=True)
class Polarity:
    """Weights that tell a claim which its note makes true from one that it makes false.

    The log-odds of true: intercept + leaning · the model's own + dense · cosine + negation when just
    one of note and claim is negated. The defaults believe the model.
    """

    intercept: float = 0.0
    leaning: float = 1.0
    dense: float = 0.0
    negation: float = 0.0

    def logit(self, leaning: float, dense: float, *, negated: bool) -> float:
        """Log-odds of true for a model's log-odds `leaning`."""
        heard = self.leaning * clipped(leaning)
        return self.intercept + heard + self.dense * dense + self.negation * negated


@dataclass(frozen=True, slots=True)
class Calibration:
    """The decision's parameters for one key.

    Attributes:
        decision: Weights of the decision.
        retrieval: Weights of the cosine alone.
        unread: Weights of the cosines and the words, before the model was asked.
        gate: Cosine under which no note is looked at.
        floor: Probability by `unread` under which no note is read.
        doubtful: Probability by `unread` under which the unedited answer is asked for at once.
        polarity: For claims: what tells true from false.
        fitted: Data, rows and date of the fit; None for the defaults.
    """

    decision: Weights
    retrieval: Weights
    gate: float
    doubtful: float
    unread: Weights | None = None
    floor: float = 0.0
    polarity: Polarity = Polarity()
    fitted: str | None = None

    def believed(self, dense: float, overlap: Overlap) -> float:
        """The probability that a note answers before the model was asked."""
        return (self.unread or self.retrieval).probability(0.5, dense, overlap)


@dataclass(frozen=True, slots=True)
class Labelled:
    """A row to fit on: the evidence, and whether the note did answer."""

    verdict: float
    dense: float
    answers: bool
    overlap: Overlap = Overlap()


@dataclass(frozen=True, slots=True)
class Leaning:
    """A claim to fit a polarity on: the evidence (see `Polarity`), and whether its note makes it true."""

    leaning: float
    dense: float
    negated: bool
    true: bool


# Without a fit: retrieval as with the embedded model, and a model that is not known moves it by 2.4
# at most. One that says yes to everything then does little worse than retrieval alone.
DEFAULT = Calibration(
    decision=Weights(-12.0, 0.3, 9.0, 8.0, 3.0),
    retrieval=Weights(-13.0, 0.0, 16.0),
    unread=Weights(-12.0, 0.0, 9.0, 8.0, 3.0),
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
        self._others: dict[str, Calibrations] = {}

    def of(self, embedder: str) -> Calibrations:
        """Those of the same chat model in another embedding space."""
        if embedder == self._names[1]:
            return self
        if embedder not in self._others:
            model, _, prompt = self._names
            self._others[embedder] = Calibrations(model, embedder, prompt, self._own)
        return self._others[embedder]

    def forget(self) -> None:
        """Read the operator's file again: it was written."""
        self._known = None
        self._others = {}

    def known(self, task: Task, *, logprobs: bool) -> Calibration | None:
        """The decision's parameters for exactly this key, if there are any. Raises as `get`."""
        if self._known is None:
            own = read(self._own) if self._own.is_file() else {}
            self._known = _shipped() | own
        return self._known.get(self.key(task, logprobs=logprobs))

    def key(self, task: Task, *, logprobs: bool) -> Key:
        """What a calibration is kept under."""
        return Key(*self._names, logprobs, task)

    def get(self, task: Task, *, logprobs: bool) -> Calibration:
        """The decision's parameters. Raises `ConfigError` for a damaged file of the operator's."""
        for graded in (logprobs, not logprobs):
            # An endpoint without log-probabilities has only the one; gate and band are the same.
            if found := self.known(task, logprobs=graded):
                return found
        return DEFAULT


def read(path: Path) -> dict[Key, Calibration]:
    """The calibrations in a file. Raises `ConfigError` when it is not one."""
    return _read(path.read_text(encoding="utf-8"), str(path))


def write(path: Path, made: dict[Key, Calibration]) -> None:
    """Add calibrations to a file, replacing those of the same keys.

    A file that is damaged or of an older form is put aside as `.old`: its reader is told to make it
    again, and this is how.
    """
    try:
        known = read(path) if path.is_file() else {}
    except ConfigError:
        path.replace(path.with_name(f"{path.name}.old"))
        known = {}
    entries = [{"key": asdict(key), **asdict(value)} for key, value in (known | made).items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    # As a whole: whoever reads it, or is killed, never sees half a file.
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
    part.replace(path)


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
    key = _made(Key, values.pop("key"))
    for name in ("decision", "retrieval", "unread"):
        values[name] = _made(Weights, values[name]) if values[name] else None
    values["polarity"] = _made(Polarity, values["polarity"])
    return replace(key, task=Task(key.task)), _made(Calibration, values)


def _made(kind: type[_T], values: dict[str, Any]) -> _T:
    """A value of a file; none may be missing, so that a file of an older form is not half believed."""
    if {*values} != {field.name for field in fields(cast("Any", kind))}:
        raise ValueError(f"not the fields of {kind.__name__}")
    return kind(**values)


def logit(p: float) -> float:
    """The log-odds of a probability, kept finite."""
    if p <= 0.0:
        return -_CLIP
    if p >= 1.0:
        return _CLIP
    return clipped(math.log(p / (1 - p)))


def clipped(log_odds: float) -> float:
    """Log-odds as far as they are listened to."""
    return max(-_CLIP, min(_CLIP, log_odds))


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
