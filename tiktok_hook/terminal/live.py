"""The status line at the bottom of a terminal.

It stands below everything printed, in the normal flow: erased before each write and drawn again
after it, with the cursor left at its start. A terminal that gets narrower folds the line, and
erasing from its start down takes all of it, whatever the terminal made of it.
"""

from tiktok_hook.delivery import AppState, Ready, TunnelState
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
        self._tunnel: TunnelState | None = None
        self._target: str | None = None
        self._app = ""
        self._ready = False

    def note(self, item: object) -> None:
        """Take in a record; most say nothing about the state."""
        if isinstance(item, TunnelState):
            self._tunnel = item
        elif isinstance(item, Ready):
            self._ready = True
            self._target = item.target
            if item.target_up is not None:
                self._app = "up" if item.target_up else "down"
        elif isinstance(item, AppState) and item.target is not None and item.target == self._target:
            self._app = "waiting" if item.state == "paused" else item.state

    def text(
        self, width: int, *, received: int, refused: int, keys: bool, paused: bool = False
    ) -> str:
        """The line, in at most ``width - 1`` columns; what does not fit is left out from the right.

        Args:
            width: Columns of the terminal.
            received: Deliveries so far.
            refused: Of them, answered 403.
            keys: Whether single keys work.
            paused: Whether deliveries wait because somebody wanted it so.
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
            app = "paused" if paused else self._app
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
