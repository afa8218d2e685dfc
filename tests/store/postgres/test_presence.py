"""What a process hears of the writes of another one."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.postgres import PostgresServer
from tests.store.samples import TARGET, attempt, delivery, wait_until
from tiktok_hook.store import HistoryReader, QueueEntry, Store, open_history, open_store

QUIET_SECONDS = 10.0
"""Long before the history is looked at without a notification, which happens every 30 s."""


@pytest.fixture
def store(server: PostgresServer, database: str) -> Iterator[Store]:
    """A process that writes."""
    with open_store(server.url(database)) as opened:
        yield opened


@pytest.fixture
def reader(server: PostgresServer, database: str, store: Store) -> Iterator[HistoryReader]:
    """Another one, once it hears."""
    with open_history(server.url(database)) as opened:
        wait_until(lambda: opened.changes() >= 0)
        yield opened


def counters(reader: HistoryReader) -> tuple[int, int]:
    return reader.additions(), reader.updates()


async def test_a_new_delivery_is_an_addition_and_no_update(
    store: Store, reader: HistoryReader
) -> None:
    additions, updates = counters(reader)
    await store.add(delivery(), queues=[QueueEntry("first", TARGET)])
    wait_until(lambda: reader.additions() > additions, seconds=QUIET_SECONDS)
    assert reader.updates() == updates


async def test_a_delivery_that_is_forwarded_at_once_is_both(
    store: Store, reader: HistoryReader
) -> None:
    additions, updates = counters(reader)
    await store.add(delivery(), attempt=attempt(0))
    wait_until(lambda: reader.additions() > additions, seconds=QUIET_SECONDS)
    assert reader.updates() > updates


async def test_attempts_statuses_and_the_queue_are_updates_and_no_additions(
    store: Store, reader: HistoryReader
) -> None:
    stored = await store.add(delivery())
    begun = await store.begin_attempt(attempt(stored.id))
    wait_until(lambda: reader.changes() > 0, seconds=QUIET_SECONDS)
    changes: tuple[Callable[[], None], ...] = (
        lambda: store.end_attempt_nowait(begun.replace(status=200, duration_ms=1.0)),
        lambda: store.set_status(stored.id, 500),
        lambda: store.dequeue(stored.id, TARGET),
    )
    for change in changes:
        await store.flush()
        wait_for_silence(reader)
        additions, updates = counters(reader)
        change()
        wait_until(partial(_is_beyond, updates, reader.updates), seconds=QUIET_SECONDS)
        assert reader.additions() == additions


def _is_beyond(seen: int, counter: Callable[[], int]) -> bool:
    return counter() > seen


def wait_for_silence(reader: HistoryReader) -> None:
    """Return once nothing was heard for four times as long as a notification may be held back."""
    while reader.wait_for_change(seen := reader.changes(), 0.2) != seen:
        pass


async def test_a_batch_with_many_additions_and_a_status_is_both(
    store: Store, reader: HistoryReader
) -> None:
    stored = await store.add(delivery())
    wait_for_silence(reader)
    updates = reader.updates()
    store.set_status(stored.id, 500)  # not awaited: committed with the next write, if that is soon
    await store.add_many([delivery() for _ in range(3)])
    wait_until(lambda: reader.updates() > updates, seconds=QUIET_SECONDS)


async def test_what_was_added_last_is_heard_when_its_process_ends_at_once(
    server: PostgresServer,
    database: str,
    reader: HistoryReader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Longer than the test takes, so that the second batch is within that time after the first.
    monkeypatch.setattr("tiktok_hook.store.postgres.presence._NOTIFY_ADDED_SECONDS", 20.0)
    # Otherwise it is found without a notification.
    monkeypatch.setattr("tiktok_hook.store.postgres.presence.RENEW_SECONDS", 20.0)
    for _ in range(5):
        with open_store(server.url(database), prune=False) as other:
            additions = reader.additions()
            await other.add(delivery())
            wait_until(partial(_is_beyond, additions, reader.additions), seconds=QUIET_SECONDS)
            additions = reader.additions()
            # Several, after which the writer waits for more before it does anything else.
            await asyncio.gather(*(other.add(delivery()) for _ in range(8)))
        wait_until(partial(_is_beyond, additions, reader.additions), seconds=QUIET_SECONDS)


async def test_what_changed_last_is_heard_when_its_process_ends_at_once(
    server: PostgresServer, database: str, store: Store, reader: HistoryReader
) -> None:
    stored = await store.add(delivery())
    wait_for_silence(reader)
    updates = reader.updates()
    with open_store(server.url(database), prune=False) as other:
        for status in range(200, 210):
            other.set_status(stored.id, status)
            await other.flush()
    wait_until(lambda: reader.updates() > updates, seconds=QUIET_SECONDS)
    wait_for_silence(reader)
    found = reader.get(stored.id)
    assert found is not None
    assert found.status == 209
