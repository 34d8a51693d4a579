"""What is to be seen of a flow, in its order: read from the messages and forms of simulated Discord."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tests.bot.conftest import World
from tests.pictures.lettering import Names

TODAY = date(2026, 3, 2)
"""Pictures are drawn as of this day, whenever they are made."""

_EPHEMERAL = 1 << 6
_TOOK = re.compile(r"\d+\.\d s$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Step:
    """Somebody does something."""

    who: str
    does: str


@dataclass(frozen=True, slots=True)
class Place:
    """What follows is in this channel."""

    name: str


@dataclass(frozen=True, slots=True)
class Button:
    """With Discord's number for its style."""

    label: str
    emoji: str
    style: int
    disabled: bool


@dataclass(frozen=True, slots=True)
class Message:
    """As it is at one moment."""

    author: str
    by_bot: bool
    text: str
    rows: tuple[tuple[Button, ...], ...]
    private: bool
    edited: bool
    above: str
    pressed: str | None


@dataclass(frozen=True, slots=True)
class Input:
    """A field of a form with what stands in it."""

    label: str
    hint: str
    value: str
    options: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class Form:
    """As it is sent."""

    title: str
    inputs: tuple[Input, ...]


@dataclass
class Story:
    """One flow. Its methods are called as it goes, because a message that is shown may change later."""

    world: World
    shown: list[Step | Place | Message | Form] = field(default_factory=list)

    @property
    def names(self) -> Names:
        """People and channels by their names; moments as if it were `TODAY`."""
        return Names(self._person, self._place, self._moment)

    def step(self, who: str, does: str) -> None:
        """Somebody does something, in words with the marks of a message."""
        self.shown.append(Step(who, does))

    def place(self, channel: Any) -> None:
        """What follows is in this channel."""
        self.shown.append(Place(channel.name))

    def message(self, message: Any, pressed: str | None = None, *, edited: bool = False) -> None:
        """A message as it is now; `pressed` is the button that is clicked next."""
        seen = self.world.payload(message)
        rows = tuple(
            tuple(
                Button(
                    one.get("label") or "",
                    (one.get("emoji") or {}).get("name") or "",
                    one["style"],
                    bool(one.get("disabled")),
                )
                for one in row["components"]
            )
            for row in seen["components"]
        )
        labels = {one.label or one.emoji for row in rows for one in row}
        if pressed is not None and pressed not in labels:
            raise AssertionError(f"there is no button {pressed!r} but {sorted(labels)}")
        by_bot = bool(seen["author"].get("bot"))
        private = bool(seen["flags"] & _EPHEMERAL)
        self.shown.append(
            Message(
                author="eren-bot" if by_bot else seen["author"]["username"],
                by_bot=by_bot,
                text=_TOOK.sub("0.4 s", seen["content"]),
                rows=rows,
                private=private,
                edited=edited,
                above="" if private else _above(seen),
                pressed=pressed,
            )
        )

    def form(self, modal: Mapping[str, Any] | None, filled: Mapping[str, str]) -> None:
        """A form that opened, with what is put into it before it is sent."""
        assert modal is not None, "no form opened"
        inputs = []
        for label in modal["components"]:
            given = label["component"]
            now = filled.get(given["custom_id"], given.get("value") or "")
            options = tuple(
                (
                    one["label"],
                    one["value"] == now if now else bool(one.get("default")),
                )
                for one in given.get("options", ())
            )
            hint = label.get("description") or ""
            inputs.append(Input(label["label"], hint, "" if options else now, options))
        self.shown.append(Form(modal["title"], tuple(inputs)))

    def _person(self, id_: int) -> str:
        return str(self.world.env.backend.get_user(id_).name)

    def _place(self, id_: int) -> str:
        return str(self.world.guild.channels[id_].name)

    def _moment(self, moment: int, style: str) -> str:
        gone = datetime.fromtimestamp(moment, UTC) - datetime.now(UTC)
        days = round(gone / timedelta(days=1))
        if style != "R":
            return f"{TODAY + timedelta(days=days):%d/%m/%Y}"
        if not days:
            return "today"
        said = "1 day" if abs(days) == 1 else f"{abs(days)} days"
        return f"in {said}" if days > 0 else f"{said} ago"


def _above(seen: Mapping[str, Any]) -> str:
    """What Discord writes over a message: whose command it answers, or what it replies to."""
    asked = seen.get("interaction_metadata")
    if asked and asked.get("command_type") == 1:
        return f"{asked['user']['username']} used /{asked['name']}"
    replied = seen.get("referenced_message")
    if replied:
        first = replied["content"].split("\n")[0]
        return f"reply to: {first}"
    return ""
