"""From "that is wrong" to a note that answers: compare, look before and after, save, tell.

    form ── a member ──► suggestion, waits for approval
     └── a moderator ── draft ── meets near notes? ── no ──► before and after ──► save
                                       └── yes ── replace · merge · only here · keep both ──┘

What a person typed is kept as a draft from the first moment on, so that neither a restart nor a
forgotten button loses it. The buttons carry the draft's number, its revision, and what it replaces.
"""

from __future__ import annotations

import re
from dataclasses import replace
from math import ceil
from typing import Any
from uuid import UUID

import discord

from bot import previews, render
from bot.access import Right, may
from bot.controls import Control, Interaction, buttons
from bot.desk import by, desk, guild_of, now, place_of
from bot.failures import Refused
from bot.forms import Filled, NoteForm, TextForm
from bot.note_buttons import UndoButton, new_batch
from bot.publishing import publish
from bot.steps import Step, home_of, may_replace, pairs, replaceable
from bot.texts import Texts, mine
from eren_memory.conflicts import Compared
from eren_memory.domain import NoteDraft, NoteStatus
from eren_memory.rules import draft_of

_STYLES = {
    "save": discord.ButtonStyle.success,
    "replace": discord.ButtonStyle.primary,
    "cancel": discord.ButtonStyle.danger,
}


async def begin(interaction: Interaction, draft: NoteDraft) -> None:
    """A filled-in form: moderators go on, members suggest, others are refused."""
    at, guild = desk(interaction), guild_of(interaction)
    settings = await at.settings(guild)
    if not may(Right.MODERATE, settings, interaction.user):
        await suggest(interaction, draft)
        return
    step = await _kept(interaction, draft)
    await meet(interaction, step)


async def suggest(interaction: Interaction, draft: NoteDraft) -> None:
    """A note that waits for a moderator."""
    at, guild, t = desk(interaction), guild_of(interaction), mine(interaction)
    await at.require(Right.SUGGEST, interaction)
    if wait := at.asker.admission.limits.wait(guild, str(interaction.user.id)):
        raise Refused(t("ask.too_many", seconds=ceil(wait)))
    act = by(interaction, where=draft.source_url)
    most = at.app.settings.suggestions_per_member
    note = await at.app.notebook.suggest(place_of(interaction), draft, act, most=most)
    await at.staff.suggested(note)
    await interaction.edit_original_response(content=t("suggest.thanks", number=note.number))


async def add(interaction: Interaction, draft: NoteDraft) -> None:
    """A moderator's new note: saved at once, unless near notes say the same or contradict it."""
    at, guild, t = desk(interaction), guild_of(interaction), mine(interaction)
    await at.require(Right.MODERATE, interaction)
    compared = await at.app.notebook.compare(guild, draft)
    if compared.grave:
        await _show_conflicts(interaction, await _kept(interaction, draft), compared)
        return
    act = by(interaction, batch=new_batch())
    note = await at.app.notebook.add(guild, draft, act)
    text = t("done.add", number=note.number, title=render.title(note, 200))
    view = buttons(UndoButton(act.batch or note.id, t))
    await interaction.edit_original_response(
        content=f"{text}{previews.doubts(t, compared)}", view=view
    )


async def approve(interaction: Interaction, number: int, revision: int) -> None:
    """Put a suggestion into use, unless something has to be decided first."""
    at, guild = desk(interaction), guild_of(interaction)
    note = await at.app.notebook.ledger.note(guild, number)
    step = Step(number, revision, new_batch())
    if note.status is NoteStatus.DRAFT:
        compared = await at.app.notebook.compare(guild, draft_of(note), apart_from=number)
        if compared.grave:
            await _show_conflicts(interaction, step, compared)
            return
    await save(interaction, step)


async def meet(interaction: Interaction, step: Step) -> None:
    """Ask what to do about notes that say the same or contradict; none: show before and after."""
    at, guild = desk(interaction), guild_of(interaction)
    note = await at.app.notebook.ledger.note(guild, step.number)
    compared = await at.app.notebook.compare(guild, draft_of(note), apart_from=note.number)
    if compared.grave:
        await _show_conflicts(interaction, step, compared)
    else:
        await preview(interaction, step, previews.doubts(mine(interaction), compared))


async def preview(interaction: Interaction, step: Step, doubts: str = "") -> None:
    """The answer before and after, asked for real; nothing is in use yet."""
    at, guild, t = desk(interaction), guild_of(interaction), mine(interaction)
    note = await at.app.notebook.ledger.note(guild, step.number)
    lines = [t("preview.title", number=note.number), previews.whole(t, note)]
    lines += [t("preview.replaces", number=number) for number in step.replaced]
    if note.scope:
        lines.append(t("note.scope", where=render.where(t, note.scope)))
    if note.question:
        lines += await previews.before_and_after(
            at, t, note, [*step.replaced], place_of(interaction)
        )
    view = buttons(*(StepButton(act, step, t) for act in ("save", "edit", "cancel")))
    text = render.cut("\n".join(lines) + doubts)
    await interaction.edit_original_response(content=text, view=view)


async def save(interaction: Interaction, step: Step) -> None:
    """Put the draft into use in the place of what it replaces, and correct the public answer."""
    at, guild, t = desk(interaction), guild_of(interaction), mine(interaction)
    actor = str(interaction.user.id)
    note = await at.app.notebook.ledger.note(guild, step.number)
    # A stop may have come after it was approved: what follows is done again, to the same effect.
    done = note.status is NoteStatus.ACTIVE and note.revision == step.revision + 1
    if not (done and note.approved_by == actor):
        act = by(interaction, where=note.source_url, batch=step.batch)
        note = await at.app.notebook.approve(
            guild, step.number, act, expect=step.revision, supersedes=step.replaced
        )
    published = await publish(at, interaction.client, note, actor)
    lines = [t("done.save", number=note.number, title=render.title(note, 200))]
    old, new = t("status.draft"), t("status.active")
    lines.append(f"-# {t('field.status')}: {old} → {new}")
    lines += [f"-# {t('preview.replaces', number=number)}" for number in step.replaced]
    if published != "nothing":
        lines.append(t(f"published.{published.replace(' ', '_')}"))
    if note.question:
        for review in await at.app.reviews.settle(
            guild, note.question, actor, "outcome.corrected", now()
        ):
            await at.staff.show(review)
    view = buttons(UndoButton(step.batch, t))
    await interaction.edit_original_response(content=render.cut("\n".join(lines)), view=view)
    await at.staff.decided(note, "card.approved", actor)
    if note.author_id != actor:
        await at.staff.tell_author(note, "suggest.approved", actor)


class StepButton(
    Control,
    template=(
        r"eren:step:(?P<act>replace|merge|narrow|keep|save|edit|cancel):(?P<number>[0-9]{1,10})"
        r":(?P<revision>[0-9]{1,9}):(?P<batch>[0-9a-f]{32})"
        r":(?P<replaced>([0-9]{1,10}\.[0-9]{1,9}(,(?=[0-9])|$))*)"
    ),
):
    """A decision about a draft, by a moderator of the server in which it is clicked."""

    def __init__(self, act: str, step: Step, t: Texts) -> None:
        custom_id = (
            f"eren:step:{act}:{step.number}:{step.revision}:{step.batch.hex}:{pairs(step.replaced)}"
        )
        style = _STYLES.get(act, discord.ButtonStyle.secondary)
        super().__init__(custom_id, t(f"button.{act}"), style)
        self.act, self.step = act, step

    @classmethod
    def read(cls, match: re.Match[str], t: Texts) -> StepButton:
        """See `Control.read`."""
        pairs = [one.partition(".") for one in match["replaced"].split(",") if one]
        replaced = {int(number): int(revision) for number, _, revision in pairs}
        step = Step(
            int(match["number"]), int(match["revision"]), UUID(hex=match["batch"]), replaced
        )
        return cls(match["act"], step, t)

    async def clicked(self, interaction: Interaction) -> None:
        """Carry it out, in the place of the buttons."""
        at = desk(interaction)
        if self.act in ("edit", "merge"):
            await at.require(Right.MODERATE, interaction)
            await (_open_edit if self.act == "edit" else _open_merge)(interaction, self.step)
            return
        await interaction.response.defer()
        await at.require(Right.MODERATE, interaction)
        if self.act == "save":
            await save(interaction, self.step)
        elif self.act == "cancel":
            await _cancel(interaction, self.step)
        elif self.act == "narrow":
            note = await at.app.notebook.ledger.note(guild_of(interaction), self.step.number)
            here: Any = {"scope": (home_of(note, interaction),)}
            await _revise(interaction, replace(self.step, replaced={}), here)
        else:
            kept = {} if self.act == "keep" else self.step.replaced
            await preview(interaction, replace(self.step, replaced=kept))


async def _kept(interaction: Interaction, draft: NoteDraft) -> Step:
    """Keep what was typed as a draft."""
    at, batch = desk(interaction), new_batch()
    act = by(interaction, where=draft.source_url, batch=batch)
    note = await at.app.notebook.add(guild_of(interaction), draft, act, status=NoteStatus.DRAFT)
    return Step(note.number, note.revision, batch)


async def _show_conflicts(interaction: Interaction, step: Step, compared: Compared) -> None:
    t = mine(interaction)
    met = replaceable([one.note for one in compared.grave])
    step = replace(step, replaced={one.number: one.revision for one in met})
    note = await desk(interaction).app.notebook.ledger.note(guild_of(interaction), step.number)
    choices = ["narrow", "keep", "cancel"]
    if may_replace(note, met):
        choices = ["replace", "merge", *choices]
    view = buttons(*(StepButton(act, step, t) for act in choices))
    text = previews.conflicts(t, note, compared, len(step.replaced))
    await interaction.edit_original_response(content=text, view=view)


async def _open_edit(interaction: Interaction, step: Step) -> None:
    note = await desk(interaction).app.notebook.ledger.note(guild_of(interaction), step.number)

    async def then(submitted: Interaction, filled: Filled) -> None:
        # What stood in the form is what was read.
        read = step.at(note)
        await _revise(submitted, read, filled.fields(home_of(note, submitted)), again=True)

    t = mine(interaction)
    form = NoteForm(
        t,
        t("form.edit", number=note.number),
        then,
        text=note.text,
        question=note.question or "",
        note=note,
        in_place=True,
    )
    await interaction.response.send_modal(form)


async def _open_merge(interaction: Interaction, step: Step) -> None:
    ledger, guild = desk(interaction).app.notebook.ledger, guild_of(interaction)
    numbers = [*step.replaced, step.number]
    said = [(await ledger.note(guild, number)).text for number in numbers]

    async def then(submitted: Interaction, text: str) -> None:
        await _revise(submitted, step, {"text": text})

    await interaction.response.send_modal(
        TextForm(mine(interaction), "merge", "\n".join(said), then)
    )


async def _revise(
    interaction: Interaction, step: Step, fields: Any, *, again: bool = False
) -> None:
    """Change the draft, and show what would come of it; `again` compares it with others first."""
    at, guild = desk(interaction), guild_of(interaction)
    await at.require(Right.MODERATE, interaction)
    before = await at.app.notebook.ledger.note(guild, step.number)
    checked = replace(draft_of(before), **fields).checked()
    changed: Any = {
        name: getattr(checked, name)
        for name in fields
        if getattr(checked, name) != getattr(before, name)
    }
    if changed:
        act = by(interaction, where=before.source_url, batch=step.batch)
        note = await at.app.notebook.edit(guild, step.number, act, expect=step.revision, **changed)
        step = step.at(note)
    await (meet if again else preview)(interaction, step)


async def _cancel(interaction: Interaction, step: Step) -> None:
    at, guild, t = desk(interaction), guild_of(interaction), mine(interaction)
    note = await at.app.notebook.ledger.note(guild, step.number)
    # Somebody else's suggestion goes on waiting; one's own draft is given up.
    if note.author_id == str(interaction.user.id):
        note = await at.app.notebook.reject(guild, step.number, by(interaction))
        await at.staff.decided(note, "card.rejected", note.author_id)
    await interaction.edit_original_response(content=t("correct.cancelled"), view=None)
