"""The terminal front end: a console to ask and correct in, and a tour that shows it."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import click

from eren_memory.app import App
from eren_memory.domain import LARGEST_NUMBER, Answer, ClaimCheck, NoteDraft, NoteStatus, Place
from eren_memory.errors import BadInput, ErenError
from eren_memory.terminal import answer_text, check_text, note_line, note_page, trace_text

HELP = """\
Ask anything. What a note answers is answered from the note; the rest is the model's own.
  /note add TEXT       add a correction         /note search TEXT   find notes
  /note list           list the notes           /note show N        one note in full
  /note retire N       take a note out of use
  /check CLAIM         is it supported, refuted, or unknown to the notebook?
  /why                 how the last answer came about
  /help   /quit"""


@dataclass
class Session:
    """One person at one console. `execute` turns a line into what to print."""

    app: App
    guild_id: str
    actor_id: str
    last: Answer | ClaimCheck | None = None

    async def execute(self, line: str) -> str:
        """Run one line. Raises `ErenError`."""
        command, _, rest = line.strip().partition(" ")
        if not command.startswith("/"):
            return await self._ask(line)
        acts: dict[str, Callable[[str], Awaitable[str]]] = {
            "/note": self._note,
            "/check": self._check,
            "/why": self._why,
            "/help": self._help,
        }
        if command not in acts:
            raise BadInput(f"There is no command {command}. /help lists them.")
        return await acts[command](rest.strip())

    async def _ask(self, question: str) -> str:
        self.last = await self.app.eren.answer(question, Place(self.guild_id))
        return answer_text(self.last)

    async def _check(self, claim: str) -> str:
        self.last = await self.app.eren.check(claim, Place(self.guild_id))
        return check_text(self.last)

    async def _why(self, _: str) -> str:
        return trace_text(self.last.trace) if self.last else "Ask something first."

    async def _help(self, _: str) -> str:
        return HELP

    async def _note(self, words: str) -> str:
        act, _, rest = words.partition(" ")
        notebook, guild = self.app.notebook, self.guild_id
        match act:
            case "add":
                note = await notebook.add(guild, NoteDraft(rest), self.actor_id)
                return f"Added note #{note.number}."
            case "list":
                notes = await notebook.notes(guild, NoteStatus.ACTIVE)
                return "\n".join(map(note_line, notes)) or "No notes yet. /note add TEXT adds one."
            case "search":
                found = await notebook.search(guild, rest, 10)
                return (
                    "\n".join(f"{one.dense:5.2f}  {note_line(one.note)}" for one in found)
                    or "None."
                )
            case "show":
                return note_page(await notebook.note(guild, _number(rest)))
            case "retire":
                note = await notebook.retire(guild, _number(rest), self.actor_id)
                return f"Retired note #{note.number}."
        raise BadInput("/note takes add, list, search, show or retire. /help shows how.")


async def converse(app: App, guild_id: str, actor_id: str) -> None:
    """Read lines until the person leaves. Without a terminal, lines come from standard input."""
    session = Session(app, guild_id, actor_id)
    click.echo(f"{HELP}\n")
    read = _terminal_lines() if sys.stdin.isatty() else _piped_lines()
    while (line := await read()) is not None:
        if line.strip() in {"/quit", "/exit"}:
            return
        if not line.strip():
            continue
        try:
            click.echo(f"{await session.execute(line)}\n")
        except ErenError as error:
            click.echo(f"{error}\n")


def _terminal_lines() -> Callable[[], Awaitable[str | None]]:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.patch_stdout import patch_stdout

    prompt: PromptSession[str] = PromptSession("eren> ")

    async def read() -> str | None:
        try:
            with patch_stdout():
                return await prompt.prompt_async()
        except (EOFError, KeyboardInterrupt):
            return None

    return read


def _piped_lines() -> Callable[[], Awaitable[str | None]]:
    async def read() -> str | None:
        line = sys.stdin.readline()  # Nothing else runs while a script feeds the console.
        return line or None

    return read


def _number(words: str) -> int:
    digits = words.removeprefix("#")
    if not digits.isdecimal() or int(digits[:20]) > LARGEST_NUMBER:
        raise BadInput("Give the note's number, as in: /note show 12")
    return int(digits)
