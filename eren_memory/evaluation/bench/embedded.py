"""The whole of it on the embedded chat model, against that model used directly."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft, Place
from eren_memory.evaluation.bench.rows import Row
from eren_memory.evaluation.bench_notebook import GUILD, open_bench
from eren_memory.prompts import Style, unedited

_NOTES = (
    "The Fenlake Ferry leaves at noon.",
    "Mira Voss plays the cello.",
    "The headquarters of Lodestar Games is in Quill Bay.",
)
# In equal parts in scope, about the same subject, and about neither.
_ASKED = (
    "When does the Fenlake Ferry leave?",
    "Who designed the Fenlake Ferry?",
    "What is the capital of Peru?",
    "Which instrument does Mira Voss play?",
    "Where was Mira Voss born?",
    "How many legs does a spider have?",
    "In which city are Lodestar Games' head offices?",
    "When was Lodestar Games founded?",
    "Who wrote Hamlet?",
)


async def model(settings: Settings) -> AsyncIterator[Row]:
    """Questions a second end to end, one after the other."""
    local = settings.model_copy(update={"model": "local"})
    async with open_bench(local, []) as app:
        await app.notebook.add_many(GUILD, [NoteDraft(text) for text in _NOTES], By("bench"))
        await app.warm()
        place, calls = Place(GUILD), 0
        await app.eren.answer(_ASKED[0], place)
        alone = "questions to the embedded model itself"
        begun = time.perf_counter()
        for text in _ASKED:
            await app.chat_model.complete(
                unedited(text, Style.SHORT), max_tokens=Style.SHORT.tokens
            )
        yield Row(alone, len(_NOTES), per_second=len(_ASKED) / (time.perf_counter() - begun))
        begun = time.perf_counter()
        for text in _ASKED:
            calls += (await app.eren.answer(text, place)).trace.usage.calls
        taken = time.perf_counter() - begun
        yield Row(
            "questions end to end on the embedded model (1:1:1)",
            len(_NOTES),
            per_second=len(_ASKED) / taken,
            baseline=alone,
            calls=calls / len(_ASKED),
        )
