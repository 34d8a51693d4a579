"""Prompts and what their replies mean: pure functions. The one for a conversation: `follow_up.py`.

Notes and questions are untrusted. They are quoted on one line each, so that a line break in one
cannot pose as the next part of the prompt. The part that varies comes last: endpoints reuse the
work they did for a prefix that stays the same to the byte.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from eren_memory.community import Length, Tone
from eren_memory.llm import Message
from eren_memory.text import normalised

PROMPT_VERSION = "2"
"""Goes into the key of calibrations: change it with any change to the reading prompts, or to
what they show."""


@dataclass(frozen=True, slots=True)
class Style:
    """How answers are phrased. Every prompt that asks for a free answer gets the same instruction.

    `tokens` is the room for the answer.
    """

    CHAT: ClassVar[Style]
    SHORT: ClassVar[Style]

    instruction: str
    tokens: int


_CHAT = "You are a helpful assistant in a community chat."
_TONES = {
    Tone.NEUTRAL: "",
    Tone.FRIENDLY: " Sound warm and friendly.",
    Tone.FORMAL: " Sound formal and courteous.",
}
_LENGTHS = {
    Length.SHORT: ("Answer in one or two sentences.", 400),
    Length.MEDIUM: ("Answer in one paragraph.", 700),
    Length.LONG: ("Answer as fully as the question asks for.", 1_500),
}


def chat_style(tone: Tone, length: Length) -> Style:
    """The style of a community's answers."""
    asked, tokens = _LENGTHS[length]
    return Style(f"{_CHAT}{_TONES[tone]} {asked}", tokens)


Style.CHAT = chat_style(Tone.NEUTRAL, Length.SHORT)
Style.SHORT = Style("Answer with a few words only, no explanation.", 32)

_READING = (
    "You check whether the note answers the question. The note is true, even when it surprises you. "
    "Say yes only if the note is about the SAME subject AND states the SAME property that the "
    "question asks for. Never use your own knowledge. "
    'Reply "yes: " and the answer copied from the note, or "no".'
)
# Invented, never rows of a benchmark: paraphrase, same subject with another property, another
# subject with the same property, a longer note, and two notes of which one answers.
_READING_SHOTS = (
    (
        "Mira Voss plays the cello.",
        "Which instrument is Mira Voss known for playing?",
        "yes: the cello",
    ),
    ("Mira Voss plays the cello.", "Where was Mira Voss born?", "no"),
    (
        "The mother tongue of Denis Harrow is Tamil.",
        "What is the mother tongue of Denis Orly?",
        "no",
    ),
    (
        "The headquarters of Lodestar Games is in Quill Bay.",
        "In which city are Lodestar Games' head offices?",
        "yes: Quill Bay",
    ),
    (
        "The weekly race starts on Saturday at 18:00 UTC. Sign up in the harbour channel before Friday.",
        "When does the weekly race begin?",
        "yes: Saturday at 18:00 UTC",
    ),
    (
        "The weekly race starts on Saturday at 18:00 UTC. Sign up in the harbour channel before Friday.",
        "Who won the weekly race?",
        "no",
    ),
    ("Arden Pike is a citizen of Norway.", "What does Arden Pike do for a living?", "no"),
    (
        "The Fenlake Ferry was designed by Tova Lind.",
        "Who is the designer of the Fenlake Ferry?",
        "yes: Tova Lind",
    ),
    (
        "The Fenlake Ferry leaves at noon.\nThe Fenlake Bridge opened in 1911.",
        "In what year was the Fenlake Bridge opened?",
        "yes: 1911",
    ),
    ("The Velm 300 was made by Orbix.", "Who made the Velm 500?", "no"),
)

_REREADING = (
    "Answer the question from the note alone. The note is true, even when it surprises you. "
    "Reply with the answer copied from the note, in as few words as it takes."
)

_CLAIM = (
    "The note is true, even when it surprises you. Using the note alone and never your own "
    "knowledge, say whether the claim is true, false, or unknown because the note does not tell."
)
_CLAIM_SHOTS = (
    ("Mira Voss plays the cello.", "Mira Voss is a cellist.", "true"),
    ("Mira Voss plays the cello.", "Mira Voss plays only the harp.", "false"),
    ("Mira Voss plays the cello.", "Mira Voss was born in Oslo.", "unknown"),
    ("Brask Tower was not finished in 1911.", "Brask Tower was completed in 1911.", "false"),
    (
        "The Long Tide was released in Norway.",
        "The Long Tide came out in a Scandinavian country.",
        "true",
    ),
    ("Arden Pike is dead.", "Arden Pike is alive.", "false"),
    ("Denis Harrow is a baker.", "Denis Orly is a baker.", "unknown"),
    ("The Fenlake Ferry has never sunk.", "The Fenlake Ferry sank in a storm.", "false"),
    ("Sela Marr has lost every race.", "Sela Marr has not won a race.", "true"),
    ("Rook Island is a novel.", "Rook Island has been translated.", "unknown"),
)


def unedited(question: str, style: Style) -> list[Message]:
    """What the model is asked when no note applies: nothing here speaks of notes."""
    return [_system(style.instruction), _user(f"Please answer this question: {question}")]


def unedited_claim(claim: str) -> list[Message]:
    """The unedited model's yes or no to a claim; the paper's wording."""
    return [
        _system(Style.SHORT.instruction),
        _user(f"Is it true that {claim}?\n\nOPTIONS:\n- yes\n- no"),
    ]


def reading(notes: Sequence[str], question: str) -> list[Message]:
    """Verdict and answer in one completion; read the reply with `parse_reading`."""
    messages = [_system(_READING)]
    for shown, asked, reply in _READING_SHOTS:
        messages += [_user(_ask(shown.split("\n"), "Question", asked)), _assistant(reply)]
    return [*messages, _user(_ask(notes, "Question", question))]


def rereading(note: str, question: str) -> list[Message]:
    """The answer alone, for a note that was accepted although the model said no."""
    return [_system(_REREADING), _user(_ask([note], "Question", question))]


def claim_reading(note: str, claim: str) -> list[Message]:
    """Whether the note makes the claim true, false or unknown; one word."""
    messages = [_system(_CLAIM)]
    for shown, asked, reply in _CLAIM_SHOTS:
        messages += [_user(_ask([shown], "Claim", asked)), _assistant(reply)]
    return [*messages, _user(_ask([note], "Claim", claim))]


def paper_reading(notes: Sequence[str], question: str, style: Style) -> list[Message]:
    """EREN's question prompt, verbatim (COLING 2024), behind the style that all methods share."""
    return [
        _system(style.instruction),
        _user(
            "Read this and answer the question. If the question is unanswerable, say "
            f'"unanswerable".\n\n{_paper_context(notes)}\n\n{question}'
        ),
    ]


def one_step(notes: Sequence[str], question: str, style: Style) -> list[Message]:
    """The paper's one-step baseline: its prompt without the way out."""
    return [
        _system(style.instruction),
        _user(f"Read this and answer the question.\n\n{_paper_context(notes)}\n\n{question}"),
    ]


def paper_claim(notes: Sequence[str], claim: str, *, way_out: bool) -> list[Message]:
    """The paper's claim prompt; `way_out` False gives its one-step form."""
    middle = "- It's impossible to say\n" if way_out else ""
    return [
        _system(Style.SHORT.instruction),
        _user(
            f'{_paper_context(notes)}\n\nCan we conclude that "{claim}"?\n\n'
            f"OPTIONS:\n- Yes\n{middle}- No"
        ),
    ]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reading reply said: the verdict in words, and the answer that came with a yes."""

    says_yes: bool
    answer: str | None


def parse_reading(reply: str) -> Reading:
    """Read `yes: <answer>` or `no`; anything else is no verdict for a note, so it counts as no."""
    match = re.match(r"\W*yes\b[\s:,.\-]*(.*)", reply.strip(), re.IGNORECASE | re.DOTALL)
    if not match:
        return Reading(says_yes=False, answer=None)
    answer = match.group(1).strip().strip('"').strip()
    return Reading(says_yes=True, answer=answer or None)


def says_unanswerable(reply: str) -> bool:
    """Whether the model took the way out of the paper's question prompt."""
    return "unanswerable" in reply.lower()


def says_impossible(reply: str) -> bool:
    """Whether the model took the way out of the paper's claim prompt."""
    return "impossible" in reply.lower()


def says_yes(reply: str) -> bool:
    """Whether a reply to a yes-or-no question begins with yes."""
    return normalised(reply).lstrip("-* \"'").startswith(("yes", "true"))


def claim_verdict(
    first_token: Sequence[tuple[str, float]], reply: str
) -> tuple[Mapping[str, float], bool]:
    """Probabilities of `true`, `false` and `unknown`, and whether log-probabilities gave them."""
    if graded := masses(first_token, ("true", "false", "unknown")):
        return graded, True
    for word, others in (("true", "false"), ("false", "true")):
        if normalised(reply).startswith(word):
            return {word: 0.9, others: 0.05, "unknown": 0.05}, False
    return {"true": 0.025, "false": 0.025, "unknown": 0.95}, False


def masses(first_token: Sequence[tuple[str, float]], words: Sequence[str]) -> Mapping[str, float]:
    """Probability that the reply begins with each word, summed over ways to write its first token.

    Empty when there are no log-probabilities, or less than a tenth of the mass is on the words.
    """
    found = dict.fromkeys(words, 0.0)
    for token, logprob in first_token:
        start = token.strip().strip("\"'*-").lower()
        for word in words:
            if start and word.startswith(start):
                found[word] += math.exp(logprob)
                break
    total = sum(found.values())
    return found if total >= 0.1 else {}


def _ask(notes: Sequence[str], kind: str, asked: str) -> str:
    quoted = "\n".join(f"Note: {_one_line(note)}" for note in notes)
    return f"{quoted}\n{kind}: {_one_line(asked)}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _paper_context(notes: Sequence[str]) -> str:
    return ".\n".join(_one_line(note).removesuffix(".") for note in notes) + "."


def _system(content: str) -> Message:
    return {"role": "system", "content": content}


def _user(content: str) -> Message:
    return {"role": "user", "content": content}


def _assistant(content: str) -> Message:
    return {"role": "assistant", "content": content}
