"""The history: everything received and tried, in one SQLite file, on disk before TikTok's 200."""

from pathlib import Path
from typing import TYPE_CHECKING

from tiktok_hook.errors import StoreError
from tiktok_hook.store.filter import Filter
from tiktok_hook.store.history import Counts, History
from tiktok_hook.store.queue_lock import QueueLock
from tiktok_hook.store.rows import MAX_REJECTED, REJECTED_BODY_BYTES, QueueEntry
from tiktok_hook.store.schema import Database
from tiktok_hook.store.timeline import Bucket

if TYPE_CHECKING:
    from tiktok_hook.store.writer import Store

__all__ = [
    "KEEP",
    "KEEP_BYTES",
    "MAX_REJECTED",
    "REJECTED_BODY_BYTES",
    "Bucket",
    "Counts",
    "Filter",
    "History",
    "QueueEntry",
    "QueueLock",
    "Store",
    "open_history",
    "open_store",
]

KEEP = 100_000
KEEP_BYTES = 1 << 30
"""How much history stays, when nothing else is said."""

KEEP_BYTES_IN_MEMORY = 256 << 20
"""The most that an ephemeral history keeps, whatever is said."""


def open_store(path: Path | None, *, keep: int = KEEP, keep_bytes: int = KEEP_BYTES) -> "Store":
    """Open a history to write to and read from; close it, or use it as a context manager.

    Args:
        path: The file, made with mode 0600 if there is none, as are missing folders with 0700;
            None keeps everything in memory, 256 MiB at most, and leaves nothing behind.
        keep: How many deliveries stay; the oldest go first, those that wait for the app never.
        keep_bytes: How many bytes they take at most, about.

    Raises:
        StoreError: It is no history, of a newer version, or cannot be used where it lies.
    """
    from tiktok_hook.store.bounds import Bounds
    from tiktok_hook.store.writer import Store

    if path is None:
        keep_bytes = min(keep_bytes, KEEP_BYTES_IN_MEMORY)
    return Store(Database(path), Bounds.of(keep, keep_bytes))


def open_history(path: Path) -> History:
    """Open a history that is only read, whether or not somebody writes to it meanwhile.

    Raises:
        StoreError: There is none, or it cannot be read.
    """
    if not path.exists():
        raise StoreError(
            f"There is no history at {path} yet.", hint="`tiktok-hook listen` or `demo` makes one."
        )
    history = History(Database(path))
    history.newest_id()
    return history


def __getattr__(name: str) -> object:
    # Only writing needs asyncio, whose import takes longer than a list of the newest.
    if name == "Store":
        from tiktok_hook.store.writer import Store

        return Store
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
