"""A muxado session, the service's end of it: many streams over one agent connection."""

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable
from typing import cast

from tests.ngrok_service.frames import (
    FIN,
    SYN,
    WINDOW_BYTES,
    Code,
    Decoder,
    Frame,
    FrameError,
    Kind,
    encode,
)

CHUNK_BYTES = 65_536
"""Largest body of a frame we send, and how much is read before credit is given back."""


class StreamError(ConnectionError):
    """The stream ended otherwise than by FIN: reset, or its connection is gone."""


class Stream:
    """One two-way stream; reads like an ``asyncio.StreamReader``."""

    def __init__(self, session: "Session", stream_id: int) -> None:
        self.id = stream_id
        self._session = session
        self._reader = asyncio.StreamReader(limit=WINDOW_BYTES * 2)
        self._receive_window = WINDOW_BYTES
        self._unread = 0
        self._uncredited = 0
        self._released = False
        self._send_window = WINDOW_BYTES
        self._pending = bytearray()
        self._flushed: asyncio.Future[None] | None = None
        self._finishing = False
        self._opening = 0 if stream_id % 2 else SYN  # even ids are ours to open
        self._sent_fin = False
        self._received_fin = False
        self._error: StreamError | None = None

    @property
    def usable(self) -> bool:
        """Whether the peer may still send; False once it has sent FIN or the stream broke."""
        return not self._received_fin and self._error is None

    async def read(self, n: int) -> bytes:
        """Return up to n bytes, ``b""`` at the end; raises StreamError for a broken stream."""
        data = await self._reader.read(n)
        self._consumed(len(data))
        return data

    async def readexactly(self, n: int) -> bytes:
        """Return n bytes; raises ``asyncio.IncompleteReadError`` or StreamError."""
        data = await self._reader.readexactly(n)
        self._consumed(n)
        return data

    async def readuntil(self, separator: bytes) -> bytes:
        """Return all up to and with separator; raises as a StreamReader or StreamError."""
        data = await self._reader.readuntil(separator)
        self._consumed(len(data))
        return data

    def write(self, data: bytes) -> None:
        """Send data as far as the credit goes and keep the rest; see drain."""
        if self._error is None and not self._finishing:
            self._pending += data
            self._flush()

    async def drain(self) -> None:
        """Wait until all written has left; raises StreamError for a broken stream."""
        if self._pending and self._error is None:
            if self._flushed is None:
                self._flushed = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._flushed)
        if self._error is not None:
            raise self._error
        await self._session.drained()

    def finish(self) -> None:
        """Send FIN once everything written has left."""
        self._finishing = True
        self._flush()

    def release(self) -> None:
        """Send FIN, drop what has not left yet, and let whatever still comes go unread.

        A reset would end the stream at once, but the SDK then keeps its connection to the
        application open; after a FIN the application is notified and ends it.
        """
        self._released = True
        self._pending.clear()
        self.finish()
        self._consumed(self._unread)

    def reset(self, code: Code = Code.STREAM_CANCELLED) -> None:
        """Give the stream up at once, both ways; nothing happens when it is over already."""
        if self._error is None and not (self._sent_fin and self._received_fin):
            self._session.send(encode(Kind.RST, self.id, int(code).to_bytes(4, "big")))
            self.broken(StreamError(f"stream reset: {code.name}"))

    def receive(self, data: bytes, *, fin: bool) -> None:
        """Take in what the peer sent."""
        if self._received_fin or self._error is not None:
            return
        self._receive_window -= len(data)
        if self._receive_window < 0:
            self.reset(Code.FLOW_CONTROL)
            return
        self._unread += len(data)
        if self._released:
            self._consumed(self._unread)
        elif data:
            self._reader.feed_data(data)
        if fin:
            self._received_fin = True
            self._reader.feed_eof()
            self._forget_if_over()

    def credit(self, credit: int) -> None:
        """Send on: the peer made room."""
        self._send_window += credit
        self._flush()

    def broken(self, error: StreamError) -> None:
        """End both directions with error; a task that waits on the stream gets it."""
        self._error = error
        self._pending.clear()
        if not self._received_fin:  # else all that was to come is there to be read
            self._reader.set_exception(error)
        self._notify_flushed()
        self._session.forget(self.id)

    def _flush(self) -> None:
        while self._pending and self._send_window:
            size = min(len(self._pending), self._send_window, CHUNK_BYTES)
            body = bytes(self._pending[:size])
            del self._pending[:size]
            self._send_window -= size
            self._send_data(body)
        if self._pending:
            return
        self._notify_flushed()
        if self._finishing and not self._sent_fin and self._error is None:
            self._sent_fin = True
            self._send_data(b"", FIN)
            self._forget_if_over()

    def _send_data(self, body: bytes, flags: int = 0) -> None:
        self._session.send(encode(Kind.DATA, self.id, body, flags | self._opening))
        self._opening = 0

    def _notify_flushed(self) -> None:
        if self._flushed is not None:
            self._flushed.set_result(None)
            self._flushed = None

    def _consumed(self, n: int) -> None:
        self._unread -= n
        self._uncredited += n
        if self._uncredited >= CHUNK_BYTES and self.usable:
            self._session.send(encode(Kind.WNDINC, self.id, self._uncredited.to_bytes(4, "big")))
            self._receive_window += self._uncredited
            self._uncredited = 0

    def _forget_if_over(self) -> None:
        if self._sent_fin and self._received_fin:
            self._session.forget(self.id)


class Session(asyncio.Protocol):
    """The connection of one agent.

    Args:
        on_open: Called when the connection is established.
        on_stream: Called with each stream that the agent opens.
        on_lost: Called once, when the connection is gone.
    """

    def __init__(
        self,
        on_open: Callable[["Session"], None],
        on_stream: Callable[["Session", Stream], None],
        on_lost: Callable[["Session"], None],
    ) -> None:
        self._on_open = on_open
        self._on_stream = on_stream
        self._on_lost = on_lost
        self._decoder = Decoder()
        self._streams: dict[int, Stream] = {}
        self._next_id = 2
        self._silent = False
        self._writable = asyncio.Event()
        self._writable.set()
        self._waiting_for_room: deque[asyncio.Future[None]] = deque()
        self._lost = ""
        self.last_heard = asyncio.get_running_loop().time()
        """When the agent last sent anything, on the event loop's clock."""

    @property
    def streams(self) -> int:
        """How many streams are open, both sides' together."""
        return len(self._streams)

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._socket: socket.socket = transport.get_extra_info("socket")
        self._on_open(self)

    def data_received(self, data: bytes) -> None:
        # The SDK writes small frames apart under Nagle's algorithm: each would wait 40 ms
        # for a delayed ACK. The kernel drops the option again by itself, so: after every read.
        if hasattr(socket, "TCP_QUICKACK"):
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        if self._silent:
            return
        self.last_heard = asyncio.get_running_loop().time()
        try:
            for frame in self._decoder.feed(data):
                self._take(frame)
        except FrameError as error:
            self.go_away(error.code, str(error))
            self._transport.close()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._break_streams("the agent's connection is gone")
        self._writable.set()
        self._on_lost(self)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # What the service does.

    async def room(self, limit: int) -> None:
        """Wait until fewer than limit streams are open."""
        while len(self._streams) >= limit:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting_for_room.append(waiter)
            await waiter

    def open(self, first: bytes) -> Stream:
        """Open a stream towards the agent; its first frame holds first.

        Raises:
            StreamError: The connection is gone or the session given up.
        """
        if self._lost:
            raise StreamError(self._lost)
        stream = Stream(self, self._next_id)
        self._next_id += 2
        self._streams[stream.id] = stream
        stream.write(first)
        return stream

    def go_away(self, code: Code = Code.NONE, message: str = "") -> None:
        """Notify the agent that this connection accepts no more streams."""
        newest = max((id_ for id_ in self._streams if id_ % 2), default=0)
        body = newest.to_bytes(4, "big") + int(code).to_bytes(4, "big") + message.encode()
        self.send(encode(Kind.GOAWAY, 0, body))

    def abort(self) -> None:
        """Drop the connection at once."""
        self._transport.abort()

    def silence(self) -> None:
        """Keep the connection open, but send and read nothing any more."""
        self._silent = True
        self._transport.pause_reading()

    def desert(self) -> None:
        """Break all streams without a word to the agent."""
        self._break_streams("the service gave the session up")

    # What streams do.

    def send(self, data: bytes) -> None:
        """Write to the connection: frames, or in a test of bad luck anything."""
        if not self._silent and not self._transport.is_closing():
            self._transport.write(data)

    async def drained(self) -> None:
        """Wait until the connection takes more."""
        await self._writable.wait()

    def forget(self, stream_id: int) -> None:
        self._streams.pop(stream_id, None)
        while self._waiting_for_room:
            waiter = self._waiting_for_room.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _take(self, frame: Frame) -> None:
        if frame.kind is Kind.GOAWAY:
            self._transport.close()
            return
        stream = self._streams.get(frame.stream_id)
        if stream is None and frame.flags & SYN and frame.kind is Kind.DATA:
            if frame.stream_id % 2 == 0:
                raise FrameError(Code.PROTOCOL, f"agent opened the even stream {frame.stream_id}")
            stream = self._streams[frame.stream_id] = Stream(self, frame.stream_id)
            self._on_stream(self, stream)
        if frame.kind is Kind.DATA:
            if stream is None:
                closed = int(Code.STREAM_CLOSED).to_bytes(4, "big")
                self.send(encode(Kind.RST, frame.stream_id, closed))
            else:
                stream.receive(frame.body, fin=bool(frame.flags & FIN))
        elif stream is None:
            return
        elif len(frame.body) != 4:
            raise FrameError(Code.FRAME_SIZE, f"{frame.kind.name} of {len(frame.body)} bytes")
        elif frame.kind is Kind.WNDINC:
            stream.credit(int.from_bytes(frame.body, "big") & 0x7FFF_FFFF)
        else:
            code = int.from_bytes(frame.body, "big")
            stream.broken(StreamError(f"stream reset by the agent, code {code}"))

    def _break_streams(self, why: str) -> None:
        self._lost = why
        for stream in list(self._streams.values()):
            stream.broken(StreamError(why))
