import pytest

from eren_memory.domain import NOTE_LIMIT, first_line, normalised, note_text, question_text
from eren_memory.errors import BadInput, EmptyText, TextTooLong, UnreadableText


@pytest.mark.parametrize("blank", ["", "  \n\t", "\u200b\u200d", "\u00ad"])
def test_text_that_nobody_can_see_is_empty(blank):
    with pytest.raises(EmptyText, match="note is empty"):
        note_text(blank)


def test_a_note_at_the_limit_is_taken_and_one_past_it_names_the_limit():
    assert len(note_text("x" * NOTE_LIMIT)) == NOTE_LIMIT
    with pytest.raises(TextTooLong, match=r"2,001 characters; the limit is 2,000"):
        note_text("x" * (NOTE_LIMIT + 1))


@pytest.mark.parametrize("char", ["\x00", "\x1b", "\x7f", "\ud800"])
def test_unreadable_characters_are_named_with_their_place(char):
    with pytest.raises(UnreadableText, match=rf"U\+{ord(char):04X}, position 3"):
        question_text(f"ab{char}c")


def test_line_ends_are_unified_and_margins_dropped():
    assert note_text("  one\r\ntwo\rthree \n") == "one\ntwo\nthree"


def test_every_input_fault_is_bad_input():
    assert issubclass(EmptyText, BadInput)
    assert issubclass(TextTooLong, BadInput)


def test_statements_that_differ_in_case_width_and_spacing_are_the_same():
    assert normalised("The  Ｃapital\nis X") == normalised("the capital is x")


def test_a_title_is_the_first_line_cut_short():
    assert first_line("one\ntwo") == "one"
    assert first_line("x" * 100, 10) == "x" * 9 + "…"
