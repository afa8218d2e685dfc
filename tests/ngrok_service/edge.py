"""The public side: plain HTTP in, tunnels out."""

import asyncio
import contextlib
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from http import HTTPStatus

from tests.ngrok_service.agents import Agent
from tests.ngrok_service.http1 import (
    CHUNK_BYTES,
    Head,
    MessageError,
    body_length,
    canonical,
    read_chunked,
    read_head,
    read_sized,
    read_to_end,
)
from tests.ngrok_service.muxado import Stream, StreamError
from tests.ngrok_service.registry import Registry, Tunnel

IDLE_TIMEOUT = 120.0
ANSWER_TIMEOUT = 120.0
SLOT_TIMEOUT = 30.0
TLS_HANDSHAKE = b"\x16"
CLOSE_TIMEOUT = 1.0
MAX_VERIFIED_BYTES = 32 << 20
SIGNATURE_TOLERANCE = 300.0


class Edge:
    """Serves the connections of the public.

    Args:
        registry: Knows which tunnel a host belongs to.
        max_streams: Most streams at a time on one agent's session; the SDK drops its connection
            at 513. Who comes when all are taken waits.
        split_bodies: Forward a request's body in a frame of its own, behind its head's.
    """

    def __init__(self, registry: Registry, *, max_streams: int, split_bodies: bool) -> None:
        self.registry = registry
        self.max_streams = max_streams
        self.split_bodies = split_bodies
        self.passed = 0
        """How many requests went into a tunnel."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one public connection until either side has enough."""
        connection = _Connection(self, reader, writer)
        try:
            await connection.serve()
        except MessageError as error:
            _write_answer(writer, 400, None, f"{error}\n", close=True)
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError):
            writer.transport.abort()
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        finally:
            connection.drop_streams()
            writer.close()
            with contextlib.suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await writer.wait_closed()


class _Connection:
    def __init__(
        self, edge: Edge, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.edge = edge
        self.reader = reader
        self.writer = writer
        host, port = writer.get_extra_info("peername")[:2]
        self.peer_host = host
        self.peer = f"{host}:{port}"
        self.streams: dict[str, Stream] = {}

    def drop_streams(self) -> None:
        for stream in self.streams.values():
            stream.release()
        self.streams.clear()

    async def serve(self) -> None:
        async with asyncio.timeout(IDLE_TIMEOUT):
            first = await self.reader.read(1)
        if first == TLS_HANDSHAKE:  # who speaks TLS here would wait for ever
            raise MessageError("this port speaks plain HTTP")
        while True:
            async with asyncio.timeout(IDLE_TIMEOUT):
                head = await read_head(self.reader, first)
                first = b""
            if head is None or not await self.exchange(head):
                await self.writer.drain()
                return

    async def exchange(self, head: Head) -> bool:
        """Answer one request; true when the connection can carry another."""
        length = body_length(head)
        host = head.get("Host")
        if host is None:
            raise MessageError("there is no Host header")
        tunnel = self.edge.registry.route(host)
        if tunnel is None:
            message = f"The endpoint {host} is offline.\n\nERR_NGROK_3200\n"
            _write_answer(self.writer, 404, "ERR_NGROK_3200", message, close=length != -1)
            return length == -1
        if (head.get("Expect") or "").lower() == "100-continue":
            head.remove("Expect")
            self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body: AsyncIterator[bytes] | bytes
        if length is None:
            body = read_chunked(self.reader, decode=False)
        elif length <= CHUNK_BYTES:
            body = await self.reader.readexactly(max(length, 0))
        else:
            body = read_sized(self.reader, length)
        if tunnel.webhook_verification is not None:
            body = await self.whole_body(head, body)
            if not _signed(head.get("Tiktok-Signature"), body, tunnel.webhook_verification[1]):
                message = "The webhook's signature was not verified.\n\nERR_NGROK_3204\n"
                _write_answer(self.writer, 403, "ERR_NGROK_3204", message, close=False)
                return True
        self.edge.passed += 1
        return await self.forward(tunnel, _towards_app(head, tunnel, self.peer_host), body)

    async def whole_body(self, head: Head, body: AsyncIterator[bytes] | bytes) -> bytes:
        if isinstance(body, bytes):
            return body
        if head.get("Transfer-Encoding"):
            body = read_chunked(self.reader, decode=True)
        whole = b""
        async for data in body:
            whole += data
            if len(whole) > MAX_VERIFIED_BYTES:
                raise MessageError("the body is too long to verify")
        head.remove("Transfer-Encoding")
        head.put("Content-Length", str(len(whole)))
        return whole

    async def forward(self, tunnel: Tunnel, head: Head, body: AsyncIterator[bytes] | bytes) -> bool:
        """Hand a request to the application and its answer back; 502 when there is none."""
        whole = isinstance(body, bytes)
        try:
            stream = await self.stream_to(tunnel, head, body if isinstance(body, bytes) else b"")
        except (TimeoutError, ConnectionError):
            return self.no_answer(keep=whole)
        if isinstance(body, bytes):
            return await self.relay_answer(stream, head, keep=True)
        async with asyncio.TaskGroup() as group:
            upload = group.create_task(self.upload(body, stream))
            keep = await self.relay_answer(stream, head, keep=False)
            upload.cancel()
        return keep

    async def stream_to(self, tunnel: Tunnel, head: Head, body: bytes) -> Stream:
        """Send a request's head and body, on this connection's stream if it is still open."""
        first = head.encode()
        if not self.edge.split_bodies:
            first, body = first + body, b""
        stream = self.streams.pop(tunnel.id, None)
        if stream is not None and stream.usable:
            stream.write(first)
        else:
            if stream is not None:
                stream.release()
            async with asyncio.timeout(SLOT_TIMEOUT):
                agent = tunnel.agent
                assert isinstance(agent, Agent)
                await agent.session.room(self.edge.max_streams)
            stream = agent.open_proxy(tunnel, self.peer, first)
        self.streams[tunnel.id] = stream
        stream.write(body)
        return stream

    async def upload(self, body: AsyncIterator[bytes], stream: Stream) -> None:
        try:
            async for data in body:
                stream.write(data)
                await stream.drain()
        except StreamError:
            return  # the answer, or that there is none, says the rest
        except (MessageError, ConnectionError, asyncio.IncompleteReadError):
            stream.finish()  # the application sees that the rest will not come

    async def relay_answer(self, stream: Stream, request: Head, *, keep: bool) -> bool:
        """Forward the response; true when keep was asked for and the connection can stay open."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                answer = await self.final_head(stream)
        except (MessageError, ValueError, TimeoutError, ConnectionError):
            return self.no_answer(keep=keep)
        answer.remove("Ngrok-Error-Code")
        try:
            if answer.status == HTTPStatus.SWITCHING_PROTOCOLS:
                self.writer.write(answer.encode())
                await self.relay_raw(stream)
                return False
            bodyless = request.method == "HEAD" or answer.status in {204, 304}
            length = 0 if bodyless else body_length(answer)
            if length is None:
                body = read_chunked(stream, decode=False)
            elif length >= 0:
                body = read_sized(stream, length)
            else:
                body = read_to_end(stream)
            first = answer.encode()
            async for data in body:
                self.writer.write(first + data)
                first = b""
                await self.writer.drain()
            self.writer.write(first)
        except (MessageError, ConnectionError, asyncio.IncompleteReadError):
            self.writer.transport.abort()
            return False
        return (
            keep
            and length != -1
            and not answer.wants("close")
            and not request.wants("close")
            and request.start.endswith(b"HTTP/1.1")
        )

    async def final_head(self, stream: Stream) -> Head:
        """Read the answer's head, passing on those of interim answers."""
        while True:
            answer = await read_head(stream)
            if answer is None:
                raise MessageError("the application hung up")
            if answer.status >= 200 or answer.status == HTTPStatus.SWITCHING_PROTOCOLS:
                return answer
            self.writer.write(answer.encode())

    async def relay_raw(self, stream: Stream) -> None:
        async def up() -> None:
            try:
                async for data in read_to_end(self.reader):
                    stream.write(data)
                    await stream.drain()
            except ConnectionError:
                pass
            stream.finish()

        async with asyncio.TaskGroup() as group:
            upward = group.create_task(up())
            try:
                async for data in read_to_end(stream):
                    self.writer.write(data)
                    await self.writer.drain()
            except ConnectionError:
                self.writer.transport.abort()
            upward.cancel()

    def no_answer(self, *, keep: bool) -> bool:
        self.drop_streams()
        message = "There was no good answer through the tunnel.\n\nERR_NGROK_3004\n"
        _write_answer(self.writer, 502, "ERR_NGROK_3004", message, close=not keep)
        return keep


def _towards_app(head: Head, tunnel: Tunnel, peer_host: str) -> Head:
    """The request as the application gets it."""
    head = Head(head.start, [(canonical(name), value) for name, value in head.headers])
    before = head.get("X-Forwarded-For")
    head.put("X-Forwarded-For", f"{before}, {peer_host}" if before else peer_host)
    before = head.get("X-Forwarded-Proto")
    head.put("X-Forwarded-Proto", f"{before}, {tunnel.proto}" if before else tunnel.proto)
    if head.get("X-Forwarded-Host") is None:
        head.put("X-Forwarded-Host", head.get("Host") or "")
    return head


def _signed(header: str | None, body: bytes, secret: str) -> bool:
    """Whether a TikTok-Signature matches the body and is at most 300 s old or early."""
    parts = dict(part.strip().partition("=")[::2] for part in (header or "").split(","))
    timestamp, signature = parts.get("t", ""), parts.get("s", "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 16):
        return False
    expected = hmac.digest(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return (
        hmac.compare_digest(expected.hex().encode(), signature.lower().encode())
        and abs(time.time() - int(timestamp)) <= SIGNATURE_TOLERANCE
    )


def _write_answer(
    writer: asyncio.StreamWriter, status: int, code: str | None, text: str, *, close: bool
) -> None:
    """Write an answer of the service's own."""
    head = Head(f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode(), [])
    if code is not None:
        head.put("Ngrok-Error-Code", code)
    head.put("Content-Type", "text/plain; charset=utf-8")
    head.put("Content-Length", str(len(text.encode())))
    if close:
        head.put("Connection", "close")
    writer.write(head.encode() + text.encode())
