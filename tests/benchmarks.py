"""Small benchmark files of every form, all invented, and a scripted model that reads notes rightly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eren_memory import calibrations
from eren_memory.app import own_calibrations
from eren_memory.calibrations import Key
from eren_memory.config import Settings
from eren_memory.projection import Progress
from eren_memory.prompts import PROMPT_VERSION
from eren_memory.relevance import Calibration, Task, Weights
from tests.endpoint import Reply

NAMES = ["Ann", "Bob", "Cid", "Dee", "Eve", "Fay"]


def entries() -> list[dict[str, Any]]:
    """Of CounterFact-Hard's form."""
    return [
        {
            "id": number,
            "edit_statement": f"{name} does play the harp{number}.",
            "subject_name": name,
            "edit_scope": [
                [f"What does {name} play?", f"harp{number}"],
                [f"What does {name} play?", f"harp{number}"],
                [f"What instrument does {name} play?", f"harp{number}"],
            ],
            "unrelated": {
                "same_subj": [f"Where does {name} live?"],
                "neighbor_subj": [f"What does Zoe{number} play?", "What does Ann play?"],
            },
        }
        for number, name in enumerate(NAMES)
    ]


def claims() -> list[dict[str, Any]]:
    """Of FEVER's form."""
    return [
        {
            "id": number,
            "edit_statement": f"The lake{number} froze.",
            "edit_scope": [
                [f"The lake{number} froze.", "yes"],
                [f"The lake{number} was frozen over.", "yes"],
                [f"The lake{number} never froze.", "no"],
            ],
            "edit_scope_true_ans": ["yes"] * 3,
        }
        for number in range(6)
    ]


def several() -> list[dict[str, Any]]:
    """Of HotpotQA's form: bridges, and one comparison with a yes."""
    made = [
        {
            "id": f"h{number}",
            "type": "bridge",
            "edit_statement": [
                f"Lake {number} is fed by the Brook{number}.",
                f"The Brook{number} begins in the Vale{number}.",
            ],
            "edit_scope": [
                [f"Where does the river that feeds lake {number} begin?", f"Vale{number}"]
            ],
            "edit_scope_true_ans": [f"Vale{number}"],
        }
        for number in range(6)
    ]
    made[5]["edit_scope"] = [["Are lake 5 and its river long?", "yes"]]
    return made


def write(path: Path, made: list[dict[str, Any]]) -> Path:
    path.write_text(json.dumps(made))
    return path


def read_notes(asked: dict[str, Any]) -> Reply:
    """Answer from the note whose subject the question names; for the prompts with notes."""
    shown, _, question = asked["messages"][-1]["content"].partition("\nQuestion: ")
    name = question.rstrip("?").split()[-2]
    for note in shown.split("\n"):
        # Whatever name stands there: ours hides it from the model.
        if "play" in question and note.startswith(f"Note: {name} does play"):
            return Reply(f"yes: the {note.split()[-1].rstrip('.')}", probability=0.99)
    return Reply("no", probability=0.99)


def calibrated(settings: Settings) -> Settings:
    """Have the scripted model believed, and everything that shares a word read."""
    made = Calibration(Weights(0.0, 1.0, 0.0), Weights(-10.0, 0.0, 20.0), gate=0.1, doubtful=0.0)
    keys = [Key("scripted", "hashed-words", PROMPT_VERSION, True, task) for task in Task]
    calibrations.write(own_calibrations(settings), dict.fromkeys(keys, made))
    return settings


def quiet(_done: int, _total: int) -> None:
    """No progress bar."""


@contextmanager
def no_bar(_title: str) -> Iterator[Progress]:
    """In the place of a command line's bar."""
    yield quiet
