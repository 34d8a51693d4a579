"""The notebook: every write goes to the ledger first, every read sees every write before it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Unpack
from uuid import UUID

from eren_memory import rules
from eren_memory.domain import (
    By,
    Edited,
    HistoryEntry,
    Note,
    NoteDraft,
    NoteStatus,
    Place,
    View,
    difference,
)
from eren_memory.errors import BadDate, BadInput, DuplicateNote, TooManyWaiting
from eren_memory.finding import Finder
from eren_memory.ledger.unit import Event, Unit
from eren_memory.text import checked

Replaced = Sequence[int] | Mapping[int, int | None]
"""Numbers of notes to supersede; a mapping has the revisions that the person has seen."""


class Notebook(Finder):
    """Notes of every guild: the ledger owns them, the index finds them from the first search on.

    Every act takes `by`, who acts, and raises `BadInput` naming the fault when the note's state, or
    what another note says, does not allow it; then nothing changed. The next search sees what an
    act did.
    """

    # Acts.

    async def add(
        self,
        guild_id: str,
        draft: NoteDraft,
        by: By,
        *,
        status: NoteStatus = NoteStatus.ACTIVE,
        supersedes: Replaced = (),
    ) -> Note:
        """Add a note in the place of those it `supersedes`, or suggest one with the status `DRAFT`."""
        draft = draft.checked()
        if supersedes and status is NoteStatus.DRAFT:
            raise BadInput("A suggestion replaces nothing until it is approved. Nothing was saved.")
        async with self.act(guild_id, by) as unit:
            if draft.valid_until is not None and draft.valid_until <= unit.now:
                raise BadDate("Valid-until has passed already. Nothing was saved.")
            note = unit.made(draft, status)
            await self._supersede(unit, supersedes, note)
            await unit.refuse_duplicate(note)
            await unit.insert([note], "add" if status is NoteStatus.ACTIVE else "suggest")
        return note

    async def suggest(self, place: Place, draft: NoteDraft, by: By, *, most: int) -> Note:
        """Suggest a note that waits for approval; `most` of one person's may wait at once.

        Whoever suggests learns nothing of notes that they could not see there.
        """
        draft, view = draft.checked(), View(place.guild_id, place.channels, self._clock())
        async with self.act(place.guild_id, by) as unit:
            if (count := await unit.waiting()) >= most:
                raise TooManyWaiting(
                    f"{count} of your suggestions wait for a moderator. Make another one when they "
                    "have decided about one of these. Nothing was saved."
                )
            note = unit.made(draft, NoteStatus.DRAFT)
            for same in (await unit.saying([draft.text], NoteStatus.ACTIVE)).values():
                if same.visible_to(view):
                    await unit.refuse_duplicate(note)
            for same in (await unit.saying([draft.text], NoteStatus.DRAFT)).values():
                if replace(same, status=NoteStatus.ACTIVE).visible_to(view):
                    raise DuplicateNote(
                        "That has been suggested already, and waits for a moderator."
                    )
            await unit.insert([note], "suggest")
        return note

    async def add_many(self, guild_id: str, drafts: Sequence[NoteDraft], by: By) -> list[Note]:
        """Add notes in one transaction, skipping what active notes say; returns the new ones."""
        checked_drafts = [draft.checked() for draft in drafts]
        added: list[Note] = []
        async with self.act(guild_id, by) as unit:
            known = await unit.saying([d.text for d in checked_drafts], NoteStatus.ACTIVE)
            for draft in checked_drafts:
                key = unit.statement(draft.text)
                if key not in known:
                    known[key] = unit.made(draft, NoteStatus.ACTIVE)
                    added.append(known[key])
            await unit.insert(added, "add")
        return added

    async def edit(
        self,
        guild_id: str,
        number: int,
        by: By,
        *,
        expect: int | None = None,
        **fields: Unpack[Edited],
    ) -> Note:
        """Change fields of a note.

        Args:
            guild_id: The note's guild.
            number: The note's number.
            by: Who acts.
            expect: The revision that the person has read; `RevisionMoved` when it is another now.
            fields: The new values; None clears.
        """
        async with self.act(guild_id, by) as unit:
            note = await self._seen(unit, number, expect)
            after, act = rules.edited(note, fields, unit.now)
            return await unit.save(note, after, act)

    async def retire(self, guild_id: str, number: int, by: By) -> Note:
        """Take a note out of use."""
        async with self.act(guild_id, by) as unit:
            note = await unit.note(number)
            return await unit.save(note, rules.retired(note), "retire")

    async def restore(
        self, guild_id: str, number: int, by: By, revision: int | None = None
    ) -> Note:
        """Bring back what a note was: before it was retired, or in a given revision."""
        async with self.act(guild_id, by) as unit:
            note = await unit.note(number)
            live = await unit.last_live(note)
            # A note that was imported out of use has no other form than its present one.
            then = (live or note) if revision is None else await unit.revision(note, revision)
            status = live.status if live else NoteStatus.ACTIVE
            return await unit.save(note, rules.restored(note, then, status), "restore")

    async def merge(
        self, guild_id: str, number: int, other: int, by: By, text: str | None = None
    ) -> Note:
        """Let one note stand for two: `other` is superseded, `number` may get a new text."""
        async with self.act(guild_id, by) as unit:
            kept, gone = await unit.note(number), await unit.note(other)
            await unit.save(gone, rules.merged(kept, gone, unit.now), "merge")
            if text is None:
                return kept
            after, _ = rules.edited(kept, {"text": text}, unit.now)
            return await unit.save(kept, after, "merge")

    async def approve(
        self,
        guild_id: str,
        number: int,
        by: By,
        *,
        expect: int | None = None,
        supersedes: Replaced = (),
    ) -> Note:
        """Put a suggestion into use, as the person has read it: in the revision `expect`."""
        async with self.act(guild_id, by) as unit:
            note = await self._seen(unit, number, expect)
            await self._supersede(unit, supersedes, note)
            after = rules.approved(note, by.actor_id, unit.now)
            return await unit.save(note, after, "approve")

    async def reject(self, guild_id: str, number: int, by: By) -> Note:
        """Turn a suggestion down."""
        async with self.act(guild_id, by) as unit:
            note = await unit.note(number)
            return await unit.save(note, rules.rejected(note), "reject")

    async def verify(
        self, guild_id: str, number: int, by: By, *, review_by: datetime | None = None
    ) -> Note:
        """Vouch that a note is still true, and say when somebody should look again."""
        async with self.act(guild_id, by) as unit:
            note = await unit.note(number)
            return await unit.save(note, rules.verified(note, unit.now, review_by), "verify")

    async def expire(self, guild_id: str, by: By, limit: int) -> int:
        """Take notes out of use whose time is over, `limit` at most; returns how many."""
        async with self.act(guild_id, by) as unit:
            over = await unit.over(limit)
            for note in over:
                await unit.save(note, rules.expired(note, unit.now), "expire")
        return len(over)

    async def erase(self, guild_id: str, number: int, by: By) -> Note:
        """Delete a note's texts for privacy, in every revision. This cannot be undone."""
        async with self.act(guild_id, By(by.actor_id)) as unit:
            erased = await unit.erase(await unit.note(number))
        await self.ledger.scrub()
        return erased

    async def undo(self, guild_id: str, by: By, batch: UUID | None = None) -> list[Note]:
        """Take back the last act of this person that they have not taken back yet.

        With `batch` that act of theirs, whatever they did since. Refused when somebody changed one of
        its notes since.
        """
        async with self.act(guild_id, by) as unit:
            last = await unit.last_batch(batch)
            if last is None:
                raise BadInput(
                    "You have done nothing here that could be undone."
                    if batch is None
                    else "That is not yours to take back, or was taken back already."
                )
            done, events = last
            notes = await unit.by_ids([*events])
            return [
                await self._undo(unit, notes[note_id], acts, done)
                for note_id, acts in events.items()
            ]

    # The frame of the acts, which `transfer` uses too.

    @asynccontextmanager
    async def act(self, guild_id: str, by: By, batch: UUID | None = None) -> AsyncIterator[Unit]:
        """The frame of every act: one transaction, then the index is told.

        Acts with the same `batch` are undone together.
        """
        reason = checked(by.reason, what="reason") if by.reason else None
        checked_by = replace(by, reason=reason)
        async with self.ledger.act(guild_id, checked_by, self._clock(), batch or by.batch) as unit:
            yield unit
        await self.projector.changed(unit.changed)

    @asynccontextmanager
    async def look(self, guild_id: str, by: By) -> AsyncIterator[Unit]:
        """What an act would find, without its lock and its consequences."""
        async with self.ledger.look(guild_id, by, self._clock()) as unit:
            yield unit

    # Reads.

    async def history(self, guild_id: str, number: int) -> list[HistoryEntry]:
        """Every revision of a note, the oldest first, with what it changed. Raises `NoteNotFound`."""
        note = await self.ledger.note(guild_id, number)
        return (await self.ledger.history(note))[note.id]

    async def _seen(self, unit: Unit, number: int, expect: int | None) -> Note:
        note = await unit.note(number)
        if expect is not None and note.revision != expect:
            raise rules.moved(note, expect, await unit.revision(note, expect))
        return note

    async def _supersede(self, unit: Unit, replaced: Replaced, by: Note) -> None:
        seen = replaced if isinstance(replaced, Mapping) else dict.fromkeys(replaced)
        for number, expect in seen.items():
            old = await self._seen(unit, number, expect)
            await unit.save(old, rules.superseded(old, by, unit.now), "supersede")

    async def _undo(self, unit: Unit, note: Note, acts: Sequence[Event], batch: UUID) -> Note:
        newest, oldest = acts[0], acts[-1]
        left = await unit.revision(note, newest.new_revision)
        # An undo of this person's next act left the same contents under a later revision.
        if left is None or difference(left, note):
            raise rules.moved(note, newest.new_revision, left)
        before = oldest.old_revision
        then = await unit.revision(note, before) if before is not None else None
        return await unit.save(note, rules.undone(note, then), "undo", undoes=batch)
