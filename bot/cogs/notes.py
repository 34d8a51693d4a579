"""What moderators use: the notebook."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.ext import commands

from bot import render
from bot.failures import NotAllowed
from eren_memory.app import App
from eren_memory.domain import LARGEST_NUMBER, By, NoteDraft, NoteStatus
from eren_memory.text import NOTE_LIMIT

# More never fit into one message.
_LISTED = 100


def moderators_only(interaction: discord.Interaction) -> bool:
    """Whether the member may moderate the server, now, by what the interaction itself carries.

    Discord hides the commands from others, but a server's settings can override that. A channel's
    own permissions are not enough: a note answers in all of them.
    """
    member = interaction.user
    everywhere = isinstance(member, discord.Member) and member.guild_permissions.manage_messages
    if not (everywhere and interaction.permissions.manage_messages):
        raise NotAllowed("Only members who can manage messages may change the notebook.")
    return True


@app_commands.guild_only()
@app_commands.default_permissions(manage_messages=True)
class Notes(commands.GroupCog, group_name="note", group_description="Corrections to what I say"):
    """`/note …`."""

    def __init__(self, app: App) -> None:
        self._notebook = app.notebook

    @app_commands.command()
    @app_commands.check(moderators_only)
    @app_commands.describe(text="The correction, as a plain sentence")
    async def add(
        self, interaction: discord.Interaction, text: app_commands.Range[str, 1, NOTE_LIMIT]
    ) -> None:
        """Add a correction; the next question finds it."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        draft = NoteDraft(text)
        note = await self._notebook.add(_guild(interaction), draft, _by(interaction))
        await interaction.edit_original_response(
            content=f"Added **#{note.number}**: {render.quoted(note)}"
        )

    @app_commands.command(name="list")
    @app_commands.check(moderators_only)
    async def list_notes(self, interaction: discord.Interaction) -> None:
        """List the notes, newest first."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        guild = _guild(interaction)
        notes = await self._notebook.ledger.newest(guild, _LISTED)
        total = (await self._notebook.ledger.counts(guild)).get(NoteStatus.ACTIVE, 0)
        text = render.note_list(notes, total) if notes else "No notes yet: `/note add`."
        await interaction.edit_original_response(content=text)

    @app_commands.command()
    @app_commands.check(moderators_only)
    @app_commands.describe(number="The note's number", reason="Why it is retired")
    async def retire(
        self,
        interaction: discord.Interaction,
        number: app_commands.Range[int, 1, LARGEST_NUMBER],
        reason: app_commands.Range[str, 1, 200] | None = None,
    ) -> None:
        """Take a note out of use."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        note = await self._notebook.retire(_guild(interaction), number, _by(interaction, reason))
        await interaction.edit_original_response(
            content=f"Retired **#{note.number}**: {render.quoted(note)} (active → retired)"
        )


def _guild(interaction: discord.Interaction) -> str:
    return str(interaction.guild_id)


def _by(interaction: discord.Interaction, reason: str | None = None) -> By:
    """Who acts, and the channel they are in."""
    where = f"https://discord.com/channels/{interaction.guild_id}/{interaction.channel_id}"
    return By(str(interaction.user.id), reason, where)
