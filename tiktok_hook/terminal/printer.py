"""The printing thread and its bounded queue.

Receiving never waits for a screen: `Printer.put` costs an append, and what does not fit is counted.
The thread joins what was queued within a tenth of a second into one write.
"""

import sys
import threading
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, Protocol

INTERVAL = 0.1
"""Seconds between two writes; one may come at once after a pause."""


class Drawn(NamedTuple):
    """What became of a batch."""

    wrote: bool
    """Something was written, so the next write waits for `INTERVAL`."""

    holds: float | None
    """Seconds until something that was held back has to be drawn; None if nothing was."""


class Draw(Protocol):
    """What the printer calls, on its own thread only. It may block as long as the terminal does."""

    def __call__(self, items: Sequence[object], dropped: int, *, final: bool) -> Drawn:
        """Write a batch.

        Args:
            items: What was handed in, in order.
            dropped: What did not fit behind them.
            final: Keep nothing back.
        """


class Printer:
    """Takes items from one thread, draws them on another.

    Args:
        draw: Called on the printing thread only. It may block as long as the terminal does.
        limit: How many items may wait; more are dropped and counted.
        limit_bytes: How many bytes of bodies may wait.
    """

    def __init__(self, draw: Draw, *, limit: int, limit_bytes: int) -> None:
        self._draw = draw
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._queue: deque[tuple[object, int]] = deque()
        # Invariant: each counter is written by one thread only (`_bytes_in`, `_dropped` by the one
        # that puts, `_bytes_out`, `_reported` by the printing thread), so no lock is needed.
        self._bytes_in = 0
        self._bytes_out = 0
        self._dropped = 0
        self._reported = 0
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._idle = threading.Condition()
        self._flushing = False
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="console", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """How many items were only counted so far."""
        return self._dropped

    def put(self, item: object, *, size: int = 0, weight: int = 1, vital: bool = False) -> bool:
        """Hand in one item; never waits.

        Args:
            item: Whatever `draw` understands.
            size: Bytes it keeps alive.
            weight: What it counts when it is dropped.
            vital: Not to be dropped unless ten times the limit is waiting.

        Returns:
            Whether it was taken.
        """
        if self._closed:
            return False
        waiting = len(self._queue)
        if waiting and (
            waiting >= (self._limit * 10 if vital else self._limit)
            or (size and self._bytes_in - self._bytes_out + size > self._limit_bytes)
        ):
            self._dropped += weight
            return False
        self._bytes_in += size
        self._queue.append((item, size))
        if not self._wake.is_set():
            self._wake.set()
        return True

    def flush(self, timeout: float) -> bool:
        """Wait until everything handed in is written; False when `timeout` seconds did not do."""
        with self._idle:
            self._flushing = True
            self._wake.set()
            self._hurry.set()
            done = self._idle.wait_for(lambda: not self._flushing, timeout)
            if not self._closed:
                self._hurry.clear()
        return done

    def close(self, timeout: float) -> bool:
        """Write what is there and end; false when the reader did not read for `timeout` seconds."""
        self._closed = True
        done = self.flush(timeout)
        if done:
            self._thread.join(timeout)
        return done

    def _run(self) -> None:
        holds: float | None = None
        while True:
            self._wake.wait(holds)
            self._wake.clear()
            final = self._flushing
            wrote, holds = self._draw_all(final=final)
            if final and not self._queue:
                with self._idle:
                    self._flushing = False
                    self._idle.notify_all()
                if self._closed:
                    return
            elif wrote:
                self._hurry.wait(INTERVAL)

    def _draw_all(self, *, final: bool) -> Drawn:
        dropped, size = self._dropped, 0
        batch = []
        for _ in range(len(self._queue)):
            item, item_size = self._queue.popleft()
            size += item_size
            batch.append(item)
        more, self._reported = dropped - self._reported, dropped
        try:
            return self._draw(batch, more, final=final)
        except Exception:  # noqa: BLE001 - a bug shows its traceback, and printing continues
            found = (*sys.exc_info(), threading.current_thread())
            threading.excepthook(threading.ExceptHookArgs(found))
            return Drawn(wrote=True, holds=None)
        finally:
            self._bytes_out += size  # only now are they released
