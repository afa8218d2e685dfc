"""Checks whether a history can be created, written and read in full, for `doctor`."""

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from tiktok_hook.errors import StoreError
from tiktok_hook.store.api import Integrity
from tiktok_hook.store.sqlite.database import Database

_STEPS = 1_000
"""SQLite instructions between two checks of the deadline."""


def check(path: Path, *, seconds: float) -> Integrity:
    """Write to a history and read all of it; nothing in it changes.

    Args:
        path: An existing history.
        seconds: Reading stops after this long.

    Raises:
        StoreError: It is not a history of this version, or cannot be opened or written.
    """
    database = Database(path)
    try:
        with closing(database.connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("UPDATE counters SET last_id = last_id")
            connection.execute("ROLLBACK")
            return _read_through(connection, time.monotonic() + seconds)
    except sqlite3.Error as error:
        raise database.explain(error) from error


def check_creatable(path: Path) -> None:
    """Check that a file, and the missing folders above it, can be created.

    Raises:
        StoreError: The nearest existing folder cannot be written to.
    """
    parent = path.absolute().parent
    folder = next(each for each in (parent, *parent.parents) if each.is_dir() or not each.name)
    effective = os.access in os.supports_effective_ids
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=effective):
        raise StoreError(
            f"{folder} cannot be written to.",
            hint="Check its permissions, or name another place with --db PATH.",
        )


def _read_through(connection: sqlite3.Connection, deadline: float) -> Integrity:
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    try:
        (words,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return Integrity("", complete=False)
    return Integrity("" if words == "ok" else str(words), complete=True)
