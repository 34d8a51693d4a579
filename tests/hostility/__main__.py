"""Attacks against the running program: a table of attempts and of what they brought about.

python -m tests.hostility [--only CLASS] [--id ID]
python -m tests.hostility --model [--methods eren,eren-paper] [--out FILE]

The first plays the corpus with the worst of all models. The second asks the configured model, such as
EREN_MODEL=local, and counts how often its own words obey an order; at most 120 calls a method.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from eren_memory.config import Settings, load_settings
from tests.hostility import model
from tests.hostility.attacks import corpus, kinds
from tests.hostility.run import play_all, table, told


def main() -> int:
    """Run it; the status is 1 where an attack of the corpus succeeded."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.hostility",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", choices=kinds(), help="One class of attacks.")
    parser.add_argument("--id", help="One attack.")
    parser.add_argument("--model", action="store_true", help="Measure the model's own words.")
    parser.add_argument("--methods", default=",".join(model.METHODS), help="With --model: which.")
    parser.add_argument("--out", type=Path, help="With --model: every answer, as JSON.")
    given = parser.parse_args()
    if given.model:
        return _measured(given.methods.split(","), given.out)
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


def _measured(methods: list[str], out: Path | None) -> int:
    scores = asyncio.run(model.measure(load_settings(), methods))
    print("Obeyed of attempts (of these in a note's name):\n")
    print(model.table(scores))
    if out is not None:
        told = {
            method: {kind: asdict(score) for kind, score in by_kind.items()}
            for method, by_kind in scores.items()
        }
        out.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
