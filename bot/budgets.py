"""The daily budgets in words: what is used, what is said at the limit, and what the staff are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bot import render
from bot.failures import Refused
from bot.texts import Texts
from eren_memory.budget_warnings import Warned
from eren_memory.budgets import EVERY_GUILD, MICRO, Line
from eren_memory.community import GuildBudget
from eren_memory.purse import Standing, Ticket
from eren_memory.setting_values import Instead

_MOST_ROLES = 25


def refusal(t: Texts, ticket: Ticket) -> str:
    """Why a question is not asked, and when one will be."""
    quota = ticket.decision.quota
    if quota is not None:
        return t("budget.quota", count=quota, until=when(ticket.until))
    return t("budget.refused", until=when(ticket.until))


def nothing_sure(t: Texts, ticket: Ticket) -> str:
    """No note is sure to answer, and the model is not asked any more today."""
    return t("budget.no_note", until=when(ticket.until))


def warning(t: Texts, warned: Warned) -> str:
    """For the staff channel, or for who runs the bot."""
    whole = "all_" if warned.line.guild_id == EVERY_GUILD else ""
    stage = "spent" if warned.percent >= 100 else "near"
    return t(
        f"budget.{whole}{stage}",
        percent=warned.percent,
        budget=amount(t, warned.line.budget, warned.line.most),
        until=when(warned.until),
        instead=way(t, warned.instead),
    )


def page(t: Texts, standing: Standing | None) -> str:
    """Today, for the page of usage."""
    if standing is None:
        return t("budget.none")
    lines = [t("budget.title", until=when(standing.ends[0]))]
    lines += [line(t, one, standing) for one in standing.lines]
    if standing.member is not None:
        lines.append(t("budget.member", count=standing.member))
    lines.append(t("budget.then", instead=way(t, standing.instead)))
    for bill in standing.bills:
        told = t(
            "budget.model",
            model=render.title_of(bill.model),
            calls=f"{bill.usage.calls:,}",
            tokens=f"{bill.tokens:,}",
        )
        lines.append(f"{told} · {_money(bill.cost)}" if bill.cost else told)
    for one in standing.spenders:
        lines.append(
            t(
                "budget.spender",
                person=render.person(t, one.member_id),
                count=one.used.questions,
                tokens=f"{one.used.tokens:,}",
            )
        )
    return "\n".join(lines)


def summary(t: Texts, standing: Standing | None) -> str:
    """Today in one line."""
    told = standing and ", ".join(line(t, one, standing) for one in standing.lines)
    return t("budget.summary", budgets=told) if told else t("budget.none")


def line(t: Texts, one: Line, standing: Standing) -> str:
    """One budget and what is used of it."""
    whole = one.guild_id == EVERY_GUILD
    if whole:
        # How much the other servers use is for the operator; that it ends is for everybody.
        return t("budget.all_line", percent=one.percent, until=when(standing.ends[1]))
    return t(
        "budget.line",
        used=_number(one.budget, one.used),
        budget=amount(t, one.budget, one.most),
        percent=one.percent,
    )


def chosen(t: Texts, budget: GuildBudget) -> str:
    """What a server chose, for the page of the setup."""
    parts = [
        amount(t, name, value)
        for name, value in (
            ("questions", budget.questions),
            ("tokens", budget.tokens),
            ("money", None if budget.money is None else round(budget.money * MICRO)),
        )
        if value is not None
    ]
    if budget.member_questions is not None:
        parts.append(t("budget.member", count=budget.member_questions))
    if budget.role_questions:
        parts.append(t("budget.roles", count=len(budget.role_questions)))
    if budget.at_limit:
        parts.append(t("budget.then", instead=way(t, Instead.parse(budget.at_limit))))
    return " · ".join(parts) or t("setup.budget_default")


def quotas(t: Texts, budget: GuildBudget) -> str:
    """The quotas of roles, the most generous first."""
    listed = sorted(budget.role_questions, key=lambda one: -one[1])
    lines = [t("budget.role", role=f"<@&{role}>", count=most) for role, most in listed]
    return "\n".join(lines) or t("budget.no_roles")


def with_quota(t: Texts, budget: GuildBudget, role: str, questions: int | None) -> GuildBudget:
    """The budget with another quota of a role, or without one. Raises `Refused`."""
    others = [one for one in budget.role_questions if one[0] != role]
    if questions is not None:
        others.append((role, questions))
    if len(others) > _MOST_ROLES:
        raise Refused(t("budget.too_many_roles", count=_MOST_ROLES))
    return replace(budget, role_questions=tuple(sorted(others)))


def amount(t: Texts, budget: str, most: int) -> str:
    """So many questions, tokens, or so much money, a day."""
    return t(f"budget.of_{budget}", amount=_number(budget, most))


def way(t: Texts, instead: Instead) -> str:
    """What is done at the limit."""
    name = instead.way.name.lower()
    return t(f"budget.way_{name}", model=render.title_of(instead.model or ""))


def when(moment: datetime) -> str:
    """A moment and how far it is, on the reader's clocks."""
    return f"<t:{int(moment.timestamp())}:t> ({render.relative(moment)})"


def _number(budget: str, value: int) -> str:
    return _money(value) if budget == "money" else f"{value:,}"


def _money(micros: int) -> str:
    return f"{micros / MICRO:,.2f}" if micros >= MICRO / 100 else f"{micros / MICRO:.6f}"
