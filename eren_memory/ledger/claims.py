"""What only one of several processes does: answer a message, and tell Discord of the commands."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from eren_memory.errors import LedgerError
from eren_memory.ledger.ledger import Ledger
from eren_memory.ledger.runs import clock_of
from eren_memory.ledger.upkeep_schema import heard_messages, published_commands
from eren_memory.ledger.upsert import upsert

# For so long nobody else publishes; a request to Discord takes a few seconds.
_PUBLISHING = timedelta(seconds=60)

_log = logging.getLogger(__name__)


class Claims:
    """Who does it. Every method is one short transaction."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def hear(self, message_ids: Collection[int], now: datetime) -> bool:
        """Take messages for answering, all or none; False if one was taken before.

        Whoever took a message and is killed has not answered it, and nobody will: better than twice.
        Where nobody else could have, one that cannot be taken is answered all the same.

        Raises:
            LedgerError: Nobody can tell, and another process may be at it.
        """
        try:
            async with self._ledger.writing() as connection:
                await _take(connection, message_ids, now)
        except _Taken:
            return False
        except LedgerError as error:
            if self._ledger.shared:
                raise
            _log.warning("A message is answered that could not be noted: %s", error)
        return True

    async def forget_before(self, moment: datetime) -> None:
        """Forget messages that were taken before then: they come no more."""
        async with self._ledger.writing() as connection:
            await connection.execute(sa.delete(heard_messages).where(heard_messages.c.at < moment))

    async def published(self, application_id: str) -> str | None:
        """The digest of the commands that Discord knows; None where that is not known."""
        of = published_commands.c.application_id == application_id
        async with self._ledger.reading() as connection:
            query = sa.select(published_commands.c.digest).where(of)
            digest: str | None = (await connection.execute(query)).scalar()
            return digest

    async def publish(self, application_id: str, digest: str) -> bool:
        """Take the telling of commands; False if they are known, or another process is at it."""
        row = published_commands.c
        async with self._ledger.writing() as connection:
            now = await clock_of(connection)
            key = {"application_id": application_id}
            await connection.execute(upsert(connection, published_commands, key, {}, {}))
            taken = await connection.execute(
                sa.update(published_commands)
                .where(row.application_id == application_id)
                .where(sa.or_(row.digest.is_(None), row.digest != digest))
                .where(sa.or_(row.claimed_until.is_(None), row.claimed_until <= now))
                .values(claimed_until=now + _PUBLISHING)
            )
            return taken.rowcount == 1

    async def told(self, application_id: str, digest: str | None) -> None:
        """Record what Discord knows now, and let others; None if it took nothing."""
        values = {"claimed_until": None} | ({"digest": digest} if digest else {})
        async with self._ledger.writing() as connection:
            await connection.execute(
                sa.update(published_commands)
                .where(published_commands.c.application_id == application_id)
                .values(values)
            )


class _Taken(Exception):
    """Another process has a message."""


async def _take(connection: AsyncConnection, message_ids: Collection[int], now: datetime) -> None:
    # In one order, so that no two wait for each other.
    for message in sorted({*message_ids}):
        key = {"message_id": str(message)}
        made = await connection.execute(upsert(connection, heard_messages, key, {"at": now}, {}))
        if made.rowcount != 1:
            raise _Taken
