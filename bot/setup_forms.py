"""The forms of the setup page: who may do what, where the bot speaks, and how it sounds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import discord

from bot.access import Right
from bot.controls import Form, Interaction
from bot.desk import by, desk, guild_of, now
from bot.texts import Texts
from eren_memory.community import Digest, GuildSettings, Length, Tone
from eren_memory.inputs import time_zone

Then = Callable[[Interaction, GuildSettings], Awaitable[None]]
"""Shows the settings that were saved."""

_ROLES = ("ask_roles", "suggest_roles", "moderate_roles", "admin_roles", "helper_roles")
_MOST = 25


class SettingsForm(Form):
    """A form that changes some of a guild's settings."""

    def __init__(self, t: Texts, key: str, then: Then) -> None:
        super().__init__(t(f"setup.{key}"))
        self.t, self._then = t, then

    def add(self, key: str, item: discord.ui.Item[Any]) -> None:
        """A field with the label and the hint of that name."""
        text, hint = self.t(f"setup.{key}"), self.t(f"setup.{key}_hint")
        self.add_item(discord.ui.Label(text=text, description=hint, component=item))

    def chosen(self, settings: GuildSettings) -> GuildSettings:
        """The settings with what was filled in."""
        raise NotImplementedError

    async def submitted(self, interaction: Interaction) -> None:
        """Save, on top of what the settings are by now."""
        await interaction.response.defer()
        at = desk(interaction)
        settings = await at.require(Right.ADMINISTRATE, interaction)
        chosen = self.chosen(settings)
        await at.app.communities.choose(guild_of(interaction), chosen, by(interaction), now())
        await self._then(interaction, chosen)


class PeopleForm(SettingsForm):
    """Which roles may do what."""

    def __init__(self, t: Texts, settings: GuildSettings, then: Then) -> None:
        super().__init__(t, "people", then)
        self._roles = {name: _roles(name, getattr(settings, name)) for name in _ROLES}
        for name, item in self._roles.items():
            self.add(name, item)

    def chosen(self, settings: GuildSettings) -> GuildSettings:
        """See `SettingsForm.chosen`."""
        picked: Any = {name: _ids(item.values) for name, item in self._roles.items()}
        return replace(settings, **picked)


class PlacesForm(SettingsForm):
    """The staff's channel, where the bot answers without being asked, and whose clocks it goes by."""

    def __init__(self, t: Texts, settings: GuildSettings, then: Then) -> None:
        super().__init__(t, "places", then)
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
        self._digest = _choice(t, "digest", [str(one) for one in Digest], settings.digest)
        self.add("staff_channel", self._staff)
        self.add("digest", self._digest)
        self.add("auto_channels", self._auto)
        self.add("auto_quiet", self._quiet)
        self._zone: discord.ui.TextInput[Any] = discord.ui.TextInput(
            custom_id="time_zone", required=False, max_length=64, default=settings.time_zone or ""
        )
        self.add("time_zone", self._zone)

    def chosen(self, settings: GuildSettings) -> GuildSettings:
        """See `SettingsForm.chosen`."""
        staff = _ids(self._staff.values)
        return replace(
            settings,
            staff_channel=staff[0] if staff else None,
            digest=Digest(self._digest.value or settings.digest),
            auto_channels=_ids(self._auto.values),
            auto_quiet=self._quiet.value != "no",
            time_zone=time_zone(self._zone.value) if self._zone.value.strip() else None,
        )


class AnswersForm(SettingsForm):
    """How answers sound, and which model makes them."""

    def __init__(
        self, t: Texts, settings: GuildSettings, models: tuple[str, ...], then: Then
    ) -> None:
        super().__init__(t, "answers", then)
        self._tone = _choice(t, "tone", [str(one) for one in Tone], settings.tone)
        self._length = _choice(t, "length", [str(one) for one in Length], settings.length)
        self.add("tone", self._tone)
        self.add("length", self._length)
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
            self.add("model", self._model)

    def chosen(self, settings: GuildSettings) -> GuildSettings:
        """See `SettingsForm.chosen`."""
        model = settings.model
        if self._model is not None and self._model.values:
            model = self._model.values[0]
        return replace(
            settings,
            tone=Tone(self._tone.value or settings.tone),
            length=Length(self._length.value or settings.length),
            model=model,
        )


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
