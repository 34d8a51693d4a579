"""200 notes, 40 of them stale in known ways: what an audit finds, printed as a table (`-s` shows it)."""

from __future__ import annotations

from pathlib import Path

import pytest

from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.domain import NoteStatus
from eren_memory.model_file import ensure_model
from eren_memory.staleness import Finding, Stale
from tests.calibrated import calibrate
from tests.endpoint import Endpoint
from tests.stale_notebook import GUILD, NOW, Clock, scores, scripted, seed, states, table

_NO_LIMIT = 10_000


async def found(app: App) -> list[Finding]:
    return await app.findings.open(GUILD, NOW, _NO_LIMIT)


async def test_every_stale_note_is_found_for_its_reason_and_no_other_and_nothing_is_asked_twice(
    settings: Settings, endpoint: Endpoint
):
    calibrate(settings)
    clock = Clock()
    async with open_app(settings, clock=clock) as app:
        facts = await seed(app, clock)
        endpoint.when("", scripted(facts))
        before = await states(app)
        assert (len(before), len(facts.stale)) == (200, 40)
        report = await app.audit(GUILD, _NO_LIMIT)
        counted = scores(facts, await found(app))
        print(table(counted, report))  # noqa: T201 - The table is the point.
        assert {(one.precision, one.recall) for one in counted.values()} == {(1.0, 1.0)}
        asked = len(endpoint.requests)
        assert report.usage.calls == asked
        changed = {number for number, now in (await states(app)).items() if now != before[number]}
        assert changed == {next(iter(one)) for stale, one in facts.stale if stale is Stale.EXPIRED}
        assert {(await states(app))[number] for number in changed} == {(2, NoteStatus.EXPIRED)}
        again = await app.audit(GUILD, _NO_LIMIT)
        assert (again.usage.calls, len(endpoint.requests)) == (0, asked)
        assert again.found == report.found


@pytest.mark.model
@pytest.mark.timeout(7_200)
async def test_the_embedded_model_finds_most_and_cries_wolf_seldom(
    tmp_path: Path, model_home: Path
):
    settings = Settings(
        home=tmp_path, model="local", model_file=ensure_model(model_home, None), model_timeout=300
    )
    clock = Clock()
    async with open_app(settings, clock=clock) as app:
        facts = await seed(app, clock)
        before = await states(app)
        report = await app.audit(GUILD, _NO_LIMIT)
        counted = scores(facts, await found(app))
        print(table(counted, report))  # noqa: T201 - The table is the point.
        by_ledger = set(Stale) - {Stale.CONFLICT, Stale.DUPLICATE, Stale.PROBE, Stale.OBSOLETE}
        told = {(counted[one].precision, counted[one].recall) for one in by_ledger}
        assert told == {(1.0, 1.0)}
        assert counted[Stale.CONFLICT].recall >= 0.5
        changed = [number for number, now in (await states(app)).items() if now != before[number]]
        assert len(changed) == 4
        assert (await app.audit(GUILD, _NO_LIMIT)).usage.calls == 0
