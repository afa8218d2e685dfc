"""Limits of the size of a history."""

from dataclasses import dataclass
from typing import Self

KEEP = 100_000
KEEP_BYTES = 1 << 30
"""Default number of deliveries that a history keeps, and of bytes."""

MAX_REJECTED = 1_000
MAX_REJECTED_BYTES = 16 << 20
"""How many rejected deliveries are kept, and how many bytes of them, in addition to `keep`."""

KEEP_BYTES_IN_MEMORY = 256 << 20
"""Upper limit of `keep_bytes` for a history in memory."""

MIN_QUEUED = 10_000
MIN_QUEUED_BYTES = 64 << 20
"""How much may always wait for the app, even if the history keeps less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Limits of the size of a history. Beyond them the oldest deliveries are deleted.

    Attributes:
        keep: Number of deliveries, without the rejected ones.
        keep_bytes: Bytes of these deliveries and their attempts.
        rejected: Number of rejected deliveries, which are counted separately.
        rejected_bytes: Bytes of the rejected deliveries.
        queued: Number of deliveries that wait for the app. These are never deleted; beyond the
            limit no more are accepted.
        queued_bytes: Bytes of the waiting deliveries.
    """

    keep: int
    keep_bytes: int
    rejected: int = MAX_REJECTED
    rejected_bytes: int = MAX_REJECTED_BYTES
    queued: int = MIN_QUEUED
    queued_bytes: int = MIN_QUEUED_BYTES

    @classmethod
    def of(cls, keep: int, keep_bytes: int) -> Self:
        """The bounds that follow from the options."""
        return cls(
            keep=keep,
            keep_bytes=keep_bytes,
            queued=max(keep, MIN_QUEUED),
            queued_bytes=max(keep_bytes, MIN_QUEUED_BYTES),
        )
