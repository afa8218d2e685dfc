"""How wide text is on a terminal, and text cut to a number of columns."""

import shutil
from typing import TextIO

MAX_NAME = 64
"""Characters shown of a name, a method or an address, however wide the terminal."""

MAX_TEXT = 300
"""Characters shown of a path, a URL, a reason or a hint, likewise."""


def columns(text: str) -> int:
    """Return how many columns a terminal gives the text."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def cut(text: str, room: int) -> str:
    """Return the text in at most `room` columns; an ellipsis replaces a longer one's end."""
    if columns(text) <= room:
        return text
    if room <= 0:
        return ""
    if text.isascii():
        return text[: room - 1] + "…"
    from rich.cells import set_cell_size

    return set_cell_size(text, room - 1).rstrip() + "…"


def cut_inside(text: str, room: int) -> str:
    """Return a name in at most `room` columns, cut where it matters least.

    The end of a name matters more than its middle: ``minis.sub…cancel``.
    """
    if len(text) <= room or room < 12 or not text.isascii():
        return cut(text, room)
    tail = (room - 1) // 2
    return f"{text[: room - 1 - tail]}…{text[-tail:]}"


def terminal_width(stream: TextIO) -> int | None:
    """Return the columns of the terminal that a stream leads to; None if it is not a terminal.

    ``COLUMNS`` counts where it is set.
    """
    return shutil.get_terminal_size().columns if stream.isatty() else None
