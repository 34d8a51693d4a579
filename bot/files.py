"""Notes from and to files in Discord."""

from __future__ import annotations

import tempfile
from enum import Enum
from pathlib import Path

import discord

from bot import render
from bot.controls import Interaction
from bot.desk import by, desk, guild_of
from bot.failures import Refused
from bot.note_buttons import UndoButton, new_batch
from bot.texts import mine
from eren_memory.domain import Changes
from eren_memory.transfer.exporting import export_notes
from eren_memory.transfer.importing import import_notes
from eren_memory.transfer.planning import Planned

_LARGEST_IMPORT = 8_000_000
_CHANGES_SHOWN = 15


class Form(Enum):
    """Of a file."""

    JSONL = "jsonl"
    CSV = "csv"


async def bring_in(interaction: Interaction, file: discord.Attachment, *, dry_run: bool) -> None:
    """Import a file, or say what it would change."""
    at, t, guild = desk(interaction), mine(interaction), guild_of(interaction)
    if file.size > _LARGEST_IMPORT:
        limit = f"{_LARGEST_IMPORT // 1_000_000} MB"
        raise Refused(t("import.too_large", limit=limit))
    suffix = Form.CSV.value if file.filename.casefold().endswith(".csv") else Form.JSONL.value
    changed: list[tuple[int, Changes]] = []

    def seen(planned: Planned) -> None:
        if planned.changes and len(changed) < _CHANGES_SHOWN:
            changed.append((planned.note.number, planned.changes))

    with tempfile.TemporaryDirectory(prefix="eren-import-") as folder:
        # Of the sender's name nothing is used.
        path = Path(folder) / f"import.{suffix}"
        await file.save(path)
        act = by(interaction, batch=new_batch())
        done = await import_notes(at.app.notebook, guild, path, act, dry_run=dry_run, on_plan=seen)
    key = "import.would" if dry_run else "import.done"
    lines = [t(key, new=done.new, changed=done.changed, known=done.known, erased=done.erased)]
    for number, changes in changed:
        lines += [f"-# #{number} {line}" for line in render.changes(t, changes)]
    view = discord.ui.View(timeout=None)
    if act.batch and not dry_run and done.new + done.changed:
        view.add_item(UndoButton(act.batch, t))
    await interaction.edit_original_response(content=render.cut("\n".join(lines)), view=view)


async def take_out(interaction: Interaction, form: Form, *, history: bool) -> None:
    """Export the server's notes."""
    at, t, guild = desk(interaction), mine(interaction), guild_of(interaction)
    limit = interaction.guild.filesize_limit if interaction.guild else _LARGEST_IMPORT
    with tempfile.TemporaryDirectory(prefix="eren-export-") as folder:
        path = Path(folder) / f"notes.{form.value}"
        count = await export_notes(at.app.notebook, guild, path, history=history)
        if path.stat().st_size > limit:
            raise Refused(t("export.too_large"))
        await interaction.edit_original_response(
            content=t("export.done", count=count), attachments=[discord.File(path)]
        )
