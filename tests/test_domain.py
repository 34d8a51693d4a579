from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from eren_memory.domain import Note, NoteStatus, View, difference
from eren_memory.errors import BadInput, EmptyText, TextTooLong, UnreadableText
from eren_memory.text import NOTE_LIMIT, first_line, normalised, note_text, question_text, shown


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


NOW = datetime(2027, 3, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
NOTE = Note(
    UUID(int=1), 1, "g", "x", NoteStatus.ACTIVE, 1, "ann", NOW, NOW,
    scope=("crew", "staff"), valid_from=NOW, valid_until=NOW + 2 * SECOND,
)  # fmt: skip


@pytest.mark.parametrize(
    ("view", "is_seen"),
    [
        (View("g"), True),
        (View("h"), False),
        (View("g", ("staff",)), True),
        (View("g", ("hall", "crew")), True),
        (View("g", ("hall",)), False),
        (View("g", ()), False),
        (View("g", at=NOW - SECOND), False),
        (View("g", at=NOW), True),
        (View("g", at=NOW + SECOND), True),
        (View("g", at=NOW + 2 * SECOND), False),
    ],
)
def test_a_note_is_seen_in_its_guild_in_its_channels_and_between_its_dates(view, is_seen):
    assert NOTE.visible_to(view) is is_seen
    without_scope = replace(NOTE, scope=())
    assert without_scope.visible_to(replace(view, channels=None)) == without_scope.visible_to(view)


@pytest.mark.parametrize("status", [one for one in NoteStatus if one is not NoteStatus.ACTIVE])
def test_only_an_active_note_is_seen(status):
    assert not replace(NOTE, status=status).visible_to(View("g"))


def test_two_revisions_differ_in_what_people_changed_and_not_in_their_numbers():
    after = replace(NOTE, revision=2, updated_at=NOW + SECOND, text="y", scope=())
    assert difference(NOTE, after) == {"text": ("x", "y"), "scope": (("crew", "staff"), ())}
    assert difference(NOTE, replace(NOTE, revision=2)) == {}


def test_what_turns_text_around_is_written_out_and_what_shapes_it_is_left():
    assert shown("a\u202eb\x1b[2J\u200b\ufeff") == "a\\u202eb\\u001b[2J\\u200b\\ufeff"
    for whole in ("one\n\ttwo", "\U0001f469\u200d\U0001f52c", "می\u200cخواهم", "Ａ é 漢"):
        assert shown(whole) == whole


def test_statements_that_differ_in_what_nobody_sees_are_the_same():
    assert normalised("The cap\u00adital\u200b is\ufeff X") == normalised("the capital is x")
