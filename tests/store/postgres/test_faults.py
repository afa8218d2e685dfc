"""What a server does to us: it restarts, freezes, is read-only, locked by others, restored."""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest

from tests import postgres
from tests.deadline import DEADLINE
from tests.postgres import PostgresServer, wait_for
from tests.store.postgres.proxy import Proxy
from tests.store.samples import TARGET, attempt, delivery, event_body
from tiktok_hook.delivery import CUT
from tiktok_hook.errors import StoreError
from tiktok_hook.store import (
    ATTACHMENT,
    Attachment,
    QueueEntry,
    QueueLock,
    Store,
    locate,
    open_history,
    open_store,
    open_team,
)
from tiktok_hook.store.postgres import schema
from tiktok_hook.store.postgres.connection import Connection
from tiktok_hook.store.postgres.presence import Presence

FIRST = QueueEntry("first", TARGET)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deadline of a second, so that tests need not wait for the real one."""
    monkeypatch.setattr(Connection, "deadline_seconds", 1.0)


async def _add_for_ever(store: Store, acknowledged: set[int], rejected: list[float]) -> None:
    while True:
        try:
            acknowledged.add((await store.add(delivery())).id)
        except StoreError:
            rejected.append(time.monotonic())
            await asyncio.sleep(0.01)


class TestRestart:
    @pytest.mark.parametrize("mode", ["fast", "immediate"])
    async def test_what_was_acknowledged_survives_it_under_load(
        self, server: PostgresServer, database: str, mode: str
    ) -> None:
        acknowledged: set[int] = set()
        rejected: list[float] = []
        with open_store(server.url(database)) as store:
            senders = [
                asyncio.ensure_future(_add_for_ever(store, acknowledged, rejected))  # noqa: TID251 - ended below
                for _ in range(8)
            ]
            await _until(lambda: len(acknowledged) > 200)
            await asyncio.to_thread(server.stop, mode)
            await _until(lambda: len(rejected) > 0)
            await asyncio.to_thread(server.start)
            before = len(acknowledged)
            await _until(lambda: len(acknowledged) > before + 200)
            for each in senders:
                each.cancel()
            await asyncio.gather(*senders, return_exceptions=True)
            stored = {each.id for each in store.history().walk()}
        assert acknowledged <= stored

    async def test_readers_and_followers_continue_after_it(
        self, server: PostgresServer, database: str
    ) -> None:
        with open_store(server.url(database)) as store, open_history(server.url(database)) as other:
            await store.add(delivery())
            wait_for(lambda: other.changes() != -1)
            assert other.newest_id() == 1
            await asyncio.to_thread(server.stop)
            with pytest.raises(StoreError, match="cannot be reached"):
                other.newest_id()
            seen = other.changes()  # before the start: a follower reconnects at once
            await asyncio.to_thread(server.start)
            assert await asyncio.to_thread(other.wait_for_change, seen, DEADLINE) != seen
            await _until_stored(store)
            assert other.newest_id() == 2


async def test_what_is_acknowledged_is_on_disk_whatever_the_server_s_setting(
    server: PostgresServer, database: str
) -> None:
    server.execute(f"ALTER DATABASE {database} SET synchronous_commit = off")
    # Not of this database: its own commits would be flushed as well.
    with (
        open_store(server.url(database)) as store,
        psycopg.connect(server.url("postgres")) as other,
    ):

        def at(place: str) -> int:
            found = other.execute(f"SELECT pg_current_wal_{place}_lsn() - '0/0'".encode())
            return int((found.fetchone() or (0,))[0])

        for _ in range(5):
            before = at("insert")
            stored = await store.add(delivery())
            assert at("flush") > before
            before = at("insert")
            begun = await store.begin_attempt(attempt(stored.id))
            assert at("flush") > before
            before = at("insert")
            await store.end_attempt(replace(begun, status=200, duration_ms=1.0))
            assert at("flush") > before


async def _until_stored(store: Store) -> None:
    """Add a delivery as TikTok does: again until it is taken."""
    async with asyncio.timeout(20):
        while True:
            try:
                await store.add(delivery())
            except StoreError:
                await asyncio.sleep(0.05)
            else:
                return


async def _until(condition: Callable[[], bool], *, seconds: float = 30.0) -> None:
    await asyncio.to_thread(wait_for, condition, seconds=seconds)


class TestFrozenConnection:
    @pytest.mark.usefixtures("quick")
    async def test_a_batch_cut_off_in_the_middle_holds_up_no_other_listener(
        self, server: PostgresServer, database: str
    ) -> None:
        with Proxy(server.port) as proxy:
            address = server.url(database, port=proxy.port)
            with open_store(address) as frozen, open_store(server.url(database)) as other:
                await frozen.add(delivery())
                proxy.freeze(after=20_000)  # of a batch of 100 000 bytes
                cut_off = asyncio.gather(
                    *(frozen.add(delivery(bytes(10_000))) for _ in range(10)),
                    return_exceptions=True,
                )
                await asyncio.sleep(0)
                began = time.monotonic()
                for _ in range(20):
                    await other.add(delivery())
                    await asyncio.sleep(0.02)
                assert time.monotonic() - began < 5.0
                # The first may have been a batch of its own.
                results = await asyncio.wait_for(cut_off, 20)
                assert sum(isinstance(each, StoreError) for each in results) >= 9
                assert "did not answer" in str(results[-1]) or "reached" in str(results[-1])
                proxy.thaw()
                await _until_stored(frozen)

    @pytest.mark.usefixtures("quick")
    async def test_a_reader_gets_an_error_at_the_deadline(
        self, server: PostgresServer, database: str
    ) -> None:
        open_store(server.url(database)).close()
        with (
            Proxy(server.port) as proxy,
            open_history(server.url(database, port=proxy.port)) as reader,
        ):
            assert reader.newest_id() == 0
            proxy.freeze()
            began = time.monotonic()
            with pytest.raises(StoreError, match="did not answer"):
                await asyncio.to_thread(reader.newest_id)
            assert time.monotonic() - began < 10.0

    @pytest.mark.usefixtures("quick")
    async def test_a_silent_loss_is_noticed_by_followers(
        self,
        server: PostgresServer,
        database: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("tiktok_hook.store.postgres.presence.RENEW_SECONDS", 0.2)
        with (
            open_store(server.url(database)) as store,
            Proxy(server.port) as proxy,
            open_history(server.url(database, port=proxy.port)) as reader,
        ):
            wait_for(lambda: reader.changes() != -1)
            seen = reader.changes()
            proxy.freeze(both_ways=True)
            await store.add(delivery())
            await _until(lambda: proxy.dropped)
            proxy.thaw()
            found = await asyncio.to_thread(reader.wait_for_change, seen, 20.0)
            assert found != seen


class TestUnusableServer:
    def test_a_server_without_a_free_connection(
        self, server: PostgresServer, database: str
    ) -> None:
        server.execute("CREATE ROLE limited LOGIN SUPERUSER", database)
        server.execute("ALTER ROLE limited NOSUPERUSER CONNECTION LIMIT 0", database)
        with pytest.raises(StoreError, match="has no connection left"):
            open_store(server.url(database, user="limited"))
        server.execute("DROP ROLE limited", database)

    async def test_a_server_that_turns_read_only_and_back(
        self, server: PostgresServer, database: str
    ) -> None:
        with open_store(server.url(database)) as store:
            await store.add(delivery())
            server.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
            server.execute(_END_OTHERS, database)
            with pytest.raises(StoreError):
                await store.add(delivery())
            with pytest.raises(StoreError, match="is read-only"):
                open_store(server.url(database))
            assert store.history().newest_id() == 1
            server.execute(f"ALTER DATABASE {database} RESET default_transaction_read_only")
            await _until_stored(store)

    def test_a_server_that_is_not_there(self) -> None:
        with pytest.raises(StoreError, match=r"127\.0\.0\.1:1/hooks cannot be reached") as raised:
            open_store("postgresql://anna:hidden@127.0.0.1:1/hooks")
        assert "hidden" not in str(raised.value) + raised.value.hint

    def test_a_database_that_is_not_there(self, server: PostgresServer) -> None:
        with pytest.raises(StoreError, match='database "missing" does not exist'):
            open_store(server.url("missing"))

    def test_a_user_who_may_not_create_the_tables(
        self, server: PostgresServer, database: str
    ) -> None:
        server.execute("CREATE ROLE reader LOGIN", database)
        with pytest.raises(StoreError, match="may not create one"):
            open_store(server.url(database, user="reader"))
        server.execute("DROP ROLE reader", database)

    def test_a_database_without_a_history_is_only_read(
        self, server: PostgresServer, database: str
    ) -> None:
        with pytest.raises(StoreError, match="There is no history at"):
            open_history(server.url(database))


_END_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE pid <> pg_backend_pid() AND datname = current_database()"
)


class TestOthers:
    async def test_a_transaction_left_open_does_not_hold_up_others(
        self, server: PostgresServer, database: str
    ) -> None:
        with open_store(server.url(database)) as store:
            await store.add(delivery())
            with psycopg.connect(server.url(database)) as forgotten:
                forgotten.execute("SELECT count(*) FROM tiktok_hook.deliveries")
                forgotten.execute("SELECT txid_current()")
                async with asyncio.timeout(5):
                    for number in range(2, 50):
                        assert (await store.add(delivery())).id == number
                assert store.history().newest_id() == 49

    async def test_a_lock_that_another_program_keeps_ends_in_an_error(
        self, server: PostgresServer, database: str
    ) -> None:
        with open_store(server.url(database)) as store:
            with psycopg.connect(server.url(database)) as locker:
                locker.execute("LOCK TABLE tiktok_hook.deliveries IN EXCLUSIVE MODE")
                with pytest.raises(StoreError, match="has been locked for 5 s"):
                    await store.add(delivery())
            await _until_stored(store)

    def test_who_holds_the_lock_of_the_creation_is_named(
        self, server: PostgresServer, database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(schema, "_LOCK_SECONDS", 0.2)
        stranger = f"stranger_{database}"
        server.execute(f"CREATE ROLE {stranger} LOGIN")
        with psycopg.connect(server.url(database, user=stranger), application_name="psql") as held:
            held.execute("SELECT pg_advisory_lock(1414416491, 0)")
            pid = held.info.backend_pid
            holder = f"for 0.2 s by the database user {stranger} .server process {pid}, psql.[.]"
            for create in (_create_by_opening, _create_as_a_team):
                with pytest.raises(StoreError, match=holder) as caught:
                    create(server.url(database))
                assert f"pg_terminate_backend({pid})" in caught.value.hint
        _create_as_a_team(server.url(database))

    def test_eight_that_start_at_once_make_one_history(
        self, server: PostgresServer, database: str
    ) -> None:
        failures: list[Exception] = []

        def start() -> None:
            try:
                with open_store(server.url(database)) as store:
                    asyncio.run(_add_one(store))
            except Exception as error:  # noqa: BLE001 - raised in the test's own thread
                failures.append(error)

        starters = [threading.Thread(target=start) for _ in range(8)]
        for each in starters:
            each.start()
        for each in starters:
            each.join()
        assert failures == []
        with open_history(server.url(database)) as history:
            assert [each.id for each in history.walk()] == list(range(1, 9))


def _create_by_opening(url: str) -> None:
    open_store(url).close()


def _create_as_a_team(url: str) -> None:
    open_team(locate(url, where="db")).create(keep=None, keep_bytes=None)


async def _add_one(store: Store) -> None:
    await store.add(delivery())


class TestVersions:
    @pytest.mark.parametrize(
        ("version", "message"),
        [(99, "has version 99; this tiktok-hook knows up to 1"), (0, "there was no release")],
    )
    def test_another_version_is_neither_read_nor_written(
        self, server: PostgresServer, database: str, version: int, message: str
    ) -> None:
        open_store(server.url(database)).close()
        server.execute(f"UPDATE tiktok_hook.history SET version = {version}", database)
        with pytest.raises(StoreError, match=message):
            open_store(server.url(database))
        with pytest.raises(StoreError, match=message):
            open_history(server.url(database))

    async def test_a_listener_continues_while_a_later_version_changes_the_tables(
        self, server: PostgresServer, database: str
    ) -> None:
        """There is one version; this is what every later one has to do: add, and keep functions."""
        with open_store(server.url(database)) as store:
            assert (await store.add(delivery())).id == 1
            with psycopg.connect(server.url(database)) as later:
                later.execute("SELECT pg_advisory_xact_lock(1414416491, 0)")
                later.execute("ALTER TABLE tiktok_hook.deliveries ADD COLUMN later text")
                adding = asyncio.ensure_future(store.add(delivery()))  # noqa: TID251 - awaited below
                await asyncio.sleep(0)  # so that it is submitted, and waits for the table
                later.execute("ALTER TABLE tiktok_hook.attempts ADD COLUMN later text")
                later.execute(
                    "CREATE FUNCTION tiktok_hook.add_2() RETURNS void LANGUAGE sql AS 'SELECT'"
                )
                later.execute("UPDATE tiktok_hook.history SET version = 2")
            assert (await adding).id == 2
            server.execute(_END_OTHERS, database)  # it connects again, and is no new start
            await _until_stored(store)
            begun = await store.begin_attempt(attempt(2))
            await store.end_attempt(replace(begun, status=200, duration_ms=1.0))
            assert [each.status for each in store.history().attempts(2)] == [200]
        with pytest.raises(StoreError, match="has version 2; this tiktok-hook knows up to 1"):
            open_store(server.url(database))

    async def test_a_restored_copy_has_an_epoch_of_its_own(
        self, server: PostgresServer, database: str
    ) -> None:
        with open_store(server.url(database)) as store:
            await store.add(delivery())
            original = _epoch(server, database)
        with open_store(server.url(database)):
            assert _epoch(server, database) == original
        copy = server.new_database()
        found = postgres.programs()
        assert found is not None
        restore = f"{found}/pg_dump '{server.url(database)}' | {found}/psql -q '{server.url(copy)}'"
        done = await asyncio.create_subprocess_shell(f"set -e; {restore}", stdout=-3, stderr=-3)
        assert await done.wait() == 0
        with open_store(server.url(copy)) as restored:
            assert (await restored.add(delivery())).id == 2
            assert _epoch(server, copy) != original
        assert _epoch(server, database) == original


async def _take_over(lock: QueueLock, server: PostgresServer, database: str) -> None:
    """Let the lease of who holds a lock end, and acquire it.

    Again, where the holder has renewed its lease in between.
    """
    async with asyncio.timeout(20):
        while not await lock.acquire():
            server.execute(
                "UPDATE tiktok_hook.processes SET held_until = now() - interval '1 s' "
                "WHERE id IN (SELECT holder FROM tiktok_hook.queue_locks)",
                database,
            )


def _epoch(server: PostgresServer, database: str) -> object:
    return server.execute("SELECT epoch FROM tiktok_hook.history", database)[0][0]


class TestOtherProcesses:
    async def test_one_that_is_closed_right_after_its_start_is_gone(
        self, server: PostgresServer, database: str
    ) -> None:
        for _ in range(30):
            with open_store(server.url(database)) as store:
                store.changes()
            assert server.execute("SELECT id FROM tiktok_hook.processes", database) == []

    async def test_the_attempts_of_one_that_is_gone_are_cut(
        self, server: PostgresServer, database: str
    ) -> None:
        with open_store(server.url(database)) as gone:
            stored = await gone.add(delivery(), attempt=attempt(0))
            with open_store(server.url(database)) as alongside:
                assert not alongside.history().attempts(stored.id)[0].ended
            server.execute("UPDATE tiktok_hook.processes SET held_until = now()", database)
            with open_store(server.url(database)) as other:
                (ended,) = other.history().attempts(stored.id)
            assert (ended.error, ended.duration_ms) == (CUT, 0.0)
            # It was not gone after all, and says how the attempt really ended.
            await gone.end_attempt(replace(ended, error=None, status=200, duration_ms=3.0))
            assert gone.history().attempts(stored.id)[0].status == 200

    async def test_one_at_a_time_has_the_queue_and_a_lost_lease_is_noticed(
        self, server: PostgresServer, database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tiktok_hook.store.postgres.presence.RENEW_SECONDS", 0.2)
        address = server.url(database)
        with open_store(address) as one, open_store(address) as other:
            async with one.queue_lock(TARGET) as lock, other.queue_lock(TARGET) as second:
                assert await lock.acquire()
                assert await lock.acquire()
                assert not await second.acquire()
                assert (lock.held, second.held) == (True, False)
                await lock.release()
                assert await second.acquire()
                assert not await lock.acquire()
                await _take_over(lock, server, database)
                await _until(lambda: not second.held)
                assert lock.held

    async def test_a_lock_is_not_lost_by_being_acquired_while_the_lease_is_renewed(
        self, server: PostgresServer, database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tiktok_hook.store.postgres.presence.RENEW_SECONDS", 0.0)
        asked = Presence._ours

        def ours(presence: Presence, connection: Connection) -> set[str]:
            """As on a busy machine: the thread continues some time after the server's answer."""
            found = asked(presence, connection)
            time.sleep(0.01)
            return found

        monkeypatch.setattr(Presence, "_ours", ours)
        with open_store(server.url(database)) as store:
            async with store.queue_lock(TARGET) as lock:
                for _ in range(20):
                    assert await lock.acquire()
                    await asyncio.sleep(0.02)  # for the renewal that was under way
                    assert not lock.lost
                    await lock.release()

    async def test_a_process_that_was_taken_over_cannot_move_the_cursor(
        self, server: PostgresServer, database: str
    ) -> None:
        address = server.url(database)
        with open_store(address, app="anna") as gone, open_store(address, app="anna") as other:
            await gone.add(delivery())
            assert await gone.queue_lock(ATTACHMENT).acquire()
            await gone.attach(Attachment(app="anna"))
            await _take_over(other.queue_lock(ATTACHMENT), server, database)
            attached = QueueEntry("attached", TARGET)
            assert not await gone.advance(0, 1, [(1, attached)])
            assert other.history().pending_count() == 0
            assert await other.advance(0, 1, [(1, attached)])
            assert other.history().pending_count() == 1

    async def test_a_change_by_another_is_heard_at_once(
        self, server: PostgresServer, database: str
    ) -> None:
        with open_store(server.url(database)) as store, open_history(server.url(database)) as other:
            wait_for(lambda: other.changes() != -1)
            for _ in range(3):
                seen = other.changes()
                await store.add(delivery())
                found = await asyncio.to_thread(other.wait_for_change, seen, 10.0)
                assert found != seen

    async def test_redeliveries_are_numbered_exactly_across_listeners(
        self, server: PostgresServer, database: str
    ) -> None:
        body = event_body()
        address = server.url(database)
        with open_store(address) as one, open_store(address) as other:
            stored = await asyncio.gather(
                *(store.add(delivery(body)) for store in (one, other) * 40)
            )
        assert sorted(each.redelivery_number for each in stored) == list(range(1, 81))
        first = min(each.id for each in stored)
        assert {each.redelivery_of for each in stored} == {None, first}
