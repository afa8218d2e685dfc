"""Who is told what happens: the store is the truth, the feed only wakes those who look at it.

It runs on one event loop and has no locks. A subscriber that does not keep up loses items, never
holds up the receiver, and can tell how many it lost.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Self


class Subscription(AsyncIterator[object]):
    """What has been published since it was made, in order; an endless async iterator.

    Attributes:
        dropped: How many items did not fit because nobody took the ones before.
    """

    def __init__(self, size: int) -> None:
        self.dropped = 0
        self._size = size
        self._items: deque[object] = deque()
        self._news = asyncio.Event()
        self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> object:
        """The next item, waited for; the end once the subscription is over and all is taken."""
        while not self._items:
            if self._closed:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._items.popleft()

    def drain(self) -> list[object]:
        """Take what is there now, without waiting."""
        items = list(self._items)
        self._items.clear()
        return items

    def _offer(self, item: object) -> None:
        if len(self._items) < self._size:
            self._items.append(item)
            self._news.set()
        else:
            self.dropped += 1

    def _close(self) -> None:
        self._closed = True
        self._news.set()


class Bus:
    """Hands every item to all who subscribed, on one event loop."""

    def __init__(self) -> None:
        self._listeners: tuple[Callable[[object], None], ...] = ()

    def publish(self, item: object) -> None:
        """Tell everybody. Never waits, never raises."""
        for tell in self._listeners:
            tell(item)

    @contextmanager
    def calling(self, listener: Callable[[object], None]) -> Iterator[None]:
        """Call somebody with what is published from now on, until the block ends.

        Args:
            listener: Must neither wait nor raise; what takes its time subscribes instead.
        """
        self._listeners += (listener,)
        try:
            yield
        finally:
            self._listeners = tuple(each for each in self._listeners if each is not listener)

    @contextmanager
    def subscribe(self, *, size: int = 1000) -> Iterator[Subscription]:
        """Get to know what is published from now on, until the block ends.

        Args:
            size: How many items may wait to be taken; what comes beyond is dropped and counted.
        """
        subscription = Subscription(size)
        try:
            with self.calling(subscription._offer):  # noqa: SLF001 - its own module
                yield subscription
        finally:
            subscription._close()  # noqa: SLF001 - its own module
