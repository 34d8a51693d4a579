"""The wiring: the one place that knows every part. Front ends open an `App` and call it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from eren_memory.auditing import Auditor, Patience
from eren_memory.community import GuildSettings
from eren_memory.config import Settings
from eren_memory.conflicts import Judge
from eren_memory.embedder import Embedder, EndpointEmbedder, LocalEmbedder
from eren_memory.engine import Eren
from eren_memory.errors import LedgerError
from eren_memory.finding import utc_now
from eren_memory.index import NoteIndex
from eren_memory.ledger import Audits, Communities, Findings, Records, Reviews, open_ledger
from eren_memory.llm import ChatModel, Endpoint, OpenAIChat
from eren_memory.local_model import LocalServer
from eren_memory.notebook import Notebook
from eren_memory.projection import Progress, Projector
from eren_memory.prompts import PROMPT_VERSION, Style, chat_style, claim_reading, reading
from eren_memory.relevance import Calibrations, Task
from eren_memory.retention import Swept, sweep
from eren_memory.staleness import Report


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
    audits: Audits
    findings: Findings
    auditor: Auditor
    by_model: Mapping[str, Eren]
    """The assistant on each model that is offered, the main one first."""

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
            _kept(self.settings),
            timedelta(days=self.settings.departed_kept_days),
        )

    async def audit(
        self, guild_id: str, calls: int | None = None, progress: Progress | None = None
    ) -> Report:
        """Find what has grown stale in a guild's notebook; see `Auditor.audit`."""
        chosen = await self.communities.settings(guild_id)
        most = self.settings.audit_calls if calls is None else calls
        return await self.auditor.audit(guild_id, self.eren_for(chosen.model), most, progress)

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
        embedder = _embedder(settings)
        server = _local_server(settings) if settings.wants_local_model else None
        model = _chat_model(settings, server)

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
                other = _remote_model(settings, name)
                closing.push_async_callback(other.close)
                by_model[name], _ = eren_on(other)
            closing.push_async_callback(projector.close)
            audits, findings = Audits(ledger), Findings(ledger)
            auditor = Auditor(
                notebook, audits, findings, model, _patience(settings), _kept(settings), clock
            )
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
                audits,
                findings,
                auditor,
                by_model,
            )


def _kept(settings: Settings) -> timedelta:
    return timedelta(days=settings.answers_kept_days)


def _patience(settings: Settings) -> Patience:
    return Patience(timedelta(days=settings.unverified_days), timedelta(days=settings.unused_days))


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
