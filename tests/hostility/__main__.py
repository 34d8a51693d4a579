"""`python -m tests.hostility`: the corpus against the running program, and a table of what it did."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile

from eren_memory.config import Settings
from tests.hostility.attacks import corpus, kinds
from tests.hostility.run import play_all, table, told


def main() -> int:
    """Run it; the status is 1 where an attack succeeded."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostility", description=__doc__)
    parser.add_argument("--only", choices=kinds(), help="One class of attacks.")
    parser.add_argument("--id", help="One attack.")
    given = parser.parse_args()
    for name in Settings.model_fields:
        os.environ.pop(f"EREN_{name.upper()}", None)
    attacks = [
        one for one in corpus() if given.only in (None, one.kind) and given.id in (None, one.id)
    ]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # Nothing of a .env here counts.
        tried = asyncio.run(play_all(attacks))
        os.chdir("/")
    print(table(tried))
    if failed := told(tried):
        print(f"\n{failed}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
