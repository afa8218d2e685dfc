"""A listener whose history cannot be written: 503 and one notice, until it works again."""

import asyncio
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    closing,
    suppress,
)
from pathlib import Path

import psutil
import pytest

from tests.faults.overload import overload
from tests.faults.waiting import until
from tests.listener import Listener, listening, post
from tiktok_hook.forward import Forwarder

REPORTED = "TikTok is answered 503"


@pytest.fixture
def db(tmp_path: Path) -> Path:
    folder = tmp_path / "history"
    folder.mkdir()
    return folder / "history.db"


@asynccontextmanager
async def full_disk(db: Path, process: psutil.Process) -> AsyncIterator[None]:
    sign = db.parent.parent / "full"
    sign.touch()
    yield
    sign.unlink()


@asynccontextmanager
async def folder_gone(db: Path, process: psutil.Process) -> AsyncIterator[None]:
    away = db.parent.rename(db.parent.with_name("away"))
    yield
    away.rename(db.parent)


@asynccontextmanager
async def locked(db: Path, process: psutil.Process) -> AsyncIterator[None]:
    with closing(sqlite3.connect(db, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@asynccontextmanager
async def quota(db: Path, process: psutil.Process) -> AsyncIterator[None]:
    """No file of the process may grow, as under a disk quota."""
    unlimited = (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY)
    process.rlimit(psutil.RLIMIT_FSIZE, (4096, psutil.RLIM_INFINITY))
    yield
    process.rlimit(psutil.RLIMIT_FSIZE, unlimited)


@asynccontextmanager
async def read_only(db: Path, process: psutil.Process) -> AsyncIterator[None]:
    """Folder and files take no change, not even root's, who is held by no mode bits."""
    # Not the -shm file: it is mapped, and a map of an immutable file ends the process.
    names = [str(db), f"{db}-wal", str(db.parent)]
    try:
        await asyncio.to_thread(subprocess.run, ["chattr", "+i", *names], check=True, timeout=5)
        yield
    finally:
        await asyncio.to_thread(subprocess.run, ["chattr", "-i", *names], check=True, timeout=5)


def can_be_made_read_only(folder: Path) -> bool:
    with suppress(OSError, subprocess.CalledProcessError):
        for change in ("+i", "-i"):
            words = ["chattr", change, str(folder)]
            subprocess.run(words, check=True, capture_output=True, timeout=5)
        return True
    return False


@asynccontextmanager
async def damaged(db: Path, process: psutil.Process) -> AsyncIterator[None]:
    """All pages but the first are overwritten from outside, and put back at the end."""
    with closing(sqlite3.connect(db)) as other:
        assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
        (page_bytes,) = other.execute("PRAGMA page_size").fetchone()
    whole = await asyncio.to_thread(db.read_bytes)
    with db.open("r+b") as file:
        file.seek(page_bytes)
        file.write(b"\xa5" * (len(whole) - page_bytes))
    yield
    await asyncio.to_thread(db.write_bytes, whole)


Trouble = Callable[[Path, psutil.Process], AbstractAsyncContextManager[None]]


async def statuses(listener: Listener, forwarder: Forwarder, count: int) -> list[int | None]:
    """The responses to N deliveries at once; each 503 has ``Retry-After``."""
    replies = await asyncio.gather(
        *(post(listener.local_url, forwarder=forwarder) for _ in range(count))
    )
    assert all(reply.header("Retry-After") for reply in replies if reply.status == 503)
    return [reply.status for reply in replies]


@pytest.mark.parametrize(
    "trouble",
    [full_disk, quota, folder_gone, locked, read_only, damaged],
    ids=lambda each: each.__name__,
)
async def test_a_delivery_that_cannot_be_stored_is_answered_503_with_one_notice(
    trouble: Trouble, shim: Path, db: Path
) -> None:
    if trouble is read_only and not can_be_made_read_only(db.parent):
        pytest.skip("chattr +i takes root and a file system that knows it")
    environment = {"LD_PRELOAD": str(shim), "FULL_FILE": str(db.parent.parent / "full")}
    rounds, count = (1, 1) if trouble is locked else (2, 20)  # a lock is waited for five seconds
    async with AsyncExitStack() as stack:
        listener = await stack.enter_async_context(
            listening("--no-tunnel", "--db", str(db), environment=environment)
        )
        forwarder = await stack.enter_async_context(Forwarder())
        process = psutil.Process(listener.process.pid)
        assert await statuses(listener, forwarder, 4) == [200] * 4
        for number in range(rounds):
            async with trouble(db, process):
                assert await statuses(listener, forwarder, count) == [503] * count
                await until(lambda: listener.errors.count(REPORTED) > number)  # noqa: B023 - awaited here
            assert await statuses(listener, forwarder, 4) == [200] * 4
        assert await listener.end() == 0
    assert listener.errors.count(REPORTED) == rounds
    assert (".recover" in listener.errors) == (trouble is damaged), "the hint names the repair"
    assert "Traceback" not in listener.errors
    assert listener.of("summary")[0]["received"] == 4 * (rounds + 1)
    with closing(sqlite3.connect(db)) as connection:
        assert connection.execute("SELECT count(*) FROM deliveries").fetchone() == (
            4 * (rounds + 1),
        )
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.realtime
async def test_overload_is_answered_200_or_503_in_bounded_memory_and_over_within_2_s(
    shim: Path, db: Path
) -> None:
    pressed = await overload(db, shim, 2.0)
    assert set(pressed.answers) == {200, 503}
    assert pressed.answers[503] >= 9 * pressed.answers[200], "ten times what could be stored"
    assert pressed.grown_bytes < 64 << 20
    assert pressed.over_seconds < 2
    assert pressed.stored == pressed.answers[200]
    assert "Traceback" not in pressed.errors
    assert pressed.code == 0
