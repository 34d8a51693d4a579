"""A space in this process: the embedding model and the index that belong together."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from eren_memory.embedder import Embedder
from eren_memory.projection import Projector


@dataclass(frozen=True, slots=True)
class Chosen:
    """The embedding model of the settings.

    Attributes:
        space: Its name.
        endpoint: Whether it is behind an endpoint.
        explicit: Whether somebody set it; a default wishes nothing.
    """

    space: str
    endpoint: bool
    explicit: bool


@dataclass(eq=False, slots=True)
class Projection:
    """A space in this process: its model and its index.

    Attributes:
        users: Questions that are under way in it; `idle` is set while there are none.
        leaving: Whether it is closed as soon as it is idle.
    """

    embedder: Embedder
    projector: Projector
    endpoint: bool
    users: int = 0
    leaving: bool = False
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.idle.set()

    @property
    def space(self) -> str:
        """The space's name."""
        return self.embedder.space

    async def shut(self) -> None:
        """Close the index and release the model."""
        try:
            await self.projector.close()
        finally:
            await self.embedder.close()
