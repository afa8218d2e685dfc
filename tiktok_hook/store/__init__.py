"""The history: deliveries, attempts and queues, durable before TikTok gets its 200."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiktok_hook.errors import NoHistoryError, StoreError
from tiktok_hook.store.bounds import KEEP, KEEP_BYTES, KEEP_BYTES_IN_MEMORY, MAX_REJECTED, Bounds
from tiktok_hook.store.location import Location, locate, parse_location

if TYPE_CHECKING:
    from tiktok_hook.store.api import ATTACHMENT, ChangeFeed, HistoryReader, Integrity, QueueLock
    from tiktok_hook.store.filter import ACCEPTED, EVERYTHING, Filter, as_filter
    from tiktok_hook.store.kept import REJECTED_BODY_BYTES
    from tiktok_hook.store.postgres.team import Team
    from tiktok_hook.store.records import (
        QUEUE_MODES,
        Attachment,
        AttachmentState,
        Bucket,
        Counts,
        Names,
        QueuedDelivery,
        QueueEntry,
        QueueMode,
    )
    from tiktok_hook.store.team_records import ServerReport
    from tiktok_hook.store.writer import Store

__all__ = [
    "ACCEPTED",
    "ATTACHMENT",
    "EVERYTHING",
    "KEEP",
    "KEEP_BYTES",
    "MAX_REJECTED",
    "QUEUE_MODES",
    "REJECTED_BODY_BYTES",
    "Attachment",
    "AttachmentState",
    "Bounds",
    "Bucket",
    "ChangeFeed",
    "Counts",
    "Filter",
    "HistoryReader",
    "Integrity",
    "Location",
    "Names",
    "QueueEntry",
    "QueueLock",
    "QueueMode",
    "QueuedDelivery",
    "ServerReport",
    "Store",
    "as_filter",
    "check_creatable",
    "check_integrity",
    "forget_app",
    "locate",
    "open_history",
    "open_store",
    "open_team",
    "parse_location",
    "report_server",
]


def open_store(
    location: Location | str | Path | None,
    *,
    keep: int | None = None,
    keep_bytes: int | None = None,
    bounds: Bounds | None = None,
    prune: bool = True,
    app: str | None = None,
) -> "Store":
    """Open a history to write to and read from; close it, or use it as a context manager.

    Args:
        location: See `parse_location`. A missing file is created with mode 0600, missing folders
            with 0700; a history in memory takes at most 256 MiB. On a server missing tables are
            created.
        keep: How many deliveries are kept. The oldest are deleted first; those that wait for the
            app are never deleted. None is the default for a file. A shared history stores its own
            bounds: None leaves them as they are, a number changes them for all of its users.
        keep_bytes: How many bytes they may take; None as for `keep`.
        bounds: All bounds of a file or of memory, in place of these two.
        prune: Whether to delete what is beyond the bounds.
        app: The name of the attached app whose queues are read and written. None is the listener:
            a file has one, a server one for each user and machine.

    Raises:
        StoreError: It is not a history, of a newer version, or cannot be opened.
        UsageError: The address is of a kind that is not known.
    """
    from tiktok_hook.store.writer import Store

    found = parse_location(location)
    if found.server is not None:
        from tiktok_hook.store.postgres.backend import PostgresBackend

        return Store(
            PostgresBackend(found.server, keep=keep, keep_bytes=keep_bytes, prune=prune, app=app)
        )
    from tiktok_hook.store.sqlite.backend import SQLiteBackend

    if bounds is None:
        most = KEEP_BYTES_IN_MEMORY if found.in_memory else sys.maxsize
        bounds = Bounds.of(keep or KEEP, min(keep_bytes or KEEP_BYTES, most))
        if not prune:
            bounds = Bounds.of(sys.maxsize, most)
    return Store(SQLiteBackend(found.path, bounds, app=app))


def open_history(location: Location | str | Path) -> "HistoryReader":
    """Open a history for reading only; other processes may write to it at the same time.

    Raises:
        NoHistoryError: There is none.
        StoreError: It cannot be read.
        UsageError: The address is of a kind that is not known.
    """
    found = parse_location(location)
    if found.server is not None:
        from tiktok_hook.store.postgres.backend import open_reader as open_shared

        return open_shared(found.server)
    from tiktok_hook.store.sqlite.reader import open_reader

    return open_reader(_existing(found))


def check_integrity(location: Location | str | Path, *, seconds: float = 3.0) -> "Integrity":
    """Check that a history can be written and read in full; nothing in it changes.

    Args:
        location: An existing history.
        seconds: Reading stops after this long.

    Raises:
        NoHistoryError: There is none.
        StoreError: It is not a history of this version, or cannot be opened or written.
    """
    found = parse_location(location)
    if found.server is not None:
        from tiktok_hook.store.postgres.health import check

        return check(found.server)
    from tiktok_hook.store.sqlite import integrity

    return integrity.check(_existing(found), seconds=seconds)


def report_server(location: Location) -> "ServerReport":
    """Report on the server of a shared history as this process sees it; nothing is written.

    Raises:
        StoreError: It cannot be reached.
    """
    from tiktok_hook.store.postgres.health import report

    assert location.server is not None
    return report(location.server)


def open_team(location: Location) -> "Team":
    """An object that sets a shared history up and lists its users; nothing is opened yet."""
    from tiktok_hook.store.postgres.team import Team

    assert location.server is not None
    return Team(location.server)


def forget_app(location: Location | str | Path, app: str) -> None:
    """Delete the cursor and the queue of an attached app that is not running.

    Raises:
        NoHistoryError: There is no history.
        StoreError: It cannot be written, or the app belongs to another user.
        UsageError: There is no app of this name, or it is running.
    """
    found = parse_location(location)
    if found.server is not None:
        open_team(found).leave(app)
    else:
        from tiktok_hook.store.sqlite.attachments import forget

        forget(_existing(found), app)


def check_creatable(location: Location | str | Path) -> None:
    """Check that a history that does not exist yet can be created; it is not created.

    Raises:
        StoreError: It cannot; the message names what is in the way.
    """
    from tiktok_hook.store.sqlite import integrity

    path = parse_location(location).path
    if path is not None:
        integrity.check_creatable(path)


def _existing(location: Location | str | Path) -> Path:
    """The file of a history.

    Raises:
        NoHistoryError: There is none, or it would be in the memory of another process.
        StoreError: It is not a file, or cannot be examined.
    """
    found = parse_location(location)
    if found.path is None:
        raise NoHistoryError(
            "A history in memory can only be read by the process that has it.",
            hint="Give the path of a history that was kept.",
        )
    from tiktok_hook.store.sqlite.database import require_file

    try:
        require_file(found.path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NoHistoryError(
            f"There is no history at {found.label} yet.", hint="tiktok-hook listen creates it."
        ) from error
    except OSError as error:
        raise StoreError(
            f"{found.label} cannot be opened: {error.strerror}.",
            hint="Check the path, and the permissions of its folder.",
        ) from error
    return found.path


_MODULES = {
    "api": ("ATTACHMENT", "ChangeFeed", "HistoryReader", "Integrity", "QueueLock"),
    "filter": ("ACCEPTED", "EVERYTHING", "Filter", "as_filter"),
    "kept": ("REJECTED_BODY_BYTES",),
    "records": (
        "QUEUE_MODES",
        "Attachment",
        "AttachmentState",
        "Bucket",
        "Counts",
        "Names",
        "QueueEntry",
        "QueueMode",
        "QueuedDelivery",
    ),
    "team_records": ("ServerReport",),
    "writer": ("Store",),  # imports asyncio, which takes longer than listing deliveries
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a name of `_MODULES` when it is used: ``--help`` needs only the options."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
