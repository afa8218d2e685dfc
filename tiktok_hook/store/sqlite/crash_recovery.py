"""Ends the attempts that a killed process left open.

Every attempt has the token of the process that made it. That process holds a file lock of the same
name while it runs, so if the lock is free, an open attempt was cut short.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing

from tiktok_hook.delivery import CUT
from tiktok_hook.store.sqlite.database import Database
from tiktok_hook.store.sqlite.file_lock import FileLock


def owner_lock(database: Database, owner: str) -> FileLock:
    """The lock that a process holds while it runs, named after the token of its attempts."""
    return FileLock(database.path, f"run-{owner}")


def end_abandoned(database: Database) -> int:
    """Record the open attempts of ended processes as cut short, which counts as failed.

    Returns:
        How many there were.

    Raises:
        StoreError: The history cannot be read or written, or a lock cannot be tried.
    """
    if database.path is None:
        return 0
    with closing(database.connect_reader()) as reader:
        try:
            owners = [owner for (owner,) in reader.execute(_OPEN_OWNERS)]
        except sqlite3.Error as error:
            raise database.explain(error) from error
    gone = []
    for owner in owners:
        with owner_lock(database, owner) as lock:
            if lock.acquire():
                gone.append(owner)
    return _cut(database, gone) if gone else 0


def _cut(database: Database, owners: Sequence[str]) -> int:
    total = 0
    try:
        with closing(database.connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            for owner in owners:
                ended = connection.execute(_CUT, (CUT, _HINT, owner)).fetchall()
                for key in ended:
                    connection.execute(_FAILED, key)
                total += len(ended)
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise database.explain(error) from error
    return total


_HINT = "The process that forwarded it ended before the app had answered."
_OPEN_OWNERS = (
    "SELECT DISTINCT owner FROM attempts INDEXED BY attempts_open "
    "WHERE duration_ms IS NULL AND owner IS NOT NULL"
)
# The real duration is not known, but every ended attempt has one.
_CUT = (
    "UPDATE attempts SET error = ?, hint = ?, duration_ms = 0.0 "
    "WHERE owner = ? AND duration_ms IS NULL RETURNING delivery_id, number"
)
_FAILED = (
    "UPDATE deliveries SET failed = 1 WHERE id = ?1 AND failed = 0 AND NOT EXISTS ("
    "SELECT 1 FROM attempts WHERE delivery_id = ?1 AND number > ?2 AND duration_ms IS NOT NULL "
    "AND expects_rejection = 0)"
)
