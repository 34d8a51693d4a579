"""Daily budgets: what is decided, what is counted, and that many at once stay within them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from eren_memory.app import App, open_app
from eren_memory.budget_warnings import AGAIN, Warned
from eren_memory.budgets import Limits, Most, Today, Used, day_of, decide, ends
from eren_memory.community import GuildBudget, GuildSettings
from eren_memory.config import Settings
from eren_memory.domain import PSEUDONYM, By, NoteDraft, Place, Usage
from eren_memory.domain import Path as Way
from eren_memory.errors import BadInput, BudgetUsedUp, ConfigError, LedgerError, ModelUnreachable
from eren_memory.guarding import FAILURES
from eren_memory.purse import Ticket
from eren_memory.setting_values import AtLimit, Instead
from tests.calibrated import NOTE, QUESTION, calibrate
from tests.conftest import on_both
from tests.endpoint import Endpoint, Reply
from tests.test_projection import statements

ADMIN = By("admin")
BERLIN = ZoneInfo("Europe/Berlin")
# What the scripted endpoint says that a call takes.
CALL = 10


def budget(**fields: object) -> GuildSettings:
    return GuildSettings(budget=GuildBudget(**fields))  # type: ignore[arg-type]


@asynccontextmanager
async def opened(settings: Settings, **changes: object) -> AsyncIterator[App]:
    async with open_app(settings.model_copy(update=changes)) as app:
        yield app


async def choose(app: App, chosen: GuildSettings, guild: str = "g") -> None:
    await app.communities.choose(guild, chosen, ADMIN, datetime.now(UTC))
    await app.purse.remember()


async def take(
    app: App, chosen: GuildSettings, who: str = "ann", roles: tuple[str, ...] = (), guild: str = "g"
) -> Ticket:
    ticket = await app.purse.ask(uuid7(), guild, chosen, (who, roles), "scripted")
    assert ticket is not None
    return ticket


async def used(app: App, chosen: GuildSettings, budget: str, guild: str = "g") -> int:
    standing = await app.purse.standing(guild, chosen)
    assert standing is not None
    [line] = [one for one in standing.lines if one.budget == budget and one.guild_id == guild]
    return line.used


# Decisions


def test_the_most_generous_role_counts_in_the_place_of_what_members_may():
    limits = Limits(member=5, roles=(("new", 2), ("staff", 50)))
    assert limits.of([]) == 5
    assert limits.of(["new"]) == 2
    assert limits.of(["new", "staff"]) == 50


def test_no_role_exceeds_what_the_operator_allows():
    assert Limits(member=5, roles=(("staff", 50),), ceiling=20).of(["staff"]) == 20
    assert Limits(ceiling=20).of([]) == 20


def test_below_every_budget_a_question_is_asked_as_always():
    limits = Limits(member=5, guild=Most(10, 1_000, 500), whole=Most(tokens=2_000))
    today = Today(Used(9, 999, 499), Used(99, 1_999, 0), asked=4)
    assert decide(limits, today, "g", 5, "m").way is None


def test_what_is_held_for_others_counts_as_used():
    limits = Limits(guild=Most(tokens=1_000))
    today = Today(Used(tokens=500), guild_held=Used(tokens=500))
    assert decide(limits, today, "g", None, "m").way is AtLimit.NOTES_ONLY


def test_the_strictest_of_several_budgets_counts():
    limits = Limits(
        guild=Most(tokens=10),
        whole=Most(tokens=10),
        instead=Instead(AtLimit.CHEAPER, "small"),
        whole_instead=Instead(AtLimit.REFUSE),
    )
    over = Used(tokens=10)
    assert decide(limits, Today(over, Used()), "g", None, "m").way is AtLimit.CHEAPER
    assert decide(limits, Today(over, over), "g", None, "m").refused


def test_a_cheaper_model_answers_until_as_much_again_is_used_and_is_never_the_same_one():
    limits = Limits(guild=Most(tokens=10), instead=Instead(AtLimit.CHEAPER, "small"))
    decision = decide(limits, Today(Used(tokens=19)), "g", None, "large")
    assert (decision.way, decision.model) == (AtLimit.CHEAPER, "small")
    for today, model in ((Today(Used(tokens=20)), "large"), (Today(Used(tokens=10)), "small")):
        decision = decide(limits, today, "g", None, model)
        assert (decision.way, decision.model) == (AtLimit.NOTES_ONLY, None)


def test_a_day_is_that_of_the_clocks_there_also_when_they_change():
    late = datetime(2026, 10, 24, 22, 30, tzinfo=UTC)
    assert day_of(late, BERLIN).isoformat() == "2026-10-25"
    # That day has 25 hours.
    assert ends(day_of(late, BERLIN), BERLIN) == datetime(2026, 10, 25, 23, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "cheaper", "cheaper:", "notes-only:m", "less"])
def test_another_way_at_the_limit_is_refused_with_the_three_that_there_are(text: str):
    with pytest.raises(BadInput, match="notes-only, refuse or cheaper:MODEL"):
        Instead.parse(text)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"budget_money": 1.0}, "needs the price of scripted"),
        ({"budget_at_limit": "cheaper:small"}, "names small, which is not offered"),
    ],
)
async def test_budgets_that_could_not_be_kept_are_refused_at_the_start(
    settings: Settings, changes: dict[str, object], said: str
):
    with pytest.raises(ConfigError, match=said):
        async with opened(settings, **changes):
            pass


# Off


async def test_without_budgets_a_question_costs_nothing_more_and_nothing_is_kept(
    app: App, endpoint: Endpoint
):
    await app.notebook.projector.ready()
    with statements(app) as seen:
        assert await app.purse.ask(uuid7(), "g", GuildSettings(), ("ann", ()), "scripted") is None
        async with app.purse.paying(None):
            pass
        await app.eren.answer("Who painted it?", Place("g"))
    assert not [one for one in seen if "budget" in one or "communities" in one]
    assert await app.purse.standing("g", GuildSettings()) is None


# Counting


@on_both
async def test_a_members_quota_is_reached_and_nobody_elses(settings: Settings):
    chosen = budget(member_questions=2)
    async with opened(settings) as app:
        for _ in range(2):
            async with app.purse.paying(await take(app, chosen)):
                pass
        assert (await take(app, chosen)).decision.quota == 2
        assert (await take(app, chosen, "bob")).decision.quota is None
        assert (await take(app, chosen, guild="h")).decision.quota is None


async def test_what_nobody_asked_counts_to_the_guild_and_to_no_quota(settings: Settings):
    chosen = budget(member_questions=1, questions=2)
    async with opened(settings) as app:
        for _ in range(2):
            assert await app.purse.ask(uuid7(), "g", chosen, None, "scripted")
        assert await used(app, chosen, "questions") == 2
        assert (await take(app, chosen)).decision.way is AtLimit.NOTES_ONLY


async def test_what_the_operator_allows_a_member_holds_where_a_server_chose_nothing(
    settings: Settings,
):
    async with opened(settings, budget_member_questions=1) as app:
        assert not (await take(app, GuildSettings())).decision.refused
        assert (await take(app, GuildSettings())).decision.quota == 1


@on_both
async def test_what_was_used_is_there_after_a_restart_and_in_another_process(
    settings: Settings, endpoint: Endpoint
):
    chosen = budget(member_questions=9, questions=9, tokens=100)
    async with opened(settings) as app, app.purse.paying(await take(app, chosen)):
        await app.eren.answer("Who painted it?", Place("g"))
    async with opened(settings) as app, opened(settings) as other:
        async with other.purse.paying(await take(other, chosen)):
            await other.eren.answer("Who painted it?", Place("g"))
        assert await used(app, chosen, "questions") == 2
        assert await used(app, chosen, "tokens") == len(endpoint.requests) * CALL == 20
        standing = await app.purse.standing("g", chosen)
        assert standing is not None
        assert [(one.member_id, one.used) for one in standing.spenders] == [("ann", Used(2, 20, 0))]
        assert [(one.model, one.usage) for one in standing.bills] == [("scripted", Usage(2, 14, 6))]


async def test_a_question_that_failed_does_not_count_but_its_calls_do(
    settings: Settings, endpoint: Endpoint
):
    chosen = budget(member_questions=1, tokens=100)
    async with opened(settings) as app:
        endpoint.when("Who was it?", Reply(status=503, body="{}"))
        with pytest.raises(ModelUnreachable):  # noqa: PT012 - Two questions on one ticket.
            async with app.purse.paying(await take(app, chosen)):
                await app.eren.answer("Who painted it?", Place("g"))
                await app.eren.answer("Who was it?", Place("g"))
        assert await used(app, chosen, "tokens") == CALL
        assert (await take(app, chosen)).decision.quota is None
        assert (await take(app, chosen)).decision.quota == 1


async def test_a_question_that_is_put_again_under_its_id_counts_once(settings: Settings):
    chosen, question = budget(member_questions=2, questions=9), uuid7()
    async with opened(settings) as app:
        for _ in range(3):
            ticket = await app.purse.ask(question, "g", chosen, ("ann", ()), "scripted")
            assert ticket is not None
            assert not ticket.decision.refused
        assert await used(app, chosen, "questions") == 1


async def test_a_new_day_begins_on_the_guilds_clocks(settings: Settings):
    now = datetime(2026, 11, 27, 22, 30, tzinfo=UTC)  # Half past eleven at night in Berlin.
    chosen = replace(budget(member_questions=1), time_zone="Europe/Berlin")
    async with open_app(settings, clock=lambda: now) as app:
        await take(app, chosen)
        refused = await take(app, chosen)
        assert refused.decision.quota == 1
        assert refused.until == datetime(2026, 11, 27, 23, tzinfo=UTC)
        now += timedelta(hours=1)
        assert not (await take(app, chosen)).decision.refused


async def test_money_is_counted_by_the_price_of_each_model(settings: Settings):
    chosen = budget(money=0.001)
    prices = {"scripted": (20.0, 100.0)}  # 7 and 3 tokens: 440 millionths a call.
    async with opened(settings, prices=prices) as app:
        await choose(app, chosen)
        for _ in range(2):
            await app.eren.answer("Who painted it?", Place("g"))
        assert await used(app, chosen, "money") == 880


async def test_what_a_killed_process_set_aside_lapses(settings: Settings):
    now = datetime(2026, 11, 27, 9, tzinfo=UTC)
    chosen = budget(tokens=2_000)
    async with open_app(settings, clock=lambda: now) as app:
        await take(app, chosen)  # Never settled.
        assert (await take(app, chosen)).decision.way is AtLimit.NOTES_ONLY
        now += timedelta(hours=1)
        assert (await take(app, chosen)).decision.way is None


@on_both
async def test_what_a_killed_process_set_aside_is_no_question_of_anybody(settings: Settings):
    now = datetime(2026, 11, 27, 9, tzinfo=UTC)
    chosen = budget(member_questions=1, questions=9)
    async with open_app(settings, clock=lambda: now) as app:
        await take(app, chosen)  # Never settled.
        await take(app, chosen, guild="h")
        now += timedelta(hours=1)
        assert not (await take(app, chosen, "bob")).decision.refused
        assert await used(app, chosen, "questions") == 1
        assert await used(app, chosen, "questions", "h") == 0
        assert not (await take(app, chosen)).decision.refused


@pytest.mark.parametrize("fails", [False, True], ids=["answered", "failed"])
async def test_an_answer_that_comes_after_its_hold_has_lapsed_counts_once(
    settings: Settings, *, fails: bool
):
    now = datetime(2026, 11, 27, 9, tzinfo=UTC)
    chosen = budget(questions=9)
    async with open_app(settings, clock=lambda: now) as app:
        ticket = await take(app, chosen)
        with suppress(RuntimeError):
            async with app.purse.paying(ticket):
                now += timedelta(hours=1)
                await take(app, chosen, "bob")  # Frees what has lapsed.
                if fails:
                    raise RuntimeError
        assert await used(app, chosen, "questions") == (1 if fails else 2)


@on_both
async def test_who_is_forgotten_while_their_question_is_answered_does_not_come_back(
    settings: Settings,
):
    chosen = budget(member_questions=9, tokens=100)
    async with opened(settings) as app:
        async with app.purse.paying(await take(app, chosen)):
            await app.eren.answer("Who painted it?", Place("g"))
            await app.privacy.forget("ann", By("ann"))
        standing = await app.purse.standing("g", chosen)
        assert standing is not None
        [spender] = standing.spenders
        assert spender.member_id.startswith(PSEUDONYM)
        assert spender.used == Used(1, CALL, 0)


async def test_old_days_are_forgotten(settings: Settings):
    now = datetime(2026, 11, 27, 9, tzinfo=UTC)
    chosen = budget(questions=9)
    async with open_app(settings, clock=lambda: now) as app:
        async with app.purse.paying(await take(app, chosen)):
            pass
        await app.sweep(now + timedelta(days=29))
        assert await used(app, chosen, "questions") == 1
        await app.sweep(now + timedelta(days=32))
        assert await used(app, chosen, "questions") == 0


# What pays


@pytest.mark.parametrize(
    "what",
    ["answer", "check", "preview", "propose", "conflicts", "audit of probes", "audit of pairs"],
)
async def test_every_call_for_a_guild_is_counted_to_its_tokens(
    settings: Settings, endpoint: Endpoint, what: str
):
    calibrate(settings)
    chosen = budget(tokens=100_000)
    async with opened(settings) as app:
        question = QUESTION if what == "audit of probes" else None
        note = await app.notebook.add("g", NoteDraft(NOTE, question=question), ADMIN)
        if what == "audit of pairs":
            await app.notebook.add("g", NoteDraft("The Fenlake Ferry leaves at two."), ADMIN)
        await choose(app, chosen)
        endpoint.requests.clear()
        match what:
            case "answer":
                await app.eren.answer(QUESTION, Place("g"))
            case "check":
                await app.eren.check(NOTE, Place("g"))
            case "preview":
                await app.eren.preview(QUESTION, Place("g"), NoteDraft("It leaves at two."))
            case "propose":
                endpoint.default = Reply("change: When?\nkeep: Who?")
                await app.eren.propose(note)
            case "conflicts":
                await app.notebook.compare("g", NoteDraft("The Fenlake Ferry leaves at two."))
            case _:
                await app.audit("g")
        assert endpoint.requests
        assert await used(app, chosen, "tokens") == len(endpoint.requests) * CALL


async def test_a_call_that_is_cut_off_counts_with_about_the_tokens_of_its_prompt(
    settings: Settings, endpoint: Endpoint
):
    chosen = budget(tokens=100_000)
    arrived, hold = asyncio.Event(), asyncio.Event()

    def arriving(_: object) -> Reply:
        arrived.set()
        return Reply("late", hold=hold)

    endpoint.when("Who painted it?", arriving)
    async with opened(settings) as app:
        await choose(app, chosen)
        asked = asyncio.create_task(app.eren.answer("Who painted it?", Place("g")))
        await arrived.wait()
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        hold.set()
        assert await used(app, chosen, "tokens") > 0


async def test_a_call_that_the_resting_model_was_spared_is_no_call(
    settings: Settings, endpoint: Endpoint
):
    chosen = budget(tokens=100_000)
    endpoint.default = Reply(status=503, body="{}")
    async with open_app(settings, guarded=True) as app:
        await choose(app, chosen)
        for _ in range(FAILURES + 2):
            with pytest.raises(ModelUnreachable):
                await app.eren.answer("Who painted it?", Place("g"))
        standing = await app.purse.standing("g", chosen)
        assert standing is not None
        assert [one.usage.calls for one in standing.bills] == [FAILURES]


@pytest.mark.parametrize("broken", ['{"budget": 7}', "[]", "{"])
async def test_settings_that_cannot_be_read_are_that_guilds_trouble_alone(
    settings: Settings, caplog: pytest.LogCaptureFixture, broken: str
):
    async with opened(settings) as app:
        for guild in "gh":
            await app.communities.choose(guild, budget(questions=9), ADMIN, datetime.now(UTC))
        async with app.notebook.ledger.writing() as connection:
            spoil = sa.text("UPDATE communities SET settings = :broken WHERE guild_id = 'g'")
            await connection.execute(spoil, {"broken": broken})
    async with opened(settings) as app:
        await app.purse.remember()
        assert [*await app.communities.with_days()] == ["h"]
        assert await app.communities.time_zones() == {}
        with pytest.raises(LedgerError, match="settings of guild g cannot be read"):
            await app.communities.settings("g")
    assert [one.getMessage() for one in caplog.records if one.levelname == "WARNING"] == [
        "The settings of guild g cannot be read."
    ]


async def test_at_the_limit_a_sure_note_is_quoted_and_the_model_is_not_called(
    settings: Settings, endpoint: Endpoint
):
    calibrate(settings)
    async with opened(settings) as app:
        await app.notebook.add("g", NoteDraft(NOTE), ADMIN)
        await choose(app, budget(tokens=1))
        await app.eren.answer("Who painted it?", Place("g"))
        before = len(endpoint.requests)
        answer = await app.eren.answer(QUESTION, Place("g"))
        assert (answer.text, answer.trace.path) == (NOTE, Way.NOTE_QUOTED)
        with pytest.raises(BudgetUsedUp, match="budget is used up"):
            await app.eren.answer("Who painted it?", Place("g"))
        compared = await app.notebook.compare("g", NoteDraft("The Fenlake Ferry leaves at two."))
        assert not compared.by_model
        assert not (await app.audit("g")).usage.prompt_tokens
        assert len(endpoint.requests) == before
        other = await app.eren.answer("Who painted it?", Place("h"))
        assert other.text == "unedited answer"


async def test_the_installations_budget_is_that_of_all_guilds_together(settings: Settings):
    async with opened(settings, budget_tokens=CALL) as app:
        await app.eren.answer("Who painted it?", Place("g"))
        with pytest.raises(BudgetUsedUp):
            await app.eren.answer("Who painted it?", Place("h"))


async def test_a_guild_may_choose_less_than_the_operator_and_never_more(settings: Settings):
    async with opened(settings, budget_guild_tokens=500, budget_member_questions=3) as app:
        generous = app.purse.limits(budget(tokens=9_000, member_questions=90))
        assert (generous.guild.tokens, generous.of([])) == (500, 3)
        strict = app.purse.limits(budget(tokens=100, member_questions=1))
        assert (strict.guild.tokens, strict.of([])) == (100, 1)


async def test_a_model_that_is_no_longer_offered_cannot_be_the_cheaper_one(app: App):
    limits = app.purse.limits(budget(tokens=9, at_limit="cheaper:gone"))
    assert limits.instead == Instead()


# Many at once


@on_both
async def test_fifty_at_once_do_not_pass_the_budget_by_more_than_one(settings: Settings):
    chosen = budget(tokens=10_000, questions=1_000)
    async with opened(settings) as app, opened(settings) as other:
        tickets = await asyncio.gather(
            *(take((app, other)[n % 2], chosen, f"m{n}") for n in range(50))
        )
        going = [one for one in tickets if one.decision.way is None]
        held = sum(one.hold.used.tokens for one in going)
        assert 10_000 <= held < 10_000 + going[0].hold.used.tokens


@on_both
async def test_a_member_who_asks_often_at_once_gets_no_more_than_the_quota(settings: Settings):
    chosen = budget(member_questions=3)
    async with opened(settings) as app, opened(settings) as other:
        tickets = await asyncio.gather(*(take((app, other)[n % 2], chosen) for n in range(20)))
        assert sum(not one.decision.refused for one in tickets) == 3


steps = st.lists(
    st.tuples(st.sampled_from(["take", "settle", "give up"]), st.integers(0, 6_000)), max_size=25
)


@hypothesis_settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=steps, most=st.integers(1, 20_000))
async def test_whatever_is_taken_and_settled_the_budget_is_passed_by_what_was_under_way_only(
    settings: Settings, tmp_path: Path, steps: list[tuple[str, int]], most: int
):
    """Settled never exceeds the budget by more than what those used that were let in before it was."""
    chosen, guild = budget(tokens=most), uuid7().hex
    async with opened(settings) as app:
        under_way: list[Ticket] = []
        settled = 0
        for step, tokens in steps:
            if step == "take":
                held = sum(one.hold.used.tokens for one in under_way)
                ticket = await take(app, chosen, guild=guild)
                # Let in exactly while what is used and set aside is below the budget.
                assert (ticket.decision.way is None) == (settled + held < most)
                if ticket.decision.way is None:
                    under_way.append(ticket)
            elif under_way:
                ticket = under_way.pop()
                async with AsyncExitStack() as giving_up:
                    if step == "give up":
                        giving_up.enter_context(pytest.raises(RuntimeError))
                    async with app.purse.paying(ticket):
                        ticket.account.add("scripted", Usage(1, tokens, 0))
                        settled += tokens
                        if step == "give up":
                            raise RuntimeError
            assert await used(app, chosen, "tokens", guild) == settled


# Warnings


async def test_each_warning_is_given_once_a_day_whatever_restarts(settings: Settings):
    chosen, told = budget(questions=10), []

    async def warn(warned: Warned) -> bool:
        told.append((warned.line.budget, warned.percent))
        return True

    for _ in range(2):
        async with opened(settings) as app, opened(settings) as other:
            for one in (app, other):
                one.purse.warnings.on_warning = warn
            for n in range(5):
                one = (app, other)[n % 2]
                async with one.purse.paying(await take(one, chosen)):
                    pass
                await one.purse.warnings.drain()
    assert told == [("questions", 80), ("questions", 100)]


async def test_a_warning_that_could_not_be_given_is_given_later(settings: Settings):
    now = datetime(2026, 11, 27, 9, tzinfo=UTC)
    chosen, told = budget(questions=4), []

    async def warn(warned: Warned) -> bool:
        told.append(warned.percent)
        if len(told) == 1:
            raise RuntimeError("nobody foresaw that")
        return len(told) > 2

    async def ask(app: App) -> None:
        async with app.purse.paying(await take(app, chosen)):
            pass
        await app.purse.warnings.drain()

    async with open_app(settings, clock=lambda: now) as app:
        for _ in range(4):  # A process that can tell nobody leaves it to one that can.
            await ask(app)
        app.purse.warnings.on_warning = warn
        for tried in (1, 1, 2, 2, 3, 3):  # Every second time it is not yet time.
            await ask(app)
            assert told == [100] * tried
            now += AGAIN / 2


async def test_whoever_asked_does_not_wait_until_somebody_is_told_of_a_budget(settings: Settings):
    chosen, reached, told = budget(questions=1), asyncio.Event(), list[int]()

    async def warn(warned: Warned) -> bool:
        await reached.wait()
        told.append(warned.percent)
        return True

    async with opened(settings) as app:
        app.purse.warnings.on_warning = warn
        async with app.purse.paying(await take(app, chosen)):
            pass
        assert told == []
        reached.set()
    assert told == [100]
