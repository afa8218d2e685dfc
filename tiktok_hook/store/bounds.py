"""How much a history may hold."""

from dataclasses import dataclass
from typing import Self

KEEP = 100_000
KEEP_BYTES = 1 << 30
"""How many deliveries a history keeps, and how many bytes, by default."""

MAX_REJECTED = 1_000
MAX_REJECTED_BYTES = 16 << 20
"""How many rejected deliveries are kept, and how many bytes they may take, apart from `keep`."""

KEEP_BYTES_IN_MEMORY = 256 << 20
"""Upper limit of `keep_bytes` for a history in memory."""

MIN_QUEUED = 10_000
MIN_QUEUED_BYTES = 64 << 20
"""What may wait for the app at least, however small the bounds of the history are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much a history may hold.

    Attributes:
        keep: Deliveries outside the ring of rejected ones; the oldest go first.
        keep_bytes: Bytes that they and their attempts take.
        rejected: Rejected deliveries, which have a ring of their own.
        rejected_bytes: Bytes that those take.
        queued: Deliveries that wait for the app, which are never pruned: more are not stored.
        queued_bytes: Bytes that those take.
    """

    keep: int
    keep_bytes: int
    rejected: int = MAX_REJECTED
    rejected_bytes: int = MAX_REJECTED_BYTES
    queued: int = MIN_QUEUED
    queued_bytes: int = MIN_QUEUED_BYTES

    @classmethod
    def of(cls, keep: int, keep_bytes: int) -> Self:
        """The bounds that follow from what the user chose."""
        return cls(
            keep=keep,
            keep_bytes=keep_bytes,
            queued=max(keep, MIN_QUEUED),
            queued_bytes=max(keep_bytes, MIN_QUEUED_BYTES),
        )
