"""The bot as the image runs it: from its wheel, without privileges, with one folder to write to."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.bot import loopback
from tests.bot.loopback import ROOT, Discord, free_port
from tests.endpoint import Endpoint, Reply

MODERATOR, MEMBER = "9001", "5001"
# In a mount namespace of its own: everything read-only but the folder and an empty one for temporary
# files, which torch insists on; and no capability left.
CONFINED = """\
mount --bind "$0" "$0" && mount -t tmpfs tmpfs /var/tmp && mount -o remount,bind,ro / &&
exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""
FERRY = "The Fenlake Ferry leaves at noon."


@pytest_asyncio.fixture
async def discord() -> AsyncIterator[Discord]:
    async with loopback.serve() as running:
        yield running


@pytest.fixture
def place() -> Iterator[Path]:
    """Not below pytest's own folder, which nobody else may enter."""
    with tempfile.TemporaryDirectory(prefix="eren-installed-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def installed(place: Path) -> Path:
    """What pip makes of the wheel, and nothing of the source tree."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", place / "dist"],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    [wheel] = (place / "dist").iterdir()
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target",
         place / "site", wheel],
        check=True, capture_output=True,
    )  # fmt: skip
    return place / "site"


def confined(home: Path) -> list[str]:
    """What to put before a command so that it can write to `home` alone; nothing where that is refused."""
    for namespace in (["--mount"], ["--user", "--map-root-user", "--mount"]):
        before = ["unshare", *namespace, "sh", "-c", CONFINED, str(home)]
        with suppress(OSError):
            if subprocess.run([*before, "true"], capture_output=True, check=False).returncode:
                continue
            for folder, refused in ((home, False), (home.parent, True), (ROOT, True)):
                tried = subprocess.run(
                    [*before, "touch", folder / "tried"], capture_output=True, check=False
                )
                assert bool(tried.returncode) == refused, folder
            (home / "tried").unlink()
            return before
    return []


async def test_the_wheel_runs_where_nothing_but_its_data_folder_can_be_written(
    discord: Discord, endpoint: Endpoint, place: Path, installed: Path
):
    endpoint.when("Note: " + FERRY, Reply("yes: at noon", 0.99))
    home, hook, secrets, port = place / "data", place / "hook", place / "secrets", free_port()
    for folder in (home, hook, secrets):
        folder.mkdir()
    (hook / "sitecustomize.py").write_text(loopback._ELSEWHERE)
    (secrets / "DISCORD_TOKEN").write_text("token of the test\n")
    environment = {  # No HOME, and no more of the path than the image has.
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": f"{hook}{os.pathsep}{installed}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TEST_DISCORD": discord.url,
        "EREN_HOME": str(home),
        "EREN_SECRETS_DIR": str(secrets),
        "EREN_HEALTH_PORT": str(port),
        "EREN_LOG_FORMAT": "json",
        "EREN_MODEL": "scripted",
        "OPENAI_BASE_URL": endpoint.url,
    }
    with (place / "log.txt").open("wb") as log:
        child = await asyncio.create_subprocess_exec(
            *confined(home), sys.executable, "-m", "bot",
            cwd="/", env=environment, umask=0o077, stderr=log,
        )  # fmt: skip
    try:
        async with asyncio.timeout(60):
            while not discord.ready.is_set() and child.returncode is None:
                await asyncio.sleep(0.1)
            assert child.returncode is None, (place / "log.txt").read_text()
            await added_and_asked(discord)
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as probe:
                while (await probe.get("/readyz")).status != 200:
                    await asyncio.sleep(0.1)
            child.send_signal(signal.SIGTERM)
            await child.wait()
    except TimeoutError:
        pytest.fail((place / "log.txt").read_text())
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    said = (place / "log.txt").read_text()
    assert child.returncode == 0, said
    assert all(json.loads(line)["level"] == "INFO" for line in said.splitlines())
    assert {"notebook.db", "index"} <= {one.name for one in home.iterdir()}
    assert all(one.stat().st_mode & 0o077 == 0 for one in home.rglob("*"))


async def added_and_asked(discord: Discord) -> None:
    added = await discord.slash(MODERATOR, "note add", text=FERRY)
    while "Added **#1**" not in str(discord.answer_to(added)):
        await asyncio.sleep(0.1)
    asked = await discord.slash(MEMBER, "ask", question="When does the Fenlake Ferry leave?")
    while not str(discord.answer_to(asked)).startswith("at noon"):
        await asyncio.sleep(0.1)


def test_the_wheel_has_everything_that_is_not_code(installed: Path):
    here = {
        one.relative_to(ROOT).as_posix()
        for package in ("bot", "eren_memory")
        for one in (ROOT / package).rglob("*")
        if one.suffix in {".py", ".toml", ".json"}
    }
    there = {one.relative_to(installed).as_posix() for one in installed.rglob("*")}
    assert here <= there
