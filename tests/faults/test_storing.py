"""What a running listener does when its history cannot be written: 503, said once, and on again."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    closing,
)
from pathlib import Path

import psutil
import pytest

from tests.faults.waiting import until
from tests.listener import BODY, Listener, listening, post, signed
from tiktok_hook.forward import Forwarder

TOLD = "TikTok is answered 503"


@pytest.fixture
def db(tmp_path: Path) -> Path:
    folder = tmp_path / "history"
    folder.mkdir()
    return folder / "history.db"


@asynccontextmanager
async def full_disk(db: Path) -> AsyncIterator[None]:
    sign = db.parent.parent / "full"
    sign.touch()
    yield
    sign.unlink()


@asynccontextmanager
async def folder_gone(db: Path) -> AsyncIterator[None]:
    away = db.parent.rename(db.parent.with_name("away"))
    yield
    away.rename(db.parent)


@asynccontextmanager
async def locked(db: Path) -> AsyncIterator[None]:
    with closing(sqlite3.connect(db, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


Trouble = Callable[[Path], AbstractAsyncContextManager[None]]


async def statuses(listener: Listener, forwarder: Forwarder, count: int) -> list[int | None]:
    """What so many deliveries at once are answered; each says when to come again, if refused."""
    replies = await asyncio.gather(
        *(post(listener.local_url, forwarder=forwarder) for _ in range(count))
    )
    assert all(reply.header("Retry-After") for reply in replies if reply.status == 503)
    return [reply.status for reply in replies]


@pytest.mark.parametrize(
    "trouble", [full_disk, folder_gone, locked], ids=lambda each: each.__name__
)
async def test_what_cannot_be_stored_is_answered_503_said_once_and_forgotten_without_a_restart(
    trouble: Trouble, shim: Path, db: Path
) -> None:
    environment = {"LD_PRELOAD": str(shim), "FULL_FILE": str(db.parent.parent / "full")}
    rounds, count = (1, 1) if trouble is locked else (2, 20)  # a lock is waited for five seconds
    async with AsyncExitStack() as stack:
        listener = await stack.enter_async_context(
            listening("--no-tunnel", "--db", str(db), environment=environment)
        )
        forwarder = await stack.enter_async_context(Forwarder())
        assert await statuses(listener, forwarder, 4) == [200] * 4
        for number in range(rounds):
            async with trouble(db):
                assert await statuses(listener, forwarder, count) == [503] * count
                await until(lambda: listener.errors.count(TOLD) > number)  # noqa: B023 - awaited here
            assert await statuses(listener, forwarder, 4) == [200] * 4
        assert await listener.end() == 0
    assert listener.errors.count(TOLD) == rounds
    assert "Traceback" not in listener.errors
    assert listener.of("summary")[0]["received"] == 4 * (rounds + 1)
    with closing(sqlite3.connect(db)) as connection:
        assert connection.execute("SELECT count(*) FROM deliveries").fetchone() == (
            4 * (rounds + 1),
        )
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


SECONDS = 2.0
SENDERS = 400
SLOW_FSYNC_MS = 500


async def test_overload_is_answered_200_or_503_in_bounded_memory_and_over_within_2_s(
    shim: Path, db: Path
) -> None:
    environment = {"LD_PRELOAD": str(shim), "FSYNC_MS": str(SLOW_FSYNC_MS)}
    answers: dict[int, int] = {}
    async with listening("--no-tunnel", "--db", str(db), environment=environment) as listener:
        assert (await post(listener.local_url)).status == 200
        process = psutil.Process(listener.process.pid)
        before = most = process.memory_info().rss
        end = time.monotonic() + SECONDS
        async with asyncio.timeout(SECONDS + 20), asyncio.TaskGroup() as group:
            for _ in range(SENDERS):
                group.create_task(sender(listener, answers, end))
            while time.monotonic() < end:
                most = max(most, process.memory_info().rss)
                await asyncio.sleep(0.1)
        over = time.monotonic()
        assert (await post(listener.local_url)).status == 200
        assert time.monotonic() - over < 2
        assert await listener.end() == 0
    assert set(answers) == {200, 503}
    assert answers[503] >= 9 * answers[200], "ten times what could be stored"
    assert most - before < 64 << 20
    assert "Traceback" not in listener.errors
    with closing(sqlite3.connect(db)) as connection:
        stored = connection.execute("SELECT count(*) FROM deliveries").fetchone()
    assert stored == (answers[200] + 2,)


async def sender(listener: Listener, answers: dict[int, int], end: float) -> None:
    """Post over and over, on a new connection whenever the last one was closed."""
    name, value = signed(BODY)
    host = listener.local_url.removeprefix("http://").rstrip("/")
    port = int(host.rpartition(":")[2])
    head = f"POST / HTTP/1.1\r\nHost: {host}\r\n{name}: {value}\r\nContent-Length: {len(BODY)}"
    request = head.encode() + b"\r\n\r\n" + BODY
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
                status = int(answer.split(b" ", 2)[1])
                answers[status] = answers.get(status, 0) + 1
                length = int(answer.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                await reader.readexactly(length)
                if b"connection: close" in answer.lower():
                    break
        finally:
            writer.close()
