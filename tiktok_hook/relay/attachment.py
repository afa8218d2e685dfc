"""Fills the queues of an attached app with the matching deliveries of a history.

The deliveries may have been received by any process. The app's cursor is stored in the history.
Each step reads a page after the cursor and commits, as one transaction, the queue entries of the
matching deliveries and the cursor at the end of the page. `QueueRunner` forwards these queues like
those of ``--ack first``.

    acquire the name ──> read the state ──> room in the queue? ──no──> wait for a change
                            ↑                    │yes
                            └── advance <── read a page after the cursor

Invariants:

- The newest id is read before the page. The cursor moves at most to that id or to the last one of
  the page, so it never passes a delivery that the page could not show.
- At most `IN_ORDER` deliveries wait in order and `IN_ALL` in all, so retention has to spare no
  more than that for one app.
- A process that lost the name cannot move the cursor: the history checks who has the name in the
  same transaction.
"""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from enum import Enum, auto

from tiktok_hook import moments, paths
from tiktok_hook.delivery import Delivery, DeliveryAnswered, DeliveryStored, Notice, Source
from tiktok_hook.errors import StoreError, UsageError
from tiktok_hook.filters import DeliveryFilter
from tiktok_hook.relay.relay import Relay
from tiktok_hook.sanitize import visible
from tiktok_hook.store import (
    ACCEPTED,
    ATTACHMENT,
    Attachment,
    AttachmentState,
    Filter,
    HistoryReader,
    QueueEntry,
    QueueLock,
    Store,
)
from tiktok_hook.store.change_feed import require_same

IN_ORDER = 256
"""How many deliveries may wait in order; with that many, no more are read."""

IN_ALL = 4096
"""How many may wait in all, including those that were set aside after a failure of their own."""

_PAGE = 64
"""Maximum number of deliveries that one step reads."""

_ROOM_SECONDS = 0.1
"""How long to wait when the queue has room for less than a page. Otherwise each delivery that
leaves a full queue would cost a query and a transaction, which is more than forwarding it costs."""

_POLL_SECONDS = 0.25
"""How long one wait for a change blocks a thread, which delays the end of the program."""

_LOOK_SECONDS = 5.0
"""How often the history is read without a notification, which may have been lost, or the app
removed."""

_PAUSE_SECONDS = (0.008, 0.05)
"""Minimum time between two reads, at first and after several that found nothing: every user of a
server can send notifications."""

_STORE_PAUSE_SECONDS = 1.0
_LEASE_SECONDS = 20.0
"""How long to wait for the lease of a process that was killed; it ends after 15 s."""

_ACQUIRE_SECONDS = 0.2


class AttachedApp:
    """An attached app whose name this process has acquired. Made by `attaching`.

    Args:
        app: Its name; the history was opened with it.
        store: The history.
        lock: The lock of the name.
        match: Which deliveries it gets; None matches everything.
        targets: Where they are forwarded to, the main target first.
        start: Where a new name begins; see `starting_cursor`.
        publish: Called with `DeliveryStored`, `DeliveryAnswered` and `Notice`.
        clock: Unix seconds.

    Attributes:
        cursor: The newest id that was read.
    """

    def __init__(
        self,
        app: str,
        *,
        store: Store,
        lock: QueueLock,
        match: DeliveryFilter | None,
        targets: Sequence[str],
        start: str,
        publish: Callable[[object], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.app = app
        self.cursor = 0
        self._store = store
        self._lock = lock
        self._match = match
        self._targets = targets
        self._start = start
        self._publish = publish
        self._clock = clock
        self._has_waited = False  # after the queue had room for less than a page

    async def acquire(self) -> None:
        """Acquire the name, and record the app with its target and its cursor.

        Waits for the lease of a process of this machine that was killed, which released nothing.

        Raises:
            UsageError: Another process has the name, or the start cannot be read.
            StoreError: The history cannot be read or written.
        """
        until = time.monotonic() + _LEASE_SECONDS
        noticed = False
        while not await self._lock.acquire():
            state = await self._store.read(lambda reader: reader.attachment())
            if not _was_killed_here(state.attachment) or time.monotonic() > until:
                raise _taken(self.app, state.attachment)
            if not noticed:
                noticed = True
                text = f"{self.app} was attached by a process that was killed."
                hint = "Its lease ends after 15 s; deliveries are forwarded from then on."
                self._publish(Notice(text, hint, "info"))
            await asyncio.sleep(_ACQUIRE_SECONDS)
        await self._record(await self._store.read(lambda reader: reader.attachment()))
        for target in self._targets:
            # Their times come from the clock of the earlier process, perhaps on another machine.
            self._store.make_due(target, self._clock())

    async def _record(self, state: AttachmentState) -> None:
        """Record the app at its cursor.

        A dump contains the cursor and the deliveries of the time when it was made, so in a restored
        history the app continues at that cursor.
        """
        known = state.attachment
        missed = 0
        if known is None:
            self.cursor = await self._store.read(
                lambda reader: starting_cursor(reader, self._start, self._clock())
            )
        elif known.epoch != state.epoch:
            self.cursor, missed = min(known.cursor, state.newest_id), known.missed
            text = (
                f"The history was restored from a dump: {self.app} continues after delivery "
                f"{self.cursor}, where it was then."
            )
            hint = (
                "It gets again what it got since the dump was made; what was received since then "
                "and is not in the dump is lost."
            )
            self._publish(Notice(text, hint))
        else:
            self.cursor, missed = known.cursor, known.missed
            if self._start != "now":
                text = f"{self.app} continues after delivery {self.cursor}."
                self._publish(Notice(text, "--from is for a name that is new.", "info"))
        old_target = None
        if known is not None and known.target not in self._targets:
            old_target = known.target
        await self._store.attach(
            Attachment(
                app=self.app,
                target=self._targets[0],
                match="" if self._match is None else str(self._match),
                cursor=self.cursor,
                epoch=state.epoch,
                host=socket.gethostname(),
                pid=os.getpid(),
                missed=missed,
            ),
            old_target=old_target,
        )

    async def fill_queues(self, relay: Relay) -> None:
        """Put matching deliveries into the queues of a relay; does not return.

        Raises:
            StoreError: Another process took the name over, or the history was replaced.
        """
        await _repeat(
            self._store,
            lambda: self._step(relay),
            self._publish,
            is_ours=lambda: self._lock.held and not self._lock.lost,
        )

    async def _step(self, relay: Relay) -> "_Next":
        """Read one page, unless the queue is full; returns when to take the next step."""
        if self._lock.lost:
            raise _DetachedError(
                f"{self.app} was taken over by another process.",
                hint="Its lease had ended: this process was stopped, or its machine slept, "
                "for more than 15 s. Start it again, with --as for a second one.",
            )
        if not self._lock.held:
            return _Next.CHANGE
        state = await self._store.read(lambda reader: reader.attachment())
        found = state.attachment
        if found is None:
            raise _DetachedError(
                f"{self._store.label} has no record of {self.app} any more.",
                hint="It was replaced, or the app was removed. Start attach again.",
            )
        if found.epoch != state.epoch:
            await self._record(state)
            return _Next.NOW
        self.cursor = moved_to = found.cursor
        page: list[Delivery] = []
        waiting = state.in_order + state.set_aside
        room = min(IN_ORDER - state.in_order, IN_ALL - waiting, _PAGE)
        is_full = room <= 0 or (room < _PAGE and not self._has_waited)
        self._has_waited = is_full
        can_read = not is_full and state.newest_id > self.cursor
        if can_read:
            page = await _read_page(self._store, self._match, self.cursor, room)
            moved_to = page[-1].id if len(page) == room else _last(page, state.newest_id)
        elif not found.missed:
            return _Next.ROOM if is_full else _Next.NOTHING
        wanted = [each for each in page if _is_for_apps(each)]
        deadline = self._clock() + relay.retry_for
        entries = [
            (each.id, QueueEntry("attached", target, deadline=deadline))
            for each in wanted
            for target in relay.targets_of(each)
        ]
        if not await self._store.advance(self.cursor, moved_to, entries, noted=found.missed):
            return _Next.CHANGE
        if found.missed:  # only now, so that a failed write does not publish it again and again
            self._notice_missed(found.missed)
        self.cursor = moved_to
        relay.forward_queued(wanted)
        return _Next.NOW if len(page) == room else _Next.ADDITION

    def _notice_missed(self, number: int) -> None:
        deliveries = "delivery was" if number == 1 else "deliveries were"
        self._publish(
            Notice(
                f"{number:,} {deliveries} deleted before {self.app} had looked at them, because "
                "the history keeps no more.",
                "Those that match its filter are lost to it.",
                "error",
            )
        )


@asynccontextmanager
async def attaching(
    app: str,
    store: Store,
    *,
    match: DeliveryFilter | None,
    targets: Sequence[str],
    start: str,
    publish: Callable[[object], None],
    clock: Callable[[], float] = time.time,
) -> AsyncIterator[AttachedApp]:
    """Acquire the name of an attached app, and release it at the end of the block.

    Raises:
        UsageError: Another process has the name, or `start` cannot be read.
        StoreError: The history cannot be read or written.
    """
    async with store.queue_lock(ATTACHMENT) as lock:
        attached = AttachedApp(
            app,
            store=store,
            lock=lock,
            match=match,
            targets=targets,
            start=start,
            publish=publish,
            clock=clock,
        )
        await attached.acquire()
        yield attached


async def follow(
    store: Store, match: DeliveryFilter | None, after: int, publish: Callable[[object], None]
) -> None:
    """Publish matching deliveries as they are stored, and keep no cursor; does not return.

    Args:
        store: The history.
        match: Which deliveries; None matches everything.
        after: The newest id that is not shown.
        publish: Called with `DeliveryStored` and `DeliveryAnswered`.

    Raises:
        StoreError: A dump was restored in place of the history.
    """
    restored = store.history().restored()

    async def step() -> _Next:
        nonlocal after
        try:
            require_same(store.history(), restored)
        except StoreError as error:
            raise _DetachedError(str(error), hint=error.hint) from error
        page = await _read_page(store, match, after, _PAGE)
        for each in filter(_is_for_apps, page):
            publish(DeliveryStored(each))
            publish(DeliveryAnswered(each))
        after = _last(page, after)
        if len(page) == _PAGE:
            return _Next.NOW
        return _Next.ADDITION if page else _Next.NOTHING

    await _repeat(store, step, publish)


def starting_cursor(reader: HistoryReader, start: str, now: float) -> int:
    """The cursor that a new name begins with.

    Args:
        reader: Of the history.
        start: ``now``, ``start``, the id of the first delivery, or a time such as ``1h``.
        now: Unix seconds.

    Raises:
        UsageError: `start` is none of these.
    """
    text = start.strip()
    if text == "now":
        return reader.newest_id()
    if text == "start":
        return 0
    digits = text.removeprefix("#")
    if digits.isascii() and digits.isdigit() and len(digits) < 19:
        return max(int(digits) - 1, 0)
    try:
        since = moments.unix_seconds(text, now=now)
    except ValueError as error:
        raise UsageError(
            f"--from {visible(start)!r} is neither now, start, the id of a delivery nor a time.",
            hint="For instance --from 12, or --from 1h for the last hour.",
        ) from error
    newest = reader.newest_id()
    first = reader.page(Filter(since=since), after=0, limit=1)
    return first[0].id - 1 if first else newest


class _Next(Enum):
    """When to take the next step."""

    NOW = auto()
    ADDITION = auto()  # when a delivery may have been added
    NOTHING = auto()  # the same, after a step that found nothing to read
    CHANGE = auto()  # when anything in the history may have changed
    ROOM = auto()  # when deliveries may have left the queue


class _DetachedError(StoreError):
    """The app is not attached any more: trying again would not help."""


async def _repeat(
    store: Store,
    step: Callable[[], Awaitable[_Next]],
    publish: Callable[[object], None],
    *,
    is_ours: Callable[[], bool] = lambda: True,
) -> None:
    """Take a step, and the next one when there may be more to read; does not return.

    Args:
        store: The history. When it fails, one notice is published and the step is tried again.
        step: Reads; returns when to take the next step.
        publish: Called with `Notice`.
        is_ours: Whether this process still has the name; no query. When not, a step is taken at
            once.

    Raises:
        _DetachedError: A step raised it.
    """
    history = store.history()
    failed = False
    pause = _PAUSE_SECONDS[0]
    while True:
        # Before the step, so that what happens during it is not missed.
        changes, additions = history.changes(), history.additions()
        looked_at = time.monotonic()
        try:
            after = await step()
        except _DetachedError:
            raise
        except StoreError as error:
            if not failed:
                publish(Notice(f"Reading waits: {error}", error.hint, "error"))
            failed = True
            await asyncio.sleep(_STORE_PAUSE_SECONDS)
            continue
        failed = False
        if after is _Next.CHANGE:
            await asyncio.to_thread(history.wait_for_change, changes, _POLL_SECONDS)
        elif after is _Next.ROOM:
            await _wait_for(history.wait_for_change, changes, is_ours)
            await asyncio.sleep(_ROOM_SECONDS)
        elif after is not _Next.NOW:
            noticed = await _wait_for(history.wait_for_addition, additions, is_ours)
            if noticed and after is _Next.NOTHING:
                await asyncio.sleep(max(looked_at + pause - time.monotonic(), 0.0))
                pause = min(2 * pause, _PAUSE_SECONDS[1])
            else:
                pause = _PAUSE_SECONDS[0]


async def _wait_for(
    wait: Callable[[int, float], int], seen: int, is_ours: Callable[[], bool]
) -> bool:
    """Wait until a counter differs from `seen`; returns whether it does.

    Returns False after `_LOOK_SECONDS`, since a lost notification and the removal of an app do not
    change the counter; and at once when the name is lost or the counter is unknown.
    """
    until = time.monotonic() + _LOOK_SECONDS
    while is_ours() and time.monotonic() < until:
        if (now := await asyncio.to_thread(wait, seen, _POLL_SECONDS)) != seen:
            return True
        if now == -1:
            break
    return False


async def _read_page(
    store: Store, match: DeliveryFilter | None, after: int, limit: int
) -> list[Delivery]:
    """Accepted deliveries that match, after an id, in order."""
    where = Filter(match=match, verdicts=ACCEPTED)
    return await store.read(lambda reader: reader.page(where, after=after, limit=limit))


def _is_for_apps(delivery: Delivery) -> bool:
    """Whether an accepted delivery is forwarded; imported ones are not."""
    return delivery.source is not Source.IMPORT and not delivery.rejected


def _last(page: Sequence[Delivery], otherwise: int) -> int:
    return max(otherwise, page[-1].id) if page else otherwise


def _was_killed_here(known: Attachment | None) -> bool:
    """Whether an app was attached by a process of this machine that has ended.

    After the restart of a container, this process may have the number of that one.
    """
    if known is None or known.host != socket.gethostname():
        return False
    return known.pid == os.getpid() or not paths.process_exists(known.pid)


def _taken(app: str, known: Attachment | None) -> UsageError:
    where = "" if known is None else f", from {known.host} (process {known.pid})"
    return UsageError(
        f"{app} is attached already{where}.",
        hint="Give this one another name: --as NAME. After a crash a name is free within 15 s.",
    )
