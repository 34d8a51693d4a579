"""What administrators use: who may do what, where the bot speaks, how it sounds, and what it costs."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.ext import commands

from bot import budgets, render, selftest
from bot.access import Right
from bot.budget_form import MOST_QUESTIONS, BudgetForm
from bot.controls import Interaction, Lasting
from bot.desk import by, desk, guild_of, now
from bot.failures import Refused
from bot.setup_forms import AnswersForm, PeopleForm, PlacesForm
from bot.texts import Texts, mine
from eren_memory.community import GuildSettings
from eren_memory.domain import NoteStatus

if TYPE_CHECKING:
    from bot.client import ErenBot

_SPANS = (1, 7, 30)


@app_commands.guild_only()
@app_commands.default_permissions(manage_guild=True)
class Setup(commands.GroupCog, group_name="eren", group_description="How I work in this server"):
    """`/eren setup|status|usage|quota`."""

    def __init__(self, bot: ErenBot) -> None:
        self._desk = bot.desk

    @app_commands.command()
    async def setup(self, interaction: Interaction) -> None:
        """Choose who may do what, where I answer and how; and see what I lack."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await show(interaction, await self._desk.require(Right.ADMINISTRATE, interaction))

    @app_commands.command()
    async def status(self, interaction: Interaction) -> None:
        """Say what I run on, what the notebook holds, and what runs by itself."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        settings = await self._desk.require(Right.ADMINISTRATE, interaction)
        app, t = self._desk.app, mine(interaction)
        counts = await app.notebook.ledger.counts(guild_of(interaction))
        waiting = await app.reviews.waiting(guild_of(interaction), 1_000)
        notes = ", ".join(f"{n} {t(f'status.{status}')}" for status, n in counts.items() if n)
        text = t(
            "about.status",
            model=discord.utils.escape_markdown(app.model_of(settings)),
            calibrated=t(f"about.{'calibrated' if app.is_calibrated else 'uncalibrated'}"),
            notes=notes or t("value.none"),
            drafts=counts.get(NoteStatus.DRAFT, 0),
            waiting=len(waiting),
            lag=await app.notebook.ledger.outbox.count(),
            ping=round(interaction.client.latency * 1000)
            if interaction.client.latency == interaction.client.latency
            else "–",
        )
        standing = await app.purse.standing(guild_of(interaction), settings)
        states = await app.jobs.overview(guild_of(interaction))
        lines = [text, budgets.summary(t, standing), "", render.jobs_list(t, states)]
        page = render.cut("\n".join(lines))
        await interaction.edit_original_response(content=page)

    @app_commands.command()
    async def usage(self, interaction: Interaction) -> None:
        """What questions came to lately, and what they cost."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        settings = await self._desk.require(Right.ADMINISTRATE, interaction)
        guild, present = guild_of(interaction), now()
        spans = [
            await self._desk.app.records.spent(guild, present - timedelta(days=days), days)
            for days in _SPANS
        ]
        t = mine(interaction)
        standing = await self._desk.app.purse.standing(guild, settings)
        page = f"{render.usage_page(t, spans)}\n\n{budgets.page(t, standing)}"
        await interaction.edit_original_response(content=render.cut(page))

    @app_commands.command()
    @app_commands.describe(
        role="Whose members; leave it out to see every quota",
        questions="How many each of them may ask in a day; leave it out to remove the quota",
    )
    async def quota(
        self,
        interaction: Interaction,
        role: discord.Role | None = None,
        questions: app_commands.Range[int, 1, MOST_QUESTIONS] | None = None,
    ) -> None:
        """How many questions a day members of a role may ask, in the place of what everybody may."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        settings = await self._desk.require(Right.ADMINISTRATE, interaction)
        t = mine(interaction)
        if role is None:
            if questions is not None:
                raise Refused(t("budget.which_role"))
            page = budgets.quotas(t, settings.budget)
            await interaction.edit_original_response(content=render.cut(page))
            return
        budget = budgets.with_quota(t, settings.budget, str(role.id), questions)
        chosen = replace(settings, budget=budget)
        await self._desk.app.communities.choose(
            guild_of(interaction), chosen, by(interaction), now()
        )
        await interaction.edit_original_response(content=render.cut(budgets.quotas(t, budget)))


class SetupView(Lasting):
    """The buttons of the setup page; alive after a restart."""

    def __init__(self, t: Texts | None = None) -> None:
        super().__init__()
        if t is not None:
            self.people.label, self.places.label = t("setup.people"), t("setup.places")
            self.answers.label = t("setup.answers")
            self.budget.label, self.check.label = t("setup.budget"), t("setup.check")

    @discord.ui.button(label="People", custom_id="eren:setup:people")
    async def people(self, interaction: Interaction, _: discord.ui.Button[Any]) -> None:
        """Roles."""
        settings = await desk(interaction).require(Right.ADMINISTRATE, interaction)
        await interaction.response.send_modal(PeopleForm(mine(interaction), settings, show))

    @discord.ui.button(label="Channels", custom_id="eren:setup:places")
    async def places(self, interaction: Interaction, _: discord.ui.Button[Any]) -> None:
        """Channels."""
        settings = await desk(interaction).require(Right.ADMINISTRATE, interaction)
        await interaction.response.send_modal(PlacesForm(mine(interaction), settings, show))

    @discord.ui.button(label="Answers", custom_id="eren:setup:answers")
    async def answers(self, interaction: Interaction, _: discord.ui.Button[Any]) -> None:
        """Tone, length and model."""
        at = desk(interaction)
        settings = await at.require(Right.ADMINISTRATE, interaction)
        form = AnswersForm(mine(interaction), settings, at.app.models, show)
        await interaction.response.send_modal(form)

    @discord.ui.button(label="Budget", custom_id="eren:setup:budget")
    async def budget(self, interaction: Interaction, _: discord.ui.Button[Any]) -> None:
        """What may be used in a day."""
        at = desk(interaction)
        settings = await at.require(Right.ADMINISTRATE, interaction)
        form = BudgetForm(mine(interaction), settings, at.app, show)
        await interaction.response.send_modal(form)

    @discord.ui.button(label="Check", custom_id="eren:setup:check")
    async def check(self, interaction: Interaction, _: discord.ui.Button[Any]) -> None:
        """The self-test again."""
        await interaction.response.defer()
        await show(interaction, await desk(interaction).require(Right.ADMINISTRATE, interaction))


async def show(interaction: Interaction, settings: GuildSettings) -> None:
    """The setup page: what is chosen, and what is missing."""
    t, guild = mine(interaction), interaction.guild
    values = {one.name: getattr(settings, one.name) for one in fields(settings)}
    lines = [t("setup.title")]
    lines += [f"{t(f'setup.{name}')}: {_shown(t, name, value)}" for name, value in values.items()]
    found: list[str] = []
    if guild is not None:
        here = interaction.channel
        found = selftest.findings(
            t,
            guild,
            settings,
            here if isinstance(here, discord.abc.GuildChannel) else None,
            message_content=interaction.client.intents.message_content,
        )
    view = SetupView(t)
    view.stop()  # The registered one hears every click.
    text = render.cut(
        "\n".join([t("selftest.title"), *(found or [t("selftest.well")]), "", *lines])
    )
    await interaction.edit_original_response(content=text, view=view)


def _shown(t: Texts, name: str, value: Any) -> str:
    if name.endswith("_roles"):
        return ", ".join(f"<@&{one}>" for one in value) or t(f"setup.{name}_default")
    if name in ("staff_channel", "auto_channels"):
        ids = [value] if isinstance(value, str) else value or []
        return ", ".join(f"<#{one}>" for one in ids) or t("value.none")
    if name == "budget":
        return budgets.chosen(t, value)
    if name == "auto_quiet":
        return t(f"setup.quiet_{'yes' if value else 'no'}")
    if name in ("model", "time_zone"):
        return discord.utils.escape_markdown(value) if value else t(f"setup.{name}_default")
    return t(f"setup.{name}_{value}")
