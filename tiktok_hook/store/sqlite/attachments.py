"""Removes an attached app from a history in a file."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tiktok_hook.errors import UsageError
from tiktok_hook.store.api import ATTACHMENT
from tiktok_hook.store.sqlite.database import Database
from tiktok_hook.store.sqlite.file_lock import queue_lock


def forget(path: Path, app: str) -> None:
    """Delete the cursor and the queue of an attached app, but no deliveries or attempts.

    Args:
        path: An existing history.
        app: Its name.

    Raises:
        UsageError: There is no app of this name, or it is running.
        StoreError: It is not a history of this version, or cannot be written.
    """
    database = Database(path)
    with queue_lock(path, ATTACHMENT, app) as lock:
        if not lock.acquire():
            raise UsageError(f"{app} is running.", hint="Stop it first.")
        try:
            with closing(database.connect()) as connection, connection:
                connection.execute("BEGIN IMMEDIATE")
                known = connection.execute("DELETE FROM attachments WHERE app = ?", (app,)).rowcount
                if known:  # otherwise the queue is that of the listener, which has no name
                    connection.execute("DELETE FROM queue WHERE app = ?", (app,))
                found = connection.execute("SELECT app FROM attachments ORDER BY app").fetchall()
        except sqlite3.Error as error:
            raise database.explain(error) from error
    if not known:
        there = ", ".join(name for (name,) in found) or "none"
        raise UsageError(
            f"There is no app {app} attached to {database.label}.", hint=f"Attached: {there}."
        )
