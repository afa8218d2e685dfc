"""The cursor and the queue of an attached app."""

import asyncio

import pytest

from tests.store.samples import TARGET, delivery
from tiktok_hook.delivery import Delivery
from tiktok_hook.errors import UsageError
from tiktok_hook.store import (
    ATTACHMENT,
    Attachment,
    Bounds,
    Filter,
    QueueEntry,
    QueueMode,
    Store,
    forget_app,
    open_store,
)

APP = "anna@laptop"
ENTRY = QueueEntry("attached", TARGET)
IN_ORDER: dict[QueueMode, int | None] = {"attached": None}


async def attached(store: Store, cursor: int = 0) -> None:
    """Have the app's lock, and a cursor."""
    assert await store.queue_lock(ATTACHMENT).acquire()
    epoch = store.history().attachment().epoch
    await store.attach(
        Attachment(
            app=APP,
            target=TARGET,
            match="post.*",
            cursor=cursor,
            epoch=epoch,
            host="laptop",
            pid=812,
        )
    )


async def added(store: Store, number: int) -> list[Delivery]:
    return [await store.add(delivery(status=200)) for _ in range(number)]


def queue(store: Store, target: str = TARGET) -> list[int]:
    return [each.delivery.id for each in store.history().queue_head(target, IN_ORDER, 100)]


def cursor(store: Store) -> int | None:
    found = store.history().attachment().attachment
    return None if found is None else found.cursor


async def test_there_is_none_before_it_is_attached(location: str) -> None:
    with open_store(location, app=APP) as store:
        state = store.history().attachment()
    assert (state.attachment, state.newest_id, state.in_order, state.set_aside) == (None, 0, 0, 0)


async def test_it_is_read_as_it_was_recorded(location: str) -> None:
    with open_store(location, app=APP) as store:
        await added(store, 3)
        await attached(store, 2)
        state = store.history().attachment()
    assert state.newest_id == 3
    assert state.attachment == Attachment(
        app=APP,
        target=TARGET,
        match="post.*",
        cursor=2,
        epoch=state.epoch,
        host="laptop",
        pid=812,
    )


async def test_the_cursor_moves_with_what_it_puts_into_the_queue(location: str) -> None:
    with open_store(location, app=APP) as store:
        await added(store, 5)
        await attached(store)
        assert await store.advance(0, 4, [(2, ENTRY), (3, ENTRY)])
        assert (queue(store), cursor(store)) == ([2, 3], 4)
        store.set_aside(2, TARGET, tries=1, next_try_at=9.0)
        await store.flush()
        state = store.history().attachment()
        assert (state.in_order, state.set_aside) == (1, 1)
    with open_store(location, app=APP) as store:
        assert (queue(store), cursor(store)) == ([3], 4)


async def test_a_cursor_that_is_elsewhere_does_not_move_and_nothing_is_queued(
    location: str,
) -> None:
    with open_store(location, app=APP) as store:
        await added(store, 3)
        assert not await store.advance(0, 1, [(1, ENTRY)])
        await attached(store, 2)
        assert not await store.advance(1, 3, [(3, ENTRY)])
        assert (queue(store), cursor(store)) == ([], 2)


async def test_what_was_deleted_meanwhile_is_not_queued(location: str) -> None:
    with open_store(location, app=APP) as store:
        await added(store, 2)
        await attached(store)
        await store.remove([1])
        assert await store.advance(0, 2, [(1, ENTRY), (2, ENTRY)])
        assert queue(store) == [2]
        assert store.history().attachment().in_order == 1


async def test_each_app_has_a_queue_a_cursor_and_a_lock_of_its_own(location: str) -> None:
    with (
        open_store(location) as listener,
        open_store(location, app=APP) as anna,
        open_store(location, app="ben@desk") as ben,
    ):
        await listener.add(delivery(status=200), queues=[QueueEntry("first", TARGET)])
        await attached(anna)
        await attached(ben, 1)
        assert await anna.advance(0, 1, [(1, ENTRY)])
        assert [queue(each) for each in (anna, ben, listener)] == [[1], [], []]
        assert [cursor(each) for each in (anna, ben, listener)] == [1, 1, None]
        counts = [each.history().pending_count(TARGET) for each in (anna, ben, listener)]
        assert counts == [1, 0, 1]
        ben.dequeue(1, TARGET)
        listener.dequeue(1, TARGET)
        await asyncio.gather(ben.flush(), listener.flush())
        assert queue(anna) == [1]


async def test_one_process_at_a_time_has_the_name(location: str) -> None:
    with open_store(location, app=APP) as one, open_store(location, app=APP) as other:
        async with one.queue_lock(ATTACHMENT) as lock, other.queue_lock(ATTACHMENT) as second:
            assert await lock.acquire()
            assert not await second.acquire()
            assert (lock.held, lock.lost) == (True, False)
            await lock.release()
            assert await second.acquire()
            assert not lock.lost, "it was given back"


async def test_deliveries_queued_for_the_old_target_wait_for_the_new_one(location: str) -> None:
    new = "http://127.0.0.1:4000/"
    with open_store(location, app=APP) as store:
        await added(store, 3)
        await attached(store)
        await store.advance(0, 3, [(1, ENTRY), (2, ENTRY), (2, QueueEntry("attached", new))])
        epoch = store.history().attachment().epoch
        moved = Attachment(app=APP, target=new, cursor=3, epoch=epoch)
        await store.attach(moved, old_target=TARGET)
        assert (queue(store), queue(store, new)) == ([], [1, 2])
        assert store.history().attachment().attachment == moved


async def test_retention_spares_what_it_has_queued_and_counts_what_it_had_not_seen(
    location: str,
) -> None:
    with open_store(location, keep=3) as listener, open_store(location, app=APP) as store:
        await added(listener, 3)
        await attached(store)
        await store.advance(0, 1, [(1, ENTRY)])
        await added(listener, 5)
        assert [each.id for each in listener.history().walk()] == [1, 7, 8]
        found = store.history().attachment().attachment
        assert found is not None
        assert found.missed == 5  # 2 to 6
        assert await store.advance(1, 8, [], noted=5)
        found = store.history().attachment().attachment
        assert found is not None
        assert found.missed == 0


async def test_the_queue_of_an_attached_app_never_keeps_a_listener_from_storing() -> None:
    bounds = Bounds(
        keep=100, keep_bytes=1 << 30, rejected=10, rejected_bytes=1 << 20, queued=2, queued_bytes=99
    )
    with open_store(None, bounds=bounds) as store:
        await added(store, 3)
        await attached(store)
        await store.advance(0, 3, [(each, ENTRY) for each in (1, 2, 3)])
        await store.add(delivery(), queues=[QueueEntry("first", TARGET)])
        store.dequeue(1, TARGET)
        await store.flush()
        assert queue(store) == [2, 3]
        assert len(store.history().page(Filter(queued=True))) == 3


async def test_an_app_that_is_not_running_can_be_forgotten(location: str) -> None:
    with open_store(location) as listener:
        await added(listener, 3)
        with open_store(location, app=APP) as store:
            lock = store.queue_lock(ATTACHMENT)
            assert await lock.acquire()
            epoch = store.history().attachment().epoch
            await store.attach(Attachment(app=APP, target=TARGET, epoch=epoch))
            assert await store.advance(0, 3, [(2, ENTRY)])
            with pytest.raises(UsageError, match=f"{APP} is running"):
                await asyncio.to_thread(forget_app, location, APP)
            assert queue(store) == [2]
            await lock.close()
        with pytest.raises(UsageError, match="There is no app ben"):
            await asyncio.to_thread(forget_app, location, "ben")
        await asyncio.to_thread(forget_app, location, APP)
        with open_store(location, app=APP) as store:
            assert queue(store) == []
            assert store.history().attachment().attachment is None
            assert [each.id for each in store.history().page()] == [3, 2, 1]
        assert (await listener.add(delivery())).id == 4


async def test_forgetting_an_app_that_is_not_attached_deletes_no_queue(location: str) -> None:
    with open_store(location) as listener:
        await listener.add(delivery(), queues=[QueueEntry("first", TARGET)])
        for name in ("", "ben"):
            with pytest.raises(UsageError, match="There is no app"):
                await asyncio.to_thread(forget_app, location, name)
        assert [each.id for each in listener.history().pending(TARGET)] == [1]
