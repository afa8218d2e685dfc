"""Lines that begin with pass, warn or fail, and what is to be said under them."""

import os
import shutil
import sys
import textwrap
from collections.abc import Sequence

from tiktok_hook.sanitize import visible

_COLOURS = {"pass": "\x1b[32m", "warn": "\x1b[33m", "fail": "\x1b[31m"}
_DIM, _OFF = "\x1b[2m", "\x1b[0m"
_INDENT = 8


class Marks:
    """Writes the lines, for a width and with or without colour.

    Args:
        width: Columns; longer text is wrapped.
        coloured: Whether to colour.
    """

    def __init__(self, *, width: int, coloured: bool) -> None:
        self._width = max(width, 40)
        self._coloured = coloured

    @classmethod
    def for_stdout(cls) -> "Marks":
        """As it fits where stdout leads: 80 columns and no colour but on a terminal."""
        terminal = sys.stdout.isatty()
        plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        columns = shutil.get_terminal_size().columns if terminal else 80
        return cls(width=min(columns, 100), coloured=terminal and not plain)

    def line(self, mark: str, title: str, detail: str, *, title_width: int) -> list[str]:
        """A mark, a title and what was found, wrapped under itself.

        Args:
            mark: ``pass``, ``warn`` or ``fail``.
            title: What was looked at.
            detail: What was found; made visible.
            title_width: Columns of the longest title.
        """
        room = self._width - _INDENT - title_width - 2
        first, *rest = textwrap.wrap(visible(detail), max(room, 20), break_on_hyphens=False) or [""]
        shown = f"  {self._paint(mark, _COLOURS[mark])}  {title:<{title_width}}  {first}".rstrip()
        indent = " " * (_INDENT + title_width + 2)
        return [shown, *(indent + each for each in rest)]

    def below(self, *texts: str) -> list[str]:
        """Paragraphs under a line, indented; empty ones are left out."""
        indent = " " * _INDENT
        return [
            line
            for text in texts
            for line in textwrap.wrap(
                visible(text),
                self._width,
                initial_indent=indent,
                subsequent_indent=indent,
                break_on_hyphens=False,
            )
        ]

    def counts(self, counts: Sequence[tuple[str, int]]) -> str:
        """How many there were of each, the worst in colour."""
        return ", ".join(
            self._paint(f"{number} {_WORDS[mark]}", _COLOURS[mark] if number else _DIM)
            for mark, number in counts
        )

    def heading(self, text: str) -> str:
        """A line of its own, dim on a terminal."""
        return self._paint(visible(text), _DIM)

    def _paint(self, text: str, code: str) -> str:
        return f"{code}{text}{_OFF}" if self._coloured else text


_WORDS = {"pass": "passed", "warn": "warned", "fail": "failed"}
