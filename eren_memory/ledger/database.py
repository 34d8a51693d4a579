"""Opening the database: engine, SQLite's settings, migrations, and errors in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from eren_memory.errors import LedgerError, LedgerTooNew
from eren_memory.ledger.schema import SCHEMA_VERSION

# Milliseconds that a writer waits for another one before it reports a locked database.
_BUSY_TIMEOUT = 15_000


def create_engine(url: str) -> AsyncEngine:
    """An engine for `url`; SQLite gets WAL, foreign keys and durable, immediate transactions."""
    try:
        engine = create_async_engine(url)
    except (ArgumentError, InvalidRequestError, ImportError) as error:
        # The URL may hold a password: name the variable, not the value.
        raise LedgerError(
            "EREN_DATABASE_URL is not usable. It looks like sqlite+aiosqlite:////folder/notebook.db "
            "and needs an async driver that is installed."
        ) from error
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine.sync_engine, "connect", _set_up_sqlite)
        sa.event.listen(engine.sync_engine, "begin", _begin)
    return engine


def writing(engine: AsyncEngine) -> AsyncEngine:
    """The same engine, for transactions that write."""
    return engine.execution_options(eren_writes=True)


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not open transactions by itself: `_begin` does.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {_BUSY_TIMEOUT}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
    ):
        try:
            cursor.execute(f"PRAGMA {pragma}")
        except Exception:
            # The pool does not know it yet, and its thread would outlive the event loop.
            connection.close()
            raise
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    # A deferred transaction that reads first and writes later can fail without waiting.
    writes = connection.get_execution_options().get("eren_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


async def migrate(engine: AsyncEngine) -> None:
    """Bring the schema to `SCHEMA_VERSION`. Raises `LedgerTooNew` for a newer database."""
    async with writing(engine).begin() as connection:
        await connection.run_sync(_migrate)


def _migrate(connection: sa.Connection) -> None:
    found = _version(connection)
    if found == SCHEMA_VERSION:
        return
    # Loaded only when there is something to do: it costs a tenth of a second at every start.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(files("eren_memory.ledger") / "migrations"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise LedgerTooNew(
            f"The notebook's database has schema version {found}; this program knows up to "
            f"{SCHEMA_VERSION}. Install the newer version that wrote it."
        )
    command.upgrade(config, "head")


def _version(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.exec_driver_sql(
        "SELECT version_num FROM alembic_version"
    ).scalar()
    return found


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Turn the driver's errors into `LedgerError` with the cure."""
    try:
        yield
    except DBAPIError as error:
        raise LedgerError(_explain(str(error.orig).lower(), url)) from error
    except OSError as error:
        raise LedgerError(
            f"The notebook's database cannot be reached: {error.strerror}."
        ) from error


def _explain(reason: str, url: str) -> str:
    where = Path(sa.make_url(url).database or "").name or "the database"
    causes = {
        "unable to open": f"Cannot open {where}. Check that the folder exists and is writable.",
        "readonly": f"{where} is read-only. Make the file and its folder writable; nothing was saved.",
        "locked": f"{where} is locked by another program. Nothing was saved; try again.",
        "full": "The disk is full. Nothing was saved; free some space and try again.",
        "disk i/o": f"The disk failed while using {where}. Nothing was saved.",
        "malformed": f"{where} is damaged. Restore it from a backup.",
        "not a database": f"{where} is not a database. Move it away or restore it from a backup.",
    }
    for mark, text in causes.items():
        if mark in reason:
            return text
    return "The notebook's database cannot be reached. Check EREN_DATABASE_URL and try again."
