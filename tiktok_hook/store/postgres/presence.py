"""One thread per history: receives notifications of changes, and renews the lease of this process.

Notifications are only a wake-up. They are lost while the connection is down, and some poolers do
not forward them, so the history is queried after every connect and again every few seconds. Each
notification wakes every process of the team, so those about attempts and queues are sent rarely.
The thread sends all of them: any user of the server can delay a notification, so no delivery waits
for one.

Any user can also send them. Their content is not trusted: they only count as a change. When more
arrive than a team sends, the thread disconnects and polls for some time.

Invariant: `_condition` guards the counters, the due notification and the locks. The thread's
connection is used by the thread alone; `_waker` ends its wait, and is written to by any thread.
"""

import os
import select
import socket
import threading
import time
import uuid
from contextlib import suppress
from importlib.metadata import version
from typing import Protocol

import psycopg
from psycopg.pq import PGnotify

from tiktok_hook.errors import StoreError
from tiktok_hook.store.postgres import schema
from tiktok_hook.store.postgres.connection import DEADLINE_SECONDS, Connection, Server

CHANNEL = "tiktok_hook"

LEASE_SECONDS = 15.0
RENEW_SECONDS = 5.0
"""A process that has not renewed its lease for 15 s, by the server's clock, counts as ended."""

_MARGIN_SECONDS = 2.0
"""How much earlier than the server a process stops trusting its own lease."""

_LOOK_SECONDS = 30.0
"""How often changes are queried although notifications arrive. New deliveries are queried with each
renewal of the lease."""

_POLL_SECONDS = (0.5, 5.0)
"""How often changes are queried if no notifications arrive: after a change, and when idle."""

_NOTIFY_ADDED_SECONDS = 0.005
"""Minimum time between two notifications of new deliveries: their commit takes a lock of the entire
server."""

_NOTIFY_SECONDS = 0.05
"""Minimum time between a notification and one about changes that add no delivery."""

_NOTIFY_DEADLINE_SECONDS = 2.0
"""How long sending one may take, since the lease has to be renewed."""

_NOTIFY_AGAIN_SECONDS = 1.0
"""How long after a failure it is sent again."""

_ADDED, _UPDATED, _BOTH = "added", "updated", "both"
"""The beginning of a notification's payload; a colon and the id of its sender follow."""

_COLLECT_SECONDS = 0.002
"""How long notifications are collected after the first: many listeners send 1,000 a second."""

_DRAIN_SECONDS = 0.05
"""How long notifications are read before the thread does its other work."""

_FLOOD_BYTES = 4 << 20
"""Maximum size of the notifications of one second, each counted as its payload and 200 bytes. Ten
listeners under load send half a megabyte. Unread ones fill the server's queue."""

_DEAF_SECONDS = 10.0
"""How long no notifications are received after a flood of them."""

_SELF_TEST_SECONDS = 2.0
_BACKOFF_SECONDS = (0.1, 2.0)


class Leased(Protocol):
    """A lock that depends on the lease of a process."""

    target: str

    def lose(self) -> None:
        """Called when another process has acquired it."""
        ...


class _Hold:
    """One period of holding a lock, from acquiring to releasing it."""

    def __init__(self, leased: Leased) -> None:
        self.leased = leased


class Presence:
    """The connection of this process to the team that uses a history.

    Args:
        server: The server of the history.
        app: The name of the own app.
        leased: Whether the process holds a lease, as writing processes do.
        kind: What the process does, for the team: ``listen``, ``attach`` or ``other``.
    """

    def __init__(self, server: Server, app: str, *, leased: bool, kind: str = "other") -> None:
        self.id = str(uuid.uuid4())
        self.app = app
        self._server = server
        self._leased = leased
        self._kind = kind
        self._ahead_seconds: float | None = None
        self._condition = threading.Condition()
        self._additions = self._updates = -1
        self._notify_at: float | None = None  # when the next notification is due
        self._notify_added = self._notify_updated = False
        self._notified_at = 0.0
        self._held: dict[str, _Hold] = {}
        self._valid_until = 0.0
        self._snapshot: str | None = None
        self._newest_id: int | None = None
        self._heard_bytes = 0  # since `_heard_since`, for one second
        self._heard_since = 0.0
        self._listen_at = 0.0
        self._origin: str | None = None
        self._restored = 0
        self._closed = False
        self._waker, self._wakened = socket.socketpair()
        self._waker.settimeout(0)
        self._wakened.settimeout(0)
        self._thread: threading.Thread | None = None
        self.hears: bool | None = None

    def begin_with(self, origin: str) -> None:
        """Record which history it is, so that a later restore is counted; before `start`."""
        self._origin = origin

    # Called from any thread.

    def start(self) -> None:
        """Start the thread, once."""
        with self._condition:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(
                    target=self._run, name="history presence", daemon=True
                )
                self._thread.start()

    def close(self) -> None:
        """End the thread."""
        with self._condition:
            if self._closed:
                return
            self._closed = True
            self._condition.notify_all()
            thread = self._thread
        self._wake()
        if thread is not None:
            thread.join()
        self._waker.close()
        self._wakened.close()

    @property
    def _changes(self) -> int:
        """Differs whenever one of the two counters does; -1 like them."""
        return max(self._additions + self._updates, -1)

    def changes(self) -> int:
        """The change counter; -1 until the first query."""
        self.start()
        with self._condition:
            return self._changes

    @property
    def restored(self) -> int:
        """How often a dump was restored in place of the history since `begin_with`."""
        with self._condition:
            return self._restored

    def additions(self) -> int:
        """The counter of changes that may have added a delivery; -1 like `changes`."""
        self.start()
        with self._condition:
            return self._additions

    def updates(self) -> int:
        """The counter of changes that may have done more than add one; -1 like `changes`."""
        self.start()
        with self._condition:
            return self._updates

    def changed(self, *, added: bool = True, updated: bool = True) -> None:
        """Count a change that may have added a delivery, changed something else, or both."""
        with self._condition:
            if self._changes >= 0:
                self._additions += added
                self._updates += updated
            self._condition.notify_all()

    def wait_for_change(self, seen: int, seconds: float) -> int:
        """Wait until the counter differs, at most `seconds`."""
        self.start()
        with self._condition:
            self._condition.wait_for(lambda: self._closed or self._changes != seen, seconds)
            return self._changes

    def wait_for_addition(self, seen: int, seconds: float) -> int:
        """Wait until the counter of additions differs, at most `seconds`."""
        self.start()
        with self._condition:
            self._condition.wait_for(lambda: self._closed or self._additions != seen, seconds)
            return self._additions

    def notify(self, *, added: bool = False, updated: bool = False) -> None:
        """Let the thread notify others of a change, not too soon after the last notification."""
        with self._condition:
            self._notify_added = self._notify_added or added
            self._notify_updated = self._notify_updated or updated
            pause = _NOTIFY_ADDED_SECONDS if added else _NOTIFY_SECONDS
            at = max(time.monotonic(), self._notified_at + pause)
            if self._notify_at is not None and self._notify_at <= at:
                return
            self._notify_at = at
        self._wake()

    def notify_rest(self, connection: Connection) -> None:
        """Send the notification that was still due when the thread ended."""
        with self._condition:
            due, self._notify_at = self._notify_at is not None, None
        if due:
            notify(connection, f"{_BOTH}:{self.id}")

    def hold(self, leased: Leased, since: float) -> None:
        """Record a lock that depends on the lease of this process from now on.

        Args:
            leased: The lock.
            since: `time.monotonic` before it was requested from the server.
        """
        with self._condition:
            self._held[leased.target] = _Hold(leased)
            self._valid_until = max(self._valid_until, since + LEASE_SECONDS - _MARGIN_SECONDS)

    def drop(self, leased: Leased) -> None:
        """Forget a lock."""
        with self._condition:
            self._held.pop(leased.target, None)

    @property
    def is_valid(self) -> bool:
        """Whether the lease is certainly valid; without the server our own clock decides."""
        with self._condition:
            return time.monotonic() < self._valid_until

    def register(self, connection: Connection) -> None:
        """Begin or renew the lease."""
        since = time.monotonic()
        self._register(connection)
        with self._condition:
            self._valid_until = since + LEASE_SECONDS - _MARGIN_SECONDS

    def unregister(self, connection: Connection) -> None:
        """End the lease, which releases all locks."""
        connection.execute(_UNREGISTER, (self.id, self.app))

    def _register(self, connection: Connection) -> None:
        before = time.time()
        began = time.perf_counter()
        values = {
            "id": self.id,
            "app": self.app,
            "kind": self._kind,
            "program": version("tiktok-hook"),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "direct": connection.is_direct,
            "ahead": self._ahead_seconds,
            "seconds": LEASE_SECONDS,
        }
        found = connection.execute(_REGISTER, values).fetchone()
        assert found is not None
        # Recorded with the next renewal. Half of the round trip is the way to the server.
        self._ahead_seconds = before + (time.perf_counter() - began) / 2 - found[0]

    def _wake(self) -> None:
        with suppress(OSError):  # full: it will wake up anyway
            self._waker.send(b"x")

    # Called in the thread.

    def _run(self) -> None:
        backoff = _BACKOFF_SECONDS[0]
        while not self._closed:
            try:
                with self._server.connect(writing=self._leased) as connection:
                    backoff = _BACKOFF_SECONDS[0]
                    self._watch(connection)
            except (psycopg.Error, StoreError, OSError):
                self._sleep(backoff)
                backoff = min(2 * backoff, _BACKOFF_SECONDS[1])

    def _watch(self, connection: Connection) -> None:
        """Follow the history until the connection is lost, or `close` is called.

        It ends in a flood of notifications, too: the connection is closed with everything that is
        unread, and the next one listens only after `_DEAF_SECONDS`.
        """
        connection.pgconn.notify_handler = self._hear
        # Otherwise libpq keeps any number of notifications that arrive before a result.
        connection.between = lambda: self._read_notifications(connection)
        listens = time.monotonic() >= self._listen_at
        if listens:
            connection.execute(f"LISTEN {CHANNEL}")
        self._renew(connection)
        self._snapshot = None  # changes before the LISTEN are found by the next query
        self._look(connection)
        self.hears = listens and (connection.is_direct or self._self_test(connection))
        poll = _POLL_SECONDS[0]
        renew_at = time.monotonic() + RENEW_SECONDS
        look_at = time.monotonic() + (_LOOK_SECONDS if self.hears else poll)
        while not self._closed:
            wake_at = min(renew_at, look_at, self._notify_at or look_at)
            self._wait(connection, wake_at - time.monotonic())
            now = time.monotonic()
            if listens != (now >= self._listen_at):
                return
            self._notify_if_due(connection, now)
            if now >= renew_at:
                self._renew(connection)
                renew_at = now + RENEW_SECONDS
            if now >= look_at:
                poll = _POLL_SECONDS[0] if self._look(connection) else min(2 * poll, 5.0)
                look_at = now + (_LOOK_SECONDS if self.hears else poll)

    def _wait(self, connection: Connection, seconds: float) -> None:
        """Wait for notifications, at most `seconds`, and read them."""
        watched = [connection.fileno(), self._wakened.fileno()]
        ready, _, _ = select.select(watched, [], [], max(seconds, 0.0))
        if watched[1] in ready:
            with suppress(OSError):
                self._wakened.recv(4096)
        if watched[0] not in ready:
            return
        time.sleep(_COLLECT_SECONDS)
        until = time.monotonic() + _DRAIN_SECONDS
        more = True
        while more and time.monotonic() < until:
            # One call reads as much as libpq's buffer holds. More may be in the buffer of TLS,
            # which select does not see.
            connection.pgconn.consume_input()
            more = bool(select.select(watched[:1], [], [], 0)[0])
            more = self._read_notifications(connection) or more

    def _read_notifications(self, connection: Connection) -> bool:
        """Count the notifications that have arrived; returns whether there were any.

        Raises:
            psycopg.OperationalError: There is a flood of them; the connection is closed.
        """
        found = False
        while (notice := connection.pgconn.notifies()) is not None:
            self._hear(notice)
            found = True
        if self._heard_bytes > _FLOOD_BYTES:
            self._heard_bytes = 0
            self._listen_at = time.monotonic() + _DEAF_SECONDS
            connection.close()
            raise psycopg.OperationalError("more notifications than any team sends")
        return found

    def _hear(self, notice: PGnotify) -> None:
        """Count a notification; psycopg calls this for one that arrives with a result."""
        now = time.monotonic()
        if now - self._heard_since >= 1.0:
            self._heard_bytes, self._heard_since = 0, now
        self._heard_bytes += len(notice.extra) + 200
        payload = notice.extra[:64].decode(errors="replace")
        what, _, sender = payload.partition(":")
        if payload == self.id:
            self.hears = True
        elif sender != self.id:  # our own was counted when it was committed
            self.changed(added=what != _UPDATED, updated=what != _ADDED)

    def _notify_if_due(self, connection: Connection, now: float) -> None:
        with self._condition:
            if self._notify_at is None or now < self._notify_at:
                return
            # Before it is sent: what changes from here on is for the next one.
            self._notify_at, self._notified_at = None, now
            added, updated = self._notify_added, self._notify_updated
            self._notify_added = self._notify_updated = False
        what = _BOTH if added and updated else _ADDED if added else _UPDATED
        try:
            notify(connection, f"{what}:{self.id}")
        except psycopg.Error:
            with self._condition:
                self._notified_at = time.monotonic() + _NOTIFY_AGAIN_SECONDS
            self.notify(added=added, updated=updated)
            # The queue of the cluster is full, for instance; others look without it.
            if connection.closed:
                raise

    def _look(self, connection: Connection) -> bool:
        """Whether any transaction has been committed since the last look, ours or others'."""
        found = connection.execute("SELECT pg_current_snapshot()::text").fetchone()
        snapshot = found[0] if found else None
        moved = snapshot != self._snapshot
        self._snapshot = snapshot
        if moved:
            with self._condition:
                self._additions += 1
                self._updates += 1
                self._condition.notify_all()
        return moved

    def _look_for_additions(self, connection: Connection) -> None:
        """Count deliveries of which no notification may have arrived."""
        known, self._newest_id = self._newest_id, schema.newest_id(connection)
        if known not in {None, self._newest_id}:
            self.changed(updated=False)

    def _note_origin(self, origin: str) -> None:
        """Count a restore if the history has another origin than when it was noted last."""
        known, self._origin = self._origin, origin
        if known not in {None, origin}:
            with self._condition:
                self._restored += 1
            self.changed()

    def _renew(self, connection: Connection) -> None:
        self._look_for_additions(connection)
        if not self._leased:
            # This also shows whether the connection still works: nothing else uses it for long.
            self._note_origin(schema.origin(connection))
            return
        since = time.monotonic()
        # Before the server is asked: what is acquired meanwhile is not in its answer.
        with self._condition:
            held = dict(self._held)
        self._register(connection)
        ours = self._ours(connection)
        origin = schema.origin(connection)  # asked last, since a restore may have just happened
        if self._origin not in {None, origin}:
            schema.renew_epoch(connection)
            self._register(connection)
            for target in held:  # the dump may have been made before these were ours
                connection.execute(ACQUIRE, {"app": self.app, "target": target, "id": self.id})
            ours = self._ours(connection)
        # Only now: if one of these queries fails, the next renewal finds the restore again.
        self._note_origin(origin)
        # The lease counts only once what was taken over meanwhile is known to be lost.
        with self._condition:
            for target in held.keys() - ours:
                if self._held.get(target) is held[target]:  # and not released and acquired again
                    del self._held[target]
                    held[target].leased.lose()
            self._valid_until = since + LEASE_SECONDS - _MARGIN_SECONDS

    def _ours(self, connection: Connection) -> set[str]:
        """The targets of the queue locks that this process has."""
        return {target for (target,) in connection.execute(_OURS, (self.id,)).fetchall()}

    def _self_test(self, connection: Connection) -> bool:
        """Whether a notification from another connection arrives here."""
        self.hears = False
        with self._server.connect() as other:
            notify(other, self.id)
        until = time.monotonic() + _SELF_TEST_SECONDS
        while not (self.hears or self._closed) and (left := until - time.monotonic()) > 0:
            self._wait(connection, left)
        return bool(self.hears)

    def _sleep(self, seconds: float) -> None:
        with suppress(OSError):
            select.select([self._wakened], [], [], seconds)


def hears_notifications(listening: Connection, other: Connection) -> bool:
    """Whether a notification from one connection arrives at another within 2 s."""
    heard: list[str] = []
    token = str(uuid.uuid4())
    listening.add_notify_handler(lambda notice: heard.append(notice.payload))
    listening.execute(f"LISTEN {CHANNEL}")
    notify(other, token)
    until = time.monotonic() + _SELF_TEST_SECONDS
    while token not in heard and (left := until - time.monotonic()) > 0:
        select.select([listening.fileno()], [], [], left)
        listening.execute("SELECT")  # its result brings the notifications
    listening.execute(f"UNLISTEN {CHANNEL}")
    return token in heard


def notify(connection: Connection, payload: str) -> None:
    """Wake up all processes that follow the history.

    Raises:
        psycopg.Error: It could not be sent; the connection is closed if that took more than 2 s.
    """
    connection.deadline_seconds = _NOTIFY_DEADLINE_SECONDS
    try:
        connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))
    finally:
        connection.deadline_seconds = DEADLINE_SECONDS


_REGISTER = (
    "SELECT tiktok_hook.register_1(%(id)s::uuid, %(app)s::text, %(kind)s::text, %(program)s::text, "
    "%(host)s::text, %(pid)s::int4, %(direct)s, %(ahead)s::float8, %(seconds)s::float8)"
)
ACQUIRE = "SELECT tiktok_hook.acquire_1(%(id)s::uuid, %(app)s::text, %(target)s::text)"
"""Acquires a queue lock; its result is whether this process has the lock."""

_OURS = "SELECT target FROM tiktok_hook.queue_locks WHERE holder = %s"
_UNREGISTER = "SELECT tiktok_hook.unregister_1(%s::uuid, %s::text)"
