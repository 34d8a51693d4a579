"""What was: history, undo, erasing and the notes' own tests, from the command line."""

from pathlib import Path

import pytest

from eren_memory.app import open_app
from eren_memory.config import Settings
from tests.command_line import CommandLine
from tests.endpoint import Endpoint, Reply

NOON = "The Fenlake Ferry leaves at noon."
TEN = "The Fenlake Ferry leaves at ten."
QUESTION = "When does the Fenlake Ferry leave?"
# Of everything that a person can write about a note.
SECRETS = (
    "Wilhelmina",
    "Quillfeather",
    "Zanzibar",
    "Obsidian",
    "Marmalade",
    "Periwinkle",
    "Tundra",
)


@pytest.fixture
def eren(settings: Settings) -> CommandLine:
    return CommandLine(settings)


async def note(eren: CommandLine, number: int = 1):
    return (await eren("note", "show", str(number), "--json")).data


async def test_the_history_says_who_changed_what_and_why(eren: CommandLine):
    await eren("note", "add", NOON, LOGNAME="ann")
    await eren("note", "edit", "1", TEN, "--reason", "winter timetable", LOGNAME="bob")
    await eren("note", "edit", "1", "--scope", "channel:staff", "--valid-until", "2099-01-31")
    lines = (await eren("note", "history", "1")).out.splitlines()
    assert lines[0].startswith("  1  20")
    assert lines[0].endswith("UTC  add by local:ann")
    assert lines[1] == f"     {NOON}"
    assert lines[2].endswith("edit by local:bob (winter timetable)")
    assert lines[3:6] == ["     text", f"     - {NOON}", f"     + {TEN}"]
    told = "\n".join(lines)
    assert "     scope\n     - guild\n     + channel:staff" in told
    assert "     valid_until\n     - \n     + 2099-02-01 00:00 UTC" in told


async def test_the_history_is_a_json_list_of_revisions_with_old_and_new(eren: CommandLine):
    await eren("note", "add", NOON, LOGNAME="ann")
    await eren("note", "edit", "1", TEN, "--reason", "winter timetable", LOGNAME="bob")
    await eren("note", "scope", "1", "channel:staff")
    first, second, third = (await eren("note", "history", "1", "--json")).data
    assert first.keys() == {
        "revision", "act", "actor_id", "at", "reason", "where", "text", "changes",
    }  # fmt: skip
    assert (first["revision"], first["act"], first["actor_id"], first["changes"]) == (
        1, "add", "local:ann", {},
    )  # fmt: skip
    assert (second["act"], second["actor_id"], second["reason"], second["where"]) == (
        "edit", "local:bob", "winter timetable", "command line",
    )  # fmt: skip
    assert (first["text"], second["text"]) == (NOON, TEN)
    assert second["changes"]["text"] == {"old": NOON, "new": TEN}
    assert third["changes"] == {"scope": {"old": "guild", "new": "channel:staff"}}


async def test_the_history_shows_probes_as_questions(eren: CommandLine):
    await eren("note", "add", NOON)
    await eren("note", "edit", "1", "--probe", "At what hour?")
    told = (await eren("note", "history", "1")).out
    assert "At what hour?" in told
    assert "Probes(" not in told


async def test_the_list_shows_one_status_only_where_it_is_told_to(eren: CommandLine):
    for text in (NOON, "Two.", "Three."):
        await eren("note", "add", text)
    await eren("note", "add", "Four.", "--draft")
    await eren("note", "retire", "2")
    await eren("note", "merge", "1", "3")
    await eren("note", "erase", "2", "--yes")
    for status, numbers in (
        ("active", [1]), ("draft", [4]), ("superseded", [3]), ("erased", [2]), ("retired", []),
    ):  # fmt: skip
        listed = (await eren("note", "list", "--status", status, "--json")).data
        assert [(one["number"], one["status"]) for one in listed] == [(n, status) for n in numbers]
    assert (await eren("note", "list")).out == (
        f"#1     {NOON}\n#2      (erased)\n#3     Three. (superseded)\n#4     Four. (draft)\n"
    )


async def test_undo_takes_back_the_last_act_and_again_the_one_before(eren: CommandLine):
    await eren("note", "add", NOON)
    await eren("note", "add", "Bridges open on Sundays.")
    await eren("note", "edit", "1", TEN)
    once = await eren("note", "undo")
    assert (once.status, once.err) == (0, "")
    assert f"Taken back: note #1 is active: {NOON}" in once.out
    [twice] = (await eren("note", "undo", "--json")).data
    assert (twice["number"], twice["status"]) == (2, "retired")
    assert (await eren("note", "undo")).status == 0
    assert [(await note(eren, n))["status"] for n in (1, 2)] == ["retired", "retired"]
    assert "nothing here" in (await eren("note", "undo")).refusal


async def test_two_edits_of_one_note_are_taken_back_one_after_the_other(eren: CommandLine):
    await eren("note", "add", NOON)
    await eren("note", "edit", "1", TEN)
    await eren("note", "scope", "1", "channel:staff")
    assert (await eren("note", "undo")).status == 0
    assert ((await note(eren))["text"], (await note(eren))["scope"]) == (TEN, "guild")
    assert (await eren("note", "undo")).status == 0
    assert (await note(eren))["text"] == NOON


async def test_undo_is_for_ones_own_acts_and_not_over_somebody_elses(eren: CommandLine):
    await eren("note", "add", NOON, LOGNAME="ann")
    assert "nothing here" in (await eren("note", "undo", LOGNAME="bob")).refusal
    await eren("note", "edit", "1", TEN, LOGNAME="bob")
    assert "somebody changed it (text" in (await eren("note", "undo", LOGNAME="ann")).refusal
    assert ((await note(eren))["text"], (await note(eren))["revision"]) == (TEN, 2)


async def test_undo_takes_back_a_replacement_as_a_whole(eren: CommandLine):
    await eren("note", "add", NOON)
    await eren("note", "add", TEN, "--supersedes", "1")
    changed = (await eren("note", "undo", "--json")).data
    assert {one["number"]: one["status"] for one in changed} == {1: "active", 2: "retired"}


async def secrets(eren: CommandLine) -> None:
    """A note with a secret in every text that it has now, or had."""
    text, question, source, reason, probe, edited, why = SECRETS
    await eren(
        "note", "add", f"{text} is ill.", "--question", f"{question}?", "--source", source,
        "--reason", reason, "--probe", f"{probe}?", "--probe-not", f"{probe}!",
    )  # fmt: skip
    await eren("note", "edit", "1", f"{edited} is well.", "--reason", why)


def found(home: Path, pattern: str) -> set[str]:
    """Which secrets the bytes of the files still hold."""
    held = b"".join(file.read_bytes() for file in home.rglob(pattern) if file.is_file())
    return {one for one in SECRETS if one.encode() in held}


async def test_what_is_erased_is_gone_from_every_revision_and_from_the_databases_bytes(
    eren: CommandLine, settings: Settings
):
    await secrets(eren)
    assert found(settings.home, "notebook.db*") == {*SECRETS}
    erased = await eren("note", "erase", "1", "--yes")
    assert (erased.status, erased.out, erased.err) == (0, "Erased note #1: (erased)\n", "")
    assert found(settings.home, "notebook.db*") == set()
    for words in (("show", "1"), ("history", "1"), ("list",)):
        for form in ((), ("--json",)):
            told = await eren("note", *words, *form)
            assert told.status == 0
            assert not [one for one in SECRETS if one in told.out]
    left = await note(eren)
    assert (left["status"], left["text"], left["number"], left["revision"]) == ("erased", "", 1, 3)
    acts = [one["act"] for one in (await eren("note", "history", "1", "--json")).data]
    assert acts == ["add", "edit", "erase"]


async def test_what_is_erased_beside_a_running_bot_is_gone_from_the_databases_bytes(
    eren: CommandLine, settings: Settings
):
    async with open_app(settings) as bot:
        await bot.notebook.ledger.counts("local")
        await secrets(eren)
        assert (await eren("note", "erase", "1", "--yes")).status == 0
        assert found(settings.home, "notebook.db*") == set()


async def test_what_is_erased_is_gone_from_the_indexs_files_with_the_next_start_after_they_followed(
    eren: CommandLine, settings: Settings
):
    await secrets(eren)
    assert len((await eren("note", "search", "well", "--json")).data) == 1
    await eren("note", "erase", "1", "--yes")
    assert (await eren("reconcile")).status == 0
    assert (await eren("note", "search", "well", "--json")).data == []
    assert found(settings.home / "index", "*") == set()


@pytest.mark.parametrize(
    ("answer", "status"),
    [("n\n", 1), ("\n", 1), ("", 130)],
    ids=["no", "the default", "no answer"],
)
async def test_a_note_is_not_erased_unless_the_person_says_so(
    eren: CommandLine, answer: str, status: int
):
    await eren("note", "add", NOON)
    ran = await eren("note", "erase", "1", stdin=answer)
    assert (ran.status, "Erase note #1 for good?" in ran.err) == (status, True)
    assert "Erased" not in ran.out
    assert ((await note(eren))["text"], (await note(eren))["revision"]) == (NOON, 1)


async def test_a_note_is_erased_when_the_person_says_so_and_never_comes_back(eren: CommandLine):
    await eren("note", "add", NOON)
    ran = await eren.in_a_process("note", "erase", "1", "--json", stdin="y\n")
    assert (ran.data["status"], ran.data["text"]) == ("erased", "")
    assert "no such revision" in (await eren("note", "restore", "1")).refusal
    assert "no such revision" in (await eren("note", "restore", "1", "--revision", "1")).refusal
    assert "nothing here" in (await eren("note", "undo")).refusal
    assert (await note(eren))["text"] == ""


async def probed(eren: CommandLine, endpoint: Endpoint, reply: Reply, *options: str):
    endpoint.when(f"Note: {NOON}", reply)
    await eren("note", "add", NOON, "--question", QUESTION, *options)
    return await eren("note", "test", "--json"), await eren("note", "test", "1")


async def test_probes_that_pass_exit_with_0(eren: CommandLine, endpoint: Endpoint):
    yes = Reply("yes: at noon", probability=0.999)
    as_json, text = await probed(eren, endpoint, yes, "--probe-not", "Who painted the ceiling?")
    assert (as_json.status, text.status) == (0, 0)
    one, other = as_json.data
    assert one == {
        "number": 1, "question": QUESTION, "expected": "change", "passed": True,
            "before": "unedited answer", "answer": "at noon",
    }  # fmt: skip
    assert (other["expected"], other["passed"]) == ("keep", True)
    assert text.out.splitlines() == [
        f"ok   #1 must answer: {QUESTION}",
        "       unedited answer → at noon",
        "ok   #1 must not answer: Who painted the ceiling?",
        "       unedited answer → unedited answer",
        "2 of 2 probes passed.",
    ]


@pytest.mark.parametrize(
    ("reply", "option", "failed"),
    [
        (Reply("no", probability=0.999), "--probe", "must answer"),
        (Reply("yes: at noon", probability=0.999), "--probe-not", "must not answer"),
    ],
)
async def test_a_probe_that_fails_exits_with_1(
    eren: CommandLine, endpoint: Endpoint, reply: Reply, option: str, failed: str
):
    as_json, text = await probed(eren, endpoint, reply, option, QUESTION)
    assert f"FAIL #1 {failed}: {QUESTION}" in text.out
    assert '"passed": false' in as_json.out
    assert (as_json.status, text.status) == (1, 1)


async def test_probes_are_asked_where_the_note_is_seen(eren: CommandLine, endpoint: Endpoint):
    yes = Reply("yes: at noon", probability=0.999)
    as_json, text = await probed(eren, endpoint, yes, "--scope", "channel:staff")
    assert (as_json.data[0]["passed"], text.status) == (True, 0)
