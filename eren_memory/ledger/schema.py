"""Tables of the ledger. Changing one means a new migration beside `migrations/versions`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

SCHEMA_VERSION = "0001"
"""The newest migration; a database that names an unknown one is newer than this program."""

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """Aware UTC datetimes; SQLite would hand them back naive."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """To UTC on the way in."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        """Aware on the way out."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


guilds = sa.Table(
    "guilds",
    metadata,
    sa.Column("guild_id", sa.String(64), primary_key=True),
    sa.Column("last_number", sa.Integer, nullable=False),
)

notes = sa.Table(
    "notes",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("guild_id", sa.String(64), sa.ForeignKey("guilds.guild_id"), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    # SHA-256 of the normalised text: finds the same statement without a scan.
    sa.Column("text_hash", sa.String(64), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("author_id", sa.String(64), nullable=False),
    sa.Column("question", sa.Text),
    sa.Column("source_url", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("guild_id", "number"),
    sa.Index(None, "guild_id", "status", "number"),
    sa.Index(None, "guild_id", "text_hash"),
)

revisions = sa.Table(
    "revisions",
    metadata,
    sa.Column("note_id", sa.Uuid, sa.ForeignKey("notes.id"), primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("actor_id", sa.String(64), nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
)

audit_events = sa.Table(
    "audit_events",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("guild_id", sa.String(64), nullable=False),
    sa.Column("actor_id", sa.String(64), nullable=False),
    sa.Column("act", sa.String(32), nullable=False),
    sa.Column("note_id", sa.Uuid, sa.ForeignKey("notes.id")),
    sa.Column("old_revision", sa.Integer),
    sa.Column("new_revision", sa.Integer),
    sa.Column("reason", sa.Text),
    sa.Column("source_url", sa.Text),
    sa.Index(None, "guild_id", "at"),
    sa.Index(None, "note_id"),
)

# Each row says: this note changed, and the index may not know. Removed after a checkpoint.
outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("note_id", sa.Uuid, sa.ForeignKey("notes.id"), nullable=False),
    # A number that came back could make one projector delete another's waiting row.
    sqlite_autoincrement=True,
)
