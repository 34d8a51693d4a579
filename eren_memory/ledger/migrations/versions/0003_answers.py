"""What communities choose, the answers they were given, what people said of them, and what waits."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables beside the notebook's."""
    op.create_table(
        "communities",
        sa.Column("guild_id", sa.String(64), nullable=False),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.Column("left_at", _TIME),
        sa.PrimaryKeyConstraint("guild_id", name="pk_communities"),
    )
    _answers()
    op.create_table(
        "feedback",
        sa.Column("answer_id", sa.Uuid, nullable=False),
        sa.Column("member_id", sa.String(64), nullable=False),
        sa.Column("helpful", sa.Boolean, nullable=False),
        sa.Column("complaint", sa.String(32)),
        sa.Column("comment", sa.Text),
        sa.Column("at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("answer_id", "member_id", name="pk_feedback"),
        sa.ForeignKeyConstraint(["answer_id"], ["answers.id"], name="fk_feedback_answer_id"),
    )
    op.create_table(
        "reviews",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=True),
        sa.Column("guild_id", sa.String(64), nullable=False),
        sa.Column("queue", sa.String(16), nullable=False),
        sa.Column("question_hash", sa.String(64), nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("answer_id", sa.Uuid),
        sa.Column("raised_at", _TIME, nullable=False),
        sa.Column("card_channel", sa.String(64)),
        sa.Column("card_message", sa.String(64)),
        sa.Column("closed_by", sa.String(64)),
        sa.Column("closed_at", _TIME),
        sa.Column("outcome", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_reviews"),
        sa.UniqueConstraint(
            "guild_id", "queue", "question_hash", name="uq_reviews_guild_id_queue_question_hash"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_reviews_guild_id_closed_at", "reviews", ["guild_id", "closed_at"])
    op.create_table(
        "suggestion_cards",
        sa.Column("note_id", sa.Uuid, nullable=False),
        sa.Column("channel_id", sa.String(64), nullable=False),
        sa.Column("message_id", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("note_id", name="pk_suggestion_cards"),
        sa.ForeignKeyConstraint(["note_id"], ["notes.id"], name="fk_suggestion_cards_note_id"),
    )


def _answers() -> None:
    op.create_table(
        "answers",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("guild_id", sa.String(64), nullable=False),
        sa.Column("channel_id", sa.String(64), nullable=False),
        sa.Column("channels", sa.JSON, nullable=False),
        sa.Column("asker_id", sa.String(64), nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("origin", sa.String(16)),
        sa.Column("claim", sa.Boolean, nullable=False),
        sa.Column("private", sa.Boolean, nullable=False),
        sa.Column("missed", sa.Boolean, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("trace", sa.JSON, nullable=False),
        sa.Column("parent_id", sa.Uuid),
        sa.PrimaryKeyConstraint("id", name="pk_answers"),
    )
    op.create_index("ix_answers_guild_id_at", "answers", ["guild_id", "at"])
    op.create_index("ix_answers_at", "answers", ["at"])
    op.create_table(
        "answer_notes",
        sa.Column("answer_id", sa.Uuid, nullable=False),
        sa.Column("note_id", sa.Uuid, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("answer_id", "note_id", name="pk_answer_notes"),
        sa.ForeignKeyConstraint(["answer_id"], ["answers.id"], name="fk_answer_notes_answer_id"),
        sa.ForeignKeyConstraint(["note_id"], ["notes.id"], name="fk_answer_notes_note_id"),
    )
    op.create_index("ix_answer_notes_note_id", "answer_notes", ["note_id"])
    op.create_table(
        "answer_messages",
        sa.Column("message_id", sa.String(64), nullable=False),
        sa.Column("answer_id", sa.Uuid, nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("message_id", name="pk_answer_messages"),
        sa.ForeignKeyConstraint(["answer_id"], ["answers.id"], name="fk_answer_messages_answer_id"),
    )
    op.create_index("ix_answer_messages_answer_id", "answer_messages", ["answer_id"])
