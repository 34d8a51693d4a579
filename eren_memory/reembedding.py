"""From one embedding model to another, while questions are answered from the first.

A wish makes a space in the ledger, whose outbox then holds every note: working that off is the
backfill, and edits come into it as into any other. Killed at any point, it goes on where the outbox
stands. When the index has passed its verification, the thresholds are there for its space, and then
one transaction makes it live; the index before is kept for going back, and deleted when its time is
over. Safe to run in several processes: one of them has the claim, and renews it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

from eren_memory.calibrations import Calibrations
from eren_memory.errors import EmbedderError, ErenError, IndexBusy, ReembedRefused
from eren_memory.ledger.ledger import Ledger
from eren_memory.ledger.outbox import Outbox, SpaceState
from eren_memory.ledger.records import Records
from eren_memory.ledger.spaces import Space
from eren_memory.projection import Progress
from eren_memory.projections import Projections
from eren_memory.recalibrating import recalibrate
from eren_memory.space import Projection
from eren_memory.wishes import Wishes

# Notes that are embedded at a time: a fifth of a second of a large model on a small machine.
_BATCH = 16
_LOOK_SECONDS = 1.0
_TIDY_LOOKS = 60
_CLAIM = timedelta(seconds=20)
_RENEW_SECONDS = 5.0
# The longest that one batch lets questions under way go first.
_LET_PASS_SECONDS = 2.0
# Other processes notice a switch within two seconds; their questions may take longer.
_LEAST_KEPT = timedelta(minutes=2)
# After which a wish is taken for one that nobody here can fulfil just now.
_TAKEN_UP_SECONDS = 15.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """Of the time, the `share` in which it computes; how long the index before is kept."""

    share: float
    kept: timedelta


@dataclass(frozen=True, slots=True)
class Reembedded:
    """A migration that came to its end.

    Attributes:
        space: The space that is live now.
        before: The one that was.
        notes: Active notes, each of which was looked at in the new index.
        embedded: Texts that this process embedded for it.
        seconds: That this process worked on it.
        questions: On which both spaces were compared; 0 where nothing was.
        overlap: See `verification.compare`.
        calibration: Where the thresholds of the new space come from.
        agreement: See `carrying.agreement`; None where nothing was carried over.
    """

    space: str
    before: str
    notes: int
    embedded: int
    seconds: float
    questions: int
    overlap: float | None
    calibration: str
    agreement: float | None


class Reembedding(Wishes):
    """The work that fulfils wishes.

    Args:
        ledger: Where wishes and progress stand.
        projections: The spaces of this process.
        calibrations: Those of every chat model that is offered, the main one's first.
        own: The operator's file of calibrations.
        pace: How much it leaves to others.
        clock: Says what time it is.
    """

    def __init__(
        self,
        ledger: Ledger,
        projections: Projections,
        calibrations: Sequence[Calibrations],
        own: Path,
        pace: Pace,
        clock: Callable[[], datetime],
    ) -> None:
        super().__init__(ledger, projections.chosen, clock)
        self._projections = projections
        self._calibrations = calibrations
        self._own = own
        self._pace = pace
        self._me = uuid4().hex
        self._claimed, self._renewed = "", 0.0

    async def run(self) -> None:
        """Fulfil wishes as they come, for as long as the program runs."""
        told, looks, heeded = "", 0, False
        while True:
            try:
                heeded = heeded or await self.heed() or True
                if done := await self.step():
                    _log.warning(
                        "Questions are answered with %s from now on (%s).", done.space, done
                    )
                if looks % _TIDY_LOOKS == 0:
                    await self.tidy()
                told = ""
            except IndexBusy:
                pass  # The process that holds the index does it.
            except ErenError as error:
                if str(error) != told:  # Once, not every second.
                    told = str(error)
                    _log.warning("Embedding with another model: %s", error)
            except Exception:  # noqa: BLE001 - Whatever it was, the bot goes on with the old model.
                _log.exception("Embedding with another model failed; it is tried again")
            looks += 1
            await asyncio.sleep(_LOOK_SECONDS)

    @asynccontextmanager
    async def in_background(self) -> AsyncIterator[None]:
        """`run` beside what the block does."""
        running = asyncio.create_task(self.run())
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def step(self, progress: Progress | None = None) -> Reembedded | None:
        """Fulfil the wish that there is; None if there is none, or another process has taken it.

        Raises:
            ReembedRefused: The new model cannot be used. The wish is given up.
            IndexBusy: Another process holds the embedded index, and does it.
        """
        space = await self._spaces.in_state(SpaceState.BUILDING)
        if space is None:
            return None
        live = await self._opened(back=space.report is not None)
        if not await self._claim(space.space):
            return None
        try:
            return await self._migrate(space, live, progress)
        except ReembedRefused as error:
            await self._spaces.drop(space.space, str(error))
            raise
        finally:
            # Nothing of a space that came to nothing stays in memory.
            if self._projections.live.space != space.space:
                await self._projections.leave(await self._projections.beside(space.space))

    async def finish(self, progress: Progress | None = None) -> Space | None:
        """Fulfil the wish that there is, or watch the process that does; returns the live space.

        None when the process that holds the index has not taken it up in a while.

        Raises:
            ReembedRefused: The new model cannot be used.
        """
        wish = await self._spaces.in_state(SpaceState.BUILDING)
        given_up = time.monotonic() + _TAKEN_UP_SECONDS
        while wish is not None:
            with suppress(IndexBusy):  # The process that holds the index does it.
                await self.step(progress)
            now = (await self._spaces.all())[wish.space]
            if now.state is not SpaceState.BUILDING:
                if now.refused:
                    raise ReembedRefused(now.refused)
                break
            if now.claimed_until is not None and now.claimed_until > self._clock():
                given_up = time.monotonic() + _TAKEN_UP_SECONDS
            elif time.monotonic() > given_up:
                return None
            if progress:
                waiting = await Outbox(self._ledger, wish.space).count()
                progress(max(0, now.total - waiting), now.total)
            await asyncio.sleep(_LOOK_SECONDS)
        return await self._spaces.in_state(SpaceState.LIVE)

    async def tidy(self) -> None:
        """Delete the indexes whose time is over."""
        await self._spaces.expire(self._clock())
        for one in (await self._spaces.all()).values():
            if one.state is SpaceState.DROPPING:
                with suppress(IndexBusy):  # A question is still under way in it.
                    await self._projections.store.drop(one.space, await self._ledger.id())
                    await self._spaces.dropped(one.space)

    async def _opened(self, *, back: bool) -> Projection:
        """The live space, open; going back must not need the model that one goes back from."""
        try:
            # With everything in it: what is not there cannot be compared.
            await (self._projections.open() if back else self._projections.ready())
        except EmbedderError:
            if not back:
                raise
        return self._projections.live

    async def _migrate(
        self, space: Space, live: Projection, progress: Progress | None
    ) -> Reembedded | None:
        from eren_memory.verification import Compared, check_points, compare

        started = time.monotonic()
        new = await self._projections.beside(space.space)
        if not await self._openable(new, space):
            return None
        before = new.projector.embedded
        try:
            await new.projector.project(progress, batch=_BATCH, pause=self._pause)
            notes = await check_points(self._ledger, new, self._pause)
            if space.report is not None:  # Going back: it has been live, so all this was done.
                seen, said, agreed = Compared(), "as before", None
            else:
                records = Records(self._ledger)
                seen = await compare(self._ledger, records, live, new, self._pause)
                said, agreed = await recalibrate(
                    self._calibrations, self._own, live.space, new.space, seen.pairs, self._clock()
                )
            await new.projector.project(pause=self._pause)
        except _GivenUpError:
            return None
        done = Reembedded(
            new.space,
            live.space,
            notes,
            new.projector.embedded - before,
            round(time.monotonic() - started, 1),
            seen.questions,
            seen.overlap,
            said,
            agreed,
        )
        until = self._clock() + max(self._pace.kept, _LEAST_KEPT)
        if not await self._spaces.switch(new.space, self._me, until, asdict(done)):
            return None
        await self._projections.follow()
        return done

    async def _openable(self, new: Projection, space: Space) -> bool:
        try:
            await new.projector.open()
        except EmbedderError as error:
            if await Outbox(self._ledger, space.space).count() < space.total:
                raise  # It was there once; perhaps it comes back.
            raise ReembedRefused(f"{error} Questions go on in the old one.") from error
        return await self._claim(space.space)

    async def _claim(self, space: str) -> bool:
        now = self._clock()
        self._renewed = time.monotonic()
        self._claimed = space
        alone = self._projections.store.alone
        return await self._spaces.claim(space, self._me, now, now + _CLAIM, alone=alone)

    async def _pause(self, took: float) -> None:
        """Between two batches: keep the claim, leave the machine to others, let questions go first."""
        if time.monotonic() - self._renewed > _RENEW_SECONDS and not await self._claim(
            self._claimed
        ):
            raise _GivenUpError
        await asyncio.sleep(took * (1 - self._pace.share) / self._pace.share)
        with suppress(TimeoutError):
            # For as long again, and not for ever: somebody may always be asking.
            async with asyncio.timeout(min(took, _LET_PASS_SECONDS)):
                await self._projections.live.idle.wait()


class _GivenUpError(Exception):
    """The wish was withdrawn, or another process has taken over."""
