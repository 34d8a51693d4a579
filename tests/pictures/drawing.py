"""A story as an SVG: text in the reader's own fonts, in light and in dark. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

from tests.pictures.lettering import Names, Piece, lines, pieces, width
from tests.pictures.story import Button, Form, Input, Message, Place, Step, Story

WIDTH = 720
_EDGE = 20
_LEFT = 68
_RIGHT = WIDTH - 34
_SIZE, _SMALL = 15.0, 12.5

STYLE = """
text{font-family:Helvetica,Arial,'Liberation Sans',sans-serif;fill:#1f2328}
.small,.hint{fill:#636c76}.bold{font-weight:bold}.soft{font-style:italic}.code{font-family:ui-monospace,Menlo,Consolas,monospace}
.name,.link{fill:#2456b3}.pill{fill:#dde7fa}.box{fill:#eceef1}.page{fill:#fff;stroke:#d5d9df}
.own{fill:#f1f4fb}.bar{fill:#c3c9d1}.line{stroke:#d5d9df;fill:none}.form{fill:#f7f8fa;stroke:#c3c9d1}
.input{fill:#fff;stroke:#c3c9d1}.b2{fill:#e4e7eb}.b1{fill:#2f66c9}.b3{fill:#22763f}.b4{fill:#b3322a}
.on{fill:#fff}.arrow{fill:none;stroke:#636c76;stroke-width:2}.ring{fill:none;stroke:#d9730d;stroke-width:2.5}.step{fill:#d9730d}.dot{fill:#2f66c9}
.bot{fill:#22763f}.moderator{fill:#8250b8}.member{fill:#2f66c9}.white{fill:#fff}
@media (prefers-color-scheme:dark){
text{fill:#e3e6ea}.small,.hint{fill:#9aa3ae}.name,.link{fill:#8db4ff}.pill{fill:#24344f}.box{fill:#33383f}
.page{fill:#1d2025;stroke:#383d45}.own{fill:#242a37}.bar{fill:#4a515b}.line{stroke:#383d45}
.form{fill:#262a30;stroke:#4a515b}.input{fill:#1a1d21;stroke:#4a515b}.b2{fill:#41474f}.b1{fill:#3a73d8}
.b3{fill:#2a8049}.b4{fill:#c0443b}.arrow{stroke:#9aa3ae}.ring{stroke:#f0963c}.step{fill:#f0963c}.on,.white{fill:#fff}
.dark{fill:#1d2025}}
"""


@dataclass
class Sheet:
    """What has been drawn, and how far down."""

    names: Names
    y: float = 0.0
    parts: list[str] = field(default_factory=list)

    def box(self, look: str, x: float, y: float, wide: float, high: float, round_: float) -> None:
        self.parts.append(
            f'<rect class="{look}" x="{x:g}" y="{y:.4g}" width="{wide:.4g}" height="{high:.4g}"'
            f' rx="{round_:g}"/>'
        )

    def word(self, text: str, x: float, y: float, size: float, look: str = "plain") -> float:
        """One piece of text on its baseline; gives its width."""
        weight = "bold" if look.startswith("bold") else look
        wide = width(text, size, weight)
        fit = "" if look == "emoji" else f' textLength="{wide:.4g}" lengthAdjust="spacingAndGlyphs"'
        self.parts.append(
            f'<text class="{look}" x="{x:.4g}" y="{y:.4g}" font-size="{size:g}"{fit}>'
            f"{escape(text, quote=False)}</text>"
        )
        return wide

    def text(
        self, given: list[Piece], x: float, room: float, size: float, look: str = "plain"
    ) -> None:
        """Text from here on down, broken to the room there is."""
        high = round(size * 1.4)
        for line in lines(given, size, room):
            base = self.y + high * 0.75
            for run in line:
                here = x + run.x
                if run.look == "name":
                    self.box("pill", here - 2, base - size * 0.95, run.width + 4, size * 1.25, 3)
                if run.look == "code":
                    self.box("box", here - 2, base - size * 0.95, run.width + 4, size * 1.25, 3)
                plain = run.look == "plain"
                self.word(run.text, here, base, size, look if plain else f"{run.look}")
            self.y += high


def draw(story: Story, title: str) -> str:
    """The whole picture, as a small text file."""
    sheet = Sheet(story.names, y=_EDGE)
    count = 0
    for one in story.shown:
        if isinstance(one, Step):
            count += 1
            _step(sheet, one, count)
        elif isinstance(one, Place):
            _place(sheet, one)
        elif isinstance(one, Message):
            _message(sheet, one)
        else:
            _form(sheet, one)
    return framed(sheet, title)


def framed(sheet: Sheet, title: str) -> str:
    """A sheet as a file."""
    high = sheet.y + _EDGE - 8
    body = "\n".join(sheet.parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {high:g}" width="{WIDTH}"'
        f' height="{high:g}" role="img">\n<title>{escape(title, quote=False)}</title>\n'
        f"<style>{STYLE}</style>\n"
        f'<rect class="page" x="0.5" y="0.5" width="{WIDTH - 1}" height="{high - 1:g}" rx="10"/>\n'
        f"{body}\n</svg>\n"
    )


def _step(sheet: Sheet, step: Step, count: int) -> None:
    """What somebody does, with its number."""
    sheet.y += 6
    sheet.parts.append(f'<circle class="step" cx="{_EDGE + 16}" cy="{sheet.y + 11:g}" r="11"/>')
    number = str(count)
    x = _EDGE + 16 - width(number, 13, "bold") / 2
    sheet.word(number, x, sheet.y + 15.5, 13, "bold white dark")
    given = [Piece(f"{step.who}  ", "bold"), *pieces(f" {step.does}", sheet.names)]
    sheet.text(given, _LEFT, _RIGHT - _LEFT, 14)
    sheet.y += 10


def _place(sheet: Sheet, place: Place) -> None:
    """The channel that what follows is in."""
    base = sheet.y + 12
    wide = sheet.word(f"# {place.name}", _EDGE, base, 13, "bold")
    sheet.parts.append(
        f'<path class="line" d="M{_EDGE + wide + 10:.4g} {base - 4.5:g}H{WIDTH - _EDGE}"/>'
    )
    sheet.y += 26


def _message(sheet: Sheet, message: Message) -> None:
    """A message with its author, its text and its buttons."""
    top, mark = sheet.y, len(sheet.parts)
    sheet.y += 8
    if message.above:
        sheet.parts.append(
            f'<path class="line" stroke-width="2" d="M{_EDGE + 16} {sheet.y + 15:g}v-5q0-4 4-4h26"/>'
        )
        sheet.text([Piece(message.above)], _LEFT, _RIGHT - _LEFT, _SMALL, "small")
        sheet.y += 3
    _author(sheet, message)
    for line in message.text.split("\n"):
        if line.startswith("-# "):
            sheet.text(pieces(line[3:], sheet.names), _LEFT, _RIGHT - _LEFT, _SMALL, "small")
        elif line.startswith("> "):
            start = sheet.y
            sheet.text(pieces(line[2:], sheet.names), _LEFT + 14, _RIGHT - _LEFT - 14, _SIZE)
            sheet.box("bar", _LEFT, start + 1, 4, sheet.y - start - 2, 2)
        else:
            sheet.text(pieces(line, sheet.names), _LEFT, _RIGHT - _LEFT, _SIZE)
    if message.edited:
        sheet.text([Piece("(edited)")], _LEFT, 200, 11, "hint")
    for row in message.rows:
        _row(sheet, row, message.pressed)
    if message.private:
        sheet.text([Piece("Only you can see this.")], _LEFT, 300, 12, "hint")
    sheet.y += 8
    if message.private:
        drawn = sheet.parts[mark:]
        del sheet.parts[mark:]
        sheet.box("own", 8, top, WIDTH - 16, sheet.y - top, 8)
        sheet.parts += drawn
    sheet.y += 6


def _author(sheet: Sheet, message: Message) -> None:
    kind = "bot" if message.by_bot else message.author
    x, y = _EDGE + 16, sheet.y + 17
    sheet.parts.append(f'<circle class="{kind}" cx="{x}" cy="{y:g}" r="16"/>')
    letter = message.author[0].upper()
    sheet.word(letter, x - width(letter, 15, "bold") / 2, y + 5.5, 15, "bold white")
    wide = sheet.word(message.author, _LEFT, sheet.y + 13, 14.5, "bold")
    if message.by_bot:
        sheet.box("bot", _LEFT + wide + 7, sheet.y + 2, 30, 14, 3)
        sheet.word("APP", _LEFT + wide + 10.5, sheet.y + 12.7, 10.5, "bold white")
    sheet.y += 20


def _row(sheet: Sheet, row: tuple[Button, ...], pressed: str | None) -> None:
    sheet.y += 7
    x = float(_LEFT)
    for one in row:
        emoji = width(one.emoji, 14) if one.emoji else 0
        label = width(one.label, 13.5) if one.label else 0
        wide = 26 + emoji + label
        if x + wide > _RIGHT:
            x, sheet.y = float(_LEFT), sheet.y + 37
        fade = ' opacity="0.5"' if one.disabled else ""
        sheet.parts.append(f"<g{fade}>")
        sheet.box(f"b{one.style}", x, sheet.y, wide, 30, 5)
        if one.emoji:
            sheet.word(one.emoji, x + 13, sheet.y + 20, 14, "emoji")
        if one.label:
            look = "plain" if one.style == 2 else "on"
            sheet.word(one.label, x + 13 + emoji, sheet.y + 19.7, 13.5, look)
        sheet.parts.append("</g>")
        if pressed in (one.label, one.emoji):
            sheet.box("ring", x - 3.5, sheet.y - 3.5, wide + 7, 37, 8)
        x += wide + 8
    sheet.y += 36


def _form(sheet: Sheet, form: Form) -> None:
    """A form as it is sent."""
    left, wide = _LEFT, 500
    top, mark = sheet.y, len(sheet.parts)
    inner, room = left + 18, wide - 36
    sheet.y += 14
    sheet.text([Piece(form.title, "bold")], inner, room, 16)
    sheet.y += 4
    for one in form.inputs:
        _input(sheet, one, inner, room)
    sheet.y += 8
    send, cancel = width("Submit", 13.5) + 28, width("Cancel", 13.5) + 28
    x = left + wide - 18 - send
    sheet.box("b1", x, sheet.y, send, 30, 5)
    sheet.word("Submit", x + 14, sheet.y + 19.7, 13.5, "on")
    sheet.box("ring", x - 3.5, sheet.y - 3.5, send + 7, 37, 8)
    sheet.box("b2", x - cancel - 12, sheet.y, cancel, 30, 5)
    sheet.word("Cancel", x - cancel + 2, sheet.y + 19.7, 13.5)
    sheet.y += 46
    drawn = sheet.parts[mark:]
    del sheet.parts[mark:]
    sheet.box("form", left, top, wide, sheet.y - top, 10)
    sheet.parts += drawn
    sheet.y += 14


def _input(sheet: Sheet, one: Input, x: float, room: float) -> None:
    sheet.y += 6
    sheet.text([Piece(one.label, "bold")], x, room, 13)
    if one.hint:
        sheet.text([Piece(one.hint)], x, room, 12, "hint")
    sheet.y += 4
    for label, chosen in one.options:
        sheet.parts.append(f'<circle class="input" cx="{x + 8:g}" cy="{sheet.y + 9:g}" r="7"/>')
        if chosen:
            sheet.parts.append(f'<circle class="dot" cx="{x + 8:g}" cy="{sheet.y + 9:g}" r="4"/>')
        sheet.word(label, x + 24, sheet.y + 13.5, 13.5)
        sheet.y += 21
    if not one.options:
        top, mark = sheet.y, len(sheet.parts)
        sheet.y += 5
        sheet.text([Piece(one.value or " ")], x + 10, room - 20, 13.5)
        sheet.y += 6
        drawn = sheet.parts[mark:]
        del sheet.parts[mark:]
        sheet.box("input", x, top, room, sheet.y - top, 5)
        sheet.parts += drawn
    sheet.y += 2
