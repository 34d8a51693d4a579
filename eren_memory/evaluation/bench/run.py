"""Run the parts of a bench, each by itself, and keep what they find."""

from __future__ import annotations

import asyncio
import json
import logging
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from eren_memory import __version__
from eren_memory.config import Settings
from eren_memory.embedder import Embedder, LocalEmbedder
from eren_memory.evaluation.bench import answering, embedded, page, processes, searching, writing
from eren_memory.evaluation.bench.mixed import MixedEmbedder
from eren_memory.evaluation.bench.rows import Row, compared
from eren_memory.evaluation.bench.scripted import Scripted, open_scripted
from eren_memory.evaluation.bench.synthetic import Corpus, WordsEmbedder
from eren_memory.evaluation.measure import machine
from eren_memory.projection import Progress

SIZED = ("search", "add", "question")
"""Parts that are measured at every size, in one notebook that grows."""
PARTS = (*SIZED, "guilds", "memory", "delay", "askers", "import", "reembed", "start", "model")
"""Every part, in the order in which they run."""
USUAL = tuple(name for name in PARTS if name != "model")
"""Those that run unless others are named: the embedded chat model is asked for by name."""

_PACKAGES = (
    "torch",
    "sentence-transformers",
    "qdrant-edge-py",
    "qdrant-client",
    "numpy",
    "sqlalchemy",
)
# A real encoder takes minutes for a hundred thousand; its speed is the same from a thousand on.
_ENCODED = 2_000
_NOTES_FOR_ASKERS = 1_000
_DELAY_NOTES = 10_000

_log = logging.getLogger(__name__)


@dataclass
class Bench:
    """What is to be measured, and what was.

    Args:
        settings: Whose embedding model is used; its notebook is left alone.
        sizes: Notes.
        parts: Names of `PARTS`.
        seed: Of the notes.
        progress: Hears of every part.
    """

    settings: Settings
    sizes: Sequence[int]
    parts: Sequence[str]
    seed: int = 0
    progress: Progress | None = None
    rows: list[Row] = field(default_factory=list)

    async def run(self) -> dict[str, Any]:
        """Measure; returns what `bench.json` holds."""
        with tempfile.TemporaryDirectory(prefix="eren-bench-") as folder:
            await self._run(Path(folder))
        return {
            "machine": machine(),
            "date": datetime.now(UTC).date().isoformat(),
            "seed": self.seed,
            "embedder": self.settings.embedding_model,
            "versions": _versions(),
            "rows": [row.record() for row in compared(self.rows)],
        }

    async def _run(self, folder: Path) -> None:
        self._corpus, self._folder = Corpus(self.seed), folder
        sized = [name for name in SIZED if name in self.parts]
        further = [name for name in PARTS if name in self.parts and name not in SIZED]
        self._done, self._total = 0, len(sized) * len(self.sizes) + len(further)
        if sized or "memory" in further:
            async with open_scripted(folder / "growing", WordsEmbedder()) as opened:
                await self._grow(opened, sized)
        for name in further:
            await self._take(name, max(self.sizes), self._further(name))

    async def _grow(self, opened: Scripted, parts: Sequence[str]) -> None:
        has = 0
        made = {
            "search": searching.search,
            "add": writing.add,
            "question": answering.question,
        }
        for size in sorted(self.sizes):
            await opened.fill(self._corpus.notes(has, size))
            await opened.notebook.projector.project()
            has = size
            for name in parts:
                await self._take(name, size, made[name](opened, self._corpus, size))

    async def _further(self, name: str) -> AsyncIterator[Row]:
        size = max(self.sizes)
        home, encoded = self._folder / name, min(size, _ENCODED)
        changed = {"home": home, "database_url": None, "qdrant_url": None}
        settings = self.settings.model_copy(update=changed)
        parts: dict[str, Callable[[], AsyncIterator[Row]]] = {
            "guilds": lambda: self._guilds(home, size),
            "memory": lambda: processes.memory(
                self._folder / "growing", home, settings.embedding_model, size
            ),
            "delay": lambda: self._delay(home, min(size, _DELAY_NOTES)),
            "askers": lambda: self._askers(home, min(size, _NOTES_FOR_ASKERS)),
            "import": lambda: writing.importing(settings, self._corpus, encoded),
            "reembed": lambda: writing.reembedding(settings, self._corpus, encoded),
            "start": lambda: processes.start(home, settings.embedding_model),
            "model": lambda: embedded.model(self.settings),
        }
        if name in ("import", "reembed") and not any(r.what == writing.ENCODER for r in self.rows):
            embedder = self._embedder()
            yield await writing.encoder(embedder, self._corpus, encoded)
            await embedder.close()
        async for row in parts[name]():
            yield row

    async def _guilds(self, home: Path, size: int) -> AsyncIterator[Row]:
        async with open_scripted(home, WordsEmbedder()) as opened:
            async for row in searching.guilds(opened, self._corpus, size):
                yield row

    async def _delay(self, home: Path, size: int) -> AsyncIterator[Row]:
        embedder = MixedEmbedder(self._embedder())
        async with open_scripted(home, embedder) as opened:
            await opened.fill(self._corpus.notes(0, size))
            await opened.notebook.projector.project()
            async for row in answering.encoded_question(opened, embedder, size):
                yield row

    async def _askers(self, home: Path, size: int) -> AsyncIterator[Row]:
        embedder = MixedEmbedder(self._embedder())
        async for row in answering.askers(home, self._corpus, embedder, size):
            yield row

    def _embedder(self) -> Embedder:
        return LocalEmbedder(self.settings.embedding_model, self.settings.home)

    async def _take(self, name: str, size: int, rows: AsyncIterator[Row]) -> None:
        """A part's rows; one that fails leaves a row that says so, and the others run."""
        try:
            async for row in rows:
                self.rows.append(row)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - Whatever it was, the other parts are still of use.
            _log.debug("A part of the bench failed", exc_info=True)
            self.rows.append(Row(name, size, error=f"{type(error).__name__}: {error}"))
        self._done += 1
        if self.progress:
            self.progress(self._done, self._total)


def save(out: Path, results: dict[str, Any]) -> None:
    """Write `bench.json`, `bench.md` and, where matplotlib is installed, the pictures."""
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=2, ensure_ascii=False) + "\n"
    (out / "bench.json").write_text(text, encoding="utf-8")
    pictures = page.draw(out, results)
    (out / "bench.md").write_text(page.page(results, pictures), encoding="utf-8")


def _versions() -> dict[str, str]:
    found = {"eren-bot": __version__}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
