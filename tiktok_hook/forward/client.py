"""Sends requests to apps and brings back what they answer, whatever that is."""

import asyncio
import re
import socket
import ssl
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from tiktok_hook.delivery import Headers
from tiktok_hook.forward.connection import AppConnection, EndedError, TooLongError
from tiktok_hook.forward.request import ForwardRequest, with_header
from tiktok_hook.forward.response import AppResponse, FailedError, read_answer
from tiktok_hook.forward.target import Address, split

KEPT_BYTES = 64 * 1024
"""How much of an answer's body is kept."""

_IDLE_SECONDS = 1.5
"""Below every keep-alive limit in common use (gunicorn 2 s; Node and uvicorn 5 s), so that it is us
who close, and an app that waits for its connections to end is not held up."""

_IDLE_CONNECTIONS = 32

_STOPPED_SECONDS = 0.5
"""A timer that comes later than this shows that nothing ran: nobody could read the answer."""

_UNFIT_IN_PATH = re.compile(rb"[\x00-\x20\x7f]")

_NO_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Halves of characters that do not even stand for a byte; JSON may hold them."""

_REFUSED_METHODS = frozenset({"TRACE", "CONNECT"})
"""TRACE echoes every header to its sender; CONNECT asks for a tunnel through the app."""

Origin = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a request.

    Attributes:
        status: The app's; None when it did not answer in full.
        headers: Of the answer, in order; bytes outside ASCII as Latin-1.
        body: Its first `KEPT_BYTES` bytes, as sent: not inflated.
        truncated: Whether there was more.
        duration_ms: From the start of connecting to the last byte read.
        error: ``refused``, ``timeout``, ``reset``, ``dns``, ``tls``, ``protocol``, ``too_large``,
            ``unreachable`` or ``method``; None when the app answered.
        detail: The error in words, for people.
    """

    status: int | None
    headers: Headers = ()
    body: bytes = b""
    truncated: bool = False
    duration_ms: float = 0.0
    error: str | None = None
    detail: str = ""

    def header(self, name: str) -> str | None:
        """The first value of a header; None without one."""
        wanted = name.lower()
        for key, value in self.headers:
            if key.lower() == wanted:
                return value
        return None


class Forwarder:
    """Sends requests over connections that it keeps for the next one.

    An async context manager; leaving it closes every connection.

    Args:
        insecure: Do not check the certificate of an https target.
    """

    def __init__(self, *, insecure: bool = False) -> None:
        self._insecure = insecure
        self._tls: ssl.SSLContext | None = None
        self._idle: dict[Origin, list[AppConnection]] = defaultdict(list)
        self._sweep: asyncio.TimerHandle | None = None
        self._open: set[AppConnection] = set()
        self._closed = False

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
            await connection.gone

    async def send(
        self, request: ForwardRequest, *, timeout: float = 10.0, keep_bytes: int = KEPT_BYTES
    ) -> Reply:
        """Send one request and wait for its answer; never raises for what an app does.

        Redirects are not followed and bodies not inflated. ``Host`` and ``Content-Length`` are
        added where the request lacks them, nothing else. The same bytes go out a second time only
        when a connection kept from before turns out to have been closed before they were read.

        Args:
            request: Its headers must hold no line breaks; `build` sees to that.
            timeout: Seconds for everything, connecting included.
            keep_bytes: How much of the answer's body is kept.
        """
        started = time.perf_counter()
        answer: AppResponse | None = None
        error, detail = None, ""
        deadline = Deadline(timeout)
        try:
            answer = await self._send(request, keep_bytes, deadline)
        except TimeoutError:
            error, detail = "timeout", f"no complete answer within {timeout:g} s"
        except FailedError as failure:
            error, detail = failure.word, str(failure)
        finally:
            deadline.cancel()
        duration_ms = (time.perf_counter() - started) * 1000
        if answer is None:
            return Reply(None, duration_ms=duration_ms, error=error, detail=detail)
        return Reply(answer.status, answer.headers, answer.body, answer.truncated, duration_ms)

    async def _send(
        self, request: ForwardRequest, keep_bytes: int, deadline: "Deadline"
    ) -> AppResponse:
        if request.method.upper() in _REFUSED_METHODS:
            raise FailedError("method", f"{request.method} requests are not forwarded")
        address = split(request.url)
        message = _message(request, address)
        origin = (address.scheme, address.host, address.port)
        while (kept := self._take(origin)) is not None:
            try:
                return await self._exchange(
                    kept, origin, request.method, message, keep_bytes, deadline
                )
            except EndedError as ended:
                if not kept.untouched:
                    raise _failure_of(ended, kept) from ended
                # It was closed before the request was read, so no app sees it twice.
        async with asyncio.timeout(None) as limit:
            deadline.ends(lambda: limit.reschedule(0))
            connection = await self._connect(address)
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
        deadline: "Deadline",
    ) -> AppResponse:
        """One request and its answer; the connection is kept or closed on every way out."""
        keep = False
        try:
            deadline.ends(connection.expire)
            connection.send(message)
            answer = await read_answer(connection, method, keep_bytes)
        except TooLongError as error:
            raise FailedError("too_large", "the answer's headers are too large") from error
        else:
            keep = answer.reusable
            return answer
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
        if self._closed or len(kept) >= _IDLE_CONNECTIONS or not connection.rest():
            connection.abort()
            return
        kept.append(connection)
        if self._sweep is None:
            loop = asyncio.get_running_loop()
            self._sweep = loop.call_later(_IDLE_SECONDS, self._close_idle)

    def _close_idle(self) -> None:
        """Close what has been kept for long enough, and come back for the next."""
        loop = asyncio.get_running_loop()
        due = loop.time() - _IDLE_SECONDS
        for kept in self._idle.values():
            while kept and kept[0].rests_since <= due:
                kept.pop(0).abort()
        oldest = min((kept[0].rests_since for kept in self._idle.values() if kept), default=None)
        self._sweep = None
        if oldest is not None:
            self._sweep = loop.call_at(oldest + _IDLE_SECONDS, self._close_idle)

    async def _connect(self, address: Address) -> AppConnection:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise FailedError("dns", f"the name {address.host} is not known") from error
        failure: OSError | None = None
        for *_, endpoint in found:
            try:
                _, connection = await loop.create_connection(
                    AppConnection,
                    str(endpoint[0]),
                    address.port,
                    ssl=self._context() if address.scheme == "https" else None,
                    server_hostname=address.host if address.scheme == "https" else None,
                )
            except ssl.SSLError as error:
                raise FailedError("tls", _tls_words(error)) from error
            except OSError as error:
                failure = error
            else:
                return self._owned(connection)
        if isinstance(failure, ConnectionRefusedError):
            raise FailedError("refused", f"nothing listens at {address.authority}") from failure
        if isinstance(failure, ConnectionResetError | BrokenPipeError):
            raise FailedError("reset", "the connection was closed while it was set up") from failure
        words = (failure and failure.strerror) or str(failure)
        raise FailedError("unreachable", f"{address.authority}: {words}") from failure

    def _owned(self, connection: AppConnection) -> AppConnection:
        self._open.add(connection)
        connection.gone.add_done_callback(lambda _: self._open.discard(connection))
        return connection

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            if self._insecure:
                self._tls.check_hostname = False
                self._tls.verify_mode = ssl.CERT_NONE
        return self._tls


class Deadline:
    """Ends what is being waited for when the answer is not there in time.

    Args:
        seconds: From now on.
    """

    def __init__(self, seconds: float) -> None:
        self._end: Callable[[], None] | None = None
        self._passed = False
        self._loop = asyncio.get_running_loop()
        self._at = self._loop.time() + seconds
        self._timer = self._loop.call_at(self._at, self._due)

    def ends(self, end: Callable[[], None]) -> None:
        """Say what ends the waiting that begins now.

        Raises:
            TimeoutError: It is too late already.
        """
        if self._passed:
            raise TimeoutError
        self._end = end

    def cancel(self) -> None:
        """The answer is there, or will never be."""
        self._timer.cancel()

    def _due(self) -> None:
        """Let an answer be read, once, that came while this process was stopped, say by Ctrl-Z."""
        now = self._loop.time()
        if now - self._at > _STOPPED_SECONDS:
            self._timer = self._loop.call_at(now + _STOPPED_SECONDS, self._pass)
        else:
            self._pass()

    def _pass(self) -> None:
        self._passed = True
        if self._end is not None:
            self._end()


def _failure_of(ended: EndedError, connection: AppConnection) -> FailedError:
    if isinstance(ended.__cause__, ssl.SSLError):
        return FailedError("tls", _tls_words(ended.__cause__))
    if connection.answered:
        return FailedError("reset", "the connection was closed in the middle of the answer")
    return FailedError("reset", "the connection was closed without an answer")


def _tls_words(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {error.verify_message}"
    return f"no TLS there: {(error.reason or str(error)).lower().replace('_', ' ')}"


def _message(request: ForwardRequest, address: Address) -> bytes:
    """The request as it goes over the wire."""
    headers = request.headers
    names = {name.lower() for name, _ in headers}
    if "host" not in names:
        headers = (("Host", address.authority), *headers)
    if "content-length" not in names and (request.body or request.method not in {"GET", "HEAD"}):
        headers = with_header(headers, "Content-Length", str(len(request.body)))
    path = _UNFIT_IN_PATH.sub(lambda found: b"%%%02X" % found[0][0], _as_bytes(address.path))
    lines = [f"{request.method} ".encode("ascii") + path + b" HTTP/1.1"]
    for name, value in headers:
        if "\n" in value or "\r" in value:
            raise ValueError(f"the header {name} holds a line break")
        lines.append(_as_bytes(f"{name}: {value}"))
    return b"\r\n".join([*lines, b"", request.body])


def _as_bytes(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return _NO_BYTE.sub("\ufffd", text).encode("utf-8", "surrogateescape")
