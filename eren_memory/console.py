"""The terminal front end: a console to ask and correct in, and a tour that shows it."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import click

from eren_memory.app import App
from eren_memory.domain import (
    LARGEST_NUMBER,
    Answer,
    By,
    ClaimCheck,
    NoteDraft,
    NoteStatus,
    Place,
)
from eren_memory.errors import BadInput, ErenError
from eren_memory.terminal import (
    answer_text,
    check_text,
    history_page,
    note_line,
    note_page,
    said,
    trace_text,
)
from eren_memory.text import shown

HELP = """\
Ask anything. What a note answers is answered from the note; the rest is the model's own.
  /note add TEXT       add a correction         /note search TEXT   find notes
  /note list           list the notes           /note show N        one note in full
  /note edit N TEXT    change what it says      /note history N     who changed what
  /note retire N       take a note out of use   /note restore N     bring it back
  /undo                take back what you did last
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
            "/undo": self._undo,
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

    async def _undo(self, _: str) -> str:
        changed = await self.app.notebook.undo(self.guild_id, self._by)
        return "\n".join(f"{note_line(note)}" for note in changed)

    async def _note(self, words: str) -> str:
        act, _, rest = words.partition(" ")
        if act in {"add", "replace", "keep"}:
            return await self._add(NoteDraft(rest), act)
        if act in {"list", "search", "show", "history"}:
            return await self._look(act, rest)
        if act in {"edit", "retire", "restore"}:
            return await self._change(act, rest)
        raise BadInput(
            "/note takes add, edit, list, search, show, history, retire or restore. /help shows how."
        )

    async def _look(self, act: str, rest: str) -> str:
        notebook, guild = self.app.notebook, self.guild_id
        match act:
            case "list":
                notes = await notebook.ledger.notes(guild, NoteStatus.ACTIVE)
                return "\n".join(map(note_line, notes)) or "No notes yet. /note add TEXT adds one."
            case "search":
                found = await notebook.nearest(guild, rest, 10)
                lines = [f"{one.dense:5.2f}  {note_line(one.note)}" for one in found]
                return "\n".join(lines) or "None."
            case "show":
                return note_page(await notebook.ledger.note(guild, _number(rest)))
        return history_page(await notebook.history(guild, _number(rest)))

    async def _change(self, act: str, rest: str) -> str:
        notebook, guild, by = self.app.notebook, self.guild_id, self._by
        digits, _, text = rest.partition(" ")
        number = _number(digits)
        match act:
            case "edit":
                note = await notebook.edit(guild, number, by, text=text)
            case "retire":
                note = await notebook.retire(guild, number, by)
            case _:
                note = await notebook.restore(guild, number, by)
        return f"Note #{note.number} is {note.status} now, revision {note.revision}."

    async def _add(self, draft: NoteDraft, act: str) -> str:
        """`add` stops at notes that say the same or contradict; the other two words decide."""
        compared = await self.app.notebook.compare(self.guild_id, draft)
        grave = compared.grave
        if grave and act == "add":
            met = "\n".join(f"{one.kind}: {note_line(one.note)}" for one in grave)
            return (
                f"{met}\nNothing was added. /note replace TEXT puts the new note in their place, "
                "/note keep TEXT keeps both."
            )
        chosen = grave if act == "replace" else ()
        replaced = {one.note.number: one.note.revision for one in chosen}
        note = await self.app.notebook.add(self.guild_id, draft, self._by, supersedes=replaced)
        instead = f" in place of {', '.join(f'#{one}' for one in replaced)}" if replaced else ""
        return f"Added note #{note.number}{instead}.{said(compared)}"

    @property
    def _by(self) -> By:
        return By(self.actor_id, where="console")


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
            click.echo(f"{shown(str(error))}\n")


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
