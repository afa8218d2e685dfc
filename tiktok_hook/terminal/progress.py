"""A progress line on stderr, drawn only where it is a terminal."""

import sys
import time
from types import TracebackType
from typing import Self, TextIO

from tiktok_hook.terminal import words
from tiktok_hook.terminal.cells import terminal_width

_INTERVAL = 0.1
_BAR_COLUMNS = 30


class Progress:
    """Shows how far a job of known length is; a context manager that erases its line at the end.

    Args:
        label: What is being done: ``Sending``.
        total: Steps in all.
        stream: Where it is drawn; None for stderr.
    """

    def __init__(self, label: str, total: int, *, stream: TextIO | None = None) -> None:
        self._label = label
        self._total = total
        self._stream = stream or sys.stderr
        self._visible = self._stream.isatty()
        self._done = 0
        self._began = time.monotonic()
        self._drawn_at = float("-inf")

    def __enter__(self) -> Self:
        self._draw()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.erase()

    def advance(self) -> None:
        """Count one more step; draws ten times a second at most."""
        self._done += 1
        self._draw()

    def erase(self) -> None:
        """Remove the line, so that something else can be printed in its place."""
        if self._visible:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._drawn_at = float("-inf")

    def _draw(self) -> None:
        now = time.monotonic()
        if not self._visible or now - self._drawn_at < _INTERVAL:
            return
        self._drawn_at = now
        self._stream.write(f"\r\x1b[K{self._text(now)}\r")
        self._stream.flush()

    def _text(self, now: float) -> str:
        from rich.console import Console
        from rich.progress_bar import ProgressBar

        width = (terminal_width(self._stream) or 80) - 1
        console = Console(width=_BAR_COLUMNS, color_system=None, legacy_windows=False)
        with console.capture() as captured:
            bar = ProgressBar(total=self._total, completed=self._done, width=_BAR_COLUMNS)
            console.print(bar, end="")
        counted = f"{words.count(self._done)} of {words.count(self._total)}"
        left = ""
        if 0 < self._done < self._total:
            seconds = (now - self._began) / self._done * (self._total - self._done)
            left = f", {words.duration(seconds)} left"
        return f"{self._label} {captured.get()} {counted}{left}"[:width]
