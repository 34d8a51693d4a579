"""Settings that say more than one thing, read from their text. Errors end our sentence about the setting."""

from __future__ import annotations

import math
import re


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
