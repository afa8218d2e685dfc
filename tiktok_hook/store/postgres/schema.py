"""Creates, checks and upgrades the schema of a shared history."""

from importlib import resources
from typing import Any

from psycopg import errors

from tiktok_hook.errors import NoHistoryError, StoreError
from tiktok_hook.store.postgres.connection import Connection, Server

VERSION = 1
"""The version that this program writes."""

_LOCK = "SELECT pg_advisory_xact_lock(1414416491, 0)"
"""An advisory lock, held while the schema is created or changed, so that only one process does so.
Any user of the database can hold it, but without tables there is no other kind of lock."""

_LOCK_SECONDS = 5


def require(connection: Connection, server: Server) -> None:
    """Check that there is a history of this version.

    Raises:
        NoHistoryError: There is none.
        StoreError: It has another version.
    """
    version = _version(connection)
    if version is None:
        raise NoHistoryError(
            f"There is no history at {server.label} yet.", hint="tiktok-hook listen creates it."
        )
    if version > VERSION:
        raise StoreError(
            f"{server.label} has version {version}; this tiktok-hook knows up to {VERSION}.",
            hint="Update tiktok-hook.",
        )
    if version < VERSION:
        raise StoreError(
            f"{server.label} has version {version}, of which there was no release.",
            hint="Drop its schema tiktok_hook, or use another database.",
        )


def create(connection: Connection, server: Server, *, keep: int, keep_bytes: int) -> None:
    """Create the history if there is none, and give a restored copy a new epoch.

    Args:
        connection: Writes.
        server: For messages.
        keep: How many deliveries a new one keeps.
        keep_bytes: How many bytes a new one keeps.

    Raises:
        StoreError: It has another version, or another program holds the lock of its creation.
        psycopg.Error: It cannot be made.
    """
    if not exists(connection):
        _require_creatable(connection, server)
        with connection.transaction():
            lock(connection, server)
            if not exists(connection):
                script = resources.files(__package__).joinpath("schema.sql").read_text("utf-8")
                connection.execute(script)
                connection.execute(
                    "INSERT INTO tiktok_hook.history (version, epoch, origin, keep, keep_bytes) "
                    "VALUES (%s, gen_random_uuid(), tiktok_hook.origin_1(), %s, %s)",
                    (VERSION, keep, keep_bytes),
                )
    require(connection, server)
    renew_epoch(connection)


def renew_epoch(connection: Connection) -> None:
    """Give a restored copy a new epoch, unless it has one already."""
    if connection.execute(_RESTORED).fetchone():
        connection.execute("SELECT tiktok_hook.renew_epoch_1()")


def origin(connection: Connection) -> str:
    """Identify cluster, database and table; different after a dump was restored."""
    return str(_one(connection, "SELECT tiktok_hook.origin_1()"))


def newest_id(connection: Connection) -> int:
    """The newest id that this user sees; 0 if there is none."""
    return int(_one(connection, "SELECT coalesce(max(id), 0) FROM tiktok_hook.deliveries"))


def lock(connection: Connection, server: Server) -> None:
    """Lock the schema until the transaction ends; waits for other processes that change it.

    Raises:
        StoreError: Another one holds the lock for longer than 5 s.
    """
    connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'")
    try:
        with connection.transaction():
            connection.execute(_LOCK)
    except errors.LockNotAvailable as error:
        holder = connection.execute(_LOCK_HOLDER).fetchone()
        held_by, hint = "", "Start this again."  # it was released meanwhile
        if holder is not None:
            user, pid, program = holder
            held_by = f" by the database user {user} (server process {pid}, {program or 'unnamed'})"
            hint = f"Its owner or an administrator ends it: SELECT pg_terminate_backend({pid});"
        raise StoreError(
            f"The creation of the tables of {server.label} has been locked for {_LOCK_SECONDS} s"
            f"{held_by}.",
            hint=hint,
        ) from error


def exists(connection: Connection) -> bool:
    """Whether there is a history, of any version."""
    return _one(connection, _EXISTS) is not None


def _require_creatable(connection: Connection, server: Server) -> None:
    """Check that the user may create a history.

    Raises:
        StoreError: Not in this database.
    """
    if not _one(connection, _CREATABLE):
        raise StoreError(
            f"There is no history at {server.label} yet, and {connection.info.user} may not create "
            "one.",
            hint="Let the database's owner run: tiktok-hook team create",
        )


def _version(connection: Connection) -> int | None:
    # Asked of the catalog itself: to_regclass may answer what it knew before it waited for a lock.
    if _one(connection, _EXISTS) is None:
        return None
    found = _one(connection, "SELECT max(version) FROM tiktok_hook.history")
    return None if found is None else int(found)


_LOCK_HOLDER = (
    "SELECT a.usename, a.pid, a.application_name "
    "FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
    "WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database() "
    "AND l.classid = 1414416491 AND l.objid = 0"
)
_RESTORED = "SELECT true FROM tiktok_hook.history WHERE origin <> tiktok_hook.origin_1()"
_EXISTS = (
    "SELECT true FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = 'tiktok_hook' AND c.relname = 'history'"
)


_CREATABLE = (
    "SELECT has_database_privilege(current_database(), 'CREATE') OR EXISTS ("
    "SELECT FROM pg_namespace WHERE nspname = 'tiktok_hook' "
    "AND has_schema_privilege(oid, 'CREATE'))"
)


def _one(connection: Connection, query: str) -> Any:
    found = connection.execute(query.encode()).fetchone()
    return found[0] if found else None
