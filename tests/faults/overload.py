"""Far more deliveries than a disk with a slow fsync can take, and what the command makes of it."""

import asyncio
import sqlite3
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.listener import BODY, Listener, listening, post, signed

SENDERS = 400
SLOW_FSYNC_MS = 1050


@dataclass(frozen=True)
class Overload:
    """The outcome.

    Attributes:
        answers: How many got each status.
        grown_bytes: Most memory that was held beyond what it was before.
        over_seconds: From the end of the load to the next 200.
        stored: Deliveries in the history that got 200 under the load.
        errors: What the command wrote to stderr.
        code: Its exit code.
    """

    answers: Counter[int]
    grown_bytes: int
    over_seconds: float
    stored: int
    errors: str
    code: int


async def overload(db: Path, shim: Path, seconds: float) -> Overload:
    """Run the command on a slow disk and press on it for so long."""
    environment = {"LD_PRELOAD": str(shim), "FSYNC_MS": str(SLOW_FSYNC_MS)}
    answers: Counter[int] = Counter()
    options = ("--no-tunnel", "--db", str(db), "--keep", "1000000")
    async with listening(*options, environment=environment) as listener:
        assert (await post(listener.local_url)).status == 200
        process = psutil.Process(listener.process.pid)
        before = most = process.memory_info().rss
        end = time.monotonic() + seconds
        async with asyncio.timeout(seconds + 20), asyncio.TaskGroup() as group:
            for _ in range(SENDERS):
                group.create_task(_press(listener, answers, end))
            while time.monotonic() < end:
                most = max(most, process.memory_info().rss)
                listener.lines.clear()
                await asyncio.sleep(0.1)
        over = time.monotonic()
        assert (await post(listener.local_url)).status == 200
        over = time.monotonic() - over
        code = await listener.end()
    with closing(sqlite3.connect(db)) as connection:
        (stored,) = connection.execute("SELECT count(*) FROM deliveries").fetchone()
    return Overload(answers, most - before, over, stored - 2, listener.errors, code)


async def _press(listener: Listener, answers: Counter[int], end: float) -> None:
    """Post over and over, on a new connection whenever the last one was closed."""
    host = listener.local_url.removeprefix("http://").rstrip("/")
    port = int(host.rpartition(":")[2])
    name, value = signed(BODY)  # once: the load comes from this process, which is to be fast
    head = f"POST / HTTP/1.1\r\nHost: {host}\r\n{name}: {value}\r\n"
    request = head.encode() + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
    while time.monotonic() < end:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            while time.monotonic() < end:
                writer.write(request)
                try:
                    answer = await reader.readuntil(b"\r\n\r\n")
                except (asyncio.IncompleteReadError, ConnectionResetError) as closed:
                    # A connection on which nothing came for a second makes room for a newcomer,
                    # and this busy machine may let us wait so long. No answer was begun.
                    if getattr(closed, "partial", b""):
                        raise
                    break
                answers[int(answer.split(b" ", 2)[1])] += 1
                length = int(answer.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                await reader.readexactly(length)
                if b"connection: close" in answer.lower():
                    break
        finally:
            writer.close()
