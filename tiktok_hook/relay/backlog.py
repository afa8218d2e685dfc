"""Hands on, in order, what was answered before the app had it."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Literal

from tiktok_hook.delivery import Attempt, Delivery, Notice
from tiktok_hook.errors import StoreError
from tiktok_hook.relay.watch import Watch
from tiktok_hook.store import Queue, Store

SLICE = 20
"""How many deliveries are in memory at once."""

_STORE_PAUSE_SECONDS = 1.0
NOT_SENT = frozenset({"refused", "dns", "unreachable"})
"""Errors after which the app cannot have seen anything, so that the queue waits for it."""

Mode = Literal["first", "hold"]


class Backlog:
    """The queue of the first target: it lies in the store and survives a restart.

    Whatever the app answers, a delivery leaves the queue once the app had it; only where no
    connection could be made does it stay, and everything behind it waits. The next attempt is
    committed behind the end of the last, so a crash can repeat one delivery at most.

    Args:
        target: The first target.
        store: Holds the queue.
        watch: Knows whether the target is there.
        send: Makes one attempt with a delivery at the target.
        passed: Called with each delivery and its attempt when it has left the queue.
        publish: Told attempts and notices.
    """

    def __init__(
        self,
        target: str,
        *,
        store: Store,
        watch: Watch,
        send: Callable[[Delivery, str], Awaitable[Attempt]],
        passed: Callable[[Delivery], Awaitable[None]],
        publish: Callable[[object], None],
    ) -> None:
        self._target = target
        self._store = store
        self._watch = watch
        self._send = send
        self._passed = passed
        self._publish = publish
        self._wake = asyncio.Event()
        self._wanted: dict[Mode, int | None] = {}
        self._store_failed = False
        self.waiting = 0
        self.busy = False
        self.stopping = False

    def queue(self, mode: Mode) -> Queue:
        """Where a delivery waits."""
        return Queue(mode, self._target)

    def drain(self, mode: Mode, *, up_to: int | None = None) -> None:
        """Begin to hand on what waits in a mode; None: whatever comes, until it is empty."""
        self._wanted[mode] = up_to
        self._wake.set()

    def keep(self, mode: Mode) -> None:
        """Hand on no more of a mode."""
        self._wanted.pop(mode, None)

    def wants(self, mode: Mode) -> bool:
        """Whether a mode is being handed on."""
        return mode in self._wanted

    async def count(self) -> None:
        """Find out how many wait since an earlier session."""
        history = self._store.history()
        self.waiting += await asyncio.to_thread(
            lambda: sum(1 for _ in history.pending(self._target))
        )

    async def run(self, emptied: Callable[[Mode], None]) -> None:
        """Hand on what is wanted; returns when `stopping` is set.

        Args:
            emptied: Called when nothing waits in a mode any more, or nothing up to its bound.
        """
        while not self.stopping:
            self._wake.clear()
            for mode in list(self._wanted):
                await self._empty(mode)
                if mode in self._wanted and not self.stopping:
                    emptied(mode)
            if not self.stopping:
                await self._wake.wait()

    async def _empty(self, mode: Mode) -> None:
        while waiting := await self._next(mode):
            for delivery in waiting:
                if self.stopping or mode not in self._wanted:
                    return
                await self._hand_on(delivery, mode)

    async def _next(self, mode: Mode) -> list[Delivery]:
        history = self._store.history()
        while True:
            try:
                await self._store.flush()  # what left the queue is not to be found in it again
                found = await asyncio.to_thread(
                    lambda: list(islice(history.pending(self._target, mode), SLICE))
                )
            except StoreError as error:
                await self._failed(error)
                continue
            bound = self._wanted.get(mode)
            return [each for each in found if bound is None or each.id <= bound]

    async def _hand_on(self, delivery: Delivery, mode: Mode) -> None:
        """Bring one delivery to the app, however long that takes."""
        while not self.stopping and mode in self._wanted:
            self.busy = True
            try:
                attempt = await self._send(delivery, self._target)
            except StoreError as error:
                self.busy = False
                await self._failed(error)
                continue
            self._store_failed = False
            self._publish(attempt)
            if attempt.error in NOT_SENT:
                self.busy = False
                self._watch.pause()
                await self._watch.until_up()
                continue
            self._watch.saw(up=True)
            self._store.set_queue(delivery.id, None)
            self.waiting -= 1
            await self._passed(delivery)
            self.busy = False
            return

    async def _failed(self, error: StoreError) -> None:
        """Say once that the store failed, and give it time."""
        if not self._store_failed:
            self._store_failed = True
            self._publish(Notice(f"Forwarding waits: {error}", error.hint, "error"))
        await asyncio.sleep(_STORE_PAUSE_SECONDS)
