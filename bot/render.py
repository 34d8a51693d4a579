"""What people read in Discord: pure functions from our values to message text.

Notes, questions, answers and names are untrusted: they are escaped, or kept where they can neither
pass for the bot's own words nor hide what they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from bot.markdown import harmless, is_id, is_plain_url, own_words
from bot.splitting import MESSAGE_LIMIT, closed
from bot.texts import Texts
from eren_memory.community import Asked, Spent
from eren_memory.domain import PSEUDONYM, HistoryEntry, Note, NoteStatus, Path, Probes
from eren_memory.jobs import JobState
from eren_memory.staleness import AUDITOR
from eren_memory.text import first_line, shown

_TITLE = 80
_QUOTE = 300


def answer_body(text: str) -> str:
    """An answer as the bot may say it; see `own_words`."""
    return closed(own_words(shown(text)))


def origin_line(
    t: Texts,
    notes: Sequence[Note],
    path: str,
    *,
    missed: bool = False,
    quoted: str = "origin.quoted",
) -> str:
    """Where an answer comes from, in small print; `quoted` says why it is the note itself."""
    if not notes:
        return f"-# {t('origin.missed' if missed else 'origin.model')}"
    told = " · ".join(_origin_of(t, note) for note in notes)
    return f"-# {told} · {t(quoted)}" if path == Path.NOTE_QUOTED else f"-# {told}"


def claim_text(t: Texts, verdict: str, answer: str) -> str:
    """What a checked claim came to."""
    return t(f"claim.{verdict}.{answer}")


def title(note: Note, limit: int = _TITLE) -> str:
    """A note's first line, harmless as Markdown."""
    return title_of(note.text, limit)


def quoted(text: str, limit: int = _QUOTE) -> str:
    """Somebody's words in a quotation, harmless as Markdown."""
    return excerpt(text, limit)[0]


def excerpt(text: str, limit: int) -> tuple[str, int]:
    """As much of somebody's words as `limit` characters of a message show, and how many are left out.

    What is written out or escaped takes more room than it has characters.
    """
    cut = len(text)
    while len(quote := _quote(text[:cut])) > limit and cut > 0:
        cut = min(cut - 1, cut * limit // len(quote))
    left = len(text) - cut
    return (f"{quote}…" if left else quote), left


def _quote(text: str) -> str:
    return "\n".join(f"> {harmless(line)}" for line in shown(text).splitlines() or [""])


def note_line(t: Texts, note: Note) -> str:
    """A note in a list."""
    mark = "" if note.status is NoteStatus.ACTIVE else f" *({t(f'status.{note.status}')})*"
    return f"**#{note.number}** {title(note) or t('note.blank')}{mark}"


def note_page(t: Texts, note: Note, answers: Sequence[Asked] = ()) -> str:
    """A note in full, and the public answers that used it."""
    facts = [
        t("note.author", person=person(t, note.author_id), when=when(note.created_at)),
        note.approved_by and t("note.approved", person=person(t, note.approved_by)),
        note.verified_at and t("note.verified", when=when(note.verified_at)),
        note.question and t("note.question", question=title_of(note.question)),
        note.scope and t("note.scope", where=where(t, note.scope)),
        note.valid_from and t("note.valid_from", when=when(note.valid_from)),
        note.valid_until and t("note.valid_until", when=when(note.valid_until)),
        note.review_by and t("note.review_by", when=when(note.review_by)),
        note.source_url and t("note.source", url=url(note.source_url)),
        note.reason and t("note.reason", reason=title_of(note.reason)),
    ]
    head = (
        f"**#{note.number}** · {t(f'status.{note.status}')} · {t('note.revision', n=note.revision)}"
    )
    told = "\n".join(f"-# {fact}" for fact in facts if fact)
    links = ""
    if answers:
        found = " · ".join(link(one) for one in answers)
        links = f"\n{t('note.used', count=len(answers))} {found}"
    room = MESSAGE_LIMIT - len(head) - len(told) - len(links) - 10
    return f"{head}\n{quoted(note.text, max(room, 200))}\n{told}{links}"[:MESSAGE_LIMIT]


def history_page(t: Texts, number: int, history: Sequence[HistoryEntry]) -> str:
    """What was done to a note, the newest first, as much as fits."""
    lines = [t("history.title", number=number)]
    room = MESSAGE_LIMIT - len(lines[0]) - 30
    for entry in reversed(history):
        who = person(t, entry.by.actor_id)
        line = f"`{entry.note.revision}` {when(entry.at)} **{act(t, entry.act)}** · {who}"
        if entry.by.reason:
            line += f" · {title_of(entry.by.reason)}"
        line += "".join(f"\n-# {change}" for change in changes(t, entry.changes))
        if room < len(line) + 1:
            return "\n".join([*lines, t("history.more")])
        room -= len(line) + 1
        lines.append(line)
    return "\n".join(lines)


def changes(t: Texts, changed: Mapping[str, tuple[Any, Any]]) -> list[str]:
    """What an act changed, a line a field: from → to."""
    return [
        f"{t(f'field.{name}')}: {_value(t, old)} → {_value(t, new)}"
        for name, (old, new) in changed.items()
        if name != "superseded_by"
    ]


def why_page(
    t: Texts, asked: Asked, notes: Mapping[str, Note], *, full: bool, used: Collection[str]
) -> str:
    """How an answer came about. `notes` are those that the reader may see, by id."""
    trace = asked.trace
    lines = [t(f"why.{_PATHS.get(trace.get('path', ''), 'other')}")]
    if trace.get("p") is not None:
        lines.append(t("why.p", p=f"{trace['p']:.0%}", verdict=_percent(trace.get("verdict"))))
    for one in trace.get("candidates", []):
        note = notes.get(one["id"])
        mark = "→ " if one["id"] in used else ""
        scores = t("why.scores", dense=f"{one['dense']:.2f}", lexical=f"{one['lexical']:.1f}")
        name = t("why.hidden") if note is None else f"**#{note.number}** {title(note)}"
        lines.append(f"{mark}{name} · {scores}")
        if full and note is not None and (len(note.text) > _TITLE or "\n" in note.text):
            lines.append(quoted(note.text))
    if not trace.get("candidates"):
        lines.append(t("why.no_candidates"))
    cost = t(
        "why.cost",
        count=int(trace.get("calls", 0)),
        tokens=int(trace.get("prompt_tokens", 0)) + int(trace.get("completion_tokens", 0)),
        seconds=f"{trace.get('ms', 0) / 1000:.1f}",
    )
    text = "\n".join(lines)
    return f"{closed(text[: MESSAGE_LIMIT - len(cost) - 20])}\n-# {cost}"


def usage_page(t: Texts, spans: Iterable[Spent]) -> str:
    """What questions cost, a line a span of days."""
    lines = [t("usage.title")]
    for one in spans:
        share = f"{one.from_notebook / one.questions:.0%}" if one.questions else "–"
        lines.append(
            t(
                "usage.line",
                days=one.days,
                questions=one.questions,
                share=share,
                missed=one.missed,
                calls=one.calls,
                tokens=f"{one.prompt_tokens + one.completion_tokens:,}",
                helpful=one.helpful,
                unhelpful=one.unhelpful,
            )
        )
    return "\n".join(lines)


def jobs_list(t: Texts, states: Iterable[JobState]) -> str:
    """What runs by itself, a line a job.

    What came of a job that is about all servers is for the operator, and not for each of them.
    """
    lines = [t("about.jobs")]
    for one in states:
        last = relative(one.last_at) if one.last_at else t("about.job_never")
        if one.result and one.guild_id:
            last = f"{last} ({title_of(one.result)})"
        due = relative(one.next_at) if one.next_at else t("about.job_unknown")
        mark = {None: "–", True: "✓", False: "✗"}[one.ok]
        lines.append(t("about.job", mark=mark, job=one.id, last=last, next=due))
    return "\n".join(lines)


def relative(moment: datetime) -> str:
    """How long ago, or in how long."""
    return f"<t:{int(moment.timestamp())}:R>"


def act(t: Texts, name: str) -> str:
    """An act's name; a history that was imported may have acts of its own."""
    return t(f"act.{name}") if f"act.{name}" in t else title_of(name)


def title_of(text: str, limit: int = _TITLE * 2) -> str:
    """The first line of somebody's words, harmless as Markdown."""
    line = harmless(shown(first_line(text, limit)))
    most = limit * 2  # Escaped or written out, it may take so much.
    return line if len(line) <= most else f"{line[: most - 1]}…"


def person(t: Texts, actor_id: str) -> str:
    """A mention (which pings nobody: the bot allows none); other front ends belong to the operator."""
    if actor_id == AUDITOR or actor_id.startswith(PSEUDONYM):
        return t("person.audit" if actor_id == AUDITOR else "person.forgotten")
    return f"<@{actor_id}>" if is_id(actor_id) else t("person.operator")


def when(moment: datetime) -> str:
    """A day, which Discord shows in the reader's own way."""
    return f"<t:{int(moment.timestamp())}:d>"


def where(t: Texts, scope: Sequence[str]) -> str:
    """The channels of a scope."""
    if not scope:
        return t("scope.guild")
    return ", ".join(f"<#{one}>" if is_id(one) else title_of(one) for one in scope)


def url(source: str) -> str:
    """A note's source, on one line and without a preview."""
    line = first_line(source, _QUOTE)
    return f"<{line}>" if is_plain_url(line) else title_of(line)


def link(asked: Asked) -> str:
    """Where an answer stands."""
    return message_link(asked.guild_id, asked.channel_id, asked.messages[0])


def message_link(guild_id: str, channel_id: str, message_id: str) -> str:
    """A link to a message."""
    return f"https://discord.com/channels/{guild_id}/{channel_id}/{message_id}"


def cut(text: str) -> str:
    """Text that fits into one message."""
    return text if len(text) <= MESSAGE_LIMIT else closed(f"{text[: MESSAGE_LIMIT - 6]}…")


def cut_to(body: str, line: str) -> str:
    """As much of an answer as fits into one message with the line under it."""
    room = MESSAGE_LIMIT - len(line) - 1
    return body if len(body) <= room else closed(f"{body[: room - 6]}…")


_PATHS = {
    str(Path.UNEDITED): "unedited",
    str(Path.GATE_CLOSED): "gate_closed",
    str(Path.ACCEPTED): "accepted",
    str(Path.ACCEPTED_REREAD): "reread",
    str(Path.REJECTED): "rejected",
    str(Path.NOTE_QUOTED): "quoted",
    "corrected": "corrected",
}


def _origin_of(t: Texts, note: Note) -> str:
    parts = [
        t("origin.note", number=note.number),
        t("origin.by", person=person(t, note.author_id)),
    ]
    if note.verified_at is not None:
        parts.append(t("origin.verified", when=when(note.verified_at)))
    return " · ".join(parts)


def _value(t: Texts, value: Any) -> str:
    if value is None or value == "" or value == Probes():
        return t("value.none")
    if isinstance(value, datetime):
        return when(value)
    if isinstance(value, NoteStatus):
        return t(f"status.{value}")
    if isinstance(value, tuple):
        return where(t, value)
    if isinstance(value, Probes):
        return t("value.probes", change=len(value.change), keep=len(value.keep))
    return title_of(str(value))


def _percent(p: float | None) -> str:
    return "–" if p is None else f"{p:.0%}"
