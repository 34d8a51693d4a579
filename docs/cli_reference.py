"""Prints docs/cli.md: the help of every command, as the program itself gives it.

python docs/cli_reference.py > docs/cli.md
"""

from __future__ import annotations

from collections.abc import Iterator

import click

from eren_memory.cli import cli


def pages(command: click.Command, path: str) -> Iterator[str]:
    """The help of a command and of everything below it, as Markdown."""
    context = click.Context(
        command,
        info_name=path,
        terminal_width=100,
        max_content_width=100,
        # As below the group's own settings, which a context made by hand does not take.
        help_option_names=cli.context_settings["help_option_names"],
    )
    with context:
        yield f"## {path}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if below := command.get_command(context, name):
                yield from pages(below, f"{path} {name}")


def reference() -> str:
    """The whole page."""
    head = "# Command line\n\nMade by `make docs`; every command takes `--json` where it prints data.\n"
    return "\n".join([head, *pages(cli, "eren")])


if __name__ == "__main__":
    print(reference(), end="")  # noqa: T201 - Printing is its job.
