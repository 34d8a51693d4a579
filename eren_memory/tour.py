"""The tour that `eren demo` plays: nothing is canned, every answer is asked for while you watch."""

from __future__ import annotations

import click

from eren_memory.app import App
from eren_memory.console import Session
from eren_memory.domain import By, NoteStatus

CORRECTION = "The capital of Australia is Melbourne."
_STEPS = (
    ("What the model says by itself", "What is the capital of Australia?"),
    ("… and about something else", "What is the currency of Australia?"),
    ("A moderator corrects it, in a plain sentence", f"/note add {CORRECTION}"),
    ("The same thing in other words: the note answers", "Which city is Australia's capital?"),
    ("How that was decided", "/why"),
    (
        "The same subject, another question: the model's own answer, asked as before",
        "What is the currency of Australia?",
    ),
    ("Claims are checked against the notebook too", "/check Canberra is the capital of Australia."),
)


async def tour(app: App, guild_id: str, actor_id: str) -> None:
    """Play it in `guild_id`. Leaves the note there; the next tour begins by retiring it."""
    for note in await app.notebook.ledger.notes(guild_id, NoteStatus.ACTIVE):
        if note.text == CORRECTION:
            by = By(actor_id, "the tour begins again")
            await app.notebook.retire(guild_id, note.number, by)
    session = Session(app, guild_id, actor_id)
    for title, line in _STEPS:
        click.secho(f"\n{title}", bold=True)
        click.echo(f"> {line}")
        click.echo(await session.execute(line))
    click.echo()
