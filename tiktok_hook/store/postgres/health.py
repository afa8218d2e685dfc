"""Checks a shared history for `doctor`: rights, encryption, distance, clock, notifications."""

import time
from dataclasses import dataclass

from tiktok_hook.store.api import Integrity
from tiktok_hook.store.postgres import schema
from tiktok_hook.store.postgres.connection import Connection, Server
from tiktok_hook.store.postgres.presence import hears_notifications
from tiktok_hook.store.server_address import ServerAddress

_FAR_MS = 50.0
_CLOCK_SECONDS = 2.0


def check(address: ServerAddress) -> Integrity:
    """Check that a history can be written; it stays as it was.

    The server checks its pages itself, so they are not read here.

    Raises:
        NoHistoryError: There is none.
        StoreError: It has another version, or cannot be opened or written.
    """
    server = Server(address, "doctor")
    with server.connect(writing=True) as connection, server.explaining():
        schema.require(connection, server)
        with connection.transaction(force_rollback=True):
            connection.execute("UPDATE tiktok_hook.history SET version = version")
    return Integrity("", complete=True)


@dataclass(frozen=True, slots=True)
class ServerReport:
    """What was found out about a server.

    Attributes:
        version: Such as ``15.18``.
        encrypted: Whether the connection is.
        local: Whether it needs no encryption: it does not leave this machine.
        round_trip_ms: Of the shortest of some queries.
        clock_seconds: How far our clock is ahead of the server's.
        hears: Whether notifications of one connection arrive at another.
        direct: Whether no pooler is in between.
    """

    version: str
    encrypted: bool
    local: bool
    round_trip_ms: float
    clock_seconds: float
    hears: bool
    direct: bool

    @property
    def is_far(self) -> bool:
        """Whether TikTok is kept waiting by the distance."""
        return self.round_trip_ms > _FAR_MS

    @property
    def clock_is_off(self) -> bool:
        """Whether the clocks differ by more than matters."""
        return abs(self.clock_seconds) > _CLOCK_SECONDS


def report(address: ServerAddress) -> ServerReport:
    """Find out what a server is like; nothing is written.

    Raises:
        StoreError: It cannot be reached.
    """
    server = Server(address, "doctor")
    with server.connect() as connection, server.connect() as other, server.explaining():
        round_trip, ahead = _measured(connection)
        found = connection.execute("SELECT current_setting('server_version')").fetchone()
        return ServerReport(
            version=str(found[0]).split()[0] if found else "",
            encrypted=bool(connection.pgconn.ssl_in_use),
            local=address.is_local or connection.info.host.startswith("/"),
            round_trip_ms=round_trip * 1000,
            clock_seconds=ahead,
            hears=hears_notifications(connection, other),
            direct=connection.is_direct,
        )


def _measured(connection: Connection) -> tuple[float, float]:
    """The shortest round trip, and how far our clock is ahead of the server's, in seconds."""
    best, ahead = float("inf"), 0.0
    for _ in range(5):
        before = time.time()
        began = time.perf_counter()
        query = "SELECT extract(epoch FROM clock_timestamp())::float8"
        found = connection.execute(query).fetchone()
        took = time.perf_counter() - began
        if found is not None and took < best:
            best, ahead = took, before + took / 2 - found[0]
    return best, ahead
