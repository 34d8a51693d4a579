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
# As near as this to the nearest, by cosine; what speaks of something else is further off.
_CLOSE = 0.1
# How much nearness apart from the name counts beside the whole one (docs/decisions.md).
_WEIGHT = 2.0


async def sorted_out(
    question: str, candidates: Sequence[Candidate], asking: Asking
) -> Sequence[Candidate]:
    """The candidates, a crowd around the first one in the order in which it speaks of what is asked.

    Costs no model call; where there is no crowd, nothing.
    """
    crowd = _about_the_same(question, candidates)
    if len(crowd) < _CROWD:
        return candidates
    pairs = [residues(question, one.note.text, instead=_THING) for one in crowd]
    score = {
        one.note.id: one.dense + _WEIGHT * near
        for one, near in zip(crowd, await asking.nearness(pairs), strict=True)
    }
    first = sorted(crowd, key=lambda one: score[one.note.id], reverse=True)
    return [*first, *(one for one in candidates if one.note.id not in score)]


def _about_the_same(question: str, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that are about as near as the nearest and have as many of the question's names as the first."""
    shared = named(question, candidates[0].note.text) if has_names(question) else 0
    least = max(one.dense for one in candidates) - _CLOSE
    return [
        one
        for one in candidates
        if shared and one.dense >= least and named(question, one.note.text) >= shared
    ]
