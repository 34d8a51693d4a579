"""From what people said of answers to a proposal, and from there only by hand to another threshold."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from eren_memory.app import App, open_app
from eren_memory.calibrations import Key
from eren_memory.community import Asked, Complaint, Queue, Used
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft
from eren_memory.ledger.evidence import Judged, judged
from eren_memory.recalibration import LEAST_OF_EACH, moved, proposals, propose, summary, told
from eren_memory.relevance import DEFAULT, SecondLook, Task
from tests.command_line import CommandLine
from tests.conftest import on_both

NOW = datetime.now(UTC)
KEY = Key("model", "embedder", "1", logprobs=True, task=Task.QUESTION)


def rows(draw: random.Random, count: int, centre: float, *, answers: bool) -> list[Judged]:
    """Decisions whose p scatters around a centre."""
    return [
        Judged(
            "m", min(0.99, max(0.01, draw.gauss(centre, 0.05))), answers, frozenset([f"p{n % 5}"])
        )
        for n in range(count)
    ]


def test_a_threshold_that_is_clearly_off_is_proposed_with_its_counts():
    draw = random.Random(1)
    # What answers has p around 0.9, what does not around 0.65: both are accepted now.
    evidence = rows(draw, 40, 0.9, answers=True) + rows(draw, 40, 0.65, answers=False)
    found = propose(KEY, evidence)
    assert found.better
    assert 0.7 < found.threshold < 0.9
    assert (found.before.answering, found.before.silent) == (40, 0)
    assert found.after.silent > 35
    assert found.mended - found.broken == found.after.silent + found.after.answering - 40
    assert "40 answers that the note answers, 40 that it does not" in told(found)
    assert "see eren calibrate --from-feedback" in summary([found])


@pytest.mark.parametrize("seed", range(20))
def test_a_good_threshold_is_left_alone(seed: int):
    draw = random.Random(seed)
    evidence = rows(draw, 40, 0.8, answers=True) + rows(draw, 40, 0.2, answers=False)
    assert not propose(KEY, evidence).better


@pytest.mark.parametrize("seed", range(40))
def test_labels_that_say_nothing_lead_to_no_proposal(seed: int):
    draw = random.Random(seed)
    evidence = [
        Judged("m", draw.random(), draw.random() < 0.5, frozenset([f"p{n % 5}"])) for n in range(60)
    ]
    assert not propose(KEY, evidence).better


def test_too_few_answers_or_people_propose_nothing():
    draw = random.Random(1)
    few = LEAST_OF_EACH - 1
    evidence = rows(draw, 40, 0.9, answers=True) + rows(draw, few, 0.65, answers=False)
    assert not propose(KEY, evidence).better
    assert "Too little" in told(propose(KEY, evidence))
    enough = rows(draw, 40, 0.9, answers=True) + rows(draw, 40, 0.65, answers=False)
    alone = [replace(one, people=frozenset(["one"])) for one in enough]
    assert not propose(KEY, alone).better
    assert propose(KEY, enough).better


def test_the_moved_calibration_accepts_from_the_proposed_threshold_on():
    draw = random.Random(1)
    found = propose(KEY, rows(draw, 40, 0.9, answers=True) + rows(draw, 40, 0.65, answers=False))
    after = moved(DEFAULT, found, NOW.date())
    for verdict, dense in ((0.3, 0.9), (0.9, 0.7), (0.99, 0.8)):
        was = DEFAULT.decision.probability(verdict, dense)
        assert (after.decision.probability(verdict, dense) >= 0.5) == (was >= found.threshold)
    assert after.gate == DEFAULT.gate
    assert after.fitted is not None
    assert "feedback on 80 answers" in after.fitted


def test_what_a_second_look_decided_moves_with_the_threshold():
    draw = random.Random(1)
    found = propose(KEY, rows(draw, 40, 0.9, answers=True) + rows(draw, 40, 0.65, answers=False))
    second = SecondLook(-0.4, 0.6, 2.0)
    was = replace(DEFAULT, second=second)
    after = moved(was, found, NOW.date())
    assert after.second is not None
    for verdict, dense, again in ((0.5, 0.8, 0.9), (0.9, 0.7, 0.4), (0.7, 0.75, 0.6)):
        first, now = (one.decision.probability(verdict, dense) for one in (was, after))
        before = second.probability(first, again)
        assert (after.second.probability(now, again) >= 0.5) == (before >= found.threshold)


def asked(app: App, question: str, p: float, **fields: Any) -> Asked:
    """An answer that the main model's calibration decided with p."""
    mark = app.calibrations.mark(Task.QUESTION, logprobs=True)
    made = Asked(
        id=uuid4(),
        guild_id="g",
        channel_id="c",
        channels=("c",),
        asker_id="ann",
        question=question,
        text="an answer",
        origin="notebook" if p >= 0.5 else "model",
        claim=False,
        private=False,
        at=NOW,
        trace={"p": p, "mark": mark, "candidates": []},
    )
    return replace(made, **fields)


async def labels(app: App) -> Sequence[bool]:
    return [one.answers for one in await judged(app.notebook.ledger)]


@on_both
@pytest.mark.parametrize(
    ("p", "said", "label"),
    [
        (0.8, [("a", None)], [True]),
        (0.8, [("a", Complaint.NOT_FROM_NOTEBOOK)], [False]),
        (0.8, [("a", None), ("b", Complaint.NOT_FROM_NOTEBOOK)], []),
        (0.8, [("a", None), ("b", None), ("c", Complaint.NOT_FROM_NOTEBOOK)], [True]),
        (0.8, [("a", Complaint.WRONG)], []),
        (0.8, [("a", Complaint.OUTDATED), ("b", None)], [True]),
        (0.2, [("a", None)], [False]),
        (0.2, [("a", None), ("b", Complaint.WRONG)], []),
        (0.2, [("a", Complaint.WRONG)], []),
    ],
)
async def test_what_members_say_labels_the_decision(
    app: App, p: float, said: list[tuple[str, Complaint | None]], label: list[bool]
):
    one = asked(app, "When?", p)
    await app.records.keep(one)
    for member, complaint in said:
        await app.records.rate(one, member, NOW, helpful=complaint is None, complaint=complaint)
    assert await labels(app) == label


async def test_a_complaint_that_a_moderator_dismissed_counts_for_nothing(app: App):
    one = asked(app, "When?", 0.8)
    await app.records.keep(one)
    await app.records.rate(one, "a", NOW, helpful=False, complaint=Complaint.NOT_FROM_NOTEBOOK)
    review = await app.reviews.raised(Queue.COMPLAINT, one, NOW)
    assert await labels(app) == [False]
    await app.reviews.close("g", review.id, "mod", "outcome.dismissed", NOW)
    assert await labels(app) == []


@pytest.mark.parametrize(
    ("act", "label"), [("replaced", [True]), ("edited", [True]), ("beside", [False]), ("gone", [])]
)
async def test_what_a_correction_did_with_the_note_that_was_read_labels_the_decision(
    app: App, act: str, label: list[bool]
):
    read = await app.notebook.add("g", NoteDraft("The ferry leaves at two."), By("mod"))
    by = read
    if act == "edited":
        by = await app.notebook.edit("g", 1, By("mod"), text="The ferry leaves at noon.")
    else:
        replaces = (1,) if act == "replaced" else ()
        draft = NoteDraft("The ferry leaves at noon.")
        by = await app.notebook.add("g", draft, By("mod"), supersedes=replaces)
    if act == "gone":
        await app.notebook.retire("g", 1, By("mod"))
    one = asked(app, "When?", 0.3)
    before = one.trace | {"candidates": [{"id": str(read.id)}], "notes": []}
    trace = {"path": "corrected", "before": before, "by": str(by.id), "corrector": "mod"}
    await app.records.keep(replace(one, trace=trace, notes=(Used(by.id, 1),)))
    # What was said of it before or after is about another answer.
    await app.records.rate(one, "a", NOW, helpful=True)
    assert await labels(app) == label


async def test_a_question_counts_once_and_what_another_calibration_decided_not_at_all(app: App):
    for hour, p in enumerate((0.9, 0.7)):
        one = asked(app, "When?", p, at=NOW + timedelta(hours=hour))
        await app.records.keep(one)
        await app.records.rate(one, "a", NOW, helpful=True)
    stale = asked(app, "Who?", 0.9, trace={"p": 0.9, "mark": "of another", "candidates": []})
    await app.records.keep(stale)
    await app.records.rate(stale, "a", NOW, helpful=True)
    assert [one.p for one in await judged(app.notebook.ledger)] == [0.9, 0.7]
    # The newest of "When?", and of "Who?" the only one, which no calibration of today made.
    [found] = await proposals(app.notebook.ledger, app.all_calibrations)
    assert found.labelled.answering + found.labelled.silent == 1


async def test_nothing_changes_until_an_operator_applies_it(
    settings: Settings,
):
    draw = random.Random(1)
    evidence = rows(draw, 40, 0.9, answers=True) + rows(draw, 40, 0.65, answers=False)
    async with open_app(settings) as app:
        for number, row in enumerate(evidence):
            one = asked(app, f"Question {number}?", row.p)
            await app.records.keep(one)
            complaint = None if row.answers else Complaint.NOT_FROM_NOTEBOOK
            await app.records.rate(
                one, f"m{number % 7}", NOW, helpful=row.answers, complaint=complaint
            )
        said = await app.jobs.run_now("recalibration", "g")
        assert "see eren calibrate --from-feedback" in said
        assert not (settings.home / "calibrations.json").exists()
    eren = CommandLine(settings)
    shown = await eren("calibrate", "--from-feedback", "--json")
    assert [one["better"] for one in shown.data["proposals"]] == [True]
    assert not (settings.home / "calibrations.json").exists()
    applied = await eren("calibrate", "--from-feedback", "--apply")
    assert "Written to" in applied.out
    async with open_app(settings) as app:
        fitted = app.calibrations.get(Task.QUESTION, logprobs=True)
        assert fitted.fitted is not None
        assert fitted.decision.intercept < DEFAULT.decision.intercept
        # The old decisions were another calibration's, so they are not counted a second time.
        assert "0 labelled answers" in await app.jobs.run_now("recalibration", "g")


async def test_a_data_file_or_feedback_is_needed_and_not_both(settings: Settings):
    for given in ([], ["--from-feedback", "--data", "x.json"], ["--data", "x.json", "--apply"]):
        assert (await CommandLine(settings)("calibrate", *given)).status == 2
