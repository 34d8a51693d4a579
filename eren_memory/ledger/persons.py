"""People in the ledger: what is held about one, and one forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from eren_memory.domain import By
from eren_memory.errors import ForgottenToday
from eren_memory.ledger import forgotten
from eren_memory.ledger.disclosing import disclosed
from eren_memory.ledger.forgetting import Forgotten, forget
from eren_memory.ledger.ledger import Ledger


class Persons:
    """Every method is one transaction."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def held(self, person: str) -> dict[str, list[dict[str, Any]]]:
        """Everything held about a person, in sections, as JSON; see `disclosing`."""
        async with self._ledger.snapshot() as connection:
            return await disclosed(connection, person)

    async def forget(
        self, person: str, by: By, now: datetime, *, once_a_day: bool = False
    ) -> Forgotten:
        """Delete what is theirs, and give what stays to a pseudonym; see `forgetting`.

        Raises:
            ForgottenToday: They were already, and it is to be done `once_a_day`.
        """
        async with self._ledger.writing() as connection:
            if once_a_day and await forgotten.today(connection, person, now):
                raise ForgottenToday("You were forgotten today already. Nothing was done.")
            return await forget(connection, person, by, now)

    async def expire(self, now: datetime, kept: timedelta) -> int:
        """Drop who was forgotten longer ago than any backup is kept; returns how many."""
        async with self._ledger.writing() as connection:
            return await forgotten.expire(connection, now, kept)
