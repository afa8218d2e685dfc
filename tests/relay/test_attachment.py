"""Attached apps: each gets what matches its filter, in order, received by any process."""

import asyncio
import json
import os
import signal
import socket
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from tests import postgres
from tests.apps import OK, Answer, App, free_port, http, running_app
from tests.postgres import PostgresServer
from tests.relay.attached import APP, attached, end_process, start_process
from tests.relay.samples import Published, delivery, eventually
from tests.store.contract.conftest import LASTING_BACKENDS, new_location
from tiktok_hook.delivery import AttemptEnded, DeliveryStored, Notice, Skipped, Source
from tiktok_hook.errors import StoreError, UsageError
from tiktok_hook.relay.attachment import IN_ORDER, follow, starting_cursor
from tiktok_hook.relay.retry_policy import Delays
from tiktok_hook.signature import State
from tiktok_hook.store import ATTACHMENT, Attachment, Store, open_history, open_store

QUICK = Delays(head=(0.05,), own_min=0.05, own_max=0.1)


@pytest.fixture(params=LASTING_BACKENDS)
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return new_location(request.param, tmp_path, shared=True)


@pytest.fixture
def server() -> PostgresServer:
    return postgres.server()


@pytest.fixture
def database(server: PostgresServer) -> str:
    return server.new_database()


@pytest.fixture
def shared(server: PostgresServer, database: str) -> str:
    """A history on a server."""
    return server.url(database)


@asynccontextmanager
async def received(location: str, *numbers: int) -> AsyncIterator[Store]:
    """The history of a listener, which has received these."""
    with open_store(location) as store:
        await receive(store, *numbers)
        yield store


async def receive(store: Store, *numbers: int, event: str = "post.publish.complete") -> None:
    for number in numbers:
        await store.add(delivery(event, number=number).replace(status=200))


def numbers(app: App) -> list[int]:
    return [json.loads(body)["create_time"] for body in app.bodies]


def after(seconds: float) -> Answer:
    """An app that takes this long for each."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        writer.write(OK)

    return answer


async def test_an_app_gets_what_another_process_receives_in_order(location: str) -> None:
    async with (
        received(location, 1) as store,
        running_app() as app,
        attached(location, app.url),
    ):
        await receive(store, *range(2, 30))
        await app.wait_for(28)
    assert numbers(app) == list(range(2, 30))


async def test_each_app_gets_what_matches_its_filter(location: str) -> None:
    async with (
        received(location) as store,
        running_app() as one,
        running_app() as other,
        attached(location, one.url, match="post.publish.*"),
        attached(location, other.url, match="authorization.removed", app="ben@desk"),
    ):
        await receive(store, 1, 2)
        await receive(store, 3, 4, event="authorization.removed")
        await receive(store, 5)
        await one.wait_for(3)
        await other.wait_for(2)
    assert (numbers(one), numbers(other)) == ([1, 2, 5], [3, 4])


async def test_what_was_rejected_or_imported_reaches_no_app(location: str) -> None:
    async with received(location) as store, running_app() as app, attached(location, app.url):
        await store.add(delivery(number=1, state=State.INVALID).replace(status=403))
        await store.add(delivery(number=2, state=State.MISSING).replace(status=200))
        await store.add(delivery(number=3, state=State.STALE).replace(status=403))
        await store.add(delivery(number=4).replace(source=Source.IMPORT))
        await store.add(delivery(number=5, state=State.STALE).replace(status=200))
        await store.add(delivery(number=6).replace(source=Source.TRIGGER))
        await app.wait_for(2)
    assert numbers(app) == [5, 6]


async def test_a_name_continues_where_it_was(location: str) -> None:
    published = Published()
    async with received(location, 1) as store, running_app() as app:
        async with attached(location, app.url, start="start"):
            await app.wait_for(1)
        await receive(store, 2, 3)
        async with attached(location, app.url, start="start", published=published):
            await app.wait_for(3)
    assert numbers(app) == [1, 2, 3]
    assert [each.message for each in published.of(Notice)] == [f"{APP} continues after delivery 1."]


@pytest.mark.parametrize(
    ("start", "cursor"),
    [("now", 5), ("start", 0), ("3", 2), ("#3", 2), ("0", 0), ("90s", 2), ("1s", 5)],
)
async def test_a_new_name_begins_where_it_is_asked_to(
    location: str, start: str, cursor: int
) -> None:
    now = time.time()
    with open_store(location) as store:
        for number in range(1, 6):
            await store.add(delivery(number=number, received_at=now - 60 * (5 - number) - 30))
        reader = store.history()
        expected = {"90s": 3}.get(start, cursor)
        assert await asyncio.to_thread(starting_cursor, reader, start, now) == expected


async def test_a_start_that_is_none_is_a_usage_error(location: str) -> None:
    with (
        open_store(location) as store,
        pytest.raises(UsageError, match="--from 'yesterday' is neither"),
    ):
        starting_cursor(store.history(), "yesterday", 0.0)


async def test_while_the_app_is_down_a_bounded_number_waits_and_nothing_is_lost(
    location: str,
) -> None:
    received_numbers = range(IN_ORDER + 20)
    port = free_port()
    target = f"http://127.0.0.1:{port}"
    async with (
        received(location) as store,
        attached(location, target, delays=QUICK) as (relay, name),
    ):
        await asyncio.gather(*(receive(store, number) for number in received_numbers))
        await eventually(lambda: name.cursor == IN_ORDER)
        async with running_app(port=port) as app:
            await app.wait_for(len(received_numbers))
            await eventually(lambda: relay.waiting == 0)
    assert numbers(app) == list(received_numbers)


async def test_what_the_app_fails_is_set_aside_and_the_next_one_follows(location: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        failing = numbers(app).count(1) < 3 and numbers(app)[-1] == 1
        writer.write(http(500) if failing else OK)

    async with (
        received(location) as store,
        running_app(answer) as app,
        attached(location, app.url, delays=QUICK) as (relay, _),
    ):
        await receive(store, 1, 2, 3)
        await app.wait_for(5)
        await eventually(lambda: relay.waiting == 0)
    assert Counter(numbers(app)) == {1: 3, 2: 1, 3: 1}
    assert numbers(app)[-1] == 1


async def test_what_retention_deleted_before_it_was_seen_is_reported_once(
    location: str,
) -> None:
    published = Published()
    async with running_app() as app:
        with open_store(location, keep=3) as store:
            await receive(store, 1)
            async with attached(location, app.url, start="start"):
                await app.wait_for(1)
            await receive(store, *range(2, 11))
            async with attached(location, app.url, published=published):
                await app.wait_for(4)
                (notice,) = await published.until(Notice)
            async with attached(location, app.url, published=published):
                await receive(store, 11)
                await app.wait_for(5)
    assert notice.message.startswith(f"6 deliveries were deleted before {APP} had looked at them")
    assert len(published.of(Notice)) == 1
    assert numbers(app) == [1, 8, 9, 10, 11]


async def test_what_was_deleted_is_reported_once_the_history_can_be_written(
    tmp_path: Path,
) -> None:
    file = tmp_path / "history.db"
    published = Published()
    async with running_app() as app:
        with open_store(file, keep=3) as store, closing(sqlite3.connect(file)) as other:
            await receive(store, 1)
            async with attached(str(file), app.url, start="start"):
                await app.wait_for(1)
            await receive(store, *range(2, 11))
            other.execute(
                "CREATE TRIGGER full BEFORE UPDATE OF cursor ON attachments "
                "BEGIN SELECT raise(ABORT, 'it cannot be written'); END"
            )
            async with attached(str(file), app.url, published=published):
                (failure,) = await published.until(Notice)
                other.execute("DROP TRIGGER full")
                await app.wait_for(4)
                _, report = await published.until(Notice, 2)
    assert failure.message.startswith("Reading waits: ")
    assert report.message.startswith("6 deliveries were deleted")


async def test_the_queue_of_a_target_goes_to_the_one_named_in_its_place(location: str) -> None:
    gone = f"http://127.0.0.1:{free_port()}"
    async with received(location, 1, 2) as store, running_app() as app:
        async with attached(location, gone, start="start", delays=QUICK) as (_, name):
            await eventually(lambda: name.cursor == 2)
        await receive(store, 3)
        async with attached(location, app.url):
            await app.wait_for(3)
    assert numbers(app) == [1, 2, 3]


async def test_routes_choose_the_target(location: str) -> None:
    published = Published()
    async with received(location) as store, running_app() as one, running_app() as other:
        routes = [("post.publish.complete", one.url), ("post.publish.failed", other.url)]
        async with attached(location, routes=routes, published=published):
            await receive(store, 1)
            await receive(store, 2, event="post.publish.failed")
            await receive(store, 3, event="authorization.removed")
            await published.until(Skipped)
            await one.wait_for(1)
            await other.wait_for(1)
    assert (numbers(one), numbers(other)) == ([1], [2])
    assert [each.delivery.id for each in published.of(Skipped)] == [3]


async def test_a_name_that_a_process_has_is_a_usage_error_that_names_it(location: str) -> None:
    async with running_app() as app:
        with open_store(location, app=APP) as store:
            async with store.queue_lock(ATTACHMENT) as lock:
                assert await lock.acquire()
                here = Attachment(app=APP, host=socket.gethostname(), pid=os.getppid())
                await store.attach(here)
                with pytest.raises(UsageError) as caught:
                    async with attached(location, app.url):
                        pass
    assert str(caught.value) == (
        f"{APP} is attached already, from {socket.gethostname()} (process {os.getppid()})."
    )
    assert "--as NAME" in caught.value.hint


async def test_without_a_target_what_matches_is_shown_and_no_cursor_is_kept(location: str) -> None:
    published = Published()
    async with received(location, 1) as store:
        task = asyncio.create_task(follow(store, None, 0, published.take))  # noqa: TID251 - ended below
        await receive(store, 2)
        found = await published.until(DeliveryStored, 2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert store.history().attachment().attachment is None
    assert [each.delivery.id for each in found] == [1, 2]


async def test_an_idle_app_queries_a_server_rarely(
    server: PostgresServer, database: str, shared: str
) -> None:
    connections = "FROM pg_stat_activity WHERE application_name = 'tiktok-hook attach'"
    reads = f"SELECT query_start {connections} AND query LIKE 'SELECT h.epoch%'"
    async with (
        received(shared) as store,
        running_app() as app,
        attached(shared, app.url),
    ):
        await receive(store, 1)
        await app.wait_for(1)
        seen = set()
        for _ in range(15):
            await asyncio.sleep(0.1)  # each query stays visible until the next one
            seen |= set(server.execute(reads))
        assert server.execute(f"SELECT 1 {connections} LIMIT 1") == [(1,)]
        # One may be of the delivery, and one the look that is due every 5 s.
        assert len(seen) <= 3
        await receive(store, 2)
        await app.wait_for(2)


async def test_a_queue_is_counted_before_anything_has_changed(location: str) -> None:
    async with received(location) as store, running_app(http(500)) as app:
        async with attached(location, app.url) as (relay, _):
            await receive(store, 1, 2)
            await eventually(lambda: relay.waiting == 2)
        async with attached(location, app.url) as (relay, _):
            assert relay.waiting == 2


async def test_a_clock_that_is_off_by_an_hour_loses_nothing(location: str) -> None:
    """The clock of this machine is wrong; then another machine with a right one takes over."""

    def fast() -> float:
        return time.time() + 3600

    failing = http(500)
    published = Published()
    async with received(location) as store, running_app(failing) as app:
        async with attached(
            location, app.url, clock=fast, retry_for="30m", published=published
        ) as (relay, _):
            await receive(store, 1, 2)
            await published.until(AttemptEnded, 2)
            assert all(each.will_retry for each in published.of(AttemptEnded))
            assert relay.waiting == 2
        app.answer = OK
        async with attached(location, app.url, retry_for="30m") as (relay, _):
            await eventually(lambda: relay.waiting == 0)
    assert Counter(numbers(app))[1] >= 2
    assert Counter(numbers(app))[2] >= 2


async def test_kill_9_loses_nothing_and_repeats_one_at_most(location: str) -> None:
    kills = 2
    async with received(location, *range(60)), running_app(after(0.01)) as app:
        for until in (15, 35):
            process = await start_process(location, app.url, short_lease=True)
            await app.wait_for(until)
            await end_process(process, signal.SIGKILL)
        process = await start_process(location, app.url, short_lease=True)
        await eventually(lambda: 59 in numbers(app), seconds=30)
        await end_process(process, signal.SIGKILL)
    assert set(numbers(app)) == set(range(60))
    assert numbers(app) == sorted(numbers(app))
    assert len(numbers(app)) <= 60 + kills


@pytest.fixture
def short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease of 1.5 s on the server, so that tests need not wait for 15 s."""
    for name, value in (("LEASE_SECONDS", 1.5), ("RENEW_SECONDS", 0.3), ("_MARGIN_SECONDS", 0.3)):
        monkeypatch.setattr(f"tiktok_hook.store.postgres.presence.{name}", value)


@pytest.mark.realtime
@pytest.mark.usefixtures("short_lease")
class TestLease:
    """On a machine that is too busy to renew it in time, such a lease is rightly lost."""

    async def test_a_handler_at_a_breakpoint_keeps_the_name(self, shared: str) -> None:
        async with (
            received(shared) as store,
            running_app(after(3)) as app,
            attached(shared, app.url) as (relay, _),
        ):
            await receive(store, 1)
            await app.wait_for(1)
            until = time.monotonic() + 2.5
            with open_store(shared, app=APP) as other:
                while time.monotonic() < until:
                    assert not await other.queue_lock(ATTACHMENT).acquire()
                    await asyncio.sleep(0.2)
            await eventually(lambda: relay.waiting == 0)
        assert numbers(app) == [1]

    async def test_a_stopped_process_is_taken_over_and_ends_when_it_is_woken(
        self, shared: str
    ) -> None:
        async with received(shared, *range(20)) as store, running_app(after(0.01)) as app:
            process = await start_process(shared, app.url, short_lease=True)
            await app.wait_for(5)
            process.send_signal(signal.SIGSTOP)
            with open_store(shared, app=APP) as other:
                lock = other.queue_lock(ATTACHMENT)
                assert not await lock.acquire()
                async with asyncio.timeout(20):
                    while not await lock.acquire():  # noqa: ASYNC110 - nothing announces it
                        await asyncio.sleep(0.1)
                await lock.close()
            async with attached(shared, app.url):
                await eventually(lambda: 19 in numbers(app))
                process.send_signal(signal.SIGCONT)
                _, errors = await asyncio.to_thread(process.communicate, timeout=20)
                await receive(store, 20, 21)
                await eventually(lambda: 21 in numbers(app))
        assert f"{APP} was taken over by another process" in errors.decode()
        assert set(numbers(app)) == set(range(22))
        assert numbers(app) == sorted(numbers(app))
        assert len(numbers(app)) <= 23

    async def test_a_restart_of_the_server_loses_nothing(
        self, server: PostgresServer, shared: str
    ) -> None:
        async with (
            received(shared) as store,
            running_app() as app,
            attached(shared, app.url) as (relay, _),
        ):
            await receive(store, 1, 2)
            await app.wait_for(2)
            await asyncio.to_thread(server.stop, "immediate")
            await asyncio.sleep(0.3)
            await asyncio.to_thread(server.start)
            await _receive_when_possible(store, 3)
            await _receive_when_possible(store, 4)
            await eventually(lambda: 4 in numbers(app), seconds=30)
            await eventually(lambda: relay.waiting == 0)
        assert set(numbers(app)) == {1, 2, 3, 4}

    async def test_in_another_epoch_it_continues_at_the_cursor_with_a_notice(
        self, server: PostgresServer, database: str, shared: str
    ) -> None:
        published = Published()
        async with received(shared, 1) as store, running_app() as app:
            async with attached(shared, app.url, start="start"):
                await app.wait_for(1)
            await receive(store, 2)
            restored = "UPDATE tiktok_hook.history SET epoch = gen_random_uuid()"
            server.execute(restored, database)
            async with attached(shared, app.url, published=published):
                await receive(store, 3)
                await app.wait_for(3)
                server.execute(restored, database)
                await published.until(Notice, 2)
                await receive(store, 4)
                await app.wait_for(4)
        assert numbers(app) == [1, 2, 3, 4]
        assert "restored from a dump" in published.of(Notice)[0].message


async def _receive_when_possible(store: Store, number: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                await receive(store, number)
            except StoreError:
                await asyncio.sleep(0.1)
            else:
                return


def test_an_app_in_a_history_that_is_only_read_has_no_cursor(location: str) -> None:
    open_store(location).close()
    with open_history(location) as history:
        assert history.attachment().attachment is None
