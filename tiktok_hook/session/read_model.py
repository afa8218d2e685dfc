"""What is known of a running session, kept up to date by its events."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tiktok_hook.bus import Handler
from tiktok_hook.delivery import AppChanged, QueueChanged, TunnelChanged
from tiktok_hook.session.tally import Tally

if TYPE_CHECKING:
    from tiktok_hook.inspector import Status


class ReadModel:
    """The state of a session at this moment.

    Args:
        started_at: Unix seconds.
        targets: Where deliveries go.

    Attributes:
        tally: Counts.
        tunnel: The last state of the tunnel; None without one.
        app: The last event of the first target or of the command; None before the first.
        target_up: Whether the first target accepts connections; None without one.
        queue: Whether forwarding is paused, and how many deliveries wait.
        exit_code: Of the command alongside; None while it runs or without one.
        ended: Set when the session has a reason of its own to end.
    """

    def __init__(self, *, started_at: float, targets: Sequence[str]) -> None:
        self.tally = Tally(started_at=started_at, targets=targets)
        self._first_target = targets[0] if targets else None
        self.tunnel: TunnelChanged | None = None
        self.app: AppChanged | None = None
        self.target_up: bool | None = None
        self.queue = QueueChanged(paused=False, waiting=0)
        self.exit_code: int | None = None
        self.ended = asyncio.Event()

    def handlers(self) -> Mapping[type[Any], Handler]:
        """What to call with which event, for `Bus.connect`."""
        return {
            TunnelChanged: self._tunnel_changed,
            AppChanged: self._app_changed,
            QueueChanged: self._queue_changed,
        }

    def status(self, fixed: "Status") -> "Status":
        """The state for the inspector.

        Args:
            fixed: What does not change: addresses, targets, ack mode.
        """
        return replace(
            fixed,
            tunnel=self.tunnel,
            app=self.app,
            target_up=self.target_up,
            started_at=self.tally.started_at,
            counts=self.tally.total(),
            outages=self.tally.outages,
            waiting=self.queue.waiting,
        )

    def _tunnel_changed(self, event: TunnelChanged) -> None:
        self.tunnel = event

    def _queue_changed(self, event: QueueChanged) -> None:
        self.queue = event

    def _app_changed(self, event: AppChanged) -> None:
        if event.target is None or event.target == self._first_target:
            self.app = event
        if event.target == self._first_target and self._first_target is not None:
            self.target_up = event.state == "up"
        if event.state == "exited":
            self.exit_code = event.exit_code
            self.ended.set()
