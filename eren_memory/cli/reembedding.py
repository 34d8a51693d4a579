"""`eren reembed`: another embedding model, or back to the one before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from eren_memory.cli.common import actor, emit, json_option, opened, progress_bar, run

if TYPE_CHECKING:
    from eren_memory.ledger.spaces import Space


@click.command()
@click.option("--model", help="Embedding model to go to; without it, that of the settings.")
@click.option("--rollback", is_flag=True, help="Go back to the model before, while it is kept.")
@json_option
def reembed(model: str | None, *, rollback: bool, as_json: bool) -> None:
    """Embed every note with another model, while questions are answered with the old one.

    The new index is built beside the old one, verified, and then takes its place. Killed at any
    moment, it goes on when it is run again. While the bot runs, the bot does the work and this
    command shows how far it is.
    """
    if model is not None and rollback:
        raise click.UsageError("--rollback goes back to the model before: it takes no --model.")

    async def work() -> tuple[str, Space | None, bool]:
        async with opened() as app:
            reembedding, by = app.reembedding, actor().actor_id
            if rollback:
                await reembedding.wish_back(by)
            elif model is not None:
                await reembedding.wish(model, by)
            else:
                await reembedding.heed()
            wanted = await reembedding.wanted()
            with progress_bar("Embedding") as progress:
                live = await reembedding.finish(progress)
            await reembedding.tidy()
            return wanted or app.embedder.space, live, wanted is not None

    wanted, live, worked = run(work)
    if live is None:
        waits = {"space": wanted, "state": "waiting"}
        text = (
            f"{wanted} is noted. Another process has the index open and has not begun: the bot or "
            "a console does it within seconds of its start, or stop that process and run this again."
        )
        emit(waits, text, as_json=as_json)
        return
    data = {"space": live.space, "state": "live", **(live.report or {} if worked else {})}
    emit(data, _told(live, worked), as_json=as_json)


def _told(live: Space, worked: bool) -> str:
    if not worked or live.report is None:
        return f"The notes are embedded with {live.space} already. Nothing to do."
    done: dict[str, Any] = {**live.report}
    speed = done["embedded"] / done["seconds"] if done["seconds"] else 0.0
    lines = [
        f"Questions are answered with {live.space} from now on; {done['before']} is kept.",
        f"  notes        {done['notes']:,}, of which {done['embedded']:,} were embedded",
        f"  time         {done['seconds']:,.0f} s, {speed:,.0f} notes a second",
    ]
    if done["overlap"] is not None:
        lines.append(
            f"  overlap      {done['overlap']:.0%} of the nearest notes are the same beyond chance "
            f"({done['questions']} questions)"
        )
    lines.append(f"  calibration  {done['calibration']}")
    if done["agreement"] is not None:
        lines.append(f"  agreement    {done['agreement']:.0%} of pairs decided alike by retrieval")
    return "\n".join(lines)
