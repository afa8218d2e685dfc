"""Connects to one server, with TLS and deadlines, and translates its errors."""

import re
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self

import psycopg
from psycopg import conninfo, errors

from tiktok_hook.errors import StoreError
from tiktok_hook.store.postgres.arrays import Array, ArrayDumper
from tiktok_hook.store.server_address import ServerAddress

CONNECT_SECONDS = 5
"""How long the server may take to accept a connection, for each of its addresses."""

DEADLINE_SECONDS = 12.0
"""How long a statement may take; it waits for a lock for at most 5 s of that."""

_CANCEL_SECONDS = 1.0
_OLDEST_VERSION = 13


class DeadlinePassedError(psycopg.OperationalError):
    """The server did not answer within the deadline; the connection cannot be used any more."""


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection on which every call has a deadline.

    A connection can stay open for hours although nothing arrives any more, because a proxy or a
    router answers the keepalives. So the deadline is enforced here.
    """

    deadline_seconds = DEADLINE_SECONDS
    is_direct = True
    """Whether there is no pooler in between; LISTEN and prepared statements fail with most."""

    between: Callable[[], object] | None = None
    """Called while a statement waits for its result, whenever something has arrived. It must close
    the connection before it raises."""

    def wait(self, gen: Generator[Any, Any, Any], *args: Any, **options: Any) -> Any:
        """Run a psycopg operation to its end, or to the deadline.

        Raises:
            DeadlinePassedError: It took longer; the connection is closed.
        """
        until = time.monotonic() + self.deadline_seconds
        try:
            return super().wait(_until(gen, until, self.between), *args, **options)
        except DeadlinePassedError:
            # Otherwise the server could still finish the statement and write.
            with suppress(psycopg.Error):
                self.cancel_safe(timeout=_CANCEL_SECONDS)
            self.close()
            raise


def _until(
    gen: Generator[Any, Any, Any], until: float, between: Callable[[], object] | None
) -> Generator[Any, Any, Any]:
    """Run a psycopg generator, and end it if nothing arrives until the deadline."""
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > until:  # psycopg resumes this every 0.1 s
                gen.close()
                raise DeadlinePassedError("it did not answer in time")
            wanted = gen.send(ready)
            if between is not None:
                between()
    except StopIteration as stop:
        return stop.value


class Server:
    """A database on a server.

    Args:
        address: Where it is.
        purpose: Part of the connections' name in ``pg_stat_activity``.
    """

    def __init__(self, address: ServerAddress, purpose: str) -> None:
        self._address = address
        self._purpose = purpose

    @property
    def label(self) -> str:
        """Host and database; never a password."""
        return self._address.label

    def connect(self, *, writing: bool = False) -> Connection:
        """Open a connection that commits each statement.

        Args:
            writing: Whether the server must accept writes, if the address names several.

        Raises:
            StoreError: The server cannot be reached, or rejects the login.
        """
        with self.explaining():
            connection = Connection.connect(
                self._address.url, autocommit=True, **self.options(writing=writing)
            )
            connection.adapters.register_dumper(Array, ArrayDumper)
            try:
                self._check(connection)
            except BaseException:
                connection.close()
                raise
        return connection

    def options(self, *, writing: bool) -> dict[str, Any]:
        """The options for libpq; those of the URL have precedence."""
        # Nothing is set on the session (``options``, SET): a pooler rejects it, or keeps it for
        # the next client.
        given = conninfo.conninfo_to_dict(self._address.url)
        found: dict[str, Any] = {
            "connect_timeout": CONNECT_SECONDS,
            "application_name": f"tiktok-hook {self._purpose}",
            "client_encoding": "UTF8",
            "fallback_application_name": "tiktok-hook",
        }
        if writing:
            found["target_session_attrs"] = "read-write"
        if not self._address.tls_is_optional:
            found["sslmode"] = "require"  # libpq's own default accepts plain text
        for name in given.keys() & found.keys():
            del found[name]
        return found

    def _check(self, connection: Connection) -> None:
        found = connection.execute("SELECT pg_backend_pid()").fetchone()
        # A pooler reports its own process number.
        connection.is_direct = found is not None and found[0] == connection.info.backend_pid
        if not connection.is_direct:
            connection.prepare_threshold = None
        version = connection.info.server_version // 10_000
        if version < _OLDEST_VERSION:
            raise StoreError(
                f"{self.label} is PostgreSQL {version}; {_OLDEST_VERSION} or newer is needed."
            )

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Translate an error of psycopg from the block to a StoreError for the user."""
        try:
            yield
        except psycopg.Error as error:
            raise self.explain(error) from error

    def explain(self, error: Exception) -> StoreError:
        """Translate an error of psycopg for the user."""
        if isinstance(error, errors.InsufficientPrivilege):
            return self._forbidden(" ".join(str(error).split("\n")[0].split()))
        for kinds, message, hint in _MEANINGS:
            if isinstance(error, kinds):
                return StoreError(f"{self.label} {message(error)}.", hint=hint)
        words = " ".join(str(error).split())
        for sign, message_text, hint in _CONNECT_MEANINGS:
            if found := re.search(sign, words):
                return StoreError(f"{self.label} {found.expand(message_text)}.", hint=hint)
        reason = _reason(words)
        if isinstance(error, psycopg.OperationalError):
            return StoreError(
                f"{self.label} cannot be reached: {reason}.",
                hint="Check that the server is up and that no firewall or VPN is in between.",
            )
        return StoreError(f"{self.label} cannot be used: {reason}.")

    def _forbidden(self, words: str) -> StoreError:
        """The error for an action that another role may do."""
        if re.search(r"\b(?:add|set_status|prune)_\d", words):
            return StoreError(
                f"This user of {self.label} may read this history but not add to it.",
                hint="tiktok-hook attach forwards from it; receiving and import need the role of a "
                "listener (tiktok-hook team add).",
            )
        if re.search(r"\b(?:clear|remove|delete)_\d", words):
            return StoreError(
                f"This user of {self.label} may delete nothing: only its owner may delete.",
                hint="tiktok-hook export writes a copy of what you need.",
            )
        if words.startswith("the app "):
            return StoreError(
                f"{words.removeprefix('the app ')}, not to this one.",
                hint="Use another name, or let the history's owner free it: tiktok-hook team leave",
            )
        return StoreError(
            f"{self.label} does not allow that: {words}.",
            hint="Use a user of the team (tiktok-hook team add), or the owner of the history.",
        )


def _stating(text: str) -> Callable[[Exception], str]:
    return lambda _: text


def _reason(words: str) -> str:
    """The last clause of libpq's message, which names the cause."""
    for part in ("failed: FATAL: ", "failed: "):
        if part in words:
            words = words.rpartition(part)[2]
    return words.split(" Is the server running")[0].rstrip(" .") or "no reason given"


_CONNECT_HINT = "Check that the server is up and that no firewall or VPN is in between."
_LOCK_HINT = (
    "Another transaction holds it: SELECT pid, application_name, state FROM pg_stat_activity."
)
_MEANINGS: tuple[tuple[tuple[type[BaseException], ...], Callable[[Exception], str], str], ...] = (
    (
        (DeadlinePassedError,),
        _stating(f"did not answer within {DEADLINE_SECONDS:.0f} s"),
        _CONNECT_HINT,
    ),
    ((errors.LockNotAvailable,), _stating("has been locked for 5 s"), _LOCK_HINT),
    (
        (errors.ReadOnlySqlTransaction,),
        _stating("is read-only: a standby, or set so"),
        "Use the address of the primary server.",
    ),
    ((errors.DiskFull,), _stating("has a full disk"), "Free some space there."),
    (
        (errors.TooManyConnections,),
        _stating("has no connection left"),
        "Close some programs that use it, or raise max_connections.",
    ),
    (
        (errors.UndefinedTable, errors.UndefinedFunction, errors.InvalidSchemaName),
        _stating("holds no history of this version any more"),
        "Check whether it was replaced or upgraded, then start again.",
    ),
)
_CONNECT_MEANINGS = (
    (
        "password authentication failed",
        "rejects the password",
        "Check ~/.pgpass, PGPASSWORD or the service file.",
    ),
    (
        "no password supplied",
        "asks for a password",
        "Put it into ~/.pgpass, PGPASSWORD or a service file; - in its place in the URL, as in "
        "anna:-@db.example.com, asks for it.",
    ),
    (
        "too many connections",
        "has no connection left",
        "Close some programs that use it, or raise the limit.",
    ),
    (
        "too many clients",
        "has no connection left",
        "Close some programs that use it, or raise max_connections.",
    ),
    (
        "remaining connection slots",
        "has no connection left",
        "Close some programs that use it, or raise max_connections.",
    ),
    (
        "certificate verify failed",
        "has a certificate that cannot be trusted",
        "Give the certificate of the CA that signed it: sslrootcert=FILE in the URL.",
    ),
    (
        r"server certificate for (.+?) does not match host name",
        r"has a certificate of another name, \1",
        "Use a name of the certificate as the host, as in @localhost or @db.example.com.",
    ),
    (
        r'root certificate file "(.+?)" does not exist',
        r"cannot be checked: the root certificate \1 does not exist",
        "Put the certificate of the server's CA there, or name its file: sslrootcert=FILE in the "
        "URL. For a public CA that is the system's list, such as "
        "/etc/ssl/certs/ca-certificates.crt.",
    ),
    (
        r"(invalid \w+ value: \".*?\")",
        r"cannot be used: \1",
        "Correct it in the URL, as in sslmode=verify-full.",
    ),
    (
        "server does not support SSL",
        "offers no TLS, which is required for a host that is not local",
        "Turn TLS on there; in a network that you trust, append ?sslmode=disable to the URL.",
    ),
    (
        "session is read-only",
        "is read-only: a standby, or set so",
        "Use the address of the primary server.",
    ),
)


class Idle:
    """Keeps a thread's connection open between its calls, and replaces a lost one.

    Not thread-safe: it belongs to one thread at a time.
    """

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._connection is not None

    def get(self) -> Connection:
        """The connection; a new one if there is none.

        Raises:
            StoreError: It cannot be opened.
        """
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def drop(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()
