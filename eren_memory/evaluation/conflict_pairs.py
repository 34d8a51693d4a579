"""How well duplicates and conflicts are told apart: `eren eval-conflicts`, on benchmark files.

Pairs that say the same: a FEVER note and a paraphrase that it makes true; a CounterFact note and its
own question with its answer. Conflicts: a CounterFact note and itself with another edit's target; a
FEVER note and a claim that it makes false. Related: a note and the nearest other one; a CounterFact
note and another property of its subject.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eren_memory.conflicts import Evidence, Judge, Kind, decided, evidence
from eren_memory.embedder import Embedder

_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Pair:
    """Two notes, what they are to each other, and how the pair was made."""

    old: str
    new: str
    kind: Kind
    made: str


async def pairs(
    counterfact: Sequence[Any], fever: Sequence[Any], each: int, seed: int, embedder: Embedder
) -> list[Pair]:
    """`each` pairs of every make, drawn by `seed`."""
    draw = random.Random(seed)  # noqa: S311 - A sample, not a secret.
    found: dict[str, list[Pair]] = {}
    for entries, make in ((counterfact, _counterfact), (fever, _fever)):
        statements = [entry["edit_statement"] for entry in entries]
        vectors = await embedder.embed(statements)
        order = list(range(len(entries)))
        draw.shuffle(order)
        for one in order:
            near = np.argsort(-(vectors @ vectors[one]))[1:].tolist()
            for pair in make(entries, one, near, draw):
                found.setdefault(pair.made, []).append(pair)
    return [pair for made in found.values() for pair in made[:each]]


def _counterfact(
    entries: Sequence[Any], one: int, near: Sequence[int], draw: random.Random
) -> Iterator[Pair]:
    entry = entries[one]
    if not entry["edit_scope"]:
        return
    note, (_, target) = entry["edit_statement"], entry["edit_scope"][0]
    targets = (entries[i]["edit_scope"][0][1] for i in near if entries[i]["edit_scope"])
    other = next((found for found in targets if found != target), None)
    if other and target in note:
        yield Pair(note, note.replace(target, other), Kind.CONFLICT, "target swapped")
    question, _ = draw.choice(entry["edit_scope"])
    yield Pair(note, f"{question} {target}.", Kind.DUPLICATE, "question and answer")
    yield Pair(entries[near[0]]["edit_statement"], note, Kind.RELATED, "nearest other, CounterFact")
    asked, said = (entry[key]["same_subj"] for key in ("unrelated", "unrelated_true_ans"))
    if asked and said:
        place = draw.randrange(min(len(asked), len(said)))
        yield Pair(note, f"{asked[place]} {said[place]}.", Kind.RELATED, "same subject")


def _fever(
    entries: Sequence[Any], one: int, near: Sequence[int], draw: random.Random
) -> Iterator[Pair]:
    note = entries[one]["edit_statement"]
    for label, kind in (("yes", Kind.DUPLICATE), ("no", Kind.CONFLICT)):
        claims = [text for text, said in entries[one]["edit_scope"] if said == label != text]
        if claims := [text for text in claims if text.lower() != note.lower()]:
            yield Pair(note, draw.choice(claims), kind, f"claim labelled {label}")
    yield Pair(entries[near[0]]["edit_statement"], note, Kind.RELATED, "nearest other, FEVER")


async def witnessed(
    chosen: Sequence[Pair], judge: Judge, embedder: Embedder, progress: Callable[[int, int], None]
) -> list[tuple[Evidence, Evidence]]:
    """The evidence of each pair without and with the model."""
    limit, done = asyncio.Semaphore(_AT_ONCE), 0

    async def one(pair: Pair) -> tuple[Evidence, Evidence]:
        nonlocal done
        async with limit:
            old, new = await embedder.embed([pair.old, pair.new])
            dense = float(old @ new)
            heard = await judge.witness(pair.old, pair.new, dense)
            done += 1
            progress(done, len(chosen))
            return evidence(pair.old, pair.new, dense), heard

    return list(await asyncio.gather(*(one(pair) for pair in chosen)))


def fit(seen: Sequence[Evidence], chosen: Sequence[Pair]) -> dict[str, tuple[float, ...]]:
    """Weights of the softmax, by logistic regression."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=10.0, max_iter=5_000, class_weight="balanced")
    model.fit([one.features for one in seen], [str(pair.kind) for pair in chosen])
    return {
        str(kind): tuple(round(float(w), 3) for w in (start, *own))
        for kind, start, own in zip(model.classes_, model.intercept_, model.coef_, strict=True)
    }


def table(seen: Sequence[Evidence], chosen: Sequence[Pair]) -> list[str]:
    """Precision and recall of each kind, and what became of each make of pair."""
    said = [decided(one)[0] for one in seen]
    lines = []
    for kind in (Kind.DUPLICATE, Kind.CONFLICT):
        right = sum(s is kind and pair.kind is kind for s, pair in zip(said, chosen, strict=True))
        precision = right / max(sum(s is kind for s in said), 1)
        recall = right / max(sum(pair.kind is kind for pair in chosen), 1)
        lines.append(f"  {kind:<10} precision {precision:.3f}  recall {recall:.3f}")
    for made in dict.fromkeys(pair.made for pair in chosen):
        mine = [s for s, pair in zip(said, chosen, strict=True) if pair.made == made]
        counts = ", ".join(f"{mine.count(kind)} {kind}" for kind in Kind if mine.count(kind))
        lines.append(f"    {made}: {counts}")
    return lines


def half(edit_id: object) -> int:
    """0 for the edits that the weights were fitted on, 1 for the others."""
    return int(hashlib.sha256(f"half {edit_id}".encode()).hexdigest(), 16) % 2
