"""Limits for what strangers can send without end: a few are shown, the rest is counted.

Anybody who knows the Callback URL can send unsigned deliveries and other requests as fast as the
network allows. Each has an allowance of its own, so that they neither scroll verified deliveries
off the screen nor fill the log of a CI job.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

Subject = Literal["rejected", "requests"]
"""``rejected``: deliveries answered 403. ``requests``: all that is not a delivery."""

FIRST_REPORT_SECONDS = 10.0
"""Seconds from the first record that is not shown to the line that counts them."""

LONGEST_REPORT_SECONDS = 640.0
"""Longest time between two such lines; the time doubles while the flood continues."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A number of records that are not shown one by one."""

    subject: Subject
    count: int


class FloodGate:
    """A token bucket that counts what it does not admit.

    `admit` is called by the publishing thread, `due` by the printing thread. Invariant: each
    counter is written by one of the two threads only, so no lock is needed; the printing thread
    may see a count that is a moment old, never one that is lost.

    Args:
        subject: What it limits.
        burst: Records admitted at once after a long pause.
        per_second: Records admitted per second in the long run.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        subject: Subject,
        burst: int,
        per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._subject = subject
        self._burst = float(burst)
        self._per_second = per_second
        self._clock = clock
        # Written by the publishing thread.
        self._tokens = self._burst
        self._updated = clock()
        self._counted = 0
        # Written by the printing thread.
        self._reported = 0
        self._pause = FIRST_REPORT_SECONDS
        self._report_at: float | None = None

    def admit(self) -> bool:
        """Return whether the next record may be shown; count it otherwise."""
        now = self._clock()
        gained = (now - self._updated) * self._per_second
        self._tokens = min(self._burst, self._tokens + gained)
        self._updated = now
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return True
        self._counted += 1
        return False

    @property
    def pending(self) -> bool:
        """Whether records were counted that no line has reported yet."""
        return self._counted != self._reported

    def due(self, *, final: bool = False) -> Iterator[LeftOut]:
        """Yield what is to be reported now, if anything.

        Args:
            final: Report at once, because nothing comes after.
        """
        now = self._clock()
        if not self.pending:
            if self._report_at is not None and now >= self._report_at:  # the flood has ended
                self._report_at, self._pause = None, FIRST_REPORT_SECONDS
            return
        if self._report_at is None:
            self._report_at = now + self._pause
        if not final and now < self._report_at:
            return
        counted = self._counted
        yield LeftOut(self._subject, counted - self._reported)
        self._reported = counted
        self._pause = min(self._pause * 2, LONGEST_REPORT_SECONDS)
        self._report_at = now + self._pause
