"""What the composed parts of a screen look like as text."""

from collections.abc import Iterable

from rich.text import Text

from tiktok_hook.terminal.drawing import render
from tiktok_hook.terminal.theme import PLAIN, Paint, Parts


def drawn(lines: Iterable[Text | Parts], paint: Paint = PLAIN) -> str:
    return render(lines, paint)


def drawn_lines(lines: Iterable[Text | Parts], paint: Paint = PLAIN) -> list[str]:
    return drawn(lines, paint).splitlines()
