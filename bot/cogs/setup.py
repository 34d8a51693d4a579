"""What administrators use: who may do what, where the bot speaks, how it sounds, and what it costs."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.ext import commands

from bot import render, selftest
from bot.access import Right
from bot.controls import Form, Interaction, Lasting
from bot.desk import by, desk, guild_of, now
from bot.texts import Texts, mine
from eren_memory.community import GuildSettings, Length, Tone
from eren_memory.domain import NoteStatus

if TYPE_CHECKING:
    from bot.client import ErenBot

_ROLES = ("ask_roles", "suggest_roles", "moderate_roles", "admin_roles", "helper_roles")
_MOST = 25
_SPANS = (1, 7, 30)


@app_commands.guild_only()
@app_commands.default_permissions(manage_guild=True)
class Setup(commands.GroupCog, group_name="eren", group_description="How I work in this server"):
    """`/eren setup|status|usage`."""

    def __init__(self, bot: ErenBot) -> None:
        self._desk = bot.desk

    @app_commands.command()
    async def setup(self, interaction: Interaction) -> None:
        """Choose who may do what, where I answer and how; and see what I lack."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await show(interaction, await self._desk.require(Right.ADMINISTRATE, interaction))

    @app_commands.command()
    async def status(self, interaction: Interaction) -> None:
        """Say what I run on, and what the notebook holds."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        settings = await self._desk.require(Right.ADMINISTRATE, interaction)
        app, t = self._desk.app, mine(interaction)
        counts = await app.notebook.ledger.counts(guild_of(interaction))
        waiting = await app.reviews.waiting(guild_of(interaction), 1_000)
        notes = ", ".join(f"{n} {t(f'status.{status}')}" for status, n in counts.items() if n)
        text = t(
            "about.status",
            model=discord.utils.escape_markdown(settings.model or app.models[0]),
            calibrated=t(f"about.{'calibrated' if app.is_calibrated else 'uncalibrated'}"),
            notes=notes or t("value.none"),
            drafts=counts.get(NoteStatus.DRAFT, 0),
            waiting=len(waiting),
            lag=await app.notebook.ledger.outbox.count(),
            ping=round(interaction.client.latency * 1000)
            if interaction.client.latency == interaction.client.latency
            else "–",
        )
        await interaction.edit_original_response(content=text)

    @app_commands.command()
    async def usage(self, interaction: Interaction) -> None:
        """What questions came to lately, and what they cost."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self._desk.require(Right.ADMINISTRATE, interaction)
        guild, present = guild_of(interaction), now()
        spans = [
            await self._desk.app.records.spent(guild, present - timedelta(days=days), days)
            for days in _SPANS
        ]
        page = render.usage_page(mine(interaction), spans)
        await interaction.edit_original_response(content=page)


class SetupView(Lasting):
    """The buttons of the setup page; alive after a restart."""

    def __init__(self, t: Texts | None = None) -> None:
        super().__init__()
        if t is not None:
            self.people.label, self.places.label = t("setup.people"), t("setup.places")
            self.answers.label = t("setup.answers")
            self.check.label = t("setup.check")

    @discord.ui.button(label="People", custom_id="eren:setup:people")
    async def people(self, interaction: Interaction, _: discord.ui.Button[Any]) -> None:
        """Roles."""
        settings = await desk(interaction).require(Right.ADMINISTRATE, interaction)
        await interaction.response.send_modal(PeopleForm(mine(interaction), settings))

    @discord.ui.button(label="Channels", custom_id="eren:setup:places")
    async def places(self, interaction: Interaction, _: discord.ui.Button[Any]) -> None:
        """Channels."""
        settings = await desk(interaction).require(Right.ADMINISTRATE, interaction)
        await interaction.response.send_modal(PlacesForm(mine(interaction), settings))

    @discord.ui.button(label="Answers", custom_id="eren:setup:answers")
    async def answers(self, interaction: Interaction, _: discord.ui.Button[Any]) -> None:
        """Tone, length and model."""
        at = desk(interaction)
        settings = await at.require(Right.ADMINISTRATE, interaction)
        form = AnswersForm(mine(interaction), settings, at.app.models)
        await interaction.response.send_modal(form)

    @discord.ui.button(label="Check", custom_id="eren:setup:check")
    async def check(self, interaction: Interaction, _: discord.ui.Button[Any]) -> None:
        """The self-test again."""
        await interaction.response.defer()
        await show(interaction, await desk(interaction).require(Right.ADMINISTRATE, interaction))


class _SettingsForm(Form):
    """A form that changes some of a guild's settings."""

    def __init__(self, t: Texts, key: str) -> None:
        super().__init__(title=t(f"setup.{key}")[:45])
        self._t = t

    def _add(self, key: str, item: discord.ui.Item[Any]) -> None:
        text, hint = self._t(f"setup.{key}"), self._t(f"setup.{key}_hint")
        self.add_item(discord.ui.Label(text=text, description=hint, component=item))

    def chosen(self, settings: GuildSettings) -> GuildSettings:
        """The settings with what was filled in."""
        raise NotImplementedError

    async def on_submit(self, interaction: Interaction) -> None:
        """Save, on top of what the settings are by now."""
        await interaction.response.defer()
        at = desk(interaction)
        settings = await at.require(Right.ADMINISTRATE, interaction)
        chosen = self.chosen(settings)
        await at.app.communities.choose(guild_of(interaction), chosen, by(interaction), now())
        await show(interaction, chosen)


class PeopleForm(_SettingsForm):
    """Which roles may do what."""

    def __init__(self, t: Texts, settings: GuildSettings) -> None:
        super().__init__(t, "people")
        self._roles = {name: _roles(name, getattr(settings, name)) for name in _ROLES}
        for name, item in self._roles.items():
            self._add(name, item)

    def chosen(self, settings: GuildSettings) -> GuildSettings:
        """See `_SettingsForm.chosen`."""
        picked: Any = {name: _ids(item.values) for name, item in self._roles.items()}
        return replace(settings, **picked)


class PlacesForm(_SettingsForm):
    """The staff's channel, and where the bot answers without being asked."""

    def __init__(self, t: Texts, settings: GuildSettings) -> None:
        super().__init__(t, "places")
        staff = [settings.staff_channel] if settings.staff_channel else []
        self._staff = _channels("staff_channel", staff, [discord.ChannelType.text], 1)
        kinds = [discord.ChannelType.text, discord.ChannelType.forum]
        self._auto = _channels("auto_channels", settings.auto_channels, kinds, _MOST)
        self._quiet: discord.ui.RadioGroup[Any] = discord.ui.RadioGroup(
            custom_id="auto_quiet",
            options=[
                discord.RadioGroupOption(
                    label=t(f"setup.quiet_{one}"),
                    value=one,
                    default=settings.auto_quiet == (one == "yes"),
                )
                for one in ("yes", "no")
            ],
        )
        self._add("staff_channel", self._staff)
        self._add("auto_channels", self._auto)
        self._add("auto_quiet", self._quiet)

    def chosen(self, settings: GuildSettings) -> GuildSettings:
        """See `_SettingsForm.chosen`."""
        staff = _ids(self._staff.values)
        return replace(
            settings,
            staff_channel=staff[0] if staff else None,
            auto_channels=_ids(self._auto.values),
            auto_quiet=self._quiet.value != "no",
        )


class AnswersForm(_SettingsForm):
    """How answers sound, and which model makes them."""

    def __init__(self, t: Texts, settings: GuildSettings, models: tuple[str, ...]) -> None:
        super().__init__(t, "answers")
        self._tone = _choice(t, "tone", [str(one) for one in Tone], settings.tone)
        self._length = _choice(t, "length", [str(one) for one in Length], settings.length)
        self._add("tone", self._tone)
        self._add("length", self._length)
        self._model: discord.ui.Select[Any] | None = None
        if len(models) > 1:
            current = settings.model or models[0]
            self._model = discord.ui.Select(
                custom_id="model",
                options=[
                    discord.SelectOption(label=one[:100], value=one[:100], default=one == current)
                    for one in models[:_MOST]
                ],
            )
            self._add("model", self._model)

    def chosen(self, settings: GuildSettings) -> GuildSettings:
        """See `_SettingsForm.chosen`."""
        model = settings.model
        if self._model is not None and self._model.values:
            model = self._model.values[0]
        return replace(
            settings,
            tone=Tone(self._tone.value or settings.tone),
            length=Length(self._length.value or settings.length),
            model=model,
        )


async def show(interaction: Interaction, settings: GuildSettings) -> None:
    """The setup page: what is chosen, and what is missing."""
    t, guild = mine(interaction), interaction.guild
    values = asdict(settings)
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
    lines += ["", t("selftest.title"), *(found or [t("selftest.well")])]
    view = SetupView(t)
    await interaction.edit_original_response(content=render.cut("\n".join(lines)), view=view)


def _shown(t: Texts, name: str, value: Any) -> str:
    if name.endswith("_roles"):
        return ", ".join(f"<@&{one}>" for one in value) or t(f"setup.{name}_default")
    if name in ("staff_channel", "auto_channels"):
        ids = [value] if isinstance(value, str) else value or []
        return ", ".join(f"<#{one}>" for one in ids) or t("value.none")
    if name == "auto_quiet":
        return t(f"setup.quiet_{'yes' if value else 'no'}")
    if name == "model":
        return discord.utils.escape_markdown(value) if value else t("setup.model_default")
    return t(f"setup.{name}_{value}")


def _roles(name: str, chosen: tuple[str, ...]) -> discord.ui.RoleSelect[Any]:
    return discord.ui.RoleSelect(
        custom_id=name,
        min_values=0,
        max_values=_MOST,
        required=False,
        default_values=[discord.Object(int(one)) for one in chosen if one.isdigit()],
    )


def _channels(
    name: str, chosen: Any, kinds: list[discord.ChannelType], most: int
) -> discord.ui.ChannelSelect[Any]:
    return discord.ui.ChannelSelect(
        custom_id=name,
        channel_types=kinds,
        min_values=0,
        max_values=most,
        required=False,
        default_values=[discord.Object(int(one)) for one in chosen],
    )


def _choice(t: Texts, name: str, values: list[str], current: str) -> discord.ui.RadioGroup[Any]:
    return discord.ui.RadioGroup(
        custom_id=name,
        options=[
            discord.RadioGroupOption(
                label=t(f"setup.{name}_{one}"), value=one, default=one == current
            )
            for one in values
        ],
    )


def _ids(values: Any) -> tuple[str, ...]:
    return tuple(sorted(str(one.id) for one in values))
