"""Settings that say more than one thing, read from their text. Errors end our sentence about the setting."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum

from eren_memory.errors import BadInput


class AtLimit(StrEnum):
    """What is done when a budget is used up."""

    NOTES_ONLY = "notes-only"
    """A note that is sure to answer is quoted; the model is not called."""
    CHEAPER = "cheaper"
    """Another model answers."""
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Instead:
    """What is done at the limit; `model` is the one that answers then, where one does."""

    way: AtLimit = AtLimit.NOTES_ONLY
    model: str | None = None

    def __str__(self) -> str:
        return f"{self.way}:{self.model}" if self.model else str(self.way)

    @classmethod
    def parse(cls, text: str) -> Instead:
        """From `notes-only`, `refuse` or `cheaper:MODEL`. Raises `BadInput`."""
        way, _, model = text.strip().partition(":")
        if way == AtLimit.CHEAPER and model.strip():
            return cls(AtLimit.CHEAPER, model.strip())
        if not model and way in (AtLimit.NOTES_ONLY, AtLimit.REFUSE):
            return cls(AtLimit(way))
        raise BadInput("write notes-only, refuse or cheaper:MODEL")


def prices(text: str) -> dict[str, tuple[float, float]]:
    """Of `MODEL=PROMPT/COMPLETION`, with commas between. Raises `ValueError` with the cure."""
    try:
        pairs = [one.rsplit("=", 1) for one in text.split(",") if one.strip()]
        return {name.strip(): _price(price) for name, price in pairs}
    except ValueError:
        raise ValueError("write MODEL=PROMPT/COMPLETION, such as gpt-4.1-mini=0.40/1.60") from None


def _price(text: str) -> tuple[float, float]:
    prompt, completion = map(float, text.split("/"))
    if not (0 <= prompt < math.inf and 0 <= completion < math.inf):
        raise ValueError(text)
    return prompt, completion


def shards(text: str, count: int) -> set[int]:
    """The shards that `0-3,7` names. Raises `ValueError` with the cure."""
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,5})\s*(?:-\s*(\d{1,5})\s*)?", part, re.ASCII)
        if match is None:
            raise ValueError("write the numbers of this process's shards, such as 0-3 or 0,2")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise ValueError(f"{first}-{last} is empty; write {last}-{first}")
        if last >= count:
            raise ValueError(
                f"there is no shard {last}: with EREN_SHARD_COUNT={count} they are 0 to {count - 1}"
            )
        found.update(range(first, last + 1))
    return found
