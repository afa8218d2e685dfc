"""A receiver on a port of its own, what it called back, and a client over raw sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tiktok_hook import ports, signature
from tiktok_hook.delivery import Delivery, NonWebhookRequest
from tiktok_hook.errors import StoreError
from tiktok_hook.receiver import Answer, Receiver

SECRET = "example-secret"
NOW = 1_795_000_000.0
BODY = b'{"client_key":"aw0123456789abcd","event":"post.publish.complete","content":"{}"}'
HOST = "Host: hooks.example"


@dataclass
class Listening:
    """What a receiver did."""

    port: int = 0
    now: float = NOW
    deliveries: list[Delivery] = field(default_factory=list)
    statuses: list[int | None] = field(default_factory=list)
    probes: list[NonWebhookRequest] = field(default_factory=list)
    answered: list[tuple[Delivery, Answer]] = field(default_factory=list)
    unstored: list[StoreError] = field(default_factory=list)
    bugs: list[Exception] = field(default_factory=list)

    async def ask(self, *parts: bytes) -> "Reply":
        """Send one request, in as many writes as there are parts, and read its answer."""
        async with self.connect() as client:
            await client.send(*parts)
            return await client.answer()

    @asynccontextmanager
    async def connect(self) -> AsyncIterator["Client"]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield Client(reader, writer)
        finally:
            writer.close()


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Client:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def answer(self, *, to_head: bool = False) -> Reply:
        async with asyncio.timeout(5):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.rstrip("\r\n").split("\r\n")
            headers = {
                name.lower(): value for name, value in (line.split(": ", 1) for line in lines)
            }
            length = 0 if to_head else int(headers.get("content-length", "0"))
            return Reply(int(first.split()[1]), headers, await self.reader.readexactly(length))

    async def rest(self) -> bytes:
        """Everything until the receiver closes."""
        async with asyncio.timeout(5):
            return await self.reader.read()


def post(
    path: str = "/hook",
    *headers: str,
    body: bytes = BODY,
    version: str = "1.1",
    signed: bool = True,
    secret: str = SECRET,
    at: float = NOW,
) -> bytes:
    """The bytes of a POST, signed unless told otherwise."""
    lines = [f"POST {path} HTTP/{version}", HOST, f"Content-Length: {len(body)}"]
    if signed:
        lines.append(f"{signature.HEADER}: {signature.sign(body, secret, timestamp=int(at))}")
    return "\r\n".join([*lines, *headers, "", ""]).encode("latin-1") + body


def get(path: str = "/", *headers: str, method: str = "GET", version: str = "1.1") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", HOST, *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


async def until(true: Callable[[], Any]) -> None:
    """Wait for something that happens by itself."""
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.005)


@asynccontextmanager
async def listening(
    handle: Callable[[Delivery], Awaitable[Answer]] | None = None,
    *,
    drain_seconds: float = 5.0,
    **arguments: Any,
) -> AsyncIterator[Listening]:
    """Serve a `Receiver` until the block ends; what it tells is in what is given back."""
    seen = Listening()

    async def keep(delivery: Delivery) -> Answer:
        seen.deliveries.append(delivery)
        seen.statuses.append(None)
        return Answer() if handle is None else await handle(delivery)

    async def reject(delivery: Delivery, status: int) -> Answer:
        seen.deliveries.append(delivery)
        seen.statuses.append(status)
        return Answer() if handle is None else await handle(delivery)

    arguments.setdefault("secrets", [SECRET])
    receiver = Receiver(
        handle=keep,
        reject=reject,
        **{
            "on_probe": seen.probes.append,
            "answered": lambda delivery, answer: seen.answered.append((delivery, answer)),
            **arguments,
        },
        on_unstored=seen.unstored.append,
        on_bug=seen.bugs.append,
        clock=lambda: seen.now,
    )
    sockets = ports.bind(0, preferred=1)
    seen.port = sockets[0].getsockname()[1]
    async with receiver.serving(sockets, drain_seconds=drain_seconds):
        yield seen
