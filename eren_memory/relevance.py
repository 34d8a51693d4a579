"""Does a note answer the question? Evidence in, calibrated probability out.

The model testifies, retrieval testifies, and a logistic formula decides:

    p = sigmoid(intercept + verdict · logit(v) + dense · cosine + property · rest + names · share
                + likeness · measure)

where v is the model's own probability that the note answers, `rest` the cosine of question and note
without the words that they share, `share` the part of the question's names that the note has
(`wording`), and `measure` what was learned of such remainders (`likeness`). A p that is neither here
nor there is judged again with a second verdict, which the model gives to the same note in other words.
`fitting` makes the weights, `calibrations` keeps them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from eren_memory.likeness import Likeness

ACCEPT = 0.5
"""A note answers when p reaches this."""
UNSURE = (0.15, 0.93)
"""Between these a second look is worth a call. The band reaches further up, where an answer would be
given in a moderator's name."""
NOT_COPIED = 0.25
"""The most that a yes is worth whose answer does not stand in the note, or is but the name that was
asked about: it speaks for something else."""
CHAINED = 0.75
"""Two notes answer of which the second was found through the first, when the model's verdict on both
reaches this; `strategies.several` has the reason for asking more than of others."""
QUOTE_ALONE = 0.9
"""Retrieval evidence that may quote a note while the model is out of reach."""

# Beyond this, a small model's certainty says nothing more; it also keeps logits finite.
_CLIP = 8.0


class Task(StrEnum):
    """What is decided: whether a note answers a question, or speaks to a claim."""

    QUESTION = "question"
    CLAIM = "claim"


@dataclass(frozen=True, slots=True)
class Overlap:
    """How far question and note agree apart from their subject, and whether the names agree.

    `property` is a cosine, in [-1, 1], `names` a share, in [0, 1]; see `wording`. `likeness` is in
    (-1, 1), and 0 where nobody measured it.
    """

    property: float = 0.0
    names: float = 0.0
    likeness: float = 0.0


@dataclass(frozen=True, slots=True)
class Weights:
    """Of the formula above; `verdict` is 0 in the one that uses retrieval alone."""

    intercept: float
    verdict: float
    dense: float
    property: float = 0.0
    names: float = 0.0
    likeness: float = 0.0

    def logit(self, verdict: float, dense: float, overlap: Overlap = Overlap()) -> float:
        """Log-odds for a model's probability `verdict` in [0, 1], a cosine `dense` and the words."""
        return (
            self.intercept
            + self.verdict * logit(verdict)
            + self.dense * dense
            + self.property * overlap.property
            + self.names * overlap.names
            + self.likeness * overlap.likeness
        )

    def probability(self, verdict: float, dense: float, overlap: Overlap = Overlap()) -> float:
        """p, the sigmoid of `logit`."""
        return _sigmoid(self.logit(verdict, dense, overlap))


@dataclass(frozen=True, slots=True)
class SecondLook:
    """Weights that put a second verdict v beside a p that was unsure.

    log-odds = intercept + before · logit(p) + verdict · logit(v)
    """

    intercept: float
    before: float
    verdict: float

    def logit(self, p: float, verdict: float) -> float:
        """Log-odds for a `p` and a second `verdict`, both in [0, 1]."""
        return self.intercept + self.before * logit(p) + self.verdict * logit(verdict)

    def probability(self, p: float, verdict: float) -> float:
        """P with the second verdict, the sigmoid of `logit`."""
        return _sigmoid(self.logit(p, verdict))


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
        second: Weights of the second look; None where none is taken.
        polarity: For claims: what tells true from false.
        likeness: What measures the likeness of an overlap; None where none was learned.
        fitted: Data, rows and date of the fit; None for the defaults.
    """

    decision: Weights
    retrieval: Weights
    gate: float
    doubtful: float
    unread: Weights | None = None
    floor: float = 0.0
    second: SecondLook | None = None
    polarity: Polarity = Polarity()
    likeness: Likeness | None = None
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


def is_unsure(p: float) -> bool:
    """Whether a second look is worth a call."""
    return UNSURE[0] < p < UNSURE[1]


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
