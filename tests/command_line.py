"""`eren` as a script would run it: words in, exit status and both outputs back."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from click.testing import CliRunner

from eren_memory.cli import main
from eren_memory.config import Settings


@dataclass
class Ran:
    """What came of a command."""

    status: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The one JSON document that it printed."""
        assert self.status == 0, self.err
        return json.loads(self.out)

    @property
    def refusal(self) -> str:
        """The one line in which it was refused."""
        assert (self.status, self.out) == (1, ""), self
        [line] = self.err.splitlines()
        return line


class CommandLine:
    """Runs commands against the scripted endpoint.

    Called, it runs one in this process, so that each costs a tenth of a second; `in_a_process` is
    the real thing.
    """

    def __init__(self, settings: Settings) -> None:
        key = settings.openai_api_key
        self.environment = {
            "EREN_HOME": str(settings.home),
            "EREN_MODEL": str(settings.model),
            "OPENAI_BASE_URL": str(settings.openai_base_url),
            "OPENAI_API_KEY": key.get_secret_value() if key else "",
            "EREN_EMBEDDING_MODEL": settings.embedding_model,
            "EREN_EMBEDDING_URL": str(settings.embedding_url),
        }

    async def __call__(self, *words: str, stdin: str = "", **variables: str) -> Ran:
        return await asyncio.to_thread(self._run, words, stdin, variables)

    def _run(self, words: tuple[str, ...], stdin: str, variables: dict[str, str]) -> Ran:
        runner, status = CliRunner(), 0
        with (
            patch.object(sys, "argv", ["eren", *words]),
            runner.isolation(stdin, {**self.environment, **variables}) as (out, err, _),
        ):
            try:
                main()
            except SystemExit as end:
                status = int(end.code or 0)
            sys.stdout.flush()
            sys.stderr.flush()
            return Ran(status, out.getvalue().decode(), err.getvalue().decode())

    async def in_a_process(self, *words: str, stdin: str = "", **variables: str) -> Ran:
        """Run it in a process of its own."""
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "eren_memory.cli", *words,
            env={**os.environ, **self.environment, **variables},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        out, err = await child.communicate(stdin.encode())
        return Ran(child.returncode or 0, out.decode(), err.decode())
