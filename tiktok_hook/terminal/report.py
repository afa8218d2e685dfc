"""Reports of checks: lines that begin with pass, warn or fail, with explanations below them."""

import sys
from collections.abc import Sequence

from rich.text import Text

from tiktok_hook.sanitize import visible
from tiktok_hook.terminal.cells import terminal_width
from tiktok_hook.terminal.drawing import hanging, line, render
from tiktok_hook.terminal.theme import Paint, paint_for

MAX_COLUMNS = 100
"""Prose is not wider than this, however wide the terminal."""

_INDENT = 8
_STYLES = {"pass": "good", "warn": "caution", "fail": "bad", "skip": "caution"}
_COUNTED = {"pass": "passed", "warn": "warned", "fail": "failed", "skip": "not judged"}


class Report:
    """Draws the lines of a report for a width, with or without colour.

    Args:
        width: Columns; longer text is wrapped.
        paint: Colours.
    """

    def __init__(self, *, width: int, paint: Paint) -> None:
        self._width = max(width, 40)
        self._paint = paint

    @classmethod
    def for_stdout(cls, *, color: bool | None = None) -> "Report":
        """Make one for stdout: as wide as the terminal, or 80 columns where there is none.

        Args:
            color: What the user asked for; None decides by terminal and environment.
        """
        columns = terminal_width(sys.stdout) or 80
        return cls(width=min(columns, MAX_COLUMNS), paint=paint_for(sys.stdout, color=color))

    def line(self, mark: str, title: str, detail: str, *, title_width: int) -> str:
        """Return a mark, a title and what was found, wrapped below itself.

        Args:
            mark: ``pass``, ``warn`` or ``fail``.
            title: What was checked.
            detail: What was found; made harmless.
            title_width: Columns of the longest title.
        """
        lead = line("  ", (mark, _STYLES[mark]), f"  {title:<{title_width}}  ")
        return self._rendered(lead, visible(detail))

    def below(self, *texts: str) -> str:
        """Return paragraphs below a line, indented; empty ones are left out."""
        return "".join(self._rendered(line(" " * _INDENT), visible(each)) for each in texts if each)

    def prose(self, text: str) -> str:
        """Return a paragraph."""
        return self._rendered(line(), visible(text))

    def heading(self, text: str) -> str:
        """Return a line of its own, in bold."""
        return render([line((visible(text), "strong"))], self._paint)

    def counts(self, counts: Sequence[tuple[str, int]], *, after: str = "") -> str:
        """Return how many checks passed, warned and failed, and a sentence after that."""
        parts: list[str | tuple[str, str]] = []
        for mark, number in counts:
            if not number and mark == "skip":
                continue
            counted = f"{number} {_COUNTED[mark]}"
            parts += [", "] if parts else []
            parts.append((counted, _STYLES[mark]) if number and mark != "pass" else counted)
        return render([line(*parts, f".{after}")], self._paint)

    def _rendered(self, lead: Text, text: str) -> str:
        lines = hanging(lead, text, width=self._width)
        for each in lines:
            each.rstrip()
        return render(lines, self._paint)
