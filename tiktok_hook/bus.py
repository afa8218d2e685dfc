"""In-process publish and subscribe. The store is the truth; the bus signals when to look at it.

It runs on one event loop and has no locks. A subscriber that does not keep up loses events, never
delays the receiver, and knows how many it lost.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

Handler = Callable[[Any], None]


class Subscription(AsyncIterator[object]):
    """What has been published since it was made, in order; an endless async iterator.

    Attributes:
        dropped: How many events were dropped because `size` others had not been taken.
    """

    def __init__(self, size: int) -> None:
        self.dropped = 0
        self._size = size
        self._events: deque[object] = deque()
        self._arrived = asyncio.Event()
        self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> object:
        """Wait for the next event; ends once the subscription is closed and all are taken."""
        while not self._events:
            if self._closed:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        return self._events.popleft()

    def drain(self) -> list[object]:
        """Take what is there now, without waiting."""
        events = list(self._events)
        self._events.clear()
        return events

    def _offer(self, event: object) -> None:
        if len(self._events) < self._size:
            self._events.append(event)
            self._arrived.set()
        else:
            self.dropped += 1

    def _close(self) -> None:
        self._closed = True
        self._arrived.set()


class Bus:
    """Passes each event to its subscribers, on one event loop.

    Invariants: an event reaches the handlers in the order in which they connected, and then every
    subscription, before `publish` returns. So all of them see the events in the same order, but
    for what a handler publishes while it is called: those behind it get that first. The tuples are
    replaced and never changed, so a handler may connect or disconnect others while it is called;
    that takes effect with the next event.
    """

    def __init__(self) -> None:
        self._handlers: dict[type, tuple[Handler, ...]] = {}
        self._subscriptions: tuple[Subscription, ...] = ()

    def publish(self, event: object) -> None:
        """Pass an event to everybody who subscribed to its type; never waits."""
        for handler in self._handlers.get(type(event), ()):
            handler(event)
        for subscription in self._subscriptions:
            subscription._offer(event)  # noqa: SLF001 - its own module

    @contextmanager
    def connect(self, handlers: Mapping[type[Any], Handler]) -> Iterator[None]:
        """Call a handler with each event of its type, until the block ends.

        Args:
            handlers: By the exact type of the event. They are called while it is published, so
                they must neither wait nor raise; what takes time uses `subscribe`.
        """
        for kind, handler in handlers.items():
            self._handlers[kind] = (*self._handlers.get(kind, ()), handler)
        try:
            yield
        finally:
            for kind, handler in handlers.items():
                left = list(self._handlers[kind])
                left.remove(handler)
                self._handlers[kind] = tuple(left)

    @contextmanager
    def subscribe(self, *, size: int = 1000) -> Iterator[Subscription]:
        """Collect what is published, until the block ends.

        Args:
            size: How many events may wait to be taken; what comes beyond is dropped and counted.
        """
        subscription = Subscription(size)
        self._subscriptions = (*self._subscriptions, subscription)
        try:
            yield subscription
        finally:
            self._subscriptions = tuple(
                each for each in self._subscriptions if each is not subscription
            )
            subscription._close()  # noqa: SLF001 - its own module
