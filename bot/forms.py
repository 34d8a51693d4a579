"""The forms that people fill in. Each hands what it was given on to a coroutine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import discord

from bot.controls import Form, Interaction
from bot.desk import now
from bot.texts import Texts
from eren_memory.domain import Edited, Note, NoteDraft, Scope
from eren_memory.inputs import moment
from eren_memory.text import NOTE_LIMIT, QUESTION_LIMIT

_HERE, _EVERYWHERE, _AS_IT_IS = "here", "everywhere", "as it is"


@dataclass(frozen=True, slots=True)
class Filled:
    """What a note form was given."""

    text: str
    question: str | None
    valid_until: str | None
    reason: str | None
    where: str
    touched: frozenset[str]
    """Names of the inputs that say something else than they did at first."""

    def draft(self, channel_id: str, source_url: str | None) -> NoteDraft:
        """A new note. Raises `BadInput`."""
        return NoteDraft(
            text=self.text,
            question=self.question,
            source_url=source_url,
            reason=self.reason,
            scope=(channel_id,) if self.where == _HERE else (),
            valid_until=_ends(self.valid_until),
        )

    def fields(self, channel_id: str) -> Edited:
        """Changes to a note: of what was touched, nothing else. Raises `BadInput`."""
        scope: dict[str, Scope] = {_HERE: (channel_id,), _EVERYWHERE: ()}
        fields: Edited = {}
        if "text" in self.touched:
            fields["text"] = self.text
        if "question" in self.touched:
            fields["question"] = self.question
        if "until" in self.touched:
            fields["valid_until"] = _ends(self.valid_until)
        if "reason" in self.touched:
            fields["reason"] = self.reason
        if self.where in scope:
            fields["scope"] = scope[self.where]
        return fields


OnFilled = Callable[[Interaction, Filled], Awaitable[None]]


class NoteForm(Form):
    """A note: new, or as it is now.

    Args:
        t: The language of whoever fills it in.
        title: Of the form.
        then: Gets what was filled in, in a deferred interaction.
        text: What stands in it already.
        question: The question that it answers.
        note: The note that is edited; None for a new one.
        in_place: What comes of it is shown in the message whose button opened the form.
    """

    def __init__(
        self,
        t: Texts,
        title: str,
        then: OnFilled,
        *,
        text: str = "",
        question: str = "",
        note: Note | None = None,
        in_place: bool = False,
    ) -> None:
        super().__init__(title)
        self._then, self._in_place = then, in_place
        until = note.valid_until if note else None
        self._question = _line("question", question, QUESTION_LIMIT)
        self._text = _line("text", text, NOTE_LIMIT, required=True)
        self._until = _line("until", until.isoformat() if until else "", 40, short=True)
        self._reason = _line("reason", (note.reason or "") if note else "", NOTE_LIMIT, short=True)
        options = [_EVERYWHERE, _HERE] if note is None else [_AS_IT_IS, _EVERYWHERE, _HERE]
        self._where: discord.ui.RadioGroup[Any] = discord.ui.RadioGroup(
            custom_id="where",
            options=[
                discord.RadioGroupOption(
                    label=t(f"form.where_{one.replace(' ', '_')}"), value=one, default=place == 0
                )
                for place, one in enumerate(options)
            ],
        )
        for key, item in (
            ("question", self._question),
            ("text", self._text),
            ("where", self._where),
            ("until", self._until),
            ("reason", self._reason),
        ):
            self.add_item(
                discord.ui.Label(
                    text=t(f"form.{key}"), description=t(f"form.{key}_hint"), component=item
                )
            )

    async def submitted(self, interaction: Interaction) -> None:
        """Acknowledge, and hand it on."""
        await _acknowledge(interaction, in_place=self._in_place)
        inputs = (self._question, self._text, self._until, self._reason)
        filled = Filled(
            text=self._text.value,
            question=self._question.value.strip() or None,
            valid_until=self._until.value.strip() or None,
            reason=self._reason.value.strip() or None,
            where=self._where.value or _EVERYWHERE,
            touched=frozenset(
                one.custom_id for one in inputs if one.value.strip() != (one.default or "").strip()
            ),
        )
        await self._then(interaction, filled)


class TextForm(Form):
    """One text, such as what two notes say together; it is shown in the place of its button."""

    def __init__(
        self, t: Texts, key: str, text: str, then: Callable[[Interaction, str], Awaitable[None]]
    ) -> None:
        super().__init__(t(f"{key}.title"))
        self._then = then
        self._text = _line("text", text[:NOTE_LIMIT], NOTE_LIMIT, required=True)
        self.add_item(discord.ui.Label(text=t(f"{key}.text"), component=self._text))

    async def submitted(self, interaction: Interaction) -> None:
        """Acknowledge, and hand it on."""
        await _acknowledge(interaction, in_place=True)
        await self._then(interaction, self._text.value)


async def _acknowledge(interaction: Interaction, *, in_place: bool) -> None:
    if in_place:
        await interaction.response.defer()
    else:
        await interaction.response.defer(ephemeral=True, thinking=True)


def _line(
    custom_id: str, default: str, limit: int, *, required: bool = False, short: bool = False
) -> discord.ui.TextInput[Any]:
    return discord.ui.TextInput(
        custom_id=custom_id,
        style=discord.TextStyle.short if short else discord.TextStyle.paragraph,
        default=default[:limit] or None,
        max_length=limit,
        required=required,
    )


def _ends(raw: str | None) -> Any:
    return moment(raw, now(), ends=True) if raw else None
