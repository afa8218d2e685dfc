"""Writes to one SQLite history; see `api.WriteBackend` for what each method does."""

import contextlib
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tiktok_hook.errors import StoreError
from tiktok_hook.store.bounds import Bounds
from tiktok_hook.store.jobs import Job
from tiktok_hook.store.sqlite import batch
from tiktok_hook.store.sqlite.crash_recovery import end_abandoned, owner_lock
from tiktok_hook.store.sqlite.database import Database
from tiktok_hook.store.sqlite.file_lock import FileLock, FileQueueLock
from tiktok_hook.store.sqlite.reader import SQLiteReader
from tiktok_hook.store.sqlite.retention import Counters, prune


class SQLiteBackend:
    """One history, open for writing.

    Args:
        path: The file, created with mode 0600 if there is none; None is in memory.
        bounds: How much is kept.
        app: The attached app whose queues are used; None is the listener.

    Raises:
        StoreError: It is not a history, of a newer version, or cannot be opened.
    """

    def __init__(self, path: Path | None, bounds: Bounds, *, app: str | None = None) -> None:
        self._app = app or ""
        self._database = Database(path)
        self._bounds = bounds
        self._database.create()
        end_abandoned(self._database)
        self._owner = os.urandom(8).hex()
        self._reader = SQLiteReader(self._database, self._app, self._owner)
        self._connection: sqlite3.Connection | None = self._database.connect()
        self._identity = self._database.identity()
        self._last_id = 0  # the highest id seen by this process, in case the file is replaced
        self._floor = 0
        self._owner_lock: FileLock | None = None
        # The bounds may be smaller than those of an earlier process.
        self._more_to_prune = self._exceeds_bounds(self._connection)

    @property
    def label(self) -> str:
        """The path, or words for a history in memory."""
        return self._database.label

    @property
    def reader(self) -> SQLiteReader:
        """The reader."""
        return self._reader

    @property
    def has_more_to_do(self) -> bool:
        """Whether the last transaction left more than the bounds allow."""
        return self._more_to_prune

    def queue_lock(self, target: str) -> FileQueueLock:
        """A lock on a file next to the history."""
        return FileQueueLock(self._database.path, target, self._app)

    def commit(self, jobs: Sequence[Job]) -> list[Any]:
        """Write jobs as one transaction, and prune a little."""
        for job in jobs:
            job.prepare()
        connection = self._connected()
        owner = self._own() if any(map(batch.begins_attempt, jobs)) else None
        with self._database.turn:
            connection.execute("BEGIN IMMEDIATE")
            try:
                counters = Counters.read(
                    connection, self._bounds, last_id=self._last_id, floor=self._floor
                )
                results = batch.run(connection, jobs, counters, owner, self._app)
                more_to_prune = prune(connection, counters)
                counters.write(connection)
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                raise
            for job in jobs:
                job.committed()
                batch.after_commit(connection, job)
        self._last_id, self._floor = counters.last_id, counters.floor
        self._more_to_prune = more_to_prune
        return results

    def explain(self, error: Exception) -> StoreError | None:
        """Translate SQLite's error for the user."""
        return self._database.explain(error) if isinstance(error, sqlite3.Error) else None

    def is_fault_of_a_row(self, error: Exception) -> bool:
        """Whether a value that SQLite does not accept may be the cause."""
        return isinstance(error, _FAULTS_OF_A_ROW) or not isinstance(error, sqlite3.Error)

    def recover(self, error: Exception) -> None:
        """Close the connection, unless the disk was full or the file locked.

        In these two cases the connection stays usable, and while it is open readers need no space
        for a log of their own.
        """
        self._more_to_prune = False
        if not getattr(error, "sqlite_errorname", "").startswith(("SQLITE_FULL", "SQLITE_BUSY")):
            self._disconnect()

    def close(self) -> None:
        """Close all connections."""
        self._disconnect()
        self._reader.close()
        self._database.close()
        if self._owner_lock is not None:
            self._owner_lock.close()
            self._owner_lock = None

    def _own(self) -> str | None:
        """The token of this process for attempts, once its lock is held; None if it cannot be."""
        if self._owner_lock is None:
            lock = owner_lock(self._database, self._owner)
            try:
                lock.acquire()
            except StoreError:
                return None  # with a token and no lock they would look abandoned
            self._owner_lock = lock
        return self._owner

    def _exceeds_bounds(self, connection: sqlite3.Connection) -> bool:
        try:
            return Counters.read(connection, self._bounds).over
        except sqlite3.Error as error:
            connection.close()
            raise self._database.explain(error) from error

    def _connected(self) -> sqlite3.Connection:
        """The connection; a new one after a failure, or if the file was replaced."""
        if self._connection is not None and self._database.identity() != self._identity:
            self._disconnect()
        if self._connection is None:
            self._database.create(folders=False)
            self._connection = self._database.connect()
            self._identity = self._database.identity()
            self._floor = 0
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


_FAULTS_OF_A_ROW = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)
