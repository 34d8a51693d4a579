"""The spaces that this process has open: the live one, those being built, and those left behind.

A question stays in the space in which it began: its embedding, its search and its decision are of one
model, whatever becomes live meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from eren_memory.background_embedder import BackgroundEmbedder
from eren_memory.embedder import Embedder
from eren_memory.embedder_file import NAMES
from eren_memory.errors import EmbedderError, ErenError, NoteIndexError
from eren_memory.index import IndexStore, NoteIndex
from eren_memory.ledger.ledger import Ledger
from eren_memory.ledger.outbox import SpaceState
from eren_memory.projection import Progress, Projector
from eren_memory.reconciling import Reconciled, reconcile
from eren_memory.space import Chosen, Projection

# How often the holder of the index looks for what other processes wrote, and for another live space.
_LOOK_SECONDS = 1.0
# Looks that fail in a row, after which the embedded index is opened anew.
_BROKEN = 3
# Looks after which notes are tried again that were set aside.
_TRY_AGAIN = 60

_log = logging.getLogger(__name__)


class Projections:
    """Answers come from `live`; which one that is, the ledger says.

    Args:
        ledger: The truth.
        store: Where the indexes are.
        chosen: What the settings name.
        embedder_of: Makes the embedder of a space. The flags say that its model is behind an endpoint,
            and that it is to work in the background until questions need it.
    """

    def __init__(
        self,
        ledger: Ledger,
        store: IndexStore,
        chosen: Chosen,
        embedder_of: Callable[[str, bool, bool], Embedder],
    ) -> None:
        self._ledger = ledger
        self._embedder_of = embedder_of
        self._open: dict[str, Projection] = {}
        self._opening = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._shutting: set[asyncio.Task[None]] = set()
        self._watch: asyncio.Task[None] | None = None
        self._ledger_id = ""
        self._prepared = ""
        self._live: Projection | None = None
        self.store = store
        self.chosen = chosen

    @property
    def live(self) -> Projection:
        """The space in which the next question is answered."""
        if self._live is None:
            raise RuntimeError("begin() was not called")
        return self._live

    async def begin(self) -> None:
        """Find out which space is live; a notebook without one gets that of its index or settings."""
        self._ledger_id = await self._ledger.id()
        await self._follow()

    async def beside(self, space: str) -> Projection:
        """A space that need not be the live one, its index not opened yet."""
        if space not in self._open:
            known = (await self._ledger.spaces.all()).get(space)
            endpoint = known.endpoint if known else self.chosen.endpoint
            embedder = self._embedder_of(space, endpoint, self._live is not None)
            projector = Projector(self._ledger, embedder, self.store)
            self._open[space] = Projection(embedder, projector, endpoint)
        self._open[space].leaving = False
        return self._open[space]

    def has(self, space: str) -> bool:
        """Whether a space is open here, or its model loaded."""
        return space in self._open

    async def leave(self, projection: Projection) -> None:
        """Close a space once no question is under way in it."""
        projection.leaving = True
        await projection.idle.wait()
        if projection.leaving and projection.space in self._open:
            del self._open[projection.space]
            # Once begun it is done, whoever waited for it.
            shutting = asyncio.create_task(projection.shut())
            self._shutting.add(shutting)
            shutting.add_done_callback(self._shutting.discard)
            await asyncio.shield(shutting)

    @asynccontextmanager
    async def using(self, *, searching: bool = True) -> AsyncIterator[Projection]:
        """The live space, which stays open until the question is answered.

        Raises:
            IndexBusy: Another process holds the embedded index; not without `searching`.
            EmbedderError: The embedding model cannot be loaded; not without `searching`.
        """
        if searching:
            await self.open()
        projection = self.live
        projection.users += 1
        projection.idle.clear()
        try:
            yield projection
        finally:
            projection.users -= 1
            if not projection.users:
                projection.idle.set()

    async def open(self) -> NoteIndex:
        """Open the live index and load its model, once.

        From then on this process holds the index, and takes up within two seconds what others write
        and which space they make live.

        Raises: as `Projector.open`.
        """
        if self.live.projector.is_open and self._watch is not None and not self._watch.done():
            # No question waits for a space that is being made ready to follow.
            return await self.live.projector.open()
        async with self._opening:
            if not self.live.projector.is_open:
                await self._follow()
            try:
                index = await self.live.projector.open()
            except EmbedderError as error:
                await self._do_without(error)
                index = await self.live.projector.open()
            if self._watch is None or self._watch.done():
                self._watch = asyncio.create_task(self._take_up())
            return index

    async def ready(self) -> NoteIndex:
        """See `Projector.ready`, of the live space."""
        await self.open()
        return await self.live.projector.ready()

    async def changed(self, ids: Collection[UUID]) -> None:
        """See `Projector.changed`; what is being built takes the change from its outbox."""
        await self.live.projector.changed(ids)

    async def project(self, progress: Progress | None = None) -> int:
        """See `Projector.project`, of the live space."""
        await self.open()
        return await self.live.projector.project(progress)

    async def reconcile(self, progress: Progress | None = None) -> Reconciled:
        """See `reconciling.reconcile`, of the live space."""
        await self.open()
        return await reconcile(self._ledger, self.live.projector, progress)

    @asynccontextmanager
    async def still(self) -> AsyncIterator[NoteIndex]:
        """See `Projector.still`, of the live space."""
        await self.open()
        async with self.live.projector.still() as index:
            yield index

    async def follow(self) -> None:
        """Go over to the space that the ledger calls live, if it is another."""
        async with self._opening:
            await self._follow()

    async def close(self) -> None:
        """Close every index and model."""
        tasks = [*self._tasks, *([self._watch] if self._watch else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        closing = [projection.shut() for projection in self._open.values()]
        self._open.clear()
        await asyncio.gather(*closing, *self._shutting)

    async def _follow(self) -> None:
        live = await self._ledger.spaces.live()
        if not live:
            # A notebook of before, or one just restored: rather the index there is than a new one.
            found = [self._live.space] if self._live else self.store.spaces(self._ledger_id)
            own = self.chosen.space
            space = own if own in found or not found else found[0]
            # One of before that no package has was as likely behind the endpoint as that of now.
            endpoint = self._live.endpoint if self._live else self.chosen.endpoint
            endpoint = endpoint and (space == own or space not in NAMES)
            live = await self._ledger.spaces.adopt(space, endpoint=endpoint, named=space == own)
        before = self._live
        if before is not None and before.space == live:
            return
        after = await self.beside(live)
        if isinstance(after.embedder, BackgroundEmbedder):
            await after.embedder.to_foreground()
        if before is not None and before.projector.is_open:
            await after.projector.open()
            # All that stands in its outbox; a question would wait for it.
            await after.projector.ready()
        self._live = after
        if before is not None:
            self._in_background(self.leave(before))

    async def _do_without(self, error: EmbedderError) -> None:
        """The live space's model cannot be loaded: begin again with that of the settings."""
        if self.chosen.space == self.live.space:
            raise error
        other = await self.beside(self.chosen.space)
        try:
            await other.embedder.load()
        except EmbedderError:
            raise error from None
        _log.warning(
            "%s The index is built again with %s; questions wait for it.", error, other.space
        )
        await self._ledger.spaces.replace(
            other.space, endpoint=self.chosen.endpoint, named=True, reason=str(error)
        )
        await self._follow()

    async def _take_up(self) -> None:
        """Project what other processes wrote, for as long as the index is open."""
        told, looks, failed = "", 0, 0
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            looks += 1
            if looks % _TRY_AGAIN == 0:
                self.live.projector.try_again()
            try:
                await self._look()
                told, failed = "", 0
            except ErenError as error:
                failed += isinstance(error, NoteIndexError)
                if self.store.alone and failed % _TRY_AGAIN == _BROKEN:
                    # Its folder is gone or broken, or its disk was full: what is there is opened anew.
                    await self.live.projector.let_go()
                if str(error) != told:  # Once, not every second.
                    told = str(error)
                    _log.warning("Notes wait for the index: %s", error)
            except Exception:  # noqa: BLE001 - Whatever it was: without this task nothing would be taken up.
                _log.exception("Taking up notes failed; it is tried again")

    async def _look(self) -> None:
        if (found := await self._ledger.id()) != self._ledger_id:
            self._ledger_id = found
            for projection in [*self._open.values()]:
                await projection.projector.let_go()  # A backup was restored: its index is another.
        try:
            await self.follow()
            if not self.store.alone:
                await self._prepare()
        except Exception:
            # Not where this is to end: an error of the index would take the place of that.
            await self.live.projector.project()
            raise
        await self.live.projector.project()

    async def _prepare(self) -> None:
        """Load the model of the space that another process builds, so as to follow it at once."""
        building = await self._ledger.spaces.in_state(SpaceState.BUILDING)
        name = building.space if building else self.live.space
        if self._prepared in self._open and self._prepared not in (name, self.live.space):
            self._in_background(self.leave(self._open[self._prepared]))  # It was given up.
        if name not in self._open:
            other = await self.beside(name)
            self._prepared = name

            async def load() -> None:
                with suppress(EmbedderError):  # Who builds it says so.
                    if isinstance(other.embedder, BackgroundEmbedder):
                        await other.embedder.to_foreground()
                    await other.embedder.load()

            self._in_background(load())

    def _in_background(self, work: object) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
