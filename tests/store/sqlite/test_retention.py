"""How much a history may hold: what is counted, what is cut, and what goes."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.store.samples import TARGET, attempt, delivery, event_body, hostile_body
from tiktok_hook import store as store_module
from tiktok_hook.delivery import Delivery
from tiktok_hook.errors import StoreError
from tiktok_hook.signature import State
from tiktok_hook.store import Bounds, QueueEntry, Store, open_store
from tiktok_hook.store.sqlite.database import Database
from tiktok_hook.store.sqlite.retention import Counters, delete


def test_whatever_number_goes_few_statements_do_it(tmp_path: Path) -> None:
    """SQLite keeps each statement that it has made: hundreds of long ones were ten megabytes."""
    database = Database(tmp_path / "history.db")
    database.create()
    lengths = set()
    with closing(database.connect()) as connection:
        connection.set_trace_callback(lambda text: lengths.add(text.count(",")))
        counters = Counters.read(connection, Bounds.of(1, 1))
        for number in range(1, 65):
            assert delete(connection, range(1, number + 1), counters) == 0
    # Three statements, each for 1, 2, 4 and so on up to 64 ids; they return up to three columns.
    assert len(lengths) <= 3 * 7


def disk_bytes(path: Path) -> int:
    """The size of the database alone, once its log is copied into it."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.stat().st_size


def shaped(shape: str, number: int) -> Delivery:
    if shape == "long values":
        return delivery(hostile_body(number))
    if shape == "long headers":
        return delivery(headers=tuple((f"X-{each}", "h" * 6000) for each in range(8)))
    if shape == "long path":
        return delivery(path="/" + "p" * 8000, query="q" * 8000)
    if shape == "searchable values":
        user, event = f"{number}" + "u" * 190, f"{number}" + "\u00e9" * 190
        return delivery(event_body(event, publish_id=f"{number}" + "p" * 190, user=user))
    return delivery(bytes(int(shape)))


@pytest.mark.parametrize(
    "shape",
    [
        "long values",
        "long headers",
        "long path",
        "searchable values",
        *("0", "700", "1400", "2100", "3900", "5000", "9000"),
    ],
)
async def test_the_file_stays_within_keep_bytes_whatever_is_sent(
    tmp_path: Path, shape: str
) -> None:
    path, keep_bytes = tmp_path / "history.db", 3_000_000
    with open_store(path, keep_bytes=keep_bytes) as store:
        sent = 0
        while sent < 2.2 * keep_bytes:
            batch = [shaped(shape, sent + number) for number in range(64)]
            sent += sum(len(each.body) + len(str(each.headers)) + 800 for each in batch)
            await asyncio.gather(*(store.add(each) for each in batch))
        received = store.history().counts().received
    assert received > 1
    # The batch that is being written comes on top: a megabyte, or one delivery.
    assert disk_bytes(path) < 1.1 * keep_bytes + 2_000_000


async def test_a_history_in_memory_has_a_bound_whatever_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store_module, "KEEP_BYTES_IN_MEMORY", 1_000_000)
    with open_store(":memory:", keep_bytes=1 << 40) as store:
        for _ in range(6):
            await store.add(delivery(bytes(400_000)))
        assert store.history().counts().received <= 3


async def test_the_answers_of_an_app_count_too(tmp_path: Path) -> None:
    path, keep_bytes = tmp_path / "history.db", 3_000_000
    with open_store(path, keep_bytes=keep_bytes) as store:
        for _ in range(25):
            stored = await asyncio.gather(
                *(store.add(delivery(), attempt=attempt(0)) for _ in range(64))
            )
            for each in stored:
                begun = attempt(each.id, number=1)
                store.end_attempt_nowait(
                    begun.replace(status=500, duration_ms=1.0, body=bytes(5000))
                )
    assert disk_bytes(path) < 1.1 * keep_bytes + 2_000_000


async def test_rejected_ones_take_a_bounded_part_of_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with open_store(path) as store:
        for first in range(0, 1200, 100):
            many = [
                delivery(
                    hostile_body(number, 30_000),
                    state=State.INVALID,
                    path="/" + "p" * 8000,
                    headers=tuple((f"X-{each}", "h" * 6000) for each in range(8)),
                )
                for number in range(first, first + 100)
            ]
            await asyncio.gather(*(store.add(each) for each in many))
    assert disk_bytes(path) < 18_000_000


class TestTheQueue:
    FIRST = QueueEntry("first", TARGET)

    async def fill(self, store: Store, count: int) -> list[Delivery | BaseException]:
        return list(
            await asyncio.gather(
                *(store.add(delivery(bytes(990_000)), queues=[self.FIRST]) for _ in range(count)),
                return_exceptions=True,
            )
        )

    @staticmethod
    def opened(path: Path) -> Store:
        return open_store(
            path, bounds=Bounds(keep=10, keep_bytes=1_000_000, queued_bytes=9_000_000)
        )

    def test_as_much_may_wait_as_may_stay_and_never_little(self) -> None:
        large, small = Bounds.of(100_000, 1 << 30), Bounds.of(10, 1 << 20)
        assert (large.queued, large.queued_bytes) == (100_000, 1 << 30)
        assert (small.queued, small.queued_bytes) == (10_000, 64 << 20)

    async def test_what_may_wait_for_the_app_is_bounded(self, tmp_path: Path) -> None:
        path = tmp_path / "history.db"
        with self.opened(path) as store:
            results = await self.fill(store, 20)
            stored = [each for each in results if isinstance(each, Delivery)]
            errors = [each for each in results if isinstance(each, StoreError)]
            assert (len(stored), len(errors)) == (10, 10)
            assert str(errors[0]).startswith("10 deliveries (10 MB) wait for the app")
            # What does not wait is stored all the same, and what leaves makes room.
            await store.add(delivery())
            store.dequeue(stored[0].id, TARGET)
            await store.add(delivery(), queues=[self.FIRST])
        assert disk_bytes(path) < 12_500_000

    async def test_the_bound_is_one_of_number_too(self, tmp_path: Path) -> None:
        bounds = Bounds(keep=1, keep_bytes=1_000_000, queued=3)
        with open_store(tmp_path / "history.db", bounds=bounds) as store:
            results = await self.fill(store, 5)
        assert sum(isinstance(each, StoreError) for each in results) == 2

    async def test_the_bound_holds_after_a_restart_and_a_clearing(self, tmp_path: Path) -> None:
        path = tmp_path / "history.db"
        with self.opened(path) as store:
            await self.fill(store, 10)
        with self.opened(path) as store:
            with pytest.raises(StoreError, match="no more may wait"):
                await store.add(delivery(), queues=[self.FIRST])
            await store.clear()
            await store.add(delivery(), queues=[self.FIRST])

    async def test_secondary_targets_hold_nothing_up(self, tmp_path: Path) -> None:
        secondary = QueueEntry("first", TARGET, secondary=True)
        with self.opened(tmp_path / "history.db") as store:
            for _ in range(15):
                await store.add(delivery(bytes(990_000)), queues=[secondary])
