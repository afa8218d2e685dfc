"""Adapter between aiohttp's server and a handler: reads one request, sends its response.

Only exported names of aiohttp without an underscore are used. Those that are public but not
documented are listed here, and ``make newest`` runs them against the newest release:

- `aiohttp.web.RequestHandler`: its constructor with a `web.Server` and the keywords ``loop``,
  ``logger``, ``access_log``, ``auto_decompress``, ``lingering_time``, ``tcp_keepalive``,
  ``max_line_size``, ``max_field_size`` and ``max_headers``; its methods as an
  `asyncio.Protocol`; that ``connection_lost`` may be called before the connection is lost, ends
  its handler's wait for a body with an error, and makes later writes fail with a
  `ConnectionError` which it keeps to itself; `handle_error`, called with status 400 and the
  parser's exception for malformed requests, and with 500 for an exception of the handler.
- `aiohttp.web.Server` as the first argument of that constructor, never called itself, and its
  keyword ``request_factory``; the constructor of `web.BaseRequest` and the arguments that the
  factory gets, among them `aiohttp.http.RawRequestMessage` with ``method`` and ``path``.
- `BaseRequest.protocol`, `raw_path`, `transport` and `task`.
- `StreamResponse.prepare`, `write_eof` and `keep_alive`, the only members of a response that are
  used; and that ``prepare`` may write the response to ``request.transport``.
- `StreamReader.read_nowait`, `total_bytes` and `is_eof`.
- `aiohttp.http_exceptions`: the classes of malformed requests.
- The parser's behaviour that `ConnectionGuard` describes: trailers, and errors after a body.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeAlias, cast

from aiohttp import HttpVersion10, HttpVersion11, StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import (
    BadStatusLine,
    InvalidHeader,
    InvalidURLError,
    LineTooLong,
    TransferEncodingError,
)

from tiktok_hook.receiver.guard import ConnectionGuard
from tiktok_hook.receiver.limits import Capacity
from tiktok_hook.receiver.messages import (
    BODY_TOO_LARGE,
    FULL,
    HEAD_TOO_LARGE,
    INTERNAL_ERROR,
    MALFORMED,
    METHOD_NOT_ALLOWED,
    OK,
    SERVER,
    VERSION_NOT_SUPPORTED,
    IncomingRequest,
    ReceiverResponse,
    render,
    sendable,
    sendable_value,
)
from tiktok_hook.receiver.reports import ReceiverReports

Handler: TypeAlias = Callable[[IncomingRequest], Awaitable[ReceiverResponse]]
"""Returns the response to a complete request."""

MAX_LINE_BYTES = 8190
"""Maximum size of the request line, of a header's name, and of its value."""

MAX_HEADERS = 128

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_VERSIONS = (HttpVersion11, HttpVersion10)
_NOT_PARSED = "UNKNOWN"


class _Bugs(logging.Handler):
    """Reports the errors that aiohttp logs, and drops its other messages."""

    def __init__(self, reports: ReceiverReports) -> None:
        super().__init__(logging.ERROR)
        self._reports = reports

    def emit(self, record: logging.LogRecord) -> None:
        bug = record.exc_info[1] if record.exc_info else None
        self._reports.bug(bug if isinstance(bug, Exception) else RuntimeError(record.getMessage()))


class GuardedRequestHandler(web.RequestHandler):
    """aiohttp's side of one connection; passes errors to the guard, which answers them."""

    __slots__ = ("guard", "message", "target")

    guard: ConnectionGuard
    message: RawRequestMessage
    target: str

    async def start(self) -> None:
        """Handle the requests of the connection until it ends.

        Where the guard ends it in the same turn of the event loop in which it began, or in which a
        head was complete, aiohttp 3.14 fails at its next step. No one is left to answer then.
        """
        try:
            await super().start()
        except Exception:
            if not self.guard.is_detached:
                raise

    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002 - aiohttp's signature
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - aiohttp's signature
    ) -> web.StreamResponse:
        """Let the guard answer, so that nothing of the request is echoed or logged.

        Returns:
            A response that is never sent: the guard has ended the connection.
        """
        if status == 400:
            words, response = _explain(exc)
            if exc is not None:
                # Its traceback refers to the parser's caller, which refers to the error: a cycle
                # that would keep the received bytes in memory until a garbage collection.
                exc.__traceback__ = None
            self.guard.malformed(response, words)
        else:
            if isinstance(exc, Exception) and not isinstance(exc, ConnectionError):
                self.guard.reports.bug(exc)
            self.guard.reject(INTERNAL_ERROR, "internal error")
        return _never_sent()


class _Acknowledgement(web.StreamResponse):
    """The `OK` response to any HTTP/1.1 request whose connection stays open.

    Nearly every request gets it, and creating a `web.Response` takes a quarter of the time that a
    request takes on the event loop. One object serves all requests: its only state is the rendered
    bytes, which change with the ``Date`` once a second.

    Invariant: `prepare` writes the complete response, so it is returned only where nothing in the
    response depends on the request: not to HTTP/1.0, HEAD, or the last request of a connection.
    """

    def __init__(self) -> None:
        super().__init__()
        self._rendered_at = -1
        self._rendered = b""

    @property
    def keep_alive(self) -> bool:
        """True: aiohttp reads the next request."""
        return True

    async def prepare(self, request: web.BaseRequest) -> None:
        """Write the response, unless the connection is lost."""
        now = int(time.time())
        if now != self._rendered_at:
            self._rendered_at, self._rendered = now, render(OK, now)
        if request.transport is not None:
            request.transport.write(self._rendered)

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing: `prepare` has written all of it."""


class HttpExchange:
    """Reads requests for a handler and sends its responses.

    Args:
        handler: Gets complete requests.
        capacity: Of the server.
        reports: Gets the requests that are answered here, and bugs.
    """

    def __init__(self, handler: Handler, capacity: Capacity, reports: ReceiverReports) -> None:
        self._handler = handler
        self._capacity = capacity
        self._limits = capacity.limits
        self._reports = reports
        self._loop = asyncio.get_running_loop()
        self._server = web.Server(self._answer, request_factory=self._request)
        self._logger = logging.Logger(  # noqa: LOG001 - not registered, so nothing prints it
            "tiktok_hook.receiver", logging.ERROR
        )
        self._logger.addHandler(_Bugs(reports))
        self._acknowledgement = _Acknowledgement()

    def connect(self, guard: ConnectionGuard) -> GuardedRequestHandler:
        """Create aiohttp's side of a connection."""
        http = GuardedRequestHandler(
            self._server,
            loop=self._loop,
            logger=self._logger,
            access_log=None,  # type: ignore[arg-type]  # None turns it off, as in web.Application
            auto_decompress=False,
            lingering_time=0.0,  # the guard discards further input
            tcp_keepalive=False,  # the guard closes idle connections earlier
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_LINE_BYTES,
            max_headers=MAX_HEADERS,
        )
        http.guard = guard
        return http

    def _request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        """Create a request as `web.Server` does, and report its head to the guard.

        Raises:
            asyncio.CancelledError: The guard has ended the connection, or aiohttp cannot represent
                the request: a CONNECT without an authority, which the guard answers. It ends
                aiohttp's task and nothing is logged.
        """
        http = cast("GuardedRequestHandler", protocol)
        guard = http.guard
        http.message = message
        http.target = target = target_of(message.path)
        method = message.method
        if method == _NOT_PARSED:  # `handle_error` comes next
            method = target = ""
        if guard.begin(method, target, payload, task, chunked=message.chunked):
            if method == "CONNECT":
                guard.reject(METHOD_NOT_ALLOWED, "CONNECT: this is not a proxy")
            elif message.version not in _VERSIONS:
                guard.reject(VERSION_NOT_SUPPORTED, "HTTP version not supported")
            elif guard.may_exceed_head and _head_bytes(message) > self._limits.head_bytes:
                guard.reject(HEAD_TOO_LARGE, "headers too large")
            else:
                return web.BaseRequest(message, payload, protocol, writer, task, self._loop)
        raise asyncio.CancelledError

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Read the rest of a request, call the handler, and return the response to TikTok."""
        http = cast("GuardedRequestHandler", request.protocol)
        guard, message, content = http.guard, http.message, request.content
        # A body that has been received in full is read without waiting.
        body = content.read_nowait() if content.is_eof() else await self._read_body(request, guard)
        if body is not None and len(body) > self._limits.body_bytes:
            guard.reject(BODY_TOO_LARGE, f"body of {len(body)} bytes")
        if body is None or not guard.complete():
            return _never_sent()
        is_old = message.version == HttpVersion10
        try:
            if len(self._capacity.handling) > self._limits.in_flight:
                reason = "too many requests at once"
                self._reports.non_webhook(message.method, http.target, FULL.status, reason)
                response = FULL
            else:
                headers = tuple(
                    [
                        (name.decode("latin-1"), value.decode("latin-1"))
                        for name, value in message.raw_headers
                    ]
                )
                response = await self._handler(
                    IncomingRequest(
                        message.method,
                        http.target,
                        headers,
                        body,
                        "1.0" if is_old else "1.1",
                        guard.peer,
                    )
                )
        except Exception as bug:  # noqa: BLE001 - one bad request must not end the receiver
            self._reports.bug(bug)
            response = INTERNAL_ERROR
        finally:
            # aiohttp 3.14 never answers what follows an Upgrade to anything but a WebSocket.
            ends = guard.ends_connection or message.upgrade
            guard.answered()
        if (
            response is OK
            and message.method == "POST"
            and not (ends or is_old or message.should_close)
        ):
            return self._acknowledgement
        outgoing = _outgoing(response)
        if ends:
            outgoing.force_close()
        if is_old and (ends or message.should_close):
            outgoing.headers["Connection"] = "close"  # aiohttp leaves it out, as 1.0 allows
        return outgoing

    async def _read_body(self, request: web.BaseRequest, guard: ConnectionGuard) -> bytes | None:
        """Read the body up to its limit; None when the guard has ended the connection instead.

        `request.read()` would stop at 1 MiB and answer with an HTML page.
        """
        content, limit = request.content, self._limits.body_bytes
        length = request.headers.get("Content-Length", "")
        if length.isdecimal() and int(length) > limit:
            guard.reject(BODY_TOO_LARGE, f"body of {int(length)} bytes")
            return None
        if request.version == HttpVersion11:  # 1.0 has no such expectation
            expected = request.headers.get("Expect")
            if expected is not None and expected.lower() == "100-continue":
                assert request.transport is not None
                request.transport.write(_CONTINUE)
        parts: list[bytes] = []
        size = 0
        try:
            while True:
                # Reading may let aiohttp parse more of its input, so read until nothing is left.
                data = content.read_nowait()
                if not data:
                    if content.is_eof():
                        return parts[0] if len(parts) == 1 else b"".join(parts)
                    if not guard.wait_for_body():
                        return None
                    data = await content.readany()
                    guard.body_received()
                parts.append(data)
                size += len(data)
                if size > limit:
                    guard.reject(BODY_TOO_LARGE, f"body of more than {limit} bytes")
                    return None
        except (OSError, web.RequestPayloadError) as failure:
            # The connection is lost, or the body is malformed. The body keeps the error, whose
            # traceback would keep this frame and with it all received bytes.
            failure.__traceback__ = None
            guard.reject(MALFORMED, "malformed body")
            return None
        except RuntimeError:
            # The guard ended the connection between the arrival of new data and this task's turn,
            # and aiohttp does not read from a connection that has ended.
            if request.transport is not None:
                raise
            return None


def target_of(target: str) -> str:
    """Return path and query of a request's target as Latin-1 text, without an absolute URL's host.

    Args:
        target: As aiohttp has it: UTF-8, undecodable bytes as surrogates.
    """
    if not target:  # a CONNECT to nowhere
        return ""
    if not target.isascii():
        target = target.encode("utf-8", "surrogateescape").decode("latin-1")
    if target.startswith("/"):
        return target
    scheme, mark, rest = target.partition("://")
    if not mark or not scheme.isalnum():
        return target
    cut = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    rest = rest[cut:]
    return rest if rest.startswith("/") else f"/{rest}"


def _explain(problem: BaseException | None) -> tuple[str, ReceiverResponse]:
    """The reason for rejecting a request, which quotes nothing of it, and the response."""
    if isinstance(problem, LineTooLong):
        return "headers too large", HEAD_TOO_LARGE
    for group, words in (
        (InvalidURLError, "target is not a path"),
        (InvalidHeader, "malformed header"),
        (BadStatusLine, "not HTTP"),
        (TransferEncodingError, "malformed chunks"),
    ):
        if isinstance(problem, group):
            return words, MALFORMED
    return "malformed request", MALFORMED


def _head_bytes(message: RawRequestMessage) -> int:
    """Size of the request line and the headers, without optional blanks, in bytes."""
    fields = sum(len(name) + len(value) + 4 for name, value in message.raw_headers)
    return len(message.method) + len(message.path) + 12 + fields


def _outgoing(response: ReceiverResponse) -> web.Response:
    empty = response.status in {204, 304}
    outgoing = web.Response(status=response.status, body=None if empty else response.body)
    headers = outgoing.headers
    for name, value in sendable(response.headers):
        headers.add(name, _as_utf8(value))
    if response.content_type and not empty:
        headers["Content-Type"] = _as_utf8(sendable_value(response.content_type))
    headers.setdefault("Server", SERVER)
    return outgoing


def _as_utf8(value: str) -> str:
    """Decode a Latin-1 value for aiohttp, which writes headers as UTF-8.

    Bytes that are valid UTF-8 are sent as they were received. Others are sent as the UTF-8 of the
    same Latin-1 characters, since aiohttp cannot write them.
    """
    if value.isascii():
        return value
    raw = value.encode("latin-1", "replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _never_sent() -> web.Response:
    return web.Response(status=500)
