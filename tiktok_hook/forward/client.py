"""HTTP client with a connection pool; returns every outcome as a `Reply`."""

import asyncio
import re
import ssl
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Self

from tiktok_hook.delivery import Headers
from tiktok_hook.descriptors import open_files_limit
from tiktok_hook.descriptors import sockets as sockets_available
from tiktok_hook.forward import sockets
from tiktok_hook.forward.connection import AppConnection, EndedError
from tiktok_hook.forward.deadline import Deadline
from tiktok_hook.forward.evidence import look
from tiktok_hook.forward.request import ForwardRequest, with_header
from tiktok_hook.forward.response import AppResponse, FailedError, TooLongError, read_response
from tiktok_hook.forward.target import Address, split

KEPT_BYTES = 64 * 1024
"""Body bytes kept of a response."""

_IDLE_SECONDS = 1.5
"""Seconds that an idle connection is kept. This is below the keep-alive limits of common servers
(gunicorn 2 s; Node and uvicorn 5 s), so that an app that shuts down does not wait for us."""

_IDLE_CONNECTIONS = 32

_EVIDENCE_SECONDS = 60.0
"""How long the evidence about a failing target is reused."""

_UNFIT_IN_PATH = re.compile(rb"[\x00-\x20\x7f]")

_NO_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Lone surrogates that `surrogateescape` does not map to a byte; JSON may contain them."""

_REJECTED_METHODS = frozenset({"TRACE", "CONNECT"})
"""TRACE echoes every header to its sender; CONNECT asks for a tunnel through the app."""

Origin = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Reply:
    """The outcome of a request.

    Attributes:
        status: The status of the response; None without a complete one.
        headers: The headers of the response, in order; bytes outside ASCII as Latin-1.
        body: The first `KEPT_BYTES` bytes of the body, as sent: not decompressed.
        truncated: True if the body was longer.
        duration_ms: From the start of connecting to the last byte read.
        error: ``refused``, ``timeout``, ``reset``, ``dns``, ``tls``, ``protocol``, ``too_large``,
            ``unreachable``, ``descriptors`` or ``method``; None when the app responded.
        detail: The error in words.
        evidence: What was found out about the target after a failure: ``tls`` (it speaks TLS),
            ``other-family`` (nothing listens here, but something does at the other loopback
            address), ``two-programs`` (different programs listen at 127.0.0.1 and ::1); empty if
            nothing was found, or not searched for.
    """

    status: int | None
    headers: Headers = ()
    body: bytes = b""
    truncated: bool = False
    duration_ms: float = 0.0
    error: str | None = None
    detail: str = ""
    evidence: str = ""

    def header(self, name: str) -> str | None:
        """The first value of a header; None if it is missing."""
        wanted = name.lower()
        for key, value in self.headers:
            if key.lower() == wanted:
                return value
        return None


class Forwarder:
    """Sends requests over pooled connections.

    An async context manager; leaving it closes every connection.

    Invariant of the pool: a connection is either in `_idle`, sorted by `idle_since`, or owned by
    one `_exchange`, which returns or aborts it on every way out. `_open` holds both until the
    system has closed the socket, so that leaving the block closes all of them.

    Invariants of time: everything runs on one event loop, and the pool changes only between two
    awaits, so it needs no lock. Each `send` has one `Deadline` for connecting, sending and reading,
    also if it uses a second connection; the deadline ends the wait in progress. While any
    connection is idle, `_sweep` is scheduled.

    Args:
        insecure: Accept any certificate of an https target.
        at_once: Maximum number of requests at a time. Beyond it `send` waits, without a limit and
            before its timeout begins. None derives it from the limit on open files.
    """

    def __init__(self, *, insecure: bool = False, at_once: int | None = None) -> None:
        self._insecure = insecure
        places = sockets_available(open_files_limit()) if at_once is None else at_once
        self._places = nullcontext() if places is None else asyncio.Semaphore(places)
        self._tls: ssl.SSLContext | None = None
        self._idle: dict[Origin, list[AppConnection]] = defaultdict(list)
        self._sweep: asyncio.TimerHandle | None = None
        self._open: set[AppConnection] = set()
        self._closed = False
        self._responded: set[Origin] = set()
        self._evidence: dict[tuple[str, str, int, str | None], tuple[float, str]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closed = True
        self._idle.clear()
        if self._sweep is not None:
            self._sweep.cancel()
        connections = list(self._open)
        for connection in connections:
            connection.abort()
        for connection in connections:
            await connection.closed

    async def send(
        self, request: ForwardRequest, *, timeout: float = 10.0, keep_bytes: int = KEPT_BYTES
    ) -> Reply:
        """Send one request and return the outcome; no behaviour of an app makes it raise.

        Redirects are not followed and bodies not decompressed. ``Host`` and ``Content-Length`` are
        added if the request lacks them, nothing else. The bytes are sent a second time only if the
        app certainly closed a pooled connection before it read them.

        Args:
            request: Its headers must not contain line breaks; `build` replaces them.
            timeout: Seconds for connecting, sending and reading together.
            keep_bytes: Body bytes to keep of the response.
        """
        async with self._places:
            return await self._reply(request, timeout, keep_bytes)

    async def _reply(self, request: ForwardRequest, timeout: float, keep_bytes: int) -> Reply:
        started = time.perf_counter()
        response: AppResponse | None = None
        error, detail = None, ""
        deadline = Deadline(timeout)
        try:
            response = await self._send(request, keep_bytes, deadline)
        except TimeoutError:
            error, detail = "timeout", f"no complete answer within {timeout:g} s"
        except FailedError as failure:
            error, detail = failure.word, str(failure)
        finally:
            deadline.cancel()
        duration_ms = (time.perf_counter() - started) * 1000
        evidence = ""
        if response is not None:
            self._responded.add(_origin(split(request.url)))
        if error in {"reset", "refused", "protocol"} or (response and response.status == 404):
            evidence = await self._look(split(request.url), error)
        if response is None:
            return Reply(
                None, duration_ms=duration_ms, error=error, detail=detail, evidence=evidence
            )
        return Reply(
            response.status,
            response.headers,
            response.body,
            response.truncated,
            duration_ms,
            evidence=evidence,
        )

    async def _send(
        self, request: ForwardRequest, keep_bytes: int, deadline: Deadline
    ) -> AppResponse:
        if request.method.upper() in _REJECTED_METHODS:
            raise FailedError("method", f"{request.method} requests are not forwarded")
        address = split(request.url)
        message = _message(request, address)
        origin = _origin(address)
        while (kept := self._take(origin)) is not None:
            try:
                return await self._exchange(
                    kept, origin, request.method, message, keep_bytes, deadline
                )
            except EndedError as ended:
                if not kept.closed_before_read:
                    raise _failure_of(ended, kept) from ended
                # Safe to send again: the app had closed before it read the request.
        connection = await self._connect(address, deadline)
        try:
            return await self._exchange(
                connection, origin, request.method, message, keep_bytes, deadline
            )
        except EndedError as ended:
            raise _failure_of(ended, connection) from ended

    async def _exchange(
        self,
        connection: AppConnection,
        origin: Origin,
        method: str,
        message: bytes,
        keep_bytes: int,
        deadline: Deadline,
    ) -> AppResponse:
        """Exchange a request and its response; then pool or abort the connection."""
        keep = False
        try:
            deadline.on_passed(connection.time_out)
            connection.send(message)
            response = await read_response(connection, method, keep_bytes)
        except TooLongError as error:
            raise FailedError("too_large", "the headers of the response are too large") from error
        else:
            keep = response.reusable
            return response
        finally:
            if keep:
                self._keep(connection, origin)
            else:
                connection.abort()

    def _take(self, origin: Origin) -> AppConnection | None:
        kept = self._idle[origin]
        while kept:
            connection = kept.pop()
            if connection.usable:
                return connection
            connection.abort()
        return None

    def _keep(self, connection: AppConnection, origin: Origin) -> None:
        kept = self._idle[origin]
        if len(kept) >= _IDLE_CONNECTIONS:
            for other in [other for other in kept if not other.usable]:
                kept.remove(other)
                other.abort()
        if self._closed or len(kept) >= _IDLE_CONNECTIONS or not connection.release():
            connection.abort()
            return
        kept.append(connection)
        if self._sweep is None:
            loop = asyncio.get_running_loop()
            self._sweep = loop.call_later(_IDLE_SECONDS, self._close_idle)

    def _close_idle(self) -> None:
        """Close connections that were idle for 1.5 s, and schedule the next run."""
        loop = asyncio.get_running_loop()
        due = loop.time() - _IDLE_SECONDS
        for kept in self._idle.values():
            while kept and kept[0].idle_since <= due:
                kept.pop(0).abort()
        oldest = min((kept[0].idle_since for kept in self._idle.values() if kept), default=None)
        self._sweep = None
        if oldest is not None:
            self._sweep = loop.call_at(oldest + _IDLE_SECONDS, self._close_idle)

    async def _connect(self, address: Address, deadline: Deadline) -> AppConnection:
        loop = asyncio.get_running_loop()
        try:
            async with _step(deadline, "dns", f"no address of {address.host}"):
                found = await sockets.resolve(address.host, address.port)
        except (OSError, UnicodeError) as error:
            raise _unresolved(address, error) from error
        try:
            async with _step(deadline, "unreachable", "no connection"):
                made = await sockets.connect(found)
        except sockets.UnconnectedError as error:
            raise _unconnected(address, error) from error
        try:
            async with _step(deadline, "tls", "no TLS handshake"):
                _, connection = await loop.create_connection(
                    AppConnection,
                    sock=made,
                    ssl=self._context() if address.scheme == "https" else None,
                    server_hostname=address.host if address.scheme == "https" else None,
                )
        except ssl.SSLError as error:
            raise FailedError("tls", _tls_words(error)) from error
        except OSError as error:
            raise FailedError("reset", "the connection was closed while it was set up") from error
        return self._owned(connection)

    async def _look(self, address: Address, error: str | None) -> str:
        """Look for the cause of a failure, at most once a minute for each target and error.

        A target that has responded over HTTP is not tried with TLS: an app logs such a try.
        """
        if error in {"reset", "protocol"} and _origin(address) in self._responded:
            return ""
        now = asyncio.get_running_loop().time()
        key = (address.scheme, address.host, address.port, error)
        until, evidence = self._evidence.get(key, (0.0, ""))
        if now < until or self._closed:
            return evidence
        # Set before the first await, so that deliveries that fail together cause one search.
        self._evidence[key] = (now + _EVIDENCE_SECONDS, "")
        found = await look(address, error)
        self._evidence[key] = (now + _EVIDENCE_SECONDS, found)
        return found

    def _owned(self, connection: AppConnection) -> AppConnection:
        self._open.add(connection)
        connection.closed.add_done_callback(lambda _: self._open.discard(connection))
        return connection

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            if self._insecure:
                self._tls.check_hostname = False
                self._tls.verify_mode = ssl.CERT_NONE
        return self._tls


@asynccontextmanager
async def _step(deadline: Deadline, word: str, missing: str) -> AsyncIterator[None]:
    """End a step of connecting at the deadline, with an error that names the step.

    Nothing of the request was sent by then, so this is not the app's timeout.
    """
    try:
        async with asyncio.timeout(None) as limit:
            deadline.on_passed(lambda: limit.reschedule(0))
            yield
    except TimeoutError as error:
        raise FailedError(word, f"{missing} within {deadline.seconds:g} s") from error


def _origin(address: Address) -> Origin:
    return address.scheme, address.host, address.port


def _exhausted() -> FailedError:
    return FailedError("descriptors", "this process has no free file descriptor")


def _unresolved(address: Address, error: Exception) -> FailedError:
    if isinstance(error, OSError) and sockets.is_exhausted(error):
        return _exhausted()
    return FailedError("dns", f"the name {address.host} is not known")


def _unconnected(address: Address, error: sockets.UnconnectedError) -> FailedError:
    failures = error.failures.values()
    if any(sockets.is_exhausted(failure) for failure in failures):
        return _exhausted()
    # Something accepted and closed the connection before it was used, so something listens.
    if any(isinstance(failure, ConnectionResetError) for failure in failures):
        return FailedError("reset", "the connection was closed while it was set up")
    # Hosts files list ::1 for localhost even if IPv6 is off, so a refused connection counts more.
    if any(isinstance(failure, ConnectionRefusedError) for failure in failures):
        return FailedError("refused", f"nothing listens at {address.authority}")
    return FailedError("unreachable", f"{address.authority}: {error}")


def _failure_of(ended: EndedError, connection: AppConnection) -> FailedError:
    if isinstance(ended.__cause__, ssl.SSLError):
        return FailedError("tls", _tls_words(ended.__cause__))
    if connection.responded:
        return FailedError("reset", "the connection was closed in the middle of the response")
    return FailedError("reset", "the connection was closed without a response")


def _tls_words(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {error.verify_message}"
    return f"no TLS there: {(error.reason or str(error)).lower().replace('_', ' ')}"


def _message(request: ForwardRequest, address: Address) -> bytes:
    """The bytes of the request."""
    headers = request.headers
    names = {name.lower() for name, _ in headers}
    if "host" not in names:
        headers = (("Host", address.authority), *headers)
    if "content-length" not in names and (request.body or request.method not in {"GET", "HEAD"}):
        headers = with_header(headers, "Content-Length", str(len(request.body)))
    path = _UNFIT_IN_PATH.sub(lambda found: b"%%%02X" % found[0][0], _as_bytes(address.path))
    line = f"{request.method} ".encode("ascii") + path + b" HTTP/1.1"
    fields = []
    for name, value in headers:
        if not value.isprintable() and ("\n" in value or "\r" in value):
            raise ValueError(f"the header {name} contains a line break")
        fields.append(f"{name}: {value}")
    text = "\r\n".join(fields)
    # ASCII is encoded in one call. Other fields are one by one: see `_as_bytes`.
    head = text.encode() if text.isascii() else b"\r\n".join(map(_as_bytes, fields))
    return b"\r\n".join((line, head, b"", request.body))


def _as_bytes(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return _NO_BYTE.sub("\ufffd", text).encode("utf-8", "surrogateescape")
