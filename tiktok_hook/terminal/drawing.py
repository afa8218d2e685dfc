"""What people read, composed of rich's `Text` and rendered to plain text with escape sequences.

Only `Text` is used: no markup, no emoji codes, no highlighter, so that ``[red]`` in a payload is
just text. Rich leaves control characters as they are: text from outside is made harmless before it
gets here (`tiktok_hook.sanitize.visible`, `tiktok_hook.terminal.lines.shown`).

Import it only when there is something to draw: rich takes 40 ms to load.
"""

import io
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from rich.cells import cell_len
from rich.console import Console
from rich.style import Style as RichStyle
from rich.text import Text
from rich.theme import Theme

from tiktok_hook.terminal.cells import columns
from tiktok_hook.terminal.theme import STYLES, Paint, Part, Parts, Style

_WORD = re.compile(r"\S+\s*|\s+")

MIN_PROSE_COLUMNS = 30
"""Prose is not wrapped to less than this: a narrower terminal wraps it once more."""


def line(*parts: Part | Text) -> Text:
    """Compose a line of parts."""
    return Text.assemble(*parts, no_wrap=True, overflow="ignore", end="")


def linked(part: Part, url: str) -> Text:
    """Make a part a link that a terminal opens at a click (OSC 8); no link where `url` is empty."""
    text = line(part)
    if url:
        text.stylize(RichStyle(link=url))
    return text


def fits(parts: Parts, width: int | None) -> bool:
    """Return whether a line has room in a number of columns; None sets no limit."""
    if width is None:
        return True
    return sum(columns(each if isinstance(each, str) else each[0]) for each in parts) <= width


def wrapped(painted: str, *, width: int, indent: int) -> list[Text]:
    """Wrap a line that has the colours of the theme already.

    Args:
        painted: Without a newline.
        width: Columns of the terminal.
        indent: Columns before the lines that follow the first.
    """
    return hanging("", Text.from_ansi(painted), width=width, indent=indent)


def hanging(
    lead: Part | Text,
    body: Part | Text,
    *,
    width: int,
    indent: int | None = None,
    fold: bool = False,
) -> list[Text]:
    """Wrap prose behind a lead, with the lines that follow indented to where the prose begins.

    Args:
        lead: What precedes the first line: an indent, a mark, a label.
        body: The prose.
        width: Columns of the terminal.
        indent: Columns before the lines that follow; None for the width of the lead.
        fold: Whether a word that is longer than a line is broken; otherwise it is kept whole, so
            that a URL or a command can be copied.
    """
    first = line(lead)
    under = first.cell_len if indent is None else indent
    room = max(width - max(under, first.cell_len), MIN_PROSE_COLUMNS)
    start, *rest = _wrapped(line(body), room, fold=fold)
    return [line(first, start), *(line(" " * under, each) for each in rest)]


def _wrapped(text: Text, room: int, *, fold: bool) -> list[Text]:
    """Break at blanks; rich's own wrapping breaks long words or does not wrap at all."""
    breaks, used = [], 0
    for word in _WORD.finditer(text.plain):
        length = cell_len(word[0].rstrip())
        if used and used + length > room:
            breaks.append(word.start())
            used = 0
        for at in range(room, len(word[0]) if fold else 0, room):
            breaks.append(word.start() + at)
            used = -at
        used += cell_len(word[0])
    lines = list(text.divide(breaks))
    for each in lines:
        each.rstrip()
    return lines


def paragraph(body: Part | Text, *, width: int, indent: int = 0) -> list[Text]:
    """Wrap prose, all of it indented."""
    return hanging(" " * indent, body, width=width)


def columns_of(
    rows: Sequence[Sequence[Part | Text]], *, indent: int = 2, gap: int = 2
) -> list[Text]:
    """Align short cells below each other; the last cell of a row is as long as it is."""
    made = [[line(cell) for cell in row] for row in rows]
    count = max((len(row) for row in made), default=0)
    widths = [
        max((row[at].cell_len for row in made if at < len(row) - 1), default=0)
        for at in range(count)
    ]
    lines = []
    for row in made:
        text = line(" " * indent)
        for at, cell in enumerate(row):
            text.append_text(cell)
            if at < len(row) - 1:
                text.append(" " * (widths[at] - cell.cell_len + gap))
        lines.append(text)
    return lines


def rule(title: Text, *, width: int) -> Text:
    """A title set into a line across the terminal."""
    left = width - title.cell_len - 4
    return line(("── ", "rule"), title, " ", ("─" * max(left, 2), "rule"))


def render(lines: Iterable[Text | Parts], paint: Paint) -> str:
    """Return the lines with the escape sequences of the theme, each with a newline at its end.

    Lines in `Parts` are joined by hand: a body may have half a million of them, and rich takes
    100 µs for each.
    """
    console = _console(colored=paint.enabled)
    rendered = []
    for each in lines:
        if not isinstance(each, Text):
            rendered.append(paint.join(each) + "\n")
            continue
        with console.capture() as captured:
            console.print(each, end="\n", soft_wrap=True)
        rendered.append(captured.get())
    return "".join(rendered)


@lru_cache(maxsize=2)
def _console(*, colored: bool) -> Console:
    """A console that prints nowhere, and asks neither the environment nor a terminal."""
    return Console(
        file=io.StringIO(),
        width=80,
        height=25,
        color_system="256" if colored else None,
        force_terminal=colored,
        force_jupyter=False,
        force_interactive=False,
        no_color=False,
        theme=Theme({name: _rich(style) for name, style in STYLES.items()}, inherit=False),
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )


def _rich(style: Style) -> RichStyle:
    return RichStyle(
        color=None if style.foreground is None else f"color({style.foreground})",
        bgcolor=None if style.background is None else f"color({style.background})",
        bold=style.bold or None,
        underline=style.underline or None,
        dim=style.dim or None,
    )
