"""Pool of read-only connections, for queries from any thread."""

import sqlite3
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tiktok_hook.errors import StoreError
from tiktok_hook.store.sqlite.database import Database, Identity

IDLE_CONNECTIONS = 4
"""How many connections are kept between queries; more are opened while more queries run."""


class ReadConnections:
    """The read-only connections of one history.

    Any number of threads may query at the same time. Invariant: a connection is either in `_idle`
    or owned by the query that popped it, so no two threads use it; `deque.pop` and `append` are
    atomic. The connection that `changes` uses is never in `_idle`; the lock `_watching` guards it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._idle: deque[tuple[Identity, sqlite3.Connection]] = deque()
        self._closed = False
        self._watching = threading.Lock()
        self._watch: tuple[Identity, sqlite3.Connection] | None = None
        self._watches = 0

    def close(self) -> None:
        """Close idle connections; a running query closes its own at its end."""
        self._closed = True
        self._close_idle()
        with self._watching:
            if self._watch is not None:
                self._watch[1].close()
                self._watch = None

    def all(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query.

        Raises:
            StoreError: The history cannot be read, or is closed.
        """
        try:
            with self._database.turn, self._connection() as connection:
                return connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._database.explain(error) from error

    def changes(self) -> int:
        """A change counter: different after any write by any process (``PRAGMA data_version``).

        Takes microseconds. -1 while the history cannot be read.
        """
        with self._watching, self._database.turn:
            try:
                return self._data_version()
            except (sqlite3.Error, StoreError):
                if self._watch is not None:
                    self._watch[1].close()
                    self._watch = None
                return -1

    def _data_version(self) -> int:
        identity = self._database.identity()
        if self._watch is not None and self._watch[0] != identity:
            self._watch[1].close()
            self._watch = None
        if self._watch is None:
            if self._closed:
                raise StoreError("The history is closed.")
            self._watch = (identity, self._database.connect_reader())
            self._watches += 1
        (version,) = self._watch[1].execute("PRAGMA data_version").fetchone()
        # Each connection has its own version, so that of a new one must differ from all before.
        return self._watches << 40 | int(version)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection for one query."""
        if self._closed:
            raise StoreError("The history is closed.")
        identity = self._database.identity()
        connection = self._idle_one(identity) or self._database.connect_reader()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self._idle.append((identity, connection))
        # Checked afterwards, so that a concurrent `close` leaves none open.
        self._close_idle()

    def _idle_one(self, identity: Identity) -> sqlite3.Connection | None:
        while self._idle:
            try:
                kept_for, connection = self._idle.pop()
            except IndexError:  # another thread popped it
                break
            if kept_for == identity:
                return connection
            connection.close()  # the file was replaced
        return None

    def _close_idle(self) -> None:
        allowed = 0 if self._closed else IDLE_CONNECTIONS
        while len(self._idle) > allowed:
            try:
                self._idle.popleft()[1].close()
            except IndexError:  # another thread popped it
                break
