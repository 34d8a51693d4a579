"""What an operator starts: compose file, image and unit, as far as they can be tried without an engine."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from eren_memory.config import SECRETS_FOLDER, Settings, load_settings

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "bot" / "Dockerfile").read_text()
UNIT = ROOT / "docs" / "eren-bot.service"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
VARIABLES = {SECRETS_FOLDER} | {
    str(field.validation_alias.choices[0] if field.validation_alias else f"EREN_{name.upper()}")  # type: ignore[union-attr]
    for name, field in Settings.model_fields.items()
}
every_service = pytest.mark.parametrize("name", SERVICES)


def specified(compose: dict[str, Any]) -> None:
    PyCompose.from_json(json.dumps(compose))


def test_the_compose_file_follows_the_specification():
    specified(COMPOSE)
    misspelt = deepcopy(COMPOSE)
    misspelt["services"]["bot"]["depends_on"]["qdrant"]["condition"] = "service_wealthy"
    with pytest.raises(ValueError, match="service_wealthy"):
        specified(misspelt)


def test_the_bot_and_qdrant_start_alone_and_the_rest_by_profile():
    assert {name: one.get("profiles", []) for name, one in SERVICES.items()} == {
        "bot": [], "bot-2": ["processes"], "qdrant": [], "postgresql": ["postgresql"],
        "model": ["model"],
    }  # fmt: skip


def test_processes_of_the_bot_differ_in_their_shards_and_in_nothing_else():
    bot, second = deepcopy(SERVICES["bot"]), deepcopy(SERVICES["bot-2"])
    shards = [one["environment"].pop("EREN_SHARD_IDS") for one in (bot, second)]
    # Nothing in the first is every shard; the second has to say which are its own.
    assert shards == ["${BOT_SHARD_IDS:-}", "${BOT_2_SHARD_IDS:-1}"]
    assert second.pop("profiles") == ["processes"]
    assert bot == second


def test_what_the_guide_has_for_two_processes_is_what_they_accept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    guide = (ROOT / "docs" / "operating.md").read_text()
    given = re.search(
        r"^COMPOSE_PROFILES=postgresql,processes\n(?:[A-Z_0-9]+=.*\n)+", guide, re.MULTILINE
    )
    assert given is not None
    lines = dict(line.split("=", 1) for line in given[0].splitlines())
    assert {*lines} <= {"COMPOSE_PROFILES", "EREN_SHARD_COUNT", "BOT_SHARD_IDS", "BOT_2_SHARD_IDS"}
    (tmp_path / ".env").write_text(given[0])
    monkeypatch.setenv("EREN_QDRANT_URL", SERVICES["bot"]["environment"]["EREN_QDRANT_URL"])
    monkeypatch.setenv("EREN_DATABASE_URL", "postgresql://eren:PASSWORD@postgresql/eren")
    served: list[int] = []
    for name in ("BOT_SHARD_IDS", "BOT_2_SHARD_IDS"):
        monkeypatch.setenv("EREN_SHARD_IDS", lines[name])
        settings = load_settings()
        served += settings.shard_ids
    assert served == list(range(settings.shard_count))


@every_service
def test_every_service_is_confined(name: str):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert not {"privileged", "cap_add", "ports", "network_mode", "pid"} & service.keys()
    assert {"max-size", "max-file"} == service["logging"]["options"].keys()


@every_service
def test_no_service_runs_as_root(name: str):
    service = SERVICES[name]
    if "build" in service:
        user = re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)[-1]
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    else:
        unprivileged = service["image"].endswith("-unprivileged")
        assert unprivileged or re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])


@every_service
def test_every_service_says_whether_it_is_well(name: str):
    if "build" in SERVICES[name]:
        assert "HEALTHCHECK" in DOCKERFILE
    else:
        assert {"test", "interval", "timeout", "retries"} <= SERVICES[name]["healthcheck"].keys()


def test_every_image_has_an_exact_version():
    images = [one["image"] for one in SERVICES.values() if "image" in one]
    images += re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    for image in images:
        assert re.search(r":v?\d+\.\d+(\.\d+)?(-|@|$)", image), image


def test_only_the_bot_reaches_qdrant_and_the_database():
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert SERVICES["qdrant"]["networks"] == SERVICES["postgresql"]["networks"] == ["inside"]
    assert {*SERVICES["bot"]["networks"]} == {"inside", "outside"}
    assert {name for name, one in SERVICES.items() if "build" in one} == {"bot", "bot-2"}


def test_every_variable_that_is_set_is_a_setting_and_none_is_a_secret():
    for text in (json.dumps(COMPOSE), DOCKERFILE, UNIT.read_text()):
        named = set(re.findall(r"\b(?:EREN|OPENAI|DISCORD)_[A-Z0-9_]+\b", text))
        assert named <= VARIABLES | {"DISCORD_TOKEN"}, named - VARIABLES
    given = {name for one in SERVICES.values() for name in one.get("environment", {})}
    assert not [name for name in given if re.search(r"KEY|TOKEN|PASSWORD$", name)]


def test_secrets_stay_out_of_the_image_and_the_repository():
    for name in (".dockerignore", ".gitignore"):
        lines = {one.strip("/") for one in (ROOT / name).read_text().splitlines()}
        assert {"secrets", ".env"} <= lines, name


def script(service: str) -> str:
    """What a service's entry point runs, as the shell gets it."""
    text: str = SERVICES[service]["entrypoint"][-1]
    return text.replace("$$", "$")


@pytest.mark.parametrize(("key", "status"), [("the key", 0), ("", 1), (None, 1)])
def test_qdrant_starts_with_the_key_from_the_file_and_not_without(
    tmp_path: Path, key: str | None, status: int
):
    (tmp_path / "entrypoint.sh").write_text('#!/bin/sh\necho "key=$QDRANT__SERVICE__API_KEY"\n')
    (tmp_path / "entrypoint.sh").chmod(0o755)
    if key is not None:
        (tmp_path / "key").write_text(key + "\n")
    text = script("qdrant").replace("/run/secrets/EREN_QDRANT_API_KEY", str(tmp_path / "key"))
    done = subprocess.run(
        ["sh", "-c", text], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == status
    assert done.stdout == ("key=the key\n" if status == 0 else "")


@contextmanager
def answering(status: int) -> Iterator[int]:
    """A server that answers everything so; gives its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def commands() -> dict[str, tuple[list[str], str]]:
    """Health checks that talk to a server: the command, and the address in it."""
    [in_image] = re.findall(r"^\s+CMD (\[.*\])", DOCKERFILE, re.MULTILINE)
    qdrant = SERVICES["qdrant"]["healthcheck"]["test"][1:]
    return {
        "bot": (json.loads(in_image), "127.0.0.1:9464"),
        "qdrant": (qdrant, "127.0.0.1/6333"),
    }


@pytest.mark.parametrize("name", ["bot", "qdrant"])
@pytest.mark.parametrize(("status", "well"), [(200, True), (503, False)])
def test_a_health_check_tells_well_from_ill(name: str, status: int, well: bool):
    command, address = commands()[name]
    assert any(address in part for part in command)
    with answering(status) as port:
        there = re.sub(r"\d+$", str(port), address)
        command = [part.replace(address, there) for part in command]
        command[0] = {"python": sys.executable}.get(command[0], command[0])
        done = subprocess.run(command, capture_output=True, timeout=20, check=False)
    assert (done.returncode == 0) == well, done.stderr
    assert str(Settings().health_port) in commands()["bot"][1]


def test_the_dockerfile_passes_the_linter():
    linter = Path(sys.executable).parent / "hadolint"
    done = subprocess.run(
        [linter, ROOT / "bot" / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("", 0)


def test_the_image_installs_by_hash_and_without_a_cuda_build():
    assert "--require-hashes -r requirements.lock" in DOCKERFILE
    assert "grep '^torch==' constraints.txt" in DOCKERFILE
    assert "whl/cpu" in DOCKERFILE
    assert DOCKERFILE.count("FROM ") == 2


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_the_unit_is_sound_and_confined(tmp_path: Path):
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/eren/bin/python", sys.executable))
    sound = subprocess.run(
        ["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False
    )
    assert (sound.returncode, sound.stderr) == (0, "")
    # Of 100, where 0 is entirely confined.
    confined = ["systemd-analyze", "security", "--offline=yes", "--threshold=20", str(unit)]
    done = subprocess.run(confined, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-500:]
