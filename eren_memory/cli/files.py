"""`eren import`, `export` and `backup`: the notebook in files."""

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
    plain,
    progress_bar,
    run,
)
from eren_memory.errors import IndexBusy
from eren_memory.text import first_line, shown

if TYPE_CHECKING:
    from eren_memory.ledger.archive import Manifest
    from eren_memory.transfer.importing import Imported
    from eren_memory.transfer.planning import Planned

_file = click.argument("file", type=click.Path(path_type=Path))


@click.command("import")
@_file
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@guild_option
@json_option
def import_command(file: Path, guild: str, *, dry_run: bool, as_json: bool) -> None:
    """Bring in the notes of a JSONL or CSV file (by its ending).

    A line of JSONL is {"text": "…"} with any other fields of an export; CSV names its columns in the
    first line. Every line is checked before the first is written. Importing a file again changes
    nothing, and completes what was cut short; `eren note undo` takes an import back.
    """
    from eren_memory.transfer.importing import import_notes

    planned: list[dict[str, Any]] = []

    def tell(one: Planned) -> None:
        if as_json and one.outcome in {"new", "changed"}:
            planned.append(_plan(one))
        elif not as_json:
            for line in _diff(one):
                click.echo(line)

    async def work() -> tuple[Imported, int]:
        async with opened() as app:
            with progress_bar("Adding") as progress:
                done = await import_notes(
                    app.notebook,
                    guild,
                    file,
                    actor(),
                    dry_run=dry_run,
                    on_plan=tell if dry_run else None,
                    progress=progress,
                )
            projector = app.notebook.projector
            if not dry_run:
                try:
                    with progress_bar("Indexing") as progress:
                        await projector.project(progress)
                except IndexBusy:
                    pass  # The process that holds the index takes them up by itself.
            return done, await app.notebook.ledger.outbox.count()

    done, waiting = run(work)
    data: dict[str, Any] = {
        "added": done.new,
        "changed": done.changed,
        "known": done.known,
        "erased": done.erased,
        "waiting": waiting,
    }
    emit(
        data | ({"plan": planned} if dry_run else {}),
        _told(done, waiting, dry_run),
        as_json=as_json,
    )


@click.command("export")
@_file
@click.option("--history", is_flag=True, help="With every revision of each note.")
@guild_option
@json_option
def export_command(file: Path, guild: str, *, history: bool, as_json: bool) -> None:
    """Write all notes to a JSONL or CSV file (by its ending), ready for `eren import`."""
    from eren_memory.transfer.exporting import export_notes

    async def work() -> int:
        async with opened() as app:
            with progress_bar("Writing") as progress:
                return await export_notes(
                    app.notebook, guild, file, history=history, progress=progress
                )

    count = run(work)
    data = {"exported": count, "file": str(file)}
    emit(data, f"Wrote {count:,} notes to {file}.", as_json=as_json)


@click.command()
@_file
@click.option("--restore", "restoring", is_flag=True, help="Put the backup FILE back instead.")
@click.option("--replace", is_flag=True, help="With --restore: overwrite the notes there are.")
@json_option
def backup(file: Path, *, restoring: bool, replace: bool, as_json: bool) -> None:
    """Write the whole notebook, every guild and its history, to one archive; others may go on.

    The archive fits every database: restore it with EREN_DATABASE_URL set to move to another. The
    search index is not in it: it is built again.
    """
    if replace and not restoring:
        raise click.UsageError("--replace is for --restore: a backup replaces nothing.")
    from eren_memory.app import files_of_a_backup
    from eren_memory.finding import utc_now
    from eren_memory.ledger.archive import back_up, restore

    async def work() -> Manifest:
        async with opened() as app:
            ledger = app.notebook.ledger
            beside = files_of_a_backup(app.settings)
            if not restoring:
                return await back_up(ledger, file, beside, utc_now())
            return await restore(ledger, file, beside, replace=replace)

    done = run(work)
    data = {"file": str(file), "made_at": done.made_at.isoformat(), "rows": dict(done.rows)}
    verb = "Restored" if restoring else "Backed up"
    text = f"{verb} {done.rows['notes']:,} notes with {done.rows['revisions']:,} revisions."
    emit(data, text, as_json=as_json)


def _plan(one: Planned) -> dict[str, Any]:
    changes = {n: {"old": plain(old), "new": plain(new)} for n, (old, new) in one.changes.items()}
    number = one.note.number if one.before else None
    return {"outcome": one.outcome, "number": number, "text": one.note.text, "changes": changes}


def _diff(one: Planned) -> list[str]:
    if one.outcome == "new":
        return [f"+ {shown(first_line(one.note.text, 100))}"]
    if one.outcome == "erased":
        return [f"! #{one.note.number} was erased here and stays so"]
    lines = [
        shown(f"    {name}: {plain(old)!r} → {plain(new)!r}")
        for name, (old, new) in one.changes.items()
    ]
    return [f"~ #{one.note.number}", *lines] if lines else []


def _told(done: Imported, waiting: int, dry_run: bool) -> str:
    if dry_run:
        return f"{done.new} new, {done.changed} changed, {done.known} known. Nothing was written."
    parts = [f"Added {done.new} notes"]
    parts += [f"{done.changed} changed"] if done.changed else []
    parts += [f"{done.known} were known"] if done.known else []
    parts += [f"{done.erased} were erased here and stay so"] if done.erased else []
    text = ", ".join(parts) + "."
    if waiting:
        text += f" The process that has the index open is indexing {waiting} of them."
    return text
