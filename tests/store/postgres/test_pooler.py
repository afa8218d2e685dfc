"""Through PgBouncer in transaction mode: all works, seen later since no notification arrives."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.apps import running_app
from tests.cli.runner import invoke
from tests.deadline import DEADLINE
from tests.postgres import PostgresServer, wait_for
from tests.relay.attached import APP, attached
from tests.relay.samples import eventually
from tests.store.postgres import pooler
from tests.store.samples import delivery, event_body
from tiktok_hook.doctor import Subject, history
from tiktok_hook.store import ATTACHMENT, open_history, open_store


@pytest.fixture(autouse=True)
def short_self_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second in place of two until a notification counts as not heard."""
    monkeypatch.setattr("tiktok_hook.store.postgres.presence._SELF_TEST_SECONDS", 0.5)


@pytest.fixture
def url(server: PostgresServer, database: str) -> Iterator[str]:
    """The address of an empty history, through a pooler with three connections."""
    open_store(server.url(database)).close()
    with pooler.running(server) as port:
        yield server.url(database, port=port)


async def test_eight_listeners_share_three_connections_and_number_exactly(url: str) -> None:
    body = event_body()
    with ExitStack() as stack:
        stores = [stack.enter_context(open_store(url)) for _ in range(8)]
        stored = await asyncio.gather(*(store.add(delivery(body)) for store in stores * 10))
        for _ in range(8):  # so often that a prepared statement would be used
            await stores[0].add(delivery())
        assert stores[0].history().newest_id() == 88
    assert sorted(each.redelivery_number for each in stored) == list(range(1, 81))


async def test_what_is_new_is_seen_although_no_notification_arrives(url: str) -> None:
    with open_store(url) as store, open_history(url) as follower:
        wait_for(lambda: follower.changes() != -1)
        for _ in range(2):
            seen = follower.changes()
            await store.add(delivery())
            began = time.monotonic()
            assert await asyncio.to_thread(follower.wait_for_change, seen, DEADLINE) != seen
            assert time.monotonic() - began < 8


async def test_an_attached_app_gets_all_in_order_and_its_name_is_given_once(url: str) -> None:
    async with running_app() as app:
        with open_store(url) as store, open_store(url, app=APP, prune=False) as other:
            async with attached(url, app.url) as (relay, _):
                for _ in range(20):
                    await store.add(delivery(status=200))
                await app.wait_for(20)
                await eventually(lambda: relay.waiting == 0)
                assert not await other.queue_lock(ATTACHMENT).acquire()
            assert await other.queue_lock(ATTACHMENT).acquire()
            assert [len(store.history().attempts(number)) for number in range(1, 21)] == [1] * 20


async def test_doctor_and_team_status_name_the_pooler(url: str) -> None:
    found = {each.id: each for each in await history.database(Subject(db=url))}
    changes = found["database-changes"]
    assert changes.status == "warn"
    assert changes.found == "the address is a pooler's: new deliveries are seen up to 5 s late"
    assert changes.next_step == "Use the server's direct address."
    with open_store(url):
        shown = await asyncio.to_thread(invoke, "team", "status", url)
        status = json.loads(
            (await asyncio.to_thread(invoke, "team", "status", url, "--json")).stdout
        )
    assert "connected through a pooler, without notifications" in shown.stdout
    (listener,) = (line for line in shown.stdout.splitlines() if "process" in line)
    assert "through a pooler" in listener
    assert (status["direct"], status["notifications"]) == (False, False)
    assert [each["direct"] for each in status["members"]] == [False]
