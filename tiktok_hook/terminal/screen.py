"""The two outputs as one: order kept, status line below, readers that leave."""

import time
from collections.abc import Callable, Iterator, Sequence
from enum import Enum

from tiktok_hook.terminal.flood import FloodGate
from tiktok_hook.terminal.live import ERASE, SessionCounts, StatusLine
from tiktok_hook.terminal.printer import Drawn
from tiktok_hook.terminal.sink import Closed, Sink
from tiktok_hook.terminal.view import Piece, View

REPORT_CHECK_SECONDS = 0.5
"""Seconds between two looks at counts and times that change without a record."""

_CHUNK = 64 * 1024
_BREATH_EVERY = 16
_BREATH_SECONDS = 0.0002


class Control(Enum):
    """What is asked of the screen itself."""

    HIDE = "hide"
    SHOW = "show"
    REDRAW = "redraw"
    REPORT = "report"
    """A flood gate has begun to count: report its count once that is due."""


class Screen:
    """Draws batches; everything but `closed` belongs to the printing thread.

    Args:
        view: The format.
        out: Where data goes.
        err: Where words for people go.
        status: The status line; None without.
        counts: Returns what the status line counts.
        on_closed: Called once when the reader of `out` has left.
        gates: Count what strangers send beyond their allowance.
    """

    def __init__(
        self,
        view: View,
        out: Sink,
        err: Sink,
        *,
        status: StatusLine | None,
        counts: Callable[[], SessionCounts],
        on_closed: Callable[[], None],
        gates: Sequence[FloodGate] = (),
    ) -> None:
        self._view = view
        self._sinks = {"out": out, "err": err}
        if out.device is not None and out.device == err.device:
            self._sinks["err"] = out  # one terminal, one write
        self._status = status
        self._counts = counts
        self._on_closed = on_closed
        self._gates = gates
        self._open = {"out": True, "err": True}
        self._shown = ""  # the status line as it is drawn
        self._drawn = False  # whether it is on the screen
        self._hidden = False
        self._trouble = ""

    def draw(self, items: Sequence[object], dropped: int, *, final: bool) -> Drawn:
        """Write a batch; see `tiktok_hook.terminal.printer.Draw`."""
        for item in items:
            if isinstance(item, Control):
                self._control(item)
            elif self._status is not None:
                self._status.note(item)
        items = [*items, *(each for gate in self._gates for each in gate.due(final=final))]
        if self._hidden:
            final = True
        wrote = False
        runs = self._runs(self._pieces(items, dropped, final=final))
        if self._status is None:
            for channel, text in runs:
                self._write(channel, text)
                wrote = True
            return Drawn(wrote, self._holds)
        erase = ERASE if self._drawn else ""
        for channel, text in runs:
            self._write(channel, erase + text)
            erase, self._shown, self._drawn, wrote = "", "", False, True
        if not wrote and self._view.holds is not None:
            return Drawn(wrote, self._holds)  # soon drawn with what is held back
        width = self._sinks["out"].width or 80
        line = "" if self._hidden else self._status.text(width, self._counts())
        if line != self._shown:
            self._write("out", f"{erase}{line}\r" if line else erase)
            self._shown, self._drawn, wrote = line, bool(line), True
        return Drawn(wrote, self._holds)

    @property
    def _holds(self) -> float | None:
        """Seconds until the next draw has something to show without a new record; None if never."""
        seconds = [self._view.holds]
        if any(gate.pending for gate in self._gates):
            seconds.append(REPORT_CHECK_SECONDS)
        if self._status is not None and self._counts().waiting:
            seconds.append(REPORT_CHECK_SECONDS)
        return min((each for each in seconds if each is not None), default=None)

    def _control(self, wanted: Control) -> None:
        if wanted is Control.REDRAW:
            self._shown = ""
        elif wanted is not Control.REPORT:
            self._hidden = wanted is Control.HIDE

    def _pieces(self, items: Sequence[object], dropped: int, *, final: bool) -> Iterator[Piece]:
        for start in range(0, len(items), _BREATH_EVERY):
            if start:
                # Lets the event loop have the interpreter, which a busy thread gives away only
                # every 5 ms.
                time.sleep(_BREATH_SECONDS)
            yield from self._view.draw(items[start : start + _BREATH_EVERY], 0)
        if dropped or not items:
            yield from self._view.draw((), dropped)
        if final:
            yield from self._view.rest()

    def _runs(self, pieces: Iterator[Piece]) -> Iterator[tuple[str, str]]:
        """Neighbours of one output joined, so that a batch is one write."""
        run: list[str] = []
        size, current = 0, ""
        for channel, text in pieces:
            if run and (size > _CHUNK or self._sinks[channel] is not self._sinks[current]):
                yield current, "".join(run)
                run, size = [], 0
            current = channel
            run.append(text)
            size += len(text)
        if run:
            yield current, "".join(run)

    def _write(self, channel: str, text: str) -> None:
        if not self._open[channel]:
            return
        try:
            self._sinks[channel].write(text)
        except Closed:
            self._open[channel] = False
            if channel == "out":
                self._on_closed()
        except OSError as error:
            self._report(channel, error.strerror or str(error))

    def _report(self, channel: str, trouble: str) -> None:
        """Warn once on stderr that stdout cannot be written; keep trying."""
        if channel == "out" and trouble != self._trouble:
            self._trouble = trouble
            self._write("err", f"Warning: the output cannot be written: {trouble}\n")
