"""What a model's words may draw in Discord, as pure text."""

import pytest

from bot.markdown import own_words
from bot.render import answer_body

LINK = "[my bank](https://evil.example/x)"
TAMED = "[my bank] (<https://evil.example/x>)"
CODE = "```py\nhandlers[name](event)\n-# note\n```"


@pytest.mark.parametrize(
    "text", [CODE, f"So it is done:\n{CODE}\nThat is all.", f"First:\n{CODE}\nThen:\n\n{CODE}\n"]
)
def test_code_stays_as_it_was_written(text: str):
    assert own_words(text) == text


def test_a_link_after_code_shows_where_it_leads():
    assert own_words(f"{CODE}\n{LINK}\n-# From note #3") == f"{CODE}\n{TAMED}\n\\-# From note #3"


def test_a_fence_that_nothing_closes_holds_no_code():
    assert own_words(f"```\n{LINK}") == f"```\n{TAMED}"
    assert answer_body(f"```\n{LINK}") == f"```\n{TAMED}\n```"
    assert own_words(f"{CODE}\n```\n{LINK}") == f"{CODE}\n```\n{TAMED}"


@pytest.mark.parametrize(
    "text",
    [
        f"```{LINK}\n```",
        f"```\n``` {LINK}\n```",
        f"``` js\n{LINK}\n```",
        f"\\\n```\n{LINK}\n```",
        f"a `\n```\n{LINK}\n```",
        f"**\n```\n**{LINK}\n```",
        f"||\n```\n||{LINK}\n```",
        f"_\n```\n_{LINK}\n```",
        f"[a\n```\nb](https://evil.example/x)\n{LINK}\n```",
        f"<http:/\n```\n>{LINK}\n```",
        f"> ```\n{LINK}\n```",
        f"- a\n```\n\n{LINK}\n```",
        f"1. a\n```\n\n{LINK}\n```",
        f"`{LINK}`",
    ],
)
def test_what_only_looks_like_code_hides_no_link(text: str):
    assert "](" not in own_words(text)
