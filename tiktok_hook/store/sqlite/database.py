"""Creates, checks and opens the database file, and translates SQLite's errors."""

import contextlib
import os
import sqlite3
import stat
import threading
import time
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path

from tiktok_hook.errors import StoreError
from tiktok_hook.store.sqlite.conditions import BODY_FUNCTION, body_matches

APPLICATION_ID = 0x54_74_48_6B
"""``TtHk`` in the file's header, which distinguishes a history from other SQLite files."""

Identity = tuple[int, int] | None
"""Distinguishes a file from another one at the same path; None if there is no file."""

BUSY_SECONDS = 5.0
_BUSY_STEP_SECONDS = 0.01
"""How long a transaction waits for that of another process, and the pause between two tries."""

_SCHEMA = """
CREATE TABLE counters (
    last_id INTEGER NOT NULL,     -- the newest id ever given; outlives what it was given to
    kept INTEGER NOT NULL,        -- deliveries outside the ring of rejected ones
    kept_bytes INTEGER NOT NULL,  -- sum of their `size` and that of all attempts
    rejected INTEGER NOT NULL,    -- deliveries in the ring
    rejected_bytes INTEGER NOT NULL,
    queued INTEGER NOT NULL,      -- deliveries that wait for a primary target
    queued_bytes INTEGER NOT NULL
) STRICT;
INSERT INTO counters VALUES (0, 0, 0, 0, 0, 0, 0);

CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY,
    received_at REAL NOT NULL,    -- Unix seconds, UTC
    source TEXT NOT NULL,
    rejected INTEGER NOT NULL,    -- 1: in the ring, cut
    verdict TEXT NOT NULL,
    status INTEGER,               -- what TikTok was answered
    event TEXT,                   -- the columns down to `replayed` are there to be searched
    user_openid TEXT,
    publish_id TEXT,
    link BLOB,                    -- what redeliveries share: event time, fingerprint, kind
    redelivery_of INTEGER,
    redelivery_number INTEGER NOT NULL,
    failed INTEGER NOT NULL DEFAULT 0,    -- 1: the last attempt that ended did not get 200
    replayed INTEGER NOT NULL DEFAULT 0,  -- 1: somebody asked for one of its attempts
    imported_id INTEGER,
    size INTEGER NOT NULL,        -- bytes it takes, about; its attempts have their own
    body_bytes INTEGER NOT NULL,  -- as received; more than length(body) where it was cut
    body_state TEXT NOT NULL,     -- exact, or how an import's body differs from what was sent
    scheme TEXT NOT NULL,         -- http or https where an import names it
    verdict_reason TEXT NOT NULL,
    verdict_hint TEXT NOT NULL,
    verdict_age REAL,             -- seconds
    verdict_secret INTEGER,
    remote_addr TEXT NOT NULL,
    method TEXT NOT NULL,
    path ANY NOT NULL,            -- a blob where it is no Unicode
    query ANY NOT NULL,
    http_version TEXT NOT NULL,
    summary TEXT NOT NULL,
    headers TEXT NOT NULL,        -- JSON: [[name, value], ...]
    body BLOB NOT NULL            -- last, so that looking at the others reads no overflow pages
) STRICT;
CREATE INDEX deliveries_received ON deliveries (received_at, verdict);
CREATE INDEX deliveries_event ON deliveries (event);
CREATE INDEX deliveries_verdict ON deliveries (verdict);
CREATE INDEX deliveries_status ON deliveries (status) WHERE status <> 200;
CREATE INDEX deliveries_user ON deliveries (user_openid) WHERE user_openid <> '';
CREATE INDEX deliveries_publish ON deliveries (publish_id) WHERE publish_id <> '';
CREATE INDEX deliveries_link ON deliveries (link) WHERE link IS NOT NULL;
CREATE INDEX deliveries_again ON deliveries (id) WHERE redelivery_of IS NOT NULL;
CREATE INDEX deliveries_failed ON deliveries (failed) WHERE failed = 1;
CREATE INDEX deliveries_replayed ON deliveries (replayed) WHERE replayed = 1;
CREATE INDEX deliveries_rejected ON deliveries (rejected) WHERE rejected = 1;

CREATE TABLE attempts (
    id INTEGER PRIMARY KEY,
    delivery_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    started_at REAL NOT NULL,
    target TEXT NOT NULL,
    replay INTEGER NOT NULL,
    resigned INTEGER NOT NULL,
    variant TEXT NOT NULL,        -- how a replay differs from what was received, in words
    expects_rejection INTEGER NOT NULL,  -- 1: a 4xx is the right answer
    request_method TEXT NOT NULL,
    request_headers TEXT NOT NULL,
    request_body BLOB,            -- NULL: the delivery's own
    status INTEGER,
    truncated INTEGER NOT NULL,
    duration_ms REAL,             -- NULL: in progress, or its process died
    error TEXT,
    hint TEXT NOT NULL,
    size INTEGER NOT NULL,
    owner TEXT,                   -- the process that made it; see `crash_recovery`
    headers TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX attempts_number ON attempts (delivery_id, number);
CREATE INDEX attempts_open ON attempts (owner) WHERE duration_ms IS NULL;
CREATE INDEX attempts_replays ON attempts (started_at) WHERE replay = 1;

CREATE TABLE queue (
    delivery_id INTEGER NOT NULL,
    app TEXT NOT NULL,            -- of an attached app, its name; otherwise empty
    target TEXT NOT NULL,
    mode TEXT NOT NULL,
    secondary INTEGER NOT NULL,   -- 1: of a target whose response does not count
    deadline REAL,                -- Unix seconds after which a failure is final; NULL: never
    tries INTEGER NOT NULL,       -- how often it was set aside
    next_try_at REAL,             -- Unix seconds; NULL while it waits in order
    PRIMARY KEY (delivery_id, app, target)
) STRICT, WITHOUT ROWID;
CREATE INDEX queue_order ON queue (app, target, next_try_at, delivery_id);

CREATE TABLE attachments (
    app TEXT PRIMARY KEY,
    target TEXT NOT NULL,
    match TEXT NOT NULL,          -- a filter as text; empty: everything
    cursor INTEGER NOT NULL,      -- the newest id that it has looked at
    host TEXT NOT NULL,           -- of the process that attached it last
    pid INTEGER NOT NULL,
    updated_at REAL NOT NULL,     -- Unix seconds
    missed INTEGER NOT NULL       -- deliveries that retention deleted before it looked
) STRICT, WITHOUT ROWID;
"""

_MIGRATIONS = {0: _SCHEMA}
"""Scripts that migrate a database of version n to `VERSION`; 0 is an empty file."""

VERSION = 7


class Database:
    """The database of one history: a file, or memory shared by the connections of this process.

    Args:
        path: The file; None is in memory.

    Raises:
        StoreError: The installed SQLite is too old.
    """

    def __init__(self, path: Path | None) -> None:
        if sqlite3.sqlite_version_info < (3, 37):
            raise StoreError(
                f"SQLite {sqlite3.sqlite_version} is too old; 3.37 or newer is needed.",
                hint="Use a Python that brings a newer SQLite.",
            )
        self.path = path
        self._name = f"file:/tiktok-hook-{os.urandom(16).hex()}?vfs=memdb"
        # In memory a reader and the writer exclude each other; a lock is faster than polling.
        self.turn: AbstractContextManager[object] = nullcontext() if path else threading.RLock()
        # Memory is freed with its last connection.
        self._anchor = None if path else self._open(self._name)

    @property
    def label(self) -> str:
        """What the history is called in messages."""
        return str(self.path) if self.path else "the history in memory"

    def create(self, *, folders: bool = True) -> None:
        """Create the file if there is none, check it, and migrate it to this version.

        Args:
            folders: Whether to create missing folders too.

        Raises:
            StoreError: It is not a history, has a newer version, or cannot be used where it is.
        """
        if self.path is not None:
            _create_file(self.path, folders=folders)
        try:
            with closing(self.connect(check=False)) as connection:
                self._require_ours(connection, new_allowed=True)
                self._require_wal(connection)
                _migrate(connection)
                # SQLite opens a read-only file without an error, which comes with the first write.
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("UPDATE counters SET last_id = last_id")
                connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise self.explain(error) from error

    def connect(self, *, check: bool = True) -> sqlite3.Connection:
        """A writing connection, whose commits are on disk when they return.

        Raises:
            StoreError: The file is gone, or not a history of this version any more.
        """
        try:
            connection = self._open(self._uri("mode=rw"))
            try:
                for pragma in (
                    "synchronous = FULL",
                    # On macOS a plain fsync leaves the data in the cache of the drive.
                    "fullfsync = ON",
                    "checkpoint_fullfsync = ON",
                    "journal_size_limit = 67108864",
                    # In pages. Indexes change the same pages many times, so a later checkpoint
                    # copies fewer pages into the database.
                    "wal_autocheckpoint = 4000",
                ):
                    connection.execute(f"PRAGMA {pragma}")
                if check:
                    self._require_ours(connection)
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            raise self.explain(error) from error
        return connection

    def connect_reader(self) -> sqlite3.Connection:
        """A connection that cannot write.

        Raises:
            StoreError: There is no such file, or it is not a history of this version.
        """
        try:
            try:
                return self._open_reader(self._uri("mode=rw"))
            except sqlite3.OperationalError as error:
                # In a read-only folder SQLite cannot create a log, and an empty one is not needed.
                forbidden = error.sqlite_errorname.startswith(
                    ("SQLITE_CANTOPEN", "SQLITE_READONLY")
                )
                if self.path is None or not forbidden or _log_of(self.path).exists():
                    raise
                return self._open_reader(self._uri("immutable=1"))
        except sqlite3.Error as error:
            raise self.explain(error) from error

    def _open_reader(self, uri: str) -> sqlite3.Connection:
        connection = self._open(uri)
        try:
            connection.execute("PRAGMA query_only = ON")
            self._require_ours(connection)
            connection.create_function(BODY_FUNCTION, 2, body_matches, deterministic=True)
        except BaseException:
            connection.close()
            raise
        return connection

    def identity(self) -> Identity:
        """Distinguishes this file from another one at the same path; None if there is no file."""
        if self.path is None:
            return (0, 0)
        try:
            found = self.path.stat()
        except OSError:
            return None
        return (found.st_dev, found.st_ino)

    def close(self) -> None:
        """Free the memory; a file is not changed."""
        if self._anchor is not None:
            self._anchor.close()

    def explain(self, error: sqlite3.Error) -> StoreError:
        """Translate SQLite's error for the user."""
        code = getattr(error, "sqlite_errorname", "")
        name = self.label
        for start, message, hint in (
            ("SQLITE_FULL", f"The disk is full: {name} cannot grow.", "Free some space."),
            (
                "SQLITE_BUSY",
                f"{name} has been locked by another program for {BUSY_SECONDS:.0f} s.",
                "Close the program that holds it, such as a database browser.",
            ),
            (
                "SQLITE_READONLY",
                f"{name} cannot be written to.",
                "Check the permissions of the file and its folder, or use --db PATH.",
            ),
            (
                "SQLITE_CANTOPEN",
                f"{name} cannot be opened.",
                "Check that the file and its folder exist and are yours, or use --db PATH.",
            ),
            (
                "SQLITE_NOTADB",
                f"{name} is not a tiktok-hook history.",
                "Name another file with --db PATH.",
            ),
            (
                "SQLITE_CORRUPT",
                f"{name} is damaged: {error}.",
                "Move it away and start with an empty one, or try `sqlite3 FILE .recover`.",
            ),
        ):
            if code.startswith(start):
                return StoreError(message, hint=hint)
        return StoreError(
            f"{name} cannot be used: {error}.",
            hint="Check the disk, or use --db PATH or --ephemeral.",
        )

    def _uri(self, query: str) -> str:
        return self._name if self.path is None else f"{self.path.absolute().as_uri()}?{query}"

    @staticmethod
    def _open(uri: str) -> sqlite3.Connection:
        return sqlite3.connect(
            uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )

    def _require_ours(self, connection: sqlite3.Connection, *, new_allowed: bool = False) -> None:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if application == APPLICATION_ID:
            if version > VERSION:
                raise StoreError(
                    f"{self.label} has version {version}; this tiktok-hook knows up to {VERSION}.",
                    hint="Update tiktok-hook, or name another file with --db PATH.",
                )
            if version != VERSION and version not in _MIGRATIONS:
                raise StoreError(
                    f"{self.label} has version {version}, of which there was no release.",
                    hint="Move it away, or name another file with --db PATH.",
                )
            return
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if new_allowed and not (tables or application or version):
            return
        raise StoreError(
            f"{self.label} is not a tiktok-hook history.", hint="Name another file with --db PATH."
        )

    def _require_wal(self, connection: sqlite3.Connection) -> None:
        if self.path is None:
            return
        hint = "Network and some container folders cannot: use --db PATH on a local disk."
        try:
            mode = _turn_wal_on(connection)
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except sqlite3.OperationalError as error:
            code = error.sqlite_errorname
            if code.startswith(("SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_PROTOCOL")):
                raise StoreError(
                    f"{self.label} is stored where SQLite cannot keep a write-ahead log: {error}.",
                    hint=hint,
                ) from error
            raise
        if mode != "wal":
            raise StoreError(
                f"{self.label} is stored where SQLite cannot keep a write-ahead log.", hint=hint
            )


def _turn_wal_on(connection: sqlite3.Connection) -> str:
    """The journal mode that came of asking for WAL.

    SQLite waits for other processes everywhere but here: two that make a file at the same moment
    find it locked, so we wait ourselves.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > deadline:
                raise
            time.sleep(_BUSY_STEP_SECONDS)
        else:
            return str(mode)


def _log_of(path: Path) -> Path:
    return Path(f"{path}-wal")


def _migrate(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have been quicker.
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != VERSION:
            for statement in _statements(_MIGRATIONS[version]):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> list[str]:
    """Split at semicolons; `executescript` would commit what has been begun."""
    bare = "\n".join(line.split("--")[0] for line in script.splitlines())
    return [each for each in bare.split(";") if each.strip()]


def require_file(path: Path) -> None:
    """Check that what is at a path can be a database.

    A file of the kernel, as in /proc, is a regular one, but reading it may wait for ever, and
    SQLite reads before it decides whether it is a database.

    Raises:
        StoreError: It is anything but a file on a disk.
        OSError: There is nothing, or it cannot be examined.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode) or found.st_dev in _kernel_devices():
        raise StoreError(f"{path} is not a file.", hint="Name a file with --db PATH.")


def _kernel_devices() -> set[int]:
    """The numbers of the file systems that are not on a disk and not in memory."""
    places = ("/proc", "/sys", "/sys/kernel/debug", "/sys/kernel/tracing")
    return {os.stat(each).st_dev for each in places if os.path.ismount(each)}  # noqa: PTH116


def _create_file(path: Path, *, folders: bool) -> None:
    """Make an empty file, for the owner alone; SQLite gives its log the same mode."""
    try:
        if folders:
            _create_folder(path.parent)
        # A file that is there is not opened: closing it would drop the locks that SQLite holds
        # on it in this process (https://www.sqlite.org/howtocorrupt.html, section 2.2).
        if path.exists():
            require_file(path)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            _sync_folder(path.parent)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written to: {error.strerror or error}.",
            hint="Check the permissions of the file and its folder, or use --db or --ephemeral.",
        ) from error


def _create_folder(folder: Path) -> None:
    """Make the folder and the missing ones above it, each for the owner alone."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make sure that a new file keeps its name through a power cut."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
