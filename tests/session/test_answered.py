"""What a session has answered, for readers that come later."""

import asyncio
import tracemalloc
from collections.abc import AsyncGenerator

import pytest

from tests.store.samples import delivery
from tiktok_hook.delivery import Delivery, DeliveryAnswered
from tiktok_hook.session import answered
from tiktok_hook.session.answered import AnsweredLog
from tiktok_hook.store import open_store


async def first(log: AnsweredLog, count: int) -> list[Delivery]:
    """The first ones that a new reader gets."""
    reader = log.read()
    async with asyncio.timeout(20):
        found = [await anext(reader) for _ in range(count)]
    await reader.aclose()
    return found


async def test_what_no_longer_is_in_memory_comes_from_the_history_with_its_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answered, "MAX_RECENT_BYTES", 100)
    with open_store(":memory:") as store:
        log = AnsweredLog(store.history(), asyncio.Event())
        add = log.handlers()[DeliveryAnswered]
        for number in range(3):
            added = await store.add(delivery(b"x" * 60))
            add(DeliveryAnswered(added.replace(status=200 + number, first_received_at=7.0)))
        found = await first(log, 3)
    assert [(each.id, each.status) for each in found] == [(1, 200), (2, 201), (3, 202)]
    assert {each.first_received_at for each in found} == {7.0}
    assert {each.body for each in found} == {b"x" * 60}


async def test_the_oldest_are_forgotten_and_what_was_cleared_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answered, "MAX_ENTRIES", 3)
    monkeypatch.setattr(answered, "MAX_RECENT_BYTES", 0)
    with open_store(":memory:") as store:
        log = AnsweredLog(store.history(), asyncio.Event())
        add = log.handlers()[DeliveryAnswered]
        for _ in range(7):
            add(DeliveryAnswered(await store.add(delivery(status=200))))
        assert [each.id for each in await first(log, 4)] == [4, 5, 6, 7]
        await store.clear()
        add(DeliveryAnswered(await store.add(delivery(status=200))))
        assert [each.id for each in await first(log, 1)] == [8]


async def test_a_long_session_takes_few_bytes_for_each_delivery() -> None:
    with open_store(":memory:") as store:
        log = AnsweredLog(store.history(), asyncio.Event())
        add = log.handlers()[DeliveryAnswered]
        sample = delivery(status=200)
        for number in range(1_000, 2_000):  # until what is recent takes no more
            add(DeliveryAnswered(sample.replace(id=number)))
        tracemalloc.start(1)
        try:
            for number in range(2_000, 22_000):
                add(DeliveryAnswered(sample.replace(id=number)))
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert held / 20_000 < 45  # 256 recent ones take 20 of these


async def test_every_waiting_reader_gets_what_comes_next() -> None:
    with open_store(":memory:") as store:
        log = AnsweredLog(store.history(), asyncio.Event())
        add = log.handlers()[DeliveryAnswered]
        readers = [log.read() for _ in range(2)]
        seen: list[int] = []

        async def read(reader: AsyncGenerator[Delivery, None]) -> None:
            seen.append((await anext(reader)).id)

        for number in (1, 2):
            async with asyncio.timeout(20), asyncio.TaskGroup() as group:
                for reader in readers:
                    group.create_task(read(reader))
                await asyncio.sleep(0)  # each looks once and waits
                add(DeliveryAnswered(await store.add(delivery(status=200))))
            assert seen == [1, 1, 2, 2][: 2 * number]
        for reader in readers:
            await reader.aclose()
