"""Stores what a file contains in a history: all of it or nothing, and nothing twice."""

import asyncio
import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from tiktok_hook.archive.capture import Capture
from tiktok_hook.archive.entry import Entry
from tiktok_hook.delivery import Attempt, Delivery
from tiktok_hook.store import Filter, HistoryReader, Store

CHUNK = 1024
"""Deliveries that are stored at a time; more are not held in memory."""

_MAX_AT_ONE_TIME = 100_000

_SAME_SECONDS = 1e-6
"""Files have times in microseconds, a history has what the clock gave: up to four times as fine."""

Identity = tuple[str, str, str, bytes]


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import added.

    Attributes:
        deliveries: How many were added.
        attempts: How many attempts belong to them.
        first: Lowest new id; 0 when nothing was added.
        last: Highest new id.
        duplicates: Deliveries that the history already had; not added.
    """

    deliveries: int
    attempts: int
    first: int
    last: int
    duplicates: int = 0


async def import_into(store: Store, capture: Capture) -> ImportResult:
    """Store what a capture contains, in its order, except what the history already has.

    Two deliveries are the same when time, method, path, query and body are equal.

    Raises:
        UsageError: The file changed since it was checked.
        StoreError: It could not be stored; what was stored of it is removed again.
    """
    ids: list[int] = []
    attempts = duplicates = 0
    known = _Known(store.history())
    entries = (each.without_own_cookies() for each in capture.entries())
    try:
        while chunk := list(islice(entries, CHUNK)):
            new = await asyncio.to_thread(known.without, chunk)
            duplicates += len(chunk) - len(new)
            if not new:
                continue
            stored = [each.id for each in await store.add_many([each.delivery for each in new])]
            ids += stored
            attempts += await _store_attempts(store, zip(stored, new, strict=True))
    except BaseException:
        await asyncio.shield(store.remove(ids))
        raise
    first, last = (ids[0], ids[-1]) if ids else (0, 0)
    return ImportResult(len(ids), attempts, first, last, duplicates)


class _Known:
    """The deliveries that a history had before the import began."""

    def __init__(self, history: HistoryReader) -> None:
        self._history = history
        self._newest = history.newest_id()
        self._at: dict[float, set[Identity]] = {}

    def without(self, chunk: Sequence[Entry]) -> list[Entry]:
        """The entries whose delivery is not known."""
        self._at.clear()
        return [
            each for each in chunk if _identity(each.delivery) not in self._of(each.delivery)
        ]  # fmt: skip

    def _of(self, delivery: Delivery) -> set[Identity]:
        at = delivery.received_at
        if at not in self._at:
            until = math.nextafter(at + _SAME_SECONDS, math.inf)
            same_time = Filter(since=at - _SAME_SECONDS, until=until)
            found = self._history.page(same_time, limit=_MAX_AT_ONE_TIME)
            self._at[at] = {_identity(each) for each in found if each.id <= self._newest}
        return self._at[at]


def _identity(delivery: Delivery) -> Identity:
    digest = hashlib.blake2b(delivery.body, digest_size=16).digest()
    return delivery.method, delivery.path, delivery.query, digest


async def _store_attempts(store: Store, chunk: Iterator[tuple[int, Entry]]) -> int:
    """Each delivery's attempts in order, all deliveries at once: one commit serves many."""
    lists = [
        [replace(attempt, delivery_id=number, number=0) for attempt in entry.attempts]
        for number, entry in chunk
        if entry.attempts
    ]
    try:
        async with asyncio.TaskGroup() as group:
            for attempts in lists:
                group.create_task(_store_in_order(store, attempts))
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return sum(len(attempts) for attempts in lists)


async def _store_in_order(store: Store, attempts: Sequence[Attempt]) -> None:
    for attempt in attempts:
        begun = await store.begin_attempt(attempt)
        if attempt.ended:
            await store.end_attempt(begun)
