"""What has grown stale, told to the staff: once a period, and only when there is news."""

from __future__ import annotations

import logging
from datetime import time, timedelta

import discord

from bot import stale
from bot.desk import Desk, now
from bot.stale_buttons import StaleButton
from eren_memory.community import Digest
from eren_memory.jobs import GuildJob

# A little less than a day and a week: a job does not begin on the second.
_PERIODS = {
    Digest.DAILY: timedelta(hours=22),
    Digest.WEEKLY: timedelta(days=6, hours=22),
}
# On the clocks of each server: at night, and when people look.
_AUDIT_AT, _DIGEST_AT = time(4), time(9)

_log = logging.getLogger(__name__)


def jobs(at: Desk, bot: discord.Client) -> list[GuildJob]:
    """What is done daily for each server that the bot is in: an audit, and later the digest of it."""

    async def guilds() -> list[str]:
        # Those of this process's shards; one that Discord cannot reach has to wait.
        return [str(guild.id) for guild in bot.guilds if not guild.unavailable]

    async def audit(guild_id: str) -> str:
        report = await at.app.audit(guild_id)
        return f"{sum(report.found.values())} findings; {report.usage.calls} model calls."

    async def tell(guild_id: str) -> str:
        guild = bot.get_guild(int(guild_id))
        told = guild is not None and await digest(at, guild)
        return "The staff was told." if told else "Nothing to tell."

    return [
        GuildJob("audit", _AUDIT_AT, audit, guilds, timeout=3 * 3_600),
        GuildJob("digest", _DIGEST_AT, tell, guilds),
    ]


async def digest(at: Desk, guild: discord.Guild) -> bool:
    """Tell a guild's staff what should be looked at; returns whether there was something to tell.

    Called twice in a period, or by two processes, it tells once. Raises `LedgerError`.
    """
    guild_id, present = str(guild.id), now()
    settings, found = await at.settings(guild_id), await at.staff.channel(guild_id)
    if found is None or settings.digest is Digest.NEVER:
        return False
    channel, t = found
    if not await at.app.findings.has_news(guild_id, present):
        return False
    before = await at.app.audits.last(guild_id)
    if not await at.app.audits.due_digest(guild_id, present, _PERIODS[settings.digest]):
        return False
    listed = await stale.stale_notes(at.app, guild_id)
    head = t("digest.head", count=len(listed))
    shown = await stale.page(t, at.app, guild_id, head, listed[: stale.PAGE], StaleButton)
    try:
        await channel.send(shown.text, view=shown.view)
    except discord.HTTPException as error:
        _log.warning("A digest could not be shown in the staff channel: %s", error)
        await at.app.audits.digest_failed(guild_id, present, before.digest_at if before else None)
        return False
    await at.app.findings.told(guild_id, present)
    return True
