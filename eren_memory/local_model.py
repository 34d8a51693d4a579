"""The embedded chat model: llama.cpp's server as a child process, for a machine with no account.

The server listens on a free loopback port behind a random key. It is a child because loading the
weights would hold this interpreter's lock for seconds.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import json
import logging
import os
import secrets
import sys
import tempfile
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from eren_memory.errors import LocalModelError
from eren_memory.llm import Endpoint, Message
from eren_memory.model_file import MODEL_NAME, ensure_model, identity

# The reading prompt with long notes, twice: the unedited call may run beside it.
_CONTEXT_PER_SLOT = 4_096
# Two questions at once, and a slot each for the claims and for second looks.
_SLOTS = 4
_CACHE_MIB = 512
_PRIME_SECONDS = 120
_KEY_VARIABLE = "EREN_LOCAL_SERVER_KEY"

_log = logging.getLogger(__name__)


class LocalServer:
    """llama.cpp's own HTTP server. Starts when `connect` first asks; ends with this process.

    The child waits on its standard input, which closes when this process ends in whatever way.
    """

    def __init__(
        self, home: Path, own_file: Path | None, prefixes: Sequence[Sequence[Message]] = ()
    ) -> None:
        self._home = home
        self._own_file = own_file
        self._prefixes = prefixes
        self._endpoint: Endpoint | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._starting = asyncio.Lock()

    @property
    def model_name(self) -> str:
        """The name that the server and the calibrations know the model by."""
        return MODEL_NAME if self._own_file is None else self._own_file.stem

    async def connect(self) -> Endpoint:
        """Where the server is; starts it when it does not run. Raises `LocalModelError`."""
        async with self._starting:
            running = self._process is not None and self._process.returncode is None
            if self._endpoint is None or not running:
                self._endpoint = await self._start()
            return self._endpoint

    async def _start(self) -> Endpoint:
        await self.close()  # A start that was cancelled may have left its process.
        path = await asyncio.to_thread(ensure_model, self._home, self._own_file)
        if importlib.util.find_spec("xllamacpp") is None:
            raise LocalModelError(
                "The embedded model's runtime is not installed. Run: pip install 'eren-bot[local]'"
            )
        key = secrets.token_urlsafe(24)
        try:
            self._states.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LocalModelError(
                f"Cannot write to {self._states}: {error.strerror}. Set EREN_HOME to another folder."
            ) from error
        with tempfile.TemporaryFile() as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "eren_memory.local_model",
                str(path),
                self.model_name,
                str(self._states),
                env={**os.environ, _KEY_VARIABLE: key},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                # A Ctrl-C in the terminal is for the parent; the child ends with it.
                start_new_session=True,
            )
            said = await self._process.stdout.readline() if self._process.stdout else b""
            if said.startswith(b"http"):
                address = said.decode().strip()
                await asyncio.to_thread(self._prime, address, key, path)
                return Endpoint(f"{address}/v1", key)
            log.seek(0)
            reasons = log.read().decode(errors="replace").strip().splitlines() or [
                "no reason given"
            ]
        raise LocalModelError(
            f"The embedded model does not start from {path.name}: {reasons[-1]}. "
            "Check the file, or set EREN_MODEL_FILE to another GGUF file."
        )

    @property
    def _states(self) -> Path:
        return self._home / "models" / "states"

    def _prime(self, address: str, key: str, path: Path) -> None:
        """Put the model's state after each of the prefixes into slots; the first gets the rest.

        Reading the examples of a prompt takes seconds; the state they leave is kept in a file, so
        that only the very first start pays. Without it answers are the same, only later.
        """
        for number, prefix in enumerate(self._prefixes):
            slots = [_SLOTS - number] if number else range(_SLOTS - len(self._prefixes) + 1)
            made_of = [identity(path), _CONTEXT_PER_SLOT, _SLOTS, *prefix]
            name = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:16]
            state = self._states / name
            try:
                if not state.is_file():
                    ask: dict[str, object] = {
                        "messages": prefix,
                        "max_tokens": 1,
                        "id_slot": slots[0],
                    }
                    _post(f"{address}/v1/chat/completions", key, ask)
                    _post(
                        f"{address}/slots/{slots[0]}?action=save",
                        key,
                        {"filename": f"{name}.partial"},
                    )
                    state.with_suffix(".partial").replace(state)
                for slot in slots:
                    _post(f"{address}/slots/{slot}?action=restore", key, {"filename": name})
            except OSError as error:  # urllib's errors are OSErrors.
                state.unlink(missing_ok=True)  # The next start makes it anew.
                _log.warning("The embedded model starts without a prepared state: %s", error)

    async def close(self) -> None:
        """Stop the server."""
        if self._process is None or self._process.returncode is not None:
            return
        if self._process.stdin:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), timeout=5)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


def _post(url: str, key: str, body: dict[str, object]) -> None:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=_PRIME_SECONDS) as reply:  # noqa: S310 - Loopback.
        reply.read()


def _serve(path: str, name: str, states: str) -> None:
    """The child: serve until standard input closes."""
    import xllamacpp

    threads = os.cpu_count() or 1
    params = xllamacpp.CommonParams()
    params.model.path = path
    params.model_alias = {name}
    params.n_ctx = _CONTEXT_PER_SLOT * _SLOTS
    params.n_parallel = _SLOTS
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [os.environ.pop(_KEY_VARIABLE)]
    params.ui = False
    params.slot_save_path = f"{states}/"
    # States of prompts that lost their slot; the default would take 8 GiB.
    params.cache_ram_mib = _CACHE_MIB
    params.verbosity = -1
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    # Nobody reads this pipe any more; a full one would stop the server.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.stdin.buffer.read()
    # Without the runtime's own teardown: it can wait for a request in flight.
    os._exit(0)


if __name__ == "__main__":
    _serve(*sys.argv[1:4])
