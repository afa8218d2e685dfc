"""The status line at the bottom of a terminal.

It stands below everything printed, in the normal flow: erased before each write and drawn again
after it, with the cursor left at its start. A terminal that gets narrower folds the line, and
erasing from its start down takes all of it, whatever the terminal made of it.
"""

from tiktok_hook.bus import Handler
from tiktok_hook.delivery import AppChanged, QueueChanged, Ready, TunnelChanged
from tiktok_hook.sanitize import visible
from tiktok_hook.terminal import lines, words
from tiktok_hook.terminal.paint import Paint

ERASE = "\r\x1b[J"
"""Clears the status line, wherever in it the terminal's folding left the cursor's row."""


class StatusLine:
    """What the line says; fed with the records that pass.

    Args:
        paint: Colours.
    """

    def __init__(self, paint: Paint) -> None:
        self._paint = paint
        self._tunnel: TunnelChanged | None = None
        self._target: str | None = None
        self._app = ""
        self._ready = False
        self._paused = False
        self._handlers: dict[type, Handler] = {
            TunnelChanged: self._tunnel_changed,
            Ready: self._became_ready,
            AppChanged: self._app_changed,
            QueueChanged: self._queue_changed,
        }

    def note(self, event: object) -> None:
        """Remember what an event says about the state; most say nothing."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

    def _tunnel_changed(self, event: TunnelChanged) -> None:
        self._tunnel = event

    def _became_ready(self, event: Ready) -> None:
        self._ready = True
        self._target = event.target
        if event.target_up is not None:
            self._app = "up" if event.target_up else "down"

    def _app_changed(self, event: AppChanged) -> None:
        if event.target is not None and event.target == self._target:
            self._app = "waiting" if event.state == "paused" else event.state

    def _queue_changed(self, event: QueueChanged) -> None:
        self._paused = event.paused

    def text(self, width: int, *, received: int, refused: int, keys: bool) -> str:
        """The line, in at most ``width - 1`` columns; what does not fit is left out from the right.

        Args:
            width: Columns of the terminal.
            received: Deliveries so far.
            refused: Of them, answered 403.
            keys: Whether single keys work.
        """
        if not (self._ready or self._tunnel):
            return lines.cut("starting", width - 1)
        paint = self._paint
        parts = [self._tunnel_part(), ("", f"{words.count(received)} received")]
        if refused:
            parts.append((paint.red, f"{words.count(refused)} refused"))
        if self._target is not None:
            target = visible(self._target).removeprefix("http://").removeprefix("https://")
            waits = paint.amber
            colours = {"up": paint.green, "down": paint.red, "waiting": waits, "paused": waits}
            app = "paused" if self._paused else self._app
            parts.append((colours.get(app, ""), f"→ {target} {app}".rstrip()))
        if keys:
            parts.append((paint.dim, "? keys"))
        room = width - 1
        line = ""
        for colour, text in parts:
            gap = " · " if line else ""
            shown = lines.cut(text, room - len(gap))
            if line and shown != text:
                break
            room -= len(gap) + lines.columns(shown)
            line += f"{paint.dim}{gap}{paint.off}{colour}{shown}{paint.off if colour else ''}"
        return line

    def _tunnel_part(self) -> tuple[str, str]:
        state, paint = self._tunnel, self._paint
        if state is None:
            return "", "listening"
        if state.state == "online":
            latency = "" if state.latency_ms is None else f" {state.latency_ms} ms"
            return paint.green, f"● online{latency}"
        if state.state == "reconnecting":
            return paint.amber, f"○ reconnecting since {words.clock(state.since)}"
        return paint.dim, f"○ {state.state}"
