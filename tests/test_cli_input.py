"""What cannot be used is refused in one line, and what could mislead a reader is shown as codes."""

import sqlite3
from contextlib import closing

import pytest
import pytest_asyncio

from eren_memory.app import open_app
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft
from tests.command_line import CommandLine
from tests.endpoint import Endpoint, Reply

HUGE = "9" * 20
SURROGATE = "\udcff"  # A byte that is not UTF-8 comes into a command line so.
OVERRIDE = "\u202e"


@pytest_asyncio.fixture
async def eren(settings: Settings) -> CommandLine:
    """With two notes, and one of another guild."""
    async with open_app(settings) as app:
        drafts = [NoteDraft("The ferry leaves at noon."), NoteDraft("Bridges open on Sundays.")]
        await app.notebook.add_many("local", drafts, By("ann"))
        await app.notebook.add("theirs", NoteDraft("Theirs."), By("eve"))
    return CommandLine(settings)


def everything(settings: Settings) -> list[str]:
    """All that a refusal must leave as it was: every row of the database."""
    with closing(sqlite3.connect(settings.home / "notebook.db")) as database:
        return [*database.iterdump()]


REFUSED = {
    "an empty text": (["note", "add", ""], "note is empty"),
    "a text of spaces": (["note", "add", " \n\t"], "note is empty"),
    "a text that nobody sees": (["note", "add", "\u200b\u202e"], "note is empty"),
    "a text that is too long": (["note", "add", "x" * 2001], "limit is 2,000"),
    "a question that is too long": (["note", "add", "x", "--question", "x" * 1001], "1,000"),
    "a source that is too long": (["note", "add", "x", "--source", "x" * 2001], "2,000"),
    "a reason of spaces": (["note", "add", "x", "--reason", " "], "reason is empty"),
    "a reason that is too long": (["note", "edit", "1", "x", "--reason", "x" * 2001], "2,000"),
    "an empty probe": (["note", "add", "x", "--probe", ""], "probe is empty"),
    "a probe that is too long": (["note", "add", "x", "--probe-not", "x" * 1001], "1,000"),
    "too many probes": (["note", "add", "x", *["--probe", "y"] * 21], "more than 20 probes"),
    "control characters": (["note", "add", "a\x1b[2J"], "U+001B, position 2"),
    "control characters in a question": (["note", "add", "x", "--question", "a\x07"], "U+0007"),
    "control characters in a source": (["note", "edit", "1", "--source", "a\x00"], "U+0000"),
    "control characters in a reason": (["note", "retire", "1", "--reason", "a\x1b"], "U+001B"),
    "control characters in a new text": (["note", "merge", "1", "2", "--text", "\x1b"], "U+001B"),
    "half a character": (["note", "add", f"a{SURROGATE}"], "U+DCFF, position 2"),
    "half a character in a question": (["note", "add", "x", "--question", SURROGATE], "U+DCFF"),
    "half a character in a source": (["note", "add", "x", "--source", SURROGATE], "U+DCFF"),
    "half a character in a reason": (["note", "add", "x", "--reason", SURROGATE], "U+DCFF"),
    "half a character in a probe": (["note", "add", "x", "--probe", SURROGATE], "U+DCFF"),
    "half a character in a scope": (["note", "scope", "1", f"channel:{SURROGATE}"], "printable"),
    "half a character in a date": (["note", "verify", "1", "--review-by", SURROGATE], "not a date"),
    "half a character to search": (["note", "search", SURROGATE], "U+DCFF"),
    "half a character to ask": (["ask", SURROGATE], "U+DCFF"),
    "half a character to check": (["check", SURROGATE], "U+DCFF"),
    "a date that has two meanings": (["note", "add", "x", "--valid-from", "01/02/27"], "not a date"),
    "a date that is none": (["note", "edit", "1", "--valid-until", "soonish"], "not a date"),
    "a day that is none": (["note", "add", "x", "--review-by", "2027-02-30"], "not a date"),
    "an end before the beginning": (
        ["note", "add", "x", "--valid-from", "2099-02-02", "--valid-until", "2099-01-01"],
        "end before it begins",
    ),
    "an end that has passed": (["note", "edit", "1", "--valid-until", "2020-01-01"], "has passed"),
    "an unknown scope": (["note", "scope", "1", "everywhere"], "is not a scope"),
    "an unknown scope for a new note": (["note", "add", "x", "--scope", "role:mods"], "not a scope"),
    "a scope without channels": (["note", "add", "x", "--scope", "channel:"], "not a scope"),
    "a scope with an endless name": (["note", "scope", "1", f"channel:{'x' * 65}"], "64 printable"),
    "a channel with an override": (["note", "scope", "1", f"channel:a{OVERRIDE}"], "printable"),
    "a revision that is none": (["note", "restore", "1", "--revision", "7"], "no such revision"),
}  # fmt: skip


@pytest.mark.parametrize(("words", "said"), REFUSED.values(), ids=REFUSED)
async def test_what_cannot_be_used_is_refused_in_one_line_and_changes_nothing(
    eren: CommandLine, settings: Settings, words: list[str], said: str
):
    before = everything(settings)
    refused = (await eren(*words)).refusal
    assert refused.startswith("eren: ")
    assert said in refused
    assert refused.isprintable()
    assert everything(settings) == before


async def test_half_a_character_in_the_channel_of_a_question_is_refused(eren: CommandLine):
    refused = await eren("ask", "When?", "--channel", SURROGATE)
    assert (refused.status, refused.out) in {(1, ""), (2, "")}
    assert "Traceback" not in refused.err


@pytest.mark.parametrize(
    "words",
    [
        ["note", "show", "0"],
        ["note", "retire", "-1"],
        ["note", "edit", HUGE, "x"],
        ["note", "test", "none"],
        ["note", "merge", "1", "two"],
        ["note", "restore", "1", "--revision", "first"],
        ["note", "add", "x", "--supersedes", "one"],
        ["note", "add", "x", "--on-conflict", "perhaps"],
        ["note", "add", "x", "--guild", SURROGATE],
        ["note", "add", "x", "--guild", "x" * 65],
        ["note", "add", "x", "--guild", ""],
        ["note", "list", "--status", "odd"],
        ["note", "list", "--status", "ACTIVE "],
        ["note", "add"],
        ["note", "scope", "1"],
        ["note", "search", "x", "--limit", "51"],
        ["backup"],
    ],
    ids=lambda words: " ".join(words)[:40].encode("unicode_escape").decode(),
)
async def test_what_is_used_wrongly_exits_with_2_and_changes_nothing(
    eren: CommandLine, settings: Settings, words: list[str]
):
    before = everything(settings)
    ran = await eren(*words)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("Usage: ")
    assert everything(settings) == before


@pytest.mark.parametrize(
    "words",
    [
        ["note", "show", HUGE],
        ["note", "test", HUGE],
        ["note", "merge", "1", HUGE],
        ["note", "restore", "1", "--revision", HUGE],
        ["note", "edit", "1", "x", "--expect-revision", HUGE],
        ["note", "add", "x", "--supersedes", HUGE],
    ],
    ids=" ".join,
)
async def test_a_number_that_no_database_can_count_to_is_refused(
    eren: CommandLine, settings: Settings, words: list[str]
):
    before = everything(settings)
    ran = await eren(*words)
    assert (ran.status in {1, 2}, ran.out) == (True, "")
    assert everything(settings) == before


ON_A_NOTE = (
    ["show", "1"], ["history", "1"], ["edit", "1", "x"], ["scope", "1", "guild"], ["retire", "1"],
    ["restore", "1"], ["merge", "1", "2"], ["approve", "1"], ["reject", "1"], ["verify", "1"],
    ["erase", "1", "--yes"], ["test", "1"], ["add", "x", "--supersedes", "1"],
)  # fmt: skip


@pytest.mark.parametrize("words", ON_A_NOTE, ids=lambda words: str(words[0]))
async def test_another_guilds_note_is_as_unknown_as_one_that_is_not_there(
    eren: CommandLine, settings: Settings, words: list[str]
):
    before = everything(settings)
    refused = (await eren("note", *words, "--guild", "mine")).refusal
    assert "no note #1 here" in refused
    assert everything(settings) == before


async def test_only_a_guilds_own_numbers_count(eren: CommandLine):
    assert (await eren("note", "show", "1", "--guild", "theirs")).out.startswith("#1  Theirs.\n")
    assert "no note #2 here" in (await eren("note", "show", "2", "--guild", "theirs")).refusal


@pytest.mark.parametrize("char", [OVERRIDE, "\u2067", "\u200b"])
async def test_characters_that_turn_text_around_or_hide_are_kept_and_shown_as_codes(
    eren: CommandLine, endpoint: Endpoint, char: str
):
    code, text = f"\\u{ord(char):04x}", f"Pay {char}nna."
    endpoint.when("Claim:", Reply("false", probability=0.98))
    endpoint.default = Reply(f"Says {char}it.")
    await eren(
        "note", "add", text, "--question", f"Who{char}?", "--source", f"s{char}",
        "--reason", f"r{char}", "--probe", f"Whom{char}?",
    )  # fmt: skip
    for words, times in (
        (["note", "show", "3"], 5), (["note", "list"], 1), (["note", "history", "3"], 2),
        (["note", "search", "Pay"], 1), (["ask", "Who?"], 1), (["note", "verify", "3"], 1),
        (["note", "edit", "3", f"Pay {char}bob."], 1), (["note", "history", "3"], 4),
        (["note", "add", f"Pay {char}bob more.", "--on-conflict", "replace"], 2),
    ):  # fmt: skip
        ran = await eren(*words)
        assert (char in ran.out, ran.out.count(code)) == (False, times), words
    moved = (await eren("note", "edit", "3", "x", "--expect-revision", "1")).refusal
    assert (char in moved, moved.count(code)) == (False, 2)
    first, *_ = (await eren("note", "history", "3", "--json")).data
    assert first["text"] == text


async def test_the_questions_of_a_notes_test_are_shown_with_codes_too(eren: CommandLine):
    await eren("note", "edit", "1", "--probe", f"Who{OVERRIDE}?")
    told = (await eren("note", "test", "1")).out
    assert (OVERRIDE in told, "Who\\u202e?" in told) == (False, True)
