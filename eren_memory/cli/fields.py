"""Options that name a note's fields, and what they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from eren_memory.domain import Edited, Probes

_FIELDS = (
    click.option("--question", help="The question that the note corrects."),
    click.option("--source", help="Where it comes from: a link."),
    click.option("--scope", help="guild, or channel: and channel ids with commas between."),
    click.option("--valid-from", metavar="DATE", help="It answers from then on."),
    click.option("--valid-until", metavar="DATE", help="It answers until then: 2027-01-31, 90d."),
    click.option("--review-by", metavar="DATE", help="Somebody should look at it then."),
    click.option("--probe", multiple=True, help="A question that it must answer. Repeatable."),
    click.option("--probe-not", multiple=True, help="A question it must leave alone. Repeatable."),
)


def field_options(command: Callable[..., None]) -> Callable[..., None]:
    """Every field but the text, as options of a command."""
    for option in reversed(_FIELDS):
        command = option(command)
    return command


def edited(options: dict[str, Any]) -> Edited:
    """The fields that options name, as a note has them."""
    from eren_memory.finding import utc_now
    from eren_memory.inputs import moment, scope

    now, fields = utc_now(), Edited()
    for option, name in (("question", "question"), ("source", "source_url")):
        if (text := options.get(option)) is not None:
            fields[name] = text or None  # type: ignore[literal-required]
    for name in ("valid_from", "valid_until", "review_by"):
        if (text := options.get(name)) is not None:
            found = moment(text or "permanent", now, ends=name == "valid_until")
            fields[name] = found  # type: ignore[literal-required]
    if (text := options.get("scope")) is not None:
        fields["scope"] = scope(text or "guild")
    return fields


def with_probes(now: Probes, change: Sequence[str], keep: Sequence[str]) -> Probes:
    """The probes that options name in the place of those of the same kind; an empty one clears."""
    return Probes(
        tuple(one for one in change if one) if change else now.change,
        tuple(one for one in keep if one) if keep else now.keep,
    )
