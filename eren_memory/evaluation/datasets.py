"""The words of a measurement: edits, the cases that go with them, and a file of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from eren_memory.evaluation.metrics import normalise


class Kind(StrEnum):
    """What a question is to the edits; only `SCOPE` must be answered from a note."""

    SCOPE = "scope"
    SAME_SUBJECT = "same_subject"
    NEIGHBOUR = "neighbour"
    OUT_OF_SCOPE = "out_of_scope"


class Form(StrEnum):
    """What kind of file it is."""

    COUNTERFACT = "CounterFact-Hard"
    FEVER = "FEVER"
    HOTPOT = "HotpotQA"
    OWN = "own edits"


@dataclass(frozen=True, slots=True)
class Case:
    """A question or claim. `target` is what an edited model must say; None out of scope.

    Attributes:
        true: The true answer, where the file flags one.
        verbatim: Asked in the note's own words; see `is_verbatim`.
        excluded: Why the audited figures leave it out; None when they do not.
    """

    edit_id: str
    kind: Kind
    text: str
    target: str | None
    true: str | None = None
    verbatim: bool = False
    excluded: str | None = None

    @property
    def stratum(self) -> str:
        """The kind, with verbatim questions apart from paraphrases."""
        if self.kind is not Kind.SCOPE:
            return self.kind
        return "verbatim" if self.verbatim else "paraphrase"


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit: its note, or notes where it takes several, and its cases."""

    id: str
    statements: tuple[str, ...]
    cases: tuple[Case, ...]
    subject: str | None = None

    @property
    def statement(self) -> str:
        """The note; several as one text."""
        return "\n".join(self.statements)

    @property
    def scope(self) -> tuple[Case, ...]:
        """Its cases that the note answers."""
        return tuple(case for case in self.cases if case.kind is Kind.SCOPE)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A file of edits.

    Attributes:
        claims: Whether its cases are claims with yes or no.
        shortened: How many notes were too long for a notebook and were cut.
    """

    name: str
    edits: tuple[Edit, ...]
    claims: bool
    form: Form
    sha256: str
    shortened: int = 0


def is_verbatim(text: str, statements: Sequence[str], *, claim: bool) -> bool:
    """Whether a case says nothing in words of its own.

    A claim is verbatim when it is the note; a question when every word of it stands in the note,
    apart from those that only ask (`what`, `is`, …).
    """
    if claim:
        return any(normalise(text) == normalise(one) for one in statements)
    own = {*normalise(text).split()} - ASKING
    return own <= {*normalise(" ".join(statements)).split()}


ASKING = frozenset(
    (  # noqa: SIM905 - A list of forty quoted words is no easier to read.
        "what which who whom whose where when how why is was are were be been does did do has have had "
        "in of at on to for from by with as that it its s name called"
    ).split()
)
"""Words that only ask."""
