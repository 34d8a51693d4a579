"""`eren note …` and `eren import`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eren_memory.cli.common import (
    actor,
    emit,
    guild_option,
    json_option,
    opened,
    progress_bar,
    run,
)
from eren_memory.domain import (
    LARGEST_NUMBER,
    Candidate,
    Note,
    NoteDraft,
    NoteStatus,
    first_line,
)

if TYPE_CHECKING:
    from eren_memory.transfer import Imported

_STATUSES = click.Choice([str(status) for status in NoteStatus])


@click.group()
def note() -> None:
    """Add, list, show, search and retire notes."""


@note.command()
@click.argument("text")
@click.option("--question", help="The question that the note corrects.")
@click.option("--source", help="Where it comes from: a link.")
@click.option("--reason", help="Why it is added.")
@guild_option
@json_option
def add(
    text: str,
    question: str | None,
    source: str | None,
    reason: str | None,
    guild: str,
    *,
    as_json: bool,
) -> None:
    """Add a correction; the next question finds it."""

    async def work() -> Note:
        async with opened() as app:
            return await app.notebook.add(guild, NoteDraft(text, question, source, reason), actor())

    added = run(work)
    data = {
        "number": added.number,
        "id": str(added.id),
        "revision": added.revision,
        "conflicts": [],
    }
    emit(data, f"Added note #{added.number}: {first_line(added.text)}", as_json=as_json)


@note.command()
@click.argument("number", type=click.IntRange(1, LARGEST_NUMBER))
@click.option("--reason", help="Why it is retired.")
@guild_option
@json_option
def retire(number: int, reason: str | None, guild: str, *, as_json: bool) -> None:
    """Take a note out of use; it stays in the notebook."""

    async def work() -> Note:
        async with opened() as app:
            return await app.notebook.retire(guild, number, actor(), reason)

    retired = run(work)
    emit(_note(retired), f"Retired note #{number}: {first_line(retired.text)}", as_json=as_json)


@note.command()
@click.argument("number", type=click.IntRange(1, LARGEST_NUMBER))
@guild_option
@json_option
def show(number: int, guild: str, *, as_json: bool) -> None:
    """Show one note in full."""
    from eren_memory.terminal import note_page

    async def work() -> Note:
        async with opened() as app:
            return await app.notebook.note(guild, number)

    found = run(work)
    emit(_note(found), note_page(found), as_json=as_json)


@note.command("list")
@click.option("--status", type=_STATUSES, help="Only notes with this status.")
@guild_option
@json_option
def list_command(status: str | None, guild: str, *, as_json: bool) -> None:
    """List the notes in the order of their numbers."""
    from eren_memory.terminal import note_line

    async def work() -> list[Note]:
        async with opened() as app:
            return await app.notebook.notes(guild, NoteStatus(status) if status else None)

    found = run(work)
    lines = [note_line(one) for one in found]
    emit([_note(one) for one in found], "\n".join(lines) or "No notes yet.", as_json=as_json)


@note.command()
@click.argument("text")
@click.option(
    "--limit", type=click.IntRange(1, 50), default=10, show_default=True, help="Notes at most."
)
@guild_option
@json_option
def search(text: str, limit: int, guild: str, *, as_json: bool) -> None:
    """Find the notes nearest to a text."""
    from eren_memory.domain import question_text
    from eren_memory.terminal import note_line

    async def work() -> list[Candidate]:
        async with opened() as app:
            return await app.notebook.search(guild, question_text(text, "search text"), limit)

    found = run(work)
    data = [_note(one.note) | {"score": one.dense, "lexical": one.lexical} for one in found]
    lines = [f"{one.dense:5.2f}  {note_line(one.note)}" for one in found]
    emit(data, "\n".join(lines) or "No notes found.", as_json=as_json)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@guild_option
@json_option
def import_command(file: Path, guild: str, *, as_json: bool) -> None:
    """Add the notes of a JSONL file, one {"text": "…"} a line.

    Every line is checked before the first is added. A file that was imported in part is completed
    by importing it again.
    """
    from eren_memory.errors import IndexBusy
    from eren_memory.transfer import import_notes

    async def work() -> tuple[Imported, int]:
        async with opened() as app:
            with progress_bar("Adding") as progress:
                done = await import_notes(app.notebook, guild, file, actor(), progress)
            try:
                with progress_bar("Indexing") as progress:
                    await app.notebook.project(progress)
            except IndexBusy:
                pass  # The process that holds the index takes them up at its next question.
            return done, await app.notebook.pending()

    done, waiting = run(work)
    text = f"Added {done.added} notes" + (f", {done.known} were known" if done.known else "") + "."
    if waiting:
        text += f" The process that has the index open will index {waiting} of them."
    data = {"added": done.added, "known": done.known, "waiting": waiting}
    emit(data, text, as_json=as_json)


def _note(one: Note) -> dict[str, Any]:
    return {
        "number": one.number,
        "id": str(one.id),
        "revision": one.revision,
        "status": one.status,
        "text": one.text,
        "question": one.question,
        "source_url": one.source_url,
        "reason": one.reason,
        "author_id": one.author_id,
        "created_at": one.created_at.isoformat(),
        "updated_at": one.updated_at.isoformat(),
    }
