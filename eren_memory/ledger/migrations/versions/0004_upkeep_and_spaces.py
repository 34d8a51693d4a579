"""Jobs and leases, audits, embedding spaces with an outbox each, budgets, claims, the forgotten."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make their tables."""
    _jobs()
    _audits()
    _spaces()
    _budgets()
    _claims()
    _forgotten()


def _jobs() -> None:
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


def _audits() -> None:
    op.create_index("ix_notes_source_url", "notes", ["source_url"], postgresql_using="hash")
    op.create_table(
        "audits",
        sa.Column("guild_id", sa.String(64), nullable=False),
        sa.Column("watched_since", _TIME, nullable=False),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("finished_at", _TIME),
        sa.Column("complete", sa.Boolean, nullable=False),
        sa.Column("calls", sa.Integer, nullable=False),
        sa.Column("prompt_tokens", sa.Integer, nullable=False),
        sa.Column("completion_tokens", sa.Integer, nullable=False),
        sa.Column("digest_at", _TIME),
        sa.PrimaryKeyConstraint("guild_id", name="pk_audits"),
    )
    _of_pairs(
        "findings",
        sa.Column("guild_id", sa.String(64), nullable=False),
        sa.Column("urgency", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("other_revision", sa.Integer, nullable=False),
        sa.Column("since", _TIME),
        sa.Column("count", sa.Integer),
        sa.Column("total", sa.Integer),
        sa.Column("p", sa.Float),
        sa.Column("found_at", _TIME, nullable=False),
        sa.Column("seen_at", _TIME, nullable=False),
        sa.Column("told_at", _TIME),
        sa.Column("snoozed_until", _TIME),
        sa.Column("snoozed_by", sa.String(64)),
        sa.PrimaryKeyConstraint("kind", "note_id", "other_id", name="pk_findings"),
    )
    op.create_index("ix_findings_guild_id_urgency", "findings", ["guild_id", "urgency"])
    _of_pairs(
        "checks",
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("guild_id", sa.String(64), nullable=False),
        sa.Column("basis", sa.String(64), nullable=False),
        sa.Column("circumstances", sa.String(64), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("p", sa.Float),
        sa.Column("asked_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("kind", "note_id", "other_id", "place", name="pk_checks"),
    )
    op.create_index("ix_checks_guild_id_kind_outcome", "checks", ["guild_id", "kind", "outcome"])
    _of_notes("source_changes", sa.Column("change", sa.String(16), nullable=False), "at")
    _of_notes("note_uses", None, "last_at")


def _of_pairs(table: str, *columns: sa.Column[Any] | sa.Constraint) -> None:
    op.create_table(
        table,
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("note_id", sa.Uuid, nullable=False),
        sa.Column("other_id", sa.Uuid, nullable=False),
        *columns,
        sa.ForeignKeyConstraint(["note_id"], ["notes.id"], name=f"fk_{table}_note_id"),
        sa.ForeignKeyConstraint(["other_id"], ["notes.id"], name=f"fk_{table}_other_id"),
    )
    for column in ("note_id", "other_id"):
        op.create_index(f"ix_{table}_{column}", table, [column])


def _of_notes(table: str, column: sa.Column[Any] | None, at: str) -> None:
    op.create_table(
        table,
        sa.Column("note_id", sa.Uuid, nullable=False),
        *([column] if column is not None else []),
        sa.Column(at, _TIME, nullable=False),
        sa.PrimaryKeyConstraint("note_id", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(["note_id"], ["notes.id"], name=f"fk_{table}_note_id"),
    )


def _spaces() -> None:
    # The live one has no name until a program opens the notebook.
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
    op.add_column("outbox", sa.Column("reason", sa.Text))
    op.create_index("ix_outbox_space_seq", "outbox", ["space", "seq"])
    op.add_column(
        "outbox", sa.Column("scrub", sa.Boolean, nullable=False, server_default=sa.false())
    )


def _budgets() -> None:
    op.create_table(
        "budget_holds",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("guild_id", sa.String(64), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("whole_day", sa.String(10), nullable=False),
        sa.Column("member_id", sa.String(64)),
        *_amounts("questions"),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_budget_holds"),
    )
    _of_days("budget_days", None, *_amounts("questions"))
    member = sa.Column("member_id", sa.String(64), nullable=False)
    _of_days("budget_members", member, *_amounts("questions"))
    model = sa.Column("model", sa.String(255), nullable=False)
    tokens = ("prompt_tokens", "completion_tokens")
    _of_days("budget_models", model, *_amounts("calls", tokens))
    op.create_table(
        "budget_warnings",
        sa.Column("guild_id", sa.String(64), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("budget", sa.String(16), nullable=False),
        sa.Column("percent", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("guild_id", "day", "budget", "percent", name="pk_budget_warnings"),
    )


def _amounts(count: str, tokens: tuple[str, ...] = ("tokens",)) -> list[sa.Column[Any]]:
    large = [sa.Column(name, sa.BigInteger, nullable=False) for name in (*tokens, "cost")]
    return [sa.Column(count, sa.Integer, nullable=False), *large]


def _of_days(table: str, key: sa.Column[Any] | None, *amounts: sa.Column[Any]) -> None:
    keys = [key] if key is not None else []
    op.create_table(
        table,
        sa.Column("guild_id", sa.String(64), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        *keys,
        *amounts,
        sa.PrimaryKeyConstraint(
            "guild_id", "day", *(column.name for column in keys), name=f"pk_{table}"
        ),
    )


def _claims() -> None:
    op.create_table(
        "heard_messages",
        sa.Column("message_id", sa.String(64), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("message_id", name="pk_heard_messages"),
    )
    op.create_index("ix_heard_messages_at", "heard_messages", ["at"])
    op.create_table(
        "published_commands",
        sa.Column("application_id", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64)),
        sa.Column("claimed_until", _TIME),
        sa.PrimaryKeyConstraint("application_id", name="pk_published_commands"),
    )


def _forgotten() -> None:
    op.create_table(
        "forgotten",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("salt", sa.String(32), nullable=False),
        sa.Column("day", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_forgotten"),
    )
