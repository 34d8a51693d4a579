"""Tables of the ledger. Changing one means a new migration beside `migrations/versions`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from eren_memory.domain import Probes, Scope

SCHEMA_VERSION = "0004"
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


class ProbesJson(sa.types.TypeDecorator[Probes]):
    """Probes as a JSON object."""

    impl = sa.JSON
    cache_ok = True

    def process_bind_param(self, value: Probes | None, dialect: sa.Dialect) -> Any:
        """To JSON on the way in."""
        return None if value is None else {"change": value.change, "keep": value.keep}

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Probes | None:
        """Probes on the way out."""
        return Probes(tuple(value["change"]), tuple(value["keep"])) if value is not None else None


class ScopeJson(sa.types.TypeDecorator[Scope]):
    """A scope as a JSON list of channels."""

    impl = sa.JSON
    cache_ok = True

    def process_bind_param(self, value: Scope | None, dialect: sa.Dialect) -> Any:
        """To JSON on the way in."""
        return None if value is None else list(value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Scope | None:
        """A tuple on the way out."""
        return None if value is None else tuple(value)


def _revised() -> list[sa.Column[Any]]:
    """Columns of `domain.REVISED`: what notes hold now, and what each revision held."""
    return [
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("question", sa.Text),
        sa.Column("source_url", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("scope", ScopeJson, nullable=False, server_default="[]"),
        sa.Column("valid_from", UtcDateTime),
        sa.Column("valid_until", UtcDateTime),
        sa.Column("review_by", UtcDateTime),
        sa.Column("verified_at", UtcDateTime),
        sa.Column("approved_by", sa.String(64)),
        # Not a foreign key: an import may bring the older note before the newer one.
        sa.Column("superseded_by", sa.Uuid),
        sa.Column(
            "probes", ProbesJson, nullable=False, server_default='{"change": [], "keep": []}'
        ),
    ]


# The one row says which ledger this is: an index made from another one does not fit.
identity = sa.Table("identity", metadata, sa.Column("ledger_id", sa.String(32), primary_key=True))

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
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("author_id", sa.String(64), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    *_revised(),
    # SHA-256 of the normalised text: finds the same statement without a scan.
    sa.Column("text_hash", sa.String(64), nullable=False),
    sa.UniqueConstraint("guild_id", "number"),
    sa.Index(None, "guild_id", "status", "number"),
    sa.Index(None, "guild_id", "text_hash"),
    # By equality only. PostgreSQL keeps it hashed, because a source may be longer than a page of a tree
    # holds; the migration says so, because saying it here would import that dialect everywhere.
    sa.Index(None, "source_url"),
)

revisions = sa.Table(
    "revisions",
    metadata,
    sa.Column("note_id", sa.Uuid, sa.ForeignKey("notes.id"), primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True),
    sa.Column("act", sa.String(32), nullable=False, server_default="add"),
    sa.Column("actor_id", sa.String(64), nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("act_reason", sa.Text),
    sa.Column("act_source", sa.Text),
    *_revised(),
)

audit_events = sa.Table(
    "audit_events",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    # Everything that one person did at once shares it, and is undone together.
    sa.Column("batch", sa.Uuid, nullable=False),
    # The batch that this one took back.
    sa.Column("undoes", sa.Uuid),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("guild_id", sa.String(64), nullable=False),
    sa.Column("actor_id", sa.String(64), nullable=False),
    sa.Column("act", sa.String(32), nullable=False),
    sa.Column("note_id", sa.Uuid, sa.ForeignKey("notes.id")),
    sa.Column("old_revision", sa.Integer),
    sa.Column("new_revision", sa.Integer),
    sa.Column("reason", sa.Text),
    # Where the person was: a link to a message, or a front end.
    sa.Column("source_url", sa.Text),
    sa.Index(None, "guild_id", "at"),
    sa.Index(None, "guild_id", "actor_id", "id"),
    sa.Index(None, "note_id"),
    sa.Index(None, "batch"),
)

# The embedding spaces that have, get or had an index; see `spaces.py`.
spaces = sa.Table(
    "spaces",
    metadata,
    # The embedding model's name. Empty until a program first opens the notebook.
    sa.Column("space", sa.String(255), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    # Whether its model is behind the embeddings endpoint.
    sa.Column("endpoint", sa.Boolean, nullable=False),
    # Whether the settings named it when they were last heeded: the same again is no new wish.
    sa.Column("named", sa.Boolean, nullable=False),
    # Notes that waited for the index when it began to be built.
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("wished_by", sa.String(64)),
    sa.Column("wished_at", UtcDateTime),
    # Of several processes the one that builds it, for as long as it renews this.
    sa.Column("claimed_by", sa.String(32)),
    sa.Column("claimed_until", UtcDateTime),
    sa.Column("kept_until", UtcDateTime),
    sa.Column("refused", sa.Text),
    sa.Column("report", sa.JSON(none_as_null=True)),
)

# Each row says: this note changed, and the index of this space may not know. Removed after a
# checkpoint of that index.
outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("note_id", sa.Uuid, sa.ForeignKey("notes.id"), nullable=False),
    sa.Column("space", sa.String(255), nullable=False, server_default=""),
    # Why it could not be projected when that was last tried.
    sa.Column("reason", sa.Text),
    # What is replaced was erased: the index's files may not keep it.
    sa.Column("scrub", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index(None, "space", "seq"),
    # A number that came back could make one projector delete another's waiting row.
    sqlite_autoincrement=True,
)

# What a guild's administrators chose, and when the bot was removed from it.
communities = sa.Table(
    "communities",
    metadata,
    sa.Column("guild_id", sa.String(64), primary_key=True),
    sa.Column("settings", sa.JSON, nullable=False),
    sa.Column("left_at", UtcDateTime),
)

# Answers as they were given; removed after a while.
answers = sa.Table(
    "answers",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("guild_id", sa.String(64), nullable=False),
    sa.Column("channel_id", sa.String(64), nullable=False),
    sa.Column("channels", ScopeJson, nullable=False),
    sa.Column("asker_id", sa.String(64), nullable=False),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    # Null where nothing could be answered.
    sa.Column("origin", sa.String(16)),
    sa.Column("claim", sa.Boolean, nullable=False),
    sa.Column("private", sa.Boolean, nullable=False),
    sa.Column("missed", sa.Boolean, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("trace", sa.JSON, nullable=False),
    # Not a foreign key: what is followed up is removed earlier.
    sa.Column("parent_id", sa.Uuid),
    sa.Index(None, "guild_id", "at"),
    sa.Index(None, "at"),
)

answer_notes = sa.Table(
    "answer_notes",
    metadata,
    sa.Column("answer_id", sa.Uuid, sa.ForeignKey("answers.id"), primary_key=True),
    sa.Column("note_id", sa.Uuid, sa.ForeignKey("notes.id"), primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Index(None, "note_id"),
)

# A long answer stands in several messages.
answer_messages = sa.Table(
    "answer_messages",
    metadata,
    sa.Column("message_id", sa.String(64), primary_key=True),
    sa.Column("answer_id", sa.Uuid, sa.ForeignKey("answers.id"), nullable=False),
    sa.Column("place", sa.Integer, nullable=False),
    sa.Index(None, "answer_id"),
)

feedback = sa.Table(
    "feedback",
    metadata,
    sa.Column("answer_id", sa.Uuid, sa.ForeignKey("answers.id"), primary_key=True),
    sa.Column("member_id", sa.String(64), primary_key=True),
    sa.Column("helpful", sa.Boolean, nullable=False),
    sa.Column("complaint", sa.String(32)),
    sa.Column("comment", sa.Text),
    sa.Column("at", UtcDateTime, nullable=False),
)

# What waits for moderators, one row a question: opened, closed, and opened again when it comes back.
reviews = sa.Table(
    "reviews",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("guild_id", sa.String(64), nullable=False),
    sa.Column("queue", sa.String(16), nullable=False),
    # SHA-256 of the normalised question.
    sa.Column("question_hash", sa.String(64), nullable=False),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    # Not a foreign key: answers are removed earlier.
    sa.Column("answer_id", sa.Uuid),
    sa.Column("raised_at", UtcDateTime, nullable=False),
    sa.Column("card_channel", sa.String(64)),
    sa.Column("card_message", sa.String(64)),
    sa.Column("closed_by", sa.String(64)),
    sa.Column("closed_at", UtcDateTime),
    sa.Column("outcome", sa.Text),
    sa.UniqueConstraint("guild_id", "queue", "question_hash"),
    sa.Index(None, "guild_id", "closed_at"),
    # Cards name a row by its number, and must never come to mean another one.
    sqlite_autoincrement=True,
)

# The message in the staff's channel that shows a suggested note.
suggestion_cards = sa.Table(
    "suggestion_cards",
    metadata,
    sa.Column("note_id", sa.Uuid, sa.ForeignKey("notes.id"), primary_key=True),
    sa.Column("channel_id", sa.String(64), nullable=False),
    sa.Column("message_id", sa.String(64), nullable=False),
)
