"""Pool of connections, for queries from any thread."""

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from tiktok_hook.errors import StoreError
from tiktok_hook.store.postgres.connection import Connection, DeadlinePassedError, Server

MAX_CONNECTIONS = 2
"""Maximum number of connections of a process: a server allows a hundred for the entire team."""

_TURN_SECONDS = 30.0


class QueryConnections:
    """The connections of a process for queries.

    Any number of threads may query at once; they take turns. Invariant: a connection is either in
    `_idle` or owned by the one query that popped it; `_turns` counts those owned.

    Args:
        server: Where to connect to.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._turns = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._idle: deque[Connection] = deque()
        self._closed = False

    def close(self) -> None:
        """Close idle connections; a running query closes its own at its end."""
        self._closed = True
        self._close_idle()

    def all(self, query: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
        """Run and commit a statement, and return all rows.

        Raises:
            StoreError: The history cannot be read, or is closed.
        """
        if not self._turns.acquire(timeout=_TURN_SECONDS):
            raise StoreError(
                f"{self._server.label} has answered no query for {_TURN_SECONDS:.0f} s."
            )
        try:
            return self._ask(query, values)
        finally:
            self._turns.release()

    def _ask(self, query: str, values: Sequence[Any] | Mapping[str, Any]) -> list[Any]:
        while True:
            if self._is_closed():
                raise StoreError("The history is closed.")
            kept = self._idle_one()
            connection = kept or self._server.connect()
            try:
                found = connection.execute(query.encode(), values, binary=True).fetchall()
            except psycopg.OperationalError as error:
                lost = connection.closed or connection.broken
                connection.close()
                # One that was kept may have been lost while it was idle, as when the server
                # was restarted; queries can be asked again.
                if kept is not None and lost and not isinstance(error, DeadlinePassedError):
                    continue
                raise self._server.explain(error) from error
            except psycopg.Error as error:
                connection.close()
                raise self._server.explain(error) from error
            except BaseException:
                connection.close()
                raise
            self._idle.append(connection)
            # Checked afterwards, so that a concurrent `close` leaves none open.
            if self._is_closed():
                self._close_idle()
            return found

    def _is_closed(self) -> bool:
        return self._closed

    def _idle_one(self) -> Connection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _close_idle(self) -> None:
        while (connection := self._idle_one()) is not None:
            connection.close()
