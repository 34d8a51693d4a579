"""Health: alive and ready told apart, each part with its reason, no model call, nothing for strangers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from bot import health as health_module
from bot.endpoints import serving
from bot.health import Health
from bot.metrics import Metrics
from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft, Place, Usage
from eren_memory.errors import LedgerError, ModelRateLimited, ModelUnreachable
from tests.bot.loopback import free_port
from tests.endpoint import Endpoint, Reply

NOWHERE = Place("guild")


@dataclass
class Watched:
    """Health and metrics as a probe sees them."""

    url: str
    health: Health
    metrics: Metrics

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(self.url + path, headers=headers) as reply,
        ):
            return reply.status, await reply.text()

    async def parts(self) -> dict[str, str]:
        async with aiohttp.ClientSession() as session, session.get(self.url + "/readyz") as reply:
            told = await reply.json()
            assert (reply.status == 200) == told["ready"]
            assert told["ready"] == all(part == "ok" for part in told["parts"].values())
            parts: dict[str, str] = told["parts"]
            return parts


@asynccontextmanager
async def watching(host: str = "127.0.0.1") -> AsyncIterator[Watched]:
    metrics = Metrics()
    health, port = Health(metrics), free_port()
    async with serving(host, port, health, metrics):
        yield Watched(f"http://127.0.0.1:{port}", health, metrics)


@pytest_asyncio.fixture
async def watched() -> AsyncIterator[Watched]:
    async with watching() as served:
        yield served


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was last seen is not believed for long."""
    monkeypatch.setattr(health_module, "_FRESH", dict.fromkeys(health_module._FRESH, 0.0))


@asynccontextmanager
async def begun(
    watched: Watched, settings: Settings, connected: Callable[[], bool] = lambda: True
) -> AsyncIterator[App]:
    async with open_app(settings, on_call=watched.health.called) as app:
        await app.warm()
        watched.health.begin(app, connected)
        yield app


async def test_while_it_starts_it_is_alive_and_not_ready(watched: Watched):
    assert (await watched.get("/healthz"))[0] == 200
    assert set((await watched.parts()).values()) == {"It is still starting."}


async def test_it_is_ready_when_every_part_works(watched: Watched, settings: Settings):
    async with begun(watched, settings):
        parts = await watched.parts()
    assert parts == dict.fromkeys(("gateway", "ledger", "index", "model"), "ok")


async def test_each_part_that_fails_says_why(
    watched: Watched, settings: Settings, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch,
    impatient: None,
):  # fmt: skip
    online = True
    async with begun(watched, settings, lambda: online) as app:
        assert set((await watched.parts()).values()) == {"ok"}
        online = False
        await app.notebook.projector.live.projector.let_go()
        monkeypatch.setattr(
            type(app.notebook.projector.store), "open", refuse(OSError("secret of a library"))
        )
        monkeypatch.setattr(app.notebook.ledger.outbox, "count", refuse(LedgerError("No disk.")))
        watched.health.called("scripted", Usage(1), 1.0, ModelUnreachable("It is gone."))
        monkeypatch.setitem(health_module._FRESH, "model", 60.0)
        assert await watched.parts() == {
            "gateway": "It is not connected to Discord.",
            "ledger": "No disk.",
            "index": "It failed (OSError).",
            "model": "It is gone.",
        }


def refuse(error: Exception) -> Any:
    async def refused(*_: Any) -> Any:
        raise error

    return refused


async def test_many_probes_cost_one_look_and_no_model_call(
    watched: Watched, settings: Settings, endpoint: Endpoint
):
    async with begun(watched, settings) as app:
        looked = 0
        count = app.notebook.ledger.outbox.count

        async def counting() -> int:
            nonlocal looked
            looked += 1
            return await count()

        app.notebook.ledger.outbox.count = counting  # type: ignore[method-assign]
        await asyncio.gather(*(watched.get("/readyz") for _ in range(20)))
        await watched.get("/metrics")
        assert looked == 1
    assert endpoint.requests == []


async def test_a_call_tells_more_than_a_check_and_a_refused_question_says_nothing(
    watched: Watched, settings: Settings, endpoint: Endpoint
):
    async with begun(watched, settings) as app:
        endpoint.default = Reply(status=429, body='{"error": {"message": "no"}}')
        with pytest.raises(ModelRateLimited):
            await app.eren.answer("Who?", NOWHERE)
        assert "used up" in (await watched.parts())["model"]
        endpoint.default = Reply("somebody")
        await app.eren.answer("Who?", NOWHERE)
        assert (await watched.parts())["model"] == "ok"


@pytest.mark.parametrize(
    ("status", "expected"), [(200, "ok"), (404, "ok"), (401, "refused the key"), (500, "failed")]
)
async def test_the_check_of_a_model_asks_for_its_list_of_models(
    watched: Watched, settings: Settings, status: int, expected: str
):
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(f"{request.method} {request.path}")
        return web.json_response({"object": "list", "data": []}, status=status)

    stand_in = web.Application()
    stand_in.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(stand_in)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    async with begun(watched, settings.model_copy(update={"openai_base_url": url})):
        assert expected in (await watched.parts())["model"]
    await runner.cleanup()
    assert asked == ["GET /v1/models"]


async def test_a_model_that_is_gone_and_back_is_found_without_a_question(
    watched: Watched, settings: Settings, impatient: None
):
    gone = settings.model_copy(update={"openai_base_url": f"http://127.0.0.1:{free_port()}/v1"})
    async with begun(watched, gone) as app:
        assert "cannot be reached" in (await watched.parts())["model"]
    async with begun(watched, settings) as app:
        watched.health.called("scripted", Usage(1), 1.0, ModelUnreachable("gone"))
        assert (await watched.parts())["model"] == "ok"
        assert app.chat_model.name == "scripted"


async def test_neither_notes_nor_secrets_are_told(
    watched: Watched, settings: Settings, endpoint: Endpoint
):
    async with begun(watched, settings) as app:
        await app.notebook.add("guild", NoteDraft("Fenlake is a secret place."), By("someone"))
        endpoint.default = Reply(
            status=401, body='{"error": {"message": "bad sk-secret-of-the-tests"}}'
        )
        with pytest.raises(Exception, match="refused the key"):
            await app.eren.answer("Where is Fenlake?", NOWHERE)
        told = [(await watched.get(path))[1] for path in ("/healthz", "/readyz", "/metrics")]
    assert not any("Fenlake" in one or "sk-secret" in one for one in told)
    assert "eren_outbox_notes" in told[2]
    assert 'eren_ready{part="model"} 0.0' in told[2]


async def test_a_page_in_a_browser_cannot_read_it_under_another_name(watched: Watched):
    for host in ("evil.example", "127.0.0.1.evil.example", "10.0.0.7:9464", ""):
        assert (await watched.get("/metrics", Host=host))[0] in {400, 403}, host
    for host in ("localhost:9464", "127.0.0.1", "[::1]:9464"):
        assert (await watched.get("/healthz", Host=host))[0] == 200, host


async def test_a_wider_address_is_heard_under_any_name():
    async with watching("0.0.0.0") as served:
        assert (await served.get("/healthz", Host="bot:9464"))[0] == 200


def test_only_this_machine_is_served_unless_somebody_says_otherwise():
    assert Settings().health_host == "127.0.0.1"


async def test_a_port_that_is_taken_is_reported_and_done_without(
    watched: Watched, caplog: pytest.LogCaptureFixture
):
    port = int(watched.url.rsplit(":", 1)[1])
    async with serving("127.0.0.1", port, watched.health, watched.metrics):
        assert "Set EREN_HEALTH_PORT to another" in caplog.text


async def test_port_zero_serves_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(web.AppRunner, "setup", refuse(AssertionError("it listens")))
    metrics = Metrics()
    async with serving("127.0.0.1", 0, Health(metrics), metrics):
        pass
