import asyncio
import time

import pytest

from tests.deadline import DEADLINE
from tiktok_hook.bus import Bus


async def test_every_subscriber_gets_every_item_in_order() -> None:
    feed = Bus()
    with feed.subscribe() as one, feed.subscribe() as other:
        for item in (1, 2, 3):
            feed.publish(item)
        async with asyncio.timeout(DEADLINE):
            assert [await anext(one) for _ in range(3)] == [1, 2, 3]
        assert other.drain() == [1, 2, 3]


async def test_a_waiting_subscriber_is_woken() -> None:
    feed = Bus()
    with feed.subscribe() as arrivals:
        async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as group:
            waiting = group.create_task(anext(arrivals))
            await asyncio.sleep(0)
            feed.publish("news")
        assert waiting.result() == "news"


async def test_a_handler_is_called_at_once_until_its_block_ends() -> None:
    bus = Bus()
    heard: list[object] = []
    with bus.connect({str: heard.append}):
        bus.publish("first")
        assert heard == ["first"]
    bus.publish("second")
    assert heard == ["first"]


async def test_a_handler_gets_only_events_of_its_type_and_others_stay_connected() -> None:
    bus = Bus()
    texts: list[object] = []
    numbers: list[object] = []
    with bus.connect({str: texts.append, int: numbers.append}):
        with bus.connect({str: texts.append}):
            bus.publish("twice")
        bus.publish("once")
        bus.publish(1)
        bus.publish(1.5)
    assert (texts, numbers) == (["twice", "twice", "once"], [1])


async def test_what_was_published_before_is_not_seen() -> None:
    feed = Bus()
    feed.publish("old")
    with feed.subscribe() as arrivals:
        assert arrivals.drain() == []


async def test_what_does_not_fit_is_counted_and_the_oldest_stay() -> None:
    feed = Bus()
    with feed.subscribe(size=2) as slow, feed.subscribe() as quick:
        for item in range(5):
            feed.publish(item)
        assert (slow.drain(), slow.dropped) == ([0, 1], 3)
        assert (quick.drain(), quick.dropped) == ([0, 1, 2, 3, 4], 0)
        feed.publish(5)
        assert slow.drain() == [5]


async def test_iteration_ends_after_the_block_once_all_is_taken() -> None:
    feed = Bus()
    with feed.subscribe() as arrivals:
        feed.publish("last")
    feed.publish("too late")
    async with asyncio.timeout(DEADLINE):
        assert [item async for item in arrivals] == ["last"]


async def test_publishing_without_a_subscriber_is_fine() -> None:
    Bus().publish("anything")


@pytest.mark.realtime
async def test_a_subscriber_that_never_takes_anything_does_not_slow_publishing() -> None:
    feed = Bus()
    with feed.subscribe():
        started = time.perf_counter()
        for item in range(100_000):
            feed.publish(item)
        assert time.perf_counter() - started < 2
