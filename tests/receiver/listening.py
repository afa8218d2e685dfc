"""A receiver on a port of its own, what it called back, and a client over raw sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tiktok_hook import ports, signature
from tiktok_hook.delivery import BugFound, Delivery, NonWebhookRequest, NotStored
from tiktok_hook.receiver import (
    OK,
    IncomingRequest,
    Limits,
    Policy,
    ReceiverReports,
    ReceiverResponse,
    WebhookHandler,
    serve,
)
from tiktok_hook.receiver.options import ReceiverOptions

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
    non_webhook_requests: list[NonWebhookRequest] = field(default_factory=list)
    answered: list[tuple[Delivery, ReceiverResponse]] = field(default_factory=list)
    unstored: list[NotStored] = field(default_factory=list)
    bugs: list[Exception] = field(default_factory=list)

    def publish(self, event: object) -> None:
        """Keep what the receiver reports."""
        match event:
            case NonWebhookRequest():
                self.non_webhook_requests.append(event)
            case NotStored():
                self.unstored.append(event)
            case BugFound(error):
                self.bugs.append(error)
            case _:
                raise AssertionError(event)

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


class Deliveries:
    """In place of the relay: keeps deliveries, and answers them with a function."""

    def __init__(
        self,
        seen: Listening,
        handle: Callable[[Delivery], Awaitable[ReceiverResponse]] | None,
        pass_through: Callable[[IncomingRequest], Awaitable[ReceiverResponse]] | None,
    ) -> None:
        self._seen = seen
        self._handle = handle
        self._pass_through = pass_through

    async def handle(self, delivery: Delivery) -> ReceiverResponse:
        return await self._keep(delivery, None)

    async def reject(self, delivery: Delivery, status: int) -> ReceiverResponse:
        return await self._keep(delivery, status)

    async def pass_through(self, request: IncomingRequest) -> ReceiverResponse:
        assert self._pass_through is not None
        return await self._pass_through(request)

    async def _keep(self, delivery: Delivery, status: int | None) -> ReceiverResponse:
        self._seen.deliveries.append(delivery)
        self._seen.statuses.append(status)
        response = OK if self._handle is None else await self._handle(delivery)
        self._seen.answered.append((delivery, response))
        return response


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
        async with asyncio.timeout(60):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.rstrip("\r\n").split("\r\n")
            headers = {
                name.lower(): value for name, value in (line.split(": ", 1) for line in lines)
            }
            length = 0 if to_head else int(headers.get("content-length", "0"))
            return Reply(int(first.split()[1]), headers, await self.reader.readexactly(length))

    async def rest(self) -> bytes:
        """Everything until the receiver closes."""
        async with asyncio.timeout(60):
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
    """The bytes of a POST, signed unless another header is given."""
    lines = [f"POST {path} HTTP/{version}", HOST, f"Content-Length: {len(body)}"]
    if signed:
        lines.append(f"{signature.HEADER}: {signature.sign(body, secret, timestamp=int(at))}")
    return "\r\n".join([*lines, *headers, "", ""]).encode("latin-1") + body


def get(path: str = "/", *headers: str, method: str = "GET", version: str = "1.1") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", HOST, *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


async def until(true: Callable[[], Any]) -> None:
    """Wait for something that happens by itself."""
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.005)


@asynccontextmanager
async def listening(
    handle: Callable[[Delivery], Awaitable[ReceiverResponse]] | None = None,
    *,
    drain_seconds: float = 5.0,
    secrets: Sequence[str] = (SECRET,),
    tolerance: float | None = None,
    self_check_token: str = "",
    serve_file: Path | None = None,
    path: str = "/",
    pass_through: Callable[[IncomingRequest], Awaitable[ReceiverResponse]] | None = None,
    limits: Limits | None = None,
    publish: Callable[[object], None] | None = None,
) -> AsyncIterator[Listening]:
    """Serve a `WebhookHandler` until the block ends; what it reports is in what is returned."""
    seen = Listening()
    policy = Policy(
        ReceiverOptions(tolerance=tolerance, serve_file=serve_file, path=path),
        secrets=tuple(secrets),
        self_check_token=self_check_token,
        passes=pass_through is not None,
    )
    reports = ReceiverReports(
        publish or seen.publish,
        clock=lambda: seen.now,
    )
    handler = WebhookHandler(
        policy,
        Deliveries(seen, handle, pass_through),
        reports,
        clock=lambda: seen.now,
    )
    sockets = ports.bind(0, preferred=1)
    seen.port = sockets[0].getsockname()[1]
    async with serve(handler, sockets, limits, reports=reports, drain_seconds=drain_seconds):
        yield seen
