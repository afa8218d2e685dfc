"""Between a guard and aiohttp: the protocol that it delegates to, and the transport for it."""

import asyncio
import socket
from contextlib import suppress
from typing import Protocol

_EMPTY_READS = 64
_QUICKACK = getattr(socket, "TCP_QUICKACK", None)


class HttpProtocol(Protocol):
    """What the guard uses of the protocol behind it; aiohttp's `RequestHandler` has it all."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None: ...
    def connection_lost(self, exc: BaseException | None) -> None: ...
    def data_received(self, data: bytes) -> None: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...


class RequestBody(Protocol):
    """What the guard reads of a body that is being received; aiohttp's `StreamReader` has it."""

    total_bytes: int

    def is_eof(self) -> bool: ...


class Guard(Protocol):
    """What the transport asks of its guard."""

    @property
    def paused(self) -> bool:
        """Whether the guard has paused reading."""

    def drain(self) -> None:
        """End our side, and discard what still comes."""

    def abort(self) -> None:
        """Close at once."""

    def report_bug(self, bug: Exception) -> None:
        """Report an exception that must not happen."""


class GuardedTransport:
    """The transport as the HTTP protocol sees it: closing goes through the guard.

    Everything else is the real transport's.

    Invariant: the guard and the HTTP protocol pause reading independently of each other, and input
    comes only while neither of them does. Whichever resumes asks for the other's pause first.

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
        """Let input come again; aiohttp calls it for every body, paused or not."""
        if self.paused:
            self.paused = False
            if not self._guard.paused:
                self._transport.resume_reading()

    def close(self) -> None:
        """End our side; what still comes is discarded for a while."""
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

    aiohttp 3.14 queues the error behind the request whose body it is, and the handler of that
    request waits for the rest of the body, which never comes. From outside the queue shows itself
    once only: when it is full, the protocol pauses reading. A parser that has failed fails again on
    empty input and queues another error, one that has not does nothing with it. So empty input is
    offered until reading is paused, or often enough.

    The caller makes sure that the handler has taken all that came of the body, so that no other
    pause can be pending.
    """
    for _ in range(_EMPTY_READS):
        http.data_received(b"")
        if transport.paused:
            return True
    return False


def acknowledge(transport: asyncio.Transport) -> None:
    """Acknowledge at once what is not a whole request.

    A sender that uses Nagle's algorithm, as ngrok's SDK does, otherwise holds the rest back until
    the delayed acknowledgement, for 40 ms.
    """
    if _QUICKACK is None:
        return
    with suppress(OSError):  # the client may be gone
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
