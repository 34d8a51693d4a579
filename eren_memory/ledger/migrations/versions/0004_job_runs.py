"""When each job ran last, what came of it, and which process is at it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the table of jobs."""
    op.create_table(
        "job_runs",
        sa.Column("job", sa.String(64), nullable=False),
        sa.Column("guild_id", sa.String(64), nullable=False),
        sa.Column("since", _TIME, nullable=False),
        sa.Column("ended_at", _TIME),
        sa.Column("ok", sa.Boolean),
        sa.Column("result", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("retry_at", _TIME),
        sa.Column("token", sa.Integer, nullable=False),
        sa.Column("holder", sa.String(64)),
        sa.Column("expires_at", _TIME),
        sa.PrimaryKeyConstraint("job", "guild_id", name="pk_job_runs"),
    )
