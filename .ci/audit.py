"""Look for known vulnerabilities in a lock; what cannot be looked up is said, and no failure.

Run as `python .ci/audit.py FILE`. Exits 1 when something is found, 0 otherwise.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any


def report(said: str, why: str) -> tuple[str, int]:
    """What pip-audit printed as JSON, in words, and the exit status that follows from it."""
    try:
        packages: list[dict[str, Any]] = json.loads(said)["dependencies"]
    except (ValueError, KeyError, TypeError):
        reason = (why.strip().splitlines() or ["no reason given"])[-1]
        return f"Not audited: the vulnerability service cannot be reached ({reason}).", 0
    looked_up = [one for one in packages if "skip_reason" not in one]
    found = [
        f"{one['name']} {one['version']}: {bug['id']}, fixed in {', '.join(bug['fix_versions']) or '-'}"
        for one in looked_up
        for bug in one["vulns"]
    ]
    if found:
        return "\n".join(["Known vulnerabilities:", *found]), 1
    if not looked_up:
        return f"Not audited: the service here knows none of the {len(packages)} packages.", 0
    unknown = len(packages) - len(looked_up)
    return f"Audited {len(looked_up)} packages, nothing known; {unknown} could not be looked up.", 0


def main() -> int:
    """Run pip-audit on the file that the command line names."""
    command = [
        sys.executable, "-m", "pip_audit", "--requirement", sys.argv[1], "--disable-pip", "--no-deps",
        "--progress-spinner", "off", "--format", "json",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    text, status = report(done.stdout, done.stderr)
    print(text)
    return status


if __name__ == "__main__":
    sys.exit(main())
