"""`eren calibrate --from-feedback`: what people's feedback says of the threshold."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eren_memory.cli.common import emit, opened, run

if TYPE_CHECKING:
    from eren_memory.recalibration import Proposal


def calibrate(out: Path | None, *, apply: bool, as_json: bool) -> None:
    """Show the proposals; with `apply`, write those that are clearly better."""
    from eren_memory import calibrations
    from eren_memory.app import own_calibrations
    from eren_memory.recalibration import moved, proposals, told

    async def work() -> tuple[list[Proposal], str]:
        async with opened() as app:
            found = await proposals(app.notebook.ledger, app.all_calibrations)
            better = [one for one in found if one.better]
            if not (apply and better):
                return found, "Nothing was changed."
            of = {one.model: one for one in app.all_calibrations.values()}
            today = datetime.now(UTC).date()
            made = {
                one.key: moved(
                    of[one.key.model].get(one.key.task, logprobs=one.key.logprobs), one, today
                )
                for one in better
            }
            target = out or own_calibrations(app.settings)
            calibrations.write(target, made)
            return found, f"Written to {target}; a bot that runs uses it after its next start."

    found, outcome = run(work)
    lines = [told(one) for one in found] or ["Nobody has rated or corrected such an answer yet."]
    data = {"proposals": [_plain(one) for one in found], "outcome": outcome}
    emit(data, "\n".join([*lines, outcome]), as_json=as_json)


def _plain(one: Proposal) -> dict[str, Any]:
    return asdict(one) | {"enough": one.enough, "better": one.better}
