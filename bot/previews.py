"""What a moderator is shown before a correction is in use: what it meets, and what it changes."""

from __future__ import annotations

from collections.abc import Sequence

from bot import render
from bot.desk import Desk
from bot.publishing import answer_link
from bot.texts import Texts
from eren_memory.conflicts import Compared
from eren_memory.domain import Note, Place
from eren_memory.errors import ErenError
from eren_memory.lookalikes import mixed
from eren_memory.rules import draft_of

READ = 900
"""Room for a draft's text; nobody should approve more than they have read."""
_QUOTED = 200
_WORDS = 60


def whole(t: Texts, note: Note) -> str:
    """A draft's text, how much of it is not shown, and which of its words are not what they seem."""
    quoted, left = render.excerpt(note.text, READ)
    lines = [quoted] if left <= 0 else [quoted, t("preview.longer", count=left)]
    if deceiving := mixed(f"{note.text} {note.question or ''}"):
        words = render.title_of(", ".join(deceiving), _WORDS)
        lines.append(t("preview.mixed", words=words))
    return "\n".join(lines)


def is_whole(note: Note) -> bool:
    """Whether `whole` shows all of a draft's text."""
    return render.excerpt(note.text, READ)[1] <= 0


def conflicts(t: Texts, note: Note, compared: Compared, most: int) -> str:
    """A draft, and the notes that say the same or contradict it."""
    lines = [t("conflict.title", number=note.number), whole(t, note), t("conflict.meets")]
    for one in compared.grave[:most]:
        kind = t(f"conflict.{one.kind}", p=f"{one.p:.0%}")
        lines += [f"**#{one.note.number}** · {kind}", render.quoted(one.note.text, _QUOTED)]
    lines.append(t("conflict.choose"))
    return render.cut("\n".join(lines) + doubts(t, compared))


async def before_and_after(
    at: Desk, t: Texts, note: Note, replaced: Sequence[int], here: Place
) -> list[str]:
    """What the question was answered, and what it would be."""
    question = note.question or ""
    link = answer_link(note)
    asked = link and await at.app.records.by_message(note.guild_id, link[1])
    place = Place(note.guild_id, asked.channels) if asked else here
    lines = [t("preview.question"), render.quoted(question, 200)]
    try:
        before = asked.text if asked else (await at.answer(question, place)).text
        after = await at.preview(question, place, draft_of(note), replaced)
    except ErenError as error:
        return [*lines, t("preview.failed", reason=str(error))]
    lines += [t("preview.before"), render.quoted(before, _QUOTED)]
    lines += [t("preview.after"), render.quoted(after.text, _QUOTED)]
    if not any(one.note.number == 0 for one in after.notes):
        lines.append(t("preview.unused"))
    return lines


def doubts(t: Texts, compared: Compared) -> str:
    """What the comparison could not do, in small print; empty when all is well."""
    if not compared.compared:
        return f"\n-# {t('conflict.not_compared')}"
    return "" if compared.by_model else f"\n-# {t('conflict.no_model')}"
