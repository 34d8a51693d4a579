"""Every act on a note from the command line: what it prints, what it leaves, how it exits."""

import pytest

from eren_memory.config import Settings
from tests.command_line import CommandLine
from tests.endpoint import Endpoint, Reply

NOON = "The Fenlake Ferry leaves at noon."
TEN = "The Fenlake Ferry leaves at ten."
BRIDGE = "Bridges open on Sundays."
QUESTION = "When does the Fenlake Ferry leave?"


@pytest.fixture
def eren(settings: Settings) -> CommandLine:
    return CommandLine(settings)


async def note(eren: CommandLine, number: int = 1):
    return (await eren("note", "show", str(number), "--json")).data


async def test_a_note_is_added_with_all_that_can_be_said_of_it(eren: CommandLine):
    added = await eren(
        "note", "add", NOON, "--question", QUESTION, "--source", "https://ferry.example",
        "--scope", "channel:staff,crew", "--valid-from", "2020-02-01", "--valid-until",
        "2099-01-31", "--review-by", "2098-05-01T12:00+02:00", "--probe", "At what hour?",
        "--probe", "In the morning?", "--probe-not", "Who steers?", "--reason", "new timetable",
        LOGNAME="ann",
    )  # fmt: skip
    assert (added.status, added.out, added.err) == (0, f"Added note #1: {NOON}\n", "")
    saved = await note(eren)
    assert {name: saved[name] for name in saved if name not in {"id", "verified_at"}} == {
        "number": 1, "text": NOON, "question": QUESTION, "source_url": "https://ferry.example",
        "reason": "new timetable", "scope": "channel:crew,staff", "status": "active", "revision": 1,
        "author_id": "local:ann", "approved_by": None, "valid_from": "2020-02-01T00:00:00+00:00",
        # The whole last day.
        "valid_until": "2099-02-01T00:00:00+00:00", "review_by": "2098-05-01T10:00:00+00:00",
        "superseded_by": None,
        "probes": {"change": ["At what hour?", "In the morning?"], "keep": ["Who steers?"]},
        "created_at": saved["verified_at"], "updated_at": saved["verified_at"],
    }  # fmt: skip
    page = (await eren("note", "show", "1")).out
    for fact in (
        f"#1  {NOON}", "status    active, revision 1", "scope     channel:crew,staff",
        "valid     from 2020-02-01 00:00 UTC until 2099-02-01 00:00 UTC", "author    local:ann",
        "review by 2098-05-01 10:00 UTC", f"corrects  {QUESTION}", "reason    new timetable",
        "source    https://ferry.example", "must      At what hour?; In the morning?",
        "must not  Who steers?",
    ):  # fmt: skip
        assert f"{fact}\n" in page


async def test_an_edit_changes_what_it_names_and_nothing_else(eren: CommandLine):
    await eren("note", "add", NOON, "--question", QUESTION, "--source", "s", "--reason", "r")
    ran = await eren("note", "edit", "1", TEN)
    assert (ran.status, ran.out) == (0, f"Edited note #1: {TEN}\n")
    edited = (
        await eren("note", "edit", "1", "--source", "t", "--scope", "channel:staff", "--json")
    ).data
    assert edited == await note(eren)
    assert (edited["text"], edited["question"], edited["source_url"], edited["scope"]) == (
        TEN, QUESTION, "t", "channel:staff",
    )  # fmt: skip
    assert (edited["revision"], edited["reason"]) == (3, "r")


async def test_an_edit_to_an_empty_value_clears_the_field(eren: CommandLine):
    await eren(
        "note", "add", NOON, "--question", QUESTION, "--source", "s", "--scope", "channel:staff",
        "--valid-from", "2020-01-01", "--valid-until", "2099-01-01", "--review-by", "2098-01-01",
    )  # fmt: skip
    names = ("question", "source", "scope", "valid-from", "valid-until", "review-by")
    for name in names:
        assert (await eren("note", "edit", "1", f"--{name}", "")).status == 0, name
    left = await note(eren)
    fields = ("question", "source_url", "valid_from", "valid_until", "review_by")
    assert [left[field] for field in fields] == [None] * 5
    assert (left["scope"], left["revision"]) == ("guild", 7)


async def test_an_edit_to_an_empty_probe_clears_the_probes(eren: CommandLine):
    await eren("note", "add", NOON, "--probe", "At what hour?")
    assert (await eren("note", "edit", "1", "--probe", "")).status == 0
    assert (await note(eren))["probes"] == {"change": [], "keep": []}


async def test_an_edit_of_the_questions_that_must_be_answered_leaves_those_that_must_not(
    eren: CommandLine,
):
    await eren("note", "add", NOON, "--probe", "At what hour?", "--probe-not", "Who steers?")
    assert (await eren("note", "edit", "1", "--probe", "When?")).status == 0
    assert (await note(eren))["probes"] == {"change": ["When?"], "keep": ["Who steers?"]}


async def test_an_edit_of_a_revision_that_moved_shows_what_changed_in_one_line(eren: CommandLine):
    await eren("note", "add", NOON)
    assert (await eren("note", "edit", "1", TEN, "--expect-revision", "1")).status == 0
    refused = await eren("note", "edit", "1", "At dusk.", "--expect-revision", "1")
    assert "at revision 2, not 1" in refused.refusal
    assert f"text: '{NOON}' → '{TEN}'" in refused.refusal
    assert (await note(eren))["text"] == TEN
    assert (await eren("note", "edit", "1", "At dusk.", "--expect-revision", "2")).status == 0


async def test_an_edit_without_anything_to_change_is_used_wrongly(eren: CommandLine):
    await eren("note", "add", NOON)
    assert (await eren("note", "edit", "1")).status == 2
    assert "like that already" in (await eren("note", "edit", "1", NOON)).refusal
    assert (await note(eren))["revision"] == 1


async def test_a_scope_is_set_and_taken_away_again(eren: CommandLine):
    await eren("note", "add", NOON)
    moved = (await eren("note", "scope", "1", "channel:staff", "--reason", "secret", "--json")).data
    assert (moved["scope"], moved["revision"]) == ("channel:staff", 2)
    back = await eren("note", "scope", "1", "guild")
    assert (back.status, back.out) == (0, f"Moved note #1: {NOON}\n")
    assert (await note(eren))["scope"] == "guild"
    acts = [
        (one["act"], one["reason"]) for one in (await eren("note", "history", "1", "--json")).data
    ]
    assert acts == [("add", None), ("scope", "secret"), ("scope", None)]


async def test_a_retired_note_comes_back_as_it_was(eren: CommandLine):
    await eren("note", "add", NOON)
    await eren("note", "edit", "1", TEN)
    retired = await eren("note", "retire", "1", "--reason", "it sank")
    assert (retired.status, retired.out) == (0, f"Retired note #1: {TEN}\n")
    assert "must be active" in (await eren("note", "retire", "1")).refusal
    back = (await eren("note", "restore", "1", "--json")).data
    assert (back["status"], back["text"], back["revision"]) == ("active", TEN, 4)
    assert "like that already" in (await eren("note", "restore", "1")).refusal


async def test_a_note_goes_back_to_an_earlier_revision(eren: CommandLine):
    await eren("note", "add", NOON)
    await eren("note", "edit", "1", TEN)
    back = await eren("note", "restore", "1", "--revision", "1")
    assert (back.status, back.out) == (0, f"Restored note #1: {NOON}\n")
    assert (await note(eren))["revision"] == 3
    assert "no such revision" in (await eren("note", "restore", "1", "--revision", "9")).refusal


async def test_two_notes_become_one(eren: CommandLine):
    await eren("note", "add", NOON)
    await eren("note", "add", BRIDGE)
    both = "Ferry and bridge: see the board."
    merged = (await eren("note", "merge", "1", "2", "--text", both, "--json")).data
    assert (merged["number"], merged["text"], merged["revision"]) == (1, both, 2)
    gone = await note(eren, 2)
    assert (gone["status"], gone["superseded_by"]) == ("superseded", merged["id"])
    assert "must be active" in (await eren("note", "merge", "1", "2")).refusal


async def test_merging_without_a_text_keeps_that_of_the_first(eren: CommandLine):
    await eren("note", "add", NOON)
    await eren("note", "add", BRIDGE)
    merged = await eren("note", "merge", "2", "1")
    assert (merged.status, merged.out) == (0, f"Merged #1 into note #2: {BRIDGE}\n")
    assert ((await note(eren, 2))["revision"], (await note(eren))["status"]) == (1, "superseded")


async def test_notes_that_are_seen_in_different_places_are_not_merged(eren: CommandLine):
    await eren("note", "add", NOON, "--scope", "channel:staff")
    await eren("note", "add", BRIDGE)
    assert "different places" in (await eren("note", "merge", "1", "2")).refusal
    assert "with itself" in (await eren("note", "merge", "1", "1")).refusal
    assert [(await note(eren, one))["status"] for one in (1, 2)] == ["active", "active"]


async def test_a_suggestion_answers_nobody_until_it_is_approved(
    eren: CommandLine, endpoint: Endpoint
):
    endpoint.when(f"Note: {NOON}", Reply("yes: at noon", probability=0.999))
    suggested = await eren("note", "add", NOON, "--draft", LOGNAME="ann")
    assert (suggested.status, suggested.out) == (0, f"Suggested note #1: {NOON}\n")
    assert (await eren("ask", QUESTION, "--json")).data["origin"] == "model"
    approved = (await eren("note", "approve", "1", "--json", LOGNAME="bob")).data
    assert (approved["status"], approved["author_id"], approved["approved_by"]) == (
        "active", "local:ann", "local:bob",
    )  # fmt: skip
    assert (approved["conflicts"], approved["by_model"]) == ([], True)
    assert (await eren("ask", QUESTION, "--json")).data["answer"] == "at noon"
    assert "must be draft" in (await eren("note", "approve", "1")).refusal


async def test_a_suggestion_that_is_turned_down_never_answers(eren: CommandLine):
    await eren("note", "add", NOON, "--draft")
    rejected = await eren("note", "reject", "1", "--reason", "untrue")
    assert (rejected.status, rejected.out) == (0, f"Rejected note #1: {NOON}\n")
    assert (await note(eren))["status"] == "retired"
    assert "must be draft" in (await eren("note", "reject", "1")).refusal


async def test_verifying_says_when_somebody_should_look_again(eren: CommandLine):
    added = (await eren("note", "add", NOON, "--json")).data
    verified = (await eren("note", "verify", "1", "--review-by", "2098-01-01", "--json")).data
    assert (verified["id"], verified["revision"]) == (added["id"], 2)
    assert verified["review_by"] == "2098-01-01T00:00:00+00:00"
    assert verified["verified_at"] > verified["created_at"]
    again = await eren("note", "verify", "1", "--reason", "asked the captain")
    assert (again.status, again.out) == (0, f"Verified note #1: {NOON}\n")
    assert (await note(eren))["review_by"] == "2098-01-01T00:00:00+00:00"


async def test_a_note_that_supersedes_others_takes_their_place(eren: CommandLine):
    await eren("note", "add", NOON)
    await eren("note", "add", BRIDGE)
    added = (
        await eren(
            "note", "add", "All is shut.", "--supersedes", "1", "--supersedes", "2", "--json"
        )
    ).data
    for number in (1, 2):
        old = await note(eren, number)
        assert (old["status"], old["superseded_by"]) == ("superseded", added["id"])


async def test_nothing_is_saved_when_a_note_to_supersede_is_not_there(eren: CommandLine):
    await eren("note", "add", NOON)
    refused = await eren("note", "add", BRIDGE, "--supersedes", "1", "--supersedes", "9")
    assert "no note #9" in refused.refusal
    [only] = (await eren("note", "list", "--json")).data
    assert (only["text"], only["status"]) == (NOON, "active")
