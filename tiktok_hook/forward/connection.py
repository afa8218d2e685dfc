"""One connection to an app: bytes out, lines and bytes in, and how it ended."""

import asyncio
import errno
import re
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import cast

_EMPTY_LINE = re.compile(rb"(?:\A|\n)\r?\n")

_PAUSE_BYTES = 256 * 1024
"""What may wait unread before the app is made to wait; at most this and one read are in memory."""


class EndedError(Exception):
    """The connection ended before what was asked of it; its cause is the system's error, if any."""


class TooLongError(Exception):
    """A line is longer than was allowed."""


class AppConnection(asyncio.Protocol):
    """A stream that knows whether what it sent last was ever read.

    One request at a time; the caller sees to that.

    Attributes:
        answered: Whether any byte came back since the last `send`.
        gone: Done once the system has let go of it.
        untouched: Whether the other side is known to have closed before it read the last `send`.
        rests_since: When it was kept for another request, in the loop's time.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._unread = bytearray()
        self._over = False
        self._error: Exception | None = None
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self.gone: asyncio.Future[None] = self._loop.create_future()
        self._expired = False
        self.answered = False
        self.untouched = False
        self.rests_since = 0.0

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.answered = True
        self._unread += data
        if len(self._unread) > _PAUSE_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self._over = True
        self._judge()
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        self._over = True
        self._error = error
        if isinstance(error, ConnectionResetError | BrokenPipeError) and not self.answered:
            self.untouched = True
        with suppress(asyncio.InvalidStateError):
            self.gone.set_result(None)
        self._wake()

    def _judge(self) -> None:
        """See whether the other side had closed before our bytes arrived.

        A system that gets bytes for a closed socket answers with a reset, which is pending on our
        socket behind the end that we have just read. An app that read the request and then closed
        leaves no such trace.
        """
        transport_socket: socket.socket | None = (
            None if self._transport is None else self._transport.get_extra_info("socket")
        )
        if transport_socket is None or self.answered:
            return
        with suppress(OSError):
            pending = transport_socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self.untouched = pending in {errno.EPIPE, errno.ECONNRESET}

    def _wake(self) -> None:
        if self._waiter is not None:
            # Not asked before: the handler of Ctrl-C may cancel it between question and deed.
            with suppress(asyncio.InvalidStateError):
                self._waiter.set_result(None)

    # What the forwarder calls.

    @property
    def usable(self) -> bool:
        """Whether another request can go over it."""
        if self._over or self._expired or self._unread or self._transport is None:
            return False
        return not self._transport.is_closing()

    def send(self, data: bytes) -> None:
        """Hand bytes to the system; what it does not take at once waits in memory."""
        self.answered = self.untouched = False
        if self._transport is not None:
            self._transport.write(data)

    def rest(self) -> bool:
        """Keep it for another request; False when it is of no more use."""
        if not self.usable or (self._transport and self._transport.get_write_buffer_size()):
            return False
        self.rests_since = self._loop.time()
        return True

    def expire(self) -> None:
        """Wait no longer: whoever reads gets a `TimeoutError` once nothing is left to read."""
        self._expired = True
        self._wake()

    def abort(self) -> None:
        """Close it at once; what was not sent is not sent."""
        if self._transport is not None:
            self._transport.abort()

    async def read_line(self, limit: int) -> bytes:
        """The next line without its end, which may be LF alone.

        Raises:
            TooLongError: No line end within `limit` bytes.
            EndedError: The connection ended first.
            TimeoutError: `expire` was called first.
        """
        start = 0
        while (end := self._unread.find(b"\n", start)) < 0:
            start = len(self._unread)
            if start > limit:
                raise TooLongError
            await self._more()
        if end > limit:
            raise TooLongError
        line = bytes(self._unread[:end]).removesuffix(b"\r")
        self._drop(end + 1)
        return line

    async def read_lines(self, limit: int, check: Callable[[bytes], None]) -> bytes:
        """The lines up to the next empty one, which is taken too; their ends may be LF alone.

        Args:
            limit: Bytes.
            check: Sees each line as it comes while the empty one is not there, and may raise:
                who answers with something else may never send one.

        Raises:
            TooLongError: No empty line within `limit` bytes.
            EndedError: The connection ended first.
            TimeoutError: `expire` was called first.
        """
        start = checked = 0
        while (empty := _EMPTY_LINE.search(self._unread, start)) is None:
            start = max(0, len(self._unread) - 2)
            while (end := self._unread.find(b"\n", checked)) >= 0:
                check(bytes(self._unread[checked:end]))
                checked = end + 1
            if start > limit:
                raise TooLongError
            await self._more()
        if empty.start() > limit:
            raise TooLongError
        lines = bytes(self._unread[: empty.start()])
        self._drop(empty.end())
        return lines

    async def read_some(self, most: int | None, *, to_the_end: bool) -> bytes:
        """One to `most` bytes; empty at the connection's end if `to_the_end`.

        Raises:
            EndedError: It ended, and not `to_the_end`, or with an error.
            TimeoutError: `expire` was called first.
        """
        while not self._unread:
            if self._over and to_the_end and self._error is None:
                return b""
            await self._more()
        data = bytes(self._unread if most is None else self._unread[:most])
        self._drop(len(data))
        return data

    def _drop(self, count: int) -> None:
        del self._unread[:count]
        if self._paused and len(self._unread) <= _PAUSE_BYTES and self._transport is not None:
            self._paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    async def _more(self) -> None:
        """Wait for bytes or the end."""
        if self._over:
            raise EndedError from self._error
        if self._expired:
            raise TimeoutError
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
