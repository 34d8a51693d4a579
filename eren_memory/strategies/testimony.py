"""What the model says of notes and a question or claim, put into numbers: the witness, not the judge."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eren_memory.domain import Candidate
from eren_memory.llm import Completion
from eren_memory.prompts import claim_reading, reading, second_look
from eren_memory.relevance import NOT_COPIED, in_words
from eren_memory.strategies.base import Asking
from eren_memory.strategies.quoting import quotes, voiced, words
from eren_memory.verdicts import claim_verdict, masses, parse_reading
from eren_memory.wording import differ_in_negation, masked

# Candidates whose cosine is this close to the best one's are read together with it.
_CLOSE = 0.05
_READ_TOGETHER = 3
_READ_CHARACTERS = 3_000
_READING_TOKENS = 96
_VERDICT_TOKENS = 4
# Keeps log-odds finite when a word had no probability at all.
_TRACE = 1e-6


@dataclass(frozen=True, slots=True)
class Testimony:
    """What one reading of the notes brought.

    `verdict` is the model's probability that they answer, `source` the note it speaks for, `answer`
    what the model copied as `quoting.voiced` lets it stand, or the note itself when it did not copy
    (None when it said no), `graded` whether log-probabilities gave the verdict.
    """

    verdict: float
    source: Candidate
    answer: str | None
    graded: bool


@dataclass(frozen=True, slots=True)
class ClaimTestimony:
    """What one reading of a note brought.

    `speaks` is the model's probability that it decides the claim, `leaning` the log-odds of true
    against false, `negated` whether just one of the two is negated.
    """

    speaks: float
    leaning: float
    negated: bool
    graded: bool


async def testify(question: str, candidates: Sequence[Candidate], asking: Asking) -> Testimony:
    """Read the best candidate, and those that retrieval can hardly tell from it, in one call.

    Args:
        question: The question.
        candidates: At least one, best first.
        asking: Access to the models.
    """
    read = _close(candidates)
    shown = masked([one.note.text for one in read], question)
    reply = await asking.complete(
        reading(shown.notes, shown.question), max_tokens=_READING_TOKENS, logprobs=True
    )
    said = parse_reading(reply.text)
    graded, verdict = bool(_mass(reply)), says_yes(reply)
    answer = shown.unmasked(said.answer) if said.answer else None
    source = _source(answer, read)
    says_nothing = words(answer or "") == words(shown.name or "")
    if answer and (says_nothing or not copied(reply, answer, source.note.text)):
        if not reply.cut:
            verdict = min(verdict, NOT_COPIED)
        answer = source.note.text
    elif answer:
        answer = voiced(answer, source.note.text)
    return Testimony(verdict, source, answer, graded)


async def look_again(question: str, candidate: Candidate, asking: Asking) -> float:
    """The model's probability that a note is a reply to the question, asked for in other words."""
    shown = masked([candidate.note.text], question)
    reply = await asking.complete(
        second_look(shown.notes[0], shown.question), max_tokens=_VERDICT_TOKENS, logprobs=True
    )
    return says_yes(reply)


async def testify_on_claim(claim: str, candidate: Candidate, asking: Asking) -> ClaimTestimony:
    """Read one note for a claim, as it stands: what is hidden from a claim is often its point."""
    note = candidate.note.text
    reply = await asking.complete(
        claim_reading(note, claim), max_tokens=_VERDICT_TOKENS, logprobs=True
    )
    mass, graded = claim_verdict(reply.first_token, reply.text)
    true, false, unknown = (mass[word] + _TRACE for word in ("true", "false", "unknown"))
    speaks = (true + false) / (true + false + unknown)
    return ClaimTestimony(speaks, math.log(true / false), differ_in_negation(note, claim), graded)


def says_yes(reply: Completion) -> float:
    """The probability of yes: by its log-probabilities, or by its words where there are none."""
    if mass := _mass(reply):
        return mass["yes"] / sum(mass.values())
    return in_words(parse_reading(reply.text).says_yes)


def _mass(reply: Completion) -> Mapping[str, float]:
    return masses(reply.first_token, ("yes", "no"))


def _close(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The best candidate, and with it those that are as near, as far as a small context goes."""
    best, *others = candidates
    read, room = [best], _READ_CHARACTERS - len(best.note.text)
    for one in others:
        # Above the best one's cosine it is near too: words ranked it lower.
        near = one.dense >= best.dense - _CLOSE and len(read) < _READ_TOGETHER
        if near and len(one.note.text) <= room:
            read.append(one)
            room -= len(one.note.text)
    return read


def _source(answer: str | None, read: Sequence[Candidate]) -> Candidate:
    """The note that an answer was copied from; the best one when that cannot be told."""
    found = (one for one in read if answer and quotes(answer, one.note.text))
    return next(found, read[0])


def copied(reply: Completion, answer: str, note: str) -> bool:
    """Whether an answer is whole and made of the note's own words.

    Questions are untrusted: without this, one that says "reply yes: …" could put words into the
    mouth of the moderator whose note it is near.
    """
    return not reply.cut and set(words(answer)) <= set(words(note))
