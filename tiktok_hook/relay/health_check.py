"""Knows whether a target is up, and publishes when that changes."""

import asyncio
from collections.abc import Callable
from typing import Literal

from tiktok_hook.delivery import AppChanged
from tiktok_hook.forward import reachable

UP_SECONDS = 5.0
DOWN_SECONDS = 0.5
"""Seconds between two checks while the target is up, and while it is down."""


class HealthCheck:
    """The health of one target.

    A port that accepts connections and closes them, or answers 502, is not up: it may be a port
    forward or a proxy without its app. After an attempt has met that, connecting no longer shows
    that the target is up. It is up again when an attempt gets a response, or when the port was
    closed in between and accepts connections.

    Args:
        target: Its URL.
        publish: Called with `AppChanged` at every change, never twice with the same state.
    """

    def __init__(self, target: str, publish: Callable[[object], None]) -> None:
        self._target = target
        self._publish = publish
        self._state: Literal["up", "down", "paused"] | None = None
        self._was_up = False
        self._accepts_only = False  # no app responds behind a port that accepts connections
        self._changed = asyncio.Event()
        self._when_up: list[Callable[[], None]] = []

    @property
    def up(self) -> bool | None:
        """Whether the target was up when last seen; None before the first check."""
        return None if self._state is None else self._state == "up"

    def when_up(self, callback: Callable[[], None]) -> None:
        """Register a callback, called whenever the target comes up."""
        self._when_up.append(callback)

    def responded(self) -> None:
        """Record that an attempt got a response."""
        self._accepts_only = False
        self._connected()

    def connection_failed(self) -> None:
        """Record that no connection could be made."""
        self._accepts_only = False
        if self._state != "paused":
            self._become("down", "nothing accepts connections there.")

    def accepted_only(self, symptom: str) -> None:
        """Record that a connection was accepted, and that no app responded.

        Args:
            symptom: As `retry_policy.symptom` returned it.
        """
        self._accepts_only = True
        if self._state != "paused":
            self._become("down", symptom)

    def queue_waits(self, symptom: str) -> None:
        """Record that the queue waits until the target is up, which publishes ``paused``.

        Args:
            symptom: As `retry_policy.symptom` returned it; empty where no connection was made.
        """
        self._accepts_only = bool(symptom)
        self._become("paused", symptom)

    async def check(self) -> None:
        """Check once whether the target accepts connections."""
        if not await reachable(self._target):
            self.connection_failed()
        elif not self._accepts_only:
            self._connected()

    async def run(self) -> None:
        """Check at intervals; does not return."""
        while True:
            self._changed.clear()
            try:
                async with asyncio.timeout(UP_SECONDS if self.up else DOWN_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                await self.check()

    def _connected(self) -> None:
        self._become("up", "the app answers again." if self._was_up else "")

    def _become(self, state: Literal["up", "down", "paused"], detail: str) -> None:
        if state == self._state:
            return
        first, self._state = self._state is None, state
        self._was_up = self._was_up or state == "up"
        self._changed.set()
        if state == "up":
            for callback in self._when_up:
                callback()
        # The banner shows the result of the first check.
        if not first:
            self._publish(AppChanged(state, target=self._target, detail=detail))
