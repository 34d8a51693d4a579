"""The whole ledger as one file, and back: a zip of JSON lines, the same for every database.

A backup made on SQLite can be restored into PostgreSQL, and one of an earlier version into a later
one: it is loaded into that version's tables and migrated. The outbox and the embedding spaces stay
out; the index is built again after a restore, because the restored ledger has an id of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

import sqlalchemy as sa
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy.exc import DataError, IntegrityError, OperationalError, StatementError

from eren_memory.domain import By
from eren_memory.errors import BackupRefused
from eren_memory.ledger import database, forgotten
from eren_memory.ledger.forgetting import forget, people
from eren_memory.ledger.ledger import Ledger
from eren_memory.ledger.schema import SCHEMA_VERSION, guilds, identity, metadata, outbox, spaces
from eren_memory.ledger.upkeep_schema import heard_messages, published_commands

_FORMAT = 1
_AGAIN = By("restore")
_MANIFEST = "manifest.json"
_BATCH = 1_000
# The tables that several others write, in the order in which they do.
_LOCKED = (
    "guilds", "outbox", "spaces", "notes", "revisions", "audit_events", "answers", "reviews",
)  # fmt: skip
# What is said of indexes, which are built again, and of Discord at this moment.
_LEFT_OUT = (outbox, spaces, heard_messages, published_commands)
# What reading an archive that somebody cut, flipped or wrote by hand may raise.
_DAMAGE = (
    AttributeError, BadZipFile, EOFError, KeyError, NotImplementedError, RuntimeError, TypeError,
    ValueError, zlib.error,
)  # fmt: skip


class Manifest(BaseModel, frozen=True, strict=True):
    """What an archive holds: rows by table, and files beside the ledger by name."""

    format: int
    schema_version: str = Field(alias="schema")
    made_at: AwareDatetime
    rows: dict[str, int]
    files: tuple[str, ...]


async def back_up(
    ledger: Ledger, file: Path, beside: Mapping[str, Path], now: datetime
) -> Manifest:
    """Write one moment of the ledger, and the files `beside` it that exist, to an archive.

    Others may go on writing. The archive appears under its name only when it is whole.

    Raises:
        BackupRefused: The archive cannot be written.
    """
    part = file.with_name(f"{file.name}.part")
    rows: dict[str, int] = {}
    found = {name: path for name, path in beside.items() if path.is_file()}
    try:
        with ZipFile(part, "w", ZIP_DEFLATED, strict_timestamps=False) as archive:
            async with ledger.snapshot() as connection:
                for table in metadata.sorted_tables:
                    if table in _LEFT_OUT:
                        continue
                    found_rows = await connection.stream(sa.select(table))
                    rows[table.name] = await _write(archive, file, table, found_rows)
            for name, path in found.items():
                archive.write(path, f"files/{name}")
            manifest = Manifest(
                format=_FORMAT, schema=SCHEMA_VERSION, made_at=now, rows=rows, files=tuple(found)
            )
            archive.writestr(_MANIFEST, manifest.model_dump_json(by_alias=True, indent=2))
        await asyncio.to_thread(_publish, part, file)
    except OSError as error:
        raise BackupRefused(f"{file} cannot be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)
    return manifest


def _publish(part: Path, file: Path) -> None:
    """Give a file its name once the disk has it, which may take a while."""
    with part.open("rb") as written:
        os.fsync(written.fileno())
    part.replace(file)


async def _write(
    archive: ZipFile, file: Path, table: sa.Table, found: AsyncIterator[sa.Row[Any]]
) -> int:
    count = 0
    try:
        with archive.open(f"{table.name}.jsonl", "w", force_zip64=True) as out:
            async for row in found:
                out.write(_line(table, row))
                count += 1
    except OSError as error:  # Or the ledger would take it for an error of its own.
        raise BackupRefused(f"{file} cannot be written: {error.strerror}.") from error
    return count


async def restore(
    ledger: Ledger, file: Path, beside: Mapping[str, Path], *, replace: bool = True
) -> Manifest:
    """Put what an archive holds in the place of everything in the ledger, in one transaction.

    Who was forgotten, here or before the archive was made, is forgotten again.

    Raises:
        BackupRefused: The archive is damaged, or not one of ours, or there are notes here already
            and `replace` is False; nothing changed.
        LedgerTooNew: A newer program made it.
    """
    try:
        with ZipFile(file) as archive:
            if archive.testzip():
                raise BadZipFile
            manifest = _manifest(archive, file)
            files = {name: archive.read(f"files/{name}") for name in manifest.files}
            async with ledger.writing() as connection:
                known = await forgotten.entries(connection)
                await connection.run_sync(lambda sync: _load(sync, archive, manifest, replace))
                await forgotten.put_back(connection, known)
                for person in await forgotten.listed(connection, await people(connection)):
                    await forget(connection, person, _AGAIN, datetime.now(UTC))
    except OSError as error:
        raise BackupRefused(f"{file} cannot be read: {error.strerror}.") from error
    except _DAMAGE as error:
        raise BackupRefused(
            f"{file.name} is not a whole backup of a notebook. Nothing changed."
        ) from error
    await ledger.scrub()
    for name in beside.keys() & files.keys():
        _put(beside[name], files[name])
    return manifest


def _put(path: Path, content: bytes) -> None:
    """Replace a file as a whole."""
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        raise BackupRefused(
            f"The notes are restored, but not {path.name}: {error.strerror}."
        ) from error


def _load(
    connection: sa.Connection,
    archive: ZipFile,
    manifest: Manifest,
    replace: bool,
) -> None:
    if connection.dialect.name == "postgresql":
        # In the order in which others take them, so that nobody waits for nobody.
        for name in (*_LOCKED, "identity"):
            connection.exec_driver_sql(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")
    if not replace and connection.execute(sa.select(guilds).limit(1)).first() is not None:
        raise BackupRefused(
            "There are notes here already. Set EREN_HOME or EREN_DATABASE_URL to an empty place, or "
            "overwrite them with --replace."
        )
    # Another program may have tables of its own in the same database.
    ours = [*metadata.tables, "alembic_version"]
    present = sa.MetaData()
    present.reflect(connection, only=lambda name, _: name in ours)
    present.drop_all(connection)
    database.migrate_to(connection, manifest.schema_version)
    then = sa.MetaData()
    kept = {*ours} - {*(table.name for table in _LEFT_OUT), "alembic_version"}
    then.reflect(connection, only=lambda name, _: name in kept)
    if then.tables.keys() != manifest.rows.keys():
        raise ValueError(manifest.rows)
    try:
        _fill(connection, then, archive, manifest)
    except (IntegrityError, DataError, StatementError) as error:
        # The archive's fault, not the database's; but a full disk stays one.
        if isinstance(error, OperationalError):
            raise
        raise ValueError(manifest.rows) from error
    database.migrate_to(connection)
    connection.execute(sa.delete(identity))
    connection.execute(sa.insert(identity).values(ledger_id=uuid4().hex))


def _fill(
    connection: sa.Connection, tables: sa.MetaData, archive: ZipFile, manifest: Manifest
) -> None:
    for table in tables.sorted_tables:
        connection.execute(sa.delete(table))
        count = 0
        for batch in _batches(archive, table):
            connection.execute(sa.insert(table), batch)
            count += len(batch)
        if count != manifest.rows[table.name]:
            raise ValueError(table.name)
        _continue_numbers(connection, table)


def _batches(archive: ZipFile, table: sa.Table) -> Iterator[list[dict[str, Any]]]:
    readers = {column.name: _reader(column.type) for column in table.columns}
    batch: list[dict[str, Any]] = []
    with archive.open(f"{table.name}.jsonl") as lines:
        for line in lines:
            row = json.loads(line)
            batch.append({name: None if v is None else readers[name](v) for name, v in row.items()})
            if len(batch) == _BATCH:
                yield batch
                batch = []
    if batch:
        yield batch


def _continue_numbers(connection: sa.Connection, table: sa.Table) -> None:
    """PostgreSQL counts by itself, and does not know what was loaded."""
    column = table.autoincrement_column
    if connection.dialect.name == "postgresql" and column is not None:
        sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
        highest = sa.select(sa.func.coalesce(sa.func.max(column), 0) + 1).scalar_subquery()
        connection.execute(sa.select(sa.func.setval(sequence, highest, False)))  # noqa: FBT003


def _line(table: sa.Table, row: sa.Row[Any]) -> bytes:
    values = {
        column.name: _plain(column.type, value)
        for column, value in zip(table.columns, row, strict=True)
    }
    return json.dumps(values, ensure_ascii=False).encode() + b"\n"


def _plain(kind: sa.types.TypeEngine[Any], value: Any) -> Any:
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(kind, sa.types.TypeDecorator):
        return kind.process_bind_param(value, sa.engine.default.DefaultDialect())
    return value


def _reader(kind: sa.types.TypeEngine[Any]) -> Callable[[Any], Any]:
    """From JSON to what a reflected column takes; SQLite keeps UUIDs as text."""
    if isinstance(kind, sa.Uuid):
        return UUID
    return datetime.fromisoformat if isinstance(kind, sa.DateTime) else lambda value: value


def _manifest(archive: ZipFile, file: Path) -> Manifest:
    manifest = Manifest.model_validate_json(archive.read(_MANIFEST))
    if manifest.format != _FORMAT:
        raise BackupRefused(f"{file.name} was made by a newer version of this program.")
    return manifest
