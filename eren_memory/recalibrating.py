"""Thresholds for another embedding space: the ones there are, or the old ones carried over."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from eren_memory import calibrations as kept
from eren_memory.calibrations import Calibrations, Key
from eren_memory.carrying import CARRIED, Pair, agreement, carried, enough
from eren_memory.relevance import DEFAULT, Calibration, Task


async def recalibrate(
    every: Sequence[Calibrations],
    own: Path,
    before: str,
    after: str,
    pairs: Sequence[Pair],
    now: datetime,
) -> tuple[str, float | None]:
    """Have thresholds for a space, without asking a model.

    What was fitted for it, by us or by the operator, is used as it is. Otherwise that of the space
    before is carried over into the operator's file, and says so.

    Args:
        every: The calibrations of each chat model, the main one's first.
        own: The operator's file.
        before: The space that they are carried over from.
        after: The space that they are for.
        pairs: Seen in both.
        now: The time.

    Returns:
        Where the main model's thresholds come from, and the agreement of both spaces if they were
        carried over.
    """
    made: dict[Key, Calibration] = {}
    agreed, said = None, "its own"
    source = f"{before} by {len(pairs)} pairs, {now:%Y-%m-%d}"
    for calibrations in every:
        old, new = calibrations.of(before), calibrations.of(after)
        for task, logprobs in ((task, given) for task in Task for given in (True, False)):
            known = new.known(task, logprobs=logprobs)
            if known and known.fitted and not known.fitted.startswith(CARRIED):
                continue
            was = old.known(task, logprobs=logprobs)
            if was is None and not logprobs:
                continue  # The one with log-probabilities stands for both.
            if not enough(pairs):
                said = "uncalibrated: there are too few notes to carry it over"
                continue
            was = was or DEFAULT
            carried_over = made[new.key(task, logprobs=logprobs)] = carried(was, pairs, source)
            if calibrations is every[0] and task is Task.QUESTION and logprobs:
                agreed = agreement(was, carried_over, pairs)
                said = carried_over.fitted or "uncalibrated, as before: the defaults, carried over"
    if made:
        await asyncio.to_thread(kept.write, own, made)
    return said, agreed
