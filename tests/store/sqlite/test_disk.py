"""What the disk does to the history: slow, full, without shared memory, killed in the middle."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from tests.deadline import DEADLINE

REPOSITORY = Path(__file__).parents[3]


def run(code: str, *arguments: object, environment: Mapping[str, str]) -> str:
    """What a Python program of this code prints, seen with these variables."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
        stdout=subprocess.PIPE,
        timeout=DEADLINE,
        check=True,
        text=True,
    )
    return done.stdout


_PRELUDE = """
import asyncio, json, os, sys, time
from pathlib import Path
from tests.store.samples import attempt, delivery
from tiktok_hook.errors import StoreError
from tiktok_hook.store import open_store
path = Path(sys.argv[1])
"""


@pytest.mark.realtime
def test_a_slow_disk_is_waited_for_once_by_all(shim: Path, tmp_path: Path) -> None:
    code = f"""{_PRELUDE}
async def timed(store, number):
    started = time.perf_counter()
    await asyncio.gather(*(store.add(delivery()) for _ in range(number)))
    return time.perf_counter() - started

async def main():
    with open_store(path) as store:
        await store.add(delivery())
        print(json.dumps([await timed(store, 1), await timed(store, 32)]))

asyncio.run(main())
"""
    environment = {"LD_PRELOAD": str(shim), "FSYNC_MS": "50"}
    one, many = json.loads(run(code, tmp_path / "history.db", environment=environment))
    assert one >= 0.05
    assert many < 0.4


@pytest.mark.realtime
def test_a_full_disk_is_an_error_until_there_is_space_again(shim: Path, tmp_path: Path) -> None:
    code = f"""{_PRELUDE}
full = Path(os.environ["FULL_FILE"])

async def main():
    with open_store(path) as store:
        first = await store.add(delivery())
        full.touch()
        store.set_status(first.id, 200)  # nobody waits for it: it is kept until there is space
        started = time.perf_counter()
        said = await asyncio.gather(
            *(store.add(delivery()) for _ in range(20)), return_exceptions=True
        )
        seconds = time.perf_counter() - started
        readable = [each.id for each in store.history().page()]
        full.unlink()
        after = await store.add(delivery())
        await store.flush()
        while store.history().get(first.id).status is None:
            time.sleep(0.01)
        print(json.dumps([sorted({{str(each) for each in said}}), seconds, readable, after.id,
                          [type(each) is StoreError for each in said].count(True)]))

asyncio.run(main())
"""
    path = tmp_path / "history.db"
    environment = {"LD_PRELOAD": str(shim), "FULL_FILE": str(tmp_path / "full")}
    reasons, seconds, readable, after, errors = json.loads(run(code, path, environment=environment))
    assert reasons == [f"The disk is full: {path} cannot grow."]
    assert errors == 20
    assert seconds < 2
    assert readable == [1]
    assert after == 2


def test_without_shared_memory_there_is_no_history(shim: Path, tmp_path: Path) -> None:
    code = f"""{_PRELUDE}
try:
    open_store(path)
except StoreError as error:
    print(json.dumps([str(error), error.hint, error.exit_code]))
"""
    environment = {"LD_PRELOAD": str(shim), "NO_SHARED_MMAP": "1"}
    message, hint, exit_code = json.loads(
        run(code, tmp_path / "history.db", environment=environment)
    )
    assert "is stored where SQLite cannot keep a write-ahead log" in message
    assert "--db PATH" in hint
    assert exit_code == 5


_UNDER_LOAD = f"""{_PRELUDE}
async def caller(store):
    while True:
        stored = await store.add(delivery(), attempt=attempt(0))
        sys.stdout.write(f"{{stored.id}} {{stored.body.decode()}}\\n")
        sys.stdout.flush()

async def main():
    with open_store(path) as store:
        async with asyncio.TaskGroup() as group:
            for _ in range(16):
                group.create_task(caller(store))

asyncio.run(main())
"""


def test_what_was_acknowledged_survives_being_killed(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    acknowledged: dict[int, bytes] = {}
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", _UNDER_LOAD, str(path)],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(200)]
            process.kill()
            lines += process.stdout.readlines()
        for line in lines:
            if line.endswith(b"\n"):
                number, _, body = line.rstrip(b"\n").partition(b" ")
                assert int(number) not in acknowledged
                acknowledged[int(number)] = body
        with closing(sqlite3.connect(path)) as connection:
            rows = dict(connection.execute("SELECT id, body FROM deliveries"))
            tried = {each for (each,) in connection.execute("SELECT delivery_id FROM attempts")}
            ((count, kept),) = connection.execute(
                "SELECT (SELECT count(*) FROM deliveries), kept FROM counters"
            )
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert acknowledged.items() <= rows.items()
        assert tried == set(rows)
        assert count == kept
    assert len(acknowledged) >= 1000
