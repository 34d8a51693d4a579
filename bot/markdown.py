"""Discord's Markdown in words that are not the bot's: what they may do, and what is taken from them."""

from __future__ import annotations

import re

from discord.utils import escape_markdown

# What Discord takes for an address, without a sign that could end it or hide something in it.
_PLAIN_URL = re.compile(r"https?://[A-Za-z0-9._~/?#@!$&+,;=%:-]+", re.IGNORECASE)
_MASKED_LINK = re.compile(r"\]\(\s*<?(https?://[^\s)>]{1,800})>?(?:\s+[^)]*)?\)", re.IGNORECASE)
# The beginning of a line, also of one in a quotation or a list.
_SMALL_PRINT = re.compile(r"^((?:[^\S\n]|[>*+-]|\d{1,9}[.)])*)-#", re.MULTILINE)
_LONG_QUOTATION = re.compile(r"^([^\S\n]*)>>>", re.MULTILINE)
# A mention, a command, an emoji or a time, which would show another text than stands there.
_DRAWN = re.compile(r"<(?=[@#:/]|a:|t:|id:)", re.IGNORECASE)
# Code in lines of its own, from its fence to the next one, which nothing cuts in two without closing it.
_FENCED = re.compile(r"^```[\w+#-]*\n(?:(?!```).)*\n```$", re.MULTILINE | re.DOTALL)
# What, where it stands before code, may swallow its fence, so that the rest is no code any more.
_MARKUP = re.compile(r"[\[\]\\*_~|<>`]|^\s*(?:[-+#]|\d{1,9}[.)])", re.MULTILINE)
_ID_DIGITS = 20


def own_words(text: str) -> str:
    """A model's answer: it may be formatted, but neither pass for the origin line nor swallow it.

    A link shows where it leads. In code nothing is drawn and nothing changed: in a closed fence, with
    only plain words and other such code before it. Whatever is in doubt is taken for no code.
    """
    told, last = [], 0
    for code in _FENCED.finditer(text):
        before = text[last : code.start()]
        if _MARKUP.search(before):
            break
        told += [before, code[0]]
        last = code.end()
    return "".join([*told, _tamed(text[last:])])


def _tamed(text: str) -> str:
    text = _SMALL_PRINT.sub(r"\1\\-#", text)
    text = _LONG_QUOTATION.sub(r"\1\\>>>", text)
    # Whatever is still a link with a text in front of it has an odd address, or none of the web.
    return _MASKED_LINK.sub(r"] (<\1>)", text).replace("](", "] (")


def harmless(line: str) -> str:
    """A line of somebody's words, shown letter by letter; plain addresses stay as they are."""
    told, last = [], 0
    for url in _PLAIN_URL.finditer(line):
        told += [_escaped(line[last : url.start()]), url[0]]
        last = url.end()
    return "".join([*told, _escaped(line[last:])])


def is_plain_url(text: str) -> bool:
    """Whether a text is an address and nothing more."""
    return _PLAIN_URL.fullmatch(text) is not None


def is_id(name: str) -> bool:
    """Whether a name may be one of Discord's numbers; a file may bring any other."""
    return name.isascii() and name.isdecimal() and len(name) <= _ID_DIGITS


def _escaped(text: str) -> str:
    # Links of the library's own kind would be left alone, whatever stands in them.
    escaped = escape_markdown(text, ignore_links=False)
    return _DRAWN.sub(r"\\<", escaped).replace("](", "]\\(")
