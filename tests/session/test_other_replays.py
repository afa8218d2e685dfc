"""A session publishes what other processes replay."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

import tiktok_hook
from tests.apps import running_app
from tests.deadline import DEADLINE
from tests.listener import SECRET, post
from tests.store.samples import attempt, delivery
from tiktok_hook.delivery import AttemptEnded
from tiktok_hook.session.other_replays import OtherReplays
from tiktok_hook.store import Filter, Store, open_store

BEGAN = 1_795_410_391.5


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    """One history, opened by the session and by another process."""
    with ExitStack() as stack:
        path = tmp_path / "history.db"
        yield stack.enter_context(open_store(path)), stack.enter_context(open_store(path))


async def replay(store: Store, number: int, *, after: float = 0.0) -> None:
    begun = await store.begin_attempt(attempt(number, replay=True, started_at=BEGAN + after))
    await store.end_attempt(replace(begun, status=200, duration_ms=1.0))
    await store.flush()


def ids(replays: OtherReplays) -> list[str]:
    return [each.id for each in replays.ended()]


async def test_a_replay_of_another_process_is_given_once_at_its_end(
    stores: tuple[Store, Store],
) -> None:
    own, other = stores
    replays = OtherReplays(own.history(), BEGAN)
    await own.add(delivery(status=200))
    begun = await other.begin_attempt(attempt(1, replay=True, started_at=BEGAN))
    assert ids(replays) == []
    await replay(other, 1, after=10.0)
    assert ids(replays) == ["1.2"]
    await other.end_attempt(replace(begun, status=500, duration_ms=9_000.0))
    await other.flush()
    assert ids(replays) == ["1.1"]
    assert ids(replays) == []


async def test_one_that_began_a_little_earlier_than_another_may_come_after_it(
    stores: tuple[Store, Store],
) -> None:
    own, other = stores
    replays = OtherReplays(own.history(), BEGAN)
    await own.add(delivery(status=200))
    await replay(other, 1, after=5.0)
    assert ids(replays) == ["1.1"]
    await replay(other, 1, after=4.9)
    assert ids(replays) == ["1.2"]
    assert ids(replays) == []


async def test_more_than_a_page_of_them_within_a_second_come_once_each(
    stores: tuple[Store, Store],
) -> None:
    own, other = stores
    replays = OtherReplays(own.history(), BEGAN)
    await own.add(delivery(status=200))
    found: list[str] = []
    for first in (0, 70, 140):
        for number in range(first, first + 70):
            begun = attempt(1, replay=True, started_at=BEGAN + number / 1000)
            await other.begin_attempt(begun.replace(status=200, duration_ms=1.0))
        found += ids(replays)
    assert found == [f"1.{number}" for number in range(1, 211)]


async def test_of_a_delivery_that_was_cleared_meanwhile_nothing_comes(
    stores: tuple[Store, Store],
) -> None:
    own, other = stores
    replays = OtherReplays(own.history(), BEGAN)
    await own.add(delivery(status=200))
    await other.begin_attempt(attempt(1, replay=True, started_at=BEGAN))
    assert ids(replays) == []
    await own.clear(Filter(ids=1))
    assert ids(replays) == []


async def test_a_session_publishes_a_replay_of_another_process_and_its_own_once_each(
    tmp_path: Path,
) -> None:
    path = tmp_path / "history.db"
    async with (
        asyncio.timeout(DEADLINE),
        running_app() as app,
        tiktok_hook.listen(
            secret=SECRET, tunnel=False, inspect=False, port=0, db=str(path), forward_to=app.url
        ) as session,
    ):
        await post(session.local_url)
        with session.bus.subscribe() as news:
            await session.replay_last()
            with tiktok_hook.History(path) as history:
                await asyncio.to_thread(history.replay, 1, to=app.url, secret=SECRET)
                await asyncio.to_thread(history.replay, 1, to=app.url, secret=SECRET)
            replays: list[str] = []
            while replays[-1:] != ["1.4"]:
                event = await anext(news)
                if isinstance(event, AttemptEnded) and event.attempt.replay:
                    replays.append(event.attempt.id)
        assert replays == ["1.2", "1.3", "1.4"]
        assert session.summary().attempts == 4
