"""Finding notes: for a question, for those who manage them, and for a new note to be compared with."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from eren_memory.conflicts import Compared, Judge, alike
from eren_memory.domain import Candidate, NoteDraft, NoteStatus, Place, View
from eren_memory.embedder import Embedder
from eren_memory.errors import EmbedderError, IndexBusy, NoteIndexError
from eren_memory.ledger import Ledger
from eren_memory.projection import Projector

# Notes that a new one is compared with.
_NEAR = 20

_log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """The clock of a running program."""
    return datetime.now(UTC)


class Finder:
    """The reading half of a notebook: the index finds, the ledger decides what may be seen."""

    def __init__(
        self,
        ledger: Ledger,
        embedder: Embedder,
        projector: Projector,
        judge: Judge,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.ledger = ledger
        self.projector = projector
        self.embedder = embedder
        self._judge = judge
        self._clock = clock

    async def search(self, place: Place, text: str, limit: int) -> list[Candidate]:
        """The notes that may answer there and now, nearest to `text`, best first.

        Raises:
            IndexBusy: Another process holds the embedded index.
        """
        return await self._search(View(place.guild_id, place.channels, self._clock()), text, limit)

    async def nearest(self, guild_id: str, text: str, limit: int) -> list[Candidate]:
        """The nearest active notes for those who manage them: of every scope, whatever their dates."""
        return await self._search(View(guild_id), text, limit)

    async def compare(
        self, guild_id: str, draft: NoteDraft, *, apart_from: int | None = None
    ) -> Compared:
        """What a note would meet: near notes that say the same, contradict it, or are related.

        Where another process holds the index, the notes that share most words are compared.
        """
        draft = draft.checked()
        if not (await self.ledger.counts(guild_id)).get(NoteStatus.ACTIVE):
            return Compared()
        try:
            try:
                near = await self.nearest(guild_id, draft.text, _NEAR)
            except IndexBusy:
                near = await alike(self.ledger, self.embedder, guild_id, draft.text, _NEAR)
        except (EmbedderError, NoteIndexError) as error:
            _log.warning("A note was not compared with others: %s", error)
            return Compared(by_model=False, compared=False)
        now = self._clock()
        living = [one for one in near if one.note.valid_until is None or now < one.note.valid_until]
        return await self._judge.compare(
            draft, [one for one in living if one.note.number != apart_from]
        )

    async def _search(self, view: View, text: str, limit: int) -> list[Candidate]:
        asked = await self.embedder.embed([text])
        index = await self.projector.ready()
        try:
            hits = await index.search(text, asked, view, limit)
        except NoteIndexError:
            # A backup that is restored brings another index; the one in hand is closed then.
            if (exchanged := await self.projector.ready()) is index:
                raise
            hits = await exchanged.search(text, asked, view, limit)
        current = await self.ledger.by_ids([hit.note_id for hit in hits])
        # The ledger has the last word: an index that is behind, or wrong, shows nothing it should not.
        return [
            Candidate(note, hit.dense, hit.lexical)
            for hit in hits
            if (note := current.get(hit.note_id))
            and note.revision == hit.revision
            and note.visible_to(view)
        ]
