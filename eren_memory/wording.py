"""What a question and a note share by their words, and what is left of both without it.

"Where was Mira Voss born?" and "Mira Voss plays the cello." are near as sentences, because most of
each is the name. Without the words that they share, "Where was born" and "plays the cello" are far
apart: whether two texts speak of one *property* shows when their common subject is taken out.
Names are told by their capitals and digits; texts without any are compared by all their words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

STAND_IN = "Zelmo"
"""Stands for the name that a question and its notes share, where a model should not know it."""

_WORD = re.compile(r"[^\W_]+(?:['\u2019.-][^\W_]+)*")
# Words that alone make no subject.
_SMALL = frozenset(
    """
    a an and are as at be been by did do does for from had has have how in into is it its of on or s
    that the this to was were what when where which who whom whose with
    """.split()  # noqa: SIM905 - A list of forty quoted words reads worse.
)
# The one English word with a capital that is no name.
_PRONOUN = re.compile(r"I(?:['\u2019]\w+)?")
_NEGATION = re.compile(
    r"\b(?:not|never|no|none|nobody|nothing|neither|nor|without|cannot|zero|yet to|fail\w*|refus\w+|"
    r"unable|incapable|\w+n['\u2019]t)\b",
    re.IGNORECASE,
)
# Words that deny or limit what is said, also in some other languages.
_LIMITS = re.compile(
    rf"{_NEGATION.pattern}|\b(?:only|unless|except|hardly|rarely|seldom|false|untrue|nicht|kein\w*|nie|"
    r"niemals|niemand|nur|außer|pas|jamais|aucun\w*|sauf|nunca|jamás|ningun\w*|ningún|salvo|nessun\w*|"
    r"niet|geen|nooit)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Run:
    """Words that two texts share in one stretch: where it starts in each, and how many they are.

    `names` are the places in it that are names; empty when no word inside a sentence is one.
    """

    start: int
    other: int
    length: int
    names: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Masked:
    """Notes and a question in which `STAND_IN` hides the name that they share."""

    notes: tuple[str, ...]
    question: str
    name: str | None

    def unmasked(self, text: str) -> str:
        """A reply with the name put back."""
        return text if self.name is None else text.replace(STAND_IN, self.name)


def residues(question: str, note: str, *, instead: str = "") -> tuple[str, str]:
    """Both texts without the longest stretch of words that they share, their likely subject.

    Where they share none, both are whole; else `instead` stands in its place.
    """
    asked, said = _words(question), _words(note)
    run = _run(asked, said)
    if run is None:
        return " ".join(asked), " ".join(said)
    put = [instead] if instead else []
    return (
        " ".join(asked[: run.start] + put + asked[run.start + run.length :]),
        " ".join(said[: run.other] + put + said[run.other + run.length :]),
    )


def named(question: str, *notes: str) -> float:
    """The share of the question's names that stand in the notes, in [0, 1]; 1 where it has none."""
    asked = _asked_names(question)
    said = {word for note in notes for word in _stems(note)}
    return sum(word in said for word in asked) / len(asked) if asked else 1.0


def has_names(question: str) -> bool:
    """Whether a question has a name behind its first word."""
    return bool(_asked_names(question))


def linked(question: str, one: str, other: str) -> bool:
    """Whether two notes share a name that the question does not have: the second link of a chain.

    The name is what one of them is about (the names at its beginning), or has two words at least.
    """
    asked, first, second = (set(_stems(text)) for text in (question, one, other))
    for about, within in ((_subject(other), first), (_subject(one), second)):
        if about and about <= within and not about <= asked:
            return True
    names = ({_stem(word) for word in _names(_words(text))} for text in (one, other))
    return len(set.intersection(*names) - asked) >= 2


def differ_in_negation(one: str, other: str) -> bool:
    """Whether just one of two texts is negated: by an odd number of English negations."""
    return len(_NEGATION.findall(one)) % 2 != len(_NEGATION.findall(other)) % 2


def limits(text: str) -> int:
    """How many words of a text deny or limit what it says."""
    return len(_LIMITS.findall(text))


def masked(notes: Sequence[str], question: str) -> Masked:
    """Hide the name that the question and the first note share, so that only the property is read.

    A model that knows the subject better than the note denies notes that contradict it. Nothing is
    hidden unless every name of the question stands in the note: what differs must stay in sight.
    """
    plain = Masked(tuple(notes), question, None)
    asked, said = _words(question), _words(notes[0])
    run = _run(asked, said)
    if run is None or not run.names or named(question, notes[0]) < 1:
        return plain
    if any(STAND_IN in text for text in (question, *notes)):
        return plain
    # From the first name to the last one: in "Mira Voss's job title" the rest is the property.
    first, last = run.names[0], run.names[-1]
    words = asked[run.start + first : run.start + last + 1]
    spelled = said[run.other + first : run.other + last + 1]
    between = r"(?:['\u2019]s)?[\W_]+"
    written = between.join(re.escape(_bare(word)) for word in words)
    pattern = re.compile(rf"(?<![^\W_]){written}(?![^\W_])", re.IGNORECASE)
    return Masked(
        tuple(pattern.sub(STAND_IN, note) for note in notes),
        pattern.sub(STAND_IN, question),
        _bare(" ".join(spelled)),
    )


def _run(asked: Sequence[str], said: Sequence[str]) -> _Run | None:
    """The shared stretch with most names, then most telling words, then most words."""
    best: tuple[int, int, int] = (0, 0, 0)
    found: tuple[int, int, int] | None = None
    one, other = [_stem(word) for word in asked], [_stem(word) for word in said]
    # Who types a question without any capitals leaves it to the note to say what is a name.
    by_question = any(_are_names(asked)[1:])
    named_at = _are_names(asked if by_question else said)
    # How many of the words before each place are telling, and are names that do not begin the text.
    tells = [0, *accumulate(word not in _SMALL for word in one)]
    names = [0, *accumulate([False, *named_at[1:]])]
    places: dict[str, list[int]] = {}
    for j, word in enumerate(other):
        places.setdefault(word, []).append(j)
    for i, word in enumerate(one):
        for j in places.get(word, ()):
            if i and j and one[i - 1] == other[j - 1]:
                continue  # The rest of a longer stretch: one word a thousand times takes no minute.
            length = 1
            while (
                i + length < len(one)
                and j + length < len(other)
                and one[i + length] == other[j + length]
            ):
                length += 1
            start = i if by_question else j
            shared = (
                names[start + length] - names[start],
                tells[i + length] - tells[i],
                length,
            )
            if shared[1] and shared > best:
                best, found = shared, (i, j, length)
    if found is None:
        return None
    i, j, length = _trimmed(asked, *found)
    start = i if by_question else j
    names_at = tuple(at for at in range(length) if named_at[start + at])
    return _Run(i, j, length, names_at if best[0] else ())


def _trimmed(asked: Sequence[str], start: int, other: int, length: int) -> tuple[int, int, int]:
    """Without small words at its ends, unless they have a capital as part of a name."""
    while asked[start] in _SMALL:
        start, other, length = start + 1, other + 1, length - 1
    while asked[start + length - 1] in _SMALL:
        length -= 1
    return start, other, length


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _stems(text: str) -> list[str]:
    return [_stem(word) for word in _words(text)]


def _names(words: Sequence[str]) -> list[str]:
    return [word for word, name in zip(words, _are_names(words), strict=True) if name]


def _asked_names(question: str) -> list[str]:
    """The names behind the first word, which has a capital of itself."""
    words = _words(question)
    return [
        _stem(word) for word, name in zip(words[1:], _are_names(words)[1:], strict=True) if name
    ]


def _are_names(words: Sequence[str]) -> list[bool]:
    """Which words are names: those with a capital or a digit, but "I" only in "Leopold I"."""
    found: list[bool] = []
    for at, word in enumerate(words):
        numeral = at > 1 and found[-1]
        found.append(_is_name(word) and (numeral or not _PRONOUN.fullmatch(word)))
    return found


def _subject(note: str) -> set[str]:
    """The names with which a note begins, and the small words between them."""
    found: list[str] = []
    for word in _words(note):
        if _is_name(word) or (found and word.lower() in _SMALL):
            found.append(word)
        elif found:
            break
    while found and not _is_name(found[-1]):
        found.pop()
    return {_stem(word) for word in found}


def _is_name(word: str) -> bool:
    return word[0].isupper() or word[0].isdigit()


def _bare(word: str) -> str:
    return re.sub(r"['\u2019]s$", "", word)


def _stem(word: str) -> str:
    return _bare(word.casefold())
