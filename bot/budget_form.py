"""The form of a server's daily budget."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import discord

from bot import budgets
from bot.failures import Refused
from bot.setup_forms import SettingsForm, Then
from bot.texts import Texts
from eren_memory.app import App
from eren_memory.community import GuildSettings
from eren_memory.setting_values import AtLimit, Instead

MOST_QUESTIONS = 1_000_000
"""More than anybody asks in a day."""
_MOST_TOKENS, _MOST_MONEY = 1_000_000_000_000, 1_000_000
_MOST_MODELS = 20
_OPERATORS = "operator"


class BudgetForm(SettingsForm):
    """What members and the server may use in a day, and what is done then; empty for no limit."""

    def __init__(self, t: Texts, settings: GuildSettings, app: App, then: Then) -> None:
        super().__init__(t, "budget", then)
        self._unpriced = app.settings.unpriced_models
        now = settings.budget
        self._inputs = {
            "member_questions": _number(now.member_questions),
            "questions": _number(now.questions),
            "tokens": _number(now.tokens),
            "money": _number(now.money),
        }
        for name, item in self._inputs.items():
            item.custom_id = name
            self.add(f"budget_{name}", item)
        ways = [Instead(), Instead(AtLimit.REFUSE)]
        ways += [Instead(AtLimit.CHEAPER, model) for model in app.models[:_MOST_MODELS]]
        values = {_OPERATORS: t("budget.way_operator")}
        values |= {str(one)[:100]: budgets.way(t, one)[:100] for one in ways}
        if len(app.models) == 1:  # There is no other.
            values.pop(str(ways[-1])[:100])
        current = now.at_limit if now.at_limit in values else _OPERATORS
        self._way: discord.ui.Select[Any] = discord.ui.Select(
            custom_id="at_limit",
            options=[
                discord.SelectOption(label=label, value=value, default=value == current)
                for value, label in values.items()
            ],
        )
        self.add("budget_at_limit", self._way)

    def chosen(self, settings: GuildSettings) -> GuildSettings:
        """See `SettingsForm.chosen`. Raises `Refused`."""
        typed = {name: item.value for name, item in self._inputs.items()}
        money = self._money(typed["money"])
        way = self._way.values[0] if self._way.values else settings.budget.at_limit
        budget = replace(
            settings.budget,
            member_questions=self._whole(typed["member_questions"], MOST_QUESTIONS),
            questions=self._whole(typed["questions"], MOST_QUESTIONS),
            tokens=self._whole(typed["tokens"], _MOST_TOKENS),
            money=money,
            at_limit=None if way == _OPERATORS else way,
        )
        return replace(settings, budget=budget)

    def _whole(self, typed: str, most: int) -> int | None:
        if not (text := typed.strip()):
            return None
        if (
            not (text.isascii() and text.isdecimal() and len(text) <= 13)
            or not 1 <= int(text) <= most
        ):
            raise Refused(
                self.t("budget.no_number", typed=discord.utils.escape_markdown(text)[:40])
            )
        return int(text)

    def _money(self, typed: str) -> float | None:
        if not (text := typed.strip()):
            return None
        if self._unpriced:
            raise Refused(self.t("budget.no_price"))
        try:
            amount = float(text.replace(",", "."))
        except ValueError:
            amount = 0.0
        if not 0 < amount <= _MOST_MONEY:
            raise Refused(self.t("budget.no_money", typed=discord.utils.escape_markdown(text)[:40]))
        return amount


def _number(value: float | None) -> discord.ui.TextInput[Any]:
    default = "" if value is None else f"{value:.10g}" if isinstance(value, float) else str(value)
    return discord.ui.TextInput(required=False, max_length=20, default=default)
