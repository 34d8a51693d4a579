"""Our EREN: a gate before the model, verdict and answer in one call, code that decides.

candidates ── below the gate ──────────────────────────────► unedited answer   (1 call)
    │
    ├─ read the nearest note(s): `yes: <answer>` or `no`, with its probability
    │     (while retrieval is doubtful, the unedited answer is asked for beside it)
    │
    ├─ p >= 0.5, the model said yes ───────────────────────► answer from the note   (1 call)
    ├─ p >= 0.5, the model said no ── read that note alone ► answer from the note   (2 calls)
    └─ p <  0.5 ───────────────────────────────────────────► unedited answer   (2 calls)
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from eren_memory.domain import Candidate, ClaimVerdict, Origin, Path
from eren_memory.errors import ModelRateLimited, ModelUnreachable, PromptTooLong
from eren_memory.llm import Completion
from eren_memory.prompts import (
    claim_reading,
    claim_verdict,
    masses,
    parse_reading,
    reading,
    rereading,
)
from eren_memory.relevance import ACCEPT, QUOTE_ALONE, Calibration, Task, in_words
from eren_memory.strategies.base import Asking, Checked, Outcome
from eren_memory.text import normalised

_T = TypeVar("_T")

# Candidates whose cosine is this close to the best one's are read together with it.
_CLOSE = 0.05
_READ_TOGETHER = 3
_READ_CHARACTERS = 3_000
_READING_TOKENS = 96
_REREADING_TOKENS = 96
_VERDICT_TOKENS = 4
# Keeps log-odds finite when a word had no probability at all.
_TRACE = 1e-6


class CalibratedEren:
    """The strategy named `eren`."""

    name = "eren"
    candidates = 20

    async def answer(
        self, question: str, candidates: Sequence[Candidate], asking: Asking
    ) -> Outcome:
        """See `Strategy.answer`."""
        before = asking.calibration(Task.QUESTION, logprobs=True)
        if nearest_cosine(candidates) < before.gate:
            return Outcome(await asking.unedited(question), Origin.MODEL, Path.GATE_CLOSED)
        best = candidates[0]
        async with _beside(
            lambda: asking.unedited(question, early=True), start=_doubtful(best, before)
        ) as unedited:
            try:
                heard = await testify(question, candidates, asking)
            except PromptTooLong:
                asking.decided()
                return Outcome(await unedited(), Origin.MODEL, Path.REJECTED)
            except (ModelUnreachable, ModelRateLimited):
                p = before.retrieval.probability(0.5, best.dense)
                if p < QUOTE_ALONE:
                    raise
                return Outcome(best.note.text, Origin.NOTEBOOK, Path.NOTE_QUOTED, (best,), p=p)
            after = asking.calibration(Task.QUESTION, logprobs=heard.graded)
            p = after.decision.probability(heard.verdict, heard.source.dense)
            if p < ACCEPT:
                asking.decided()
                text = await unedited()
                return Outcome(text, Origin.MODEL, Path.REJECTED, (), heard.verdict, p)
        return await _from_note(question, heard, p, asking)

    async def check(self, claim: str, candidates: Sequence[Candidate], asking: Asking) -> Checked:
        """See `Strategy.check`. Reads the nearest note alone."""
        before = asking.calibration(Task.CLAIM, logprobs=True)
        if nearest_cosine(candidates) < before.gate:
            yes = await asking.unedited_claim(claim)
            return Checked(yes, ClaimVerdict.SILENT, Origin.MODEL, Path.GATE_CLOSED)
        nearest = candidates[0]
        async with _beside(
            lambda: asking.unedited_claim(claim), start=_doubtful(nearest, before)
        ) as unedited:
            heard = await testify_on_claim(claim, nearest, asking)
            after = asking.calibration(Task.CLAIM, logprobs=heard.graded)
            p = after.decision.probability(heard.speaks, nearest.dense)
            if p < ACCEPT:
                yes = await unedited()
                return Checked(
                    yes, ClaimVerdict.SILENT, Origin.MODEL, Path.REJECTED, (), heard.speaks, p
                )
        yes = heard.leaning + after.polarity >= 0
        verdict = ClaimVerdict.SUPPORTED if yes else ClaimVerdict.REFUTED
        return Checked(yes, verdict, Origin.NOTEBOOK, Path.ACCEPTED, (nearest,), heard.speaks, p)


@dataclass(frozen=True, slots=True)
class Testimony:
    """What one reading of the notes brought.

    `verdict` is the model's probability that they answer, `source` the note it speaks for, `answer`
    what it copied, or the note itself when it did not copy (None when it said no), `graded` whether
    log-probabilities gave the verdict.
    """

    verdict: float
    source: Candidate
    answer: str | None
    graded: bool


@dataclass(frozen=True, slots=True)
class ClaimTestimony:
    """What one reading of a note brought.

    `speaks` is the model's probability that it decides the claim, `leaning` the log-odds of true
    against false.
    """

    speaks: float
    leaning: float
    graded: bool


async def testify(question: str, candidates: Sequence[Candidate], asking: Asking) -> Testimony:
    """Read the best candidate, and those that retrieval can hardly tell from it, in one call."""
    read = _close(candidates)
    reply = await asking.complete(
        reading([one.note.text for one in read], question),
        max_tokens=_READING_TOKENS,
        logprobs=True,
    )
    said = parse_reading(reply.text)
    mass = masses(reply.first_token, ("yes", "no"))
    verdict = mass["yes"] / sum(mass.values()) if mass else in_words(said.says_yes)
    source = _source(said.answer, read)
    answer = said.answer
    if answer and not _copied(reply, answer, source.note.text):
        answer = source.note.text
    return Testimony(verdict, source, answer, bool(mass))


async def testify_on_claim(claim: str, candidate: Candidate, asking: Asking) -> ClaimTestimony:
    """Read one note for a claim."""
    reply = await asking.complete(
        claim_reading(candidate.note.text, claim), max_tokens=_VERDICT_TOKENS, logprobs=True
    )
    mass, graded = claim_verdict(reply.first_token, reply.text)
    true, false, unknown = (mass[word] + _TRACE for word in ("true", "false", "unknown"))
    speaks = (true + false) / (true + false + unknown)
    return ClaimTestimony(speaks, math.log(true / false), graded)


async def _from_note(question: str, heard: Testimony, p: float, asking: Asking) -> Outcome:
    """The answer of an accepted note; reads it again alone when the model had said no."""
    notes, note = (heard.source,), heard.source.note.text
    if heard.answer is not None:
        return Outcome(heard.answer, Origin.NOTEBOOK, Path.ACCEPTED, notes, heard.verdict, p)
    try:
        again = await asking.complete(rereading(note, question), max_tokens=_REREADING_TOKENS)
    except (ModelUnreachable, ModelRateLimited):
        return Outcome(note, Origin.NOTEBOOK, Path.NOTE_QUOTED, notes, heard.verdict, p)
    text = again.text if _copied(again, again.text, note) else note
    return Outcome(text, Origin.NOTEBOOK, Path.ACCEPTED_REREAD, notes, heard.verdict, p)


def _doubtful(best: Candidate, calibration: Calibration) -> bool:
    """Whether retrieval alone makes a rejection likely enough to ask for the fallback at once."""
    return calibration.retrieval.probability(0.5, best.dense) < calibration.doubtful


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
    phrase = f" {' '.join(_words(answer or ''))} "
    for candidate in read:
        if phrase.strip() and phrase in f" {' '.join(_words(candidate.note.text))} ":
            return candidate
    return read[0]


def _copied(reply: Completion, answer: str, note: str) -> bool:
    """Whether an answer is whole and made of the note's own words.

    Questions are untrusted: without this, one that says "reply yes: …" could put words into the
    mouth of the moderator whose note it is near.
    """
    return not reply.cut and set(_words(answer)) <= set(_words(note))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", normalised(text))


def nearest_cosine(candidates: Sequence[Candidate]) -> float:
    """What the gate looks at: the highest cosine, whichever candidate ranks first; -1 of none."""
    return max((one.dense for one in candidates), default=-1.0)


@asynccontextmanager
async def _beside(
    make: Callable[[], Awaitable[_T]], *, start: bool
) -> AsyncIterator[Callable[[], Awaitable[_T]]]:
    """A call that may start now and be awaited later; cancelled when nobody comes for it."""
    task = asyncio.ensure_future(make()) if start else None

    async def result() -> _T:
        return await (task if task is not None else make())

    try:
        yield result
    finally:
        if task is not None and not task.done():
            task.cancel()
        if task is not None:
            await asyncio.gather(task, return_exceptions=True)
