"""Every act on a note: scope, dates, probes, whole revisions, undoable batches, an identity."""

from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Widen notes and revisions, and give each earlier event a batch of its own."""
    identity = op.create_table(
        "identity",
        sa.Column("ledger_id", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("ledger_id", name="pk_identity"),
    )
    op.bulk_insert(identity, [{"ledger_id": uuid4().hex}])
    for column in _revised():
        op.add_column("notes", column)
    for name in ("question", "source_url", "reason"):
        op.add_column("revisions", sa.Column(name, sa.Text))
    for column in _revised():
        op.add_column("revisions", column)
    # Until now these never changed after a note was added.
    op.execute("UPDATE notes SET verified_at = created_at")
    for name in ("question", "source_url", "reason", "verified_at"):
        op.execute(
            f"UPDATE revisions SET {name} = "  # noqa: S608 - The names stand above.
            f"(SELECT notes.{name} FROM notes WHERE notes.id = revisions.note_id)"
        )
    op.add_column(
        "revisions", sa.Column("act", sa.String(32), nullable=False, server_default="add")
    )
    op.add_column("revisions", sa.Column("act_reason", sa.Text))
    op.add_column("revisions", sa.Column("act_source", sa.Text))
    for name, source in (("act", "act"), ("act_reason", "reason"), ("act_source", "source_url")):
        op.execute(
            f"UPDATE revisions SET {name} = (SELECT e.{source} FROM audit_events e "  # noqa: S608
            "WHERE e.note_id = revisions.note_id AND e.new_revision = revisions.revision)"
        )
    op.add_column("audit_events", sa.Column("batch", sa.Uuid))
    op.add_column("audit_events", sa.Column("undoes", sa.Uuid))
    _number_batches()
    with op.batch_alter_table("audit_events") as table:
        table.alter_column("batch", existing_type=sa.Uuid, nullable=False)
    op.create_index(
        "ix_audit_events_guild_id_actor_id_id", "audit_events", ["guild_id", "actor_id", "id"]
    )
    op.create_index("ix_audit_events_batch", "audit_events", ["batch"])


def _revised() -> list[sa.Column[Any]]:
    return [
        sa.Column("scope", sa.JSON, nullable=False, server_default="[]"),
        sa.Column("valid_from", sa.DateTime(timezone=True)),
        sa.Column("valid_until", sa.DateTime(timezone=True)),
        sa.Column("review_by", sa.DateTime(timezone=True)),
        sa.Column("verified_at", sa.DateTime(timezone=True)),
        sa.Column("approved_by", sa.String(64)),
        sa.Column("superseded_by", sa.Uuid),
        sa.Column("probes", sa.JSON, nullable=False, server_default='{"change": [], "keep": []}'),
    ]


def _number_batches() -> None:
    events = sa.table("audit_events", sa.column("id", sa.Integer), sa.column("batch", sa.Uuid))
    connection = op.get_bind()
    ids = connection.execute(sa.select(events.c.id)).scalars().all()
    if ids:
        connection.execute(
            sa.update(events)
            .where(events.c.id == sa.bindparam("event"))
            .values(batch=sa.bindparam("one")),
            [{"event": event, "one": uuid4()} for event in ids],
        )
