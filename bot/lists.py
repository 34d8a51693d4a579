"""Lists of notes, page by page; the buttons carry the page, so they are alive after a restart."""

from __future__ import annotations

import re
from enum import Enum

from bot import render
from bot.access import Right
from bot.controls import Control, Interaction, buttons
from bot.desk import desk, guild_of
from bot.splitting import MESSAGE_LIMIT
from bot.texts import Texts, mine
from eren_memory.domain import Note, NoteStatus

_PAGE = 15


class Shown(Enum):
    """Which notes a list has."""

    ACTIVE = "active"
    DRAFT = "draft"
    RETIRED = "retired"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    ALL = "all"


class PageButton(
    Control,
    template=r"eren:list:(?P<shown>active|draft|retired|superseded|expired|all):(?P<page>[0-9]{1,6})",
):
    """Goes to a page of a list."""

    def __init__(self, shown: Shown, page: int, label: str, *, disabled: bool = False) -> None:
        custom_id = f"eren:list:{shown.value}:{page}"
        super().__init__(custom_id, label, disabled=disabled)
        self.shown, self.page = shown, page

    @classmethod
    def read(cls, match: re.Match[str], t: Texts) -> PageButton:
        """See `Control.read`."""
        return cls(Shown(match["shown"]), int(match["page"]), t("button.on"))

    async def clicked(self, interaction: Interaction) -> None:
        """Show that page in the place of this one."""
        await interaction.response.defer()
        await desk(interaction).require(Right.MODERATE, interaction)
        await show(interaction, self.shown, self.page)


async def show(interaction: Interaction, shown: Shown, page: int) -> None:
    """Show a page of the server's notes, newest first."""
    ledger, guild, t = (
        desk(interaction).app.notebook.ledger,
        guild_of(interaction),
        mine(interaction),
    )
    counts = await ledger.counts(guild)
    status = None if shown is Shown.ALL else NoteStatus(shown.value)
    total = sum(counts.values()) if status is None else counts.get(status, 0)
    pages = max(1, -(-total // _PAGE))
    page = min(page, pages - 1)
    notes = await ledger.newest(guild, _PAGE, status=status, offset=page * _PAGE)
    text = _text(t, notes, total, page, pages) if notes else t("list.empty")
    view = buttons()
    if pages > 1:
        back, on = max(page - 1, 0), min(page + 1, pages - 1)
        # Two buttons may not carry the same id: at an end one of them leads nowhere.
        view.add_item(PageButton(shown, back, t("button.back"), disabled=page == 0))
        if on != back:
            view.add_item(PageButton(shown, on, t("button.on"), disabled=page == on))
    await interaction.edit_original_response(content=text, view=view)


def _text(t: Texts, notes: list[Note], total: int, page: int, pages: int) -> str:
    footer = f"-# {t('list.footer', total=f'{total:,}', page=page + 1, pages=pages)}"
    lines = [render.note_line(t, note) for note in notes]
    while len("\n".join([*lines, footer])) > MESSAGE_LIMIT:
        longest = max(range(len(lines)), key=lambda place: len(lines[place]))
        lines[longest] = f"{lines[longest][: len(lines[longest]) // 2]}…"
    return "\n".join([*lines, footer])
