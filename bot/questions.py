"""A question as it comes from Discord."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from uuid_utils.compat import uuid7

from bot.texts import Texts
from eren_memory.community import Asked
from eren_memory.domain import Place
from eren_memory.purse import Ticket


@dataclass(frozen=True, slots=True)
class Request:
    """A question or claim as somebody put it."""

    place: Place
    channel_id: str
    asker_id: str
    text: str
    t: Texts
    private: bool = False
    claim: bool = False
    parent: Asked | None = None
    about: str | None = None
    """Link to the message that it is about, where that is not plain to see."""
    unasked: bool = False
    """Nobody asked the bot: no progress is shown, and the answer can be dismissed."""
    quiet: bool = False
    """Say nothing where no note applies."""
    id: UUID = field(default_factory=uuid7)
    """Of the answer, and of every line in the log that it causes."""
    ticket: Ticket | None = None
    """Its place in the day's budget, where there is one."""
