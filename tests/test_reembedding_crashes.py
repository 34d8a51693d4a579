"""kill -9 while notes are re-embedded and edited: it goes on, and the end is the same."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eren_memory.app import open_app
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft
from eren_memory.errors import BadInput
from tests import qdrant_http
from tests.endpoint import Endpoint, stems_vector

KILLS = int(os.environ.get("EREN_TEST_REEMBED_KILLS", "10"))
NOTES = 400
GUILD = "g"
BY = By("worker")
NEW = "hashed-stems"
WORDS = ("ferry", "bridge", "library", "market", "tower", "school", "museum", "garden", "station")


def statement(n: int) -> str:
    things = [WORDS[n % 9], WORDS[n // 9 % 9], WORDS[n // 81 % 9]]
    return f"The {things[0]} behind the {things[1]} of the old {things[2]} has number {n}."


def start(settings: dict[str, Any], seed: int) -> None:
    asyncio.run(_work(Settings(**settings), random.Random(seed)))


async def _work(settings: Settings, draw: random.Random) -> None:
    from eren_memory import reembedding

    reembedding._BATCH = 4  # Kills find it in the middle of something.
    async with open_app(settings) as app:
        await app.notebook.projector.ready()
        async with app.reembedding.in_background():
            while True:
                number = draw.randint(1, NOTES)
                try:
                    if draw.random() < 0.7:
                        text = f"{statement(number)} Since {draw.choice(WORDS)} {draw.random()}."
                        await app.notebook.edit(GUILD, number, BY, text=text)
                    else:
                        act = draw.choice([app.notebook.retire, app.notebook.restore])
                        await act(GUILD, number, BY)
                except BadInput:
                    continue
                await asyncio.sleep(0.01)


@pytest.mark.timeout(120 + 10 * KILLS)
@pytest.mark.parametrize("where", ["embedded", "server"])
async def test_killed_at_random_it_goes_on_and_no_vector_is_missing_or_stale(
    endpoint: Endpoint, tmp_path: Path, where: str
):
    draw = random.Random(KILLS)
    endpoint.embedders[NEW] = stems_vector
    values: dict[str, Any] = {
        "home": tmp_path / "home",
        "model": "scripted",
        "openai_base_url": endpoint.url,
        "embedding_model": "hashed-words",
        "embedding_url": endpoint.url,
        "reembed_share": 1.0,
    }
    async with qdrant_http.serve() as server:
        if where == "server":
            values["qdrant_url"] = server.url
        async with open_app(Settings(**values)) as app:
            drafts = [NoteDraft(statement(n)) for n in range(1, NOTES + 1)]
            await app.notebook.add_many(GUILD, drafts, BY)
            await app.notebook.projector.project()
            await app.reembedding.wish(NEW, "ann")
        context = multiprocessing.get_context("forkserver")
        for kill in range(KILLS):
            child = context.Process(target=start, args=(values, kill), daemon=True)
            child.start()
            await asyncio.sleep(draw.uniform(0.5, 2.5))
            assert child.is_alive(), "the worker ended by itself"
            assert child.pid
            os.kill(child.pid, signal.SIGKILL)
            await asyncio.to_thread(child.join)
        async with open_app(Settings(**values)) as app:
            if where == "server":  # Until the claim of the dead has run out.
                await app.notebook.ledger.spaces.claim(
                    NEW, app.reembedding._me, app.reembedding._clock(),
                    app.reembedding._clock(), alone=True,
                )  # fmt: skip
            await app.reembedding.finish()
            assert app.embedder.space == NEW
            report = await app.notebook.projector.reconcile()
            assert (report.missing, report.stale, report.orphaned) == (0, 0, 0)
            index = await app.notebook.projector.open()
            notes = [n for n in await app.notebook.ledger.notes(GUILD) if n.status == "active"]
            held = await index.held([note.id for note in notes])
            assert {one: kept.text for one, kept in held.items()} == {n.id: n.text for n in notes}
            assert await index.count() == len(notes)
            for one in held.values():
                np.testing.assert_allclose(one.dense, stems_vector(one.text), atol=1e-5)
