"""Other programs at the same file: more of us, and those that lock, move or spoil it."""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.deadline import DEADLINE
from tests.store.samples import delivery
from tiktok_hook.errors import StoreError
from tiktok_hook.store import Store, open_history, open_store

REPOSITORY = Path(__file__).parents[3]

_ADDER = """
import asyncio, json, sys
from pathlib import Path
from tests.store.samples import delivery, event_body
from tiktok_hook.store import open_store

async def main():
    again = event_body(publish_id="the same everywhere")
    with open_store(Path(sys.argv[1]), keep=int(sys.argv[2])) as store:
        print("open", flush=True)
        sys.stdin.readline()
        stored = await asyncio.gather(*(
            store.add(delivery(event_body(publish_id=f"{sys.argv[3]}.{n}") if n % 4 else again))
            for n in range(200)
        ))
        print(json.dumps([[each.id, each.redelivery_number] for each in stored]), flush=True)
        sys.stdin.readline()

asyncio.run(main())
"""


@contextmanager
def adders(
    path: Path, number: int, *, keep: int = 100_000
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that have the file open and wait for a line before they add to it."""
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", _ADDER, str(path), str(keep), str(each)],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for each in range(number)
    ]
    try:
        yield started
    finally:
        for each in started:
            each.communicate(timeout=DEADLINE)
    assert [each.returncode for each in started] == [0] * number


def line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


def go(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.write(b"\n")
    process.stdin.flush()


def test_several_processes_may_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with adders(path, 3) as processes:  # the file does not exist yet: each may be the first
        for each in processes:
            assert line(each) == b"open\n"
        for each in processes:
            go(each)
        stored = [tuple(pair) for each in processes for pair in json.loads(line(each))]
    assert sorted(number for number, _ in stored) == list(range(1, 601))
    assert sorted(number for _, number in stored if number > 1) == list(range(2, 151))
    with open_history(path) as history:
        assert [each.id for each in history.walk()] == list(range(1, 601))


def test_a_file_that_another_process_is_making_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(0.3, other.execute, ["ROLLBACK"])
    release.start()
    try:
        with open_store(path) as store:
            assert store.history().newest_id() == 0
    finally:
        release.join()
        other.close()


def test_several_processes_keep_to_one_bound(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with adders(path, 2, keep=50) as processes:
        for each in processes:
            line(each)
            go(each)
        for each in processes:
            line(each)
    with open_history(path) as history:
        assert [each.id for each in history.walk()] == list(range(351, 401))


async def test_what_another_process_wrote_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with open_store(path) as store, adders(path, 1) as (other,):
        line(other)
        before = store.changes()
        go(other)
        line(other)
        assert store.changes() != before
        assert store.history().newest_id() == 200
        assert (await store.add(delivery())).id == 201


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder/history.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with open_store(path) as opened:
        yield opened


@pytest.mark.realtime
async def test_a_lock_of_another_program_is_waited_for_five_seconds(
    store: Store, path: Path
) -> None:
    await store.add(delivery())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        reasons = await asyncio.gather(
            *(store.add(delivery()) for _ in range(40)), return_exceptions=True
        )
        assert 4 < time.monotonic() - started < 8
        assert {str(each) for each in reasons} == {
            f"{path} has been locked by another program for 5 s."
        }
        # Reading goes on all the while.
        assert [each.id for each in store.history().page()] == [1]
        other.execute("ROLLBACK")
    assert (await store.add(delivery())).id == 2


async def test_a_short_lock_of_another_program_is_not_felt(store: Store, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(store.add(delivery()))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            other.execute("ROLLBACK")
    assert waiting.result().id == 1


async def test_more_than_may_wait_are_rejected_at_once(store: Store, path: Path) -> None:
    async def add() -> str:
        try:
            await store.add(delivery())
        except StoreError as error:
            return str(error)
        return ""

    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with asyncio.TaskGroup() as group:
            adding = [group.create_task(add()) for _ in range(4500)]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            rejected = {each.result() for each in adding if each.done()}
            other.execute("ROLLBACK")
    assert rejected == {f"4096 writes wait for {path} already."}
    results = [each.result() for each in adding]
    assert results.count("") >= 4096
    assert store.history().counts().received == results.count("")


async def test_a_folder_that_disappears_is_an_error_until_it_is_there_again(
    store: Store, path: Path
) -> None:
    await store.add(delivery())
    away = path.parent.rename(path.parent.with_name("away"))
    with pytest.raises(StoreError, match=r"cannot be written to: No such file or directory"):
        await store.add(delivery())
    with pytest.raises(StoreError, match="cannot be opened"):
        store.history().page()

    away.rename(path.parent)

    assert (await store.add(delivery())).id == 2
    assert [each.id for each in store.history().page()] == [2, 1]


async def test_a_deleted_file_is_created_again_and_its_ids_continue(
    store: Store, path: Path
) -> None:
    await store.add(delivery())
    assert store.history().newest_id() == 1
    _delete(path)
    assert (await store.add(delivery())).id == 2
    with open_history(path) as history:
        assert [each.id for each in history.page()] == [2]
    assert [each.id for each in store.history().page()] == [2]


def _delete(path: Path) -> None:
    for each in path.parent.iterdir():
        each.unlink()


async def test_a_file_in_the_place_of_ours_is_not_written_to(store: Store, path: Path) -> None:
    await store.add(delivery())
    theirs = path.with_name("theirs")
    with closing(sqlite3.connect(theirs)) as other:
        other.execute("CREATE TABLE theirs (x)")
    _replace(path, theirs)
    with pytest.raises(StoreError, match="not a tiktok-hook history"):
        await store.add(delivery())
    with pytest.raises(StoreError, match="not a tiktok-hook history"):
        store.history().page()
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT name FROM sqlite_schema").fetchall() == [("theirs",)]
        assert other.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def _replace(path: Path, other: Path) -> None:
    """Put another file in the place of ours."""
    other.replace(path)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


async def test_reading_a_damaged_file_is_an_error(path: Path) -> None:
    with open_store(path) as store:
        await store.add_many([delivery() for _ in range(500)])
    _damage(path)
    with (
        open_history(path) as history,
        pytest.raises(StoreError, match=r"is damaged.*malformed"),
    ):
        list(history.walk())


def _damage(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\xff" * (size // 4))


async def test_a_copy_made_while_running_is_whole(store: Store, path: Path, tmp_path: Path) -> None:
    """What the README recommends for a backup: SQLite's own, while a listener runs."""
    await store.add_many([delivery() for _ in range(100)])
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    with open_history(copy) as history:
        assert history.counts().received == 100


@pytest.mark.realtime
def test_closing_does_not_wait_for_a_lock_when_there_is_nothing_to_write(
    store: Store, path: Path
) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        store.close()
        assert time.monotonic() - started < 3
