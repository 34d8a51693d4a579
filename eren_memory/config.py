"""Settings: the only reader of the environment and of `.env`. Built when asked, never at import."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_data_path
from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from eren_memory.errors import ConfigError

DEFAULT_REMOTE_MODEL = "gpt-4.1-mini"
LOCAL_MODEL = "local"
DEFAULT_EMBEDDING_MODEL = "all-MiniLM-L6-v2"


class Settings(BaseSettings):
    """What an operator may set. Every field reads `EREN_<NAME>` unless its alias says otherwise."""

    model_config = SettingsConfigDict(
        env_prefix="EREN_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        populate_by_name=True,
    )

    home: Path = Field(default_factory=lambda: user_data_path("eren", appauthor=False))
    """Folder of the ledger, the embedded index and the embedded model."""

    model: str | None = None
    """Chat model; `local` forces the embedded one."""
    models: str | None = None
    """Further chat models of the same endpoint that communities may choose, comma separated."""
    openai_api_key: SecretStr | None = Field(None, validation_alias=AliasChoices("OPENAI_API_KEY"))
    openai_base_url: str | None = Field(None, validation_alias=AliasChoices("OPENAI_BASE_URL"))
    model_timeout: float = Field(60.0, gt=0, le=600)
    """Seconds that one model call may take."""
    model_file: Path | None = None
    """A GGUF file of one's own for the embedded model."""

    embedding_model: str = DEFAULT_EMBEDDING_MODEL
    embedding_url: str | None = None
    """OpenAI-compatible endpoint for embeddings, instead of the model in this process."""
    embedding_api_key: SecretStr | None = None
    reembed_share: float = Field(0.5, gt=0, le=1)
    """Share of the time in which re-embedding computes; in the rest it lets others."""
    reembed_kept_days: float = Field(7, ge=0)
    """How long the index of the embedding model before is kept for going back."""

    database_url: str | None = None
    qdrant_url: str | None = None
    qdrant_api_key: SecretStr | None = None
    bm25_language: str = "english"

    discord_token: SecretStr | None = Field(None, validation_alias=AliasChoices("DISCORD_TOKEN"))
    message_content: bool = False
    """Whether the bot has Discord's Message Content intent: follow-ups without a mention, and answers
    in channels without being asked."""
    questions_per_member: int = Field(10, ge=1)
    """A minute, for each member of each server."""
    questions_per_guild: int = Field(100, ge=1)
    """A minute, for each server."""
    questions_at_once: int = Field(8, ge=1)
    """Answered at the same time; others wait for their turn."""
    answers_kept_days: int = Field(30, ge=1)
    """How long questions and answers are kept."""
    departed_kept_days: int = Field(90, ge=1)
    """How long the notes of a server are kept that removed the bot."""

    @property
    def wants_local_model(self) -> bool:
        """Whether questions go to the embedded model: asked for, or no endpoint configured."""
        if self.model is not None:
            return self.model == LOCAL_MODEL
        return not (self.openai_api_key or self.openai_base_url)

    @property
    def offered_models(self) -> tuple[str, ...]:
        """Chat models that communities may choose, the main one first; the embedded one is alone."""
        if self.wants_local_model:
            return (LOCAL_MODEL,)
        further = (name.strip() for name in (self.models or "").split(","))
        return tuple(dict.fromkeys([self.model or DEFAULT_REMOTE_MODEL, *filter(None, further)]))


def load_settings() -> Settings:
    """Settings from the environment and `.env`. Raises `ConfigError` naming the variable."""
    try:
        return Settings()
    except UnicodeDecodeError:
        raise ConfigError("The file .env is not UTF-8 text.") from None
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        if name in Settings.model_fields or name.lower() in Settings.model_fields:
            name = f"EREN_{name}"
        raise ConfigError(f"The setting {name} is not usable: {first['msg'].lower()}.") from None
