"""What grows stale is found, with its reason; the audit changes nothing, and asks nothing twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from eren_memory.app import App, open_app
from eren_memory.auditing import asking
from eren_memory.auditing.asking import says_the_same
from eren_memory.community import Asked, Complaint, Used
from eren_memory.config import Settings
from eren_memory.conflicts import Kind
from eren_memory.domain import By, Note, NoteDraft, NoteStatus, Origin, Probes
from eren_memory.ledger.upkeep_schema import checks, findings, note_uses, source_changes
from eren_memory.staleness import Finding, Report, Stale
from tests.calibrated import NOTE, QUESTION, READING, calibrate
from tests.conftest import on_both
from tests.endpoint import Endpoint, Reply

ANN = By("ann")
DAY = timedelta(days=1)
LINK = "https://discord.com/channels/1/2/3"


@dataclass
class Clock:
    now: datetime = datetime(2026, 6, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture
async def app(settings: Settings, clock: Clock, endpoint: Endpoint) -> AsyncIterator[App]:
    calibrate(settings)
    endpoint.when("Claim: ", Reply("unknown", probability=0.99))
    endpoint.when(READING, Reply("yes: at noon", probability=0.999))
    async with open_app(settings, clock=clock) as opened:
        yield opened


async def add(app: App, text: str, **fields: Any) -> Note:
    return await app.notebook.add("g", NoteDraft(text, **fields), ANN)


async def found(app: App, clock: Clock, calls: int | None = None) -> list[tuple[Stale, int]]:
    """What an audit finds by now: why, and which note."""
    clock.now += timedelta(seconds=1)
    await app.audit("g", calls)
    return [(one.stale, one.note.number) for one in await listed(app, clock)]


async def pass_by(app: App, clock: Clock, days: int) -> None:
    """Time in which audits are made as they should be."""
    for _ in range(0, days, 20):
        clock.now += 20 * DAY
        await app.audit("g")


async def listed(app: App, clock: Clock) -> list[Finding]:
    return await app.findings.open("g", clock.now, 100)


async def answered(app: App, note: Note, at: datetime, complaint: Complaint | None = None) -> None:
    """An answer from a note, and somebody who complains of it."""
    asked = Asked(
        uuid4(), "g", "2", ("2",), "7", "When?", "at noon", Origin.NOTEBOOK,
        claim=False, private=False, at=at, notes=(Used(note.id, note.revision),),
    )  # fmt: skip
    await app.records.keep(asked)
    if complaint:
        await app.records.rate(asked, "7", at, helpful=False, complaint=complaint)


@on_both
async def test_dates_that_passed_are_found_and_only_expiry_changes_a_note(app: App, clock: Clock):
    await add(app, "one", valid_until=clock.now + 10 * DAY)
    await add(app, "two", review_by=clock.now + 10 * DAY)
    await add(app, "three")
    assert await found(app, clock) == []
    clock.now += 11 * DAY
    report = await app.audit("g")
    assert report.expired == 1
    assert [(one.stale, one.note.number) for one in await listed(app, clock)] == [
        (Stale.EXPIRED, 1),
        (Stale.REVIEW, 2),
    ]
    assert [one.revision for one in await app.notebook.ledger.notes("g")] == [2, 1, 1]
    last = (await app.notebook.history("g", 1))[-1]
    assert (last.act, last.by.actor_id, last.note.status) == ("expire", "audit", "expired")
    await pass_by(app, clock, 180)
    # Whoever did not miss the first one for a month has decided.
    assert sorted(await found(app, clock), key=lambda one: (one[0].urgency, one[1])) == [
        (Stale.REVIEW, 2),
        (Stale.UNVERIFIED, 2),
        (Stale.UNVERIFIED, 3),
        (Stale.UNUSED, 2),
        (Stale.UNUSED, 3),
    ]


async def test_an_expired_note_answers_again_when_it_is_verified_or_dated_anew(
    app: App, clock: Clock
):
    for text in ("one", "two", "three"):
        await add(app, text, valid_until=clock.now + DAY)
    clock.now += DAY
    await app.audit("g")
    verified = await app.notebook.verify("g", 1, ANN)
    assert (verified.status, verified.valid_until) == (NoteStatus.ACTIVE, None)
    dated = await app.notebook.edit("g", 2, ANN, valid_until=clock.now + DAY)
    assert (dated.status, dated.verified_at) == (NoteStatus.ACTIVE, clock.now)
    worded = await app.notebook.edit("g", 3, ANN, text="three, but over")
    assert worded.status is NoteStatus.EXPIRED
    assert (await app.notebook.retire("g", 3, ANN)).status is NoteStatus.RETIRED
    assert await found(app, clock) == []


@pytest.mark.parametrize(
    "act",
    [
        lambda book: book.verify("g", 1, ANN),
        lambda book: book.edit("g", 1, ANN, text="another text"),
        lambda book: book.retire("g", 1, ANN),
    ],
    ids=["verified", "edited", "retired"],
)
async def test_what_somebody_dealt_with_is_gone_before_and_after_the_next_audit(
    app: App, clock: Clock, act: Any
):
    await add(app, "one", review_by=clock.now + DAY)
    await pass_by(app, clock, 200)
    assert {stale for stale, _ in await found(app, clock)} == {
        Stale.REVIEW, Stale.UNVERIFIED, Stale.UNUSED,
    }  # fmt: skip
    await act(app.notebook)
    assert await listed(app, clock) == []
    assert await found(app, clock) == []


async def test_a_pair_is_compared_once_and_again_when_one_of_the_two_changes(
    app: App, clock: Clock, endpoint: Endpoint
):
    endpoint.rules.insert(0, ("Claim: The ferry leaves at two", Reply("false", probability=0.99)))
    endpoint.rules.insert(0, ("Claim: The ferry goes at noon", Reply("true", probability=0.99)))
    await add(app, "The ferry leaves at noon.")
    await add(app, "The ferry leaves at two.")
    await add(app, "The ferry leaves from the old pier.")
    await add(app, "Nobody else says anything like this, whatever.")
    report = await app.audit("g")
    assert report.usage.calls == report.pairs == len(endpoint.requests) == 3
    [one] = await listed(app, clock)
    assert (one.stale, one.note.number, one.other and one.other.number) == (Stale.CONFLICT, 1, 2)
    assert one.p
    assert one.p > 0.6
    assert (await app.audit("g")).usage.calls == 0
    assert len(endpoint.requests) == 3
    clock.now += DAY
    # The same statement, in a later revision: nothing to ask, and somebody has vouched for it.
    await app.notebook.verify("g", 1, ANN)
    assert await listed(app, clock) == []
    assert await found(app, clock) == []
    assert len(endpoint.requests) == 3
    await app.notebook.edit("g", 2, ANN, text="The ferry goes at noon.")
    assert await found(app, clock) == [(Stale.DUPLICATE, 1)]
    await app.notebook.verify("g", 2, ANN)
    assert await listed(app, clock) == []


async def test_a_contradiction_of_which_the_model_is_not_sure_is_not_told(
    app: App, clock: Clock, monkeypatch: pytest.MonkeyPatch, endpoint: Endpoint
):
    endpoint.rules.insert(0, ("Claim: ", Reply("false", probability=0.99)))
    await add(app, "The ferry leaves at noon.")
    await add(app, "The ferry leaves at two.")
    monkeypatch.setattr(asking, "decided", lambda _: (Kind.CONFLICT, 0.79))
    assert await found(app, clock) == []
    assert (await app.audit("g")).complete


async def test_notes_that_no_question_can_meet_together_are_not_compared(app: App):
    await add(app, "The ferry leaves at noon.", scope=("a",))
    await add(app, "The ferry leaves at two.", scope=("b",))
    assert (await app.audit("g")).usage.calls == 0


async def test_a_probe_that_fails_is_found_until_it_passes(
    app: App, clock: Clock, endpoint: Endpoint
):
    endpoint.rules.insert(0, ("Who built the ferry?", Reply("yes: at noon", probability=0.999)))
    await add(app, NOTE, question=QUESTION, probes=Probes(keep=("Who built the ferry?",)))
    await app.audit("g")
    [one] = await listed(app, clock)
    assert (one.stale, one.count, one.total) == (Stale.PROBE, 1, 2)
    asked = len(endpoint.requests)
    assert (await app.audit("g")).usage.calls == 0
    assert len(endpoint.requests) == asked
    endpoint.rules.insert(0, ("Who built the ferry?", Reply("no", probability=0.999)))
    # A note that comes near the question may change how it is answered.
    await add(app, "The ferry was built by Tova Lind; who built the pier nobody knows.")
    assert await found(app, clock) == []


async def test_a_correction_that_the_model_no_longer_needs_is_found_when_it_says_so_each_time(
    app: App, clock: Clock, endpoint: Endpoint
):
    await add(app, NOTE, question=QUESTION)
    said = iter(["Noon", "At noon.", "At two."])
    endpoint.when("Please answer", lambda _: Reply(next(said)))
    await app.audit("g")
    assert await listed(app, clock) == []
    assert sum("Please answer" in one[-1]["content"] for one in endpoint.conversations) == 3
    endpoint.rules[-1] = ("Please answer", Reply("At noon!"))
    await app.notebook.edit("g", 1, ANN, question="When does the Fenlake Ferry go?")
    await app.audit("g")
    [one] = await listed(app, clock)
    assert (one.stale, one.count, one.total) == (Stale.OBSOLETE, 3, 3)


def test_the_same_answer_is_told_by_whole_words():
    assert says_the_same("At noon.", "noon", NOTE)
    assert says_the_same("The Noon", "noon", NOTE)
    assert not says_the_same("afternoon", "noon", NOTE)
    assert not says_the_same("Yes.", "yes", NOTE)
    assert not says_the_same(NOTE, NOTE, NOTE)
    assert not says_the_same("", "noon", NOTE)


@on_both
async def test_complaints_count_from_when_somebody_vouched(app: App, clock: Clock):
    one, two, three = [await add(app, text) for text in ("one", "two", "three")]
    clock.now += DAY
    for _ in range(3):
        await answered(app, one, clock.now, Complaint.WRONG)
    for _ in range(2):
        await answered(app, two, clock.now, Complaint.NOT_FROM_NOTEBOOK)
        await answered(app, three, clock.now, Complaint.OUTDATED)
    assert await found(app, clock) == [(Stale.COMPLAINTS, 1), (Stale.COMPLAINTS, 2)]
    evidence = {one.note.number: (one.count, one.total) for one in await listed(app, clock)}
    assert evidence == {1: (0, 3), 2: (2, 2)}
    clock.now += DAY
    await app.notebook.verify("g", 1, ANN)
    assert await found(app, clock) == [(Stale.COMPLAINTS, 2)]


@on_both
async def test_a_source_that_changed_is_found_until_somebody_vouches(app: App, clock: Clock):
    await add(app, "one", source_url=LINK)
    await add(app, "two", source_url=f"{LINK}4")
    clock.now += DAY
    assert await app.audits.source_changed("other", LINK, Stale.SOURCE_EDITED, clock.now) == 0
    assert await app.audits.source_changed("g", LINK, Stale.SOURCE_EDITED, clock.now) == 1
    assert await found(app, clock) == [(Stale.SOURCE_EDITED, 1)]
    await app.audits.source_changed("g", LINK, Stale.SOURCE_DELETED, clock.now + DAY)
    assert await found(app, clock) == [(Stale.SOURCE_DELETED, 1)]
    clock.now += 2 * DAY
    await app.notebook.verify("g", 1, ANN)
    assert await found(app, clock) == []


@on_both
async def test_a_note_that_answered_is_not_unused_though_its_answers_were_forgotten(
    app: App, clock: Clock
):
    used, _ = await add(app, "one"), await add(app, "two")
    clock.now += 20 * DAY
    await answered(app, used, clock.now)
    await app.audit("g")
    clock.now += 25 * DAY
    await app.audit("g")
    await app.records.forget_before(clock.now)
    clock.now += 25 * DAY
    await app.audit("g")
    clock.now += 20 * DAY
    assert await found(app, clock) == [(Stale.UNUSED, 2)]
    clock.now += 20 * DAY
    assert {*await found(app, clock)} == {(Stale.UNUSED, 1), (Stale.UNUSED, 2)}


async def test_what_nobody_watched_is_not_called_unused(app: App, clock: Clock):
    await add(app, "one")
    clock.now += 100 * DAY
    # Answers are kept for thirty days: what came from the note before is not known.
    assert await found(app, clock) == []


async def test_calls_are_bounded_and_the_next_audit_goes_on(app: App, endpoint: Endpoint):
    for n in range(4):
        await add(app, f"The ferry number {n} leaves at noon from pier {n}.")
    reports: list[Report] = []
    while not reports or not reports[-1].complete:
        reports.append(await app.audit("g", 2))
    assert [one.usage.calls for one in reports] == [2, 2, 2]
    assert [one.pairs for one in reports] == [2, 2, 2]
    assert len({str(one) for one in endpoint.conversations}) == len(endpoint.requests) == 6
    assert (await app.audit("g", 0)).complete


async def test_a_model_that_is_out_of_reach_ends_the_asking_and_not_the_audit(
    app: App, clock: Clock, endpoint: Endpoint
):
    endpoint.rules.insert(0, ("Claim: ", Reply(status=401, body="{}")))
    await add(app, "The ferry leaves at noon.", review_by=clock.now + DAY)
    await add(app, "The ferry leaves at two.")
    clock.now += 2 * DAY
    report = await app.audit("g")
    assert report.stopped
    assert not report.complete
    assert report.found == {Stale.REVIEW: 1}


async def test_a_pair_that_the_model_will_not_judge_is_left_and_the_others_are_not(
    app: App, clock: Clock, endpoint: Endpoint
):
    endpoint.rules.insert(0, ("two", Reply(text=None, refusal="I would rather not.")))
    for end in ("noon", "two", "three"):
        await add(app, f"The ferry leaves at {end}.")
    first = await app.audit("g")
    assert (first.complete, first.pairs) == (True, 3)
    assert (await app.audit("g")).usage.calls == 0


@on_both
async def test_an_erased_note_leaves_nothing_in_the_audits_tables(
    app: App, clock: Clock, endpoint: Endpoint
):
    endpoint.rules.insert(0, ("Claim: ", Reply("false", probability=0.99)))
    one = await add(app, NOTE, question=QUESTION, source_url=LINK)
    await add(app, "The Fenlake Ferry leaves at two.")
    await answered(app, one, clock.now)
    clock.now += DAY
    await app.audits.source_changed("g", LINK, Stale.SOURCE_EDITED, clock.now)
    await app.audit("g")
    assert len(await listed(app, clock)) > 1
    await app.notebook.erase("g", 1, ANN)
    async with app.notebook.ledger.reading() as connection:
        for table in (findings, checks):
            rows = (await connection.execute(table.select())).all()
            assert {row.note_id for row in rows} | {row.other_id for row in rows} <= {
                note.id for note in await app.notebook.ledger.notes("g", NoteStatus.ACTIVE)
            }
        for table in (source_changes, note_uses):
            assert (await connection.execute(table.select())).all() == []


async def test_nothing_of_an_audit_is_left_of_a_guild_that_left(app: App, clock: Clock):
    await add(app, NOTE, question=QUESTION, review_by=clock.now)
    await app.audit("g")
    assert await listed(app, clock)
    await app.communities.left("g", clock.now)
    clock.now += 100 * DAY
    await app.sweep(clock.now)
    assert await app.audits.last("g") is None
    async with app.notebook.ledger.reading() as connection:
        for table in (findings, checks):
            assert (await connection.execute(table.select())).all() == []


async def test_news_are_told_once_and_again_after_they_were_put_off(app: App, clock: Clock):
    note = await add(app, "one", review_by=clock.now + DAY)
    clock.now += 2 * DAY
    await app.audit("g")
    assert await app.findings.has_news("g", clock.now)
    await app.findings.told("g", clock.now)
    clock.now += DAY
    await app.audit("g")
    assert not await app.findings.has_news("g", clock.now)
    until = clock.now + 7 * DAY
    await app.findings.put_off(note, until, "ann")
    assert await found(app, clock) == []
    assert (await app.findings.put_off_by(note, clock.now)) == (until, "ann")
    clock.now += 8 * DAY
    assert await found(app, clock) == [(Stale.REVIEW, 1)]
    assert await app.findings.has_news("g", clock.now)
    await app.findings.told("g", clock.now)
    assert not await app.findings.has_news("g", clock.now)


@on_both
async def test_one_digest_a_period(app: App, clock: Clock):
    assert not await app.audits.due_digest("g", clock.now, DAY)  # Nothing was audited yet.
    await app.audit("g")
    assert await app.audits.due_digest("g", clock.now, DAY)
    assert not await app.audits.due_digest("g", clock.now + DAY / 2, DAY)
    await app.audits.digest_failed("g", clock.now, None)
    assert await app.audits.due_digest("g", clock.now + DAY / 2, DAY)


async def test_two_audits_at_once_ask_everything_once(app: App, endpoint: Endpoint):
    import asyncio

    await add(app, "The ferry leaves at noon.")
    await add(app, "The ferry leaves at two.")
    await asyncio.gather(app.audit("g"), app.audit("g"))
    assert len(endpoint.requests) == 1
