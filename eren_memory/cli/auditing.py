"""`eren audit`: what has grown stale in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from eren_memory.cli.common import emit, guild_option, json_option, opened, progress_bar, run
from eren_memory.text import first_line, shown

if TYPE_CHECKING:
    from eren_memory.staleness import Finding, Report

_MOST = 10_000
_TITLE = 50


@click.command()
@click.option(
    "--calls", type=click.IntRange(min=0), help="The most model calls (EREN_AUDIT_CALLS)."
)
@guild_option
@json_option
def audit(calls: int | None, guild: str, *, as_json: bool) -> None:
    """Find notes that have grown stale, the most urgent first, with what could be done.

    Nothing is changed, but notes whose time is over expire. The model is asked only about what changed
    since it was last asked; what the calls do not reach, the next audit asks.
    """

    async def work() -> tuple[Report, list[Finding]]:
        from eren_memory.finding import utc_now

        async with opened() as app:
            with progress_bar("Looking") as progress:
                report = await app.audit(guild, calls, progress)
            return report, await app.findings.open(guild, utc_now(), _MOST)

    report, found = run(work)
    lines = [_line(one) for one in found]
    lines.append(
        f"{len(found):,} findings. {_told(report)}" if found else f"All well. {_told(report)}"
    )
    emit(_data(report, found), "\n".join(lines), as_json=as_json)


def _line(one: Finding) -> str:
    from eren_memory.staleness import ADVICE

    title = shown(first_line(one.note.text, _TITLE))
    return (
        f"{one.stale:<14} #{one.note.number} {title}\n{'':<14} {reason(one)}: {ADVICE[one.stale]}"
    )


def reason(one: Finding) -> str:
    """Why a note was found, with the evidence."""
    from eren_memory.staleness import Stale

    other = f"#{one.other.number}" if one.other else ""
    since, p = f"{one.since:%Y-%m-%d}" if one.since else "", f"p {one.p:.2f}" if one.p else ""
    return {
        Stale.CONFLICT: f"contradicts {other} ({p})",
        Stale.PROBE: f"{one.count} of {one.total} test questions fail",
        Stale.COMPLAINTS: f"{one.total} complaints, {one.count} that it should not have answered",
        Stale.SOURCE_DELETED: f"its source was deleted on {since}",
        Stale.SOURCE_EDITED: f"its source was edited on {since}",
        Stale.EXPIRED: f"expired on {since}",
        Stale.REVIEW: f"was to be reviewed by {since}",
        Stale.DUPLICATE: f"says the same as {other} ({p})",
        Stale.UNVERIFIED: f"nobody vouched for it since {since}",
        Stale.UNUSED: f"no answer came from it since {since}",
        Stale.OBSOLETE: f"the model said the same by itself, {one.count} times of {one.total}",
    }[one.stale]


def _told(report: Report) -> str:
    usage = report.usage
    cost = (
        f"{usage.calls:,} model calls, {usage.prompt_tokens + usage.completion_tokens:,} tokens: "
        f"{report.pairs:,} pairs and {report.probes:,} test questions."
    )
    if report.expired:
        cost = f"{report.expired:,} notes expired. {cost}"
    if report.stopped:
        return f"{cost} Asking ended early: {report.stopped}"
    return cost if report.complete else f"{cost} The next audit asks the rest."


def _data(report: Report, found: list[Finding]) -> dict[str, Any]:
    from eren_memory.staleness import ADVICE

    return {
        "guild": report.guild_id,
        "findings": [
            {
                "reason": str(one.stale),
                "number": one.note.number,
                "id": str(one.note.id),
                "revision": one.note.revision,
                "other": one.other.number if one.other else None,
                "since": one.since.isoformat() if one.since else None,
                "count": one.count,
                "total": one.total,
                "p": one.p,
                "evidence": reason(one),
                "suggestion": ADVICE[one.stale],
            }
            for one in found
        ],
        "expired": report.expired,
        "complete": report.complete,
        "stopped": report.stopped,
        "pairs": report.pairs,
        "probes": report.probes,
        "calls": report.usage.calls,
        "tokens": {
            "prompt": report.usage.prompt_tokens,
            "completion": report.usage.completion_tokens,
        },
    }
