"""Whether the bot may do what it is set up to do: each missing permission, and its cure."""

from __future__ import annotations

from collections.abc import Iterable

import discord

from bot.texts import Texts
from eren_memory.community import GuildSettings

_ANYWHERE = ("view_channel", "embed_links", "attach_files", "read_message_history")
_THREADS = ("send_messages_in_threads",)
_ANSWERING = ("send_messages", *_THREADS)


def findings(
    t: Texts,
    guild: discord.Guild,
    settings: GuildSettings,
    here: discord.abc.GuildChannel | None,
    *,
    message_content: bool,
) -> list[str]:
    """What is missing or gone, a line each; empty when all is well."""
    lines: list[str] = []
    named = [settings.staff_channel] if settings.staff_channel else []
    for channel_id in (*named, *settings.auto_channels):
        channel = guild.get_channel(int(channel_id))
        if channel is None:
            lines.append(t("selftest.no_channel", channel=f"<#{channel_id}>"))
        else:
            lines += _missing(t, guild, channel)
    if here is not None:
        lines += _missing(t, guild, here)
    roles = (
        *settings.ask_roles,
        *settings.suggest_roles,
        *settings.moderate_roles,
        *settings.admin_roles,
        *settings.helper_roles,
    )
    lines += [
        t("selftest.no_role", role=one) for one in dict.fromkeys(roles) if not _role(guild, one)
    ]
    lines += _hidden(t, guild, settings.moderate_roles, "manage_messages", "/note, /review, /audit")
    lines += _hidden(t, guild, settings.admin_roles, "manage_guild", "/eren")
    if not message_content:
        lines.append(t("selftest.no_content"))
        if settings.auto_channels:
            lines.append(t("selftest.no_auto"))
    return list(dict.fromkeys(lines))


def _missing(t: Texts, guild: discord.Guild, channel: discord.abc.GuildChannel) -> Iterable[str]:
    permissions = channel.permissions_for(guild.me)
    # To write in a forum itself would be to open posts.
    wanted = _THREADS if isinstance(channel, discord.ForumChannel) else _ANSWERING
    for name in (*_ANYWHERE, *wanted):
        if not getattr(permissions, name):
            permission = t(f"permission.{name}")
            yield t("selftest.missing", permission=permission, channel=channel.mention)


def _hidden(
    t: Texts, guild: discord.Guild, roles: Iterable[str], permission: str, commands: str
) -> Iterable[str]:
    """Discord shows commands to whoever has a permission; other roles have to be let in there."""
    for one in roles:
        role = _role(guild, one)
        if role is not None and not getattr(role.permissions, permission):
            yield t(
                "selftest.hidden",
                role=role.mention,
                commands=commands,
                permission=t(f"permission.{permission}"),
            )


def _role(guild: discord.Guild, role_id: str) -> discord.Role | None:
    return guild.get_role(int(role_id)) if role_id.isdigit() else None
