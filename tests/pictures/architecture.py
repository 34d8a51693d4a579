"""Draws the import law of pyproject.toml, and writes the parts of docs/architecture.md made from it.

python -m tests.pictures.architecture
"""

from __future__ import annotations

import ast
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.pictures.drawing import WIDTH, Sheet, framed
from tests.pictures.lettering import Names, Piece, width

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "architecture.md"
PICTURE = ROOT / "docs" / "pictures" / "layers.svg"

# What several layers of the law have in common, by the first module of the first of them.
_BANDS = {
    "bot": ("Front ends", "what people see"),
    "eren_memory.evaluation": ("Measuring", "methods compared, speed"),
    "eren_memory.app": ("Wiring", "the one place that knows every part"),
    "eren_memory.schedule": ("Work on the whole notebook", "by itself, or on command"),
    "eren_memory.engine": ("Answering", "search, read, decide"),
    "eren_memory.notebook": ("The notebook", "every write and every search"),
    "eren_memory.local_model": ("Model, search, storage", "the outside, and what is said to it"),
    "eren_memory.config": ("Values", "settings, words, errors"),
}
# Where the law's other contracts allow a library of others.
_OUTSIDE = {
    "bot": "discord.py",
    "eren_memory.schedule": "APScheduler",
    "eren_memory.index": "Qdrant",
    "eren_memory.ledger": "SQLAlchemy",
    "eren_memory.llm": "openai",
    "eren_memory.embedder": "sentence-transformers",
    "eren_memory.local_model": "llama.cpp",
}
_LEFT, _COLUMN, _RIGHT = 46, 232, WIDTH - 34


@dataclass(frozen=True, slots=True)
class Band:
    """Layers that do one thing, from above to below."""

    name: str
    about: str
    layers: tuple[tuple[str, ...], ...]


def law() -> list[tuple[str, ...]]:
    """The layers, the highest first."""
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    [contract] = [one for one in rules["contracts"] if one["name"] == "Imports point one way"]
    return [tuple(one.split(" | ")) for one in contract["layers"]]


def bands() -> list[Band]:
    """The law's layers in bands, all of them, each once."""
    found: list[tuple[str, list[tuple[str, ...]]]] = []
    for layer in law():
        if layer[0] in _BANDS:
            found.append((layer[0], []))
        found[-1][1].append(layer)
    if [first for first, _ in found] != list(_BANDS):
        raise SystemExit("A band's first module no longer begins a layer: name another in _BANDS.")
    return [Band(*_BANDS[first], tuple(layers)) for first, layers in found]


def picture() -> str:
    """The bands one above the other, and in each its modules, a line a layer."""
    sheet = Sheet(Names(str, str, lambda moment, _: str(moment)), y=20)
    told = "Imports go down: a module knows what is below its line, and nothing above or beside it."
    sheet.text([Piece(told)], _LEFT, _RIGHT - _LEFT, 13)
    told = "In blue: the libraries that the law keeps to these layers."
    sheet.text([Piece(told)], _LEFT, _RIGHT - _LEFT, 13)
    sheet.y += 8
    start = sheet.y
    for band in bands():
        _band(sheet, band)
    sheet.parts.append(
        f'<path class="arrow" d="M24 {start + 4:g}V{sheet.y - 14:g}m-6 -9l6 9l6 -9"/>'
    )
    return framed(sheet, "The layers of the import law, from the front ends to the values")


def _band(sheet: Sheet, band: Band) -> None:
    top, mark = sheet.y, len(sheet.parts)
    sheet.y += 8
    for layer in band.layers:
        modules = sorted(one.removeprefix("eren_memory.") for one in layer)
        given = [part for one in modules for part in (Piece(one), Piece(" · "))][:-1]
        sheet.text(given, _COLUMN, _RIGHT - _COLUMN - 10, 13)
        sheet.y += 1
    libraries = sorted({_OUTSIDE[one] for layer in band.layers for one in layer if one in _OUTSIDE})
    x = float(_COLUMN)
    for name in libraries:
        wide = width(name, 11.5, "bold") + 14
        sheet.box("pill", x, sheet.y + 3, wide, 19, 9)
        sheet.word(name, x + 7, sheet.y + 16.5, 11.5, "bold name")
        x += wide + 6
    sheet.y += 28 if libraries else 0
    sheet.y = max(sheet.y + 6, top + 50)
    bottom = sheet.y
    sheet.y = top + 8
    sheet.text([Piece(band.name, "bold")], _LEFT + 12, _COLUMN - _LEFT - 20, 14)
    sheet.text([Piece(band.about)], _LEFT + 12, _COLUMN - _LEFT - 22, 12, "hint")
    sheet.y = max(bottom, sheet.y + 6)
    drawn = sheet.parts[mark:]
    del sheet.parts[mark:]
    sheet.box("own", _LEFT, top, _RIGHT - _LEFT + 14, sheet.y - top, 8)
    sheet.parts += drawn
    sheet.y += 8


def tables() -> str:
    """Every module with the first line of its docstring, band by band."""
    listed: set[Path] = set()
    made = []
    for band in bands():
        rows = ["| module | what it is |", "|---|---|"]
        for module in (one for layer in band.layers for one in layer):
            for file in _files(module):
                listed.add(file)
                rows.append(f"| {_name(file)} | {_first_line(file)} |")
        made.append("\n".join([f"### {band.name}", "", *rows]))
    missing = {
        file
        for package in ("bot", "eren_memory")
        for file in (ROOT / package).rglob("*.py")
        if "migrations" not in file.parts and file.name != "__main__.py"
    } - listed
    missing -= {ROOT / "eren_memory" / "__init__.py"}
    if missing:
        raise SystemExit(f"Not in the import law of pyproject.toml: {sorted(map(str, missing))}")
    return "\n\n".join(made)


def page(text: str) -> str:
    """The page with its made part as it should be."""
    begin, end = "<!-- modules: made by `make docs` -->", "<!-- end of modules -->"
    before, rest = text.split(begin)
    return f"{before}{begin}\n\n{tables()}\n\n{end}{rest.split(end)[1]}"


def _files(module: str) -> list[Path]:
    """A module's file; a package's are all that are in it, its own first."""
    path = ROOT.joinpath(*module.split("."))
    if not path.is_dir():
        return [path.with_suffix(".py")]
    inside = [one for one in sorted(path.rglob("*.py")) if "migrations" not in one.parts]
    return sorted(
        inside, key=lambda one: (one.parent != path, one.parent, one.name != "__init__.py")
    )


def _name(file: Path) -> str:
    path = file.relative_to(ROOT)
    shown = f"{path.parent}/" if path.name == "__init__.py" else str(path)
    return f"[`{shown}`](../{path})"


def _first_line(file: Path) -> str:
    told = ast.get_docstring(ast.parse(file.read_text()))
    if not told:
        raise SystemExit(f"{file} has no docstring.")
    return told.splitlines()[0].replace("|", "\\|")


if __name__ == "__main__":
    PICTURE.write_text(picture())
    PAGE.write_text(page(PAGE.read_text()))
