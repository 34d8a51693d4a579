"""Where and when a note answers: its channels and its dates."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft, Place
from tests.command_line import CommandLine
from tests.endpoint import Endpoint, Reply

NOON = "The Fenlake Ferry leaves at noon."
QUESTION = "When does the Fenlake Ferry leave?"
NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ANN = By("ann")


@pytest.fixture(autouse=True)
def _a_model_that_answers_from_any_note(endpoint: Endpoint) -> None:
    endpoint.when("Note: ", Reply("yes: at noon", probability=0.999))


@pytest.fixture
def eren(settings: Settings) -> CommandLine:
    return CommandLine(settings)


@dataclass
class Clock:
    """What time the program takes it to be."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


async def answers(app: App, *channels: str, method: str = "eren") -> bool:
    """Whether a note answers there and now."""
    answer = await app.eren.answer(QUESTION, Place("g", channels), method)
    assert bool(answer.notes) == bool(answer.trace.candidates)
    return bool(answer.notes)


async def test_a_channels_note_answers_when_one_asks_in_that_channel_only(eren: CommandLine):
    await eren("note", "add", NOON, "--scope", "channel:staff")
    inside = (await eren("ask", QUESTION, "--channel", "staff", "--json")).data
    assert (inside["answer"], inside["origin"], inside["notes"][0]["number"]) == (
        "at noon", "notebook", 1,
    )  # fmt: skip
    for elsewhere in ((), ("--channel", "crew"), ("--channel", "staf"), ("--channel", "")):
        outside = (await eren("ask", QUESTION, "--json", "--trace", *elsewhere)).data
        assert (outside["origin"], outside["notes"], outside["trace"]["candidates"]) == (
            "model", [], [],
        )  # fmt: skip


async def test_a_note_of_the_guild_answers_in_every_channel(eren: CommandLine):
    await eren("note", "add", NOON)
    for where in ((), ("--channel", "staff")):
        assert (await eren("ask", QUESTION, "--json", *where)).data["origin"] == "notebook"


async def test_a_scope_that_is_taken_away_lets_the_note_answer_everywhere(eren: CommandLine):
    await eren("note", "add", NOON, "--scope", "channel:staff")
    await eren("ask", QUESTION)
    await eren("note", "scope", "1", "guild")
    assert (await eren("ask", QUESTION, "--json")).data["origin"] == "notebook"
    await eren("note", "scope", "1", "channel:staff")
    assert (await eren("ask", QUESTION, "--json")).data["origin"] == "model"


async def test_those_who_manage_notes_find_them_whatever_their_scope_and_dates(eren: CommandLine):
    await eren("note", "add", NOON, "--scope", "channel:staff", "--valid-from", "2099-01-01")
    assert (await eren("ask", QUESTION, "--channel", "staff", "--json")).data["notes"] == []
    [found] = (await eren("note", "search", "ferry", "--json")).data
    assert found["number"] == 1


async def test_a_note_of_several_channels_answers_in_each(app: App):
    await app.notebook.add("g", NoteDraft(NOON, scope=("staff", "crew")), ANN)
    assert await answers(app, "staff")
    assert await answers(app, "crew")
    assert await answers(app, "hall", "crew")
    assert not await answers(app, "hall")
    assert not await answers(app)


@pytest.mark.parametrize("method", ["eren", "eren-paper", "one-step"])
async def test_no_method_reads_a_note_of_another_channel(app: App, method: str):
    await app.notebook.add("g", NoteDraft(NOON, scope=("staff",)), ANN)
    assert await answers(app, "staff", method=method)
    assert not await answers(app, "hall", method=method)


async def test_a_note_answers_from_its_first_moment_up_to_its_last(settings: Settings):
    clock = Clock()
    async with open_app(settings, clock=clock) as app:
        begins, ends = NOW + timedelta(days=10), NOW + timedelta(days=20)
        await app.notebook.add("g", NoteDraft(NOON, valid_from=begins, valid_until=ends), ANN)
        for moment, expected in (
            (NOW, False), (begins - SECOND, False), (begins, True), (ends - SECOND, True),
            (ends, False), (ends + timedelta(days=400), False),
        ):  # fmt: skip
            clock.now = moment
            assert await answers(app) is expected, moment


async def test_a_claim_is_not_judged_by_a_note_that_has_expired(
    settings: Settings, endpoint: Endpoint
):
    clock = Clock()
    endpoint.rules.insert(0, ("Claim:", Reply("true", probability=0.999)))
    async with open_app(settings, clock=clock) as app:
        draft = NoteDraft(NOON, valid_until=NOW + SECOND)
        await app.notebook.add("g", draft, ANN)
        assert (await app.eren.check(NOON, Place("g"))).verdict == "supported"
        clock.now += SECOND
        assert (await app.eren.check(NOON, Place("g"))).verdict == "silent"


async def test_an_expired_note_answers_again_when_its_end_is_put_off(settings: Settings):
    clock = Clock()
    async with open_app(settings, clock=clock) as app:
        await app.notebook.add("g", NoteDraft(NOON, valid_until=NOW + SECOND), ANN)
        clock.now += timedelta(days=1)
        assert not await answers(app)
        await app.notebook.edit("g", 1, ANN, valid_until=NOW + timedelta(days=2))
        assert await answers(app)
        await app.notebook.edit("g", 1, ANN, valid_until=None)
        clock.now += timedelta(days=9_999)
        assert await answers(app)


async def test_dates_outlive_the_index_that_was_made_of_them(settings: Settings):
    clock = Clock()
    async with open_app(settings, clock=clock) as app:
        await app.notebook.add("g", NoteDraft(NOON, valid_until=NOW + SECOND), ANN)
        assert await answers(app)
    clock.now += SECOND
    async with open_app(settings, clock=clock) as app:
        assert not await answers(app)
