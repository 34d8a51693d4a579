"""What may be said in the name of a note's author: their own words in their own order, no less than meant.

A model that is told to, or that errs, can turn a note round with nothing but its words: "Refunds are
given" out of "Refunds are not given", or a word out of a sentence that denies it.
"""

from __future__ import annotations

import re

from eren_memory.text import normalised
from eren_memory.wording import limits

_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|\n+")


def quotes(answer: str, note: str) -> bool:
    """Whether an answer's words stand in a note, one after the other."""
    return bool(_places(words(answer), words(note)))


def voiced(answer: str, note: str) -> str:
    """The answer, if it says what its note does.

    The sentence that it is from, where that denies or limits and the answer does not; the whole note
    where the answer is not a stretch of it.
    """
    sentences = [one for one in _SENTENCE_END.split(note) if words(one)]
    told = [(word, at) for at, sentence in enumerate(sentences) for word in words(sentence)]
    said = words(answer)
    ranges = [
        (told[start][1], told[start + len(said) - 1][1] + 1)
        for start in _places(said, [word for word, _ in told])
    ]
    wholes = [" ".join(sentences[first:end]) for first, end in ranges]
    if any(limits(whole) == limits(answer) for whole in wholes):
        return answer
    return wholes[0] if wholes else note


def words(text: str) -> list[str]:
    """The words by which an answer is compared with a note."""
    return re.findall(r"\w+", normalised(text))


def _places(said: list[str], told: list[str]) -> list[int]:
    length = len(said)
    if not length:
        return []
    return [at for at in range(len(told) - length + 1) if told[at : at + length] == said]
