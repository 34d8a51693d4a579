"""A process with an open assistant that does what it is told, a line at a time, and says what came of it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eren_memory.app import App, open_app
from eren_memory.community import GuildSettings
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft, NoteStatus, Place
from eren_memory.relevance import Task

GUILD = "g"
_BY = By("moderator")
_ROOT = Path(__file__).parents[1]


class Beside:
    """Such a process, from outside."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self.child = child

    async def __call__(self, act: str, **given: Any) -> Any:
        """Have it do something; what came of it."""
        await self.tell(act, **given)
        return await self.heard()

    async def tell(self, act: str, **given: Any) -> None:
        assert self.child.stdin is not None
        self.child.stdin.write(json.dumps([act, given]).encode() + b"\n")
        await self.child.stdin.drain()

    async def heard(self) -> Any:
        """The next thing that it says; None once it is dead."""
        assert self.child.stdout is not None
        line = await self.child.stdout.readline()
        return json.loads(line) if line.endswith(b"\n") else None


@asynccontextmanager
async def beside(settings: dict[str, Any], folder: Path) -> AsyncIterator[Beside]:
    """A process of its own, ready; killed at the end."""
    with (folder / "beside.log").open("ab") as log:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.beside", json.dumps(settings),
            cwd=folder, env={**os.environ, "PYTHONPATH": str(_ROOT)},
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
        )  # fmt: skip
    try:
        process = Beside(child)
        assert await asyncio.wait_for(process.heard(), 60) == "up"
        yield process
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


class Acts:
    """What it can be told."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def ask(self, question: str) -> Any:
        answer = await self._app.eren.answer(question, Place(GUILD))
        return [answer.text, [one.note.number for one in answer.notes]]

    async def add(self, text: str, instead_of: list[int] | None = None) -> Any:
        note = await self._app.notebook.add(
            GUILD, NoteDraft(text), _BY, supersedes=instead_of or ()
        )
        return note.number

    async def suggest(self, text: str) -> Any:
        note = await self._app.notebook.add(GUILD, NoteDraft(text), _BY, status=NoteStatus.DRAFT)
        return note.number

    async def edit(self, number: int, text: str) -> Any:
        return (await self._app.notebook.edit(GUILD, number, _BY, text=text)).revision

    async def act(self, name: str, number: int) -> Any:
        return (await getattr(self._app.notebook, name)(GUILD, number, _BY)).status

    async def choices(self, typed: str) -> Any:
        return [one.note.number for one in await self._app.notebook.nearest(GUILD, typed, 5)]

    async def choose(self, **changed: Any) -> Any:
        chosen = replace(GuildSettings(), **changed)
        await self._app.communities.choose(GUILD, chosen, _BY, datetime.now(UTC))

    async def chosen(self, name: str) -> Any:
        return getattr(await self._app.communities.settings(GUILD), name)

    async def fitted(self) -> Any:
        return self._app.calibrations.get(Task.QUESTION, logprobs=True).fitted

    async def hear(self, messages: list[int]) -> Any:
        return await self._app.claims.hear(messages, datetime.now(UTC))

    async def hear_each(self, messages: list[int]) -> Any:
        """Which of these messages are its own to answer."""
        mine = await asyncio.gather(*(self.hear([one]) for one in messages))
        return [one for one, own in zip(messages, mine, strict=True) if own]

    async def write(self) -> None:
        """Add notes for ever, saying each that is there."""
        count = 0
        while True:
            count += 1
            text = f"Ferry number{count} belongs to harbour{count}."
            _say([await self.add(text), text])


def _say(what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def _main() -> None:
    async with open_app(Settings(**json.loads(sys.argv[1]))) as app:
        await app.warm()
        acts = Acts(app)
        _say("up")
        while line := await asyncio.to_thread(sys.stdin.readline):
            act, given = json.loads(line)
            _say(await getattr(acts, act)(**given))


if __name__ == "__main__":
    asyncio.run(_main())
