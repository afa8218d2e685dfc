"""The interfaces between a guard and aiohttp: protocol, request body, transport."""

import asyncio
import socket
from contextlib import suppress
from typing import Protocol

_EMPTY_READS = 64
_QUICKACK = getattr(socket, "TCP_QUICKACK", None)


class HttpProtocol(Protocol):
    """The methods of aiohttp's `RequestHandler` that the guard calls."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None: ...
    def connection_lost(self, exc: BaseException | None) -> None: ...
    def data_received(self, data: bytes) -> None: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...


class RequestBody(Protocol):
    """The members of aiohttp's `StreamReader` that the guard reads while a body is received."""

    total_bytes: int

    def is_eof(self) -> bool: ...


class Guard(Protocol):
    """The members of a guard that its transport uses."""

    @property
    def paused(self) -> bool:
        """Whether the guard has paused reading."""

    def drain(self) -> None:
        """Close for writing, and discard further input."""

    def abort(self) -> None:
        """Close at once."""

    def report_bug(self, bug: Exception) -> None:
        """Report an exception that must not happen."""


class GuardedTransport:
    """The transport as the HTTP protocol sees it: closing goes through the guard.

    Everything else is the real transport's.

    Invariant: the guard and the HTTP protocol pause reading independently of each other, and the
    transport reads only while neither of them does. The one that resumes checks the other's pause.

    Attributes:
        paused: Whether the HTTP protocol has paused reading.
    """

    __slots__ = (
        "_guard",
        "_transport",
        "get_extra_info",
        "is_closing",
        "paused",
        "write",
        "writelines",
    )

    def __init__(self, guard: Guard, transport: asyncio.Transport) -> None:
        self._guard = guard
        self._transport = transport
        self.paused = False
        # Bound methods, since `write` and `is_closing` are called for every response.
        self.write = transport.write
        self.writelines = transport.writelines
        self.is_closing = transport.is_closing
        self.get_extra_info = transport.get_extra_info

    def pause_reading(self) -> None:
        """Stop the input until `resume_reading`."""
        self.paused = True
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Resume reading; aiohttp calls this for every body, paused or not."""
        if self.paused:
            self.paused = False
            if not self._guard.paused:
                self._transport.resume_reading()

    def close(self) -> None:
        """Close for writing; further input is discarded for `Limits.drain_seconds`."""
        try:
            self._guard.drain()
        except Exception as bug:  # noqa: BLE001 - would end aiohttp's task with a traceback
            self._guard.report_bug(bug)
            self._transport.abort()

    def abort(self) -> None:
        """Close at once."""
        self._guard.abort()


def parser_failed(http: HttpProtocol, transport: GuardedTransport) -> bool:
    """Whether aiohttp's parser has given up on the chunked body that is being received.

    aiohttp 3.14 queues the error after the request that the body belongs to, and the handler of
    that request waits for the rest of the body, which never arrives. The queue has only one
    visible effect: when it is full, the protocol pauses reading. Given empty input, a parser that
    has failed queues another error, and one that has not does nothing. So empty input is passed
    until reading is paused, at most `_EMPTY_READS` times.

    The caller makes sure that the handler has read all received bytes of the body, so that reading
    is not paused for another reason.
    """
    for _ in range(_EMPTY_READS):
        http.data_received(b"")
        if transport.paused:
            return True
    return False


def acknowledge(transport: asyncio.Transport) -> None:
    """Acknowledge a part of a request at once.

    Otherwise a sender that uses Nagle's algorithm, such as ngrok's SDK, waits 40 ms for the delayed
    acknowledgement before it sends the rest.
    """
    if _QUICKACK is None:
        return
    with suppress(OSError):  # the client may be gone
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
