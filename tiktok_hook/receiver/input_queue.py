"""Large input waits its turn, so that it does not delay small requests."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

PIECE_BYTES = 16 << 10
"""What is delegated of one connection's input at once. A request that is larger waits its turn."""

TURN_SECONDS = 0.002
"""From how long on no further piece is delegated in one turn of the event loop."""


class QueuedInput(Protocol):
    """A connection whose input waits."""

    def delegate_piece(self) -> bool:
        """Delegate the next piece; whether there is more."""


class InputQueue:
    """Delegates the input of large requests in turn, a little in each turn of the event loop.

    Parsing what strangers send takes processor time: 256 KiB of one-byte chunks 50 ms. The event
    loop would do that for every connection that is readable before it comes back to any of them,
    so that 64 strangers would delay a real delivery by seconds. It needs about eight turns of the
    loop, and a turn costs `TURN_SECONDS` and one piece at most, however many connections wait.
    TikTok's deliveries are smaller than a piece and never wait here.

    Invariant: a turn is scheduled exactly while connections wait. A connection waits at most once,
    and its next piece goes to the end.

    Args:
        clock: Seconds, for the length of a turn.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[QueuedInput] = deque()

    def add(self, connection: QueuedInput) -> None:
        """Let a connection wait for its turn; it must not be waiting already."""
        if not self._waiting:
            self._loop.call_soon(self._turn)
        self._waiting.append(connection)

    def _turn(self) -> None:
        end = self._clock() + TURN_SECONDS
        while True:
            # It stays in the queue while its piece is delegated, so that `add` does not schedule
            # a second turn.
            connection = self._waiting[0]
            more = connection.delegate_piece()
            self._waiting.popleft()
            if more:
                self._waiting.append(connection)
            if not self._waiting:
                return
            if self._clock() >= end:
                break
        self._loop.call_soon(self._turn)
