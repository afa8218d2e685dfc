"""A server that is full: no room on its disk, or no free connection."""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psycopg
import pytest

from tests import postgres
from tests.cli.runner import invoke
from tests.postgres import PostgresServer
from tests.store.samples import delivery
from tiktok_hook.errors import StoreError
from tiktok_hook.store import Store, open_history, open_store

SMALL, LARGE = "size=24m", "size=96m"


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server of its own: one whose disk was full writes that database at each checkpoint."""
    started = postgres.new_server()
    yield started
    started.stop("immediate")


@pytest.fixture
def small_disk(own_server: PostgresServer) -> Iterator[Path]:
    """A file system of its own for the server's files, with little room."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    with tempfile.TemporaryDirectory(dir=own_server.folder, prefix="disk-") as name:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", SMALL, "tmpfs", name], capture_output=True, check=False
        )
        if mounted.returncode != 0:
            pytest.skip(f"a small file system cannot be mounted: {mounted.stderr.decode()}")
        own_server.give(Path(name))
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", "--lazy", name], check=True)


@pytest.fixture
def small_database(own_server: PostgresServer, small_disk: Path) -> str:
    """A database on that disk."""
    own_server.execute(f"CREATE TABLESPACE small LOCATION '{small_disk}'")
    own_server.execute("CREATE DATABASE small TABLESPACE small")
    # Its files have holes until now, and a hole written on a full disk makes a reader fail.
    own_server.execute("CHECKPOINT")
    return "small"


async def test_with_a_full_disk_nothing_is_acknowledged_until_there_is_room_again(
    own_server: PostgresServer, small_database: str, small_disk: Path
) -> None:
    url = own_server.url(small_database)
    with open_store(url) as store:
        acknowledged, failure = await _add_at_most(store, 300)
        assert failure is not None
        assert "has a full disk" in str(failure)
        assert failure.hint == "Free some space there."
        assert acknowledged
        with open_history(url) as history:
            assert history.newest_id() == acknowledged[-1]
        remount = ["mount", "-o", f"remount,{LARGE}", str(small_disk)]
        await asyncio.to_thread(subprocess.run, remount, check=True)
        more, failure = await _add_at_most(store, 10)
        assert failure is None
        assert [each.id for each in store.history().walk()] == acknowledged + more


async def _add_at_most(store: Store, number: int) -> tuple[list[int], StoreError | None]:
    """Add large deliveries until one fails; the ids, and the failure."""
    ids: list[int] = []
    for _ in range(number):
        try:
            stored = await store.add(delivery(os.urandom(100_000)))
        except StoreError as error:
            return ids, error
        ids.append(stored.id)
    return ids, None


def _all_connections(stack: ExitStack, url: str) -> None:
    with suppress(psycopg.OperationalError):
        while True:
            stack.enter_context(psycopg.connect(url))


async def test_without_a_free_connection_a_listener_continues_and_a_start_ends_with_5(
    server: PostgresServer, database: str
) -> None:
    url = server.url(database)
    with open_store(url) as store, ExitStack() as stack:
        await store.add(delivery())
        assert store.history().newest_id() == 1
        _all_connections(stack, url)
        assert (await store.add(delivery())).id == 2
        assert store.history().newest_id() == 2
        rejected = invoke("events", "--db", url)
        assert rejected.exit_code == 5
        assert "has no connection left" in rejected.stderr
        assert "max_connections" in rejected.stderr
        stack.close()
        with open_history(url) as history:
            assert history.newest_id() == 2
