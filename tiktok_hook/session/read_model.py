"""The current state of a session, updated by the session's events."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tiktok_hook.bus import Handler
from tiktok_hook.delivery import AppChanged, QueueChanged, TunnelChanged
from tiktok_hook.inspector import Status
from tiktok_hook.session.tally import Tally


class ReadModel:
    """The current state of a session.

    Args:
        started_at: Unix seconds.
        targets: URLs that deliveries are forwarded to.

    Attributes:
        tally: The session's counts.
        tunnel: The last state of the tunnel; None without a tunnel.
        app: The last event of the first target or of the command; None before the first event.
        target_up: Whether the first target accepts connections; None without a target.
        queue: Whether forwarding is paused, and the number of queued deliveries.
        exit_code: Exit code of the command; None while it runs or without a command.
        ended: Set when the session ends by itself, for example because the command exited.
    """

    def __init__(self, *, started_at: float, targets: Sequence[str]) -> None:
        self.tally = Tally(started_at=started_at, targets=targets)
        self._first_target = targets[0] if targets else None
        self.tunnel: TunnelChanged | None = None
        self.app: AppChanged | None = None
        self._up: dict[str, bool] = {}
        self.queue = QueueChanged(paused=False, waiting=0)
        self.exit_code: int | None = None
        self.ended = asyncio.Event()

    def handlers(self) -> Mapping[type[Any], Handler]:
        """The handler of each event type, for `Bus.connect`."""
        return {
            TunnelChanged: self._tunnel_changed,
            AppChanged: self._app_changed,
            QueueChanged: self._queue_changed,
        }

    def status(self, fixed: Status) -> Status:
        """Return the status that the inspector shows.

        Args:
            fixed: The constant part of the status: URLs, targets, routes and ack mode.
        """
        return replace(
            fixed,
            tunnel=self.tunnel,
            app=self.app,
            target_up=self.target_up,
            up=dict(self._up),
            started_at=self.tally.started_at,
            counts=self.tally.total(),
            outages=self.tally.outages,
            waiting=self.queue.waiting,
            paused=self.queue.paused,
        )

    @property
    def target_up(self) -> bool | None:
        """Whether the first target accepts connections; None without one."""
        return None if self._first_target is None else self._up.get(self._first_target)

    def note_first_check(self, up: Mapping[str, bool | None]) -> None:
        """Record whether each target was up at the start, which is not published as `AppChanged`.

        Args:
            up: By target; None for a target that was not checked.
        """
        self._up = {target: each for target, each in up.items() if each is not None} | self._up

    def _tunnel_changed(self, event: TunnelChanged) -> None:
        self.tunnel = event

    def _queue_changed(self, event: QueueChanged) -> None:
        self.queue = event

    def _app_changed(self, event: AppChanged) -> None:
        if event.target is None or event.target == self._first_target:
            self.app = event
        if event.target is not None:
            self._up[event.target] = event.state == "up"
        if event.state == "exited":
            self.exit_code = event.exit_code
            self.ended.set()
