"""What is counted: every question, call, token and rating once, and nothing of what people wrote."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bot.client import ErenBot
from bot.metrics import Metrics
from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft, Usage
from eren_memory.errors import ModelUnreachable
from tests.bot.conftest import World
from tests.endpoint import Endpoint, Reply

FERRY = "The Fenlake Ferry leaves at noon."
QUESTION = "When does the Fenlake Ferry leave?"


@pytest.fixture
def metrics() -> Metrics:
    return Metrics({"scripted": (2.0, 10.0)})


@pytest_asyncio.fixture
async def warm_app(settings: Settings, metrics: Metrics) -> AsyncIterator[App]:
    async with open_app(settings, on_call=metrics.called) as app:
        await app.warm()
        yield app


@pytest.fixture
def simcord_bot(warm_app: App, metrics: Metrics) -> ErenBot:
    return ErenBot(warm_app, metrics)


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(name, labels) or 0.0


async def test_a_question_is_counted_by_origin_and_path_with_what_it_cost(
    world: World, metrics: Metrics, endpoint: Endpoint
):
    await world.app.notebook.add(str(world.guild.id), NoteDraft(FERRY), By("someone"))
    endpoint.when("Note: " + FERRY, Reply("yes: at noon", 0.99))
    await world.member.slash(world.channel, "ask", question=QUESTION)
    await world.member.slash(world.channel, "ask", question="Who painted it?")
    assert value(metrics, "eren_questions_total", kind="question", origin="notebook") == 1
    assert value(metrics, "eren_questions_total", kind="question", origin="model") == 1
    assert value(metrics, "eren_paths_total", path="accepted") == 1
    assert value(metrics, "eren_paths_total", path="gate closed") == 1
    calls = len(endpoint.requests)
    assert value(metrics, "eren_model_calls_total", model="scripted") == calls == 2
    assert value(metrics, "eren_tokens_total", model="scripted", kind="prompt") == 7 * calls
    assert value(metrics, "eren_tokens_total", model="scripted", kind="completion") == 3 * calls
    cost = value(metrics, "eren_estimated_cost_total", model="scripted")
    assert cost == pytest.approx(calls * (7 * 2 + 3 * 10) / 1_000_000)
    assert value(metrics, "eren_question_seconds_count", origin="notebook") == 1
    assert value(metrics, "eren_answer_seconds_count", origin="model") == 1


@pytest.mark.simcord(check_errors=False)
async def test_a_question_without_an_answer_is_counted_with_its_cause(
    world: World, metrics: Metrics, endpoint: Endpoint
):
    endpoint.default = Reply(status=401, body='{"error": {"message": "no"}}')
    await world.member.slash(world.channel, "check", claim="The moon is made of cheese.")
    assert value(metrics, "eren_questions_total", kind="claim", origin="none") == 1
    assert value(metrics, "eren_failures_total", error="ModelUnauthorised") == 1
    assert value(metrics, "eren_model_errors_total", model="scripted", error="ModelUnauthorised")


async def test_ratings_are_counted(world: World, metrics: Metrics):
    asked = await world.member.slash(world.channel, "ask", question="Who painted it?")
    await world.member.click(asked.response, custom_id="eren:up")
    form = await world.moderator.click(asked.response, custom_id="eren:down")
    await world.moderator.submit_modal(form, {"reason": "wrong", "comment": ""})
    assert value(metrics, "eren_feedback_total", rating="up") == 1
    assert value(metrics, "eren_feedback_total", rating="down") == 1


async def test_the_page_has_nothing_of_what_people_wrote(world: World, metrics: Metrics):
    await world.app.notebook.add(str(world.guild.id), NoteDraft(FERRY), By("someone"))
    await world.member.slash(world.channel, "ask", question=QUESTION)
    page = metrics.page().decode()
    for word in ("Fenlake", "noon", str(world.guild.id), str(world.member.id)):
        assert word not in page


def test_no_price_means_no_cost():
    metrics = Metrics()
    metrics.called("scripted", Usage(1, 1_000_000, 0), 1.0, None)
    assert "eren_estimated_cost_total{" not in metrics.page().decode()


def test_a_call_that_failed_is_a_call():
    metrics = Metrics()
    metrics.called("scripted", Usage(calls=1), 1.0, ModelUnreachable("gone"))
    assert value(metrics, "eren_model_calls_total", model="scripted") == 1


def test_a_job_is_counted_and_its_last_success_dated():
    metrics = Metrics()
    metrics.job_ended("reconcile", well=False)
    assert value(metrics, "eren_job_last_success_timestamp_seconds", job="reconcile") == 0
    metrics.job_ended("reconcile", well=True)
    assert value(metrics, "eren_jobs_total", job="reconcile", result="failed") == 1
    assert value(metrics, "eren_jobs_total", job="reconcile", result="ok") == 1
    assert value(metrics, "eren_job_last_success_timestamp_seconds", job="reconcile") > 1e9


def test_every_figure_says_what_it_is():
    page = Metrics().page().decode()
    for name in re.findall(r"^# TYPE (eren_\w+)", page, re.MULTILINE):
        assert re.search(rf"^# HELP {name} \S.*\.$", page, re.MULTILINE), name
