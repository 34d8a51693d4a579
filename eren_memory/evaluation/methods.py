"""The methods that can be compared: ours, the published ones, and anybody's own class."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from eren_memory.errors import BadInput
from eren_memory.evaluation.datasets import Edit
from eren_memory.strategies import STRATEGIES, Strategy
from eren_memory.strategies.oracle import OracleNote
from eren_memory.text import question_text

NAMES = (*STRATEGIES, OracleNote.name)
"""The methods that come with this package."""


def chosen(given: str) -> dict[str, Strategy]:
    """Methods by name, from names with commas between; `package.module:Class` is one's own.

    A class of one's own has what `strategies.Strategy` asks for and is made without arguments. Modules
    are looked for in the working directory too.

    Raises:
        BadInput: A name is unknown or comes twice, or a class cannot be used; the cure is named.
    """
    found: dict[str, Strategy] = {}
    for one in (part.strip() for part in given.split(",")):
        if not one:
            continue
        if ":" in one:
            strategy = _own(one)
        elif one == OracleNote.name:
            strategy = OracleNote({})
        elif one in STRATEGIES:
            strategy = STRATEGIES[one]
        else:
            raise BadInput(
                f"{one} is not one of {', '.join(NAMES)}, nor package.module:Class of your own."
            )
        if strategy.name in found or (":" in one and strategy.name in NAMES):
            raise BadInput(
                f"There are two methods {strategy.name}: every method needs its own name."
            )
        found[strategy.name] = strategy
    if not found:
        raise BadInput(f"No method is named. Choose some of {', '.join(NAMES)}.")
    return found


def knowing(strategies: Mapping[str, Strategy], edits: Sequence[Edit]) -> dict[str, Strategy]:
    """The same methods; the oracle among them knows which questions are in scope of these edits."""
    notes: dict[str, Sequence[str]] = {}
    for edit in edits:
        for case in edit.scope:
            notes.setdefault(question_text(case.text), edit.statements)
    return {
        name: OracleNote(notes) if name == OracleNote.name else strategy
        for name, strategy in strategies.items()
    }


def _own(given: str) -> Strategy:
    module_name, _, class_name = given.partition(":")
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
        made = getattr(module, class_name)()
    except ModuleNotFoundError as error:
        raise BadInput(f"{given}: there is no module {error.name}.") from error
    except Exception as error:
        raise BadInput(f"{given} cannot be made: {type(error).__name__}: {error}.") from error
    finally:
        sys.path.remove(here)
    if missing := [
        name for name in ("name", "candidates", "answer", "check") if not hasattr(made, name)
    ]:
        raise BadInput(
            f"{given} is no method: it has no {', '.join(missing)}. See docs/research.md."
        )
    strategy: Strategy = made
    return strategy
