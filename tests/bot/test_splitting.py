"""Long answers in messages, as pure text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.splitting import MESSAGE_LIMIT, closed, split


def test_short_text_is_one_part():
    assert split("one\n\ntwo") == ["one\n\ntwo"]


def test_parts_end_at_paragraphs_where_there_are_any():
    paragraph = "word " * 120
    parts = split("\n\n".join([paragraph.strip()] * 6))
    assert len(parts) > 1
    assert all(part.endswith("word") and part.startswith("word") for part in parts)
    assert "\n\n".join(parts) == "\n\n".join([paragraph.strip()] * 6)


def test_a_code_fence_is_closed_and_opened_again_with_its_language():
    parts = split("```py\n" + "print()\n" * 600 + "```")
    assert len(parts) > 1
    assert all(part.startswith("```py\n") for part in parts)
    assert all(part.rstrip().endswith("```") and part.count("```") == 2 for part in parts)
    code = "".join(part.removeprefix("```py\n").removesuffix("```") for part in parts)
    assert code.count("print()") == 600


def test_two_fences_in_one_part_do_not_count_as_open():
    assert closed("```a```\ntext\n```\nb\n```") == "```a```\ntext\n```\nb\n```"
    assert closed("text\n```py\ncode") == "text\n```py\ncode\n```"


@pytest.mark.parametrize("text", ["x" * 9_000, "```" + "y" * 5_000, " " * 4_500 + "z"])
def test_text_without_any_good_place_is_cut_anyway(text: str):
    assert all(len(part) <= MESSAGE_LIMIT for part in split(text))


@given(
    st.lists(
        st.sampled_from(["word ", "\n", "\n\n", "```\n", "```py\n", "ä", "🦊 "]), max_size=900
    ),
    st.integers(120, 400),
)
def test_no_part_is_too_long_and_no_word_is_lost(pieces: list[str], limit: int):
    text = "".join(pieces)
    parts = split(text, limit)
    assert all(len(part) <= limit for part in parts)
    for word in ("word", "ä", "🦊"):
        assert sum(part.count(word) for part in parts) == text.count(word)
