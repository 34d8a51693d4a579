"""From settings to the parts that they name. Only the application puts parts together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from eren_memory.auditing import Patience
from eren_memory.config import Settings
from eren_memory.embedder import Embedder, EndpointEmbedder, LocalEmbedder
from eren_memory.errors import LedgerError
from eren_memory.index import NoteIndex
from eren_memory.llm import Endpoint
from eren_memory.local_model import LocalServer
from eren_memory.prompts import claim_reading, reading, second_look


def kept(settings: Settings) -> timedelta:
    """How long answers are kept."""
    return timedelta(days=settings.answers_kept_days)


def patience(settings: Settings) -> Patience:
    """How long an audit lets a note be."""
    return Patience(timedelta(days=settings.unverified_days), timedelta(days=settings.unused_days))


def database_url(settings: Settings) -> str:
    """Where the ledger is. Raises `LedgerError` for a data folder that cannot be made."""
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


def embedder(settings: Settings) -> Embedder:
    """The embedding model."""
    if settings.embedding_url:
        secret = settings.embedding_api_key
        return EndpointEmbedder(
            settings.embedding_model,
            settings.embedding_url,
            secret.get_secret_value() if secret else None,
            settings.model_timeout,
        )
    return LocalEmbedder(settings.embedding_model)


def local_server(settings: Settings) -> LocalServer:
    """The embedded chat model, not started."""
    # Everything of the prompts but the notes and the question or claim.
    examples = (reading([], ""), claim_reading("", ""), second_look("", ""))
    prefixes = tuple(messages[:-1] for messages in examples)
    return LocalServer(settings.home, settings.model_file, prefixes)


def remote(settings: Settings) -> Callable[[], Awaitable[Endpoint]]:
    """Where the endpoint of the settings is."""
    secret = settings.openai_api_key
    endpoint = Endpoint(
        settings.openai_base_url,
        # Servers of one's own often want none, and the client insists on something.
        secret.get_secret_value() if secret else "none",
    )

    async def connect() -> Endpoint:
        return endpoint

    return connect


async def open_index(
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
