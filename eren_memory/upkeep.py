"""The jobs that every installation has. One line a job: a name, when, what.

A front end adds its own with `App.jobs.add`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path

from eren_memory.calibrations import Calibrations
from eren_memory.config import Settings
from eren_memory.housekeeping import OutboxWatch, keep_backups, purge
from eren_memory.jobs import Daily, Every, Job
from eren_memory.notebook import Notebook
from eren_memory.recalibration import proposals, summary
from eren_memory.retention import Swept

_log = logging.getLogger(__name__)

# How long a tombstone refuses late writes. None is on its way for as long as that.
_TOMBSTONES_KEPT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What the jobs work on.

    `sweep` forgets what has had its time, `beside` are the files of a backup besides the ledger,
    `calibrations` gives those in use of every model that is offered.
    """

    settings: Settings
    notebook: Notebook
    sweep: Callable[[datetime], Awaitable[Swept]]
    beside: Mapping[str, Path]
    calibrations: Callable[[], Mapping[str, Calibrations]]
    clock: Callable[[], datetime]

    def jobs(self) -> list[Job]:
        """All of them, ready to run."""
        settings, zone = self.settings, self.settings.zone
        ledger, projector = self.notebook.ledger, self.notebook.projector
        watch = OutboxWatch(ledger, projector, self.clock)
        jobs = [
            Job("outbox", Every(60), watch.look, timeout=300),
            Job("retention", Daily(time(3, 0), zone), self._forget),
            Job("purge", Daily(time(3, 10), zone), self._purge),
            Job("reconcile", Daily(time(3, 20), zone), self._reconcile),
            Job("recalibration", Daily(time(3, 50), zone), self._propose),
        ]
        if settings.backup_folder is not None:
            jobs.append(Job("backup", Daily(settings.backup_at, zone), self._back_up))
        return jobs

    async def _forget(self) -> str:
        swept = await self.sweep(self.clock())
        return (
            f"Forgot {swept.answers} answers and {swept.reviews} entries of the queue; "
            f"erased {swept.notes} notes."
        )

    async def _purge(self) -> str:
        before = self.clock() - _TOMBSTONES_KEPT
        return await purge(self.notebook.ledger, self.notebook.projector, before)

    async def _reconcile(self) -> str:
        done = await self.notebook.projector.reconcile()
        return (
            f"Compared {done.checked} notes: {done.missing} were missing, {done.stale} differed, "
            f"{done.orphaned} belonged to no note."
        )

    async def _propose(self) -> str:
        found = await proposals(self.notebook.ledger, self.calibrations())
        if any(one.better for one in found):
            _log.warning(summary(found))
        return summary(found)

    async def _back_up(self) -> str:
        settings = self.settings
        assert settings.backup_folder is not None  # noqa: S101 - For the type: see `jobs`.
        return await keep_backups(
            self.notebook.ledger,
            settings.backup_folder,
            self.beside,
            settings.backups_kept,
            self.clock(),
        )
