"""`eren privacy`: what is held about a person, and a person forgotten."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from eren_memory.cli.common import actor, emit, json_option, opened, run
from eren_memory.errors import BadInput

if TYPE_CHECKING:
    from eren_memory.privacy import Gone

_user = click.argument("user")


@click.group()
def privacy() -> None:
    """What is held about a person, in every community: show it, or forget them.

    USER is a Discord id, or the name that stands in a note's history, such as local:ann.
    """


@privacy.command("export")
@_user
@json_option
def export_command(user: str, *, as_json: bool) -> None:
    """Print everything held about a person as one JSON document; nothing of anybody else.

    Without --json it is indented, for people.
    """

    async def work() -> dict[str, Any]:
        async with opened() as app:
            return await app.privacy.export(user)

    document = run(work)
    emit(document, json.dumps(document, ensure_ascii=False, indent=2), as_json=as_json)


@privacy.command()
@_user
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def forget(user: str, *, yes: bool, as_json: bool) -> None:
    """Forget a person, for good: delete what is theirs, and give what stays to a pseudonym.

    Deleted are their questions with the answers, their feedback, and suggestions that nobody approved.
    Notes stay with their text, and the audit trail with what was done. The bot may go on running.
    """
    question = f"Forget {user} in every community? This cannot be undone."
    if not yes and not click.confirm(question, err=True):
        raise BadInput("Nobody was forgotten.")

    async def work() -> Gone:
        async with opened() as app:
            return await app.privacy.forget(user, actor())

    gone = run(work)
    done = gone.forgotten
    data = {
        "pseudonym": done.pseudonym,
        "questions": done.questions,
        "feedback": done.feedback,
        "suggestions": done.suggestions,
        "mentions": done.mentions,
        "pseudonymised": done.pseudonymised,
        "index": gone.waiting or "done",
    }
    text = (
        f"Deleted {done.questions} questions, {done.feedback} ratings and {done.suggestions} "
        f"suggestions; {done.pseudonymised} entries that stay are {done.pseudonym}'s now."
    )
    emit(data, f"{text}\n{_waits(gone)}" if gone.waiting else text, as_json=as_json)


def _waits(gone: Gone) -> str:
    return f"Index: {gone.waiting}."
