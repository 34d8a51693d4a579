"""Insert or update, which every database spells in its own way."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

if TYPE_CHECKING:
    from sqlalchemy.dialects import sqlite


def upsert(
    connection: AsyncConnection,
    table: sa.Table,
    key: Mapping[str, Any],
    values: Mapping[str, Any],
    changed: Mapping[str, Any] | None = None,
) -> sa.Executable:
    """A statement that makes the row, or changes the one with that key.

    Args:
        connection: Whose database it is for.
        table: Where the row is.
        key: The columns of a unique constraint, with their values.
        values: The other columns of a new row.
        changed: What to set in a row that is there; nothing for {}, `values` if left out.
    """
    # That of one database is in use; the other's dialect would be imported for nothing.
    dialect = import_module(f"sqlalchemy.dialects.{connection.dialect.name}")
    made: sqlite.Insert = dialect.insert(table).values(**key, **values)
    then = values if changed is None else changed
    if not then:
        return made.on_conflict_do_nothing(index_elements=list(key))
    return made.on_conflict_do_update(index_elements=list(key), set_=dict(then))
