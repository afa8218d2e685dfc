"""Whether a history can still be written and read whole: what `doctor` asks, and nobody else."""

import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tiktok_hook.store.schema import Database

_STEPS = 1_000
"""SQLite's instructions between two looks at the clock."""


@dataclass(frozen=True, slots=True)
class Soundness:
    """What an examination of the file found.

    Attributes:
        damage: SQLite's own words about the first damage; empty when it met none.
        complete: Whether all of it was read in the time given.
    """

    damage: str
    complete: bool


def examine(path: Path, *, seconds: float = 3.0) -> Soundness:
    """Try to write a history and read it through, and leave it as it was.

    Args:
        path: An existing history.
        seconds: After this long the reading ends where it is.

    Raises:
        StoreError: It is no history of this version, or cannot be opened or written.
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


def _read_through(connection: sqlite3.Connection, deadline: float) -> Soundness:
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    try:
        (words,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return Soundness("", complete=False)
    return Soundness("" if words == "ok" else str(words), complete=True)
