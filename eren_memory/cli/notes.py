"""`eren note show`, `list`, `history`, `search` and `test`: reading the notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from eren_memory.cli.common import (
    as_record,
    emit,
    guild_option,
    json_option,
    number_argument,
    opened,
    plain,
    run,
)
from eren_memory.domain import Candidate, HistoryEntry, Note, NoteStatus

if TYPE_CHECKING:
    pass

_STATUSES = click.Choice([str(status) for status in NoteStatus])


@click.group()
def note() -> None:
    """Read and change the notes."""


@note.command()
@number_argument
@guild_option
@json_option
def show(number: int, guild: str, *, as_json: bool) -> None:
    """Show one note in full."""
    from eren_memory.terminal import note_page

    async def work() -> Note:
        async with opened() as app:
            return await app.notebook.ledger.note(guild, number)

    found = run(work)
    emit(as_record(found), note_page(found), as_json=as_json)


@note.command()
@number_argument
@guild_option
@json_option
def history(number: int, guild: str, *, as_json: bool) -> None:
    """Show who changed a note, when, why, and what."""
    from eren_memory.terminal import history_page

    async def work() -> list[HistoryEntry]:
        async with opened() as app:
            return await app.notebook.history(guild, number)

    found = run(work)
    data = [
        {
            "revision": one.note.revision,
            "act": one.act,
            "actor_id": one.by.actor_id,
            "at": one.at.isoformat(),
            "reason": one.by.reason,
            "where": one.by.where,
            "text": one.note.text,
            "changes": {
                name: {"old": plain(old), "new": plain(new)}
                for name, (old, new) in one.changes.items()
            },
        }
        for one in found
    ]
    emit(data, history_page(found), as_json=as_json)


@note.command("list")
@click.option("--status", type=_STATUSES, help="Only notes with this status.")
@guild_option
@json_option
def list_command(status: str | None, guild: str, *, as_json: bool) -> None:
    """List the notes in the order of their numbers."""
    from eren_memory.terminal import note_line

    async def work() -> list[Note]:
        async with opened() as app:
            return await app.notebook.ledger.notes(guild, NoteStatus(status) if status else None)

    found = run(work)
    lines = [note_line(one) for one in found]
    emit(
        [as_record(one) for one in found],
        "\n".join(lines) or ("None with that status." if status else "No notes yet."),
        as_json=as_json,
    )


@note.command()
@click.argument("text")
@click.option(
    "--limit", type=click.IntRange(1, 50), default=10, show_default=True, help="Notes at most."
)
@guild_option
@json_option
def search(text: str, limit: int, guild: str, *, as_json: bool) -> None:
    """Find the notes nearest to a text, of every scope and whatever their dates."""
    from eren_memory.terminal import note_line
    from eren_memory.text import question_text

    async def work() -> list[Candidate]:
        async with opened() as app:
            return await app.notebook.nearest(guild, question_text(text, "search text"), limit)

    found = run(work)
    data = [as_record(one.note) | {"score": one.dense, "lexical": one.lexical} for one in found]
    lines = [f"{one.dense:5.2f}  {note_line(one.note)}" for one in found]
    emit(data, "\n".join(lines) or "No notes found.", as_json=as_json)
