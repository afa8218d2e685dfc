"""One connection to an app: sends and receives bytes, and records how it ended."""

import asyncio
import errno
import socket
from contextlib import suppress
from typing import cast

_PAUSE_BYTES = 256 * 1024
"""Unread bytes at which reading pauses; at most this and one read of the loop are in memory."""


class EndedError(Exception):
    """The connection ended before the response did; its cause is the system's error, if any."""


class AppConnection(asyncio.Protocol):
    """A connection that can prove that the app did not read the last request.

    One request at a time: the forwarder takes a connection out of the pool before it sends.

    Invariant of `closed_before_read`: it is True only if the system reported a reset, or has one
    pending, and no byte of a response had arrived since `send`. Only then is a request sent again
    on another connection, so that no app gets it twice.

    Attributes:
        responded: True if any byte was received since the last `send`.
        closed: Resolved when the system has closed the socket.
        closed_before_read: True if the app is known to have closed before it read the last `send`.
        idle_since: When it was returned to the pool, in the loop's time.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._unread = bytearray()
        self._over = False
        self._error: Exception | None = None
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self._timed_out = False
        self.responded = False
        self.closed_before_read = False
        self.idle_since = 0.0

    # Called by asyncio.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.responded = True
        self._unread += data
        if len(self._unread) > _PAUSE_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self._over = True
        self._look_for_reset()
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        self._over = True
        self._error = error
        if isinstance(error, ConnectionResetError | BrokenPipeError) and not self.responded:
            self.closed_before_read = True
        with suppress(asyncio.InvalidStateError):
            self.closed.set_result(None)
        self._wake()

    def _look_for_reset(self) -> None:
        """Find out whether the app had closed the connection before our bytes arrived.

        A system that receives bytes for a closed socket responds with a reset, which is then
        pending on our socket after the end of the stream (Linux: SO_ERROR). If the app read the
        request and then closed, no error is pending.
        """
        transport_socket: socket.socket | None = (
            None if self._transport is None else self._transport.get_extra_info("socket")
        )
        if transport_socket is None or self.responded:
            return
        with suppress(OSError):
            pending = transport_socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self.closed_before_read = pending in {errno.EPIPE, errno.ECONNRESET}

    def _wake(self) -> None:
        if self._waiter is not None:
            # No `done()` first: a signal handler may cancel the future in between.
            with suppress(asyncio.InvalidStateError):
                self._waiter.set_result(None)

    # Called by the forwarder.

    @property
    def usable(self) -> bool:
        """True if it can carry another request."""
        if self._over or self._timed_out or self._unread or self._transport is None:
            return False
        return not self._transport.is_closing()

    def send(self, data: bytes) -> None:
        """Send bytes, without waiting: what the system does not accept yet is buffered."""
        self.responded = self.closed_before_read = False
        if self._transport is not None:
            self._transport.write(data)

    def release(self) -> bool:
        """Mark the connection as idle; False if it cannot carry another request."""
        if not self.usable or (self._transport and self._transport.get_write_buffer_size()):
            return False
        self.idle_since = self._loop.time()
        return True

    def time_out(self) -> None:
        """Make `read` raise a TimeoutError once no received bytes are left."""
        self._timed_out = True
        self._wake()

    def abort(self) -> None:
        """Close the connection at once; buffered bytes are dropped."""
        if self._transport is not None:
            self._transport.abort()

    async def read(self, *, at_end: bool) -> bytes:
        """Return the received bytes; waits for at least one.

        Args:
            at_end: Return ``b""`` at an orderly end of the connection instead of raising.

        Raises:
            EndedError: The connection ended, and not `at_end`, or with an error.
            TimeoutError: `time_out` was called first.
        """
        while not self._unread:
            if self._over and at_end and self._error is None:
                return b""
            await self._wait()
        data = bytes(self._unread)
        self._unread.clear()
        if self._paused and self._transport is not None:
            self._paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()
        return data

    async def _wait(self) -> None:
        """Wait for bytes or the end.

        Only one task reads, so one future is enough. Received bytes have precedence over the
        deadline: `read` returns them before it calls this.
        """
        if self._over:
            raise EndedError from self._error
        if self._timed_out:
            raise TimeoutError
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
