"""How wide text is, and how the marks that a message may carry are cut into runs of one look each.

Widths are Helvetica's, which Arial and most fallbacks share; the drawing fits other fonts to them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby

_PLAIN = (
    *(278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278),
    *(556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556),
    *(1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778),
    *(667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556),
    *(333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556),
    *(556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584),
)
_BOLD = (
    *(278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278),
    *(556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 333, 333, 584, 584, 584, 611),
    *(975, 722, 722, 722, 722, 667, 611, 778, 722, 278, 556, 722, 611, 833, 722, 778),
    *(667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 333, 278, 333, 584, 556),
    *(333, 556, 611, 556, 611, 556, 333, 611, 611, 278, 278, 556, 278, 889, 611, 611),
    *(611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 584),
)
_OTHERS = {"·": 278, "…": 1000, "“": 333, "”": 333, "–": 556, "—": 1000, "→": 1000, "✓": 800}
_EMOJI = 1300
EMOJI = re.compile("[⚠👍👎▶◀]")

_MARKS = re.compile(
    r"\*\*(?P<bold>.+?)\*\*|<@(?P<person>\d+)>|<#(?P<place>\d+)>|<t:(?P<moment>\d+):(?P<style>\w)>"
    r"|\*(?P<soft>[^*\s][^*]*)\*|`(?P<code>[^`]+)`|<?(?P<link>https://[^\s>]+)>?|\\(?P<escaped>[^\w\s])"
)


@dataclass(frozen=True, slots=True)
class Piece:
    """Text of one look: `plain`, `bold`, `soft`, `name` (a mention), `code`, `link` or `emoji`."""

    text: str
    look: str = "plain"


@dataclass(frozen=True, slots=True)
class Run:
    """A piece that stands on one line, `x` from its start."""

    text: str
    look: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Names:
    """What Discord writes where a message only has an id or a moment."""

    person: Callable[[int], str]
    place: Callable[[int], str]
    moment: Callable[[int, str], str]


def width(text: str, size: float, look: str = "plain") -> float:
    """Of a text on one line, in pixels."""
    if look == "code":
        return len(text) * size * 0.6
    table = _BOLD if look == "bold" else _PLAIN
    total = 0
    for letter in text:
        if " " <= letter <= "~":
            total += table[ord(letter) - 32]
        else:
            total += _EMOJI if EMOJI.match(letter) else _OTHERS.get(letter, 556)
    return total * size / 1000


def pieces(line: str, names: Names) -> list[Piece]:
    """A line of a message, its marks read as Discord reads them."""
    found: list[Piece] = []
    at = 0
    for mark in _MARKS.finditer(line):
        found.append(Piece(line[at : mark.start()]))
        at = mark.end()
        if mark["bold"]:
            inside = pieces(mark["bold"], names)
            found += [
                Piece(one.text, "bold" if one.look == "plain" else one.look) for one in inside
            ]
        elif mark["person"]:
            found.append(Piece(f"@{names.person(int(mark['person']))}", "name"))
        elif mark["place"]:
            found.append(Piece(f"#{names.place(int(mark['place']))}", "name"))
        elif mark["moment"]:
            found.append(Piece(names.moment(int(mark["moment"]), mark["style"])))
        elif mark["soft"]:
            found.append(Piece(mark["soft"], "soft"))
        elif mark["code"]:
            found.append(Piece(mark["code"], "code"))
        elif mark["link"]:
            found.append(Piece("message link", "link"))
        else:
            found.append(Piece(mark["escaped"]))
    found.append(Piece(line[at:]))
    return [part for one in found for part in _emoji_apart(one) if part.text]


def lines(given: list[Piece], size: float, room: float) -> list[list[Run]]:
    """Pieces broken into lines of at most `room` pixels, at their spaces."""
    made: list[list[tuple[str, str, float, float]]] = [[]]
    x, space = 0.0, 0.0
    for word in _words(given):
        if word[0].text == " ":
            space = width(" ", size)
            continue
        wide = sum(width(one.text, size, one.look) for one in word)
        if made[-1] and x + space + wide > room:
            made.append([])
            x = 0.0
        elif made[-1]:
            x += space
        space = 0.0
        for one in word:
            part = width(one.text, size, one.look)
            made[-1].append((one.text, one.look, x, part))
            x += part
    return [list(_joined(line)) for line in made]


def _words(given: list[Piece]) -> Iterator[list[Piece]]:
    """Words, each of one or more looks, and the spaces between them."""
    letters = [
        (part, one.look)
        for one in given
        for part in (
            re.split(r"( )", one.text) if one.look in ("plain", "bold", "soft") else [one.text]
        )
        if part
    ]
    for blank, group in groupby(letters, key=lambda one: one[0] == " "):
        yield [Piece(" ")] if blank else [Piece(text, look) for text, look in group]


def _joined(line: list[tuple[str, str, float, float]]) -> Iterator[Run]:
    """Words of one look that follow each other, as one run."""
    for look, group in groupby(line, key=lambda one: one[1]):
        words = list(group)
        if look in ("name", "code", "link", "emoji"):
            yield from (Run(text, look, x, wide) for text, look, x, wide in words)
            continue
        text, end = words[0][0], words[0][2] + words[0][3]
        for more, _, x, wide in words[1:]:
            text += more if x - end < 0.01 else f" {more}"
            end = x + wide
        yield Run(text, look, words[0][2], end - words[0][2])


def _emoji_apart(piece: Piece) -> Iterator[Piece]:
    at = 0
    for found in EMOJI.finditer(piece.text):
        yield Piece(piece.text[at : found.start()], piece.look)
        yield Piece(found.group(), "emoji")
        at = found.end()
    yield Piece(piece.text[at:], piece.look)
