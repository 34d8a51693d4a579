"""What becomes of a note that says the same as another, or contradicts it, on the command line."""

import asyncio
import os
import pty
import sys

import pytest

from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft
from tests.command_line import CommandLine, Ran
from tests.endpoint import Endpoint, Reply

NOON = "The Fenlake Ferry leaves at noon."
DAWN = "The Fenlake Ferry leaves at dawn."
QUESTION = "When does the Fenlake Ferry leave?"
NOWHERE = {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}


@pytest.fixture
def eren(settings: Settings) -> CommandLine:
    return CommandLine(settings)


def says(endpoint: Endpoint, word: str) -> None:
    """What the model says of the new note as a claim, beside the old one."""
    endpoint.when(f"Note: {NOON}\nClaim: {DAWN}", Reply(word, probability=0.98))


async def statuses(eren: CommandLine) -> dict[str, str]:
    return {one["text"]: one["status"] for one in (await eren("note", "list", "--json")).data}


@pytest.mark.parametrize("options", [(), ("--json",), ("--on-conflict", "ask")])
@pytest.mark.parametrize(
    ("word", "met"), [("false", "contradicts note #1"), ("true", "says the same as note #1")]
)
async def test_without_a_terminal_to_ask_in_a_note_that_meets_another_is_refused(
    eren: CommandLine, endpoint: Endpoint, options: tuple[str, ...], word: str, met: str
):
    says(endpoint, word)
    await eren("note", "add", NOON)
    refused = (await eren("note", "add", DAWN, *options)).refusal
    assert met in refused
    assert "Nothing was saved" in refused
    assert "--on-conflict replace" in refused
    assert await statuses(eren) == {NOON: "active"}


async def test_a_contradiction_is_refused_where_it_shall_fail(
    eren: CommandLine, endpoint: Endpoint
):
    says(endpoint, "false")
    await eren("note", "add", NOON)
    assert (
        "contradicts note #1" in (await eren("note", "add", DAWN, "--on-conflict", "fail")).refusal
    )
    assert await statuses(eren) == {NOON: "active"}


async def test_a_note_that_is_only_related_is_added_and_told(eren: CommandLine, endpoint: Endpoint):
    says(endpoint, "unknown")
    await eren("note", "add", NOON)
    added = await eren("note", "add", DAWN, "--on-conflict", "fail")
    assert (added.status, added.out) == (
        0, f"Added note #2: {DAWN}\n  related to #1: {NOON}\n",
    )  # fmt: skip


async def test_replacing_supersedes_the_old_note_in_one_go(eren: CommandLine, endpoint: Endpoint):
    says(endpoint, "false")
    endpoint.when(f"Note: {DAWN}", Reply("yes: at dawn", probability=0.999))
    await eren("note", "add", NOON)
    added = (await eren("note", "add", DAWN, "--on-conflict", "replace", "--json")).data
    [met] = added["conflicts"]
    assert met.keys() == {"number", "kind", "text", "score", "p", "replaced"}
    assert (met["number"], met["kind"], met["text"], met["replaced"]) == (1, "conflict", NOON, True)
    assert met["p"] > 0.9
    assert added["by_model"] is True
    assert (await eren("note", "list")).out == f"#1     {NOON} (superseded)\n#2     {DAWN}\n"
    asked = (await eren("ask", QUESTION, "--json", "--trace")).data
    assert (asked["answer"], [one["number"] for one in asked["notes"]]) == ("at dawn", [2])
    assert [one["number"] for one in asked["trace"]["candidates"]] == [2]
    acts = [(await eren("note", "history", n, "--json")).data[-1]["act"] for n in ("1", "2")]
    assert acts == ["supersede", "add"]


async def test_keeping_leaves_both_in_use(eren: CommandLine, endpoint: Endpoint):
    says(endpoint, "false")
    await eren("note", "add", NOON)
    added = await eren("note", "add", DAWN, "--on-conflict", "keep")
    assert (added.status, added.out) == (
        0, f"Added note #2: {DAWN}\n  contradicts #1: {NOON}\n",
    )  # fmt: skip
    assert await statuses(eren) == {NOON: "active", DAWN: "active"}
    asked = (await eren("ask", QUESTION, "--json", "--trace")).data
    assert {one["number"] for one in asked["trace"]["candidates"]} == {1, 2}


async def test_a_note_that_the_person_named_already_is_not_asked_about(
    eren: CommandLine, endpoint: Endpoint
):
    says(endpoint, "false")
    await eren("note", "add", NOON)
    added = await eren("note", "add", DAWN, "--supersedes", "1", "--on-conflict", "fail")
    assert added.out == f"Added note #2: {DAWN}\n  contradicts #1: {NOON} (replaced)\n"
    assert await statuses(eren) == {NOON: "superseded", DAWN: "active"}


async def test_the_same_words_are_refused_whatever_is_said_of_conflicts(eren: CommandLine):
    await eren("note", "add", NOON)
    refused = await eren("note", "add", NOON.upper(), "--on-conflict", "keep")
    assert "#1 already says exactly this" in refused.refusal
    assert await statuses(eren) == {NOON: "active"}


async def test_notes_that_no_question_meets_together_do_not_conflict(
    eren: CommandLine, endpoint: Endpoint
):
    says(endpoint, "false")
    await eren("note", "add", NOON, "--scope", "channel:staff", "--valid-until", "2098-12-31")
    elsewhere = (await eren("note", "add", DAWN, "--scope", "channel:crew", "--json")).data
    assert elsewhere["conflicts"] == []
    await eren("note", "retire", "2")
    later = await eren("note", "add", DAWN, "--valid-from", "2099-01-01", "--json")
    assert later.data["conflicts"] == []
    await eren("note", "retire", "3")
    assert "contradicts note #1" in (await eren("note", "add", DAWN)).refusal


async def test_approving_a_suggestion_meets_the_notes_there_are(
    eren: CommandLine, endpoint: Endpoint
):
    says(endpoint, "false")
    await eren("note", "add", NOON)
    await eren("note", "add", DAWN, "--draft", "--on-conflict", "keep")
    assert "contradicts note #1" in (await eren("note", "approve", "2")).refusal
    assert await statuses(eren) == {NOON: "active", DAWN: "draft"}
    approved = (await eren("note", "approve", "2", "--on-conflict", "replace", "--json")).data
    assert [one["replaced"] for one in approved["conflicts"]] == [True]
    assert await statuses(eren) == {NOON: "superseded", DAWN: "active"}


async def test_without_the_model_notes_are_compared_by_their_words_and_that_is_said(
    eren: CommandLine,
):
    await eren("note", "add", NOON)
    refused = await eren("note", "add", DAWN, **NOWHERE)
    assert "contradicts note #1" in refused.refusal
    kept = (await eren("note", "add", DAWN, "--on-conflict", "keep", "--json", **NOWHERE)).data
    assert kept["by_model"] is False
    assert [(one["number"], one["kind"]) for one in kept["conflicts"]] == [(1, "conflict")]
    said = await eren("note", "add", f"{DAWN} Or so.", "--on-conflict", "keep", **NOWHERE)
    assert "\n  Compared without the model: conflicts in other words may be missed.\n" in said.out
    assert said.status == 0


async def test_with_the_model_nothing_is_said_of_its_absence(eren: CommandLine, endpoint: Endpoint):
    says(endpoint, "false")
    await eren("note", "add", NOON)
    assert "without the model" not in (await eren("note", "add", DAWN, "--on-conflict", "keep")).out


async def in_a_terminal(eren: CommandLine, answer: str, *words: str) -> Ran:
    """Run a command in a process that has a terminal for its input, and answer there."""
    ours, theirs = pty.openpty()
    try:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "eren_memory.cli", *words,
            env={**os.environ, **eren.environment},
            stdin=theirs, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        os.write(ours, f"{answer}\n".encode())
        out, err = await child.communicate()
    finally:
        os.close(ours)
        os.close(theirs)
    return Ran(child.returncode or 0, out.decode(), err.decode())


@pytest.mark.parametrize(
    ("answer", "status", "left"),
    [
        ("replace", 0, {NOON: "superseded", DAWN: "active"}),
        ("keep", 0, {NOON: "active", DAWN: "active"}),
        ("", 1, {NOON: "active"}),
    ],
    ids=["replace", "keep", "the default"],
)
async def test_in_a_terminal_the_person_is_shown_the_notes_and_decides(
    eren: CommandLine, endpoint: Endpoint, answer: str, status: int, left: dict[str, str]
):
    says(endpoint, "false")
    await eren("note", "add", NOON)
    ran = await in_a_terminal(eren, answer, "note", "add", DAWN)
    assert f"contradicts #1: {NOON}" in ran.err
    assert "Replace, keep both, or stop?" in ran.err
    assert ran.status == status
    assert await statuses(eren) == left


async def test_a_script_that_wants_json_is_never_asked(eren: CommandLine, endpoint: Endpoint):
    says(endpoint, "false")
    await eren("note", "add", NOON)
    ran = await in_a_terminal(eren, "replace", "note", "add", DAWN, "--json")
    assert "contradicts note #1" in ran.refusal
    assert await statuses(eren) == {NOON: "active"}


async def found_by_itself(holder: App, wanted: int) -> bool:
    """Whether the holder's index comes to have that many notes without being asked for any."""
    index = await holder.notebook.projector.open()
    for _ in range(40):
        if await index.count() == wanted:
            return True
        await asyncio.sleep(0.05)
    return False


async def test_beside_the_holder_of_the_index_notes_are_compared_and_found_there_in_two_seconds(
    eren: CommandLine, endpoint: Endpoint, settings: Settings
):
    says(endpoint, "false")
    async with open_app(settings) as holder:
        await holder.warm()
        await eren("note", "add", NOON)
        assert await found_by_itself(holder, 1)
        # The holder has the index's lock: this command can only have compared words.
        assert "Another process" in (await eren("note", "search", "ferry")).refusal
        assert "contradicts note #1" in (await eren("note", "add", DAWN)).refusal
        added = (await eren("note", "add", DAWN, "--on-conflict", "keep", "--json")).data
        assert [(one["number"], one["kind"]) for one in added["conflicts"]] == [(1, "conflict")]
        assert await found_by_itself(holder, 2)
        await eren("note", "retire", "1")
        assert await found_by_itself(holder, 1)


async def test_beside_the_holder_only_notes_that_are_near_are_met(
    eren: CommandLine, endpoint: Endpoint, settings: Settings
):
    says(endpoint, "false")
    async with open_app(settings) as holder:
        await holder.warm()
        others = [NoteDraft(f"Matter {n} is unlike{n} wholly{n}.") for n in range(600)]
        await holder.notebook.add_many("local", [*others, NoteDraft(NOON)], By("ann"))
        ran = await eren("note", "add", DAWN, "--on-conflict", "replace", "--json")
        assert [one["text"] for one in ran.data["conflicts"]] == [NOON]
