"""Tables of the upkeep: what audits found, asked and have to know, how the jobs went, who does what.

No text of a note stands here: where a note is named, its id is enough.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from eren_memory.ledger.schema import UtcDateTime, metadata

# The last audit of each guild, and its last digest.
audits = sa.Table(
    "audits",
    metadata,
    sa.Column("guild_id", sa.String(64), primary_key=True),
    # From then on it is known which notes answered.
    sa.Column("watched_since", UtcDateTime, nullable=False),
    sa.Column("started_at", UtcDateTime, nullable=False),
    # Null until the first one came to its end.
    sa.Column("finished_at", UtcDateTime),
    sa.Column("complete", sa.Boolean, nullable=False),
    sa.Column("calls", sa.Integer, nullable=False),
    sa.Column("prompt_tokens", sa.Integer, nullable=False),
    sa.Column("completion_tokens", sa.Integer, nullable=False),
    sa.Column("digest_at", UtcDateTime),
)


def _pair() -> list[sa.Column[Any]]:
    """A note, and the other one where two are concerned; else itself: nothing has no key."""
    return [
        sa.Column("note_id", sa.Uuid, sa.ForeignKey("notes.id"), primary_key=True),
        sa.Column("other_id", sa.Uuid, sa.ForeignKey("notes.id"), primary_key=True),
    ]


# What an audit found. It counts while both notes are at the revision in which it was found.
findings = sa.Table(
    "findings",
    metadata,
    sa.Column("kind", sa.String(16), primary_key=True),
    *_pair(),
    sa.Column("guild_id", sa.String(64), nullable=False),
    sa.Column("urgency", sa.Integer, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("other_revision", sa.Integer, nullable=False),
    # The evidence, as `staleness.Finding` has it.
    sa.Column("since", UtcDateTime),
    sa.Column("count", sa.Integer),
    sa.Column("total", sa.Integer),
    sa.Column("p", sa.Float),
    sa.Column("found_at", UtcDateTime, nullable=False),
    # By the last audit that looked.
    sa.Column("seen_at", UtcDateTime, nullable=False),
    # In a digest.
    sa.Column("told_at", UtcDateTime),
    sa.Column("snoozed_until", UtcDateTime),
    sa.Column("snoozed_by", sa.String(64)),
    sa.Index(None, "guild_id", "urgency"),
    sa.Index(None, "note_id"),
    sa.Index(None, "other_id"),
)

# What the model was asked for an audit, and what came of it.
checks = sa.Table(
    "checks",
    metadata,
    sa.Column("kind", sa.String(16), primary_key=True),
    *_pair(),
    # Of a probe among its note's.
    sa.Column("place", sa.Integer, primary_key=True),
    sa.Column("guild_id", sa.String(64), nullable=False),
    # Two hashes: what was asked about, and what else the reply depends on.
    sa.Column("basis", sa.String(64), nullable=False),
    sa.Column("circumstances", sa.String(64), nullable=False),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("p", sa.Float),
    sa.Column("asked_at", UtcDateTime, nullable=False),
    sa.Index(None, "guild_id", "kind", "outcome"),
    sa.Index(None, "note_id"),
    sa.Index(None, "other_id"),
)

# The message that a note comes from is gone, or says something else.
source_changes = sa.Table(
    "source_changes",
    metadata,
    sa.Column("note_id", sa.Uuid, sa.ForeignKey("notes.id"), primary_key=True),
    sa.Column("change", sa.String(16), nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
)

# When a note answered last; answers themselves are kept for a while only.
note_uses = sa.Table(
    "note_uses",
    metadata,
    sa.Column("note_id", sa.Uuid, sa.ForeignKey("notes.id"), primary_key=True),
    sa.Column("last_at", UtcDateTime, nullable=False),
)

# Each job's last run, and the lease of whoever is at it; the guild is empty for jobs about all.
job_runs = sa.Table(
    "job_runs",
    metadata,
    sa.Column("job", sa.String(64), primary_key=True),
    sa.Column("guild_id", sa.String(64), primary_key=True),
    # When it last began what went well: what was due since then is due now.
    sa.Column("since", UtcDateTime, nullable=False),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("ok", sa.Boolean),
    sa.Column("result", sa.Text),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("retry_at", UtcDateTime),
    # Counts the claims: an earlier one's holder can no longer write.
    sa.Column("token", sa.Integer, nullable=False),
    sa.Column("holder", sa.String(64)),
    sa.Column("expires_at", UtcDateTime),
)

# Messages that a process has begun to answer; kept for a day. Of several processes that see a message
# the one that makes the row answers.
heard_messages = sa.Table(
    "heard_messages",
    metadata,
    sa.Column("message_id", sa.String(64), primary_key=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Index(None, "at"),
)

# The commands that Discord knows of each application, and until when a process is telling it others.
published_commands = sa.Table(
    "published_commands",
    metadata,
    sa.Column("application_id", sa.String(64), primary_key=True),
    # SHA-256 of the commands.
    sa.Column("digest", sa.String(64)),
    sa.Column("claimed_until", UtcDateTime),
)
