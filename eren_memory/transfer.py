"""Notes from files. Everything is checked before anything is written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eren_memory.domain import NoteDraft
from eren_memory.errors import BadInput, ImportRefused
from eren_memory.notebook import Notebook, Progress

# Notes that one transaction adds: a killed import keeps whole batches and is simply run again.
_BATCH = 500
_LINE_LIMIT = 100_000
_FIELDS = {"text", "question", "source_url", "reason"}


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did; `known` notes were there already."""

    added: int
    known: int


async def import_notes(
    notebook: Notebook, guild_id: str, path: Path, actor_id: str, progress: Progress | None = None
) -> Imported:
    """Add the notes of a JSONL file: one `{"text": …}` a line, blank lines allowed.

    The file is read twice: once to check every line, then to add them in batches. Running it
    again adds what is missing.

    Raises:
        ImportRefused: The file or a line is unusable (the line is named); nothing was imported.
    """
    total = sum(1 for _ in _drafts(path))
    added = known = 0
    batch: list[NoteDraft] = []

    async def add() -> None:
        nonlocal added, known
        outcome = await notebook.add_many(guild_id, batch, actor_id)
        created = sum(one.created for one in outcome)
        added, known = added + created, known + len(outcome) - created
        batch.clear()
        if progress:
            progress(added + known, total)

    for draft in _drafts(path):
        batch.append(draft)
        if len(batch) == _BATCH:
            await add()
    if batch:
        await add()
    if added + known != total:
        raise ImportRefused(
            f"{path.name} changed while it was read: {added + known} of {total} notes were imported. "
            "Run the import again."
        )
    return Imported(added, known)


def _drafts(path: Path) -> Iterator[NoteDraft]:
    if path.exists() and not path.is_file():
        raise ImportRefused(
            f"{path} cannot be read twice: it is not a regular file. Save it first."
        )
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(
                iter(lambda: file.readline(_LINE_LIMIT + 1), b""), start=1
            ):
                try:
                    line = _decoded(raw)
                    if line.strip():
                        yield _draft(line)
                except BadInput as error:
                    raise ImportRefused(
                        f"{path.name}, line {number}: {error} Nothing was imported."
                    ) from None
    except OSError as error:
        raise ImportRefused(f"{path} cannot be read: {error.strerror}.") from error


def _decoded(raw: bytes) -> str:
    if len(raw) > _LINE_LIMIT:
        raise BadInput(f"The line is longer than {_LINE_LIMIT:,} bytes.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"The line is not UTF-8 (byte {error.start + 1}).") from None


def _draft(line: str) -> NoteDraft:
    try:
        fields: Any = json.loads(line)
    except json.JSONDecodeError as error:
        raise BadInput(f"The line is not JSON ({error.msg}, column {error.colno}).") from None
    except ValueError as error:  # A number with thousands of digits.
        raise BadInput(f"The line cannot be read as JSON: {error!s:.60}.") from None
    except RecursionError:
        raise BadInput("The line is nested too deeply.") from None
    if not isinstance(fields, dict) or not isinstance(fields.get("text"), str):
        raise BadInput('The line needs a text: {"text": "…"}.')
    if unknown := fields.keys() - _FIELDS:
        raise BadInput(f"The line has an unknown field: {min(unknown)!r:.40}.")
    for name, value in fields.items():
        if value is not None and not isinstance(value, str):
            raise BadInput(f"The field {name} is not text.")
    return NoteDraft(**fields).checked()
