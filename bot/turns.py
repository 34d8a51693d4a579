"""Who is answered next: so many at once, servers in turn, and a line that does not grow without end."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from types import TracebackType


class Crowded(Exception):
    """No more can wait. `waiting` says how many do."""

    def __init__(self, waiting: int) -> None:
        super().__init__(f"{waiting} are waiting.")
        self.waiting = waiting


class Seat:
    """A place in line, and later a turn. Taken with `async with`, which waits for it and ends it."""

    def __init__(self, turns: Turns, guild_id: str) -> None:
        self.guild_id = guild_id
        self.come = asyncio.Event()
        self._turns = turns

    def leave(self) -> None:
        """End the turn, or leave the line; twice is no harm."""
        self._turns.left(self)

    async def __aenter__(self) -> Seat:
        """Wait until it has come."""
        try:
            await self.come.wait()
        except BaseException:
            self.leave()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """The next one's turn."""
        self.leave()


class Turns:
    """The lines of all servers.

    The next turn goes to the server of whose questions the fewest are being answered, and among those
    to the one that has waited longest since it had one: however many ask in one server, a question of
    another is next but for those of its own.

    Args:
        at_once: Answered at the same time.
        per_guild: May wait in one server.
        in_all: May wait in all of them. A server where nobody waits gets one place beyond that, so
            that others cannot keep it out: the bound is then the number of servers.
    """

    def __init__(self, at_once: int, per_guild: int, in_all: int) -> None:
        self._at_once = at_once
        self._per_guild = per_guild
        self._in_all = in_all
        self._running: set[Seat] = set()
        self._running_of: Counter[str] = Counter()
        # By server; the one that had a turn last stands last.
        self._lines: dict[str, deque[Seat]] = {}

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._lines.values()))

    def check(self, guild_id: str) -> None:
        """Raises `Crowded` where `book` would."""
        line, waiting = len(self._lines.get(guild_id, ())), self.waiting
        if line >= self._per_guild:
            raise Crowded(line)
        if line and waiting >= self._in_all:
            raise Crowded(waiting)

    def book(self, guild_id: str) -> Seat:
        """A place in line. Whoever has one must take it, or leave.

        Raises:
            Crowded: Too many wait already.
        """
        self.check(guild_id)
        seat = Seat(self, guild_id)
        self._lines.setdefault(guild_id, deque()).append(seat)
        self._go_on()
        return seat

    def left(self, seat: Seat) -> None:
        """See `Seat.leave`."""
        if seat in self._running:
            self._running.remove(seat)
            self._running_of[seat.guild_id] -= 1
            if not self._running_of[seat.guild_id]:
                del self._running_of[seat.guild_id]
        elif seat in (line := self._lines.get(seat.guild_id, deque())):
            line.remove(seat)
            if not line:
                del self._lines[seat.guild_id]
        self._go_on()

    def _go_on(self) -> None:
        while self._lines and len(self._running) < self._at_once:
            guild = min(self._lines, key=self._running_of.__getitem__)
            line = self._lines.pop(guild)
            seat = line.popleft()
            if line:
                self._lines[guild] = line  # At the end.
            self._running.add(seat)
            self._running_of[guild] += 1
            seat.come.set()
