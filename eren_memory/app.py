"""The wiring: the one place that knows every part. Front ends open an `App` and call it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from eren_memory.community import GuildSettings
from eren_memory.config import Settings
from eren_memory.conflicts import Judge
from eren_memory.embedder import Embedder, EndpointEmbedder, LocalEmbedder
from eren_memory.engine import Eren
from eren_memory.errors import LedgerError
from eren_memory.finding import utc_now
from eren_memory.index import NoteIndex
from eren_memory.ledger import Communities, Records, Reviews, open_ledger
from eren_memory.llm import ChatModel, Endpoint, OpenAIChat
from eren_memory.local_model import LocalServer
from eren_memory.notebook import Notebook
from eren_memory.projection import Projector
from eren_memory.prompts import PROMPT_VERSION, Style, chat_style, claim_reading, reading
from eren_memory.relevance import Calibrations, Task
from eren_memory.retention import Swept, sweep
from eren_memory.watching import OnCall, WatchedModel, ping


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
    embedder: Embedder
    calibrations: Calibrations
    local_server: LocalServer | None
    by_model: Mapping[str, Eren]
    """The assistant on each model that is offered, the main one first."""
    connect: Callable[[], Awaitable[Endpoint]]
    """Where the chat model is; may start it."""

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

    async def ping_model(self) -> None:
        """Whether the chat model's endpoint answers, without a model call. Raises `ErenError`."""
        await ping(self.connect, self.chat_model.name)

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
    settings: Settings,
    style: Style = Style.CHAT,
    clock: Callable[[], datetime] = utc_now,
    on_call: OnCall | None = None,
) -> AsyncIterator[App]:
    """Open the assistant and close it on the way out.

    Opening touches the ledger only. The index, the embedding model and the embedded chat model
    start when something first needs them. `on_call` is told of every model call.

    Raises:
        LedgerError: The data folder or the database cannot be used.
    """
    async with open_ledger(_database_url(settings)) as ledger:
        embedder = _embedder(settings)
        server = _local_server(settings) if settings.wants_local_model else None
        connect = server.connect if server is not None else _remote(settings)

        def model_named(name: str) -> ChatModel:
            model = OpenAIChat(name, connect, timeout=settings.model_timeout)
            return model if on_call is None else WatchedModel(model, on_call)

        model = model_named(server.model_name if server else settings.offered_models[0])

        async def open_index(embedder: Embedder, ledger_id: str) -> tuple[NoteIndex, bool]:
            return await _open_index(settings, embedder, ledger_id)

        projector = Projector(ledger, embedder, open_index)
        notebook = Notebook(ledger, embedder, projector, Judge(model), clock)

        def eren_on(model: ChatModel) -> tuple[Eren, Calibrations]:
            own = own_calibrations(settings)
            calibrations = Calibrations(model.name, embedder.space, PROMPT_VERSION, own)
            return Eren(notebook, model, calibrations, style), calibrations

        eren, calibrations = eren_on(model)
        main, *further = settings.offered_models
        by_model = {main: eren}
        async with AsyncExitStack() as closing:
            # Closed in the other order, each even if another fails to close.
            closing.push_async_callback(embedder.close)
            if server is not None:
                closing.push_async_callback(server.close)
            closing.push_async_callback(model.close)
            for name in further:
                other = model_named(name)
                closing.push_async_callback(other.close)
                by_model[name], _ = eren_on(other)
            closing.push_async_callback(projector.close)
            yield App(
                settings,
                notebook,
                Records(ledger),
                Reviews(ledger),
                Communities(ledger),
                eren,
                model,
                embedder,
                calibrations,
                server,
                by_model,
                connect,
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


def _embedder(settings: Settings) -> Embedder:
    if settings.embedding_url:
        secret = settings.embedding_api_key
        return EndpointEmbedder(
            settings.embedding_model,
            settings.embedding_url,
            secret.get_secret_value() if secret else None,
            settings.model_timeout,
        )
    return LocalEmbedder(settings.embedding_model)


def _local_server(settings: Settings) -> LocalServer:
    # Everything of the prompts but the notes and the question or claim.
    prefixes = (reading([], "")[:-1], claim_reading("", "")[:-1])
    return LocalServer(settings.home, settings.model_file, prefixes)


def _remote(settings: Settings) -> Callable[[], Awaitable[Endpoint]]:
    secret = settings.openai_api_key
    endpoint = Endpoint(
        settings.openai_base_url,
        # Servers of one's own often want none, and the client insists on something.
        secret.get_secret_value() if secret else "none",
    )

    async def connect() -> Endpoint:
        return endpoint

    return connect


async def _open_index(
    settings: Settings, embedder: Embedder, ledger_id: str
) -> tuple[NoteIndex, bool]:
    """The engines are imported here: listing notes needs neither."""
    if settings.qdrant_url:
        from eren_memory.index.server import ServerIndex

        key = settings.qdrant_api_key
        return await ServerIndex.open(
            settings.qdrant_url,
            key.get_secret_value() if key else None,
            embedder.space,
            await embedder.load(),
            settings.bm25_language,
            ledger_id,
        )
    from eren_memory.index.edge import EdgeIndex

    return await asyncio.to_thread(
        EdgeIndex.open,
        settings.home / "index",
        embedder.space,
        await embedder.load(),
        settings.bm25_language,
        ledger_id,
    )
