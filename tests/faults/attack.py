"""The worst that strangers can send to a receiver without a secret.

``python -m tests.faults.attack PORT SECONDS`` sends it from a process of its own, so that building
a flood delays nothing that is measured. Each connection is opened again as soon as it ends. At the
end the process prints the number of responses by status, as JSON.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from itertools import cycle, islice

CONNECTIONS = 64
PAYLOAD_BYTES = 900_000
"""Of the larger bodies: nearly as much as the receiver accepts."""

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Attack = Callable[[Stream], Awaitable[None]]

answers: Counter[str] = Counter()


def distinct(chars: int) -> str:
    """A text that has never been sent before, so that each one needs an index entry of its own."""
    return f"{random.getrandbits(64):016x}" + "x" * (chars - 16)


def long_fields() -> bytes:
    """A body whose searched fields are as long as possible, and which has thousands of others."""
    many = {distinct(24): number for number in range(2000)}
    content = json.dumps({"publish_id": distinct(250_000)})
    fields = {"event": distinct(250_000), "user_openid": distinct(250_000), "content": content}
    return json.dumps({**fields, **many}).encode()


def ping() -> bytes:
    """A long ping: the one event that is answered 200 without a signature."""
    return json.dumps({"event": "tiktok.ping", "x": distinct(PAYLOAD_BYTES)}).encode()


def escapes() -> bytes:
    """A body that becomes six times as long when it is written as JSON."""
    return b'{"event":"%s","x":"' % distinct(200).encode() + b"\x01\x1b" * 400_000


def deep() -> bytes:
    """A body that is nested as deeply as it can be."""
    return b"[" * (PAYLOAD_BYTES // 2) + b"]" * (PAYLOAD_BYTES // 2)


def head(method: str = "POST", *, length: int | None = None, extra: bytes = b"") -> bytes:
    """A head of about 60 kB, with 100 distinct names and a long path."""
    lines = [f"{method} /{distinct(4000)}?{distinct(3000)} HTTP/1.1", "Host: x"]
    lines += [f"X-{distinct(20)}: {distinct(480)}" for _ in range(100)]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join(lines).encode() + b"\r\n" + extra + b"\r\n"


def signature() -> bytes:
    """A header that looks right, for which the receiver looks for the mistake of its sender."""
    return b"Tiktok-Signature: t=%d,s=%064x\r\n" % (time.time(), random.getrandbits(256))


async def answer(stream: Stream) -> None:
    """Read a response and count it."""
    reader, _ = stream
    response = await reader.readuntil(b"\r\n\r\n")
    answers[response.split(b" ", 2)[1].decode("latin-1")] += 1
    length = response.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
    await reader.readexactly(int(length or 0))


async def send(stream: Stream, data: bytes) -> None:
    """Write all of it, as fast as it is taken."""
    stream[1].write(data)
    await stream[1].drain()


def posts(body: Callable[[], bytes], extra: Callable[[], bytes] = bytes) -> Attack:
    """Post bodies on one connection without a pause."""

    async def attack(stream: Stream) -> None:
        while True:
            data = body()
            await send(stream, head(length=len(data), extra=extra()) + data)
            await answer(stream)

    return attack


async def others(stream: Stream) -> None:
    """Non-webhook requests, with a method of their own each."""
    methods = ("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "X" + distinct(16))
    for method in cycle(methods):
        await send(stream, head(method, length=0))
        reader, _ = stream
        if method == "HEAD":
            response = await reader.readuntil(b"\r\n\r\n")
            answers[response.split(b" ", 2)[1].decode()] += 1
        else:
            await answer(stream)


async def pipelined(stream: Stream) -> None:
    """Hundreds of requests in one write."""
    await send(stream, b"".join(head("GET") for _ in range(100)))
    while True:
        await answer(stream)


async def malformed(stream: Stream) -> None:
    """What is not HTTP at all, or HTTP that can be read in two ways."""
    await send(
        stream,
        random.choice(
            (
                b"\x16\x03\x01\x02\x00" + random.randbytes(500),
                random.randbytes(2000) + b"\r\n\r\n",
                b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n",
                b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
                b"POST / HTTP/9.9\r\nHost: x\r\n\r\n",
                b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                head("CONNECT"),
            )
        ),
    )
    await answer(stream)


async def slow_head(stream: Stream) -> None:
    """Half a head, and a byte a second after that."""
    await send(stream, b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    while True:
        await asyncio.sleep(1)
        await send(stream, b"x")


async def slow_body(stream: Stream) -> None:
    """Nearly all of a large body, and a byte a second after that."""
    await send(stream, head(length=1_000_000) + b"x" * PAYLOAD_BYTES)
    while True:
        await asyncio.sleep(1)
        await send(stream, b"x")


async def half(stream: Stream) -> None:
    """Half a request, and the end of the connection."""
    await send(stream, head(length=1_000_000) + b"x" * (PAYLOAD_BYTES // 2))
    stream[1].write_eof()
    await answer(stream)


async def chunked(stream: Stream) -> None:
    """Chunks of a byte each, which take six times the room of what they contain."""
    body = b"1\r\nx\r\n" * 100_000
    while True:
        extra = b"Transfer-Encoding: chunked\r\n"
        await send(stream, head(extra=extra) + body + b"0\r\n\r\n")
        await answer(stream)


async def silent(stream: Stream) -> None:
    """Open a connection and send nothing."""
    await stream[0].read()


async def unread(stream: Stream) -> None:
    """Ask without end, and read no response."""
    while True:
        await send(stream, head("GET"))


ATTACKS: tuple[Attack, ...] = (
    posts(long_fields),
    posts(long_fields, signature),
    posts(escapes),
    posts(ping),
    posts(deep, signature),
    posts(long_fields, lambda: b"Tiktok-Hook-Forwarded: 1\r\n"),
    posts(escapes, signature),
    others,
    pipelined,
    malformed,
    slow_head,
    slow_body,
    half,
    chunked,
    silent,
    unread,
)
"""Each has the same number of connections."""


@asynccontextmanager
async def connection(port: int) -> AsyncIterator[Stream]:
    """A connection, reset at the end of the block."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def attack_again(attack: Attack, port: int) -> None:
    """Attack on one connection after the other."""
    while True:
        with suppress(OSError, EOFError, asyncio.LimitOverrunError):
            async with connection(port) as stream:
                await attack(stream)
        await asyncio.sleep(0)


async def attack_all(port: int, seconds: float) -> None:
    """Attack from all connections at once, for some seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            for attack in islice(cycle(ATTACKS), CONNECTIONS):
                group.create_task(attack_again(attack, port))


if __name__ == "__main__":
    asyncio.run(attack_all(int(sys.argv[1]), float(sys.argv[2])))
    print(json.dumps(answers))
