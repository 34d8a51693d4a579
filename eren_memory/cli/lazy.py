"""Groups of commands of which only the one that is run is imported."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """A click group that knows where its commands are.

    Args:
        places: `module:attribute` below `eren_memory.cli` for the name of each command.
        settings: As `click.Group` takes them.
    """

    def __init__(self, *args: Any, places: Mapping[str, str], **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, sorted."""
        return sorted(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name; None if there is none."""
        if cmd_name in self._places and cmd_name not in self.commands:
            module, attribute = self._places[cmd_name].split(":")
            self.add_command(
                getattr(import_module(f"eren_memory.cli.{module}"), attribute), cmd_name
            )
        return super().get_command(ctx, cmd_name)
