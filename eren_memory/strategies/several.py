"""Questions that no note answers alone: which two do, and what the model reads in both.

*Divided* questions name two things, and no note has both ("Which is older, the ferry or the bridge?").
*Bridge* questions name one, and ask about something that its note names ("Where is the company that
built the ferry?"): a second search, for the question with the first note, finds the other. Any note about
a property of the wrong kind has such a neighbour ("Where is X?" beside "X is owned by Y" and "Y owns Z"),
which is why less is believed of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eren_memory.domain import Candidate
from eren_memory.prompts import reading
from eren_memory.relevance import NOT_COPIED
from eren_memory.strategies.base import Asking
from eren_memory.strategies.quoting import quotes, voiced
from eren_memory.strategies.testimony import says_yes
from eren_memory.verdicts import parse_reading
from eren_memory.wording import linked, named

# Candidates among which the other note is looked for.
_LOOKED_AT = 8
_READ_CHARACTERS = 4_000
_READING_TOKENS = 96

Pair = tuple[Candidate, Candidate]


@dataclass(frozen=True, slots=True)
class Joint:
    """What reading two notes together brought: the probability that they answer, and what they do."""

    verdict: float
    answer: str | None


def divided(question: str, candidates: Sequence[Candidate]) -> Pair | None:
    """The best note and one that has names of the question which the best one lacks."""
    best, *others = candidates[:_LOOKED_AT]
    alone = named(question, best.note.text)
    if alone == 1:
        return None
    for other in others:
        both = named(question, best.note.text, other.note.text)
        # Each has something of its own; else one of them would do.
        if both > max(alone, named(question, other.note.text)) and _fit(best, other):
            return best, other
    return None


async def bridged(question: str, best: Candidate, asking: Asking) -> Pair | None:
    """The best note and the one that goes on from it; costs a search, no model call."""
    if named(question, best.note.text) < 1 or best.note.text.strip() == question.strip():
        return None
    for other in (await asking.search(f"{question} {best.note.text}"))[:_LOOKED_AT]:
        if other.note.id != best.note.id and linked(question, best.note.text, other.note.text):
            return (best, other) if _fit(best, other) else None
    return None


async def read_jointly(question: str, pair: Pair, asking: Asking) -> Joint:
    """Read both notes as they stand, in one call."""
    texts = [one.note.text for one in pair]
    reply = await asking.complete(
        reading(texts, question), max_tokens=_READING_TOKENS, logprobs=True
    )
    answer = parse_reading(reply.text).answer
    verdict = says_yes(reply)
    source = next((text for text in texts if answer and quotes(answer, text)), None)
    if answer is None or source is None or reply.cut:
        return Joint(min(verdict, NOT_COPIED), None)
    return Joint(verdict, voiced(answer, source))


def _fit(*pair: Candidate) -> bool:
    return sum(len(one.note.text) for one in pair) <= _READ_CHARACTERS
