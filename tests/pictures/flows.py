"""The flows of the moderators' guide, played with the real bot in simulated Discord."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from eren_memory.community import GuildSettings
from eren_memory.domain import By, NoteDraft
from tests.bot.conftest import World
from tests.endpoint import Endpoint, Reply
from tests.pictures.story import Story

FERRY = "The Fenlake Ferry leaves at noon."
OLD = "The Fenlake Ferry leaves at one."
QUESTION = "When does the Fenlake Ferry leave?"
CORRECTION = {"question": QUESTION, "text": FERRY, "where": "everywhere"}

Flow = Callable[[World, Endpoint, Story], Awaitable[None]]


def believes_two(endpoint: Endpoint) -> None:
    """A model that says two o'clock, and reads a note when it is shown one."""
    endpoint.when(f"Note: {FERRY}\nQuestion:", Reply("yes: at noon", probability=0.999))
    endpoint.when(f"Note: {OLD}\nQuestion:", Reply("yes: at one", probability=0.999))
    endpoint.when("Claim: The Fenlake Ferry", Reply("false", probability=0.97))
    endpoint.when(QUESTION, Reply("The Fenlake Ferry leaves at two."))


async def asks(world: World) -> Any:
    """A member's question."""
    return await world.member.slash(world.channel, "ask", question=QUESTION)


async def staffed(world: World) -> Any:
    """A channel for the staff."""
    staff = world.guild.create_text_channel("staff")
    await world.choose(GuildSettings(staff_channel=str(staff.id)))
    return staff


async def correct(world: World, endpoint: Endpoint, story: Story) -> None:
    """A wrong answer becomes a right one."""
    believes_two(endpoint)
    story.place(world.channel)
    answer = await asks(world)
    story.step("member", f"asks: `/ask question: {QUESTION}`")
    story.message(answer.response)
    opened = await world.moderator.context_menu(
        world.channel, "Correct this answer", answer.response
    )
    story.step("moderator", "opens the answer's menu: **Apps** → **Correct this answer**")
    story.step("moderator", "writes what is true in the place of the answer, and sends the form")
    story.form(opened.modal, CORRECTION)
    preview = await world.moderator.submit_modal(opened, CORRECTION)
    story.step("moderator", "sees the answer before and after, both asked for real, and saves")
    story.message(preview.response, "Save")
    await world.moderator.click(preview.response, label="Save")
    story.message(preview.response)
    story.step("everybody", "sees the same message, corrected")
    story.message(answer.response, edited=True)
    story.message(world.channel.last_message)


async def conflict(world: World, endpoint: Endpoint, story: Story) -> None:
    """A correction meets a note that says otherwise."""
    believes_two(endpoint)
    await world.app.notebook.add(str(world.guild.id), NoteDraft(OLD), By(str(world.moderator.id)))
    story.place(world.channel)
    met = await world.moderator.slash(world.channel, "note add", text=FERRY)
    story.step("moderator", f"adds a note: `/note add text: {FERRY}`")
    story.message(met.response, "Replace")
    await world.moderator.click(met.response, label="Replace")
    story.step("moderator", "looks at what will be in use, and saves")
    story.message(met.response, "Save")
    await world.moderator.click(met.response, label="Save")
    story.message(met.response)


async def notes(world: World, endpoint: Endpoint, story: Story) -> None:
    """A note is added, edited and retired."""
    believes_two(endpoint)
    run = world.moderator.slash
    story.place(world.channel)
    added = await run(world.channel, "note add", text=FERRY)
    story.step("moderator", f"adds: `/note add text: {FERRY}`")
    story.message(added.response)
    await asks(world)
    text = "The Fenlake Ferry leaves at noon, on Sundays at one."
    form = await run(world.channel, "note edit", number="last")
    changed = {"text": text, "where": "as it is", "reason": "winter timetable"}
    story.step("moderator", "edits, by `/note edit number: last`; only what is touched changes")
    story.form(form.modal, changed)
    edited = await world.moderator.submit_modal(form, changed)
    story.message(edited.response)
    retired = await run(world.channel, "note retire", number="1", reason="the ferry is sold")
    story.step("moderator", "retires: `/note retire number: 1 reason: the ferry is sold`")
    story.message(retired.response, "Mark the answers of #1")
    await world.moderator.click(retired.response, label="Mark the answers of #1")
    story.step("everybody", "sees under which answers the note is gone")
    story.message(world.channel.last_message, edited=True)


async def review(world: World, endpoint: Endpoint, story: Story) -> None:
    """A suggestion is approved, and a complaint becomes a correction."""
    believes_two(endpoint)
    staff = await staffed(world)
    answer = await asks(world)
    complaint = await world.member.click(answer.response, custom_id="eren:down")
    await world.member.submit_modal(complaint, {"reason": "wrong", "comment": "it is at noon"})
    card = staff.last_message
    story.place(staff)
    story.step("member", "clicked 👎 under an answer; nothing changes until somebody corrects it")
    story.message(card)
    await world.member.slash(world.channel, "suggest", text=FERRY, question=QUESTION)
    suggested = staff.last_message
    story.step("member", f"suggested: `/suggest text: {FERRY}`")
    story.message(suggested, "Approve")
    page = await world.moderator.slash(world.channel, "review")
    story.step("moderator", "may go through all that waits, anywhere: `/review`")
    story.message(page.response)
    done = await world.moderator.click(suggested, label="Approve")
    story.step("moderator", "approves it, here or there; both cards say what became of them")
    story.message(done.response)
    story.message(suggested)
    story.message(card)


async def stale(world: World, endpoint: Endpoint, story: Story) -> None:
    """The digest, and what a moderator does about it."""
    staff = await staffed(world)
    guild, who = str(world.guild.id), By(str(world.moderator.id))
    yesterday = datetime.now(UTC) - timedelta(days=1)
    said = await world.member.send(world.channel, "The pier is open on Sundays.")
    link = f"https://discord.com/channels/{world.guild.id}/{world.channel.id}/{said.id}"
    await world.app.notebook.add(guild, NoteDraft(FERRY, review_by=yesterday), who)
    await world.app.notebook.add(
        guild, NoteDraft("The pier is open on Sundays.", source_url=link), who
    )
    await world.member.edit(said, "The pier is open on Mondays.")
    await world.app.jobs.run_now("audit", guild)
    await world.app.jobs.run_now("digest", guild)
    told = staff.last_message
    story.place(staff)
    story.step("eren-bot", "tells in the morning what should be looked at, when there is news")
    story.message(told, "#1 · Still true")
    clicked = await world.moderator.click(told, label="#1 · Still true")
    story.step("moderator", "clicks; everybody in the channel sees who did what")
    story.message(told)
    story.message(clicked.followups[-1])


async def undo(world: World, endpoint: Endpoint, story: Story) -> None:
    """An act is taken back, with all that it did."""
    believes_two(endpoint)
    await world.app.notebook.add(str(world.guild.id), NoteDraft(OLD), By(str(world.moderator.id)))
    met = await world.moderator.slash(world.channel, "note add", text=FERRY)
    await world.moderator.click(met.response, label="Replace")
    await world.moderator.click(met.response, label="Save")
    story.place(world.channel)
    story.message(met.response, "Undo")
    undone = await world.moderator.click(met.response, label="Undo")
    story.step("moderator", "clicks **Undo**: the new note goes, the one that it replaced is back")
    story.message(undone.response)
    history = await world.moderator.slash(world.channel, "note history", number="1")
    story.step("moderator", "looks into `/note history number: 1`: who did what, and when")
    story.message(history.response)


async def members(world: World, endpoint: Endpoint, story: Story) -> None:
    """What a member sees and may do."""
    believes_two(endpoint)
    guild, who = str(world.guild.id), By(str(world.moderator.id))
    await world.app.notebook.add(guild, NoteDraft(FERRY, question=QUESTION), who)
    story.place(world.channel)
    answer = await asks(world)
    story.step("member", "asks, and gets an answer from a note")
    story.message(answer.response, "Why?")
    why = await world.member.click(answer.response, label="Why?")
    story.step("member", "clicks **Why?**")
    story.message(why.response)
    endpoint.default = Reply("The pier is 90 metres long.")
    other = await world.member.slash(world.channel, "ask", question="How long is the pier?")
    story.step("member", "asks something that no note answers")
    story.message(other.response, "👎")
    form = await world.member.click(other.response, custom_id="eren:down")
    filled = {"reason": "outdated", "comment": "It was made longer last year."}
    story.step("member", "clicks 👎 and says what is wrong; moderators find it in `/review`")
    story.form(form.modal, filled)
    thanked = await world.member.submit_modal(form, filled)
    story.message(thanked.response)


FLOWS: dict[str, Flow] = {
    one.__name__: one for one in (correct, conflict, notes, review, stale, undo, members)
}
