"""Notes, revisions, audit events and the outbox."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the first form of the ledger."""
    op.create_table(
        "guilds",
        sa.Column("guild_id", sa.String(64), nullable=False),
        sa.Column("last_number", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("guild_id", name="pk_guilds"),
    )
    op.create_table(
        "notes",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("guild_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("text_hash", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("author_id", sa.String(64), nullable=False),
        sa.Column("question", sa.Text),
        sa.Column("source_url", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notes"),
        sa.ForeignKeyConstraint(["guild_id"], ["guilds.guild_id"], name="fk_notes_guild_id"),
        sa.UniqueConstraint("guild_id", "number", name="uq_notes_guild_id_number"),
    )
    op.create_index("ix_notes_guild_id_status_number", "notes", ["guild_id", "status", "number"])
    op.create_index("ix_notes_guild_id_text_hash", "notes", ["guild_id", "text_hash"])
    op.create_table(
        "revisions",
        sa.Column("note_id", sa.Uuid, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("actor_id", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("note_id", "revision", name="pk_revisions"),
        sa.ForeignKeyConstraint(["note_id"], ["notes.id"], name="fk_revisions_note_id"),
    )
    op.create_table(
        "audit_events",
        sa.Column("id", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("guild_id", sa.String(64), nullable=False),
        sa.Column("actor_id", sa.String(64), nullable=False),
        sa.Column("act", sa.String(32), nullable=False),
        sa.Column("note_id", sa.Uuid),
        sa.Column("old_revision", sa.Integer),
        sa.Column("new_revision", sa.Integer),
        sa.Column("reason", sa.Text),
        sa.Column("source_url", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_audit_events"),
        sa.ForeignKeyConstraint(["note_id"], ["notes.id"], name="fk_audit_events_note_id"),
    )
    op.create_index("ix_audit_events_guild_id_at", "audit_events", ["guild_id", "at"])
    op.create_index("ix_audit_events_note_id", "audit_events", ["note_id"])
    op.create_table(
        "outbox",
        sa.Column("seq", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("note_id", sa.Uuid, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_outbox"),
        sa.ForeignKeyConstraint(["note_id"], ["notes.id"], name="fk_outbox_note_id"),
        sqlite_autoincrement=True,
    )
