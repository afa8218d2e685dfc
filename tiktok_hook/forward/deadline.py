"""A deadline for several consecutive waits, which allows for a suspended process."""

import asyncio
from collections.abc import Callable

_SUSPENDED_SECONDS = 0.5
"""If the timer fires this late, the process was suspended: allow one more read."""


class Deadline:
    """Ends the current wait after a number of seconds.

    Invariant: the timer callback runs once, `_passed` never goes back to False, and `on_passed`
    raises from then on. A wait that is registered after the deadline therefore never begins, and
    one that was registered before is ended by its callback.

    Args:
        seconds: From now on.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end: Callable[[], None] | None = None
        self._passed = False
        self._loop = asyncio.get_running_loop()
        self._at = self._loop.time() + seconds
        self._timer = self._loop.call_at(self._at, self._due)

    def on_passed(self, end: Callable[[], None]) -> None:
        """Set the callback that ends the next wait, in place of the previous one.

        Raises:
            TimeoutError: The deadline has passed.
        """
        if self._passed:
            raise TimeoutError
        self._end = end

    def cancel(self) -> None:
        """Stop the timer."""
        self._timer.cancel()

    def _due(self) -> None:
        """Allow one more read after the process was suspended, by Ctrl-Z or a closed laptop."""
        now = self._loop.time()
        if now - self._at > _SUSPENDED_SECONDS:
            self._timer = self._loop.call_at(now + _SUSPENDED_SECONDS, self._pass)
        else:
            self._pass()

    def _pass(self) -> None:
        self._passed = True
        if self._end is not None:
            self._end()
