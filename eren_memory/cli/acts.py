"""`eren note add`, `edit` and the other acts: writing to the notebook."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from eren_memory.cli.common import (
    NUMBER,
    actor,
    as_record,
    emit,
    guild_option,
    json_option,
    number_argument,
    opened,
    plain,
    run,
)
from eren_memory.cli.fields import edited, field_options, with_probes
from eren_memory.cli.meeting import on_conflict_option, settle
from eren_memory.domain import Note, NoteDraft, NoteStatus, Probes
from eren_memory.errors import BadInput, RevisionMoved
from eren_memory.text import first_line, shown

if TYPE_CHECKING:
    from eren_memory.notebook import Notebook

_reason = click.option("--reason", help="Why; it stands in the history.")


@click.command()
@click.argument("text")
@field_options
@click.option("--supersedes", type=NUMBER, multiple=True, help="A note it replaces. Repeatable.")
@click.option("--draft", is_flag=True, help="Suggest it: it waits for approval.")
@_reason
@on_conflict_option
@guild_option
@json_option
def add(
    text: str,
    supersedes: tuple[int, ...],
    reason: str | None,
    on_conflict: str,
    guild: str,
    *,
    draft: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Add a correction; the next question finds it.

    It is compared with the notes there are: --on-conflict says what becomes of notes that say the
    same or contradict it. Without a terminal to ask in, `ask` is `fail`.
    """

    async def work() -> tuple[Note, dict[str, Any], str]:
        async with opened() as app:
            probes = Probes(options["probe"], options["probe_not"])
            start = NoteDraft(text, reason=reason, probes=probes)
            wanted = replace(start, **edited(options)).checked()
            status = NoteStatus.DRAFT if draft else NoteStatus.ACTIVE
            # What a suggestion meets is decided when it is approved.
            policy = "keep" if draft else on_conflict
            settled = await settle(
                app.notebook, guild, wanted, policy, decided=supersedes, ask=not as_json
            )
            added = await app.notebook.add(
                guild, wanted, actor(reason), status=status, supersedes=settled.replaced
            )
            return added, settled.data(), settled.text()

    added, met, said = run(work)
    data = {"number": added.number, "id": str(added.id), "revision": added.revision, **met}
    verb = "Suggested" if draft else "Added"
    emit(data, f"{verb} note #{added.number}: {_title(added)}{said}", as_json=as_json)


@click.command()
@number_argument
@click.argument("text", required=False)
@field_options
@click.option("--expect-revision", type=NUMBER, help="Refuse if the note is no longer at this one.")
@_reason
@guild_option
@json_option
def edit(
    number: int,
    text: str | None,
    expect_revision: int | None,
    reason: str | None,
    guild: str,
    *,
    as_json: bool,
    **options: Any,
) -> None:
    """Change a note's text or its other fields; an empty value clears a field."""
    fields = edited(options)
    if text is not None:
        fields["text"] = text
    probes = options["probe"], options["probe_not"]
    if not fields and not any(probes):
        raise click.UsageError("Give a new text, or an option with what to change.")

    async def act(notebook: Notebook) -> Note:
        by = actor(reason)
        if any(probes):
            seen = await notebook.ledger.note(guild, number)
            fields["probes"] = with_probes(seen.probes, *probes)
            expected = expect_revision or seen.revision
            return await notebook.edit(guild, number, by, expect=expected, **fields)
        return await notebook.edit(guild, number, by, expect=expect_revision, **fields)

    _change(act, "Edited", as_json=as_json)


@click.command()
@number_argument
@click.argument("scope_")
@_reason
@guild_option
@json_option
def scope(number: int, scope_: str, reason: str | None, guild: str, *, as_json: bool) -> None:
    """Say where a note is visible: guild, or channel: and channel ids with commas between."""
    fields = edited({"scope": scope_})
    _change(
        lambda notebook: notebook.edit(guild, number, actor(reason), **fields),
        "Moved",
        as_json=as_json,
    )


@click.command()
@number_argument
@_reason
@guild_option
@json_option
def retire(number: int, reason: str | None, guild: str, *, as_json: bool) -> None:
    """Take a note out of use; it stays in the notebook."""
    _change(
        lambda notebook: notebook.retire(guild, number, actor(reason)), "Retired", as_json=as_json
    )


@click.command()
@number_argument
@click.option(
    "--revision", type=NUMBER, help="Which one [default: as it was before it was retired]."
)
@_reason
@guild_option
@json_option
def restore(
    number: int, revision: int | None, reason: str | None, guild: str, *, as_json: bool
) -> None:
    """Bring a note back, or take it back to an earlier revision."""
    _change(
        lambda notebook: notebook.restore(guild, number, actor(reason), revision),
        "Restored",
        as_json=as_json,
    )


@click.command()
@number_argument
@click.argument("other", type=NUMBER)
@click.option("--text", help="What the note says from now on, for both.")
@_reason
@guild_option
@json_option
def merge(
    number: int, other: int, text: str | None, reason: str | None, guild: str, *, as_json: bool
) -> None:
    """Let note NUMBER stand for OTHER too; OTHER is superseded."""
    _change(
        lambda notebook: notebook.merge(guild, number, other, actor(reason), text),
        f"Merged #{other} into",
        as_json=as_json,
    )


@click.command()
@number_argument
@_reason
@on_conflict_option
@guild_option
@json_option
def approve(
    number: int, reason: str | None, on_conflict: str, guild: str, *, as_json: bool
) -> None:
    """Put a suggested note into use. It is compared with the others as by `add`."""
    from eren_memory.rules import draft_of

    async def work() -> tuple[Note, dict[str, Any], str]:
        async with opened() as app:
            found = await app.notebook.ledger.note(guild, number)
            settled = await settle(
                app.notebook,
                guild,
                draft_of(found),
                on_conflict,
                ask=not as_json,
                apart_from=number,
            )
            approved = await app.notebook.approve(
                guild, number, actor(reason), expect=found.revision, supersedes=settled.replaced
            )
            return approved, settled.data(), settled.text()

    approved, met, said = run(work)
    text = f"Approved note #{number}: {_title(approved)}{said}"
    emit(as_record(approved) | met, text, as_json=as_json)


@click.command()
@number_argument
@_reason
@guild_option
@json_option
def reject(number: int, reason: str | None, guild: str, *, as_json: bool) -> None:
    """Turn a suggested note down."""
    _change(
        lambda notebook: notebook.reject(guild, number, actor(reason)), "Rejected", as_json=as_json
    )


@click.command()
@number_argument
@click.option("--review-by", metavar="DATE", help="When somebody should look again.")
@_reason
@guild_option
@json_option
def verify(
    number: int, review_by: str | None, reason: str | None, guild: str, *, as_json: bool
) -> None:
    """Vouch that a note is still true."""
    again = edited({"review_by": review_by}).get("review_by")
    _change(
        lambda notebook: notebook.verify(guild, number, actor(reason), review_by=again),
        "Verified",
        as_json=as_json,
    )


@click.command()
@number_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
@guild_option
@json_option
def erase(number: int, guild: str, *, yes: bool, as_json: bool) -> None:
    """Delete a note's texts for privacy, in its history too. This cannot be undone."""
    if not (yes or click.confirm(f"Erase note #{number} for good?", err=True)):
        raise BadInput("Nothing was erased.")
    _change(lambda notebook: notebook.erase(guild, number, actor()), "Erased", as_json=as_json)


@click.command()
@guild_option
@json_option
def undo(guild: str, *, as_json: bool) -> None:
    """Take back the last thing you did to notes; again, the one before."""

    async def work() -> list[Note]:
        async with opened() as app:
            return await app.notebook.undo(guild, actor())

    changed = run(work)
    lines = [f"Taken back: note #{one.number} is {one.status}: {_title(one)}" for one in changed]
    emit([as_record(one) for one in changed], "\n".join(lines), as_json=as_json)


def _change(act: Callable[[Notebook], Awaitable[Note]], verb: str, *, as_json: bool) -> None:
    async def work() -> Note:
        async with opened() as app:
            return await act(app.notebook)

    try:
        changed = run(work)
    except RevisionMoved as error:
        moved = [f"{n}: {plain(old)!r} → {plain(new)!r}" for n, (old, new) in error.changes.items()]
        raise BadInput(shown(" ".join([str(error), "Now:", *moved]))) from None
    emit(as_record(changed), f"{verb} note #{changed.number}: {_title(changed)}", as_json=as_json)


def _title(one: Note) -> str:
    return shown(first_line(one.text)) or "(erased)"
