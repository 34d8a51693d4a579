"""Tables of the daily budgets.

A day is written 2026-11-27, and is that of the guild's clocks; an empty guild is all of them.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from eren_memory.ledger.schema import UtcDateTime, metadata


def _day() -> list[sa.Column[Any]]:
    return [
        sa.Column("guild_id", sa.String(64), primary_key=True),
        sa.Column("day", sa.String(10), primary_key=True),
    ]


def _amounts() -> list[sa.Column[Any]]:
    """Money is in millionths of the currency that the operator's prices are in."""
    return [
        sa.Column("tokens", sa.BigInteger, nullable=False),
        sa.Column("cost", sa.BigInteger, nullable=False),
    ]


# What was used. Whoever reserves or settles locks these rows first, the guild's before all guilds'.
budget_days = sa.Table(
    "budget_days",
    metadata,
    *_day(),
    sa.Column("questions", sa.Integer, nullable=False),
    *_amounts(),
)

# What is set aside for questions under way; of a process that was killed it lapses.
budget_holds = sa.Table(
    "budget_holds",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("guild_id", sa.String(64), nullable=False),
    sa.Column("day", sa.String(10), nullable=False),
    sa.Column("whole_day", sa.String(10), nullable=False),
    # Whose quota the question counts to; null where nobody asked.
    sa.Column("member_id", sa.String(64)),
    sa.Column("questions", sa.Integer, nullable=False),
    *_amounts(),
    sa.Column("expires_at", UtcDateTime, nullable=False),
)

budget_members = sa.Table(
    "budget_members",
    metadata,
    *_day(),
    sa.Column("member_id", sa.String(64), primary_key=True),
    sa.Column("questions", sa.Integer, nullable=False),
    *_amounts(),
)

budget_models = sa.Table(
    "budget_models",
    metadata,
    *_day(),
    sa.Column("model", sa.String(255), primary_key=True),
    sa.Column("calls", sa.Integer, nullable=False),
    sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
    sa.Column("completion_tokens", sa.BigInteger, nullable=False),
    sa.Column("cost", sa.BigInteger, nullable=False),
)

# Who was told what: a row is a warning that is not given again.
budget_warnings = sa.Table(
    "budget_warnings",
    metadata,
    *_day(),
    sa.Column("budget", sa.String(16), primary_key=True),
    sa.Column("percent", sa.Integer, primary_key=True),
)
