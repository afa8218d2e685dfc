"""The console of a session: subscribes to its events and shows them in one of four formats."""

import math
import os
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Literal, Self, TextIO, TypeAlias, get_args

from tiktok_hook.bus import Handler
from tiktok_hook.delivery import (
    AppChanged,
    AppOutput,
    Attempt,
    AttemptEnded,
    AttemptStarted,
    Delivery,
    DeliveryAnswered,
    DeliveryStored,
    NonWebhookRequest,
    Notice,
    QueueChanged,
    Ready,
    Skipped,
    Summary,
    TunnelChanged,
    bounded,
)
from tiktok_hook.sanitize import visible
from tiktok_hook.terminal import words
from tiktok_hook.terminal.flood import FloodGate
from tiktok_hook.terminal.jsonl import JsonLines
from tiktok_hook.terminal.live import SessionCounts, StatusLine
from tiktok_hook.terminal.printer import Printer
from tiktok_hook.terminal.screen import Control, Screen
from tiktok_hook.terminal.sink import Sink
from tiktok_hook.terminal.text import Form, Text
from tiktok_hook.terminal.theme import COLOURED, PLAIN, Paint, knows_links, wants_color
from tiktok_hook.terminal.view import Details, Raw, View

Format: TypeAlias = Literal["compact", "normal", "full", "json"]
"""``json`` is for programs, the others are for people."""

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

UNKNOWN_KEY_SECONDS = 1.0
"""Time in which a second line about an unknown key is left out: the user types, or leans on it."""

_RECORD_BYTES = 500
_COLOUR = re.compile("\x1b\\[[0-9;:]*m")
_SUSPENDED = Notice("Stopped: nothing is received or forwarded until fg or bg.", level="info")
_HELP = """\
  v  view: compact, normal, full
  d  details of the last delivery
  r  replay the last delivery
  f  replay the last failed delivery
  p  pause / resume forwarding
  o  open the inspector
  c  copy the Callback URL
  ?  this list
  q  quit, as Ctrl-C does
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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._colours = colours
        self._received = 0
        self._has_routes = False
        self._rejected_count = 0
        # Deliveries without an answer, oldest first, with the monotonic second of their arrival.
        # Written by the publishing thread; the printing thread reads the tuple made of it.
        self._unanswered: dict[int, float] = {}
        self._waiting = (0, 0.0)
        self._lost = 0
        self.keys = keys
        self._for_programs = for_programs
        self._answers_due: set[int] = set()
        self._unknown_key_at = -math.inf
        self._attempt_weight = 1 if for_programs else 0
        self.live = status is not None
        self._view = view
        allowances = ALLOWANCES[for_programs]
        self._rejected = FloodGate("rejected", *allowances["rejected"], clock=clock)
        self._requests = FloodGate("requests", *allowances["requests"], clock=clock)
        self._screen = Screen(
            view,
            out,
            err,
            status=status,
            counts=self._counts,
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
        """Records that were not shown, because they came faster than they can be printed."""
        return self._printer.dropped

    def handlers(self) -> Mapping[type[Any], Handler]:
        """Return what to call with which event, for `Bus.connect`."""
        vital = (AppChanged, Notice, QueueChanged, Skipped, TunnelChanged)
        return {
            DeliveryStored: self._stored,
            DeliveryAnswered: self._answered,
            AttemptStarted: self._attempt_started,
            AttemptEnded: self._attempt_ended,
            NonWebhookRequest: self._non_webhook_request,
            AppOutput: self._app_output,
            Ready: self._ready,
            Summary: self._summary,
            **dict.fromkeys(vital, self._vital),
        }

    def show(self, event: object) -> None:
        """Show one event; one that has no place on a screen is ignored."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

    def _stored(self, event: DeliveryStored) -> None:
        delivery = event.delivery
        self._received += 1
        if delivery.verdict.rejected:
            return  # shown with its answer, as far as the allowance goes
        if delivery.status is None:
            self._unanswered[delivery.id] = self._clock()
            self._note_waiting()
        # Not counted when it is dropped: its answer is shown, or counted, all the same.
        taken = self._printer.put(event, size=len(delivery.body) + _RECORD_BYTES, weight=0)
        if taken and self._for_programs:
            self._answers_due.add(delivery.id)

    def _answered(self, event: DeliveryAnswered) -> None:
        delivery = event.delivery
        if self._unanswered.pop(delivery.id, None) is not None:
            self._note_waiting()
        self._rejected_count += delivery.rejected
        if delivery.id in self._answers_due:  # each delivery line has its answer line
            self._answers_due.discard(delivery.id)
            self._printer.put(event, vital=True)
        elif delivery.verdict.rejected:  # an unverified tiktok.ping is one, too, and answered 200
            self._put_limited(self._rejected, DeliveryAnswered(bounded(delivery)))
        else:
            self._printer.put(event, size=len(delivery.body) + _RECORD_BYTES)

    def _attempt_started(self, event: AttemptStarted) -> None:
        """Show which of several targets a delivery waits for; of one the view knows already."""
        if self._has_routes and not self._for_programs:
            self._printer.put(event, size=_RECORD_BYTES, weight=0)

    def _ready(self, event: Ready) -> None:
        self._has_routes = bool(event.routes)
        self._vital(event)

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
        """Show an event of a kind that is rare and must not be missed."""
        self._printer.put(event, weight=0, vital=True)

    def write(self, text: str) -> None:
        """Write complete lines to stderr, such as the app's own output.

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

    def details(self, delivery: Delivery, attempts: Sequence[Attempt]) -> None:
        """Show a delivery with its headers and attempts, whatever the format."""
        self._printer.put(Details(delivery, tuple(attempts)), vital=True)

    def unknown_key(self, key: str) -> None:
        """Name the keys in one line, because `key` is none; at most one such line a second."""
        now = self._clock()
        if now - self._unknown_key_at < UNKNOWN_KEY_SECONDS:
            return
        self._unknown_key_at = now
        name = "Space" if key == " " else visible(key)
        line = f"{name} is not a key. Keys: v d r f p o c q; ? explains them.\n"
        self._printer.put(line, vital=True)

    def next_view(self) -> None:
        """Switch to the next format for people, and show its name."""
        if isinstance(self._view, Text):
            forms = get_args(Form)
            self._view.form = forms[(forms.index(self._view.form) + 1) % len(forms)]
            self._printer.put(Notice(f"View: {self._view.form}.", level="info"), vital=True)

    def send_to_terminal(self, code: str) -> None:
        """Write an escape sequence that shows nothing, such as OSC 52, without a line's end."""
        self._printer.put(Raw(code), vital=True)

    def resized(self) -> None:
        """Draw the status line for the terminal's new width."""
        if self.live:
            self._printer.put(Control.REDRAW, vital=True)

    def suspend(self) -> None:
        """Explain Ctrl-Z and remove the status line; waits at most half a second."""
        if self.live:
            self._printer.put(_SUSPENDED, vital=True)
            self._printer.put(Control.HIDE, vital=True)
            self.flush(0.5)

    def resume(self) -> None:
        """Put the status line back."""
        if self.live:
            self._printer.put(Control.SHOW, vital=True)

    def flush(self, timeout: float = 2.0) -> bool:
        """Wait until everything queued is written; False if `timeout` seconds were not enough."""
        return self._printer.flush(timeout)

    def close(self, timeout: float = 2.0) -> None:
        """Write what is queued, remove the status line and stop printing.

        A reader that does not read is abandoned after `timeout` seconds.
        """
        if self.live:
            self._printer.put(Control.HIDE, vital=True)
        self._printer.close(timeout)

    def abandon(self) -> None:
        """Restore the terminal before the process ends at once; waits 0.1 s at most."""
        from tiktok_hook.terminal import keys

        keys.restore()
        if self.live:
            self._printer.put(Control.HIDE, vital=True)
            self._printer.close(0.1)

    def _put_limited(self, gate: FloodGate, event: DeliveryAnswered | NonWebhookRequest) -> None:
        """Show what a stranger can send without end, as far as its allowance goes."""
        already_counting = gate.pending
        if gate.admit():
            if isinstance(event, DeliveryAnswered):
                self._printer.put(event, size=len(event.delivery.body) + _RECORD_BYTES)
            else:
                self._printer.put(event, weight=0)
        elif not already_counting:
            self._printer.put(Control.REPORT, weight=0, vital=True)

    def _note_waiting(self) -> None:
        """Pass how many deliveries wait for the app, and since when, to the printing thread."""
        oldest = next(iter(self._unanswered.values()), 0.0)
        self._waiting = (len(self._unanswered), oldest)

    def _counts(self) -> SessionCounts:
        waiting, since = self._waiting
        return SessionCounts(
            received=self._received,
            rejected=self._rejected_count,
            waiting=waiting,
            waiting_since=since,
        )


def make(
    format: Format | None = None,  # noqa: A002 - named as the option is
    *,
    out: TextIO | int | None = None,
    err: TextIO | int | None = None,
    color: bool | None = None,
    width: int | None = None,
    keys: bool | None = None,
    quiet: bool = False,
    on_closed: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.monotonic,
) -> Console:
    """Make the console of a session.

    Args:
        format: None takes ``normal`` on a terminal and ``compact`` without one.
        out: For data; None is stdout. A number is a file descriptor.
        err: For what only people read; None is stderr.
        color: None decides by terminal and environment (`tiktok_hook.terminal.theme.wants_color`).
        width: Columns; None asks the terminal each time, and cuts nothing where there is none.
        keys: Whether single keys work, so that they are mentioned; None when stdin and the screen
            are terminals.
        quiet: Show only deliveries that failed or were rejected; without effect on ``json``.
        on_closed: Called on the printing thread, once, when the reader of `out` has left.
        clock: Monotonic seconds.
    """
    out_sink = Sink(sys.stdout if out is None else out)
    err_sink = Sink(sys.stderr if err is None else err)
    chosen: Format = format or ("normal" if out_sink.is_terminal else "compact")
    status = None
    view: View
    out_paint = _paint(out_sink, color=color)
    err_paint = _paint(err_sink, color=color)
    if chosen == "json":
        view = JsonLines()
    else:
        on_terminal = out_sink.is_terminal and err_sink.is_terminal
        can_erase = on_terminal and os.environ.get("TERM") != "dumb"
        if keys is None:
            keys = can_erase and Sink(sys.stdin).is_terminal
        if can_erase:
            status = StatusLine(err_paint, keys=keys, clock=clock)
        view = Text(
            form=chosen,
            out_paint=out_paint,
            err_paint=err_paint,
            out_width=lambda: width or out_sink.width,
            err_width=lambda: width or err_sink.width,
            height=lambda: out_sink.height,
            keys=keys,
            links=out_sink.is_terminal and out_paint.enabled and knows_links(os.environ),
            quiet=quiet,
            clock=clock,
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
        clock=clock,
    )


def _paint(sink: Sink, *, color: bool | None) -> Paint:
    return COLOURED if wants_color(is_terminal=sink.is_terminal, color=color) else PLAIN
