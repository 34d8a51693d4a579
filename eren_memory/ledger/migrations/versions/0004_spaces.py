"""Embedding spaces, each with an outbox of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the table of spaces; the live one has no name until a program opens the notebook."""
    spaces = op.create_table(
        "spaces",
        sa.Column("space", sa.String(255), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("endpoint", sa.Boolean, nullable=False),
        sa.Column("named", sa.Boolean, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("wished_by", sa.String(64)),
        sa.Column("wished_at", _TIME),
        sa.Column("claimed_by", sa.String(32)),
        sa.Column("claimed_until", _TIME),
        sa.Column("kept_until", _TIME),
        sa.Column("refused", sa.Text),
        sa.Column("report", sa.JSON),
        sa.PrimaryKeyConstraint("space", name="pk_spaces"),
    )
    unnamed = {"space": "", "state": "live", "endpoint": False, "named": False, "total": 0}
    op.bulk_insert(spaces, [unnamed])
    op.add_column("outbox", sa.Column("space", sa.String(255), nullable=False, server_default=""))
    op.create_index("ix_outbox_space_seq", "outbox", ["space", "seq"])
