"""What is held about a person, and a person forgotten: in the ledger, the index, and the files of both."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from eren_memory.domain import PSEUDONYM, By
from eren_memory.errors import BadInput, ErenError, IndexBusy
from eren_memory.ledger.forgetting import Forgotten
from eren_memory.ledger.persons import Persons
from eren_memory.notebook import Notebook
from eren_memory.staleness import AUDITOR

_MENTION = re.compile(r"<@!?(\d+)>")
_LONGEST = 64
# Names under which the program itself acts.
_PROGRAM = {AUDITOR, "retention", "restore"}


@dataclass(frozen=True, slots=True)
class Kept:
    """What an installation keeps beside ledger and index.

    `backups` is how many are rotated, None where none are made here; `list_days` how long it is
    remembered who was forgotten.
    """

    backups: int | None
    list_days: int


@dataclass(frozen=True, slots=True)
class Gone:
    """A person forgotten, and what has become of the index: `waiting` is None, or what it waits for."""

    forgotten: Forgotten
    waiting: str | None


class Privacy:
    """Exports and forgets people, of all guilds at once.

    Args:
        notebook: Its ledger and index.
        kept: What is told of backups.
        tidy: Deletes indexes that were given up.
        clock: The present.
    """

    def __init__(
        self,
        notebook: Notebook,
        kept: Kept,
        tidy: Callable[[], Awaitable[None]],
        clock: Callable[[], datetime],
    ) -> None:
        self._notebook = notebook
        self._kept = kept
        self._tidy = tidy
        self._clock = clock

    async def export(self, user: str) -> dict[str, Any]:
        """Everything held about a person, as a JSON document. Raises `BadInput`."""
        person = named(user)
        return {
            "person": person,
            "made_at": self._clock().isoformat(),
            "held": await Persons(self._notebook.ledger).held(person),
            "elsewhere": self._elsewhere(),
        }

    async def forget(self, user: str, by: By, *, once_a_day: bool = False) -> Gone:
        """Forget a person. The ledger has, once this returns; the index may have to wait.

        Its files are written anew, and everybody's writes wait for that: whoever may ask for it as
        often as they like, may `once_a_day`.

        Raises:
            BadInput: That is nobody.
            ForgottenToday: They were already.
            LedgerError: Nothing changed.
        """
        ledger = self._notebook.ledger
        done = await Persons(ledger).forget(named(user), by, self._clock(), once_a_day=once_a_day)
        waiting: str | None = None
        try:
            await self._notebook.projector.project()
            await self._tidy()
        except IndexBusy:
            waiting = "the process that has the search index open takes it up within seconds"
        except ErenError as error:
            waiting = f"the search index takes it up when it can be opened ({error})"
        # Last: the index was told by rows of the ledger.
        await ledger.scrub(thoroughly=True)
        return Gone(done, waiting)

    def _elsewhere(self) -> list[str]:
        if self._kept.backups is None:
            made = "The program makes no backups here; its operator may."
        else:
            made = f"The newest {self._kept.backups} daily backups may hold what was deleted since."
        again = f"Who was forgotten in the last {self._kept.list_days} days"
        return [
            f"{made} {again} is forgotten again when one is restored.",
            "The search index holds the texts of notes in use, and of nobody who they are.",
            "Questions and notes went to the chat model and the embedding model that the operator chose.",
            "Messages in Discord are Discord's, and can be deleted there.",
        ]


def named(user: str) -> str:
    """Who is meant: an id as it is kept, or a mention. Raises `BadInput`."""
    person = user.strip()
    if found := _MENTION.fullmatch(person):
        person = found[1]
    if not (0 < len(person) <= _LONGEST and person.isprintable()):
        raise BadInput("Name a person: their Discord id, or local:NAME. Nothing was done.")
    if person in _PROGRAM or person.startswith(PSEUDONYM):
        raise BadInput(f"{person} is not a person's id. Nothing was done.")
    return person
