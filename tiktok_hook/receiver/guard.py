"""The guard of one connection: enforces limits and deadlines, and delegates to aiohttp."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from typing import cast

from tiktok_hook.receiver.guarded_transport import (
    GuardedTransport,
    HttpProtocol,
    RequestBody,
    acknowledge,
    parser_failed,
)
from tiktok_hook.receiver.input_queue import PIECE_BYTES, InputQueue
from tiktok_hook.receiver.limits import Capacity, Connections
from tiktok_hook.receiver.messages import (
    FULL,
    HEAD_TOO_LARGE,
    MALFORMED,
    TOO_SLOW,
    ReceiverResponse,
    render_final,
)
from tiktok_hook.receiver.reports import ReceiverReports

MAX_PIPELINED = 32
"""Requests that may arrive in one read; after more of them the connection is closed."""

MAX_DISCARDED_BYTES = 4 << 20
"""Input that is discarded after the last response; with more, the connection is reset."""

_LAST_CHUNK = b"\r\n0\r\n\r\n"
_TLS_HANDSHAKE = 0x16
_HOPS = 4


class ConnectionState(Enum):
    """Where a connection is in the exchange of one request."""

    IDLE = auto()
    RECEIVING = auto()
    HANDLING = auto()
    DRAINING = auto()
    TURNED_AWAY = auto()
    CLOSED = auto()


_IDLE = ConnectionState.IDLE
_RECEIVING = ConnectionState.RECEIVING
_HANDLING = ConnectionState.HANDLING
_DRAINING = ConnectionState.DRAINING
_TURNED_AWAY = ConnectionState.TURNED_AWAY
_CLOSED = ConnectionState.CLOSED


class ConnectionGuard(asyncio.Protocol):
    """Keeps one connection within the limits and delegates its bytes to an HTTP protocol.

    It does not parse. The HTTP handler reports the progress of a request: `begin` (the head is
    complete), `wait_for_body` and `body_received`, `complete`, `answered`. Between the arrival of a
    complete head and `begin` there are at most `_HOPS` callbacks of the event loop: the future that
    aiohttp's `start()` awaits, its wake-up, and the first step of the handler's task. Callbacks run
    in order, so if `begin` was not called after `_HOPS` turns of `call_soon`, the head is
    incomplete. Only two rare decisions wait for that (`_settle`): the end of the input, and a head
    beyond its limit.

    Invariants:
        - RECEIVING lasts from the first byte of a request until it is complete. It ends with
          `complete`, at the deadline (408), by eviction or excess (503, 431, 400), or with the
          connection.
        - In HANDLING no deadline runs, and at most one read is accepted: then reading pauses.
          `_ahead_bytes` counts its bytes. They stay counted when the request is answered, because
          they belong to the next one.
        - Once DRAINING or CLOSED, the HTTP protocol is detached: it has seen `connection_lost`,
          has no transport, and gets no more data. `begin` and `complete` return False then.
        - `_held_bytes` is this connection's share of `Capacity.held_bytes`.
        - `_pieces` is the input that was received and is not delegated yet, oldest first. Nothing
          overtakes it: while it is not empty, this guard is in the input queue, reading is paused,
          and data that arrives nevertheless is appended to it. `_held_bytes` and `_ahead_bytes`
          count bytes when they are received, `_request_bytes` when they are delegated.

    Args:
        connect: Creates the HTTP protocol for this guard.
        capacity: Shared with all guards of one server, and the limits.
        reports: Gets the requests that are answered here, and bugs.
        input_queue: Shared with all guards too; delegates large requests a piece at a time.
    """

    def __init__(
        self,
        connect: Callable[["ConnectionGuard"], HttpProtocol],
        capacity: Capacity,
        reports: ReceiverReports,
        input_queue: InputQueue,
    ) -> None:
        self._connect = connect
        self._capacity = capacity
        self._input_queue = input_queue
        self._pieces: deque[bytes] = deque()
        self._pieces_bytes = 0
        self._limits = capacity.limits
        self.reports = reports
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._guarded: GuardedTransport | None = None
        self._http: HttpProtocol | None = None
        self._state = _CLOSED
        self._group: Connections | None = None
        self._has_place = False
        self._since = 0.0
        self._clogged_since: float | None = None
        self.paused = False
        self._eof = False
        self._settling: asyncio.Handle | None = None
        self._hops_left = 0
        self._held_bytes = 0
        self._ahead_bytes = 0
        self._request_bytes = 0
        self._discarded_bytes = 0
        self._pipelined = 0
        self._tail = b""
        self._tls = False
        self._chunked = False
        self._kept_after_chunks = False
        self._waiting = False
        self._body: RequestBody | None = None
        self._task: asyncio.Task[None] | None = None
        self._method = ""
        self._target = ""
        self.peer = ""

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.peer = str(peer[0]) if isinstance(peer, tuple) and peer else ""
        if not self._admit():
            self._enter(_TURNED_AWAY, self._capacity.turned_away)
            # Their number is limited too: to as many as may be served.
            if len(self._capacity.turned_away) > self._limits.connections:
                self.abort()

    def data_received(self, data: bytes) -> None:
        try:
            if self._state is not _IDLE and self._rejects(data):
                return
            self._count(data)
            if self._pieces or self._request_bytes + len(data) > PIECE_BYTES:
                self._queue(data)
            else:
                self._delegate(data)
        except Exception as bug:  # noqa: BLE001 - the loop would print a traceback
            self.reports.bug(bug)
            self.abort()

    def delegate_piece(self) -> bool:
        """Delegate the oldest waiting piece of input; called by the input queue.

        Returns:
            Whether more pieces wait.
        """
        try:
            if self._pieces:
                piece = self._pieces.popleft()
                self._pieces_bytes -= len(piece)
                self._delegate(piece)
            if self._pieces:
                return True
            if self._eof and self._state is not _HANDLING:
                self._settle()
            if self._state is not _HANDLING and self._clogged_since is None:
                self._resume()
        except Exception as bug:  # noqa: BLE001 - the loop would print a traceback
            self.reports.bug(bug)
            self.abort()
        return False

    def eof_received(self) -> bool:
        """Keep this side of the connection open, so that a POST followed by FIN is answered."""
        if self._state in {_DRAINING, _TURNED_AWAY, _CLOSED}:
            return False
        self._eof = True
        if self._state is not _HANDLING and not self._pieces:
            self._settle()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        if self._state is _RECEIVING:
            self._report(400, "ended before it was complete")
        self._transport = None
        self._detach(exc)
        self._close()

    def pause_writing(self) -> None:
        self._clogged_since = self._loop.time()
        self._pause()
        if self._http is not None:
            self._http.pause_writing()

    def resume_writing(self) -> None:
        self._clogged_since = None
        if self._state is not _HANDLING:
            self._since = self._loop.time()
            self._resume()
        if self._http is not None:
            self._http.resume_writing()

    # Called by the HTTP handler.

    def begin(
        self,
        method: str,
        target: str,
        body: RequestBody,
        task: asyncio.Task[None] | None,
        *,
        chunked: bool,
    ) -> bool:
        """Report a complete head; False when the connection has been ended meanwhile."""
        if self._state is _IDLE:  # it arrived in one read with the request before it
            self._enter(_RECEIVING, self._capacity.receiving)
        if self._state is not _RECEIVING:
            return False
        self._method, self._target = method, target
        if self._kept_after_chunks:
            # See `ends_connection`: its head may hold trailers of the request before it.
            self.reject(MALFORMED, "sent together with a chunked request")
            return False
        # A check that is under way is of this request, and not of the next one.
        self._stop_settling()
        self._body = body
        self._task = task
        self._chunked = chunked
        self._pipelined += 1
        return True

    def wait_for_body(self) -> bool:
        """Report that the handler has read the body as far as it was received, and needs more.

        Returns:
            False when no more can be received. The connection is ended and the reason reported.
        """
        if self._state is not _RECEIVING:
            return False
        if self._pieces:
            self._waiting = True
            return True
        if self._eof:
            self._end_incomplete()
            return False
        if self._chunked and self._http_failed():
            self.reject(MALFORMED, "malformed chunks")
            return False
        self._acknowledge()
        self._waiting = True
        return True

    def body_received(self) -> None:
        """Report that more of the body was received."""
        self._waiting = False

    def complete(self) -> bool:
        """Report a complete body; False when the connection has been ended meanwhile."""
        if self._state is not _RECEIVING:
            return False
        self._enter(_HANDLING, self._capacity.handling)
        self._ahead_bytes = self._pieces_bytes
        return True

    @property
    def is_detached(self) -> bool:
        """Whether the HTTP protocol has seen the end of the connection."""
        return self._http is None

    @property
    def may_exceed_head(self) -> bool:
        """Whether enough bytes were received that the head of the request may be too large."""
        return self._request_bytes > self._limits.head_bytes

    @property
    def ends_connection(self) -> bool:
        """Whether the current response is the last one of this connection.

        aiohttp 3.14 takes the trailers of a chunked request for headers of the next request, so
        a stranger could add headers to a request that follows on the same connection. Therefore
        the connection stays open only if the body ended in a last chunk without trailers and
        nothing had arrived after that. A request in the same read is answered 400 by `begin`.
        """
        return (
            self._capacity.leaving
            or self._pipelined > MAX_PIPELINED
            or (self._chunked and (self._ahead_bytes > 0 or self._tail != _LAST_CHUNK))
        )

    def answered(self) -> None:
        """Report that the handler has returned; the response is written in the same step."""
        capacity = self._capacity
        self._release_bytes(keep=self._ahead_bytes)
        self._body = self._task = None
        if self._state is not _HANDLING:
            if self._state is _CLOSED:  # the client disconnected before the response
                self._leave_group()
            return
        if self._ahead_bytes:
            self._enter(_RECEIVING, capacity.receiving)
            self._request_bytes = self._ahead_bytes - self._pieces_bytes
        else:
            self._enter(_IDLE, capacity.idle)
            self._request_bytes = 0
            self._kept_after_chunks = self._chunked
            self._tail = b""
        if self._eof and not self._pieces:
            self._settle()
        if self._clogged_since is None:
            self._resume()

    def reject(self, response: ReceiverResponse, reason: str) -> None:
        """Answer a request that is not handled, end the connection, and report it."""
        if self._transport is None or self._state is _DRAINING:
            return
        self._transport.write(render_final(response, head=self._method == "HEAD"))
        self._report(response.status, reason)
        self.drain()

    def malformed(self, response: ReceiverResponse, reason: str) -> None:
        """Answer a request that could not be parsed; its first byte may show that it is TLS."""
        self.reject(response, "TLS spoken to a plain HTTP port" if self._tls else reason)

    def drain(self) -> None:
        """Close for writing and discard further input, so that the client can read the response."""
        if self._transport is None or self._state in {_DRAINING, _CLOSED}:
            return
        self._drop_pieces()
        self._release_bytes()
        self._enter(_DRAINING, self._capacity.draining)
        self._release_place()
        self._detach(None)
        if self._eof or len(self._capacity.draining) > self._limits.connections:
            self._transport.close()
            return
        with suppress(OSError, RuntimeError):  # the client may be gone
            self._transport.write_eof()
        if not self._transport.is_closing():
            self._transport.resume_reading()

    # Called by the server.

    @property
    def since(self) -> float:
        """Loop time at which the current state began."""
        return self._since

    def check(self, now: float) -> None:
        """Enforce the deadline of the current state; called about once a second."""
        limits, state = self._limits, self._state
        waited = now - self._since
        if self._clogged_since is not None:
            if now - self._clogged_since > limits.request_seconds:
                self.abort()
        elif state is _DRAINING:
            if waited > limits.drain_seconds:
                self.abort()
        elif state is _TURNED_AWAY:
            if waited > limits.drain_seconds:
                self.reject(FULL, "too many connections")
        elif state is _RECEIVING:
            if waited > limits.request_seconds:
                self.reject(TOO_SLOW, f"not complete after {limits.request_seconds:g} s")
        elif state is _IDLE:
            unused = self._group is self._capacity.unused
            if waited > (limits.unused_seconds if unused else limits.idle_seconds):
                self.close_if_idle()

    def evict(self) -> None:
        """End this connection in favour of a new one."""
        if self._state is _RECEIVING:
            self.reject(FULL, "evicted: the oldest incomplete request of too many")
        else:
            self.close_if_idle()

    def close_if_idle(self) -> None:
        """Close unless a request is being received or handled."""
        if self._state is _IDLE and self._transport is not None:
            self._leave_group()
            self._release_place()
            self._transport.close()

    def abort(self) -> None:
        """Close at once in every state."""
        if self._transport is not None:
            self._transport.abort()

    def report_bug(self, bug: Exception) -> None:
        """Report an exception that must not happen."""
        self.reports.bug(bug)

    def cancel(self) -> None:
        """Cancel the handling of the request."""
        if self._task is not None:
            self._task.cancel()

    # Internal.

    def _admit(self) -> bool:
        """Count this connection and connect the HTTP protocol; False when there are too many."""
        capacity = self._capacity
        now = self._loop.time()
        if capacity.places >= self._limits.connections:
            oldest = capacity.evictable(now)
            if oldest is not None:
                oldest.evict()
        if capacity.places >= self._limits.connections:
            return False
        capacity.places += 1
        self._has_place = True
        self._enter(_IDLE, capacity.unused)
        assert self._transport is not None
        self._guarded = GuardedTransport(self, self._transport)
        self._http = self._connect(self)
        self._http.connection_made(cast("asyncio.BaseTransport", self._guarded))
        return True

    def _rejects(self, data: bytes) -> bool:
        """Whether `data` is discarded: there are too many connections, or this one is ending."""
        if self._state is _TURNED_AWAY and not self._admit():
            self.reject(FULL, "too many connections")
        if self._state is not _DRAINING and self._state is not _CLOSED:
            return False
        self._discarded_bytes += len(data)
        if self._discarded_bytes > MAX_DISCARDED_BYTES:
            self.abort()
        return True

    def _count(self, data: bytes) -> None:
        """Count received bytes, before they are delegated."""
        size = len(data)
        if self._state is _IDLE:
            self._enter(_RECEIVING, self._capacity.receiving)
            self._kept_after_chunks = False
            self._tls = data[0] == _TLS_HANDSHAKE
        elif self._state is _HANDLING:
            self._ahead_bytes += size
            self._pause()
        self._pipelined = 0
        self._held_bytes += size
        self._capacity.held_bytes += size
        self._tail = data[-7:] if size >= 7 else (self._tail + data)[-7:]

    def _queue(self, data: bytes) -> None:
        """Queue `data` in pieces, and read no more until all of them have been delegated."""
        if self._state is _RECEIVING and self._capacity.held_bytes > self._limits.held_bytes:
            self.reject(FULL, "too many bytes at once")
            return
        if not self._pieces:
            self._input_queue.add(self)
        self._pieces.extend(data[at : at + PIECE_BYTES] for at in range(0, len(data), PIECE_BYTES))
        self._pieces_bytes += len(data)
        self._pause()

    def _drop_pieces(self) -> None:
        self._pieces.clear()
        self._pieces_bytes = 0

    def _delegate(self, data: bytes) -> None:
        """Pass `data` to the HTTP protocol, and enforce the limits of an incomplete request."""
        self._request_bytes += len(data)
        body, http = self._body, self._http
        taken = 0 if body is None else body.total_bytes
        assert http is not None
        http.data_received(data)
        if self._state is _RECEIVING:
            self._check_incomplete(data, body, taken)

    def _check_incomplete(self, data: bytes, body: RequestBody | None, taken: int) -> None:
        """Enforce the byte limits on a request that `data` did not complete.

        Args:
            data: The bytes that were delegated last.
            body: The body of the request before them; None if its head was not complete.
            taken: Bytes of the body before them.
        """
        limits = self._limits
        if self._capacity.held_bytes > limits.held_bytes:
            self.reject(FULL, "too many bytes at once")
        elif self._request_bytes > limits.request_bytes:
            self.reject(MALFORMED, "chunks too small")
        elif body is None:
            if self.may_exceed_head:
                self._settle()
            elif b"\r\n\r\n" not in data:
                self._acknowledge()
        elif self._waiting and body.total_bytes == taken and not body.is_eof():
            if self._chunked and self._http_failed():
                self.reject(MALFORMED, "malformed chunks")
            else:
                self._acknowledge()

    def _settle(self) -> None:
        """Decide after `_HOPS` turns of the event loop; the class explains why."""
        if self._settling is None:
            self._hops_left = _HOPS
            self._settling = self._loop.call_soon(self._settle_later)

    def _stop_settling(self) -> None:
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None

    def _settle_later(self) -> None:
        self._hops_left -= 1
        if self._hops_left:
            self._settling = self._loop.call_soon(self._settle_later)
            return
        self._settling = None
        if self._state is _IDLE:
            if self._eof:
                self.close_if_idle()
        elif self._state is _RECEIVING:
            if self._eof and (self._body is None or self._waiting):
                if self._body is None or not self._body.is_eof():
                    self._end_incomplete()
            elif self._body is None and self.may_exceed_head:
                self.reject(HEAD_TOO_LARGE, "headers too large")

    def _end_incomplete(self) -> None:
        """End the connection of a client that sends no more before its request is complete."""
        self._report(400, "ended before it was complete")
        self.drain()

    def _enter(self, state: ConnectionState, group: Connections) -> None:
        """Change state, and move to the group of `Capacity` for that state."""
        if self._group is not None:
            self._group.pop(self, None)
        self._state = state
        self._since = self._loop.time()
        self._group = group
        group[self] = None

    def _leave_group(self) -> None:
        if self._group is not None:
            self._group.pop(self, None)
            self._group = None
        self._capacity.changed.set()

    def _release_place(self) -> None:
        if self._has_place:
            self._has_place = False
            self._capacity.places -= 1
            self._capacity.changed.set()

    def _release_bytes(self, *, keep: int = 0) -> None:
        self._capacity.held_bytes -= self._held_bytes - keep
        self._held_bytes = keep

    def _detach(self, exc: Exception | None) -> None:
        """Detach the HTTP protocol, whose handler gets an error if it reads any further."""
        http, self._http = self._http, None
        if http is not None:
            http.connection_lost(exc)

    def _close(self) -> None:
        self._drop_pieces()
        handling = self._state is _HANDLING
        self._state = _CLOSED
        self._release_place()
        # These refer to this guard, so they are dropped: then a closed connection, and all that was
        # received on it, is freed at once and not later by the garbage collector.
        self._guarded = self._body = None
        if not handling:
            self._task = None
            self._leave_group()
            self._release_bytes()

    def _report(self, status: int, reason: str) -> None:
        self.reports.non_webhook(self._method, self._target, status, reason)

    def _pause(self) -> None:
        if not self.paused and self._transport is not None:
            self.paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if not self.paused or self._pieces:
            return
        if self._transport is None or self._transport.is_closing():
            return
        self.paused = False
        if self._guarded is None or not self._guarded.paused:
            self._transport.resume_reading()

    def _http_failed(self) -> bool:
        assert self._guarded is not None
        assert self._http is not None
        return parser_failed(self._http, self._guarded)

    def _acknowledge(self) -> None:
        if self._transport is not None:
            acknowledge(self._transport)
