"""Stores what a file contains in a history: all of it or nothing, and nothing twice."""

import asyncio
import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice

from tiktok_hook.archive.capture import Capture
from tiktok_hook.archive.entry import Entry
from tiktok_hook.delivery import Attempt, Delivery
from tiktok_hook.store import Filter, HistoryReader, Store

CHUNK = 1024
"""Deliveries that are stored at a time; more are not held in memory."""

_READ_AT_ONCE = 256

_SAME_SECONDS = 1e-6
"""Files have times in microseconds, a history has what the clock gave: up to four times as fine."""


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
            stored = await store.add_many(
                [each.delivery for each in new],
                [next(iter(each.attempts), None) for each in new],
            )
            numbers = [each.id for each in stored]
            ids += numbers
            attempts += await _store_attempts(store, list(zip(numbers, new, strict=True)))
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
        self._at: dict[float, set[bytes]] = {}

    def without(self, chunk: Sequence[Entry]) -> list[Entry]:
        """The entries whose delivery is not known."""
        if not self._newest:
            return list(chunk)
        times = {each.delivery.received_at for each in chunk}
        # Programs that record no times give all deliveries the same one: it is read only once.
        self._at = {at: known for at, known in self._at.items() if at in times}
        self._read(times - self._at.keys())
        return [
            each
            for each in chunk
            if _identity(each.delivery) not in self._at[each.delivery.received_at]
        ]

    def _read(self, times: Collection[float]) -> None:
        """Read what was received at these times, a few deliveries at once."""
        ordered = sorted(times)
        self._at.update({at: set() for at in ordered})
        found = self._history.ids_received_at(ordered, within=_SAME_SECONDS)
        ids = [each for each in found if each <= self._newest]
        for start in range(0, len(ids), _READ_AT_ONCE):
            some = Filter(ids=ids[start : start + _READ_AT_ONCE])
            for each in self._history.page(some, limit=_READ_AT_ONCE):
                identity = _identity(each)
                first = bisect_left(ordered, each.received_at - _SAME_SECONDS)
                last = bisect_right(ordered, each.received_at + _SAME_SECONDS)
                for at in ordered[first:last]:
                    self._at[at].add(identity)


def _identity(delivery: Delivery) -> bytes:
    """What two deliveries of the same time have in common when they are the same."""
    line = "\n".join((delivery.method, delivery.path, delivery.query, ""))
    digest = hashlib.blake2b(line.encode(errors="surrogatepass"), digest_size=16)
    digest.update(delivery.body)
    return digest.digest()


async def _store_attempts(store: Store, stored: Sequence[tuple[int, Entry]]) -> int:
    """Each delivery's attempts but the first, which is recorded as begun, and the end of that.

    Returns:
        How many attempts the deliveries have.
    """
    for number, entry in stored:
        if entry.attempts and entry.attempts[0].ended:
            store.end_attempt_nowait(entry.attempts[0].replace(delivery_id=number, number=1))
    await store.flush()
    try:
        async with asyncio.TaskGroup() as group:
            for number, entry in stored:
                if len(entry.attempts) > 1:
                    others = [each.replace(delivery_id=number) for each in entry.attempts[1:]]
                    group.create_task(_store_in_order(store, others))
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return sum(len(entry.attempts) for _, entry in stored)


async def _store_in_order(store: Store, attempts: Sequence[Attempt]) -> None:
    for attempt in attempts:
        begun = await store.begin_attempt(attempt)
        if attempt.ended:
            await store.end_attempt(begun)
