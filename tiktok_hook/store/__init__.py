"""The history: everything received and tried, durable before TikTok gets its 200."""

from pathlib import Path
from typing import TYPE_CHECKING

from tiktok_hook.errors import StoreError
from tiktok_hook.store.api import ChangeFeed, HistoryReader, Integrity, QueueLock
from tiktok_hook.store.bounds import KEEP, KEEP_BYTES, KEEP_BYTES_IN_MEMORY, Bounds
from tiktok_hook.store.filter import EVERYTHING, Filter
from tiktok_hook.store.kept import MAX_REJECTED, REJECTED_BODY_BYTES
from tiktok_hook.store.location import Location, parse_location
from tiktok_hook.store.records import (
    QUEUE_MODES,
    Bucket,
    Counts,
    QueuedDelivery,
    QueueEntry,
    QueueMode,
)

if TYPE_CHECKING:
    from tiktok_hook.store.writer import Store

__all__ = [
    "EVERYTHING",
    "KEEP",
    "KEEP_BYTES",
    "MAX_REJECTED",
    "QUEUE_MODES",
    "REJECTED_BODY_BYTES",
    "Bounds",
    "Bucket",
    "ChangeFeed",
    "Counts",
    "Filter",
    "HistoryReader",
    "Integrity",
    "Location",
    "QueueEntry",
    "QueueLock",
    "QueueMode",
    "QueuedDelivery",
    "Store",
    "check_integrity",
    "open_history",
    "open_store",
    "parse_location",
]


def open_store(
    location: Location | str | Path | None,
    *,
    keep: int = KEEP,
    keep_bytes: int = KEEP_BYTES,
    bounds: Bounds | None = None,
) -> "Store":
    """Open a history to write to and read from; close it, or use it as a context manager.

    Args:
        location: What `parse_location` takes. A file is created with mode 0600 if there is none,
            missing folders with 0700; memory holds 256 MiB at most.
        keep: How many deliveries stay; the oldest go first, those that wait for the app never.
        keep_bytes: How many bytes they may take.
        bounds: All bounds, in place of these two.

    Raises:
        StoreError: It is not a history, of a newer version, or cannot be opened.
        UsageError: The address is of a kind that is not known.
    """
    from tiktok_hook.store.sqlite.backend import SQLiteBackend
    from tiktok_hook.store.writer import Store

    path = _located(location).path
    if path is None:
        keep_bytes = min(keep_bytes, KEEP_BYTES_IN_MEMORY)
    return Store(SQLiteBackend(path, bounds or Bounds.of(keep, keep_bytes)))


def open_history(location: Location | str | Path) -> HistoryReader:
    """Open a history that is only read, whether or not another process writes to it.

    Raises:
        StoreError: There is none, or it cannot be read.
        UsageError: The address is of a kind that is not known.
    """
    from tiktok_hook.store.sqlite.reader import open_reader

    found = _located(location)
    if found.path is None or not found.exists():
        raise StoreError(
            f"There is no history at {found.label} yet.", hint="tiktok-hook listen creates it."
        )
    return open_reader(found.path)


def check_integrity(location: Location | str | Path, *, seconds: float = 3.0) -> Integrity:
    """Check that a history can be written and read in full; it stays as it was.

    Args:
        location: An existing history.
        seconds: Reading stops after this long.

    Raises:
        StoreError: It is not a history of this version, or cannot be opened or written.
    """
    from tiktok_hook.store.sqlite import integrity

    found = _located(location)
    if found.path is None:
        return Integrity("", complete=True)
    return integrity.check(found.path, seconds=seconds)


def _located(location: Location | str | Path | None) -> Location:
    return location if isinstance(location, Location) else parse_location(location)


def __getattr__(name: str) -> object:
    # Only writing needs asyncio, whose import takes longer than listing the newest deliveries.
    if name == "Store":
        from tiktok_hook.store.writer import Store

        return Store
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
