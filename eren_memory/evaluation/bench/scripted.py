"""The engine, its ledger and its index as they are, on models that are scripted."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from eren_memory import calibrations
from eren_memory.calibrations import Calibrations, Key
from eren_memory.conflicts import Judge
from eren_memory.domain import By, NoteDraft, Usage
from eren_memory.embedder import Embedder
from eren_memory.engine import Eren
from eren_memory.index.store import EdgeStore
from eren_memory.ledger.ledger import open_ledger
from eren_memory.llm import Completion, Message
from eren_memory.notebook import Notebook
from eren_memory.projections import Projections
from eren_memory.prompts import PROMPT_VERSION
from eren_memory.relevance import Calibration, Task, Weights
from eren_memory.space import Chosen

GUILD = "bench"
BY = By("bench")
DELAY = 0.05
"""Seconds that the scripted chat model takes for a reply; a real one takes ten times as long."""

_MODEL = "scripted"
_BATCH = 2_000
# Decides questions of the synthetic corpus: those in scope at a cosine about 0.85, those about the same
# subject about 0.6, others near 0.
_CALIBRATION = Calibration(
    decision=Weights(-2.5, 1.0, 4.0), retrieval=Weights(-10.0, 0.0, 20.0), gate=0.4, doubtful=0.97
)


class ScriptedModel:
    """A `ChatModel` that takes its time and says yes where a note has the question's long words."""

    name = _MODEL

    def __init__(self, delay: float = DELAY) -> None:
        self._delay = delay

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        logprobs: bool = False,
        on_text: Callable[[str], None] | None = None,
    ) -> Completion:
        """See `ChatModel.complete`."""
        await asyncio.sleep(self._delay)
        last = messages[-1]["content"]
        note, found, asked = last.removeprefix("Note: ").partition("\nQuestion: ")
        if not found:
            return Completion("An answer.", (), Usage(1), self._delay * 1000)
        said = {word.strip(".?").lower() for word in note.split()}
        words = [word.strip(".?").lower() for word in asked.split()[1:]]
        yes = all(word in said for word in words if len(word) > 3)
        text = f"yes: {note.split()[-1].rstrip('.')}" if yes else "no"
        first = (("yes" if yes else "no", math.log(0.98)), ("no" if yes else "yes", math.log(0.02)))
        return Completion(text, first if logprobs else (), Usage(1), self._delay * 1000)

    async def close(self) -> None:
        """See `ChatModel.close`."""


@dataclass(frozen=True, slots=True)
class Scripted:
    """A notebook and the assistant that asks it."""

    home: Path
    notebook: Notebook
    eren: Eren
    model: ScriptedModel

    async def fill(self, texts: Sequence[str], guild: str = GUILD) -> None:
        """Add notes; the next search has them indexed, if they are not yet."""
        for start in range(0, len(texts), _BATCH):
            drafts = [NoteDraft(text) for text in texts[start : start + _BATCH]]
            await self.notebook.add_many(guild, drafts, BY)


@asynccontextmanager
async def open_scripted(
    home: Path, embedder: Embedder, delay: float = DELAY
) -> AsyncIterator[Scripted]:
    """A notebook in `home`; what is closed on the way out is its own."""
    own = _own_calibrations(home, embedder.space)
    async with open_ledger(f"sqlite:///{home / 'notebook.db'}") as ledger:
        projections = Projections(
            ledger,
            EdgeStore(home / "index", "english"),
            Chosen(embedder.space, endpoint=False, explicit=True),
            lambda _space, _endpoint, _background: embedder,
        )
        await projections.begin()
        model = ScriptedModel(delay)
        notebook = Notebook(ledger, projections, Judge(model))
        decided_by = Calibrations(_MODEL, embedder.space, PROMPT_VERSION, own)
        try:
            yield Scripted(home, notebook, Eren(notebook, model, decided_by), model)
        finally:
            await projections.close()


def _own_calibrations(home: Path, space: str) -> Path:
    home.mkdir(parents=True, exist_ok=True)
    own = home / "calibrations.json"
    keys = [
        Key(_MODEL, space, PROMPT_VERSION, graded, task)
        for graded in (True, False)
        for task in Task
    ]
    calibrations.write(own, dict.fromkeys(keys, _CALIBRATION))
    return own
