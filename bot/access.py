"""Who may do what: decided anew at every act, from what Discord says with the act itself."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

import discord

from bot.failures import NotAllowed
from bot.texts import texts
from eren_memory.community import GuildSettings


class Right(StrEnum):
    """What a person may be allowed."""

    ASK = "ask"
    SUGGEST = "suggest"
    MODERATE = "moderate"
    ADMINISTRATE = "administrate"


def holds(
    right: Right,
    settings: GuildSettings,
    roles: Collection[str],
    permissions: discord.Permissions,
) -> bool:
    """Whether somebody with these roles and server-wide permissions may.

    Whoever may moderate may also ask and suggest. Permissions of a single channel count for nothing:
    a note answers in all of them.
    """
    if permissions.administrator or permissions.manage_guild:
        return True
    named = {
        Right.ASK: settings.ask_roles,
        Right.SUGGEST: settings.suggest_roles,
        Right.MODERATE: settings.moderate_roles,
        Right.ADMINISTRATE: settings.admin_roles,
    }[right]
    if named:
        allowed = not {*named}.isdisjoint(roles)
    else:
        allowed = {
            Right.MODERATE: permissions.manage_messages,
            Right.ADMINISTRATE: False,
        }.get(right, True)
    if right in (Right.ASK, Right.SUGGEST):
        return allowed or holds(Right.MODERATE, settings, roles, permissions)
    return allowed


def may(right: Right, settings: GuildSettings, member: discord.abc.User) -> bool:
    """Whether a member of the server may; somebody who is only a user may nothing."""
    if not isinstance(member, discord.Member):
        return False
    roles = {str(role.id) for role in member.roles}
    return holds(right, settings, roles, member.guild_permissions)


def require(right: Right, settings: GuildSettings, interaction: discord.Interaction) -> None:
    """Raise `NotAllowed` if whoever acts may not.

    Discord hides commands from others, but a server's settings can override that, and buttons are
    shown to all.
    """
    if not may(right, settings, interaction.user):
        raise NotAllowed(texts(interaction.locale)(f"refused.{right}"))
