"""Settings: the only reader of the environment, of `.env` and of files with secrets.

Built when asked, never at import.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from platformdirs import user_data_path
from pydantic import (
    AliasChoices,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

from eren_memory import setting_values
from eren_memory.errors import BadInput, ConfigError
from eren_memory.setting_values import Instead

DEFAULT_REMOTE_MODEL = "gpt-4.1-mini"
LOCAL_MODEL = "local"
DEFAULT_EMBEDDING_MODEL = "all-MiniLM-L6-v2"
SECRETS_FOLDER = "EREN_SECRETS_DIR"
"""Variable that names a folder with one file for each setting that should not stand in the environment."""

_URLS = ("openai_base_url", "embedding_url", "database_url", "qdrant_url")


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
    shard_count: int = Field(1, ge=1, le=10_000)
    """Into how many shards Discord divides the servers; the same for all processes of a bot."""
    shard_ids: Annotated[tuple[int, ...], NoDecode] = ()
    """Those of this process, such as `0-3` or `0,2`; all where nothing is said."""
    questions_per_member: int = Field(10, ge=1)
    """A minute, for each member of each server."""
    questions_per_guild: int = Field(100, ge=1)
    """A minute, for each server."""
    suggestions_per_member: int = Field(5, ge=1)
    """That may wait for moderators at once, of each member of each server."""
    questions_at_once: int = Field(8, ge=1)
    """Answered at the same time; others wait for their turn."""
    questions_waiting: int = Field(200, ge=1)
    """May wait for their turn, of all servers; a server where none waits may always have one waiting."""
    questions_waiting_per_guild: int = Field(50, ge=1)
    """And of each server."""
    answers_kept_days: int = Field(30, ge=1)
    """How long questions and answers are kept."""
    audit_calls: int = Field(200, ge=0)
    """Model calls that an audit of one server may make at most."""
    unverified_days: int = Field(180, ge=1)
    """After so long without anybody vouching for it, a note should be looked at."""
    unused_days: int = Field(90, ge=1)
    """After so long without an answer from it, a note should be looked at."""
    departed_kept_days: int = Field(90, ge=1)
    """How long the notes of a server are kept that removed the bot."""
    suggestions_kept_days: int = Field(90, ge=1)
    """How long suggestions are kept that were rejected."""
    forgotten_kept_days: int = Field(90, ge=1)
    """How long it is remembered who was forgotten, so that a backup does not bring them back."""

    time_zone: str = "UTC"
    """Whose clocks the nightly jobs go by, and the jobs of servers that chose none."""
    backup_folder: Path | None = None
    """Where a backup is written every day; None for none."""
    backup_at: time = time(2, 30)
    """When."""
    backups_kept: int = Field(7, ge=1)
    """How many of them, the newest."""

    prices: Annotated[dict[str, tuple[float, float]], NoDecode] = Field(default_factory=dict)
    """What a million prompt and completion tokens cost, by model: `gpt-4.1-mini=0.40/1.60`."""
    budget_member_questions: int | None = Field(None, ge=1)
    """Questions a day, of each member of each server; the most that a server may allow."""
    budget_guild_questions: int | None = Field(None, ge=1)
    """Questions a day, of each server."""
    budget_guild_tokens: int | None = Field(None, ge=1)
    """Tokens a day, of each server's model calls."""
    budget_guild_money: float | None = Field(None, gt=0, allow_inf_nan=False)
    """What they may cost, in the currency of `prices`."""
    budget_tokens: int | None = Field(None, ge=1)
    """Tokens a day, of all servers together."""
    budget_money: float | None = Field(None, gt=0, allow_inf_nan=False)
    """What they may cost together."""
    budget_at_limit: str = "notes-only"
    """What is done then, where a server chose nothing else: `notes-only`, `refuse`, `cheaper:MODEL`."""
    health_host: str = "127.0.0.1"
    """Address that health and metrics are served on."""
    health_port: int = Field(9464, ge=0, le=65_535)
    """Its port; 0 turns both off."""
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_content: bool = False
    """Whether questions, answers and the texts of unexpected errors may stand in the log."""

    @field_validator(
        "discord_token",
        "openai_api_key",
        "embedding_api_key",
        "qdrant_api_key",
        "database_url",
        mode="before",
    )
    @classmethod
    def _empty_is_none(cls, given: Any) -> Any:
        """As in the environment: a file for a secret may be there before the secret is."""
        return given or None

    @field_validator("prices", mode="before")
    @classmethod
    def _read_prices(cls, given: Any) -> Any:
        if not isinstance(given, str):
            return given
        return setting_values.prices(given)

    @field_validator("budget_at_limit")
    @classmethod
    def _known_way(cls, given: str) -> str:
        try:
            return str(Instead.parse(given))
        except BadInput as error:
            raise ValueError(str(error)) from None

    @field_validator("shard_ids", mode="before")
    @classmethod
    def _read_shards(cls, given: Any, info: ValidationInfo) -> Any:
        count = info.data.get("shard_count")
        if not isinstance(given, str) or count is None:
            return given
        ids = sorted(setting_values.shards(given, count))
        shared = info.data.get("qdrant_url") and _is_postgresql(info.data.get("database_url"))
        if len(ids) < count and not shared:
            raise ValueError(
                "it leaves shards to other processes, and those share a ledger and an index: set "
                "EREN_DATABASE_URL to PostgreSQL and EREN_QDRANT_URL to a Qdrant server, the same for all"
            )
        return ids

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError("not a time zone such as Europe/Berlin") from None
        return name

    @property
    def zone(self) -> ZoneInfo:
        """`time_zone`, ready for use."""
        return ZoneInfo(self.time_zone)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every value that must not be seen: secrets, and the passwords within addresses."""
        values = [getattr(self, name) for name in type(self).model_fields]
        found = [one.get_secret_value() for one in values if isinstance(one, SecretStr)]
        for name in _URLS:
            with suppress(ValueError):  # Not an address at all: whoever uses it will say so.
                password = urlsplit(getattr(self, name) or "").password or ""
                found += [password, unquote(password)]
        return tuple(dict.fromkeys(filter(None, found)))

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

    @property
    def unpriced_models(self) -> tuple[str, ...]:
        """Those of an endpoint that `prices` does not know; the embedded one costs nothing."""
        if self.wants_local_model:
            return ()
        return tuple(one for one in self.offered_models if one not in self.prices)


def _is_postgresql(url: str | None) -> bool:
    return (url or "").startswith("postgres")


def load_settings() -> Settings:
    """Settings from the environment, `.env` and the secrets' folder, the first that has one counting.

    Raises:
        ConfigError: Names the variable that cannot be used.
    """
    folder = os.environ.get(SECRETS_FOLDER) or None
    if folder and not Path(folder).is_dir():
        raise ConfigError(f"The folder that {SECRETS_FOLDER} names does not exist.")
    try:
        return Settings(_secrets_dir=folder)
    except UnicodeDecodeError:
        raise ConfigError("The file .env is not UTF-8 text.") from None
    except SettingsError as error:
        raise _unread(error) from None
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        if name in Settings.model_fields or name.lower() in Settings.model_fields:
            name = f"EREN_{name}"
        raise ConfigError(f"The setting {name} is not usable: {_lowered(first['msg'])}.") from None


def _unread(error: SettingsError) -> ConfigError:
    """For a file with a secret; its name is that of the setting."""
    cause = error.__cause__
    if isinstance(cause, OSError):
        name = Path(cause.filename or "of a secret").name
        return ConfigError(
            f"The file {name} cannot be read ({cause.strerror}). Whoever runs this must be able to."
        )
    return ConfigError(f"A file in the folder that {SECRETS_FOLDER} names is not UTF-8 text.")


def _lowered(said: str) -> str:
    """Pydantic's sentence, as the end of ours."""
    said = said.removeprefix("Value error, ")
    return said[:1].lower() + said[1:]
