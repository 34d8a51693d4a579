"""Wishes for another embedding model: what stands in the ledger for whoever can fulfil it.

A wish comes from a person, by `eren reembed`, or from the settings, when they name another model than
they did. The newest one counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from eren_memory.errors import BadInput
from eren_memory.index import slug
from eren_memory.ledger.ledger import Ledger
from eren_memory.ledger.outbox import Outbox, SpaceState
from eren_memory.ledger.spaces import Space
from eren_memory.space import Chosen

_SETTINGS = "EREN_EMBEDDING_MODEL"
_THERE = (SpaceState.LIVE, SpaceState.BUILDING, SpaceState.KEPT)


class Wishes:
    """What people want of the spaces, and what became of it."""

    def __init__(self, ledger: Ledger, chosen: Chosen, clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._spaces = ledger.spaces
        self._chosen = chosen
        self._clock = clock

    async def wish(self, space: str, by: str) -> None:
        """Have the notes embedded by another model; questions go over to it when it is ready.

        Raises:
            BadInput: It cannot have an index of its own beside those there are.
        """
        await self._begin(space, by, named=False)

    async def wish_back(self, by: str) -> str:
        """Go back to the space before, whose index is still kept; returns its name.

        While another is being built, that is given up, and the live one stays.

        Raises:
            BadInput: None is kept.
        """
        if await self.wanted():
            live = await self._spaces.live()
            await self.wish(live, by)
            return live
        kept = await self._spaces.in_state(SpaceState.KEPT)
        if kept is None:
            raise BadInput(
                "No earlier index is kept. Name the model to go to: eren reembed --model NAME"
            )
        await self._spaces.begin(
            kept.space, endpoint=kept.endpoint, wished_by=by, now=self._clock()
        )
        return kept.space

    async def wanted(self) -> str | None:
        """The space that is being built, or waits for it."""
        building = await self._spaces.in_state(SpaceState.BUILDING)
        return building.space if building else None

    async def heed(self) -> bool:
        """Take the model of the settings as a wish, unless they named the same when last heeded.

        So the newest wish counts: one by `wish` stands until somebody changes the settings.
        """
        spaces = (await self._spaces.all()).values()
        if not self._chosen.explicit or _heeded(self._chosen.space, spaces):
            return False
        await self._begin(self._chosen.space, _SETTINGS, named=True)
        return True

    async def _begin(self, space: str, by: str, *, named: bool) -> None:
        known = await self._spaces.all()
        there = [one for one in known.values() if one.state is not SpaceState.GONE]
        if alike := [one.space for one in there if one.space != space and _alike(one.space, space)]:
            raise BadInput(
                f"{space} and {alike[0]} differ in nothing but signs, and their indexes would have "
                "the same name. Give the model another one."
            )
        before = known.get(space)
        endpoint = before.endpoint if before and before.state in _THERE else self._chosen.endpoint
        await self._spaces.begin(
            space, endpoint=endpoint, wished_by=by, now=self._clock(), named=named
        )

    async def state(self) -> dict[str, Any]:
        """What `eren status` says: what is being built, kept and refused, and a wish not yet heeded."""
        spaces = await self._spaces.all()
        told: dict[str, Any] = {"building": None, "kept": None, "named": None, "refused": {}}
        for one in spaces.values():
            if one.state is SpaceState.BUILDING:
                done = one.total - await Outbox(self._ledger, one.space).count()
                told["building"] = {"space": one.space, "done": max(0, done), "total": one.total}
            elif one.state is SpaceState.KEPT and one.kept_until:
                told["kept"] = {"space": one.space, "until": one.kept_until.isoformat()}
            elif one.refused:
                told["refused"][one.space] = one.refused
        if self._chosen.explicit and not _heeded(self._chosen.space, spaces.values()):
            told["named"] = self._chosen.space
        return told


def _heeded(space: str, spaces: Iterable[Space]) -> bool:
    return any(one.named and one.space == space for one in spaces)


def _alike(one: str, other: str) -> bool:
    return slug(one) == slug(other)
