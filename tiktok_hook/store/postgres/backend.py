"""Writes to one shared history; see `api.WriteBackend` for what each method does."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

import psycopg
from psycopg import errors
from psycopg.rows import dict_row

from tiktok_hook.delivery import CUT
from tiktok_hook.errors import StoreError
from tiktok_hook.store.app_name import default_app_name
from tiktok_hook.store.bounds import KEEP, KEEP_BYTES, MAX_REJECTED, MAX_REJECTED_BYTES, Bounds
from tiktok_hook.store.jobs import Job
from tiktok_hook.store.postgres import rows, schema
from tiktok_hook.store.postgres.batch import Batch
from tiktok_hook.store.postgres.connection import Connection, Server
from tiktok_hook.store.postgres.connections import QueryConnections
from tiktok_hook.store.postgres.presence import Presence
from tiktok_hook.store.postgres.queue_lock import LeaseQueueLock
from tiktok_hook.store.postgres.reader import PostgresReader
from tiktok_hook.store.server_address import ServerAddress

_PRUNE_LOT = 1024
"""Maximum number of rows pruned in one transaction, about 10 ms of work."""

_PRUNE_AGAIN_SECONDS = 1.0
"""How long pruning pauses after nothing could be pruned."""

_BACKOFF_SECONDS = (0.1, 2.0)
"""Delay before the next try after a failed connection: at first, and at most."""

_QUEUE_CHECK_PART = 8
"""The queue is counted again when a listener has filled an eighth of the room that was left."""


_DEADLOCKS = 3
"""How often a batch is written again after the server undid it to end a deadlock, for instance with
an app that tries the same deliveries in another order."""


def own_name(connection: Connection, app: str) -> str:
    """The name of the own app: this database user's on this machine.

    Two database users may use one account of the machine, for instance when one person tries a
    listener and an attached app. A name belongs to one of them; the other's has a suffix.
    """
    found = connection.execute(_TAKEN, {"app": app}).fetchone()
    return app if found is None else f"{app}/{connection.info.user}"


def open_reader(address: ServerAddress) -> PostgresReader:
    """Open a shared history for reading only.

    Raises:
        StoreError: There is none, or it cannot be reached.
    """
    server = Server(address, "reader")
    with server.connect() as connection, server.explaining():
        schema.require(connection, server)
        name = own_name(connection, rows.text(default_app_name()))
        origin = schema.origin(connection)
    presence = Presence(server, name, leased=False)
    presence.begin_with(origin)
    return PostgresReader(server, QueryConnections(server), presence)


class PostgresBackend:
    """One shared history, open for writing.

    Args:
        address: Where it is; the schema is created if there is none.
        keep: How many deliveries are kept from now on; None does not change it.
        keep_bytes: How many bytes they may take; None does not change it.
        prune: Whether this process deletes deliveries beyond the bounds.
        app: The app whose queues and attempts are used; None is this user on this machine. If that
            name belongs to another database user, a suffix is added.

    Raises:
        StoreError: It cannot be reached, has another version, or may not be written.
    """

    def __init__(
        self,
        address: ServerAddress,
        *,
        keep: int | None,
        keep_bytes: int | None,
        prune: bool,
        app: str | None = None,
    ) -> None:
        # A listener may have a name as well, and is the one that prunes.
        kind = "listen" if prune else "attach" if app is not None else "other"
        self._server = Server(address, kind)
        self._is_named = app not in {None, default_app_name()}
        whose = rows.text(default_app_name()) if app is None else rows.text(app)
        self._presence = Presence(self._server, whose, leased=True, kind=kind)
        self._connection: Connection | None = None
        self._bounds: Bounds
        self._try_again_at = 0.0
        self._backoff = _BACKOFF_SECONDS[0]
        self._prune = prune
        self._prune_again_at = 0.0
        self._usage = _Usage()
        self._queue_room = (0, 0)
        self._more_to_prune = prune
        self._closed = False
        try:
            self._connection = self._open(keep, keep_bytes)
        except BaseException:
            self._presence.close()
            raise
        self._connections = QueryConnections(self._server)
        self._reader = PostgresReader(self._server, self._connections, self._presence)
        self._presence.start()

    def _open(self, keep: int | None, keep_bytes: int | None) -> Connection:
        connection = self._server.connect(writing=True)
        try:
            with self._server.explaining():
                self._prepare(connection, keep, keep_bytes)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: Connection, keep: int | None, keep_bytes: int | None) -> None:
        schema.create(
            connection, self._server, keep=keep or KEEP, keep_bytes=keep_bytes or KEEP_BYTES
        )
        if self._prune:
            self._require_listener(connection)
        if not self._is_named:
            self._presence.app = own_name(connection, self._presence.app)
        self._presence.register(connection)
        self._presence.begin_with(schema.origin(connection))
        connection.execute("SELECT tiktok_hook.end_abandoned_1(%s, %s)", (CUT, _CUT_HINT))
        self._bounds = _set_bounds(connection, keep, keep_bytes)

    def _require_listener(self, connection: Connection) -> None:
        """Check that this user may receive.

        Raises:
            StoreError: The user may only read and attach.
        """
        found = connection.execute(_MAY_ADD).fetchone()
        if found is None or not found[0]:
            raise self._server.explain(errors.InsufficientPrivilege("function add_1"))

    @property
    def label(self) -> str:
        """Host and database."""
        return self._server.label

    @property
    def reader(self) -> PostgresReader:
        """The reader."""
        return self._reader

    def queue_lock(self, target: str) -> LeaseQueueLock:
        """A lock that lasts as long as this process renews its lease."""
        return LeaseQueueLock(self._connections, self._presence, rows.text(target))

    @property
    def has_more_to_do(self) -> bool:
        """Whether more rows have to be pruned."""
        return self._more_to_prune

    def commit(self, jobs: Sequence[Job]) -> list[Any]:
        """Write jobs with one statement; then prune a little."""
        for job in jobs:
            job.prepare()
        batch = Batch(jobs)
        connection = self._connected()
        results = self._write(connection, batch)
        for job in jobs:
            job.committed()
        # Everything is durable now, so a later failure must not fail the batch.
        if results:
            self._usage.count(batch, batch.newest)
            added, updated = bool(batch.adds), batch.updates
            self._presence.changed(added=added, updated=updated)
            self._presence.notify(added=added, updated=updated or not added)
        try:
            self._prune_if_due(connection)
        except psycopg.Error:
            self._more_to_prune = False
            self._disconnect()
        return results

    def _write(self, connection: Connection, batch: Batch) -> list[Any]:
        deadlocks = 0
        while True:
            bounds = self._queue_bounds(batch)
            statement = batch.statement(self._presence.app, self._presence.id, bounds)
            found: dict[str, Any] = {}
            if statement is not None:
                with connection.cursor(row_factory=dict_row) as cursor:
                    try:
                        cursor.execute(statement[0].encode(), statement[1], binary=True)
                    except errors.DeadlockDetected:
                        deadlocks += 1
                        if deadlocks > _DEADLOCKS:
                            raise
                        continue
                    found = cursor.fetchone() or {}
            if not batch.adds:
                return batch.results(found, self._presence.app)
            counted, counted_bytes = found["queued"], found["queued_bytes"]
            if counted is not None:
                part = (self._bounds.queued - counted) // _QUEUE_CHECK_PART
                part_bytes = (self._bounds.queued_bytes - counted_bytes) // _QUEUE_CHECK_PART
                self._queue_room = (part, part_bytes)
            if found["newest"] is not None:
                return batch.results(found, self._presence.app)
            # Nothing was written, since the queue is too full: try again without some deliveries.
            has_room = counted_bytes < self._bounds.queued_bytes
            batch.reject_beyond(
                max(self._bounds.queued - counted, 0) if has_room else 0,
                StoreError(
                    f"{counted} deliveries ({counted_bytes / 1e6:.0f} MB) wait for the app, "
                    "and no more may wait.",
                    hint="Start the app, or resume forwarding; tiktok-hook clear deletes them.",
                ),
            )

    def _queue_bounds(self, batch: Batch) -> tuple[int | None, int | None]:
        """How much may wait; None while there is certainly room, so that nothing is counted."""
        number, size = batch.waiting()
        room, room_bytes = self._queue_room
        if number <= room and size <= room_bytes:
            self._queue_room = (room - number, room_bytes - size)
            return (None, None)
        return (self._bounds.queued, self._bounds.queued_bytes)

    def _prune_if_due(self, connection: Connection) -> None:
        now = time.monotonic()
        exceeds = self._usage.exceeds(self._bounds) and now >= self._prune_again_at
        if self._prune and (self._more_to_prune or exceeds):
            self._prune_lot(connection)

    def _prune_lot(self, connection: Connection) -> None:
        with connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(_PRUNE, (MAX_REJECTED, MAX_REJECTED_BYTES, _PRUNE_LOT))
            found = cursor.fetchone()
        if found is None or found["newest"] is None:
            self._more_to_prune = False  # another process is pruning
            return
        self._bounds = Bounds.of(found["keep_max"], found["keep_bytes_max"])
        self._usage = _Usage.of(found)
        exceeds = self._usage.exceeds(self._bounds)
        self._more_to_prune = bool(found["gone"]) and exceeds
        if exceeds and not found["gone"] and found["kept"] > 2 * _PRUNE_LOT:
            # All of it waits for an app. Counting it again with every commit would be expensive.
            self._prune_again_at = time.monotonic() + _PRUNE_AGAIN_SECONDS
        if found["gone"]:
            self._presence.notify(updated=True)

    def explain(self, error: Exception) -> StoreError | None:
        """Translate an error of psycopg for the user."""
        return self._server.explain(error) if isinstance(error, psycopg.Error) else None

    def is_fault_of_a_row(self, error: Exception) -> bool:
        """Whether a value that PostgreSQL does not accept may be the cause."""
        return isinstance(error, _FAULTS_OF_A_ROW) or not isinstance(error, psycopg.Error)

    def recover(self, error: Exception) -> None:
        """Close the connection if the error has made it unusable."""
        self._more_to_prune = False
        if isinstance(error, psycopg.OperationalError):
            self._disconnect()

    def close(self) -> None:
        """Close all connections, and end the lease."""
        if self._closed:
            return
        self._closed = True
        self._presence.close()  # first: its thread would register this process again
        with suppress(psycopg.Error, StoreError):
            self._presence.unregister(self._connected())
            self._presence.notify_rest(self._connected())
        self._disconnect()
        self._reader.close()

    def _connected(self) -> Connection:
        """The connection; a new one after a failure.

        Raises:
            StoreError: The server cannot be reached. For a short time no other try is made, so that
                TikTok gets its answer at once.
        """
        if self._connection is not None:
            return self._connection
        if time.monotonic() < self._try_again_at:
            raise StoreError(
                f"{self.label} cannot be reached.",
                hint="It is tried again until it succeeds.",
            )
        try:
            connection = self._server.connect(writing=True)
        except StoreError:
            self._try_again_at = time.monotonic() + self._backoff
            self._backoff = min(2 * self._backoff, _BACKOFF_SECONDS[1])
            raise
        self._backoff = _BACKOFF_SECONDS[0]
        self._connection = connection
        return connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _set_bounds(connection: Connection, keep: int | None, keep_bytes: int | None) -> Bounds:
    """Change the given bounds of the history, and return all of them."""
    if keep is not None or keep_bytes is not None:
        connection.execute(_SET_BOUNDS, {"keep": keep, "keep_bytes": keep_bytes})
    found = connection.execute("SELECT keep, keep_bytes FROM tiktok_hook.history").fetchone()
    if found is None:
        raise StoreError("The history has lost the row that describes it.")
    return Bounds.of(*found)


@dataclass(slots=True)
class _Usage:
    """Upper limit of the size of a history: the last count, and what was added since.

    What other listeners added is known from the ids; it is assumed to have the average size.
    """

    newest: int = 0
    kept: int = 0
    kept_bytes: int = 0
    rejected: int = 0
    rejected_bytes: int = 0

    @classmethod
    def of(cls, found: Mapping[str, int]) -> Self:
        """The usage as it was counted."""
        return cls(
            found["newest"],
            found["kept"],
            int(found["kept_bytes"]),
            found["rejected"],
            int(found["rejected_bytes"]),
        )

    def count(self, batch: Batch, newest: int | None) -> None:
        """Add what a batch, and other listeners before it, have added.

        Args:
            batch: As it was written.
            newest: The id of its last delivery; None if it has none.
        """
        self.kept_bytes += batch.attempt_bytes
        if newest is None:
            return
        others = max(newest - self.newest - len(batch.added), 0) if self.newest else 0
        self.newest = newest
        self.kept += others
        self.kept_bytes += others * (self.kept_bytes // self.kept if self.kept else 0)
        self.rejected += others
        for row in batch.added:
            if row[rows.REJECTED]:
                self.rejected += 1
                self.rejected_bytes += row[rows.SIZE]
            else:
                self.kept += 1
                self.kept_bytes += row[rows.SIZE]

    def exceeds(self, bounds: Bounds) -> bool:
        """Whether the history may exceed the bounds."""
        return (
            self.kept > bounds.keep
            or self.kept_bytes > bounds.keep_bytes
            or self.rejected > bounds.rejected
            or self.rejected_bytes > bounds.rejected_bytes
        )


_FAULTS_OF_A_ROW = (psycopg.DataError, psycopg.IntegrityError, errors.ProgramLimitExceeded)
_CUT_HINT = "The process that forwarded it ended before the app had answered."
_TAKEN = "SELECT true FROM tiktok_hook.apps WHERE app = %(app)s AND role <> session_user::text"
_MAY_ADD = (
    "SELECT has_function_privilege(oid, 'EXECUTE') FROM pg_proc "
    "WHERE pronamespace = 'tiktok_hook'::regnamespace AND proname = 'add_1'"
)
_PRUNE = "SELECT * FROM tiktok_hook.prune_1(%s::int8, %s::int8, %s::int4)"
_SET_BOUNDS = (
    "UPDATE tiktok_hook.history SET keep = coalesce(%(keep)s::int8, keep), "
    "keep_bytes = coalesce(%(keep_bytes)s::int8, keep_bytes) "
    "WHERE keep <> coalesce(%(keep)s::int8, keep) "
    "OR keep_bytes <> coalesce(%(keep_bytes)s::int8, keep_bytes)"
)
