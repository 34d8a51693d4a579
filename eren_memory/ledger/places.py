"""Where the ledger may hold a person: every column of text, and what stands in it.

A column that is missing here fails a test: whoever adds one says what it holds of people, and with that
it is part of what people are told and of what is forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import sqlalchemy as sa

# Their tables are among those of `metadata` only once they were imported.
from eren_memory.ledger import budget_schema, forgotten, upkeep_schema  # noqa: F401
from eren_memory.ledger.schema import metadata


class Holds(Enum):
    """What a column holds of people."""

    PERSON = "the id of a person"
    WORDS = "what people wrote; it may name a person's id"
    JSON = "values among which a person's id may stand"
    NOBODY = "what the program wrote, and ids of servers, channels, messages and roles"


# Of a note: what it says now, and what each of its revisions said.
_REVISED: Mapping[str, Holds] = {
    "text": Holds.WORDS,
    "status": Holds.NOBODY,
    "question": Holds.WORDS,
    "source_url": Holds.WORDS,
    "reason": Holds.WORDS,
    "scope": Holds.NOBODY,
    "approved_by": Holds.PERSON,
    "probes": Holds.JSON,
}

PLACES: Mapping[str, Mapping[str, Holds]] = {
    "identity": {"ledger_id": Holds.NOBODY},
    "guilds": {"guild_id": Holds.NOBODY},
    "notes": {
        "guild_id": Holds.NOBODY,
        "author_id": Holds.PERSON,
        "text_hash": Holds.NOBODY,
        **_REVISED,
    },
    "revisions": {
        "act": Holds.NOBODY,
        "actor_id": Holds.PERSON,
        "act_reason": Holds.WORDS,
        "act_source": Holds.WORDS,
        **_REVISED,
    },
    "audit_events": {
        "guild_id": Holds.NOBODY,
        "actor_id": Holds.PERSON,
        "act": Holds.NOBODY,
        "reason": Holds.WORDS,
        "source_url": Holds.WORDS,
    },
    "spaces": {
        "space": Holds.NOBODY,
        "state": Holds.NOBODY,
        "wished_by": Holds.PERSON,
        "claimed_by": Holds.NOBODY,
        "refused": Holds.WORDS,
        "report": Holds.NOBODY,
    },
    # As why a space was refused and a job failed: an error of the embedding model's may quote a note.
    "outbox": {"space": Holds.NOBODY, "reason": Holds.WORDS},
    "communities": {"guild_id": Holds.NOBODY, "settings": Holds.NOBODY},
    "answers": {
        "guild_id": Holds.NOBODY,
        "channel_id": Holds.NOBODY,
        "channels": Holds.NOBODY,
        "asker_id": Holds.PERSON,
        "question": Holds.WORDS,
        "text": Holds.WORDS,
        "origin": Holds.NOBODY,
        "trace": Holds.JSON,
    },
    "answer_messages": {"message_id": Holds.NOBODY},
    "feedback": {"member_id": Holds.PERSON, "complaint": Holds.NOBODY, "comment": Holds.WORDS},
    "reviews": {
        "guild_id": Holds.NOBODY,
        "queue": Holds.NOBODY,
        "question_hash": Holds.NOBODY,
        "question": Holds.WORDS,
        "card_channel": Holds.NOBODY,
        "card_message": Holds.NOBODY,
        "closed_by": Holds.PERSON,
        "outcome": Holds.NOBODY,
    },
    "suggestion_cards": {"channel_id": Holds.NOBODY, "message_id": Holds.NOBODY},
    "audits": {"guild_id": Holds.NOBODY},
    "findings": {"kind": Holds.NOBODY, "guild_id": Holds.NOBODY, "snoozed_by": Holds.PERSON},
    "checks": {
        "kind": Holds.NOBODY,
        "guild_id": Holds.NOBODY,
        "basis": Holds.NOBODY,
        "circumstances": Holds.NOBODY,
        "outcome": Holds.NOBODY,
    },
    "source_changes": {"change": Holds.NOBODY},
    "job_runs": {
        "job": Holds.NOBODY,
        "guild_id": Holds.NOBODY,
        "result": Holds.WORDS,
        "holder": Holds.NOBODY,
    },
    "budget_days": {"guild_id": Holds.NOBODY, "day": Holds.NOBODY},
    "budget_holds": {
        "guild_id": Holds.NOBODY,
        "day": Holds.NOBODY,
        "whole_day": Holds.NOBODY,
        "member_id": Holds.PERSON,
    },
    "budget_members": {
        "guild_id": Holds.NOBODY,
        "day": Holds.NOBODY,
        "member_id": Holds.PERSON,
    },
    "budget_models": {"guild_id": Holds.NOBODY, "day": Holds.NOBODY, "model": Holds.NOBODY},
    "budget_warnings": {"guild_id": Holds.NOBODY, "day": Holds.NOBODY, "budget": Holds.NOBODY},
    # Ids of messages, not of who wrote them.
    "heard_messages": {"message_id": Holds.NOBODY},
    "published_commands": {"application_id": Holds.NOBODY, "digest": Holds.NOBODY},
    # Says of nobody who they are; see `forgotten`.
    "forgotten": {"digest": Holds.NOBODY, "salt": Holds.NOBODY},
}


def columns(holds: Holds) -> list[sa.Column[str]]:
    """Every column that holds this."""
    return [
        metadata.tables[table].c[name]
        for table, named in PLACES.items()
        for name, held in named.items()
        if held is holds
    ]
