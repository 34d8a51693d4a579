"""Finding notes: for a question, for those who manage them, and for a new note to be compared with."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime
from itertools import takewhile
from uuid import UUID

from eren_memory.charging import charged_to
from eren_memory.conflicts import Compared, Judge, alike
from eren_memory.domain import Candidate, Note, NoteDraft, NoteStatus, Place, View
from eren_memory.embedder import Embedder
from eren_memory.errors import EmbedderError, IndexBusy, NoteIndexError
from eren_memory.index import Vectors
from eren_memory.ledger.ledger import Ledger
from eren_memory.projections import Projections
from eren_memory.space import Projection
from eren_memory.text import legible

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
        projector: Projections,
        judge: Judge,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.ledger = ledger
        self.projector = projector
        self._judge = judge
        self._clock = clock

    @property
    def embedder(self) -> Embedder:
        """The embedder of the live space."""
        return self.projector.live.embedder

    async def search(
        self, place: Place, text: str, limit: int, within: Projection | None = None
    ) -> list[Candidate]:
        """The notes that may answer there and now, nearest to `text`, best first.

        Args:
            place: Where it is asked.
            text: The question.
            limit: How many.
            within: The space in which the question is answered; None for the live one.

        Raises:
            IndexBusy: Another process holds the embedded index.
        """
        view = View(place.guild_id, place.channels, self._clock())
        return await self._search(view, text, limit, within)

    async def search_with(
        self,
        place: Place,
        text: str,
        limit: int,
        draft: NoteDraft,
        instead_of: Collection[int],
        within: Projection,
    ) -> list[Candidate]:
        """What `search` would find if `draft` were a note and those `instead_of` were gone.

        The draft's note has the number 0 and a `lexical` of 0: BM25 weighs words by the notes in
        the index. It is left out where it would not be visible.

        Raises:
            BadInput: The draft cannot be a note.
            IndexBusy: Another process holds the embedded index.
        """
        now = self._clock()
        view, note = View(place.guild_id, place.channels, now), _imagined(draft, place, now)
        asked, written = await within.embedder.embed([text, note.text])
        # As many more as are taken out again.
        found = await self._near(view, text, asked[None], limit + len(instead_of), within)
        left = [one for one in found if one.note.number not in instead_of]
        if note.visible_to(view):
            dense = float(asked @ written)
            # By its cosine alone: the others' words count, and would put them all ahead of it.
            ahead = sum(1 for _ in takewhile(lambda one: one.dense > dense, left))
            left.insert(ahead, Candidate(note, dense, 0.0))
        return left[:limit]

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
        # As people read it: a text in disguise must not pass by what it contradicts.
        draft = replace(draft, text=legible(draft.text))
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
        with charged_to(guild_id):
            return await self._judge.compare(
                draft, [one for one in living if one.note.number != apart_from]
            )

    async def _search(
        self, view: View, text: str, limit: int, within: Projection | None = None
    ) -> list[Candidate]:
        if within is None:
            async with self.projector.using() as live:
                return await self._search(view, text, limit, live)
        return await self._near(view, text, await within.embedder.embed([text]), limit, within)

    async def _near(
        self, view: View, text: str, asked: Vectors, limit: int, within: Projection
    ) -> list[Candidate]:
        hits, current = await within.projector.search(
            lambda index: index.search(text, asked, view, limit)
        )
        # The ledger has the last word: an index that is behind, or wrong, shows nothing it should not.
        return [
            Candidate(note, hit.dense, hit.lexical)
            for hit in hits
            if (note := current.get(hit.note_id))
            and note.revision == hit.revision
            and note.visible_to(view)
        ]


def _imagined(draft: NoteDraft, place: Place, now: datetime) -> Note:
    """The note that a draft would become."""
    draft = draft.checked()
    return Note(
        id=UUID(int=0),
        number=0,
        guild_id=place.guild_id,
        status=NoteStatus.ACTIVE,
        revision=0,
        author_id="",
        created_at=now,
        updated_at=now,
        **{name: getattr(draft, name) for name in NoteDraft.__dataclass_fields__},
    )
