"""How often somebody may ask: a bucket for each member and one for each server, in memory."""

from __future__ import annotations

import time
from collections.abc import Callable

from discord.app_commands import Cooldown

_SWEEP = 10_000


class Limits:
    """Questions a minute.

    Args:
        per_member: For each member of each server.
        per_guild: For each server.
        clock: Seconds, monotonic.
    """

    def __init__(
        self, per_member: int, per_guild: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rates = {1: per_guild, 2: per_member}
        self._buckets: dict[tuple[str, ...], Cooldown] = {}
        self._clock = clock

    def wait(self, guild_id: str, member_id: str) -> float:
        """Count a question; 0, or the seconds until there may be one, and then it is not counted."""
        now = self._clock()
        if len(self._buckets) > _SWEEP:
            self._buckets = {
                key: one for key, one in self._buckets.items() if one.get_tokens(now) < one.rate
            }
        mine = [self._bucket(guild_id), self._bucket(guild_id, member_id)]
        longest = max(bucket.get_retry_after(now) for bucket in mine)
        if longest == 0:
            for bucket in mine:
                bucket.update_rate_limit(now)
        return longest

    def _bucket(self, *key: str) -> Cooldown:
        return self._buckets.setdefault(key, Cooldown(self._rates[len(key)], 60))
