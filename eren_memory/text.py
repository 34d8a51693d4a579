"""Text that people type: what may be kept, how it is compared, and how it is shown safely."""

from __future__ import annotations

import re
import unicodedata

from eren_memory.errors import EmptyText, TextTooLong, UnknownScope, UnreadableText
from eren_memory.lookalikes import mixed, unmixed

NOTE_LIMIT = 2_000
"""Characters in a note."""
QUESTION_LIMIT = 1_000
"""Characters in a question or a claim."""
_SCOPE_LIMIT = 50

# Joiners inside emoji and Persian words: format characters that only shape what is seen.
_JOINERS = {"\u200c", "\u200d"}
# Letters, marks and symbols that show nothing.
_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
# What may follow a digit or a sign: it makes an emoji of it.
_EMOJI = {"\ufe0e", "\ufe0f"}


def note_text(raw: str) -> str:
    """The text of a note, checked and stripped. Raises `BadInput` naming the fault."""
    return checked(raw, what="note", limit=NOTE_LIMIT)


def question_text(raw: str, what: str = "question") -> str:
    """A question or claim, checked and stripped. Raises `BadInput` naming the fault."""
    return checked(raw, what=what, limit=QUESTION_LIMIT)


def normalised(text: str) -> str:
    """The form in which two notes count as the same statement.

    NFKC, case and spacing folded, without what nobody sees, and with letters of another script that
    stand among Latin ones as those that they look like: see `lookalikes`.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    unseen = {ord(char): None for char in {*folded} if _unseen(char)}
    return " ".join(unmixed(folded.translate(unseen)).split())


def legible(text: str) -> str:
    """A text as its reader sees it, to compare it by: NFKC, nothing unseen, no letters in disguise."""
    seen = unicodedata.normalize("NFKC", "".join(char for char in text if not _unseen(char)))
    return unmixed(seen.casefold()) if mixed(seen) else seen


def answer_form(text: str) -> str:
    """The form in which two answers are compared.

    NFKC, lower case, punctuation and the articles a, an, the removed, spaces folded.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = re.sub(r"[^\w\s]", " ", folded).split()
    return " ".join(word for word in words if word not in {"a", "an", "the"})


def visible(text: str) -> bool:
    """Whether any character would show: not space, control or format (zero-width) characters."""
    return any(unicodedata.category(char)[0] not in "ZC" and not _unseen(char) for char in text)


def shown(text: str) -> str:
    """`text` with control, direction-changing and invisible characters written out as codes.

    Other ends of a line than the usual one are among them.
    """
    return "".join(
        char if char in "\n\t" or _plain(char, before) else f"\\u{ord(char):04x}"
        for before, char in zip(f" {text}", text, strict=False)
    )


def first_line(text: str, limit: int = 80) -> str:
    """A title: the first line, cut at `limit` characters."""
    line = text.strip().splitlines()[0] if text.strip() else ""
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def checked(raw: str, *, what: str, limit: int = NOTE_LIMIT) -> str:
    """Text to keep, stripped, line ends unified. Raises `BadInput` that names `what` and the fault."""
    if unreadable := [raw.index(char) for char in {*raw} if _unreadable(char)]:
        position = min(unreadable)
        raise UnreadableText(
            f"The {what} has an unreadable character (U+{ord(raw[position]):04X}, position "
            f"{position + 1}). Remove it and try again."
        )
    text = raw.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not visible(text):
        raise EmptyText(f"The {what} is empty. Write at least one visible character.")
    if len(text) > limit:
        raise TextTooLong(
            f"The {what} has {len(text):,} characters; the limit is {limit:,}. Shorten it and try again."
        )
    return text


def checked_scope(scope: tuple[str, ...]) -> tuple[str, ...]:
    """Channels, stripped, sorted, each once. Raises `UnknownScope`."""
    scope = tuple(one.strip() for one in scope)
    odd = any(not 0 < len(one) <= 64 or "," in one or not one.isprintable() for one in scope)
    if odd or len(scope) > _SCOPE_LIMIT:
        raise UnknownScope(
            f"A scope names up to {_SCOPE_LIMIT} channels, each by 1 to 64 printable characters "
            "without a comma."
        )
    return tuple(sorted(set(scope)))


def _unreadable(char: str) -> bool:
    # Cs: lone surrogates, which no database or endpoint can encode.
    category = unicodedata.category(char)
    return category == "Cs" or (category == "Cc" and char not in "\n\r\t")


def _plain(char: str, before: str) -> bool:
    """Whether a character may be shown as it is behind another one."""
    if char in _JOINERS or _selects(char):
        # Each shapes the sign before it: a run of them, or one behind a plain letter, hides something.
        sign = char in _EMOJI and (before.isdecimal() or before in "#*")
        return sign or not (before.isascii() or before in _JOINERS or _selects(before))
    return char not in _FILLERS and unicodedata.category(char) not in {"Cc", "Cf", "Zl", "Zp"}


def _selects(char: str) -> bool:
    return "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"


def _unseen(char: str) -> bool:
    return char in _FILLERS or _selects(char) or unicodedata.category(char) == "Cf"
