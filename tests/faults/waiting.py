"""Waiting for what has no event, by polling in a thread."""

import asyncio
import time
from collections.abc import Callable

from tests.deadline import DEADLINE


async def until(condition: Callable[[], bool], *, seconds: float = DEADLINE) -> None:
    """Return once it is so.

    Raises:
        AssertionError: It was not so in time.
    """
    await asyncio.to_thread(_look, condition, seconds)


def _look(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be in time"
        time.sleep(0.01)
