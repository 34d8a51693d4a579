"""What goes wrong between two steps, and what people try who do not mean well."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from eren_memory.community import GuildSettings
from eren_memory.domain import By, NoteDraft
from tests.bot.conftest import World
from tests.endpoint import Endpoint, Reply

FERRY = "The Fenlake Ferry leaves at noon."
SECRET = "The gate code is 4711."
QUESTION = "When does the Fenlake Ferry leave?"
FORM = {"question": QUESTION, "text": FERRY, "where": "everywhere"}
pytestmark = pytest.mark.simcord(check_errors=False)


@pytest.fixture(autouse=True)
def ferry(endpoint: Endpoint) -> None:
    endpoint.when(f"Note: {FERRY}\nQuestion:", Reply("yes: at noon", probability=0.999))


def guild(world: World) -> str:
    return str(world.guild.id)


def labels(message: Any) -> list[str]:
    found: list[str] = []
    for row in message.components:
        items = row["components"] if isinstance(row, dict) else row.children
        found += [one["label"] if isinstance(one, dict) else one.label for one in items]
    return found


def public(world: World, answer: Any) -> Any:
    [found] = [one for one in world.channel.history() if one.id == answer.response.id]
    return found


async def staffed(world: World) -> Any:
    staff = world.guild.create_text_channel("staff")
    await world.choose(GuildSettings(staff_channel=str(staff.id)))
    return staff


async def ask(world: World, question: str = QUESTION, **options: Any) -> Any:
    return await world.member.slash(world.channel, "ask", question=question, **options)


async def correct(world: World, who: Any, answer: Any, **form: str) -> Any:
    shown = await who.context_menu(world.channel, "Correct this answer", answer.response)
    return await who.submit_modal(shown, FORM | form)


async def suggest(world: World, text: str = FERRY) -> Any:
    return await world.member.slash(world.channel, "suggest", text=text, question=QUESTION)


async def note(world: World, number: int = 1) -> Any:
    return await world.app.notebook.ledger.note(guild(world), number)


# What nobody should see, or approve.


async def test_nobody_approves_more_of_a_suggestion_than_they_have_read(world: World):
    staff = await staffed(world)
    await suggest(world, f"{FERRY} {'Really so. ' * 90}And the treasurer steals.")
    assert labels(staff.last_message) == ["Edit", "Reject"]


async def test_a_form_shows_a_member_no_note_that_has_gone_into_hiding(world: World):
    await world.app.notebook.add(guild(world), NoteDraft(FERRY), By("someone"))
    answer = await ask(world)
    hidden = {"scope": ("another channel",), "text": SECRET}
    await world.app.notebook.edit(guild(world), 1, By("someone"), **hidden)  # type: ignore[arg-type]
    shown = await world.member.context_menu(world.channel, "Correct this answer", answer.response)
    assert "4711" not in str(shown.modal)


async def test_a_hidden_note_is_not_published_even_when_the_answer_is_no_longer_kept(
    world: World,
):
    answer = await ask(world)
    await world.app.records.forget_before(datetime.now(UTC) + timedelta(days=1))
    preview = await correct(world, world.moderator, answer, text=SECRET)
    elsewhere = world.guild.create_text_channel("elsewhere")
    await world.app.notebook.edit(
        guild(world), 1, By(str(world.moderator.id)), scope=(str(elsewhere.id),)
    )
    form = await world.moderator.click(preview.response, label="Edit")
    await world.moderator.submit_modal(form, {"text": SECRET, "where": "as it is"})
    await world.moderator.click(preview.response, label="Save")
    assert (await note(world)).status == "active"
    assert "4711" not in public(world, answer).content
    assert "not visible there" in preview.response.content


async def test_whoever_suggested_a_note_does_not_hear_what_was_made_of_it_for_other_eyes(
    world: World,
):
    staff = await staffed(world)
    await suggest(world)
    form = await world.moderator.click(staff.last_message, label="Edit")
    await world.moderator.submit_modal(form, {"text": SECRET, "where": "here"})
    sent = [one.json["content"] for one in world.requests("POST", "/messages")]
    assert any("approved your suggestion #1" in one for one in sent)
    assert not any("4711" in one for one in sent)


async def test_here_is_where_the_suggestion_came_from_not_where_the_staff_sits(world: World):
    staff = await staffed(world)
    await suggest(world)
    form = await world.moderator.click(staff.last_message, label="Edit")
    await world.moderator.submit_modal(form, {"text": FERRY, "where": "here"})
    assert (await note(world)).scope == (str(world.channel.id),)


async def test_a_card_of_the_staff_cannot_be_taken_for_an_answer(world: World):
    staff = await staffed(world)
    answer = await ask(world)
    form = await world.member.click(answer.response, custom_id="eren:down")
    await world.member.submit_modal(form, {"reason": "wrong"})
    refused = await world.moderator.context_menu(staff, "Correct this answer", staff.last_message)
    assert "not an answer of mine" in refused.response.content


async def test_what_was_asked_in_private_gets_no_card_when_it_is_settled(
    world: World, endpoint: Endpoint
):
    endpoint.default = Reply("I don't know.")
    staff = await staffed(world)
    await ask(world, "Something private?", private=True)
    page = await world.moderator.slash(world.channel, "review")
    await world.moderator.click(page.response, label="Settle")
    assert staff.history() == []


async def test_a_flood_of_suggestions_is_slowed_down(world: World):
    staff = await staffed(world)
    settings = world.app.settings
    said = [
        (await suggest(world, f"{FERRY} Version {n}.")).response.content
        for n in range(settings.questions_per_member + 3)
    ]
    assert "5 of your suggestions wait" in said[settings.suggestions_per_member]
    assert "Ask again in" in said[-1]
    assert len(staff.history()) == settings.suggestions_per_member


async def test_the_asker_cannot_make_a_correction_disappear(world: World):
    answer = await ask(world)
    preview = await correct(world, world.moderator, answer)
    await world.moderator.click(preview.response, label="Save")
    assert "Dismiss" not in labels(public(world, answer))


async def test_the_bot_is_installed_in_servers_alone(world: World):
    for command in world.env.bot.tree.get_commands():
        payload = command.to_dict(world.env.bot.tree)
        assert (payload["integration_types"], payload["contexts"]) == ([0], [0])


# What goes wrong between two steps.


async def test_a_refused_save_leaves_the_preview_and_its_buttons(world: World):
    preview = await correct(world, world.moderator, await ask(world))
    await world.app.notebook.add(guild(world), NoteDraft(FERRY), By("someone"))
    refused = await world.moderator.click(preview.response, label="Save")
    assert "already says exactly this" in refused.followups[-1].content
    assert labels(preview.response) == ["Save", "Edit", "Cancel"]


async def test_replacing_is_offered_only_where_the_notebook_would_take_it(
    world: World, endpoint: Endpoint
):
    old = NoteDraft("The Fenlake Ferry leaves at one.")
    await world.app.notebook.add(guild(world), old, By("someone"))
    endpoint.when("Claim: ", Reply("false", probability=0.99))
    met = await correct(world, world.moderator, await ask(world), where="here")
    assert labels(met.response) == ["Only in this channel", "Keep both", "Cancel"]


async def test_a_save_that_a_stop_cut_short_is_completed_by_clicking_again(world: World):
    answer = await ask(world)
    preview = await correct(world, world.moderator, answer)
    await world.app.notebook.approve(guild(world), 1, By(str(world.moderator.id)))
    await world.restart()
    await world.moderator.click(preview.response, label="Save")
    assert "Saved **#1**" in preview.response.content
    assert public(world, answer).content.startswith("at noon")
    assert (await note(world)).revision == 2


async def test_a_correction_of_a_long_answer_survives_a_part_that_is_gone(
    world: World, endpoint: Endpoint
):
    endpoint.default = Reply("two o'clock. " * 250)
    answer = await ask(world)
    preview = await correct(world, world.moderator, answer)
    me = world.env.bot.user.id
    last = max(one.id for one in world.channel.history() if one.author.id == me)
    world.env.backend.delete_message(world.channel.id, last)
    await world.moderator.click(preview.response, label="Save")
    assert "says it now" in preview.response.content
    kept = await world.app.records.by_message(guild(world), str(answer.response.id))
    assert kept is not None
    assert (kept.origin, kept.messages) == ("notebook", (str(answer.response.id),))
    assert public(world, answer).content.startswith("at noon\n-# From note #1")


async def test_every_way_of_deciding_brings_the_staffs_card_up_to_date(
    world: World, endpoint: Endpoint
):
    staff = await staffed(world)
    await suggest(world)
    page = await world.moderator.slash(world.channel, "review")
    await world.moderator.click(page.response, label="Approve")
    assert f"Approved by <@{world.moderator.id}>" in staff.last_message.content
    assert labels(staff.last_message) == []


async def test_a_card_of_an_earlier_revision_shows_the_new_one_after_a_click(world: World):
    staff = await staffed(world)
    await suggest(world)
    await world.moderator.slash(world.channel, "note edit", number="1", text=f"{FERRY} Daily.")
    refused = await world.moderator.click(staff.last_message, label="Approve")
    assert "somebody changed it" in refused.response.content
    assert "Daily." in staff.last_message.content
    await world.moderator.click(staff.last_message, label="Approve")
    assert (await note(world)).status == "active"


async def test_undo_opens_again_what_the_correction_had_settled(world: World):
    answer = await ask(world)
    form = await world.member.click(answer.response, custom_id="eren:down")
    await world.member.submit_modal(form, {"reason": "wrong"})
    preview = await correct(world, world.moderator, answer)
    await world.moderator.click(preview.response, label="Save")
    assert await world.app.reviews.waiting(guild(world), 5) == []
    undone = await world.moderator.click(preview.response, label="Undo")
    assert len(await world.app.reviews.waiting(guild(world), 5)) == 1
    assert labels(undone.response) == ["Mark the answers of #1"]


async def test_answers_lose_their_mark_when_the_note_is_back(world: World):
    await world.app.notebook.add(guild(world), NoteDraft(FERRY), By("someone"))
    answer = await ask(world)
    before = public(world, answer).content
    retired = await world.moderator.slash(world.channel, "note retire", number="1")
    await world.moderator.click(retired.response, label="Mark the answers of #1")
    assert public(world, answer).content.startswith("-# ⚠ Note #1")
    await world.moderator.click(retired.response, label="Undo")
    assert public(world, answer).content == before
    await world.moderator.click(retired.response, label="Mark the answers of #1")
    assert public(world, answer).content == before


async def test_somebody_who_lost_the_role_cannot_undo(world: World):
    added = await world.moderator.slash(world.channel, "note add", text=FERRY)
    world.demote(world.moderator)
    refused = await world.moderator.click(added.response, label="Undo")
    assert "Only moderators" in refused.response.content
    assert (await note(world)).status == "active"


async def test_an_edit_changes_only_what_was_touched(world: World):
    form = await world.moderator.slash(world.channel, "note add")
    reason = "r" * 300
    await world.moderator.submit_modal(
        form, {"text": FERRY, "where": "everywhere", "until": "90d", "reason": reason}
    )
    before = await note(world)
    form = await world.moderator.slash(world.channel, "note edit", number="1")
    values = {
        one["component"]["custom_id"]: one["component"].get("value")
        for one in form.modal["components"]
    }
    await world.moderator.submit_modal(
        form,
        {
            "text": values["text"],
            "until": values["until"],
            "reason": f"{values['reason']}!",
            "where": "as it is",
        },
    )
    after = await note(world)
    assert after.reason == f"{reason}!"
    assert (after.valid_until, after.verified_at) == (before.valid_until, before.verified_at)
