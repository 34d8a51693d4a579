"""Many notes about one thing: which of them speaks of what is asked.

Most of each is the name that they share with the question, so the nearest is hardly more than any of
them. They are compared again with "this thing" in the place of what they share: "Who made the ferry
Aurora?" is then "who made this thing", and "this thing was built by Voss" nearer to it than "a song
about this thing is from 1970".
"""

from __future__ import annotations

from collections.abc import Sequence

from eren_memory.domain import Candidate
from eren_memory.strategies.base import Asking
from eren_memory.wording import has_names, named, residues

_THING = "this thing"
# Notes from which on they are a crowd; with fewer, the nearest is the right one.
_CROWD = 3
# Notes that are looked at where all that were found are of the crowd: it may go on behind them.
_LOOKED_AT = 50
# How much nearness apart from the name counts beside the whole one (docs/decisions.md).
_WEIGHT = 1.6


async def sorted_out(
    question: str, candidates: Sequence[Candidate], asking: Asking
) -> Sequence[Candidate]:
    """The candidates, a crowd around the first one in the order in which it speaks of what is asked.

    Costs no model call; where there is no crowd, nothing.
    """
    if not has_names(question):
        return candidates
    crowd = _about_the_same(question, candidates)
    if len(crowd) < _CROWD:
        return candidates
    if len(crowd) == len(candidates):
        candidates = await asking.search(question, _LOOKED_AT) or candidates
        crowd = _about_the_same(question, candidates)
    pairs = [residues(question, one.note.text, instead=_THING) for one in crowd]
    nearness = await asking.nearness(pairs)
    score = {
        one.note.id: one.dense + _WEIGHT * near for one, near in zip(crowd, nearness, strict=True)
    }
    first = sorted(crowd, key=lambda one: score[one.note.id], reverse=True)
    return [*first, *(one for one in candidates if one.note.id not in score)]


def _about_the_same(question: str, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that have as many of the question's names as the first one."""
    shared = named(question, candidates[0].note.text)
    return [one for one in candidates if shared and named(question, one.note.text) >= shared]
