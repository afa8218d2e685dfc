"""The status line at the bottom of a terminal.

It is the last line of the normal flow: erased before each write and drawn again after it, with the
cursor left at its start. A terminal that gets narrower folds the line, and erasing from its start
down takes all of it, whatever the terminal made of it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from tiktok_hook.bus import Handler
from tiktok_hook.delivery import AppChanged, QueueChanged, Ready, TunnelChanged
from tiktok_hook.terminal import words
from tiktok_hook.terminal.cells import columns, cut
from tiktok_hook.terminal.lines import shown
from tiktok_hook.terminal.theme import Paint

ERASE = "\r\x1b[J"
"""Clears the status line, wherever in it the terminal's folding left the cursor's row."""

_STARTING = "starting"
_APP_STYLES = {"up": "good", "down": "bad", "queueing": "caution", "paused": "caution"}


@dataclass(frozen=True, slots=True)
class SessionCounts:
    """What the status line counts.

    Attributes:
        received: Deliveries so far.
        rejected: Of them, answered 403.
        waiting: Deliveries that the app has not answered yet.
        waiting_since: Monotonic seconds since when the oldest of them waits.
    """

    received: int = 0
    rejected: int = 0
    waiting: int = 0
    waiting_since: float = 0.0


class StatusLine:
    """Composes the line; fed with the events that pass.

    Args:
        paint: Colours.
        keys: Whether single keys work.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        paint: Paint,
        *,
        keys: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._paint = paint
        self._keys = keys
        self._clock = clock
        self._tunnel: TunnelChanged | None = None
        self._target: str | None = None
        self._app = ""
        self._not_up: dict[str, str] = {}  # the states of the other targets that are not up
        self._without_tunnel = _STARTING
        self._queue = QueueChanged(paused=False, waiting=0)
        self._handlers: dict[type, Handler] = {
            TunnelChanged: self._tunnel_changed,
            Ready: self._became_ready,
            AppChanged: self._app_changed,
            QueueChanged: self._queue_changed,
        }

    def note(self, event: object) -> None:
        """Remember the state that an event reports; most report none."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

    def _tunnel_changed(self, event: TunnelChanged) -> None:
        self._tunnel = event

    def _became_ready(self, event: Ready) -> None:
        self._without_tunnel = "listening" if event.attached is None else "attached"
        self._target = event.target
        if event.target_up is not None:
            self._app = "up" if event.target_up else "down"
        self._not_up |= {target: "down" for target, up in event.others if up is False}

    def _app_changed(self, event: AppChanged) -> None:
        if event.target is None:
            return
        state = "queueing" if event.state == "paused" else event.state
        if event.target == self._target:
            self._app = state
        elif state == "up":
            self._not_up.pop(event.target, None)
        else:
            self._not_up[event.target] = state

    def _queue_changed(self, event: QueueChanged) -> None:
        self._queue = event

    def text(self, width: int, counts: SessionCounts) -> str:
        """Return the line in at most ``width - 1`` columns; what does not fit is left out.

        Args:
            width: Columns of the terminal.
            counts: What has happened so far.
        """
        if self._without_tunnel == _STARTING and self._tunnel is None:
            return cut(_STARTING, width - 1)
        paint = self._paint
        room = width - 1
        line = ""
        for text, style in self._parts(counts):
            gap = " · " if line else ""
            fitted = cut(text, room - len(gap))
            if line and fitted != text:
                break
            room -= len(gap) + columns(fitted)
            line += f"{paint.styled(gap, 'rule')}{paint.styled(fitted, style)}"
        return line

    def _parts(self, counts: SessionCounts) -> list[tuple[str, str]]:
        """The parts with their styles, the most important ones first."""
        parts = [self._tunnel_part()]
        if counts.waiting:
            since = words.duration(self._clock() - counts.waiting_since)
            parts.append((f"{words.count(counts.waiting)} waiting for the app, {since}", "caution"))
        parts.append((f"{words.count(counts.received)} received", ""))
        if counts.rejected:
            parts.append((f"{words.count(counts.rejected)} rejected", ""))
        if self._target is not None:
            app = "paused" if self._queue.paused else self._app
            parts.append(_target_part(self._target, app))
            parts += [_target_part(*each) for each in self._not_up.items()]
        if self._queue.waiting:
            parts.append((f"{words.count(self._queue.waiting)} queued", "caution"))
        if self._keys:
            parts.append(("? keys", ""))
        return parts

    def _tunnel_part(self) -> tuple[str, str]:
        state = self._tunnel
        if state is None:
            return self._without_tunnel, ""
        if state.state == "online":
            latency = "" if state.latency_ms is None else f" {state.latency_ms} ms"
            return f"● online{latency}", "good"
        if state.state == "reconnecting":
            return f"○ reconnecting since {words.clock(state.since)}", "caution"
        return f"○ {state.state}", ""


def _target_part(target: str, state: str) -> tuple[str, str]:
    address = shown(target).removeprefix("http://").removeprefix("https://")
    return f"→ {address} {state}".rstrip(), _APP_STYLES.get(state, "")
