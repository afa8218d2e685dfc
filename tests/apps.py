"""A developer's app on a raw socket: keeps every byte it gets and answers as configured."""

import asyncio
import random
import re
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.deadline import DEADLINE
from tests.ngrok_service.certificates import Authority

OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'


@dataclass
class App:
    """What an app got, and how it answers.

    Attributes:
        port: Where it listens on 127.0.0.1.
        requests: Every request in full, head and body, as it came over the wire.
        connections: How many were opened to it.
        answer: Bytes to send back, or what to do with the connection.
    """

    port: int
    answer: "bytes | Answer" = OK
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def bodies(self) -> list[bytes]:
        return [request.partition(b"\r\n\r\n")[2] for request in self.requests]

    async def wait_for(self, count: int, *, seconds: float = DEADLINE) -> None:
        """Wait until `count` requests came."""
        async with asyncio.timeout(seconds):
            while len(self.requests) < count:
                self.arrived.clear()
                await self.arrived.wait()


Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def http(status: int, body: bytes = b"", *headers: str) -> bytes:
    """An answer with a right Content-Length."""
    lines = [f"HTTP/1.1 {status} Said so", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


class Together:
    """An answer of 200 that waits until a number of requests are there at a time.

    Attributes:
        most: How many were there at a time, at most.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._waiting = 0
        self._complete = asyncio.Event()
        self.most = 0

    async def __call__(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._waiting += 1
        self.most = max(self.most, self._waiting)
        if self._waiting == self._number:
            self._complete.set()
        async with asyncio.timeout(DEADLINE):
            await self._complete.wait()
        await asyncio.sleep(0.05)  # time for one more than that, which would be counted
        self._waiting -= 1
        writer.write(http(200, b"", "Connection: close"))
        await writer.drain()


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    await reader.read()


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with a reset, as a crashing kernel or a proxy does."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@asynccontextmanager
async def running_app(answer: bytes | Answer = OK, *, port: int = 0) -> AsyncIterator[App]:
    """An app until the end of the block; its connections are closed with it."""
    app = App(port, answer)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        app.connections += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
                    body = await reader.readexactly(int(length[1])) if length else b""
                    app.requests.append(head + body)
                    app.arrived.set()
                    if callable(app.answer):
                        await app.answer(reader, writer)
                        return
                    writer.write(app.answer)
                    await writer.drain()
        except asyncio.CancelledError:
            pass  # the block ended
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    app.port = server.sockets[0].getsockname()[1]
    try:
        yield app
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def https_app() -> AsyncIterator[str]:
    """An app with a self-signed certificate; its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)
            await reader.read()
        writer.close()

    tls = Authority().server_context("localhost")
    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls) as server:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}"


def free_port() -> int:
    """A port without a listener, below those that systems give out.

    A port that the system chose may be given to another test before it is used.
    """
    while True:
        port = _DRAW.randrange(10_000, 32_768)
        with socket.socket() as bound, suppress(OSError):
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(("127.0.0.1", port))
            return port


_DRAW = random.SystemRandom()
"""Not seeded: two processes of a run would draw the same ports."""
