"""Opening the database: engine, SQLite's settings, migrations, and errors in our words."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidRequestError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from eren_memory.errors import LedgerError, LedgerTooNew
from eren_memory.ledger.schema import SCHEMA_VERSION

# Milliseconds that a writer waits for another one before it reports a locked database.
BUSY_TIMEOUT = 15_000
# Milliseconds after which the switch to a write-ahead log is tried again.
_SWITCH_AGAIN = 50
# Milliseconds that a thorough scrubbing waits for those who read.
_READERS_TIMEOUT = 2_000
_POSTGRESQL = "postgresql+asyncpg"
# Processes that start at once migrate one after the other. The number means nothing.
_MIGRATION_LOCK = 3_747_001


def url_in(home: Path) -> str:
    """The URL of the ledger in a data folder, which is made. Raises `LedgerError`."""
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(
            f"The data folder {home} cannot be made ({error.strerror}). "
            "Set EREN_HOME to a folder that you can write to."
        ) from error
    return f"sqlite+aiosqlite:///{home / 'notebook.db'}"


def create_engine(url: str) -> AsyncEngine:
    """An engine for `url`; SQLite gets foreign keys and durable, immediate transactions.

    A URL without a driver (`postgresql://…`, `sqlite:///…`) gets the one this program uses.
    """
    try:
        given = sa.make_url(url)
        # An error that quotes its statement's values would write notes into the log.
        engine = create_async_engine(_with_driver(given), hide_parameters=True)
    except (ArgumentError, InvalidRequestError, ImportError) as error:
        # The URL may hold a password: name the variable, not the value.
        raise LedgerError(
            "EREN_DATABASE_URL is not usable. It looks like sqlite:////folder/notebook.db or "
            "postgresql://user:password@host/database; PostgreSQL needs: "
            "pip install 'eren-bot[postgresql]'."
        ) from error
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine.sync_engine, "connect", _set_up_sqlite)
        sa.event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _with_driver(given: sa.URL) -> sa.URL:
    """The URL with our driver, and with libpq's `sslmode` as that driver calls it."""
    usual = {"sqlite": "sqlite+aiosqlite", "postgres": _POSTGRESQL, "postgresql": _POSTGRESQL}
    url = given.set(drivername=usual.get(given.drivername, given.drivername))
    mode = url.query.get("sslmode")
    if mode is None or url.drivername != _POSTGRESQL:
        return url
    return url.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})


def writing(engine: AsyncEngine) -> AsyncEngine:
    """The same engine, for transactions that write."""
    return engine.execution_options(eren_begin="BEGIN IMMEDIATE")


def bare(engine: AsyncEngine) -> AsyncEngine:
    """SQLite without a transaction around, which some of its pragmas do not allow."""
    return engine.execution_options(eren_begin=None)


def single(engine: AsyncEngine) -> AsyncEngine:
    """The same engine, for reads of one statement, which need no transaction around them."""
    if engine.dialect.name == "sqlite":
        return bare(engine)
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def frozen(engine: AsyncEngine) -> AsyncEngine:
    """The same engine, for transactions that see one moment however long they last."""
    if engine.dialect.name == "sqlite":
        return engine  # WAL: every transaction does.
    return engine.execution_options(isolation_level="REPEATABLE READ")


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not open transactions by itself: `_begin` does.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {BUSY_TIMEOUT}",
        "synchronous = FULL",
        "foreign_keys = ON",
        # What is deleted for privacy is overwritten, not only unlinked.
        "secure_delete = ON",
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
    if (begin := connection.get_execution_options().get("eren_begin", "BEGIN")) is not None:
        connection.exec_driver_sql(begin)


async def migrate(engine: AsyncEngine) -> None:
    """Bring the schema to `SCHEMA_VERSION`. Raises `LedgerTooNew` for a newer database."""
    if engine.dialect.name == "sqlite":
        await _keep_a_log(engine)
    async with writing(engine).begin() as connection:
        await connection.run_sync(migrate_to)


async def _keep_a_log(engine: AsyncEngine) -> None:
    """Switch the file to a write-ahead log, which it then keeps.

    SQLite does not wait for others with this: of two processes that make a database at once, one is
    refused at once, whatever its busy timeout.
    """
    for last in (False,) * (BUSY_TIMEOUT // _SWITCH_AGAIN) + (True,):
        try:
            async with bare(engine).connect() as connection:
                await connection.exec_driver_sql("PRAGMA journal_mode = WAL")
                return
        except OperationalError as error:
            if last or "locked" not in str(error.orig):
                raise
        await asyncio.sleep(_SWITCH_AGAIN / 1000)


async def scrub(engine: AsyncEngine, *, thoroughly: bool) -> bool:
    """Move what SQLite's log holds into the file; False where somebody's reading kept it from that.

    Thoroughly, the file is written anew before, and those who read are waited for.
    """
    try:
        async with bare(engine).connect() as connection:
            if thoroughly:
                await connection.exec_driver_sql("VACUUM")
            wait = _READERS_TIMEOUT if thoroughly else 0
            await connection.exec_driver_sql(f"PRAGMA busy_timeout = {wait}")
            log = await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            busy = log.scalar()
            await connection.exec_driver_sql(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
            return not busy
    except sa.exc.SQLAlchemyError:
        return False


def migrate_to(connection: sa.Connection, version: str = SCHEMA_VERSION) -> None:
    """Bring the schema to `version`, in the caller's transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
    found = _version(connection)
    if found == version:
        return
    # Loaded only when there is something to do: it costs a tenth of a second at every start.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(files("eren_memory.ledger") / "migrations"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if unknown := {found, version} - known - {None}:
        raise LedgerTooNew(
            f"The notebook has schema version {unknown.pop()}; this program knows up to "
            f"{SCHEMA_VERSION}. Install the newer version that wrote it."
        )
    command.upgrade(config, version)


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
    except PoolTimeout as error:
        raise LedgerError("The database is too busy. Nothing was saved; try again.") from error
    except OSError as error:
        raise LedgerError(
            f"The notebook's database cannot be reached: {error.strerror or 'no answer'}."
        ) from error


def _explain(reason: str, url: str) -> str:
    where = Path(sa.make_url(url).database or "").name or "the database"
    causes = {
        "unable to open": f"Cannot open {where}. Check that the folder exists and is writable.",
        "readonly": f"{where} is read-only. Make the file and its folder writable; nothing was saved.",
        "deadlock": "Two writers were in each other's way. Nothing was saved; try again.",
        "locked": f"{where} is locked by another program. Nothing was saved; try again.",
        "full": "The disk is full. Nothing was saved; free some space and try again.",
        "disk i/o": f"The disk failed while using {where}. Nothing was saved.",
        "malformed": f"{where} is damaged. Restore it from a backup.",
        "does not exist": f"The server has no database {where}. Create it first.",
        "authentication": "The database refused the user or password in EREN_DATABASE_URL.",
        "not a database": f"{where} is not a database. Move it away or restore it from a backup.",
    }
    for mark, text in causes.items():
        if mark in reason:
            return text
    return "The notebook's database cannot be reached. Check EREN_DATABASE_URL and try again."
