"""A decision whose outcome a test can foresee."""

from __future__ import annotations

from dataclasses import replace

from eren_memory import calibrations
from eren_memory.app import own_calibrations
from eren_memory.calibrations import Key
from eren_memory.config import Settings
from eren_memory.prompts import PROMPT_VERSION
from eren_memory.relevance import Calibration, Task, Weights

NOTE = "The Fenlake Ferry leaves at noon."
QUESTION = "When does the Fenlake Ferry leave?"
# Stands in every prompt that has the model read a note our way, whatever name is hidden.
READING = "Note: "
# Bag-of-words cosines: the question and its note are at 0.74, a stranger's question near 0.
CALIBRATION = Calibration(
    decision=Weights(-2.5, 1.0, 4.0), retrieval=Weights(-10.0, 0.0, 20.0), gate=0.5, doubtful=0.0
)


def calibrate(settings: Settings, **changes: object) -> None:
    """Have the scripted model's evidence weighed by `CALIBRATION` with these changes."""
    made = {
        Key("scripted", "hashed-words", PROMPT_VERSION, graded, task): replace(
            CALIBRATION,
            **changes,  # type: ignore[arg-type]
        )
        for graded in (True, False)
        for task in Task
    }
    calibrations.write(own_calibrations(settings), made)
