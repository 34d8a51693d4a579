"""From settings to the parts that they name. Only the application puts parts together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from eren_memory.auditing import Patience
from eren_memory.background_embedder import BackgroundEmbedder
from eren_memory.config import Settings
from eren_memory.embedder import Embedder, EndpointEmbedder, LocalEmbedder
from eren_memory.errors import ConfigError
from eren_memory.guarding import GuardedModel
from eren_memory.index import IndexStore
from eren_memory.index.store import EdgeStore, ServerStore
from eren_memory.llm import ChatModel, Endpoint, OpenAIChat
from eren_memory.local_model import LocalServer
from eren_memory.privacy import Kept
from eren_memory.prompts import claim_reading, reading, second_look
from eren_memory.reembedding import Pace
from eren_memory.retention import Times
from eren_memory.setting_values import Instead
from eren_memory.space import Chosen
from eren_memory.watching import OnCall, WatchedModel


def kept(settings: Settings) -> timedelta:
    """How long answers are kept."""
    return timedelta(days=settings.answers_kept_days)


def times(settings: Settings) -> Times:
    """How long what people wrote is kept."""
    return Times(
        answers=kept(settings),
        suggestions=timedelta(days=settings.suggestions_kept_days),
        departed=timedelta(days=settings.departed_kept_days),
        forgotten=timedelta(days=settings.forgotten_kept_days),
    )


def beside_ledger(settings: Settings) -> Kept:
    """What is kept of people besides the ledger."""
    backups = settings.backups_kept if settings.backup_folder else None
    return Kept(backups, settings.forgotten_kept_days)


def patience(settings: Settings) -> Patience:
    """How long an audit lets a note be."""
    return Patience(timedelta(days=settings.unverified_days), timedelta(days=settings.unused_days))


def check_budgets(settings: Settings) -> None:
    """Raise `ConfigError` for budgets that could not be kept."""
    instead = Instead.parse(settings.budget_at_limit).model
    if instead is not None and instead not in settings.offered_models:
        raise ConfigError(
            f"EREN_BUDGET_AT_LIMIT names {instead}, which is not offered. Add it to EREN_MODELS."
        )
    if (settings.budget_money or settings.budget_guild_money) and settings.unpriced_models:
        raise ConfigError(
            f"A budget in money needs the price of {settings.unpriced_models[0]}. Add it to "
            "EREN_PRICES, or set the budget in tokens."
        )


def chosen(settings: Settings) -> Chosen:
    """The embedding model of the settings."""
    explicit = "embedding_model" in settings.model_fields_set
    return Chosen(settings.embedding_model, settings.embedding_url is not None, explicit)


def embedder(settings: Settings, space: str, endpoint: bool, background: bool) -> Embedder:
    """Of any space; the endpoint of the settings has the model that they name, and those made by it."""
    url = settings.embedding_url
    if url and (endpoint or space == settings.embedding_model):
        secret = settings.embedding_api_key
        key = secret.get_secret_value() if secret else None
        return EndpointEmbedder(space, url, key, settings.model_timeout)
    kind = BackgroundEmbedder if background else LocalEmbedder
    return kind(space, settings.home)


def store(settings: Settings) -> IndexStore:
    """Where the indexes are."""
    if settings.qdrant_url:
        secret = settings.qdrant_api_key
        key = secret.get_secret_value() if secret else None
        return ServerStore(settings.qdrant_url, key, settings.bm25_language)
    return EdgeStore(settings.home / "index", settings.bm25_language)


def pace(settings: Settings) -> Pace:
    """What re-embedding leaves to others."""
    return Pace(settings.reembed_share, timedelta(days=settings.reembed_kept_days))


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


def chat_model(
    settings: Settings,
    name: str,
    connect: Callable[[], Awaitable[Endpoint]],
    on_call: OnCall | None,
    *,
    guarded: bool,
) -> ChatModel:
    """A chat model at an endpoint; see `open_app` for who is told of its calls, and what guards it."""
    model: ChatModel = OpenAIChat(name, connect, timeout=settings.model_timeout)
    if on_call is not None:
        model = WatchedModel(model, on_call)
    return GuardedModel(model) if guarded else model
