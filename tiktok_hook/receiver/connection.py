"""One connection to the receiver: bytes in, requests out, answers back, deadlines kept."""

import asyncio
import socket
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Protocol, cast

from aiohttp.http import HttpRequestParser, HttpVersion10, RawRequestMessage
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import StreamReader

from tiktok_hook.receiver.answer import NOT_ALLOWED, Answer, Request, busy, error, render
from tiktok_hook.receiver.parsing import TOO_LONG, VERSIONS, parser_for, reason_for, target_of
from tiktok_hook.receiver.rules import Limits, Receiver

MAX_PIPELINED = 32
"""Requests that one read may bring; a client that sends more at once is cut off behind them."""

MAX_DISCARDED_BYTES = 4 << 20
"""What is read and thrown away after a refusal, before the connection is reset."""

_QUICKACK = getattr(socket, "TCP_QUICKACK", None)
_MALFORMED = error(400, "malformed request")
_HEAD_TOO_LARGE = error(431, "headers too large")
_NOT_SPOKEN = error(505, "HTTP/1.1 is spoken here")
_TOO_LARGE = error(413, "body too large")
_TOO_SLOW = error(408, "request took too long")
_FULL = busy("too many requests at once")


class Home(Protocol):
    """What a connection needs of the server that it belongs to."""

    rules: Receiver
    limits: Limits
    loop: asyncio.AbstractEventLoop
    bodies_bytes: int
    leaving: bool

    def opened(self, connection: "Connection") -> bool:
        """Take in a connection; False when there are too many."""

    def refused(self, connection: "Connection") -> None:
        """Give its place to another: what it still sends is thrown away."""

    def closed(self, connection: "Connection") -> None:
        """Forget it."""

    def begin(self) -> bool:
        """Count a request that is going to be answered; False when too many are already."""

    def end(self) -> None:
        """Count one that was answered."""

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run what answers a request and needs a task for it."""


class Connection(asyncio.Protocol):
    """HTTP/1.1 on one connection: one request at a time, in order."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._loop = home.loop
        self._limits = home.limits
        self._transport: asyncio.Transport | None = None
        self._parser: HttpRequestParser | None = None
        self._peer = ""
        self._waiting: deque[tuple[RawRequestMessage, StreamReader]] = deque()
        self._message: RawRequestMessage | None = None
        self._payload: StreamReader | None = None
        self._parts: list[bytes] = []
        self._body_bytes = 0
        self._raw_bytes = 0
        self._started: float | None = None
        self._since = 0.0
        self._used = False
        self._turned_away = False
        self._paused = False
        self._clogged = False
        self._last = False
        self._unread = False
        self._lingering = False
        self._discarded = 0
        self.busy = False
        # The parser's payloads ask their protocol for these; see `parser_for`.
        self._reading_paused = False

    @property
    def idle(self) -> bool:
        """Whether nothing of a request is here and nothing is being answered."""
        return not self.busy and self._started is None and not self._lingering

    @property
    def idle_since(self) -> float:
        """Loop time since when it is idle."""
        return self._since

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._since = self._loop.time()
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if isinstance(peer, tuple) and peer else ""
        if self._home.opened(self):
            self._parser = parser_for(self, self._loop)
        else:
            self._turned_away = True

    def connection_lost(self, _: Exception | None) -> None:
        if self._started is not None and not self.busy and not self._lingering:
            self._broken_off()
        self._home.closed(self)
        if not self.busy:
            self._release_body()
        self._waiting.clear()
        self._transport = None
        self._parser = None

    def eof_received(self) -> bool:
        if self.busy:
            self._last = True
            return True
        if self._started is not None and not self._lingering:
            self._broken_off()
        return False

    def pause_reading(self) -> None:
        """Asked by the parser's payloads; never needed, see `parser_for`."""

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002 - theirs
        """Asked by the parser's payloads; never needed, see `parser_for`."""

    def pause_writing(self) -> None:
        self._clogged = True
        self._since = self._loop.time()
        self._pause()

    def resume_writing(self) -> None:
        self._clogged = False
        if not self.busy:
            self._go_on()

    def data_received(self, data: bytes) -> None:
        try:
            self._take(data)
        except Exception as bug:  # noqa: BLE001 - the loop would print it and go on
            self._fail(bug)

    def _take(self, data: bytes) -> None:
        if self._lingering or self._transport is None:
            self._discard(data)
            return
        if self._turned_away:
            self._refuse(_FULL, "too many connections")
            return
        if self._started is None:
            self._started = self._loop.time()
        self._raw_bytes += len(data)
        assert self._parser is not None
        try:
            messages, upgraded, _ = self._parser.feed_data(data)
        except (HttpProcessingError, ValueError, RuntimeError, AssertionError) as malformed:
            self._malformed(malformed, data)
            return
        if messages:
            self._waiting.extend(messages)
            if len(self._waiting) > MAX_PIPELINED:
                while len(self._waiting) > MAX_PIPELINED:
                    self._waiting.pop()
                self._cut_off()
        if upgraded:
            self._cut_off()
        if self.busy or self._clogged:
            self._pause()
        else:
            self._advance()

    def _go_on(self) -> None:
        try:
            self._advance()
        except Exception as bug:  # noqa: BLE001 - the loop would print it and go on
            self._fail(bug)

    def _fail(self, bug: Exception) -> None:
        self._home.rules.bug(bug)
        if self._transport is not None:
            self._transport.abort()

    def check(self, now: float) -> None:
        """Keep the deadlines; called about once a second."""
        limits = self._limits
        if self._transport is None:
            return
        if self._lingering:
            if now - self._since > limits.linger_seconds:
                self._transport.abort()
        elif self._clogged:
            if now - self._since > limits.request_seconds:
                self._transport.abort()
        elif self.busy:
            return
        elif self._turned_away:
            if now - self._since > limits.linger_seconds:
                self._refuse(_FULL, "too many connections")
        elif self._started is not None:
            if now - self._started > limits.request_seconds:
                self._refuse(_TOO_SLOW, f"not whole after {limits.request_seconds:g} s")
        elif now - self._since > (limits.idle_seconds if self._used else limits.unused_seconds):
            self._transport.close()

    def leave(self, *, now: bool = False) -> None:
        """End with what is being answered; `now`: whatever is being answered."""
        self._last = True
        if self._transport is None:
            return
        if now:
            self._transport.abort()
        elif self.idle:
            self._transport.close()

    def _advance(self) -> None:
        """Take requests in their order until one is not whole, or is being answered."""
        while not self.busy and not self._clogged and not self._lingering:
            if self._payload is None:
                if not self._waiting:
                    self._rest()
                    return
                self._message, self._payload = self._waiting.popleft()
                if not self._begin(self._message, self._payload):
                    return
            if not self._collect(self._payload):
                return
            self._dispatch()

    def _rest(self) -> None:
        """All that came is answered; what is left, if anything, is a part of a head."""
        if self._started is not None and self._raw_bytes > self._limits.head_bytes:
            self._refuse(_HEAD_TOO_LARGE, "headers too large")
            return
        if self._started is not None:
            self._acknowledge()
        elif self._last and self._transport is not None:
            self._transport.close()
        self._resume()

    def _begin(self, message: RawRequestMessage, payload: StreamReader) -> bool:
        """Judge a head whose body may not be here yet; False when that ended the connection."""
        if message.method == "CONNECT":
            self._refuse(NOT_ALLOWED, "this is no proxy")
            return False
        if message.version not in VERSIONS:
            self._refuse(_NOT_SPOKEN, "HTTP/1.1 is spoken here")
            return False
        if payload.is_eof():
            return True
        length = message.headers.get("Content-Length", "")
        if length.isdecimal() and int(length) > self._home.rules.max_body_bytes:
            self._refuse(_TOO_LARGE, f"body of {int(length)} bytes")
            return False
        expected = message.headers.get("Expect")
        if expected is not None and expected.lower() == "100-continue":
            assert self._transport is not None
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _collect(self, payload: StreamReader) -> bool:
        """Take what has come of the body; False while it is not whole, or when it is too long."""
        data = payload.read_nowait(-1)
        if data:
            self._parts.append(data)
            self._body_bytes += len(data)
            self._home.bodies_bytes += len(data)
        limit = self._home.rules.max_body_bytes
        if self._body_bytes > limit:
            self._refuse(_TOO_LARGE, f"body of more than {limit} bytes")
        elif self._home.bodies_bytes > self._limits.bodies_bytes:
            self._refuse(_FULL, "too many bytes at once")
        elif payload.is_eof():
            return True
        elif self._raw_bytes > 4 * limit + self._limits.head_bytes:
            self._refuse(_MALFORMED, "chunks too small")
        else:
            self._acknowledge()
            self._resume()
        return False

    def _dispatch(self) -> None:
        message = self._message
        assert message is not None
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        request = Request(
            message.method,
            target_of(message.path),
            tuple(
                [
                    (name.decode("latin-1"), value.decode("latin-1"))
                    for name, value in message.raw_headers
                ]
            ),
            body,
            VERSIONS[message.version],
            self._peer,
        )
        self._last = self._last or message.should_close or self._home.leaving
        if message.chunked:
            # aiohttp 3.14's parser takes its trailers for headers of the next request.
            self._cut_off()
            self._waiting.clear()
        self._payload = None
        self._parts = []
        self.busy = True
        if not self._home.begin():
            self._send(_FULL)
            self._home.rules.probe(request.method, request.target, 503, "too many requests at once")
            return
        work = self._home.rules.respond(request, self._answer)
        if work is not None:
            self._home.start(work)

    def _answer(self, answer: Answer) -> None:
        self._home.end()
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        """Write the answer of the request at hand, and go on with the next."""
        message, self._message = self._message, None
        self.busy = False
        self._release_body()
        self._used = True
        self._since = self._loop.time()
        self._raw_bytes = 0
        self._started = self._since if self._waiting else None
        if self._transport is None or message is None:
            return
        last = self._last and not self._waiting
        self._transport.write(
            render(
                answer,
                head=message.method == "HEAD",
                close=last,
                old=message.version == HttpVersion10,
            )
        )
        if last and self._unread:
            self._linger()
        elif last:
            self._transport.close()
        elif self._waiting or self._paused:
            self._loop.call_soon(self._go_on)

    def _refuse(self, answer: Answer, reason: str) -> None:
        """Answer a request that is not whole, and end the connection."""
        message = self._message or (self._waiting[0][0] if self._waiting else None)
        method, target = (message.method, target_of(message.path)) if message else ("", "")
        self._release_body()
        self._waiting.clear()
        if self._transport is not None:
            self._transport.write(render(answer, head=method == "HEAD", close=True))
        self._linger()
        self._home.rules.probe(method, target, answer.status, reason)

    def _cut_off(self) -> None:
        """End the connection with the answer at hand, whatever came behind it."""
        self._last = True
        self._unread = True

    def _linger(self) -> None:
        """End our side and throw away what still comes: closing now would take the answer back."""
        self._lingering = True
        self._since = self._loop.time()
        self._parser = None
        if self._transport is not None:
            with suppress(OSError):  # the client may be gone
                self._transport.write_eof()
            self._resume()
            self._home.refused(self)

    def _malformed(self, problem: Exception, data: bytes) -> None:
        reason = reason_for(problem, data)
        if self.busy:  # what came before it gets its answer; this ends the connection unanswered
            self._cut_off()
            self._waiting.clear()
            self._pause()
            self._home.rules.probe("", "", 400, reason)
        else:
            self._refuse(_HEAD_TOO_LARGE if reason == TOO_LONG else _MALFORMED, reason)

    def _broken_off(self) -> None:
        message = self._message
        method, target = (message.method, target_of(message.path)) if message else ("", "")
        self._started = None
        self._home.rules.probe(method, target, 400, "broken off before it was whole")

    def _discard(self, data: bytes) -> None:
        self._discarded += len(data)
        if self._discarded > MAX_DISCARDED_BYTES and self._transport is not None:
            self._transport.abort()

    def _release_body(self) -> None:
        self._home.bodies_bytes -= self._body_bytes
        self._body_bytes = 0
        self._payload = None
        self._parts = []

    def _pause(self) -> None:
        if not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused and self._transport is not None and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    def _acknowledge(self) -> None:
        """Acknowledge at once what is not a whole request.

        A sender with Nagle's algorithm on, as ngrok's SDK is, holds the rest back for 40 ms else.
        """
        if _QUICKACK is None or self._transport is None:
            return
        with suppress(OSError):  # the client may be gone
            self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
