"""Notifications that strangers send, and those of ours that do not get through."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.postgres import PostgresServer
from tests.store.samples import TARGET, delivery, wait_until
from tiktok_hook.store import HistoryReader, Store, open_history, open_store

_FLOOD = "SELECT pg_notify('tiktok_hook', lpad(n::text, 7999, 'x')) FROM generate_series(1, 1000) n"


@pytest.fixture
def often_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases are renewed, and deliveries looked for, four times a second in place of every 5 s."""
    monkeypatch.setattr("tiktok_hook.store.postgres.presence.RENEW_SECONDS", 0.25)


@pytest.fixture
def stranger(server: PostgresServer, database: str) -> Iterator[psycopg.Connection]:
    """A connection of a user who may connect, and nothing else."""
    server.execute("DROP ROLE IF EXISTS stranger")
    server.execute("CREATE ROLE stranger LOGIN")
    with psycopg.connect(server.url(database, user="stranger"), autocommit=True) as connection:
        yield connection


@contextmanager
def _followed(url: str) -> Iterator[tuple[Store, HistoryReader]]:
    """A process that writes, and one that hears of it."""
    with open_store(url) as store, open_history(url) as reader:
        wait_until(lambda: reader.changes() >= 0)
        yield store, reader


async def _see(store: Store, reader: HistoryReader, *, seconds: float = 10.0) -> None:
    """Add a delivery, and wait until the reader notices that."""
    before = reader.additions()
    await store.add(delivery())
    wait_until(lambda: reader.additions() > before, seconds=seconds)


def _send_flood(connection: psycopg.Connection, times: int) -> None:
    for _ in range(times):
        connection.execute(_FLOOD.encode())


def _leases(server: PostgresServer, database: str) -> int:
    """How many processes have one."""
    query = "SELECT count(*) FROM tiktok_hook.processes WHERE held_until > now()"
    return int(server.execute(query, database)[0][0])


def _connections(server: PostgresServer, database: str) -> list[object]:
    """When each connection of ours that is open was opened."""
    query = (
        "SELECT backend_start FROM pg_stat_activity WHERE application_name LIKE 'tiktok-hook%%' "
        f"AND datname = '{database}' ORDER BY 1"
    )
    return [start for (start,) in server.execute(query.replace("%%", "%"))]


def _resident_mib() -> float:
    """Memory of this process that is in use."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / (1 << 20)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
async def test_a_flood_is_not_kept_in_memory_and_ends_no_lease(
    server: PostgresServer, database: str, stranger: psycopg.Connection, often_renewed: None
) -> None:
    with _followed(server.url(database)) as (store, reader):
        async with store.queue_lock(TARGET) as lock:
            assert await lock.acquire()
            before = _resident_mib()
            loop = asyncio.get_running_loop()
            flood = loop.run_in_executor(None, _send_flood, stranger, 15)  # 120 MB
            while not flood.done():
                await store.add(delivery())  # of which others are notified
            await flood
            await _see(store, reader)
            assert _resident_mib() - before < 24
            assert lock.held
            assert _leases(server, database) == 1


async def test_notifications_are_heard_again_some_time_after_a_flood(
    server: PostgresServer,
    database: str,
    stranger: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tiktok_hook.store.postgres.presence._DEAF_SECONDS", 0.5)
    with _followed(server.url(database)) as (store, reader):
        _send_flood(stranger, 1)
        # Without them the history is looked at twice a second.
        deadline = time.monotonic() + 20
        quick = 0
        while quick < 10:
            assert time.monotonic() < deadline
            began = time.monotonic()
            await _see(store, reader)
            quick = quick + 1 if time.monotonic() - began < 0.25 else 0


@pytest.mark.parametrize("encoding", ["UTF8", "SQL_ASCII"])
async def test_no_payload_ends_what_hears_it(
    server: PostgresServer, database: str, encoding: str
) -> None:
    name = f"{database}_{encoding.lower()}"
    options = f"TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'"
    server.execute(f"CREATE DATABASE {name} {options}")
    payloads = [b"", b"{", b"added", b":", b"updated:", b"both:both:both", b"\\", b"x" * 7999]
    if encoding == "SQL_ASCII":
        payloads += [b"\xff\xfe", b"added:\xc3"]
    with (
        _followed(server.url(name)) as (store, reader),
        psycopg.connect(server.url(name), autocommit=True) as other,
    ):
        for payload in payloads:
            before = reader.changes()
            other.execute("SELECT pg_notify('tiktok_hook', convert_from(%s, %s))",
                          (payload, encoding))  # fmt: skip
            wait_until(lambda before=before: reader.changes() > before)  # type: ignore[misc]
        opened = _connections(server, name)
        await _see(store, reader)
        assert _connections(server, name)[: len(opened)] == opened


async def test_no_delivery_waits_for_its_notification(
    server: PostgresServer, database: str, often_renewed: None
) -> None:
    with _followed(server.url(database)) as (store, reader):
        _replace_notify(server, database, "PERFORM pg_sleep(30);")
        async with asyncio.timeout(10):  # the statement would take 30 s, its deadline is 12 s
            for _ in range(3):
                began = time.monotonic()
                await store.add(delivery())
                assert time.monotonic() - began < 1.5
            await _see(store, reader)
        assert _leases(server, database) == 1


async def test_what_cannot_be_sent_is_seen_all_the_same_and_costs_no_connection(
    server: PostgresServer, database: str, often_renewed: None
) -> None:
    with _followed(server.url(database)) as (store, reader):
        full = "RAISE 'too many notifications' USING ERRCODE = 'program_limit_exceeded';"
        _replace_notify(server, database, full)
        opened = _connections(server, database)
        for _ in range(5):
            await _see(store, reader)
        assert _connections(server, database) == opened


def _replace_notify(server: PostgresServer, database: str, body: str) -> None:
    """Let notifications of one database behave as where its cluster is in trouble."""
    # Renamed first: what is built in is called by its number, whatever its definition says.
    for command in (
        "ALTER FUNCTION pg_catalog.pg_notify(text, text) RENAME TO real_pg_notify",
        "CREATE FUNCTION pg_catalog.pg_notify(text, text) RETURNS void "
        f"LANGUAGE plpgsql AS $$ BEGIN {body} END $$",
    ):
        server.execute(command, database)
