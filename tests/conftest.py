"""Fixtures: a data folder, a scripted endpoint for model and embeddings, an open application."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.local_model import ensure_model
from tests.endpoint import Endpoint, serve

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@pytest.fixture(autouse=True)
def _only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that reaches for the network fails."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] not in _LOOPBACK:
            raise AssertionError(f"a test tried to reach {address[0]}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the developer's own settings, and no .env, reaches a test."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "DISCORD_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"EREN_{name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest_asyncio.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with serve() as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, endpoint: Endpoint) -> Settings:
    """An installation in a temporary folder, against the scripted endpoint."""
    return Settings(
        home=tmp_path / "home",
        model="scripted",
        openai_base_url=endpoint.url,
        openai_api_key="sk-secret-of-the-tests",
        embedding_model="hashed-words",
        embedding_url=endpoint.url,
        model_timeout=5,
    )


@pytest_asyncio.fixture
async def app(settings: Settings) -> AsyncIterator[App]:
    async with open_app(settings) as opened:
        yield opened


@pytest.fixture(scope="session")
def model_home() -> Path:
    """Where the embedded model is installed; only tests marked `model` ask for it."""
    from platformdirs import user_data_path

    home = Path(os.environ.get("EREN_TEST_MODEL_HOME") or user_data_path("eren", appauthor=False))
    ensure_model(home, None)
    return home
