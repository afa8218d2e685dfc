"""The deliveries that a session has answered since its start, for readers that begin later."""

import asyncio
import math
from array import array
from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from tiktok_hook.bus import Handler
from tiktok_hook.delivery import AppChanged, Delivery, DeliveryAnswered
from tiktok_hook.store import HistoryReader

MAX_ENTRIES = 100_000
"""Maximum number of deliveries that are remembered; beyond it the oldest are dropped."""

MAX_RECENT = 256
MAX_RECENT_BYTES = 4 << 20
"""How many deliveries, and bytes of bodies, are kept in memory; older ones are read from disk.

Fewer is faster: the memory of a delivery is then still in the processor's cache when it is freed.
With 1,000 each delivery took 5 % longer.
"""


class AnsweredLog:
    """The deliveries that were answered, in order. Runs on one event loop.

    Positions count from the start of the session. Invariants: the delivery at position p has the
    index ``p - _first`` in three arrays of the same length, which hold what the history may not
    have of it yet. `_news` exists only while a reader waits, and no reader waits if `_changes` has
    grown since its last check.

    Args:
        history: Older deliveries are read from it.
        ended: Set when the session ends by itself; an `AppChanged` is published then.
    """

    def __init__(self, history: HistoryReader, ended: asyncio.Event) -> None:
        self._history = history
        self._ended = ended
        self._first = 0
        # Arrays, since a tuple for each delivery of a long session would take 20 MB.
        self._ids = array("q")
        self._statuses = array("h")  # 0 is None
        self._first_received = array("d")  # NaN is None
        self._recent: OrderedDict[int, Delivery] = OrderedDict()
        self._recent_bytes = 0
        self._changes = 0
        self._news: asyncio.Event | None = None

    def handlers(self) -> Mapping[type[Any], Handler]:
        """The handlers for `Bus.connect`; connect them after those that set `ended`."""
        return {DeliveryAnswered: self._add, AppChanged: lambda _: self._wake()}

    async def read(self) -> AsyncGenerator[Delivery, None]:
        """Every delivery since the start of the session; ends when the session ends by itself."""
        position = 0
        while True:
            changes = self._changes
            while (position := max(position, self._first)) < self._first + len(self._ids):
                found = await self._delivery(position - self._first)
                position += 1
                if found is not None:  # otherwise it was cleared or pruned
                    yield found
            if self._ended.is_set():
                return
            if changes == self._changes:
                if self._news is None:
                    self._news = asyncio.Event()
                await self._news.wait()

    async def _delivery(self, place: int) -> Delivery | None:
        delivery_id, status = self._ids[place], self._statuses[place]
        first_received_at = self._first_received[place]
        recent = self._recent.get(delivery_id)
        if recent is not None:
            return recent
        stored = await asyncio.to_thread(self._history.get, delivery_id)
        if stored is None:
            return None
        return stored.replace(
            status=status or None,  # the history may not have it yet
            first_received_at=None if math.isnan(first_received_at) else first_received_at,
        )

    def _add(self, event: DeliveryAnswered) -> None:
        delivery = event.delivery
        first_received_at = delivery.first_received_at
        self._ids.append(delivery.id)
        self._statuses.append(delivery.status or 0)
        self._first_received.append(math.nan if first_received_at is None else first_received_at)
        if len(self._ids) > 2 * MAX_ENTRIES:
            del self._ids[:MAX_ENTRIES]
            del self._statuses[:MAX_ENTRIES]
            del self._first_received[:MAX_ENTRIES]
            self._first += MAX_ENTRIES
        self._recent[delivery.id] = delivery
        self._recent_bytes += len(delivery.body)
        while self._recent_bytes > MAX_RECENT_BYTES:
            _, oldest = self._recent.popitem(last=False)
            self._recent_bytes -= len(oldest.body)
        if len(self._recent) > MAX_RECENT:
            _, oldest = self._recent.popitem(last=False)
            self._recent_bytes -= len(oldest.body)
        self._wake()

    def _wake(self) -> None:
        """Wake every reader, which then checks for new deliveries."""
        self._changes += 1
        if self._news is not None:
            self._news.set()
            self._news = None
