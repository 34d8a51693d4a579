"""What a question and a note share, and what is hidden of it."""

import pytest

from eren_memory.wording import STAND_IN, differ_in_negation, has_names, masked, named, residues


@pytest.mark.parametrize(
    ("question", "note", "left"),
    [
        (
            "Where was Mira Voss born?",
            "Mira Voss plays the cello.",
            ("Where was born", "plays the cello"),
        ),
        (
            "Who wrote The Long Tide?",
            "The Long Tide was written by Sela Marr.",
            ("Who wrote", "was written by Sela Marr"),
        ),
        ("when does the race start", "the race starts at six", ("when does the start", "the starts at six")),
        ("Who is it?", "Mira Voss plays.", ("Who is it", "Mira Voss plays")),
        ("Mira Voss?", "Mira Voss.", ("", "")),
    ],
)  # fmt: skip
def test_the_shared_subject_is_taken_out_of_both(question, note, left):
    assert residues(question, note) == left


@pytest.mark.parametrize(
    ("question", "share"),
    [
        ("What does Mira Voss play?", 1.0),
        ("What is Mira Voss's instrument?", 1.0),
        ("What does Mira Lund play?", 0.5),
        ("What does Denis Harrow play?", 0.0),
        ("what does she play?", 1.0),
    ],
)
def test_names_that_the_note_lacks_are_noticed(question, share):
    assert named(question, "Mira Voss plays the cello.") == share


def test_a_name_that_question_and_note_share_is_hidden_and_put_back():
    shown = masked(["Mira Voss's job title is duchess."], "What is Mira Voss’s job title?")
    assert shown.question == f"What is {STAND_IN}’s job title?"
    assert shown.notes == (f"{STAND_IN}'s job title is duchess.",)
    assert shown.unmasked(f"{STAND_IN} of Quill Bay") == "Mira Voss of Quill Bay"


def test_a_question_without_capitals_goes_by_those_of_the_note():
    shown = masked(["The Kalahari Desert lies in Norway."], "where is the kalahari desert?")
    assert (shown.question, shown.notes) == (
        f"where is the {STAND_IN}?", (f"The {STAND_IN} lies in Norway.",),
    )  # fmt: skip
    assert shown.unmasked(f"{STAND_IN} lies in Norway") == "Kalahari Desert lies in Norway"


def test_a_name_is_hidden_in_every_note_that_is_read():
    notes = ["Mira Voss sings.", "Mira  Voss was born in Oslo.", "Denis Orly sings."]
    shown = masked(notes, "Where was Mira Voss born?")
    assert shown.notes == (f"{STAND_IN} sings.", f"{STAND_IN} was born in Oslo.", notes[2])


@pytest.mark.parametrize(
    "question",
    [
        "How do I stop the weekly race?",
        "Where can i find it?",
        "If I'm late, what then, and I’d ask?",
    ],
)
def test_whoever_asks_in_the_first_person_is_no_name_that_a_note_lacks(question):
    assert named(question, "The weekly race is stopped by the harbour master.") == 1.0
    assert not has_names(question)


def test_a_numeral_behind_a_name_stays_part_of_it():
    assert named("Where was Orrin I born?", "Orrin II was born in Quill Bay.") == 0.5
    assert named("Where was Orrin I born?", "Orrin I was born in Quill Bay.") == 1.0


def test_a_question_in_the_first_person_goes_by_the_capitals_of_the_note():
    shown = masked(["The Kalahari Desert lies in Norway."], "where do I find the kalahari desert?")
    assert shown.question == f"where do I find the {STAND_IN}?"


@pytest.mark.parametrize(
    ("question", "note"),
    [
        ("Where was Mira Lund born?", "Mira Voss was born in Oslo."),
        ("when does the race start", "the race starts at six"),
        ("Where was Mira Voss born?", "Denis Orly was born in Oslo."),
        (f"Is {STAND_IN} Mira Voss?", "Mira Voss was born in Oslo."),
    ],
)
def test_nothing_is_hidden_where_names_differ_or_there_are_none(question, note):
    shown = masked([note], question)
    assert (shown.question, shown.notes) == (question, (note,))
    assert shown.unmasked(STAND_IN) == STAND_IN


@pytest.mark.parametrize("odd", ["", "?", "(((", "\\d+ [a-z]", "É 1"])
def test_any_text_goes_through(odd):
    masked([odd], odd)
    residues(odd, "A note.")
    assert 0 <= named(odd, odd) <= 1


def test_a_negation_in_just_one_of_two_texts_is_noticed():
    assert differ_in_negation("Brask Tower is finished.", "Brask Tower isn't finished.")
    assert differ_in_negation("Sela Marr never lost.", "Sela Marr lost.")
    assert not differ_in_negation("Sela Marr never lost.", "Sela Marr has not lost.")
    assert not differ_in_negation("Nobody failed.", "All of them passed.")


def test_one_word_thousands_of_times_holds_nothing_up():
    """By every pair of places and every length it would take hours."""
    hidden = masked(["Aa " * 6_000], "Aa " * 6_000)
    assert hidden.question.startswith("Zelmo")
