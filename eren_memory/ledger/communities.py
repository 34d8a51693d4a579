"""What each guild's administrators chose, and whether the bot is still there."""

from __future__ import annotations

import json
import logging
from datetime import datetime

import sqlalchemy as sa
from pydantic import TypeAdapter, ValidationError
from uuid_utils.compat import uuid7

from eren_memory.community import GuildBudget, GuildSettings
from eren_memory.domain import By
from eren_memory.errors import LedgerError
from eren_memory.ledger.budget_schema import (
    budget_days,
    budget_members,
    budget_models,
    budget_warnings,
)
from eren_memory.ledger.ledger import Ledger
from eren_memory.ledger.schema import audit_events, communities
from eren_memory.ledger.upkeep_schema import audits, job_runs
from eren_memory.ledger.upsert import upsert

_ADAPTER = TypeAdapter(GuildSettings)
# As text: a row that is no JSON shall be an error of ours, and of that guild alone.
_SETTINGS = sa.cast(communities.c.settings, sa.Text)
_log = logging.getLogger(__name__)


class Communities:
    """Settings of every guild. Every method is one transaction."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        # Guilds of which the log says it already.
        self._unreadable: set[str] = set()

    async def settings(self, guild_id: str) -> GuildSettings:
        """What the guild chose; the defaults if it chose nothing."""
        query = sa.select(_SETTINGS).where(communities.c.guild_id == guild_id)
        async with self._ledger.reading() as connection:
            kept = (await connection.execute(query)).scalar()
        return GuildSettings() if kept is None else _read(guild_id, kept)

    async def time_zones(self) -> dict[str, str]:
        """The time zone of each guild that chose one."""
        return {guild: one.time_zone for guild, one in (await self._all()).items() if one.time_zone}

    async def with_days(self) -> dict[str, GuildSettings]:
        """The settings of each guild that chose a budget, or when its days begin."""
        return {
            guild: one
            for guild, one in (await self._all()).items()
            if one.time_zone or one.budget != GuildBudget()
        }

    async def _all(self) -> dict[str, GuildSettings]:
        """Of every guild; one whose settings cannot be read keeps none of the others from theirs."""
        query = sa.select(communities.c.guild_id, _SETTINGS)
        async with self._ledger.reading() as connection:
            rows = (await connection.execute(query)).all()
        found: dict[str, GuildSettings] = {}
        for guild_id, kept in rows:
            try:
                found[guild_id] = _read(guild_id, kept)
            except LedgerError as error:
                if guild_id not in self._unreadable:
                    self._unreadable.add(guild_id)
                    _log.warning("%s", error)
        return found

    async def choose(self, guild_id: str, chosen: GuildSettings, by: By, now: datetime) -> None:
        """Save a guild's settings; the audit trail says who changed what."""
        before = _ADAPTER.dump_python(await self.settings(guild_id), mode="json")
        after = _ADAPTER.dump_python(chosen, mode="json")
        changed = {name: [before[name], new] for name, new in after.items() if before[name] != new}
        if not changed:
            return
        async with self._ledger.writing() as connection:
            await connection.execute(
                upsert(connection, communities, {"guild_id": guild_id}, {"settings": after})
            )
            await connection.execute(
                sa.insert(audit_events).values(
                    batch=uuid7(),
                    at=now,
                    guild_id=guild_id,
                    actor_id=by.actor_id,
                    act="settings",
                    reason=json.dumps(changed, ensure_ascii=False),
                    source_url=by.where,
                )
            )

    async def left(self, guild_id: str, now: datetime) -> None:
        """The bot was removed from a guild: from now on its notes are kept for a while only."""
        async with self._ledger.writing() as connection:
            defaults = _ADAPTER.dump_python(GuildSettings(), mode="json")
            await connection.execute(
                upsert(
                    connection,
                    communities,
                    {"guild_id": guild_id},
                    {"settings": defaults, "left_at": now},
                    {"left_at": sa.func.coalesce(communities.c.left_at, now)},
                )
            )

    async def present(self, guild_ids: list[str]) -> None:
        """The bot is in these guilds, whatever was before."""
        async with self._ledger.writing() as connection:
            await connection.execute(
                sa.update(communities)
                .where(communities.c.guild_id.in_(guild_ids), communities.c.left_at.is_not(None))
                .values(left_at=None)
            )

    async def departed(self, before: datetime) -> list[tuple[str, datetime]]:
        """Guilds that removed the bot before then, and when."""
        query = sa.select(communities.c.guild_id, communities.c.left_at).where(
            communities.c.left_at < before
        )
        async with self._ledger.reading() as connection:
            return [(row.guild_id, row.left_at) for row in await connection.execute(query)]

    async def forget(self, guild_id: str) -> None:
        """Delete what a guild chose and used, when it was audited, and when jobs ran for it."""
        used = (budget_days, budget_members, budget_models, budget_warnings)
        async with self._ledger.writing() as connection:
            for table in (communities, audits, job_runs, *used):
                await connection.execute(sa.delete(table).where(table.c.guild_id == guild_id))


def _read(guild_id: str, kept: str) -> GuildSettings:
    try:
        return _ADAPTER.validate_json(kept)
    except ValidationError as error:
        raise LedgerError(f"The settings of guild {guild_id} cannot be read.") from error
