"""Letters that look like Latin ones and are not: how a text is told that was written to deceive.

"Fеrry" with a Cyrillic e reads like "Ferry" to everybody and like nothing to a search. Words in which
scripts are mixed, and words all of lookalikes among Latin ones, are such; a word in a script of its own
is left alone. The table has what passes for a Latin letter in common fonts, lower case; NFKC has seen to
wide, mathematical and circled letters before.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

_SAME = {
    # Cyrillic, Greek, Armenian and Latin letters that nobody can tell from a Latin one.
    "а": "a", "е": "e", "о": "o", "р": "p", "с": "c", "у": "y", "х": "x", "ѕ": "s", "і": "i", "ј": "j",
    "һ": "h", "ԁ": "d", "ԛ": "q", "ԝ": "w", "ѵ": "v", "ӏ": "l", "ο": "o", "ϲ": "c", "ϳ": "j", "օ": "o",
    "ɑ": "a", "ɡ": "g",
}  # fmt: skip
_LIKE = _SAME | {
    # Letters that pass for one inside of a word, or whose capitals do.
    "в": "b", "ѐ": "e", "ё": "e", "к": "k", "м": "m", "н": "h", "т": "t", "ї": "i", "ґ": "r", "г": "r",
    "п": "n", "и": "u", "ь": "b", "ү": "y", "α": "a", "ι": "i", "κ": "k", "ν": "v", "ρ": "p", "τ": "t",
    "υ": "u", "χ": "x", "ո": "n", "ս": "u", "հ": "h", "ց": "g", "զ": "q", "ա": "w", "յ": "j", "ꭺ": "a",
    "ꭼ": "e", "ꮋ": "h", "ꮃ": "w", "ꮪ": "s", "ꮯ": "c", "ꮲ": "p", "ꮶ": "k", "ꮇ": "m", "ꭲ": "i", "ꭰ": "d",
    "ꮖ": "i", "ı": "i", "ɩ": "i", "ӕ": "ae",
}  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+")
# Scripts whose writers mix them with Latin letters in one word as a matter of course.
_MIXED_ANYWAY = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "KATAKANA-HIRAGANA"})


def unmixed(folded: str) -> str:
    """A folded text (NFKC, lower case) in which deceiving words have the letters they look like."""
    if folded.isascii():
        return folded
    deceiving = {*_deceiving(folded)}
    return _WORD.sub(lambda found: _latin(found[0]) if found[0] in deceiving else found[0], folded)


def mixed(text: str) -> list[str]:
    """The words of a text that are not what they look like, each once, in their order, folded."""
    return _deceiving(unicodedata.normalize("NFKC", text).casefold())


def _deceiving(folded: str) -> list[str]:
    if folded.isascii():
        return []
    words = dict.fromkeys(_WORD.findall(folded))
    latin = any(word.isascii() for word in words)
    # In a text of its own script a word of lookalikes is what it is.
    honest = {_script(word[0]) for word in words if not {*word} <= _SAME.keys()}
    found = []
    for word in words:
        scripts = {_script(char) for char in word} - _MIXED_ANYWAY
        if len(scripts) > 1:
            # Signs such as those of units and formulas look like nothing else.
            looks = any(char in _LIKE for char in word if not char.isascii())
        else:
            looks = latin and {*word} <= _SAME.keys() and scripts.isdisjoint(honest)
        if looks and not word.isascii():
            found.append(word)
    return found


def _latin(word: str) -> str:
    return "".join(_LIKE.get(char, char) for char in word)


@cache
def _script(char: str) -> str:
    """The script of a letter, by the first word of its name."""
    name = unicodedata.name(char, "").split(" ", 1)[0]
    return "LATIN" if name in {"LATIN", "MODIFIER", "COMBINING", "FEMININE", "MASCULINE"} else name
