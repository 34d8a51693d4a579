"""A local embedding model in a process of its own, at low priority, until questions need it.

Encoding beside the event loop in another thread holds the loop up: both need the interpreter's lock. A
child process needs none of ours, and the machine gives questions the processor first.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eren_memory.embedder import LocalEmbedder
from eren_memory.errors import EmbedderError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NICE = 10


class BackgroundEmbedder:
    """An `Embedder`, in a child process until `to_foreground` is called, and in this one from then on.

    Args: as `LocalEmbedder`.
    """

    def __init__(self, model: str, home: Path | None = None) -> None:
        self._name = model
        self._home = home
        self._local = LocalEmbedder(model, home)
        self._in_front = False
        self._child: asyncio.subprocess.Process | None = None
        self._dimension = 0
        self._turn = asyncio.Lock()

    @property
    def space(self) -> str:
        """The model's name."""
        return self._name

    async def load(self) -> int:
        """See `Embedder.load`."""
        if self._in_front:
            return await self._local.load()
        async with self._turn:
            await self._started()
        return self._dimension

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Embedder.embed`."""
        import numpy as np

        if self._in_front:
            return await self._local.embed(texts)
        async with self._turn:
            child = await self._started()
            assert child.stdin is not None  # noqa: S101 - For the types alone.
            assert child.stdout is not None  # noqa: S101
            try:
                child.stdin.write(json.dumps(list(texts)).encode() + b"\n")
                await child.stdin.drain()
                await self._told(child)
                raw = await child.stdout.readexactly(4 * len(texts) * self._dimension)
            except (OSError, asyncio.IncompleteReadError) as error:
                raise EmbedderError("The process of the embedding model ended.") from error
            except BaseException:
                # What it still says would be taken for the answer to the next.
                await self._end()
                raise
        return np.frombuffer(raw, dtype=np.float32).reshape(len(texts), self._dimension)

    async def to_foreground(self) -> None:
        """Load the model in this process, and end the child."""
        await self._local.load()
        self._in_front = True
        async with self._turn:
            await self._end()

    async def close(self) -> None:
        """See `Embedder.close`."""
        async with self._turn:
            await self._end()
        await self._local.close()

    async def _started(self) -> asyncio.subprocess.Process:
        if self._child is None or self._child.returncode is not None:
            words = [self._name, *([str(self._home)] if self._home else [])]
            self._child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", __name__, *words,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            try:
                told = await self._told(self._child)
            except BaseException:
                await self._end()
                raise
            self._dimension = int(told["dimension"])
        return self._child

    @staticmethod
    async def _told(child: asyncio.subprocess.Process) -> dict[str, Any]:
        assert child.stdout is not None  # noqa: S101
        line = await child.stdout.readline()
        if not line:
            raise EmbedderError("The process of the embedding model ended; its output says why.")
        told: dict[str, Any] = json.loads(line)
        if "error" in told:
            raise EmbedderError(told["error"])
        return told

    async def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            with suppress(ProcessLookupError):
                child.kill()
            assert child.stdin is not None  # noqa: S101
            child.stdin.close()
            # Waits for the pipes too: what is left open when the loop closes is never closed.
            await child.communicate()


def _serve(name: str, home: str | None = None) -> None:
    """The child: embed a line of texts after the other, until standard input closes."""
    # What libraries print must not stand among the answers; who asked may be gone.
    with suppress(BrokenPipeError), os.fdopen(os.dup(sys.stdout.fileno()), "wb") as out:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        os.nice(_NICE)
        asyncio.run(_answer(LocalEmbedder(name, Path(home) if home else None), out))
    os._exit(0)


async def _answer(embedder: LocalEmbedder, out: Any) -> None:
    def say(told: dict[str, Any], vectors: bytes = b"") -> None:
        out.write(json.dumps(told).encode() + b"\n" + vectors)
        out.flush()

    try:
        say({"dimension": await embedder.load()})
        # Blocking is all this process has to do.
        while line := sys.stdin.buffer.readline():
            say({}, (await embedder.embed(json.loads(line))).tobytes())
    except EmbedderError as error:
        say({"error": str(error)})
    finally:
        await embedder.close()


if __name__ == "__main__":
    _serve(*sys.argv[1:3])
