"""What a session looks like: banner, deliveries, state lines, keys, summary.

Data goes to stdout, words for people to stderr. Both are written by one thread behind a bounded
queue, so that their order is kept and no terminal, however slow, holds up receiving.
"""

import os
import re
import sys
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Literal, Self, TextIO, TypeAlias

from tiktok_hook.bus import Handler
from tiktok_hook.delivery import (
    AppChanged,
    AppOutput,
    Attempt,
    AttemptEnded,
    Delivery,
    DeliveryAnswered,
    NonWebhookRequest,
    Notice,
    QueueChanged,
    Ready,
    Skipped,
    Summary,
    TunnelChanged,
    bounded,
)
from tiktok_hook.terminal import blocks, lines, words
from tiktok_hook.terminal.flood import FloodGate
from tiktok_hook.terminal.jsonl import JsonLines
from tiktok_hook.terminal.live import StatusLine
from tiktok_hook.terminal.paint import COLOURED, PLAIN, Paint
from tiktok_hook.terminal.printer import Printer
from tiktok_hook.terminal.screen import Control, Screen
from tiktok_hook.terminal.sink import Sink
from tiktok_hook.terminal.text import Text
from tiktok_hook.terminal.view import Piece, View

__all__ = ["Console", "Format", "block", "line", "make", "paint_for"]

Format: TypeAlias = Literal["full", "compact", "json"]
"""``full`` and ``compact`` are for people, ``json`` is for programs."""

SCREEN_LIMIT = 100
"""Deliveries kept for one write to a terminal, ten times a second; the rest is counted."""

PIPE_LIMIT = 20_000
"""Records kept for a pipe or a file, where each line counts."""

BYTES_LIMIT = 16 << 20
"""Bytes of bodies that may wait for the printing thread."""

ALLOWANCES = {
    # Whether programs read it: records at once, and per second in the long run.
    False: {"rejected": (10, 1 / 30), "requests": (10, 1 / 30)},
    True: {"rejected": (100, 1.0), "requests": (100, 1.0)},
}
"""What is shown of that which strangers can send without end; the rest is counted."""

_RECORD_BYTES = 500
_COLOUR = re.compile("\x1b\\[[0-9;:]*m")
_SUSPENDED = Notice(
    "Stopped: nothing is received, answered or handed on until fg or bg.", level="info"
)
_HELP = """\
  r  send the last delivery again
  p  pause forwarding, go on
  o  open the inspector
  c  copy the Callback URL
  q  quit (Ctrl-C too)
  ?  these keys
"""


class Console:
    """What a session shows. Its methods never wait, but for `flush`, `suspend` and `close`.

    All are called from one thread; a context manager that closes itself. Made by `make`.

    Attributes:
        live: Whether there is a terminal to draw a status line on.
        keys: Whether single keys can be read.
    """

    def __init__(
        self,
        view: View,
        out: Sink,
        err: Sink,
        *,
        status: StatusLine | None,
        keys: bool,
        colours: bool,
        limit: int,
        for_programs: bool,
        on_closed: Callable[[], None],
    ) -> None:
        self._colours = colours
        self._received = 0
        self._refused = 0
        self._lost = 0
        self.keys = keys
        self._attempt_weight = 1 if for_programs else 0
        self.live = status is not None
        self._status = status
        allowances = ALLOWANCES[for_programs]
        self._rejected = FloodGate("rejected", *allowances["rejected"])
        self._requests = FloodGate("requests", *allowances["requests"])
        self._screen = Screen(
            view,
            out,
            err,
            status=status,
            status_text=self._status_text,
            gates=(self._rejected, self._requests),
            on_closed=on_closed,
        )
        self._printer = Printer(self._screen.draw, limit=limit, limit_bytes=BYTES_LIMIT)
        self._handlers = self.handlers()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def dropped(self) -> int:
        """Records that were only counted, because they came faster than they can be shown."""
        return self._printer.dropped

    def handlers(self) -> Mapping[type[Any], Handler]:
        """What to call with which event, for `Bus.connect`."""
        vital = (AppChanged, Notice, QueueChanged, Ready, Skipped, TunnelChanged)
        return {
            DeliveryAnswered: self._answered,
            AttemptEnded: self._attempt_ended,
            NonWebhookRequest: self._non_webhook_request,
            AppOutput: self._app_output,
            Summary: self._summary,
            **dict.fromkeys(vital, self._vital),
        }

    def show(self, event: object) -> None:
        """Show one event; one that has no place on a screen is ignored."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

    def _answered(self, event: DeliveryAnswered) -> None:
        delivery = event.delivery
        self._received += 1
        if delivery.refused:
            self._refused += 1
            self._put_limited(self._rejected, DeliveryAnswered(bounded(delivery)))
        else:
            self._printer.put(event, size=len(delivery.body) + _RECORD_BYTES)

    def _attempt_ended(self, event: AttemptEnded) -> None:
        size = len(event.attempt.body) + _RECORD_BYTES
        self._printer.put(event, size=size, weight=self._attempt_weight)

    def _non_webhook_request(self, event: NonWebhookRequest) -> None:
        self._put_limited(self._requests, event)

    def _app_output(self, event: AppOutput) -> None:
        self.write(f"app │ {event.line}")

    def _summary(self, event: Summary) -> None:
        self._vital(replace(event, dropped_lines=self.dropped))

    def _vital(self, event: object) -> None:
        """Events that are few and must not be missed."""
        self._printer.put(event, weight=0, vital=True)

    def write(self, text: str) -> None:
        """Whole lines for stderr, kept apart from the status line: the app's own output.

        Args:
            text: Written as it is, colours included where we use them, too; a newline is added
                where it lacks.
        """
        if not self._colours:
            text = _COLOUR.sub("", text)
        lines_here = text.count("\n") or 1
        if self._lost:
            text = f"… {words.plural(self._lost, 'more line')} of output left out\n{text}"
        taken = self._printer.put(text, size=len(text), weight=0, vital=True)
        self._lost = 0 if taken else self._lost + lines_here

    def help(self) -> None:
        """Show what the keys do."""
        self._printer.put(_HELP, vital=True)

    def copy(self, text: str) -> None:
        """Put a text on the clipboard of whoever sits at the terminal (OSC 52), also through ssh.

        Terminals may not allow it and do not say.
        """
        code = b64encode(text.encode()).decode("ascii")
        self._printer.put(Piece("err", f"\x1b]52;c;{code}\x07"), vital=True)

    def resized(self) -> None:
        """Draw the status line for the terminal's new width."""
        if self.live:
            self._printer.put(Control.REDRAW, vital=True)

    def suspend(self) -> None:
        """Say what Ctrl-Z means and take the status line away; waits at most half a second."""
        if self.live:
            self._printer.put(_SUSPENDED, vital=True)
            self._printer.put(Control.HIDE, vital=True)
            self.flush(0.5)

    def resume(self) -> None:
        """Put the status line back."""
        if self.live:
            self._printer.put(Control.SHOW, vital=True)

    def flush(self, timeout: float = 2.0) -> bool:
        """Wait until everything handed in is written; False when `timeout` seconds did not do."""
        return self._printer.flush(timeout)

    def close(self, timeout: float = 2.0) -> None:
        """Write what is left, take the status line away and stop printing.

        A reader that does not read is left behind after `timeout` seconds.
        """
        if self.live:
            self._printer.put(Control.HIDE, vital=True)
        self._printer.close(timeout)

    def abandon(self) -> None:
        """Put the terminal in order before the process ends at once; waits 0.1 s at most."""
        from tiktok_hook.terminal import keys

        keys.restore()
        if self.live:
            self._printer.put(Control.HIDE, vital=True)
            self._printer.close(0.1)

    def _put_limited(self, gate: FloodGate, item: DeliveryAnswered | NonWebhookRequest) -> None:
        """Show what a stranger can send without end, as far as its allowance goes."""
        already_counting = gate.pending
        if gate.admit():
            if isinstance(item, DeliveryAnswered):
                self._printer.put(item, size=len(item.delivery.body) + _RECORD_BYTES)
            else:
                self._printer.put(item, weight=0)
        elif not already_counting:
            self._printer.put(Control.REPORT, weight=0, vital=True)

    def _status_text(self, width: int) -> str:
        assert self._status is not None
        return self._status.text(
            width,
            received=self._received,
            refused=self._refused,
            keys=self.keys,
        )


def make(
    format: Format | None = None,  # noqa: A002 - named as the option is
    *,
    out: TextIO | int | None = None,
    err: TextIO | int | None = None,
    color: bool | None = None,
    width: int | None = None,
    keys: bool | None = None,
    on_closed: Callable[[], None] = lambda: None,
) -> Console:
    """Make the console of a session.

    Args:
        format: None takes ``full`` on a terminal and ``compact`` without one.
        out: For data; None is stdout. A number is a file descriptor.
        err: For words to people; None is stderr.
        color: None colours terminals, unless ``NO_COLOR`` is set or ``TERM`` is ``dumb``.
        width: Columns; None asks the terminal each time, and cuts nothing where there is none.
        keys: Whether single keys work, so that they are mentioned; None when stdin and the screen
            are terminals.
        on_closed: Called on the printing thread, once, when the reader of `out` has left.
    """
    out_sink = Sink(sys.stdout if out is None else out)
    err_sink = Sink(sys.stderr if err is None else err)
    chosen = format or ("full" if out_sink.is_terminal else "compact")
    status = None
    view: View
    err_paint = _paint(err_sink, color=color)
    if chosen == "json":
        view = JsonLines()
    else:
        if out_sink.is_terminal and err_sink.is_terminal and os.environ.get("TERM") != "dumb":
            status = StatusLine(err_paint)
        if keys is None:
            keys = status is not None and Sink(sys.stdin).is_terminal
        view = Text(
            full=chosen == "full",
            out_paint=_paint(out_sink, color=color),
            err_paint=err_paint,
            out_width=lambda: width or out_sink.width,
            err_width=lambda: width or err_sink.width,
            keys=keys,
        )
    on_screen = out_sink.is_terminal and chosen != "json"
    return Console(
        view,
        out_sink,
        err_sink,
        status=status,
        keys=bool(keys),
        colours=err_paint is not PLAIN,
        limit=SCREEN_LIMIT if on_screen else PIPE_LIMIT,
        for_programs=chosen == "json",
        on_closed=on_closed,
    )


def paint_for(stream: TextIO | int, *, color: bool | None = None) -> Paint:
    """The colours for a stream, by the rules of `make`."""
    return _paint(Sink(stream), color=color)


def line(
    delivery: Delivery,
    attempt: Attempt | None = None,
    *,
    paint: Paint = PLAIN,
    width: int | None = None,
    first_at: float | None = None,
) -> str:
    """A delivery in one line, as in a compact session; without a newline."""
    return lines.delivery_line(delivery, paint, attempt=attempt, width=width, first_at=first_at)


def block(
    delivery: Delivery,
    attempts: Sequence[Attempt] = (),
    *,
    paint: Paint = PLAIN,
    width: int = 80,
    first_at: float | None = None,
    whole: bool = True,
) -> str:
    """A delivery in full, as in a session; by default nothing is left out of headers and body."""
    return blocks.delivery_block(
        delivery, paint, attempts=attempts, width=width, first_at=first_at, whole=whole
    )


def _paint(sink: Sink, *, color: bool | None) -> Paint:
    if color is None:
        dumb = os.environ.get("TERM") == "dumb"
        color = sink.is_terminal and not os.environ.get("NO_COLOR") and not dumb
    return COLOURED if color else PLAIN
