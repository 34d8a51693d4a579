"""A process of its own: how long it takes to answer, and how much memory it holds.

It prints one line of JSON when it is done. `encoder` loads the embedding model and embeds a question,
`answer` opens an installation and answers one, `hold` opens a notebook on scripted vectors and searches.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from pathlib import Path
from typing import Any

_QUESTION = "At what time of day does the Fenlake Ferry leave?"


async def _encoder(home: Path, model: str) -> dict[str, Any]:
    from eren_memory.embedder import LocalEmbedder

    embedder = LocalEmbedder(model, home)
    await embedder.embed([_QUESTION])
    await embedder.close()
    return {}


async def _answer(home: Path, model: str) -> dict[str, Any]:
    from eren_memory.app import open_app
    from eren_memory.config import Settings
    from eren_memory.domain import NoteDraft, Place
    from eren_memory.engine import Eren
    from eren_memory.evaluation.bench.scripted import BY, GUILD, ScriptedModel
    from eren_memory.evaluation.bench.writing import felt

    settings = Settings(home=home, model="none", openai_base_url="http://127.0.0.1:9/v1")
    settings = settings.model_copy(update={"embedding_model": model, "embedding_url": None})
    async with felt() as late, open_app(settings) as app:
        if await app.notebook.ledger.is_empty():
            await app.notebook.add(GUILD, NoteDraft("The Fenlake Ferry leaves at noon."), BY)
        eren = Eren(app.notebook, ScriptedModel(0), app.calibrations)
        await eren.answer(_QUESTION, Place(GUILD))
        return {"late": late()}


async def _hold(home: Path, _model: str) -> dict[str, Any]:
    from eren_memory.domain import Place
    from eren_memory.evaluation.bench.scripted import GUILD, open_scripted
    from eren_memory.evaluation.bench.synthetic import WordsEmbedder

    async with open_scripted(home, WordsEmbedder()) as opened:
        await opened.notebook.search(Place(GUILD), _QUESTION, 20)
        return {"megabytes": _megabytes()}


def _megabytes() -> float:
    """What is resident now; where the system does not say, the most there ever was."""
    status = Path("/proc/self/status")
    if status.is_file():
        [line] = [one for one in status.read_text().splitlines() if one.startswith("VmRSS:")]
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


_KINDS = {"encoder": _encoder, "answer": _answer, "hold": _hold}

if __name__ == "__main__":
    kind, folder, name = sys.argv[1:]
    told = asyncio.run(_KINDS[kind](Path(folder), name))
    print(json.dumps({"megabytes": _megabytes()} | told))  # noqa: T201 - For whoever started it.
