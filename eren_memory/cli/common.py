"""What every command shares: options, opening the application, printing text or JSON."""

from __future__ import annotations

import asyncio
import getpass
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from eren_memory.config import load_settings
from eren_memory.domain import LARGEST_NUMBER, By, Note, Scope

if TYPE_CHECKING:
    from eren_memory.app import App
    from eren_memory.ledger.ledger import Ledger
    from eren_memory.projection import Progress
    from eren_memory.prompts import Style

_T = TypeVar("_T")
_F = TypeVar("_F", bound=Callable[..., Any])
_SECONDS_BETWEEN_LINES = 30
# Of what JSON leaves as it is: C1 control characters, and those that hide or turn text around.
_OBEYED = re.compile("[\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def guild_option(command: _F) -> _F:
    """`--guild`, whose notes the command is about."""
    return click.option(
        "--guild",
        default="local",
        show_default=True,
        callback=_checked_guild,
        help="Community whose notes are meant.",
    )(command)


def channel_option(command: _F) -> _F:
    """`--channel`, in which something is asked."""
    return click.option(
        "--channel", callback=_checked_channel, help="Channel it is asked in: its notes count too."
    )(command)


def _checked_channel(
    _context: click.Context, _parameter: click.Parameter, channel: str | None
) -> Scope:
    if channel and not (channel.isprintable() and len(channel) <= 64):
        raise click.BadParameter("a name of 1 to 64 printable characters is needed")
    return (channel,) if channel else ()


def _checked_guild(_context: click.Context, _parameter: click.Parameter, guild: str) -> str:
    if not guild.isprintable() or not 0 < len(guild) <= 64:
        raise click.BadParameter("a name of 1 to 64 printable characters is needed")
    return guild


NUMBER = click.IntRange(1, LARGEST_NUMBER)
"""A note's number, or one of its revisions."""
number_argument = click.argument("number", type=NUMBER)


def sizes(
    _context: click.Context, _parameter: click.Parameter, given: str | None
) -> list[int] | None:
    """An option's numbers from 1 with commas between; None for all."""
    if given is None or given == "all":
        return None
    try:
        numbers = [int(one) for one in given.split(",")]
    except ValueError:
        numbers = [0]
    if min(numbers) < 1:
        raise click.BadParameter("numbers from 1 with commas between are needed, as in 1,64,256")
    return numbers


def actor(reason: str | None = None) -> By:
    """Who acts, for the history of what a command line did."""
    try:
        name = f"local:{getpass.getuser()}"
    except (KeyError, OSError):  # A container's user may have no name.
        name = "local:unknown"
    return By(name, reason, "command line")


def as_record(note: Note) -> dict[str, Any]:
    """A note as JSON, with the fields of an export."""
    from eren_memory.transfer.records import record

    return record(note)


def plain(value: Any) -> Any:
    """A field of a note as JSON."""
    from eren_memory.transfer.records import plain

    return plain(value)


@asynccontextmanager
async def opened(style: Style | None = None) -> AsyncIterator[App]:
    """The application, opened with the settings of the environment."""
    from eren_memory.app import open_app
    from eren_memory.prompts import Style

    async with open_app(load_settings(), style or Style.CHAT) as app:
        yield app


@asynccontextmanager
async def opened_ledger() -> AsyncIterator[Ledger]:
    """The ledger alone, for reading notes: the other parts take longer to import than it takes to read."""
    from eren_memory.ledger.database import url_in
    from eren_memory.ledger.ledger import open_ledger

    settings = load_settings()
    async with open_ledger(settings.database_url or url_in(settings.home)) as ledger:
        yield ledger


def run(work: Callable[[], Awaitable[_T]]) -> _T:
    """Run a command's coroutine to its end."""

    async def main() -> _T:
        return await work()

    return asyncio.run(main())


def emit(data: Any, text: str, *, as_json: bool) -> None:
    """Print `data` as JSON or `text` for people."""
    click.echo(_json(data) if as_json else text)


def _json(data: Any) -> str:
    """JSON that is safe on a terminal too: what it would obey, or nobody sees, is written as codes."""
    plain = json.dumps(data, ensure_ascii=False)
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", plain)


@contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """A bar on standard error; where that is no terminal, a line now and then."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _progress_lines(title)
        return
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _progress_lines(title: str) -> Progress:
    told = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal told
        if time.monotonic() - told > _SECONDS_BETWEEN_LINES:
            told = time.monotonic()
            click.echo(f"{title}: {done:,} of {total:,}", err=True)

    return tell
