"""Knows whether the app is there, and says so when it changes."""

import asyncio
from collections.abc import Callable
from typing import Literal

from tiktok_hook.delivery import AppChanged
from tiktok_hook.forward import reachable

UP_SECONDS = 5.0
DOWN_SECONDS = 0.5
"""How often the app is looked for while it is there, and while it is not."""


class HealthCheck:
    """Watches one target.

    Args:
        target: Its URL.
        publish: Called with `AppChanged` at every change, never twice with the same state.
    """

    def __init__(self, target: str, publish: Callable[[object], None]) -> None:
        self._target = target
        self._publish = publish
        self._state: Literal["up", "down", "paused"] | None = None
        self._up = asyncio.Event()
        self._changed = asyncio.Event()

    @property
    def up(self) -> bool | None:
        """Whether the app accepted the last connection; None before the first look."""
        return None if self._state is None else self._state == "up"

    def saw(self, *, up: bool) -> None:
        """Take note of how a connection went."""
        if up:
            self._become("up", "The app answers again." if self._state else "The app is there.")
        elif self._state != "paused":
            self._become("down", "Nothing accepts connections there.")

    def pause(self) -> None:
        """Take note that the queue waits until the app is there again."""
        self._become("paused", "")

    async def until_up(self) -> None:
        """Wait until the app accepts connections."""
        await self._up.wait()

    async def look(self) -> None:
        """See once whether it is there."""
        self.saw(up=await reachable(self._target))

    async def run(self) -> None:
        """Look again and again; does not return."""
        while True:
            self._changed.clear()
            try:
                async with asyncio.timeout(UP_SECONDS if self.up else DOWN_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                await self.look()

    def _become(self, state: Literal["up", "down", "paused"], detail: str) -> None:
        if state == self._state:
            return
        first, self._state = self._state is None, state
        if state == "up":
            self._up.set()
        else:
            self._up.clear()
        self._changed.set()
        # The first look is for the banner, which says it itself.
        if not first:
            self._publish(AppChanged(state, target=self._target, detail=detail))
