"""Our EREN: a gate before the model, verdict and answer in one call, code that decides.

candidates ── below the gate, or nothing in common but the name ──► unedited answer   (1 call)
    │
    ├─ two notes share the question's names ── both read together ► answer from both (1 call)
    ├─ many notes have the question's names ── sorted by what else they say
    ├─ read the nearest note(s), the shared name hidden: `yes: <answer>` or `no`, with its probability
    │     (while retrieval is doubtful, the unedited answer is asked for beside it)
    ├─ p neither here nor there ── a second verdict in other words, one call more
    │
    ├─ p >= 0.5, the model said yes ───────────────────────► answer from the note   (1 call)
    ├─ p >= 0.5, the model said no ── read that note alone ► answer from the note   (2 calls)
    └─ p <  0.5 ───────────────────────────────────────────► unedited answer   (2 calls)
          │  (where another note goes on from this one, both are read together first)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar

from eren_memory.domain import Candidate, ClaimVerdict, Origin, Path
from eren_memory.errors import ModelRateLimited, ModelUnreachable, PromptTooLong
from eren_memory.prompts import rereading
from eren_memory.relevance import (
    ACCEPT,
    CHAINED,
    QUOTE_ALONE,
    Calibration,
    SecondLook,
    Task,
    is_unsure,
)
from eren_memory.strategies.base import Asking, Checked, Outcome
from eren_memory.strategies.crowd import sorted_out
from eren_memory.strategies.quoting import voiced
from eren_memory.strategies.several import Pair, bridged, divided, read_jointly
from eren_memory.strategies.testimony import (
    Testimony,
    copied,
    look_again,
    testify,
    testify_on_claim,
)
from eren_memory.wording import masked

_T = TypeVar("_T")

_REREADING_TOKENS = 96


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
        pair = divided(question, candidates)
        both = pair and await _from_both(question, pair, ACCEPT, asking)
        return both or await self._from_nearest(question, candidates, before, asking)

    async def _from_nearest(
        self, question: str, candidates: Sequence[Candidate], before: Calibration, asking: Asking
    ) -> Outcome:
        candidates = await sorted_out(question, candidates, asking)
        best = candidates[0]
        overlap = await asking.overlap(question, best.note.text, before.likeness)
        believed = before.believed(best.dense, overlap)
        if believed < before.floor:
            return Outcome(await asking.unedited(question), Origin.MODEL, Path.GATE_CLOSED)
        async with _beside(
            lambda: asking.unedited(question, early=True), start=believed < before.doubtful
        ) as unedited:
            try:
                heard = await testify(question, candidates, asking)
            except PromptTooLong:
                asking.decided()
                return Outcome(await unedited(), Origin.MODEL, Path.REJECTED)
            except (ModelUnreachable, ModelRateLimited):
                if believed < QUOTE_ALONE:
                    raise
                text = best.note.text
                return Outcome(text, Origin.NOTEBOOK, Path.NOTE_QUOTED, (best,), p=believed)
            after = asking.calibration(Task.QUESTION, logprobs=heard.graded)
            if heard.source is not best:
                overlap = await asking.overlap(question, heard.source.note.text, before.likeness)
            p = after.decision.probability(heard.verdict, heard.source.dense, overlap)
            if after.second is not None and is_unsure(p):
                p = await _reconsidered(question, heard.source, p, after.second, asking)
            mark = asking.mark(Task.QUESTION, logprobs=heard.graded)
            if p < ACCEPT:
                pair = await bridged(question, heard.source, asking)
                if pair and (both := await _from_both(question, pair, CHAINED, asking)):
                    return both
                asking.decided()
                text = await unedited()
                return Outcome(text, Origin.MODEL, Path.REJECTED, (), heard.verdict, p, mark)
        return replace(await _from_note(question, heard, p, asking), mark=mark)

    async def check(self, claim: str, candidates: Sequence[Candidate], asking: Asking) -> Checked:
        """See `Strategy.check`. Reads the nearest note alone."""
        before = asking.calibration(Task.CLAIM, logprobs=True)
        if nearest_cosine(candidates) < before.gate:
            yes = await asking.unedited_claim(claim)
            return Checked(yes, ClaimVerdict.SILENT, Origin.MODEL, Path.GATE_CLOSED)
        nearest = candidates[0]
        overlap = await asking.overlap(claim, nearest.note.text, before.likeness)
        believed = before.believed(nearest.dense, overlap)
        if believed < before.floor:
            yes = await asking.unedited_claim(claim)
            return Checked(yes, ClaimVerdict.SILENT, Origin.MODEL, Path.GATE_CLOSED)
        async with _beside(
            lambda: asking.unedited_claim(claim), start=believed < before.doubtful
        ) as unedited:
            heard = await testify_on_claim(claim, nearest, asking)
            after = asking.calibration(Task.CLAIM, logprobs=heard.graded)
            p = after.decision.probability(heard.speaks, nearest.dense, overlap)
            mark = asking.mark(Task.CLAIM, logprobs=heard.graded)
            if p < ACCEPT:
                yes, silent = await unedited(), ClaimVerdict.SILENT
                return Checked(yes, silent, Origin.MODEL, Path.REJECTED, (), heard.speaks, p, mark)
        true = after.polarity.logit(heard.leaning, nearest.dense, negated=heard.negated)
        yes = true >= 0
        verdict = ClaimVerdict.SUPPORTED if yes else ClaimVerdict.REFUTED
        speaks = heard.speaks
        return Checked(yes, verdict, Origin.NOTEBOOK, Path.ACCEPTED, (nearest,), speaks, p, mark)


async def _from_both(question: str, pair: Pair, least: float, asking: Asking) -> Outcome | None:
    """The answer that two notes give together; None if they do not, or nobody can tell."""
    try:
        heard = await read_jointly(question, pair, asking)
    except (ModelUnreachable, ModelRateLimited, PromptTooLong):
        return None  # What comes next says so, or does without.
    if heard.answer is None or heard.verdict < least:
        return None
    verdict = heard.verdict
    return Outcome(heard.answer, Origin.NOTEBOOK, Path.ACCEPTED, pair, verdict, verdict)


async def _reconsidered(
    question: str, source: Candidate, p: float, second: SecondLook, asking: Asking
) -> float:
    """The probability after a second look; the first one's, where the model is suddenly away."""
    try:
        return second.probability(p, await look_again(question, source, asking))
    except (ModelUnreachable, ModelRateLimited):
        return p


async def _from_note(question: str, heard: Testimony, p: float, asking: Asking) -> Outcome:
    """The answer of an accepted note; reads it again alone when the model had said no."""
    notes, note = (heard.source,), heard.source.note.text
    if heard.answer is not None:
        return Outcome(heard.answer, Origin.NOTEBOOK, Path.ACCEPTED, notes, heard.verdict, p)
    shown = masked([note], question)
    messages = rereading(shown.notes[0], shown.question)
    try:
        again = await asking.complete(messages, max_tokens=_REREADING_TOKENS)
    except (ModelUnreachable, ModelRateLimited):
        return Outcome(note, Origin.NOTEBOOK, Path.NOTE_QUOTED, notes, heard.verdict, p)
    answer = shown.unmasked(again.text)
    text = voiced(answer, note) if copied(again, answer, note) else note
    return Outcome(text, Origin.NOTEBOOK, Path.ACCEPTED_REREAD, notes, heard.verdict, p)


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
