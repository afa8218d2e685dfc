"""Parses large requests in pieces, so that they do not delay small ones."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

PIECE_BYTES = 16 << 10
"""How much of a connection's input is delegated at once. A larger request waits for its turn."""

TURN_SECONDS = 0.002
"""How long pieces are delegated in one turn of the event loop."""


class QueuedInput(Protocol):
    """A connection whose input waits."""

    def delegate_piece(self) -> bool:
        """Delegate the next piece; returns whether more pieces wait."""


class InputQueue:
    """Delegates the input of large requests in turn, a little in each turn of the event loop.

    Parsing takes processor time: 50 ms for 256 KiB of one-byte chunks. Without this queue the event
    loop would parse the input of every readable connection before it returns to any of them, so 64
    strangers would delay a real delivery by seconds. With it, a turn of the loop takes at most
    `TURN_SECONDS` and one piece, however many connections wait, and a delivery needs about eight
    turns. TikTok's deliveries are smaller than a piece and never wait here.

    Invariant: a turn is scheduled if and only if connections wait. A connection is in the queue at
    most once, and is appended again for its next piece.

    Args:
        clock: Seconds, for the length of a turn.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[QueuedInput] = deque()

    def add(self, connection: QueuedInput) -> None:
        """Append a connection, which must not be in the queue."""
        if not self._waiting:
            self._loop.call_soon(self._turn)
        self._waiting.append(connection)

    def _turn(self) -> None:
        end = self._clock() + TURN_SECONDS
        while True:
            # The connection stays in the queue while its piece is delegated, so that `add` does
            # not schedule a second turn.
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
