"""Prompts: pure functions. What replies mean: `verdicts.py`; the prompt for a conversation: `follow_up.py`.

Notes and questions are untrusted. They are quoted on one line each, so that a line break in one
cannot pose as the next part of the prompt. The part that varies comes last: endpoints reuse the
work they did for a prefix that stays the same to the byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from eren_memory.community import Length, Tone
from eren_memory.llm import Message

PROMPT_VERSION = "3"
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
# The same matter in other words than `_READING`, for a verdict that errs elsewhere.
_SECOND_LOOK = "Is the note a direct reply to the question? Answer yes or no."
_SECOND_LOOK_SHOTS = (
    ("Mira Voss plays the cello.", "Which instrument is Mira Voss known for playing?", "yes"),
    ("Mira Voss plays the cello.", "What is Mira Voss's profession?", "no"),
    ("Arden Pike worked in Oslo.", "In which city did Arden Pike work?", "yes"),
    ("Arden Pike worked in Oslo.", "What is Arden Pike's job?", "no"),
    ("Arden Pike is the mayor.", "What office does Arden Pike hold?", "yes"),
    ("The Fenlake Ferry was designed by Tova Lind.", "Who created the Fenlake Ferry?", "yes"),
    ("The Fenlake Ferry is owned by Orbix.", "In which country is the Fenlake Ferry?", "no"),
    ("Lodestar Games belongs to Orbix.", "Lodestar Games is part of what group?", "yes"),
    (
        "The show Hollow Lane was first broadcast on Channel Nine.",
        "What kind of show is Hollow Lane?",
        "no",
    ),
    ("People in Quill Bay speak Tamil.", "What country is Quill Bay in?", "no"),
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


def second_look(note: str, question: str) -> list[Message]:
    """Whether the note is a reply to the question: the same matter in other words, yes or no."""
    messages = [_system(_SECOND_LOOK)]
    for shown, asked, reply in _SECOND_LOOK_SHOTS:
        messages += [_user(f"{asked}\n{shown}"), _assistant(reply)]
    return [*messages, _user(f"{_one_line(question)}\n{_one_line(note)}")]


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
