"""What buttons, views and forms have in common: they outlive a restart, and fail by one policy."""

from __future__ import annotations

import io
import re
from typing import Any, Self

import discord
from discord.ui import Button, DynamicItem

from bot import logs
from bot.desk import desk
from bot.failures import on_error
from bot.texts import Texts, mine

Interaction = discord.Interaction[Any]
_TITLE = 45
_FORGOTTEN = 3_600.0


class Control(DynamicItem[Button[Any]], template=r"eren:control"):
    """A button whose custom id carries all it needs. Untrusted: every click is judged anew.

    Subclasses give a template of their own, `read` and `clicked`.
    """

    def __init__(
        self,
        custom_id: str,
        label: str,
        style: discord.ButtonStyle = discord.ButtonStyle.secondary,
        *,
        disabled: bool = False,
    ) -> None:
        super().__init__(Button(label=label, style=style, custom_id=custom_id, disabled=disabled))

    @classmethod
    def read(cls, match: re.Match[str], t: Texts) -> Self:
        """The button that a custom id describes."""
        raise NotImplementedError

    async def clicked(self, interaction: Interaction) -> None:
        """What it does. Raises as `failures.on_error` explains to people."""
        raise NotImplementedError

    @classmethod
    async def from_custom_id(
        cls, interaction: Interaction, _item: Any, match: re.Match[str], /
    ) -> Self:
        """See `DynamicItem.from_custom_id`."""
        return cls.read(match, mine(interaction))

    async def callback(self, interaction: Interaction) -> None:
        """Under the one policy for errors; discord.py would only log them."""
        logs.request.set(str(interaction.id))
        try:
            with desk(interaction).busy():
                await self.clicked(interaction)
        except Exception as error:  # noqa: BLE001 - This is where all of them end.
            await on_error(interaction, error)


class Lasting(discord.ui.View):
    """Buttons with ids of their own, registered at every start."""

    def __init__(self) -> None:
        super().__init__(timeout=None)

    async def interaction_check(self, interaction: Interaction, /) -> bool:
        """Whatever a click logs names it."""
        logs.request.set(str(interaction.id))
        return True

    async def on_error(self, interaction: Interaction, error: Exception, _item: Any, /) -> None:
        """See `failures.on_error`."""
        await on_error(interaction, error)


class Form(discord.ui.Modal):
    """A form; with an error, whatever was typed is given back.

    Subclasses give `submitted`.
    """

    def __init__(self, title: str) -> None:
        # Nobody says that a form was closed again; it is forgotten after a while.
        super().__init__(title=title[:_TITLE], timeout=_FORGOTTEN)

    async def submitted(self, interaction: Interaction) -> None:
        """What becomes of what was filled in."""
        raise NotImplementedError

    async def on_submit(self, interaction: Interaction, /) -> None:
        """A stop of the bot waits for it."""
        logs.request.set(str(interaction.id))
        with desk(interaction).busy():
            await self.submitted(interaction)

    async def on_error(self, interaction: Interaction, error: Exception, /) -> None:  # type: ignore[override]
        """See `failures.on_error`."""
        await on_error(interaction, error)
        typed = [
            item.value
            for item in self.walk_children()
            if isinstance(item, discord.ui.TextInput) and item.value
        ]
        if typed and interaction.response.is_done():
            await interaction.followup.send(file=given_back("\n\n".join(typed)), ephemeral=True)


def buttons(*items: discord.ui.Item[Any]) -> discord.ui.View:
    """Controls under a message."""
    view = discord.ui.View(timeout=None)
    # Their kinds are registered; the messages that carry them need not be remembered.
    view.stop()
    for item in items:
        view.add_item(item)
    return view


def given_back(typed: str) -> discord.File:
    """What somebody typed, whole, to copy from."""
    return discord.File(io.BytesIO(typed.encode()), filename="text.txt")
