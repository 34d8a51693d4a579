"""Calibrations as they are kept: one for each chat model, embedding model and prompt version.

`eren calibrate` makes them; `data/calibrations.json` ships ours.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from dataclasses import asdict, dataclass, fields, replace
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar, cast

from eren_memory.errors import ConfigError
from eren_memory.likeness import Likeness
from eren_memory.relevance import DEFAULT, Calibration, Polarity, SecondLook, Task, Weights

_T = TypeVar("_T")
_log = logging.getLogger(__name__)

# A list of numbers, which takes one line instead of a thousand.
_NUMBERS = re.compile(r"\[[-+\d.e,\s]+\]")


@dataclass(frozen=True, slots=True)
class Key:
    """What a calibration was fitted for."""

    model: str
    embedder: str
    prompt: str
    logprobs: bool
    task: Task


class Calibrations:
    """Calibrations of one chat model and embedder: the operator's file, the package's, defaults.

    Args:
        model: The chat model's name.
        embedder: The embedding space.
        prompt: The version of the prompts.
        own: The file that `eren calibrate` writes for this installation.
    """

    def __init__(self, model: str, embedder: str, prompt: str, own: Path) -> None:
        self.model = model
        self._names = (model, embedder, prompt)
        self._own = own
        self._known: dict[Key, Calibration] | None = None
        self._seen: tuple[int, int, int] | None = None
        self._others: dict[str, Calibrations] = {}

    def of(self, embedder: str) -> Calibrations:
        """Those of the same chat model in another embedding space."""
        if embedder == self._names[1]:
            return self
        if embedder not in self._others:
            model, _, prompt = self._names
            self._others[embedder] = Calibrations(model, embedder, prompt, self._own)
        return self._others[embedder]

    def known(self, task: Task, *, logprobs: bool) -> Calibration | None:
        """The decision's parameters for exactly this key, if there are any. Raises as `get`."""
        return self._all().get(self.key(task, logprobs=logprobs))

    def key(self, task: Task, *, logprobs: bool) -> Key:
        """What a calibration is kept under."""
        return Key(*self._names, logprobs, task)

    def get(self, task: Task, *, logprobs: bool) -> Calibration:
        """The decision's parameters. Raises `ConfigError` for a damaged file of the operator's."""
        for graded in (logprobs, not logprobs):
            # An endpoint without log-probabilities has only the one; gate and band are the same.
            if found := self.known(task, logprobs=graded):
                return found
        return DEFAULT

    def mark(self, task: Task, *, logprobs: bool) -> str:
        """A name for exactly these parameters of this key, kept with each decision that they made."""
        return _mark(self.key(task, logprobs=logprobs), self.get(task, logprobs=logprobs))

    def _all(self) -> dict[Key, Calibration]:
        """What is known just now: the operator's file may be written by any process, at any time."""
        seen = _stamp(self._own)
        if self._known is not None and seen == self._seen:
            return self._known
        try:
            own = read(self._own) if seen is not None else {}
            self._known = _shipped() | own
        except (ConfigError, OSError) as error:
            if self._known is None:
                raise
            _log.warning("The calibrations stay as they were: %s", error)
        self._seen = seen
        return self._known


@lru_cache(maxsize=32)  # A likeness has a thousand weights to look through.
def _mark(key: Key, values: Calibration) -> str:
    made_of = [asdict(key), asdict(replace(values, fitted=None))]
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:16]


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Another one whenever the file is another; None where there is none."""
    try:
        told = path.stat()
    except OSError:
        return None
    return told.st_ino, told.st_size, told.st_mtime_ns


def read(path: Path) -> dict[Key, Calibration]:
    """The calibrations in a file. Raises `ConfigError` when it is not one."""
    return _read(path.read_text(encoding="utf-8"), str(path))


def write(path: Path, made: dict[Key, Calibration]) -> None:
    """Add calibrations to a file, replacing those of the same keys.

    A file that is damaged or of an older form is put aside as `.old`: its reader is told to make it
    again, and this is how.
    """
    try:
        known = read(path) if path.is_file() else {}
    except ConfigError:
        path.replace(path.with_name(f"{path.name}.old"))
        known = {}
    entries = [{"key": asdict(key), **asdict(value)} for key, value in (known | made).items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    # As a whole: whoever reads it, or is killed, never sees half a file.
    part = path.with_name(f"{path.name}.part")
    text = _NUMBERS.sub(lambda found: " ".join(found[0].split()), json.dumps(entries, indent=2))
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(path)


@cache
def _shipped() -> dict[Key, Calibration]:
    text = (files("eren_memory") / "data" / "calibrations.json").read_text(encoding="utf-8")
    return _read(text, "the package's calibrations")


def _read(text: str, where: str) -> dict[Key, Calibration]:
    try:
        entries: list[dict[str, Any]] = json.loads(text)
        return dict(_entry(one) for one in entries)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{where} is not a calibration file: run eren calibrate again."
        ) from error


def _entry(entry: dict[str, Any]) -> tuple[Key, Calibration]:
    values = dict(entry)
    key = _made(Key, values.pop("key"))
    for name in ("decision", "retrieval", "unread"):
        values[name] = _made(Weights, values[name]) if values[name] else None
    values["second"] = _made(SecondLook, values["second"]) if values["second"] else None
    values["polarity"] = _made(Polarity, values["polarity"])
    values["likeness"] = _likeness(values["likeness"]) if values["likeness"] else None
    return replace(key, task=Task(key.task)), _made(Calibration, values)


def _likeness(values: dict[str, Any]) -> Likeness:
    made = _made(Likeness, values)
    return replace(made, product=tuple(made.product), difference=tuple(made.difference))


def _made(kind: type[_T], values: dict[str, Any]) -> _T:
    """A value of a file; none may be missing, so that a file of an older form is not half believed."""
    if {*values} != {field.name for field in fields(cast("Any", kind))}:
        raise ValueError(f"not the fields of {kind.__name__}")
    return kind(**values)
