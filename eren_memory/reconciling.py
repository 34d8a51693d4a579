"""Index and ledger compared in both directions, and what differs repaired."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from eren_memory.ledger.ledger import Ledger
from eren_memory.projection import Progress, Projector

_BATCH = 256


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What differed between ledger and index; all of it is repaired.

    `missing` notes were not in the index, `stale` ones differed there, `orphaned` points belong to
    no note of this ledger.
    """

    checked: int
    missing: int
    stale: int
    orphaned: int


async def reconcile(
    ledger: Ledger, projector: Projector, progress: Progress | None = None
) -> Reconciled:
    """Compare the index of a projector with the ledger.

    A point of an earlier moment is removed and made again, because the index refuses to go back
    to a lower revision by itself.
    """
    await projector.project()
    index, outbox = await projector.open(), projector.outbox
    checked = missing = stale = orphaned = 0
    total = await ledger.active_count()
    seen: set[UUID] = set()
    async for held in index.scan(_BATCH):
        async with projector.still():
            waiting = await outbox.waiting(held.keys())
            notes = await ledger.by_ids(held.keys() - waiting)
            wrong = [
                one
                for one in held.keys() - waiting
                if one not in notes or index.payload(notes[one]) != held[one]
            ]
            await index.remove(wrong)
            known = [one for one in wrong if one in notes]
            await outbox.enqueue(known)
        seen |= held.keys()
        stale, orphaned = stale + len(known), orphaned + len(wrong) - len(known)
        checked += len(held)
        if progress:
            progress(checked, max(total, checked))
    last: UUID | None = None
    while page := await ledger.active_after(last, _BATCH):
        absent = [note.id for note in page if note.id not in seen]
        await outbox.enqueue(absent)
        missing, last = missing + len(absent), page[-1].id
    await projector.project(progress)
    return Reconciled(checked + missing, missing, stale, orphaned)
