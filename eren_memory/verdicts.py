"""What replies mean: pure functions from a model's words and log-probabilities to verdicts."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eren_memory.text import normalised


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reading reply said: the verdict in words, and the answer that came with a yes."""

    says_yes: bool
    answer: str | None


def parse_reading(reply: str) -> Reading:
    """Read `yes: <answer>` or `no`; anything else is no verdict for a note, so it counts as no."""
    match = re.match(r"\W*yes\b[\s:,.\-]*(.*)", reply.strip(), re.IGNORECASE | re.DOTALL)
    if not match:
        return Reading(says_yes=False, answer=None)
    answer = match.group(1).strip().strip('"').strip()
    return Reading(says_yes=True, answer=answer or None)


def says_unanswerable(reply: str) -> bool:
    """Whether the model took the way out of the paper's question prompt."""
    return "unanswerable" in reply.lower()


def says_impossible(reply: str) -> bool:
    """Whether the model took the way out of the paper's claim prompt."""
    return "impossible" in reply.lower()


def says_yes(reply: str) -> bool:
    """Whether a reply to a yes-or-no question begins with yes."""
    return normalised(reply).lstrip("-* \"'").startswith(("yes", "true"))


def claim_verdict(
    first_token: Sequence[tuple[str, float]], reply: str
) -> tuple[Mapping[str, float], bool]:
    """Probabilities of `true`, `false` and `unknown`, and whether log-probabilities gave them."""
    if graded := masses(first_token, ("true", "false", "unknown")):
        return graded, True
    for word, others in (("true", "false"), ("false", "true")):
        if normalised(reply).startswith(word):
            return {word: 0.9, others: 0.05, "unknown": 0.05}, False
    return {"true": 0.025, "false": 0.025, "unknown": 0.95}, False


def masses(first_token: Sequence[tuple[str, float]], words: Sequence[str]) -> Mapping[str, float]:
    """Probability that the reply begins with each word, summed over ways to write its first token.

    Empty when there are no log-probabilities, or less than a tenth of the mass is on the words.
    """
    found = dict.fromkeys(words, 0.0)
    for token, logprob in first_token:
        start = token.strip().strip("\"'*-").lower()
        for word in words:
            if start and word.startswith(start):
                found[word] += math.exp(logprob)
                break
    total = sum(found.values())
    return found if total >= 0.1 else {}
