"""What a session has answered since it began, for readers that come later."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping
from typing import Any, NamedTuple

from tiktok_hook.bus import Handler
from tiktok_hook.delivery import AppChanged, Delivery, DeliveryAnswered
from tiktok_hook.store import HistoryReader

MAX_ENTRIES = 100_000
"""How many deliveries are remembered; of more, the oldest are forgotten."""

MAX_RECENT_BYTES = 4 << 20
"""How many bytes of bodies are kept in memory; older deliveries are read from the history."""


class AnsweredEntry(NamedTuple):
    """One answered delivery, without what the history has of it."""

    id: int
    status: int | None
    first_received_at: float | None


class AnsweredLog:
    """The deliveries that were answered, in order. Runs on one event loop.

    Positions count from the session's beginning. Invariant: the entry at position p is
    ``_entries[p - _first]``.

    Args:
        history: Where the older ones are read from.
        ended: Set when the session ends by itself; an `AppChanged` is published then.
    """

    def __init__(self, history: HistoryReader, ended: asyncio.Event) -> None:
        self._history = history
        self._ended = ended
        self._first = 0
        self._entries: list[AnsweredEntry] = []
        self._recent: OrderedDict[int, Delivery] = OrderedDict()
        self._recent_bytes = 0
        self._news = asyncio.Event()

    def handlers(self) -> Mapping[type[Any], Handler]:
        """The handlers for `Bus.connect`; after those that set `ended`."""
        return {DeliveryAnswered: self._add, AppChanged: lambda _: self._wake()}

    async def read(self) -> AsyncGenerator[Delivery, None]:
        """Every delivery from the session's beginning on; ends when the session ends by itself."""
        position = 0
        while True:
            news = self._news
            while (position := max(position, self._first)) < self._first + len(self._entries):
                found = await self._delivery(self._entries[position - self._first])
                position += 1
                if found is not None:  # otherwise it was cleared or pruned
                    yield found
            if self._ended.is_set():
                return
            if news is self._news:
                await news.wait()

    async def _delivery(self, entry: AnsweredEntry) -> Delivery | None:
        recent = self._recent.get(entry.id)
        if recent is not None:
            return recent
        stored = await asyncio.to_thread(self._history.get, entry.id)
        if stored is None:
            return None
        # Its status may not be written yet.
        return stored.replace(status=entry.status, first_received_at=entry.first_received_at)

    def _add(self, event: DeliveryAnswered) -> None:
        delivery = event.delivery
        entry = AnsweredEntry(delivery.id, delivery.status, delivery.first_received_at)
        self._entries.append(entry)
        if len(self._entries) > 2 * MAX_ENTRIES:
            del self._entries[:MAX_ENTRIES]
            self._first += MAX_ENTRIES
        self._recent[delivery.id] = delivery
        self._recent_bytes += len(delivery.body)
        while self._recent_bytes > MAX_RECENT_BYTES:
            _, oldest = self._recent.popitem(last=False)
            self._recent_bytes -= len(oldest.body)
        if len(self._recent) > MAX_ENTRIES // 100:
            _, oldest = self._recent.popitem(last=False)
            self._recent_bytes -= len(oldest.body)
        self._wake()

    def _wake(self) -> None:
        """Wake every reader; each then looks for itself."""
        self._news.set()
        self._news = asyncio.Event()
