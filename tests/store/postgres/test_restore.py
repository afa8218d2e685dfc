"""A dump is restored, elsewhere or in place, while others know ids of before."""

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import postgres
from tests.apps import running_app
from tests.deadline import DEADLINE
from tests.postgres import PostgresServer, wait_for
from tests.relay.attached import attached
from tests.relay.samples import Published, eventually
from tests.relay.samples import delivery as numbered
from tests.store.samples import delivery
from tiktok_hook.delivery import DeliveryStored, Notice
from tiktok_hook.errors import StoreError
from tiktok_hook.relay import attachment
from tiktok_hook.store import Filter, HistoryReader, Store, open_history, open_store
from tiktok_hook.store.change_feed import Arrival, follow
from tiktok_hook.store.postgres.presence import Presence


@pytest.fixture(autouse=True)
def quick_renewal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A restore is noticed within 0.2 s in place of 5 s."""
    monkeypatch.setattr("tiktok_hook.store.postgres.presence.RENEW_SECONDS", 0.2)


@pytest.fixture
def url(server: PostgresServer, database: str) -> str:
    """The address of a history that is dumped and restored."""
    open_store(server.url(database)).close()
    return server.url(database)


def _dump(url: str, folder: Path) -> str:
    file = str(folder / "history.dump")
    postgres.dump(url, file)
    return file


async def _receive(store: Store, *numbers: int) -> None:
    for number in numbers:
        await store.add(numbered(number=number).replace(status=200))


def _numbers(bodies: list[bytes]) -> list[int]:
    return [json.loads(body)["create_time"] for body in bodies]


async def test_an_app_continues_in_a_copy_where_it_was_in_the_dump(
    server: PostgresServer, url: str, tmp_path: Path
) -> None:
    published = Published()
    async with running_app() as app:
        with open_store(url) as store:
            await _receive(store, 1)
            async with attached(url, app.url, start="start") as (relay, _):
                await app.wait_for(1)
                await eventually(lambda: relay.waiting == 0)
            await _receive(store, 2, 3)  # the app is not running: they are behind its cursor
            file = await asyncio.to_thread(_dump, url, tmp_path)
            await _receive(store, 4)
        copy = server.url(server.new_database())
        await asyncio.to_thread(postgres.restore, copy, file)
        with open_store(copy) as store:
            await _receive(store, 5)
            async with attached(copy, app.url, published=published) as (relay, _):
                await app.wait_for(4)
                await eventually(lambda: relay.waiting == 0)
    assert _numbers(app.bodies) == [1, 2, 3, 5]
    (notice,) = published.of(Notice)
    assert "was restored from a dump: anna@laptop continues after delivery 1" in notice.message
    assert "is lost" in notice.hint


@pytest.mark.parametrize("known", [True, False], ids=["name in the dump", "lease not in the dump"])
async def test_listener_and_app_continue_when_a_dump_is_restored_in_place(
    url: str, tmp_path: Path, *, known: bool
) -> None:
    published = Published()
    async with running_app() as app:
        with open_store(url) as store:
            await _receive(store, 1)
            if not known:
                async with attached(url, app.url, start="start"):
                    await app.wait_for(1)
                file = await asyncio.to_thread(_dump, url, tmp_path)
            async with attached(url, app.url, start="start", published=published) as (relay, name):
                await app.wait_for(1)
                await eventually(lambda: relay.waiting == 0 and name.cursor == 1)
                if known:
                    file = await asyncio.to_thread(_dump, url, tmp_path)
                await _receive(store, 2, 3)
                await app.wait_for(3)
                await eventually(lambda: relay.waiting == 0)
                await asyncio.to_thread(postgres.restore, url, file)
                await _receive(store, 4, 5, 6)  # ids 2, 3 and 4
                await app.wait_for(6)
                await eventually(lambda: relay.waiting == 0)
                # The app's lease may be renewed only now.
                await eventually(lambda: any(_is_about_the_dump(each) for each in published))
            assert [each.id for each in store.history().page()] == [4, 3, 2, 1]
    assert _numbers(app.bodies) == [1, 2, 3, 4, 5, 6]


def _is_about_the_dump(event: object) -> bool:
    return isinstance(event, Notice) and "was restored from a dump" in event.message


def _followed(url: str, ids: list[int]) -> None:
    with open_history(url) as history:
        for each in follow(history, Filter(), 0):
            assert isinstance(each, Arrival)
            ids.append(each.delivery.id)


def _shown(url: str, ids: list[int]) -> None:
    published = Published()

    def show(event: object) -> None:
        published.take(event)
        ids[:] = sorted({each.delivery.id for each in published.of(DeliveryStored)})

    async def run() -> None:
        with open_store(url, prune=False) as store:
            await attachment.follow(store, None, 0, show)

    asyncio.run(run())


@pytest.mark.parametrize("following", [_followed, _shown], ids=["events", "attach"])
def test_who_follows_ends_with_an_error_when_a_dump_is_restored(
    url: str, tmp_path: Path, following: Callable[[str, list[int]], None]
) -> None:
    """Its newest id means another delivery, so the next ones would be left out in silence."""
    file = _dump(url, tmp_path)
    with open_store(url) as store:
        for _ in range(3):
            asyncio.run(_add(store))
    seen: list[int] = []
    errors: list[StoreError] = []

    def run() -> None:
        try:
            following(url, seen)
        except StoreError as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    wait_for(lambda: seen == [1, 2, 3])
    postgres.restore(url, file)
    thread.join(DEADLINE)
    assert not thread.is_alive()
    assert "was restored from a dump" in str(errors[0])


@pytest.mark.parametrize("opener", [open_history, open_store], ids=["reader", "writer"])
def test_a_restore_before_the_first_look_at_the_history_is_counted(
    url: str,
    tmp_path: Path,
    opener: Callable[[str], HistoryReader | Store],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a busy machine: the thread that looks gets its turn late."""
    file = _dump(url, tmp_path)
    with monkeypatch.context() as late:
        late.setattr(Presence, "start", lambda _: None)
        opened = opener(url)
    with opened as history:
        postgres.restore(url, file)
        history.changes()
        reader = history.history() if isinstance(history, Store) else history
        wait_for(lambda: reader.restored() == 1)


async def test_a_restore_is_counted_although_the_server_fails_when_it_is_noticed(
    server: PostgresServer, database: str, url: str
) -> None:
    with open_store(url) as store:
        wait_for(lambda: store.changes() != -1)
        assert await store.queue_lock("http://app/").acquire()
        # What a restored copy looks like, in a history that cannot be written for now.
        server.execute(_UNWRITABLE, database)
        server.execute(_ANOTHER_ORIGIN, database)
        wait_for(lambda: server.execute("SELECT is_called FROM failures", database) == [(True,)])
        server.execute("DROP TRIGGER unwritable ON tiktok_hook.history", database)
        await asyncio.to_thread(wait_for, lambda: store.history().restored() == 1)


_UNWRITABLE = """
    CREATE SEQUENCE failures;
    CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM nextval('public.failures'); RAISE 'it cannot be written'; END $$;
    CREATE TRIGGER unwritable BEFORE UPDATE ON tiktok_hook.history
    EXECUTE FUNCTION fail()
"""
_ANOTHER_ORIGIN = """
    CREATE OR REPLACE FUNCTION tiktok_hook.origin_1() RETURNS text LANGUAGE sql AS
    $$ SELECT 'another' $$
"""


async def _add(store: Store) -> None:
    await store.add(delivery(status=200))
