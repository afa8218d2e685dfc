"""Checks a shared history for `doctor`: rights, encryption, distance, clock, notifications."""

import time

from tiktok_hook.store.api import Integrity
from tiktok_hook.store.app_name import default_app_name
from tiktok_hook.store.postgres import rows, schema
from tiktok_hook.store.postgres.backend import own_name
from tiktok_hook.store.postgres.connection import Connection, Server
from tiktok_hook.store.postgres.presence import hears_notifications
from tiktok_hook.store.server_address import ServerAddress
from tiktok_hook.store.team_records import Rights, ServerReport


def check(address: ServerAddress) -> Integrity:
    """Check that a history can be written with the rights of any member; nothing in it changes.

    The server checks its pages itself, so they are not read here.

    Raises:
        NoHistoryError: There is none.
        StoreError: It has another version, or cannot be opened or written.
    """
    server = Server(address, "doctor")
    with server.connect(writing=True) as connection, server.explaining():
        schema.require(connection, server)
        name = own_name(connection, rows.text(default_app_name()))
        with connection.transaction(force_rollback=True):
            connection.execute(_REGISTER, (name,))
    return Integrity("", complete=True)


def report(address: ServerAddress) -> ServerReport:
    """Measure a server and the rights on it; nothing is written.

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
            user=connection.info.user,
            rights=_rights(connection),
        )


def _rights(connection: Connection) -> Rights | None:
    """What the connection's user may do, judged by the functions that it may call."""
    allowed = dict(connection.execute(_ALLOWED).fetchall())
    if not allowed:
        return None
    if allowed["clear_1"]:
        return "owner"
    if allowed["add_1"]:
        return "listener"
    return "developer" if allowed["register_1"] else "none"


def _measured(connection: Connection) -> tuple[float, float]:
    """The shortest round trip, and how far this machine's clock is ahead, in seconds."""
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


_REGISTER = (
    "SELECT tiktok_hook.register_1(gen_random_uuid(), %s, 'other', '', '', 0, true, NULL, 0)"
)
"""Writes a row that every member may write."""

_ALLOWED = (
    "SELECT p.proname, has_function_privilege(p.oid, 'EXECUTE') FROM pg_proc p "
    "JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'tiktok_hook' "
    "AND p.proname IN ('clear_1', 'add_1', 'register_1')"
)
