"""`eren status`, `eren model`, `eren console` and `eren demo`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from eren_memory.cli.common import actor, emit, guild_option, json_option, opened, progress_bar, run
from eren_memory.config import load_settings

if TYPE_CHECKING:
    from eren_memory.jobs import JobState
    from eren_memory.purse import Standing
    from eren_memory.reconciling import Reconciled


@click.command()
@guild_option
@json_option
def status(guild: str, *, as_json: bool) -> None:
    """Say what is configured, how many notes there are, and whether the decision is calibrated."""
    from eren_memory.relevance import Task
    from eren_memory.terminal import budget_text, reembedding_text

    async def work() -> dict[str, Any]:
        async with opened() as app:
            counts = await app.notebook.ledger.counts(guild)
            fitted = app.calibrations.get(Task.QUESTION, logprobs=True).fitted
            settings = app.settings
            return {
                "home": str(settings.home),
                "model": app.chat_model.name,
                "endpoint": "embedded"
                if app.local_server
                else settings.openai_base_url or "OpenAI",
                "embedder": app.embedder.space,
                "reembedding": await app.reembedding.state(),
                "calibration": fitted or "uncalibrated",
                "index": settings.qdrant_url or "embedded",
                "guild": guild,
                "notes": {str(one): count for one, count in counts.items()},
                "waiting_for_index": await app.notebook.ledger.outbox.count(),
                "budget": _plain_budget(
                    await app.purse.standing(guild, await app.communities.settings(guild))
                ),
                "jobs": [_plain_job(one) for one in await app.jobs.overview(guild)],
            }

    data = run(work)
    jobs = data["jobs"]
    told = {**data, "notes": ", ".join(f"{n} {s}" for s, n in data["notes"].items()) or "none"}
    del told["jobs"]
    told["budget"] = budget_text(data["budget"])
    told["reembedding"] = reembedding_text(data["reembedding"])
    lines = [f"{name.replace('_', ' '):<18} {value}" for name, value in told.items()]
    lines += ["", *(_job_line(one) for one in jobs)]
    emit(data, "\n".join(lines), as_json=as_json)


def _plain_budget(standing: Standing | None) -> dict[str, Any] | None:
    """How the guild's day stands, as JSON; None without a budget. Money in its currency."""
    from eren_memory.budgets import EVERY_GUILD, MICRO

    if standing is None:
        return None
    return {
        "questions_per_member": standing.member,
        "at_limit": str(standing.instead),
        "today": [
            {
                "budget": line.budget,
                "of": "installation" if line.guild_id == EVERY_GUILD else "guild",
                "used": line.used / MICRO if line.budget == "money" else line.used,
                "limit": line.most / MICRO if line.budget == "money" else line.most,
                "percent": line.percent,
                "until": standing.ends[line.guild_id == EVERY_GUILD].isoformat(),
            }
            for line in standing.lines
        ],
        "models": [
            {
                "model": bill.model,
                "calls": bill.usage.calls,
                "prompt_tokens": bill.usage.prompt_tokens,
                "completion_tokens": bill.usage.completion_tokens,
                "cost": bill.cost / MICRO,
            }
            for bill in standing.bills
        ],
        "members": [
            {"member": one.member_id, "questions": one.used.questions, "tokens": one.used.tokens}
            for one in standing.spenders
        ],
    }


def _plain_job(state: JobState) -> dict[str, Any]:
    """How a job stands, as JSON."""
    times = {"last_at": state.last_at, "next_at": state.next_at}
    return asdict(state) | {n: at.isoformat() if at else None for n, at in times.items()}


def _job_line(job: dict[str, Any]) -> str:
    if job["running"]:
        last = "running"
    elif job["last_at"] is None:
        last = "never run"
    else:
        outcome = "" if job["ok"] else f"failed ({job['failures']}): "
        last = f"{_utc(job['last_at'])}: {outcome}{job['result']}"
    due = f"; due {_utc(job['next_at'])}" if job["next_at"] else ""
    return f"{'job ' + job['id']:<18} {last}{due}"


def _utc(moment: str) -> str:
    return f"{moment[:10]} {moment[11:16]} UTC"


@click.command()
@click.argument("job_id", metavar="JOB")
@guild_option
@json_option
def run_job(job_id: str, guild: str, *, as_json: bool) -> None:
    """Run a job now, whether it is due or not (those that the bot runs by itself; see eren status).

    It takes the job's lease: while another process is at it, nothing happens here.
    """

    async def work() -> str:
        async with opened() as app:
            return await app.jobs.run_now(job_id, guild)

    said = run(work)
    emit({"job": job_id, "result": said}, said, as_json=as_json)


@click.command()
@json_option
def reconcile(*, as_json: bool) -> None:
    """Compare the search index with the notebook in both directions, and repair what differs."""

    async def work() -> Reconciled:
        async with opened() as app:
            with progress_bar("Comparing") as progress:
                return await app.notebook.projector.reconcile(progress)

    done = run(work)
    text = (
        f"Compared {done.checked:,} notes: {done.missing} were missing in the index, {done.stale} "
        f"differed there, {done.orphaned} belonged to no note. "
        + ("All repaired." if done.missing + done.stale + done.orphaned else "All well.")
    )
    emit(asdict(done), text, as_json=as_json)


@click.group()
def model() -> None:
    """The embedded chat model."""


@model.command()
@json_option
def path(*, as_json: bool) -> None:
    """Make the embedded model ready, and print where its file is."""
    from eren_memory.model_file import ensure_model

    settings = load_settings()
    with progress_bar("Installing the model") as progress:
        file = ensure_model(settings.home, settings.model_file, progress)
    emit({"path": str(file)}, str(file), as_json=as_json)


@click.command()
@guild_option
def console(guild: str) -> None:
    """Ask and correct in a terminal."""
    from eren_memory.console import converse

    async def work() -> None:
        async with opened() as app:
            await _ready(app)
            async with app.reembedding.in_background():
                await converse(app, guild, actor().actor_id)

    run(work)


@click.command()
def demo() -> None:
    """Play the tour: ask, correct, ask again. In a terminal it goes on as a console."""
    from eren_memory.console import converse
    from eren_memory.tour import tour

    async def work() -> None:
        async with opened() as app:
            await _ready(app)
            await tour(app, "demo", actor().actor_id)
            if sys.stdin.isatty() and sys.stdout.isatty():
                await converse(app, "demo", actor().actor_id)

    run(work)


async def _ready(app: Any) -> None:
    """Install and start what the first question needs, in sight of the person who waits."""
    import asyncio

    from eren_memory.model_file import ensure_model

    if app.local_server is not None:
        settings = app.settings
        with progress_bar("Installing the model") as progress:
            await asyncio.to_thread(ensure_model, settings.home, settings.model_file, progress)
    click.echo(f"Model: {_where(app)}. Starting…")
    await app.warm()


def _where(app: Any) -> str:
    if app.local_server is not None:
        return f"{app.chat_model.name}, embedded"
    return f"{app.chat_model.name} at {app.settings.openai_base_url or 'OpenAI'}"
