"""Twenty people at once on one notebook: nothing but honest conflicts."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft, NoteStatus
from eren_memory.errors import NoteNotFound, RevisionMoved
from eren_memory.ledger.archive import back_up, restore
from tests.conftest import on_both

ACTS = int(os.environ.get("EREN_TEST_ACTS", "400"))
WRITERS = 20


async def write(app: App, who: int, outcomes: Counter[str]) -> None:
    """Acts of one person, each on the revision that they have just read."""
    draw, notebook, by = random.Random(who), app.notebook, By(f"person {who}")
    for act in range(ACTS // WRITERS):
        text = f"Note {act} of person {who}."
        number = draw.randint(1, 40)
        try:
            seen = await notebook.ledger.note("g", number)
            if seen.status is NoteStatus.ACTIVE and draw.random() < 0.8:
                await notebook.edit("g", number, by, expect=seen.revision, text=text)
            else:
                await notebook.add("g", NoteDraft(text), by)
            outcomes["saved"] += 1
        except RevisionMoved:
            outcomes["moved"] += 1
        except NoteNotFound:
            await notebook.add("g", NoteDraft(text), by)
            outcomes["saved"] += 1


@on_both
@pytest.mark.timeout(60 + ACTS // 10)
async def test_twenty_writers_meet_nothing_but_revision_conflicts(settings: Settings):
    outcomes: Counter[str] = Counter()
    # Two programs, one of which holds the index, as a bot and a command line would.
    async with open_app(settings) as bot, open_app(settings) as shell:
        await bot.notebook.projector.ready()
        apps = (bot, shell)
        await asyncio.gather(*(write(apps[n % 2], n, outcomes) for n in range(WRITERS)))
        assert outcomes["saved"] + outcomes["moved"] == ACTS // WRITERS * WRITERS
        notes = await bot.notebook.ledger.notes("g")
        assert sum(note.revision for note in notes) == outcomes["saved"]
        assert [note.number for note in notes] == list(range(1, len(notes) + 1))
        await bot.notebook.projector.project()
        report = await bot.notebook.projector.reconcile()
        assert (report.missing, report.stale, report.orphaned) == (0, 0, 0)
    assert outcomes["saved"] > ACTS / 2


@on_both
async def test_a_restore_beside_writers_refuses_nobody(settings: Settings, tmp_path: Path):
    archive = tmp_path / "notebook.zip"
    async with open_app(settings) as bot, open_app(settings) as shell:
        await bot.notebook.projector.ready()
        await bot.notebook.add("g", NoteDraft("Before."), By("ann"))
        await back_up(shell.notebook.ledger, archive, {}, datetime.now(UTC))
        resting = asyncio.Event()

        async def go_on(who: int) -> None:
            for act in range(1_000):
                if resting.is_set():
                    return
                await bot.notebook.add("g", NoteDraft(f"{who}, {act}"), By(f"person {who}"))

        writers = [asyncio.create_task(go_on(who)) for who in range(8)]
        for _ in range(3):
            await asyncio.sleep(0.3)
            await restore(shell.notebook.ledger, archive, {})
        resting.set()
        await asyncio.gather(*writers)
        assert (await bot.notebook.ledger.note("g", 1)).text == "Before."
