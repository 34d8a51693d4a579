"""The wiring: the one place that knows every part. Front ends open an `App` and call it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from eren_memory.background_embedder import BackgroundEmbedder
from eren_memory.community import GuildSettings
from eren_memory.config import Settings
from eren_memory.conflicts import Judge
from eren_memory.embedder import Embedder, EndpointEmbedder, LocalEmbedder
from eren_memory.engine import Eren
from eren_memory.errors import LedgerError
from eren_memory.finding import utc_now
from eren_memory.index import IndexStore
from eren_memory.index.store import EdgeStore, ServerStore
from eren_memory.ledger import Communities, Records, Reviews, open_ledger
from eren_memory.llm import ChatModel, Endpoint, OpenAIChat
from eren_memory.local_model import LocalServer
from eren_memory.notebook import Notebook
from eren_memory.projections import Chosen, Projections
from eren_memory.prompts import PROMPT_VERSION, Style, chat_style, claim_reading, reading
from eren_memory.reembedding import Pace, Reembedding
from eren_memory.relevance import Calibrations, Task
from eren_memory.retention import Swept, sweep


@dataclass(frozen=True, slots=True)
class App:
    """An open assistant. The parts below `eren` are for evaluation, calibration and status."""

    settings: Settings
    notebook: Notebook
    records: Records
    reviews: Reviews
    communities: Communities
    eren: Eren
    chat_model: ChatModel
    all_calibrations: Calibrations
    """Those of the main chat model, of whatever space; `calibrations` has those in use."""
    local_server: LocalServer | None
    by_model: Mapping[str, Eren]
    """The assistant on each model that is offered, the main one first."""
    reembedding: Reembedding

    @property
    def embedder(self) -> Embedder:
        """The embedder of the live space."""
        return self.notebook.embedder

    @property
    def calibrations(self) -> Calibrations:
        """What the decision is made with just now."""
        return self.all_calibrations.of(self.embedder.space)

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models that communities may choose, the main one first."""
        return tuple(self.by_model)

    def eren_for(self, model: str | None) -> Eren:
        """The assistant on one of `models`; on the main one for None or a name that is not there."""
        return self.by_model.get(model or "", self.eren)

    @property
    def is_calibrated(self) -> bool:
        """Whether the decision was fitted to the model and the embedder that are in use."""
        return self.calibrations.get(Task.QUESTION, logprobs=True).fitted is not None

    def model_of(self, chosen: GuildSettings) -> str:
        """The model that answers a guild: its choice, while that is offered."""
        return chosen.model if chosen.model in self.by_model and chosen.model else self.models[0]

    @staticmethod
    def style_of(chosen: GuildSettings) -> Style:
        """How a guild wants its answers phrased."""
        return chat_style(chosen.tone, chosen.length)

    async def sweep(self, now: datetime) -> Swept:
        """Forget what is older than the settings promise."""
        return await sweep(
            self.notebook,
            self.records,
            self.reviews,
            self.communities,
            now,
            timedelta(days=self.settings.answers_kept_days),
            timedelta(days=self.settings.departed_kept_days),
        )

    async def warm(self) -> None:
        """Load what the first question needs, so that it does not wait for it."""

        async def notebook() -> None:
            await self.notebook.projector.project()

        async def model() -> None:
            if self.local_server is not None:
                await self.local_server.connect()

        await asyncio.gather(notebook(), model())


def own_calibrations(settings: Settings) -> Path:
    """Where `eren calibrate` keeps what it fitted for this installation."""
    return settings.home / "calibrations.json"


@asynccontextmanager
async def open_app(
    settings: Settings, style: Style = Style.CHAT, clock: Callable[[], datetime] = utc_now
) -> AsyncIterator[App]:
    """Open the assistant and close it on the way out.

    Opening touches the ledger only. The index, the embedding model and the embedded chat model
    start when something first needs them.

    Raises:
        LedgerError: The data folder or the database cannot be used.
    """
    async with open_ledger(_database_url(settings)) as ledger:
        store, chosen = _store(settings), _chosen(settings)
        projections = Projections(ledger, store, chosen, partial(_embedder, settings))
        await projections.begin()
        server = _local_server(settings) if settings.wants_local_model else None
        model = _chat_model(settings, server)

        notebook = Notebook(ledger, projections, Judge(model), clock)

        all_calibrations: list[Calibrations] = []

        def eren_on(model: ChatModel) -> Eren:
            own = own_calibrations(settings)
            space = projections.live.space
            calibrations = Calibrations(model.name, space, PROMPT_VERSION, own)
            all_calibrations.append(calibrations)
            return Eren(notebook, model, calibrations, style)

        eren = eren_on(model)
        main, *further = settings.offered_models
        by_model = {main: eren}
        async with AsyncExitStack() as closing:
            # Closed in the other order, each even if another fails to close.
            if server is not None:
                closing.push_async_callback(server.close)
            closing.push_async_callback(model.close)
            for name in further:
                other = _remote_model(settings, name)
                closing.push_async_callback(other.close)
                by_model[name] = eren_on(other)
            closing.push_async_callback(projections.close)
            reembedding = Reembedding(
                ledger,
                projections,
                all_calibrations,
                own_calibrations(settings),
                _pace(settings),
                clock,
            )
            yield App(
                settings,
                notebook,
                Records(ledger),
                Reviews(ledger),
                Communities(ledger),
                eren,
                model,
                all_calibrations[0],
                server,
                by_model,
                reembedding,
            )


def _database_url(settings: Settings) -> str:
    if settings.database_url:
        return settings.database_url
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(
            f"The data folder {settings.home} cannot be made ({error.strerror}). "
            "Set EREN_HOME to a folder that you can write to."
        ) from error
    return f"sqlite+aiosqlite:///{settings.home / 'notebook.db'}"


def _chosen(settings: Settings) -> Chosen:
    explicit = "embedding_model" in settings.model_fields_set
    return Chosen(settings.embedding_model, settings.embedding_url is not None, explicit)


def _embedder(settings: Settings, space: str, endpoint: bool, background: bool) -> Embedder:
    """Of any space; the endpoint of the settings has the model that they name, and those made by it."""
    url = settings.embedding_url
    if url and (endpoint or space == settings.embedding_model):
        secret = settings.embedding_api_key
        key = secret.get_secret_value() if secret else None
        return EndpointEmbedder(space, url, key, settings.model_timeout)
    kind = BackgroundEmbedder if background else LocalEmbedder
    return kind(space, settings.home)


def _store(settings: Settings) -> IndexStore:
    if settings.qdrant_url:
        secret = settings.qdrant_api_key
        key = secret.get_secret_value() if secret else None
        return ServerStore(settings.qdrant_url, key, settings.bm25_language)
    return EdgeStore(settings.home / "index", settings.bm25_language)


def _pace(settings: Settings) -> Pace:
    return Pace(settings.reembed_share, timedelta(days=settings.reembed_kept_days))


def _local_server(settings: Settings) -> LocalServer:
    # Everything of the prompts but the notes and the question or claim.
    prefixes = (reading([], "")[:-1], claim_reading("", "")[:-1])
    return LocalServer(settings.home, settings.model_file, prefixes)


def _chat_model(settings: Settings, server: LocalServer | None) -> ChatModel:
    if server is not None:
        return OpenAIChat(server.model_name, server.connect, timeout=settings.model_timeout)
    return _remote_model(settings, settings.offered_models[0])


def _remote_model(settings: Settings, name: str) -> ChatModel:
    secret = settings.openai_api_key
    endpoint = Endpoint(
        settings.openai_base_url,
        # Servers of one's own often want none, and the client insists on something.
        secret.get_secret_value() if secret else "none",
    )

    async def connect() -> Endpoint:
        return endpoint

    return OpenAIChat(name, connect, timeout=settings.model_timeout)
