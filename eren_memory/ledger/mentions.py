"""A person's id in what others wrote: found, and replaced by a pseudonym."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from eren_memory.ledger.places import Holds, columns

# Discord's ids have 17 digits and more. A shorter number, or a name, may mean anything in a sentence.
_DIGITS = 15


class Mention:
    """One person's id, as it may stand in texts and in JSON."""

    def __init__(self, person: str) -> None:
        self.person = person
        self._in_words: re.Pattern[str] | None = None
        if person.isdecimal() and len(person) >= _DIGITS:
            self._in_words = re.compile(rf"<@!?{person}>|(?<!\d){person}(?!\d)")

    @property
    def columns(self) -> list[sa.Column[Any]]:
        """Where it may stand."""
        words = columns(Holds.WORDS) if self._in_words else []
        return [*words, *columns(Holds.JSON)]

    def in_words(self, column: sa.Column[Any]) -> sa.ColumnElement[bool]:
        """Whether it may stand in a text; `rows` looks closely."""
        return column.contains(self.person) if self._in_words else sa.false()

    def replaced(self, value: Any, by: str) -> Any:
        """A text, or a JSON value with all that is in it, with the id replaced."""
        if isinstance(value, str):
            if value == self.person:
                return by
            return self._in_words.sub(by, value) if self._in_words else value
        if isinstance(value, dict):
            return {key: self.replaced(one, by) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self.replaced(one, by) for one in value)
        return value

    async def rows(
        self, connection: AsyncConnection, column: sa.Column[Any], by: str
    ) -> AsyncIterator[tuple[dict[str, Any], Any]]:
        """Rows of a column in which it stands: their keys, and the value with it replaced."""
        keys = [*column.table.primary_key.columns]
        as_text = sa.cast(column, sa.Text)
        # As JSON has it; SQLite and PostgreSQL keep JSON as the text that it came as.
        spelled = json.dumps(self.person)[1:-1]
        query = sa.select(*keys, column.label("value")).where(
            as_text.contains(spelled, autoescape=True)
        )
        for row in (await connection.execute(query)).all():
            after = _through(column, lambda value: self.replaced(value, by))(row.value)
            if after != row.value:
                yield {key.name: getattr(row, key.name) for key in keys}, after


def _through(column: sa.Column[Any], change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A change of plain values, for the values of a column, which may be ours."""
    kind = column.type
    if not isinstance(kind, sa.types.TypeDecorator):
        return change
    dialect = sa.engine.default.DefaultDialect()
    return lambda value: kind.process_result_value(
        _listed(change(kind.process_bind_param(value, dialect))), dialect
    )


def _listed(value: Any) -> Any:
    return json.loads(json.dumps(value))
