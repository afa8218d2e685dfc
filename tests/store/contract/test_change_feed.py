"""New deliveries of a history: each once, at its answer."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from tests.store.samples import attempt, delivery, event_body
from tiktok_hook.delivery import CUT, Attempt
from tiktok_hook.store import Filter, Store
from tiktok_hook.store.change_feed import Arrival, follow


async def items(found: Iterator[Arrival | Attempt]) -> AsyncIterator[Arrival | Attempt]:
    """The items of a feed, read in a thread."""
    async with asyncio.timeout(20):
        while (item := await asyncio.to_thread(next, found, None)) is not None:
            yield item


async def first(found: Iterator[Arrival | Attempt]) -> Arrival:
    item = await anext(items(found))
    assert isinstance(item, Arrival)
    return item


async def test_an_answered_delivery_comes_at_once(store: Store) -> None:
    await store.add(delivery(status=200))
    feed = follow(store.history(), Filter(), 0)
    found = await first(feed)
    assert (found.delivery.id, found.delivery.status, found.waiting) == (1, 200, False)


async def test_one_without_an_answer_is_held_until_it_has_one(store: Store) -> None:
    added = await store.add(delivery())
    feed = follow(store.history(), Filter(), 0)
    _, found = await asyncio.gather(store.add(delivery(status=202)), first(feed))
    assert found.delivery.id == 2, "what comes later does not wait for it"
    store.set_status(added.id, 500)
    found = await first(feed)
    assert (found.delivery.id, found.delivery.status, found.waiting) == (1, 500, False)


async def test_one_is_shown_as_waiting_after_its_hold_and_not_again(store: Store) -> None:
    added = await store.add(delivery())
    feed = follow(store.history(), Filter(), 0, hold=0.1)
    found = await first(feed)
    assert (found.delivery.id, found.waiting) == (1, True)
    store.set_status(added.id, 200)
    await store.add(delivery(status=200))
    assert (await first(feed)).delivery.id == 2


async def test_one_that_was_cut_short_is_not_held(store: Store) -> None:
    added = await store.add(delivery())
    begun = await store.begin_attempt(attempt(added.id))
    await store.end_attempt(replace(begun, error=CUT, duration_ms=1.0))
    found = await first(follow(store.history(), Filter(), 0))
    assert found.attempt is not None
    assert (found.delivery.id, found.waiting, found.attempt.error) == (1, False, CUT)


async def test_at_the_end_what_is_held_comes_as_waiting(store: Store) -> None:
    await store.add(delivery())
    found = [each async for each in items(follow(store.history(), Filter(), 0, seconds=0.1))]
    assert [each.waiting for each in found if isinstance(each, Arrival)] == [True]


@pytest.mark.parametrize(
    "where",
    [Filter(), Filter(match="post.publish.failed"), Filter(statuses=200), Filter(text="spam")],
    ids=["all", "event", "status", "text"],
)
async def test_each_matching_one_comes_once(store: Store, where: Filter) -> None:
    body = event_body("post.publish.failed", reason="spam")
    await store.add(delivery(body, status=200))
    held = [await store.add(delivery(body)) for _ in range(2)]
    feed = follow(store.history(), where, 0)
    assert (await first(feed)).delivery.id == 1
    for each in (held[1], held[0]):
        store.set_status(each.id, 200)
        assert (await first(feed)).delivery.id == each.id
    await store.add(delivery(body, status=200))
    assert (await first(feed)).delivery.id == 4, "none comes a second time"


async def test_what_is_cleared_while_it_is_held_does_not_come(store: Store) -> None:
    await store.add(delivery(received_at=1.0))
    feed = follow(store.history(), Filter(), 0, hold=0.5)

    async def clear() -> None:
        await store.clear(Filter(until=2.0))
        await store.add(delivery(received_at=3.0, status=200))

    _, found = await asyncio.gather(clear(), first(feed))
    assert found.delivery.id in {1, 2}, "1 if its hold ended before it was cleared"
    if found.delivery.id == 1:
        found = await first(feed)
    await store.add(delivery(received_at=4.0, status=200))
    assert (found.delivery.id, (await first(feed)).delivery.id) == (2, 3)


async def test_an_attempt_that_ends_later_comes_by_itself(store: Store) -> None:
    added = await store.add(delivery(status=200))
    feed = follow(store.history(), Filter(), 0)
    await first(feed)
    begun = await store.begin_attempt(attempt(added.id))
    await store.end_attempt(replace(begun, status=500, duration_ms=3.0))
    item = await anext(items(feed))
    assert isinstance(item, Attempt)
    assert (item.id, item.status) == ("1.1", 500)
