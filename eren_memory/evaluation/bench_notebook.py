"""A notebook of its own for a measurement: the operator's notes stay out, and unharmed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from eren_memory.app import App, open_app, own_calibrations
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft
from eren_memory.evaluation.datasets import Edit
from eren_memory.model_file import ensure_model
from eren_memory.projection import Progress
from eren_memory.prompts import Style

GUILD = "evaluation"
# Notes of one transaction: a hundred thousand distractors do not fit one statement.
_BATCH = 2_000


@asynccontextmanager
async def open_bench(settings: Settings, edits: Sequence[Edit]) -> AsyncIterator[App]:
    """The configured model, embedder and calibrations over a temporary notebook of `edits`."""
    with tempfile.TemporaryDirectory(prefix="eren-") as folder:
        home = Path(folder)
        changed: dict[str, object] = {"home": home, "database_url": None, "qdrant_url": None}
        if settings.wants_local_model:
            changed["model_file"] = ensure_model(settings.home, settings.model_file)
        if own_calibrations(settings).is_file():
            shutil.copy(own_calibrations(settings), home)
        async with open_app(settings.model_copy(update=changed), Style.SHORT) as app:
            await fill(app, [text for edit in edits for text in edit.statements])
            yield app


async def fill(app: App, statements: Sequence[str], progress: Progress | None = None) -> None:
    """Put notes into the notebook and its index; what is in it already stays one note."""
    for start in range(0, len(statements), _BATCH):
        drafts = [NoteDraft(text) for text in statements[start : start + _BATCH]]
        await app.notebook.add_many(GUILD, drafts, By("evaluation"))
        await app.notebook.projector.project()
        if progress:
            progress(start + len(drafts), len(statements))
