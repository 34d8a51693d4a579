"""Managing notes by command, as moderators do it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eren_memory.domain import By, NoteDraft, Probes
from tests.bot.conftest import World
from tests.endpoint import Endpoint, Reply

FERRY = "The Fenlake Ferry leaves at noon."
QUESTION = "When does the Fenlake Ferry leave?"


async def note(world: World, text: str = FERRY, **fields: Any) -> Any:
    guild = str(world.guild.id)
    return await world.app.notebook.add(guild, NoteDraft(text, **fields), By("someone"))


async def run(world: World, command: str, **options: Any) -> Any:
    return await world.moderator.slash(world.channel, f"note {command}", **options)


async def test_add_without_a_text_opens_a_form(world: World):
    form = await run(world, "add")
    saved = await world.moderator.submit_modal(
        form, {"text": FERRY, "where": "here", "until": "2027-01-31", "reason": "timetable"}
    )
    assert saved.response.content.startswith(f"Added **#1**: {FERRY}")
    made = await world.app.notebook.ledger.note(str(world.guild.id), 1)
    assert made.scope == (str(world.channel.id),)
    assert made.valid_until
    assert made.valid_until.isoformat() == "2027-02-01T00:00:00+00:00"
    assert made.reason == "timetable"


async def test_add_stops_at_a_note_that_contradicts(world: World, endpoint: Endpoint):
    await note(world, "The Fenlake Ferry leaves at one.")
    endpoint.when("Claim: ", Reply("false", probability=0.99))
    met = await run(world, "add", text=FERRY)
    assert "contradicts it" in met.response.content
    await world.moderator.click(met.response, label="Replace")
    await world.moderator.click(met.response, label="Save")
    notes = await world.app.notebook.ledger.notes(str(world.guild.id))
    assert [one.status for one in notes] == ["superseded", "active"]


async def test_edit_shows_the_note_and_says_what_changed(world: World):
    await note(world)
    form = await run(world, "edit", number="1")
    values = {one["component"]["custom_id"]: one["component"] for one in form.modal["components"]}
    assert values["text"]["value"] == FERRY
    edited = await world.moderator.submit_modal(
        form, {"text": "The Fenlake Ferry leaves at two.", "where": "as it is"}
    )
    assert "Edited **#1**" in edited.response.content
    assert f"text: {FERRY} → The Fenlake Ferry leaves at two." in edited.response.content
    await world.moderator.click(edited.response, label="Undo")
    assert (await world.app.notebook.ledger.note(str(world.guild.id), 1)).text == FERRY


@pytest.mark.simcord(check_errors=False)
async def test_an_edit_of_a_note_that_moved_is_refused_and_the_text_given_back(world: World):
    await note(world)
    form = await run(world, "edit", number="1")
    guild = str(world.guild.id)
    await world.app.notebook.edit(guild, 1, By("someone"), text="Meanwhile it leaves at one.")
    mine = "The Fenlake Ferry leaves at two."
    refused = await world.moderator.submit_modal(form, {"text": mine, "where": "as it is"})
    assert "somebody changed it" in refused.response.content
    [back] = refused.followups
    [file] = back.attachments
    assert mine in (await file.read()).decode()
    assert back.ephemeral
    assert "Meanwhile" in (await world.app.notebook.ledger.note(guild, 1)).text


async def test_last_is_the_note_that_i_touched_last(world: World):
    await run(world, "add", text=FERRY)
    await note(world, "Somebody else's note.")
    shown = await run(world, "show", number="last")
    assert shown.response.content.startswith("**#1**")


@pytest.mark.simcord(check_errors=False)
@pytest.mark.parametrize("named", ["none", "0", "99999999999999999999", "-1", "١"])
async def test_a_number_that_is_none_is_refused(world: World, named: str):
    refused = await run(world, "show", number=named)
    assert "Give the note's number" in refused.response.content or (
        "no note #1" in refused.response.content
    )


async def test_choices_come_by_likeness_and_by_number(world: World):
    for n in range(1, 12):
        await note(world, f"Note about topic{n} and nothing else.")
    await note(world, FERRY)

    async def offered(typed: str, who: Any = None) -> list[str]:
        actor = who or world.moderator
        found = await actor.autocomplete(world.channel, "note retire", "number", typed)
        return [one["value"] for one in found]

    assert (await offered("fenlake ferry noon"))[0] == "12"
    assert await offered("1") == ["1", "10", "11", "12"]
    assert (await offered(""))[0] == "12"


async def test_members_are_offered_no_notes(world: World):
    await note(world)
    await world.show_to_everyone("note retire")
    assert await world.member.autocomplete(world.channel, "note retire", "number", "") == []


async def test_show_lists_the_public_answers_and_retiring_offers_to_mark_them(
    world: World, endpoint: Endpoint
):
    endpoint.when(f"Note: {FERRY}", Reply("yes: at noon", probability=0.999))
    await note(world)
    answer = await world.member.slash(world.channel, "ask", question=QUESTION)
    shown = await run(world, "show", number="1")
    [public] = [one for one in world.channel.history() if one.id == answer.response.id]
    assert public.jump_url in shown.response.content
    retired = await world.moderator.click(shown.response, label="Retire")
    assert "in use → retired" in retired.response.content
    await world.restart()
    marked = await world.moderator.click(retired.response, label="Mark the answers of #1")
    assert marked.response.content == "Marked 1 answer."
    [public] = [one for one in world.channel.history() if one.id == answer.response.id]
    assert public.content.startswith("-# ⚠ Note #1")
    await world.moderator.click(retired.response, label="Mark the answers of #1")
    [again] = [one for one in world.channel.history() if one.id == answer.response.id]
    assert again.content == public.content


async def test_still_true_verifies_a_note(world: World):
    made = await note(world)
    shown = await run(world, "show", number="1")
    await world.moderator.click(shown.response, label="Still true")
    now = await world.app.notebook.ledger.note(str(world.guild.id), 1)
    assert now.verified_at > made.verified_at
    entries = await world.app.notebook.history(str(world.guild.id), 1)
    assert entries[-1].by.actor_id == str(world.moderator.id)


async def test_history_names_who_did_what_and_from_what_to_what(world: World):
    await run(world, "add", text=FERRY)
    await run(world, "edit", number="1", text="The Fenlake Ferry leaves at two.")
    told = (await run(world, "history", number="1")).response.content
    assert told.index("**edited**") < told.index("**added**")
    assert f"<@{world.moderator.id}>" in told
    assert f"text: {FERRY} → The Fenlake Ferry leaves at two." in told


async def test_a_history_that_was_imported_may_have_acts_of_its_own(world: World):
    stamp = {"actor_id": "1", "at": "2026-11-25T00:00:00+00:00"}
    past = [{"revision": 1, "text": FERRY, "act": "**conjured**", **stamp}]
    row = {"text": FERRY, "revision": 1, "history": past}
    await run(world, "import", file=("notes.jsonl", json.dumps(row).encode()))
    told = (await run(world, "history", number="1")).response.content
    assert r"\*\*conjured\*\*" in told


async def test_a_note_is_moved_to_channels_and_back(world: World):
    await note(world)
    staff = world.guild.create_text_channel("staff")
    moved = await run(world, "scope", number="1", channel=staff)
    assert f"where: everywhere → <#{staff.id}>" in moved.response.content
    back = await run(world, "scope", number="1")
    assert f"where: <#{staff.id}> → everywhere" in back.response.content


async def test_restore_goes_back_to_any_revision(world: World):
    await note(world)
    await run(world, "edit", number="1", text="Another text.")
    await run(world, "restore", number="1", revision=1)
    assert (await world.app.notebook.ledger.note(str(world.guild.id), 1)).text == FERRY


async def test_the_pages_of_a_list_are_alive_after_a_restart(world: World):
    drafts = [NoteDraft(f"Note number {n}.") for n in range(1, 41)]
    await world.app.notebook.add_many(str(world.guild.id), drafts, By("someone"))
    listed = await run(world, "list")
    assert listed.response.content.startswith("**#40**")
    await world.restart()
    await world.moderator.click(listed.response, label="▶")
    assert listed.response.content.startswith("**#25**")
    await world.moderator.click(listed.response, label="▶")
    assert "page 3 of 3" in listed.response.content
    await world.moderator.click(listed.response, label="◀")
    assert "page 2 of 3" in listed.response.content


async def test_search_finds_notes_of_every_scope(world: World):
    await note(world, scope=("elsewhere",))
    found = await run(world, "search", text="Fenlake Ferry")
    assert "**#1**" in found.response.content


async def test_test_asks_a_notes_questions_and_says_which_fail(world: World, endpoint: Endpoint):
    endpoint.when(f"Note: {FERRY}\nQuestion: {QUESTION}", Reply("yes: at noon", probability=0.999))
    probes = Probes(change=(QUESTION, "What colour is the Fenlake Ferry?"))
    await note(world, probes=probes)
    told = (await run(world, "test", number="1")).response.content
    assert f"✓ #1 {QUESTION}" in told
    assert "✗ #1 What colour" in told


async def test_notes_go_out_as_a_file_and_come_in_again(world: World):
    await note(world, "One, with “quotes” and 🦊.")
    exported = await run(world, "export", form="csv")
    [file] = exported.response.attachments
    assert exported.ephemeral
    content = (await file.read()).replace(b"One, with", b"Two, with")
    tried = await run(world, "import", file=("notes.csv", content), dry_run=True)
    assert "Would import" in tried.response.content
    assert "text: One, with" in tried.response.content
    done = await run(world, "import", file=("notes.csv", content))
    assert "1 changed" in done.response.content
    await world.moderator.click(done.response, label="Undo")
    kept = await world.app.notebook.ledger.note(str(world.guild.id), 1)
    assert kept.text == "One, with “quotes” and 🦊."


@pytest.mark.simcord(check_errors=False)
@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("notes.jsonl", b"not json\n", "line 1"),
        ("../../notes.csv", b"colour\nred\n", "must name the columns"),
        ("a.jsonl", json.dumps({"text": "x" * 3_000}).encode(), "2,000"),
    ],
)
async def test_a_file_of_no_use_changes_nothing_and_names_the_fault(
    world: World, name: str, content: bytes, fault: str
):
    refused = await run(world, "import", file=(name, content))
    assert fault in refused.response.content
    assert await world.app.notebook.ledger.notes(str(world.guild.id)) == []


@pytest.mark.simcord(check_errors=False)
@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("add", {"text": "forged"}), ("add", {}), ("edit", {"number": "1", "text": "forged"}),
        ("edit", {"number": "1"}), ("retire", {"number": "1"}), ("restore", {"number": "1"}),
        ("scope", {"number": "1"}), ("show", {"number": "1"}), ("history", {"number": "1"}),
        ("list", {}), ("search", {"text": "ferry"}), ("test", {}), ("export", {}),
        ("import", {"file": ("a.jsonl", b'{"text": "forged"}')}),
    ],
)  # fmt: skip
async def test_no_command_of_the_notebook_obeys_a_member(
    world: World, command: str, options: dict[str, Any]
):
    made = await note(world)
    await world.show_to_everyone(f"note {command}")
    refused = await world.member.slash(world.channel, f"note {command}", **options)
    assert refused.ephemeral
    assert refused.modal is None
    assert "Only moderators" in refused.response.content
    assert await world.app.notebook.ledger.notes(str(world.guild.id)) == [made]
