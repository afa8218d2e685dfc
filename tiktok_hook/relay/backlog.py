"""Hands on, in order, what was answered before the app had it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import islice
from typing import Literal

from tiktok_hook.delivery import Attempt, AttemptEnded, Delivery, Notice
from tiktok_hook.errors import StoreError
from tiktok_hook.relay.watch import HealthCheck
from tiktok_hook.store import Store

SLICE = 20
"""How many deliveries are in memory at once."""

_STORE_PAUSE_SECONDS = 1.0
_CLAIM_SECONDS = 0.1
"""How often the queue is asked for while another process hands on from it."""

_PATIENCE_SECONDS = 15.0
"""How long another process may hand on nothing, until that is said."""

_LOOK_SECONDS = 0.5
"""How often an idle queue is looked at for what other processes left in it."""

NOT_SENT = frozenset({"refused", "dns", "unreachable"})
"""Errors after which the app cannot have seen anything, so that the queue waits for it."""

Mode = Literal["first", "hold"]
MODES: tuple[Mode, ...] = ("first", "hold")


class Backlog:
    """The queue of one target: it lies in the store and survives a restart.

    Whatever the app answers, a delivery leaves the queue once the app had it; only where no
    connection could be made does it stay, and everything behind it waits. The next attempt is
    committed behind the end of the last, so a crash can repeat one delivery at most.

    Several processes may put into one queue; of them one at a time hands on, whoever received it.

    Args:
        target: Its URL.
        store: Holds the queue.
        watch: Knows whether the target is there.
        send: Makes one attempt with a delivery at the target.
        publish: Called with `AttemptEnded` and `Notice`.
        changed: Called when the number of waiting deliveries may have changed.
        patience: Seconds that another process may hand on nothing, until that is said.

    Attributes:
        withheld: Whether nothing is handed on, by other processes either.
        busy: Whether an attempt is under way.
    """

    def __init__(
        self,
        target: str,
        *,
        store: Store,
        watch: HealthCheck,
        send: Callable[[Delivery, str], Awaitable[Attempt]],
        publish: Callable[[object], None],
        changed: Callable[[], None] = lambda: None,
        patience: float = _PATIENCE_SECONDS,
    ) -> None:
        self._target = target
        self._store = store
        self._watch = watch
        self._send = send
        self._publish = publish
        self._changed = changed
        self._patience = patience
        self._seen_elsewhere: tuple[float, int | None] | None = None  # when, the oldest that waits
        self._told_elsewhere = False
        self._claim = store.queue_lock(target)
        self._wake = asyncio.Event()
        self._wanted: dict[Mode, int | None] = {}
        self._store_failed = False
        self._leaving = False  # something has left the queue, and may not be committed yet
        self._waiting = 0
        self._counted_at = -1
        self.withheld = False
        self._stopping = asyncio.Event()
        self.busy = False

    @property
    def waiting(self) -> int:
        """How many deliveries wait, whoever received them; as last known when the store is gone."""
        changes = self._store.changes()
        if changes not in {-1, self._counted_at}:
            with suppress(StoreError):
                self._waiting = self._store.history().pending_count(self._target)
                self._counted_at = changes
        return self._waiting

    def drain(self, mode: Mode, *, up_to: int | None = None) -> None:
        """Begin to hand on what waits in a mode; None: whatever comes, until it is empty."""
        self.withheld = False
        self._wanted[mode] = up_to
        self._wake.set()

    def keep(self, mode: Mode) -> None:
        """Hand on no more of a mode."""
        self._wanted.pop(mode, None)

    def withhold(self) -> None:
        """Hand on nothing, and let no other process either, until `drain`."""
        self.keep("first")
        self.withheld = True
        self._wake.set()

    def wants(self, mode: Mode) -> bool:
        """Whether a mode is being handed on."""
        return mode in self._wanted

    async def run(self, emptied: Callable[[Mode], None]) -> None:
        """Hand on what is wanted; returns after `stop`.

        Args:
            emptied: Called when nothing waits in a mode any more, or nothing up to its bound.
        """
        while not self._stopping.is_set():
            self._wake.clear()
            seen = self._store.changes()
            try:
                if not (self._wanted or self.withheld):
                    there = True
                elif await self._claim.acquire():
                    self._seen_elsewhere, self._told_elsewhere = None, False
                    there = await self._empty(emptied)
                    await self._let_go()
                else:
                    await self._look_elsewhere()
                    await self._rest(_CLAIM_SECONDS)
                    continue
            except StoreError as error:
                await self._failed(error)
                continue
            if self._stopping.is_set():
                return
            if not there:
                await self._watch.until_up()
            else:
                await self._news(seen)

    def stop(self) -> None:
        """Hand on nothing more than what is under way."""
        self._stopping.set()
        self._wake.set()

    async def close(self) -> None:
        """Let other processes have the queue, once what left it is known not to be in it."""
        with suppress(StoreError):
            await self._settle()
        _ = self.waiting  # for the summary, when the store is closed
        await self._claim.close()

    async def _let_go(self) -> None:
        """Let another process hand on, unless nobody is to."""
        await self._settle()
        if not self.withheld:
            await self._claim.release()

    async def _settle(self) -> None:
        """Make sure that what left the queue is not found in it again."""
        if self._leaving:
            await self._store.flush()
            self._leaving = False

    async def _rest(self, seconds: float) -> None:
        """Wait until somebody wants something, or so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _news(self, seen: int) -> None:
        """Wait until somebody wants something, or another process may have left something."""
        while not self._wake.is_set():
            await self._rest(_LOOK_SECONDS)
            if self._store.changes() != seen:
                self._changed()
                return

    async def _look_elsewhere(self) -> None:
        """Say so once when another process has the queue and hands on nothing for long."""
        seen, now = self._seen_elsewhere, time.monotonic()
        if seen is not None and now - seen[0] < self._patience:
            return
        oldest = await asyncio.to_thread(self._oldest)
        if seen is None or seen[1] != oldest:
            self._told_elsewhere = False
        elif oldest is not None and self._wanted and not self._told_elsewhere:
            self._told_elsewhere = True
            words = f"Another listener has the queue of {self._target} and hands on nothing."
            hint = "Is it paused (p there lets go) or stopped by Ctrl-Z (fg there goes on)?"
            self._publish(Notice(words, hint))
        self._seen_elsewhere = (now, oldest)

    def _oldest(self) -> int | None:
        waiting = self._store.history().pending(self._target)
        return next((each.id for each in waiting), None)

    async def _empty(self, emptied: Callable[[Mode], None]) -> bool:
        """Hand on until nothing wanted is left; False when the app is not there."""
        while waiting := await self._next():
            for delivery, mode in waiting:
                if self._stopping.is_set() or mode not in self._wanted:
                    return True
                if not await self._hand_on(delivery):
                    return False
        if not self._stopping.is_set():
            for mode in list(self._wanted):
                emptied(mode)
        return True

    async def _next(self) -> list[tuple[Delivery, Mode]]:
        """The oldest that are wanted."""
        await self._settle()
        history, wanted = self._store.history(), dict(self._wanted)

        def find() -> list[tuple[Delivery, Mode]]:
            return [
                (each, mode)
                for mode, bound in wanted.items()
                for each in islice(history.pending(self._target, mode), SLICE)
                if bound is None or each.id <= bound
            ]

        found = await asyncio.to_thread(find)
        return sorted(found, key=lambda each: each[0].id)[:SLICE]

    async def _hand_on(self, delivery: Delivery) -> bool:
        """Bring one delivery to the app; False when the app is not there."""
        self.busy = True
        try:
            attempt = await self._send(delivery, self._target)
            self._store_failed = False
            unsent = attempt.error in NOT_SENT
            self._publish(AttemptEnded(attempt, will_retry=unsent))
            if unsent:
                self._watch.pause()
                return False
            self._watch.saw(up=True)
            self._store.dequeue(delivery.id, self._target)
            self._changed()
            self._leaving = True
            return True
        finally:
            self.busy = False

    async def _failed(self, error: StoreError) -> None:
        """Say once that the store failed, and give it time."""
        if not self._store_failed:
            self._store_failed = True
            self._publish(Notice(f"Forwarding waits: {error}", error.hint, "error"))
        await asyncio.sleep(_STORE_PAUSE_SECONDS)
