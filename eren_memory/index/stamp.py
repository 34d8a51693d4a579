"""The file that says what an index folder was made of."""

from __future__ import annotations

import json
from copy import copy
from pathlib import Path

_FILE = "stamp.json"
_BACKEND = "edge"


class Stamp:
    """The stamp of one folder."""

    def __init__(self, folder: Path, space: str, language: str, ledger_id: str) -> None:
        from eren_memory.index import points  # It imports the engine; `spaces` must not.

        made_of = {
            "backend": _BACKEND,
            "format": points.FORMAT,
            "space": space,
            "bm25": language,
            "ledger": ledger_id,
        }
        self.folder = folder
        self._text = json.dumps(made_of)

    def at(self, folder: Path) -> Stamp:
        """The same stamp for another folder."""
        other = copy(self)
        other.folder = folder
        return other

    def fits(self) -> bool:
        """Whether the folder was made as it would be made now."""
        try:
            return (self.folder / _FILE).read_text(encoding="utf-8") == self._text
        except (OSError, ValueError):
            return False

    def write(self) -> None:
        """Declare the folder whole."""
        (self.folder / _FILE).write_text(self._text, encoding="utf-8")

    @staticmethod
    def remove_from(folder: Path) -> None:
        """Have a folder made anew when it is next opened, whatever it was made of."""
        (folder / _FILE).unlink(missing_ok=True)

    @staticmethod
    def spaces(home: Path, ledger_id: str) -> list[str]:
        """The spaces of a ledger's folders under `home`, the one stamped last first."""
        found: list[tuple[float, str]] = []
        for path in home.glob(f"*/{_FILE}"):
            try:
                made_of = json.loads(path.read_text(encoding="utf-8"))
                if made_of["ledger"] == ledger_id:
                    found.append((path.stat().st_mtime, str(made_of["space"])))
            except (OSError, ValueError, KeyError, TypeError):
                continue  # Nobody's; opening it would make it anew.
        return [space for _, space in sorted(found, reverse=True)]
