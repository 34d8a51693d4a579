"""`eren note`, and of what stands below it `show`, `list`, `history` and `search`."""

from __future__ import annotations

import click

from eren_memory.cli.common import (
    as_record,
    emit,
    guild_option,
    json_option,
    number_argument,
    opened,
    opened_ledger,
    plain,
    run,
)
from eren_memory.cli.lazy import LazyGroup
from eren_memory.domain import Candidate, HistoryEntry, Note, NoteStatus

_COMMANDS = {
    "add": "acts:add",
    "approve": "acts:approve",
    "edit": "acts:edit",
    "erase": "acts:erase",
    "history": "notes:history",
    "list": "notes:list_command",
    "merge": "acts:merge",
    "propose": "probes:propose",
    "reject": "acts:reject",
    "restore": "acts:restore",
    "retire": "acts:retire",
    "scope": "acts:scope",
    "search": "notes:search",
    "show": "notes:show",
    "test": "probes:test",
    "undo": "acts:undo",
    "verify": "acts:verify",
}
_STATUSES = click.Choice([str(status) for status in NoteStatus])


@click.group(cls=LazyGroup, places=_COMMANDS)
def note() -> None:
    """Read and change the notes."""


@click.command()
@number_argument
@guild_option
@json_option
def show(number: int, guild: str, *, as_json: bool) -> None:
    """Show one note in full."""
    from eren_memory.terminal import note_page

    async def work() -> Note:
        async with opened_ledger() as ledger:
            return await ledger.note(guild, number)

    found = run(work)
    emit(as_record(found), note_page(found), as_json=as_json)


@click.command()
@number_argument
@guild_option
@json_option
def history(number: int, guild: str, *, as_json: bool) -> None:
    """Show who changed a note, when, why, and what."""
    from eren_memory.terminal import history_page

    async def work() -> list[HistoryEntry]:
        async with opened_ledger() as ledger:
            one = await ledger.note(guild, number)
            return (await ledger.history(one))[one.id]

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


@click.command("list")
@click.option("--status", type=_STATUSES, help="Only notes with this status.")
@guild_option
@json_option
def list_command(status: str | None, guild: str, *, as_json: bool) -> None:
    """List the notes in the order of their numbers."""
    from eren_memory.terminal import note_line

    async def work() -> list[Note]:
        async with opened_ledger() as ledger:
            return await ledger.notes(guild, NoteStatus(status) if status else None)

    found = run(work)
    lines = [note_line(one) for one in found]
    emit(
        [as_record(one) for one in found],
        "\n".join(lines) or ("None with that status." if status else "No notes yet."),
        as_json=as_json,
    )


@click.command()
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
