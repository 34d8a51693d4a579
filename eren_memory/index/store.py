"""Where the indexes are: folders of this machine, or collections of a server, one a space.

The engines are imported when an index is opened: listing notes needs neither.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from eren_memory.index import NoteIndex


@dataclass(frozen=True, slots=True)
class EdgeStore:
    """Folders under `home`; see `edge`."""

    home: Path
    language: str
    alone: bool = True

    async def open(self, space: str, dimension: int, ledger_id: str) -> tuple[NoteIndex, bool]:
        """See `IndexStore.open`."""
        from eren_memory.index.edge import EdgeIndex

        return await asyncio.to_thread(
            EdgeIndex.open, self.home, space, dimension, self.language, ledger_id
        )

    async def drop(self, space: str, ledger_id: str) -> None:
        """See `IndexStore.drop`."""
        from eren_memory.index.edge import EdgeIndex

        await asyncio.to_thread(EdgeIndex.drop, self.home, space)

    def spaces(self, ledger_id: str) -> list[str]:
        """See `IndexStore.spaces`."""
        if not self.home.is_dir():
            return []
        from eren_memory.index.stamp import Stamp

        return Stamp.spaces(self.home, ledger_id)


@dataclass(frozen=True, slots=True)
class ServerStore:
    """Collections at `url`; see `server`."""

    url: str
    api_key: str | None
    language: str
    alone: bool = False

    async def open(self, space: str, dimension: int, ledger_id: str) -> tuple[NoteIndex, bool]:
        """See `IndexStore.open`."""
        from eren_memory.index.server import ServerIndex

        return await ServerIndex.open(
            self.url, self.api_key, space, dimension, self.language, ledger_id
        )

    async def drop(self, space: str, ledger_id: str) -> None:
        """See `IndexStore.drop`."""
        from eren_memory.index.server import ServerIndex

        await ServerIndex.drop(self.url, self.api_key, space, self.language, ledger_id)

    def spaces(self, ledger_id: str) -> list[str]:
        """See `IndexStore.spaces`: a server would have to be asked."""
        return []
