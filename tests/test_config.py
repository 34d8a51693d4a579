"""Settings come from the environment, .env and files; a fault names the variable, never its value."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eren_memory.config import Settings, load_settings
from eren_memory.errors import ConfigError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "secrets"
    made.mkdir()
    monkeypatch.setenv("EREN_SECRETS_DIR", str(made))
    return made


def test_secrets_are_read_from_files_that_have_the_settings_names(folder: Path):
    (folder / "DISCORD_TOKEN").write_text("the token\n")
    (folder / "EREN_QDRANT_API_KEY").write_text("the key")
    (folder / "EREN_DATABASE_URL").write_text("postgresql://eren:pass@db/eren\n")
    settings = load_settings()
    assert settings.discord_token is not None
    assert settings.discord_token.get_secret_value() == "the token"
    assert settings.qdrant_api_key is not None
    assert settings.qdrant_api_key.get_secret_value() == "the key"
    assert settings.database_url == "postgresql://eren:pass@db/eren"


def test_the_environment_counts_before_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / "DISCORD_TOKEN").write_text("from the file")
    monkeypatch.setenv("DISCORD_TOKEN", "from the environment")
    settings = load_settings()
    assert settings.discord_token is not None
    assert settings.discord_token.get_secret_value() == "from the environment"


def test_an_empty_file_is_no_secret(folder: Path):
    (folder / "OPENAI_API_KEY").write_text("\n")
    assert load_settings().openai_api_key is None


def test_a_folder_of_secrets_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EREN_SECRETS_DIR", "/nowhere/at/all")
    with pytest.raises(ConfigError, match="EREN_SECRETS_DIR names does not exist"):
        load_settings()


def test_a_secret_that_is_not_text_is_refused_without_quoting_it(folder: Path):
    (folder / "DISCORD_TOKEN").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(ConfigError, match="EREN_SECRETS_DIR names is not UTF-8"):
        load_settings()


@pytest.mark.skipif(os.geteuid() == 0, reason="whoever is root may read everything")
def test_a_secret_that_may_not_be_read_is_named(folder: Path):
    (folder / "DISCORD_TOKEN").write_text("the token")
    (folder / "DISCORD_TOKEN").chmod(0)
    with pytest.raises(ConfigError, match="The file DISCORD_TOKEN cannot be read"):
        load_settings()


def test_prices_are_read_by_model(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EREN_PRICES", "gpt-4.1-mini=0.40/1.60, a=b=0/2")
    assert load_settings().prices == {"gpt-4.1-mini": (0.4, 1.6), "a=b": (0.0, 2.0)}


@pytest.mark.parametrize("wrong", ["0.40/1.60", "m=0.4", "m=a/b", "m=-1/2", "m=nan/1", "m=1/inf"])
def test_prices_that_mean_nothing_are_refused_with_an_example(
    monkeypatch: pytest.MonkeyPatch, wrong: str
):
    monkeypatch.setenv("EREN_PRICES", wrong)
    with pytest.raises(ConfigError, match=r"EREN_PRICES is not usable: write MODEL=PROMPT"):
        load_settings()


def test_passwords_within_addresses_count_as_secrets():
    settings = Settings(
        database_url="postgresql://eren:p%40ss@db/eren",
        qdrant_url="http://127.0.0.1:6333",
        openai_base_url="https://someone:inside@[broken",
        discord_token="the token",
    )
    assert {"p%40ss", "p@ss", "the token"} == {*settings.secrets}


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """What several processes share."""
    monkeypatch.setenv("EREN_DATABASE_URL", "postgresql://eren:pass@db/eren")
    monkeypatch.setenv("EREN_QDRANT_URL", "http://qdrant:6333")


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize(
    ("ids", "meant"),
    [("0-3", [0, 1, 2, 3]), ("0,2", [0, 2]), (" 5 - 6 , 0, 6", [0, 5, 6]), ("7", [7]), ("", [])],
)
def test_shards_are_named_one_by_one_or_as_a_range(
    monkeypatch: pytest.MonkeyPatch, ids: str, meant: list[int]
):
    monkeypatch.setenv("EREN_SHARD_COUNT", "8")
    monkeypatch.setenv("EREN_SHARD_IDS", ids)
    assert [*load_settings().shard_ids] == meant


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize(
    ("count", "ids", "said"),
    [
        ("8", "8", "there is no shard 8: with EREN_SHARD_COUNT=8 they are 0 to 7"),
        ("8", "0-999999999", "write the numbers"),
        ("8", "3-1", "3-1 is empty; write 1-3"),
        ("8", "-1", "write the numbers of this process's shards, such as 0-3 or 0,2"),
        ("8", "all", "write the numbers"),
        ("8", "0,,1", "write the numbers"),
        ("8", "٣", "write the numbers"),
        ("0", "0", "EREN_SHARD_COUNT"),
    ],
)
def test_shards_that_cannot_be_are_refused_with_the_cure(
    monkeypatch: pytest.MonkeyPatch, count: str, ids: str, said: str
):
    monkeypatch.setenv("EREN_SHARD_COUNT", count)
    monkeypatch.setenv("EREN_SHARD_IDS", ids)
    with pytest.raises(ConfigError) as refused:
        load_settings()
    assert said in str(refused.value)
    assert "EREN_SHARD_" in str(refused.value)


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("missing", ["EREN_DATABASE_URL", "EREN_QDRANT_URL"])
def test_shards_are_left_to_others_only_where_ledger_and_index_are_shared(
    monkeypatch: pytest.MonkeyPatch, missing: str
):
    monkeypatch.setenv("EREN_SHARD_COUNT", "2")
    monkeypatch.setenv(missing, "")
    monkeypatch.setenv("EREN_SHARD_IDS", "1")
    with pytest.raises(ConfigError, match=f"other processes.*{missing}"):
        load_settings()
    monkeypatch.setenv("EREN_SHARD_IDS", "0-1")
    assert [*load_settings().shard_ids] == [0, 1]
