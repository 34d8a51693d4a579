"""A guild's notes to a file."""

from __future__ import annotations

from pathlib import Path

from eren_memory.domain import NoteStatus
from eren_memory.notebook import Notebook
from eren_memory.projection import Progress
from eren_memory.transfer import files
from eren_memory.transfer.records import record

_PAGE = 500


async def export_notes(
    notebook: Notebook,
    guild_id: str,
    path: Path,
    *,
    history: bool = False,
    progress: Progress | None = None,
) -> int:
    """Write every note of a guild but the erased ones; returns how many.

    Args:
        notebook: Where they are.
        guild_id: Whose they are.
        path: CSV if its name ends so, JSONL otherwise.
        history: Write each note's revisions too.
        progress: Told how far it is.
    """
    ledger = notebook.ledger
    counts = await ledger.counts(guild_id)
    total = sum(counts.values()) - counts.get(NoteStatus.ERASED, 0)
    done = last = 0
    with files.written(path, history=history) as out:
        while page := await ledger.notes(guild_id, after=last, limit=_PAGE):
            past = await ledger.history(*page) if history else {}
            for note in page:
                if note.status is not NoteStatus.ERASED:
                    entries = past.get(note.id)
                    # The history was read after the note, and may have one revision more.
                    out.write(record(entries[-1].note if entries else note, entries))
                    done += 1
            last = page[-1].number
            if progress:
                progress(done, max(total, done))
    return done
