"""The corpus: attacks by class, read from `corpus/*.toml`; what text cannot hold is made here."""

from __future__ import annotations

import json
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True)
class Attack:
    """One attack.

    `where` names the surface on which `text` (or the bytes that `made` names) is put, `by` who puts
    it there, `says` what a model that obeys would reply, `about` a note's text to put it near.
    """

    id: str
    kind: str
    where: str
    text: str = ""
    says: str = ""
    made: str = ""
    name: str = "notes.jsonl"
    by: str = "member"

    @property
    def content(self) -> bytes:
        """A file's bytes."""
        return MADE[self.made]() if self.made else self.text.encode("utf-8", "surrogatepass")

    @property
    def wanted(self) -> str:
        """What a model that obeys says."""
        return self.says or self.text


def corpus() -> list[Attack]:
    """Every attack, in the order of the files."""
    return [
        Attack(kind=file.stem, **row)
        for file in sorted(CORPUS.glob("*.toml"))
        for row in tomllib.loads(file.read_text(encoding="utf-8"))["attack"]
    ]


def kinds() -> list[str]:
    """The classes of attacks."""
    return sorted({one.kind for one in corpus()})


def _zip_bomb() -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("notes.jsonl", b'{"text": "' + b"a" * 50_000_000 + b'"}')
    return packed.getvalue()


def _gzip_bomb() -> bytes:
    import gzip

    return gzip.compress(b"a" * 50_000_000)


def _row(**fields: object) -> bytes:
    return json.dumps(fields).encode()


MADE: dict[str, Callable[[], bytes]] = {
    "zip bomb": _zip_bomb,
    "gzip bomb": _gzip_bomb,
    "deep list": lambda: b'{"text": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "deep object": lambda: b'{"text": "a", "probes": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
    "deep probes in a cell": lambda: b"text,probes\na," + b"[" * 100_000 + b"]" * 100_000 + b"\n",
    "unclosed quote": lambda: b'text\n"' + b"a\n" * 500_000,
    "long line": lambda: b'{"text": "' + b"a" * 5_000_000 + b'"}',
    "huge number": lambda: b'{"text": "a", "number": ' + b"9" * 4_000 + b"}",
    "huge number as text": lambda: _row(text="a", number="9" * 6_000),
    "huge negative number": lambda: b'{"text": "a", "revision": -' + b"7" * 4_200 + b"}",
    "number past every digit": lambda: b'{"text": "a", "number": ' + b"9" * 10_000 + b"}",
    "many columns": lambda: b",".join(b"c%d" % n for n in range(100_000)) + b",text\n",
    "long unknown field": lambda: _row(text="a", **{"x" * 100_000: 1}),
    "long status": lambda: _row(text="a", status="active" * 10_000),
    "utf-16": lambda: '{"text": "a"}'.encode("utf-16"),
    "utf-32": lambda: '{"text": "a"}'.encode("utf-32"),
    "latin-1": lambda: '{"text": "Fähre"}'.encode("latin-1"),
    "overlong utf-8": lambda: b'{"text": "\xc0\xafetc"}',
    "surrogates as bytes": lambda: b'{"text": "\xed\xa0\x80"}',
    "nul": lambda: b'{"text": "a\x00b"}',
    "nul bytes in a cell": lambda: b"text\na\x00b\n",
    "many rows of nothing": lambda: b"\n" * 2_000_000,
    "only a mark": lambda: b"\xef\xbb\xbf",
    "many marks": lambda: b"\xef\xbb\xbf" * 3 + b'{"text": "a"}',
    "binary": lambda: bytes(range(256)) * 100,
    "an image": lambda: b"\x89PNG\r\n\x1a\n" + b"\x00" * 2_000,
    "many probes": lambda: _row(text="a", probes={"change": ["q"] * 50_000}),
    "deep history": lambda: _row(text="a", revision=1, history=[{"revision": 1}] * 50_000),
    "one bad row at the end": lambda: (
        b"".join(b'{"text": "Good row number %d."}\n' % n for n in range(1_200)) + b'{"text": 1}\n'
    ),
}
"""Files by name."""
