"""Forwards from the queue of one target: in order, at least once, surviving restarts.

Up to five attempts run at a time: one with the head of the queue, in order, and four with
deliveries that were set aside. All state is changed between two awaits on one event loop, so it
needs no lock. The queue's lock keeps other processes out.

    wanted? ──no──> idle                      the user holds or pauses the queue
       │yes
    lock ours? ──no──> try again in 0.1 s     another process forwards
       │yes
    head: try ──delivered, rejected──> next head
       │  ├──failed────────────────> set aside with a retry time of its own ──> next head
       │  └──unreached, ambiguous──> the target is down: wait, then try the same head
       │                             (ambiguous five times: set aside as a suspect)
    set aside: try when due, unless the target is down

A mode is *wanted* while its deliveries are forwarded in order, and *released* once they may be
forwarded at all. Releasing held deliveries ends with the last one in order; one of them that was
set aside stays released, and is tried again when it is due.

Invariants:

- A delivery leaves the queue only after an attempt with it ended, so a crash can repeat it but not
  lose it. The start of an attempt is committed after the end of the previous one, so a crash
  repeats at most one attempt for each task.
- While the target is down, only the head is tried, so the order is kept. Suspects return to their
  place in the order when the target is up again, or when all that wait are suspects: one of them
  has to be tried.
- `_responses` only grows. If it grew since the head was first tried, the app responded to other
  deliveries meanwhile, so a head that fails ambiguously is at fault itself.
"""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress

from tiktok_hook.delivery import Attempt, AttemptEnded, Notice
from tiktok_hook.errors import StoreError
from tiktok_hook.relay import retry_policy
from tiktok_hook.relay.health_check import HealthCheck
from tiktok_hook.relay.retry_policy import DELAYS, SUSPECT_AFTER, AttemptOutcome, Delays
from tiktok_hook.relay.sender import Sender
from tiktok_hook.store import QueuedDelivery, QueueEntry, QueueMode, Store

RETRY_FOR_SECONDS = 72 * 3600.0
"""How long a delivery is tried again; TikTok's own retries last as long."""

MAX_RETRIES_AT_ONCE = 4
"""Maximum number of set-aside deliveries that are tried at the same time."""

MAX_HEAD_RETRY_AFTER = 60.0
"""The longest ``Retry-After`` of a 503 for which the entire queue waits, in seconds."""

_PAGE = 20
"""How many deliveries of the queue are in memory at once."""

MAX_REASONS = 1_000
"""For how many deliveries the last reason of failure is remembered; any number may be set aside."""

_STORE_PAUSE_SECONDS = 1.0
_LOCK_SECONDS = 0.1
"""How often the lock is tried while another process has it."""

_OTHER_HOLDER_SECONDS = 15.0
"""How long another process may forward nothing before there is a notice."""

_POLL_SECONDS = 0.5
"""How often an idle queue is checked for deliveries that other processes left in it."""

_GRACE_SECONDS = 3600.0
"""How long after the start a delivery is tried whose deadline passed while no listener ran."""

_NOTICE_SECONDS = 1.0
"""Deliveries that are given up within this time of each other share one notice."""


class QueueRunner:
    """Forwards from the queue of one target.

    Args:
        target: Its URL.
        store: Holds the queue.
        health: Knows whether the target is up.
        sender: Makes the attempts, and records them.
        publish: Called with `AttemptEnded` and `Notice`.
        changed: Set when the number of waiting deliveries may have changed; None if that is unused.
        retry_for: Seconds after which a delivery is given up; its entry has the time.
        delays: When deliveries are tried again.
        patience: Seconds that another process may forward nothing before there is a notice.
        clock: Unix seconds.

    Attributes:
        withheld: Whether the user paused forwarding: this process keeps the lock, so that no other
            one forwards either.
    """

    def __init__(
        self,
        target: str,
        *,
        store: Store,
        health: HealthCheck,
        sender: Sender,
        publish: Callable[[object], None],
        changed: asyncio.Event | None = None,
        retry_for: float = RETRY_FOR_SECONDS,
        delays: Delays = DELAYS,
        patience: float = _OTHER_HOLDER_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._target = target
        self._store = store
        self._health = health
        self._sender = sender
        self._publish = publish
        self._changed = asyncio.Event() if changed is None else changed
        self._retry_for = retry_for
        self._delays = delays
        self._patience = patience
        self._clock = clock
        self._started_at = clock()
        self._lock = store.queue_lock(target)
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._wanted: dict[QueueMode, int | None] = {}
        # A superset of `_wanted`: what a release allowed stays allowed until `withhold`.
        self._released: dict[QueueMode, int | None] = {}
        self._running: set[int] = set()
        # One query for due deliveries at a time: an attempt could begin and end during another one.
        self._querying_due = asyncio.Lock()
        self._resume = asyncio.Event()  # ends a wait for the target early
        health.when_up(self._resume.set)
        self._head: int | None = None  # of the series of failures below
        self._head_in_progress: int | None = None
        self._failures_while_down = 0
        self._ambiguous = 0
        self._responses_before = 0
        self._responses = 0
        self._down = False
        self._suspended_for: float | None = None
        self._suspects: dict[int, int] = {}  # id: tries
        self._due_at: float | None = 0.0  # not later than the next due time; 0 is not known
        self._reasons: dict[int, str | int | None] = {}
        self._given_up: list[int] = []
        self._given_up_timer: asyncio.TimerHandle | None = None
        self._has_unflushed_changes = False  # the queue changed, and that may not be committed yet
        # Head and retries read at the same time: each waits for a flush that the other began.
        self._flushing = asyncio.Lock()
        self._store_failed = False
        self._other_holder: tuple[float, int | None] | None = None  # when, the oldest that waited
        self._other_holder_noticed = False
        self._waiting = 0
        self._counted_at = -1  # the change counter then; -1 is not known
        self.withheld = False

    @property
    def busy(self) -> bool:
        """Whether an attempt is in progress."""
        return bool(self._running)

    @property
    def last_waiting(self) -> int:
        """How many deliveries waited when they were counted last; no query."""
        return self._waiting

    @property
    def waiting(self) -> int:
        """How many deliveries wait, received by any process; as last counted if the store fails.

        It queries the store, so call it in a thread.
        """
        changes = self._store.changes()
        if changes == -1 or changes != self._counted_at:
            with suppress(StoreError):
                self._waiting = self._store.history().pending_count(self._target)
                self._counted_at = changes
        return self._waiting

    def start_draining(self, mode: QueueMode, *, up_to: int | None = None) -> None:
        """Start to forward a mode, up to an id; None is without an end."""
        self.withheld = False
        self._wanted[mode] = up_to
        self._released[mode] = up_to
        self._wake.set()

    def stop_draining(self, mode: QueueMode) -> None:
        """Forward no more of a mode in order; set-aside deliveries of it are still tried again."""
        self._wanted.pop(mode, None)

    def withhold(self) -> None:
        """Forward nothing, and keep other processes from it too, until `start_draining`."""
        self._wanted.clear()
        self._released.clear()
        self.withheld = True
        self._resume.set()
        self._wake.set()

    def is_draining(self, mode: QueueMode) -> bool:
        """Whether a mode is being forwarded."""
        return mode in self._wanted

    async def run(self, emptied: Callable[[QueueMode], None]) -> None:
        """Forward what is wanted; returns after `stop`.

        Args:
            emptied: Called with a mode when none of its deliveries waits in order any more, up to
                the id given to `start_draining`.
        """
        while not self._stopping.is_set():
            self._wake.clear()
            seen = self._store.changes()
            try:
                if self._released or self.withheld:
                    if not await self._lock.acquire():
                        await self._watch_other_process()
                        await self._wait(_LOCK_SECONDS)
                        continue
                    self._other_holder, self._other_holder_noticed = None, False
                    self._suspended_for = None
                    await self._forward(emptied)
                    due_at = self._due_at = await self._next_due_at()
                    await self._flush_changes()
                    if not self.withheld:
                        await self._lock.release()
                    if await self._await_target():
                        continue
                else:
                    due_at = None
            except StoreError as error:
                await self._pause_for(error)
                continue
            await self._idle(seen, due_at)

    def stop(self) -> None:
        """Start no more attempts; those in progress end."""
        self._stopping.set()
        self._resume.set()
        self._wake.set()

    async def close(self) -> None:
        """Commit the pending changes of the queue, then release its lock."""
        self._notice_given_up()
        with suppress(StoreError):
            await self._flush_changes()
        # For the summary, which is made when the store is closed.
        await asyncio.to_thread(lambda: self.waiting)
        await self._lock.close()

    # Choosing what to forward.

    async def _forward(self, emptied: Callable[[QueueMode], None]) -> None:
        """Forward until nothing can be tried now, or the user stops it."""
        try:
            async with asyncio.TaskGroup() as group:
                scheduler = group.create_task(self._schedule_retries(group))
                await self._forward_in_order(group, emptied)
                scheduler.cancel()
        except* StoreError as errors:
            raise _first(errors) from None

    async def _forward_in_order(
        self, group: asyncio.TaskGroup, emptied: Callable[[QueueMode], None]
    ) -> None:
        while not self._stopping.is_set() and self._holds_lock():
            self._wake.clear()
            wanted = dict(self._wanted)
            found = await self._read_head(wanted)
            for queued in found:
                if self._stopping.is_set() or queued.entry.mode not in self._wanted:
                    break
                if not self._holds_lock():
                    return
                if not await self._try_head(queued):
                    return
            if found and self._wanted:
                continue
            if not found and wanted and self._down:
                # All deliveries are suspects, so the target is at fault; or the head is gone, and
                # only a set-aside delivery can show whether the target is up.
                self._down = self._return_suspects()
                continue
            if not found:
                for mode in wanted:
                    emptied(mode)
            if not self._running:
                await self._start_retries(group)
            if not self._running:  # the scheduler may have started one, too
                return
            # Retries are in progress; new deliveries do not wait until they have ended.
            await self._wait(_POLL_SECONDS)

    def _holds_lock(self) -> bool:
        """Whether no other process may forward; a lease can end while the lock is held."""
        return self._lock.held

    async def _read_head(self, wanted: dict[QueueMode, int | None]) -> list[QueuedDelivery]:
        if not wanted:
            return []
        await self._flush_changes()
        return await self._store.read(lambda reader: reader.queue_head(self._target, wanted, _PAGE))

    async def _next_due_at(self) -> float | None:
        if not self._released or self._down:
            return None
        await self._flush_changes()
        released = dict(self._released)
        return await self._store.read(lambda reader: reader.next_due_at(self._target, released))

    async def _schedule_retries(self, group: asyncio.TaskGroup) -> None:
        """Start retries when they are due, while the head is forwarded; runs until cancelled."""
        while True:
            await self._start_retries(group)
            await asyncio.sleep(_POLL_SECONDS)

    async def _start_retries(self, group: asyncio.TaskGroup) -> None:
        """Start the retries that are due, as many as may run."""
        async with self._querying_due:
            await self._start_due(group)

    async def _start_due(self, group: asyncio.TaskGroup) -> None:
        now = self._clock()
        if self._due_at is None or self._due_at > now or self._down or not self._released:
            return
        # The result may contain a delivery that leaves the queue during the query.
        before = set(self._running)
        await self._flush_changes()
        released = dict(self._released)
        # The head is never in the result: it waits in order.
        due = await self._store.read(
            lambda reader: reader.queue_due(self._target, released, now, 2 * MAX_RETRIES_AT_ONCE)
        )
        if not due:
            self._due_at = await self._next_due_at()
        for queued in due:
            room = len(self._running - {self._head_in_progress}) < MAX_RETRIES_AT_ONCE
            is_known = queued.delivery.id in before or queued.delivery.id in self._running
            if room and not is_known and not self._stopping.is_set():
                self._running.add(queued.delivery.id)
                group.create_task(self._try_set_aside(queued))

    # Forwarding one delivery.

    async def _attempt(self, queued: QueuedDelivery) -> Attempt:
        self._running.add(queued.delivery.id)
        try:
            attempt = await self._sender.send(queued.delivery, self._target, queued=True)
        finally:
            self._running.discard(queued.delivery.id)
        self._store_failed = False
        if retry_policy.responded(attempt):
            self._responses += 1
            self._health.responded()
            if self._down:
                self._end_outage()
        return attempt

    async def _try_head(self, queued: QueuedDelivery) -> bool:
        """Try the head of the queue; False when the target is down."""
        delivery, entry = queued.delivery, queued.entry
        if self._head != delivery.id:
            self._head, self._ambiguous = delivery.id, 0
            self._responses_before = self._responses
        was_down = self._down
        self._head_in_progress = delivery.id
        try:
            attempt = await self._attempt(queued)
        finally:
            self._head_in_progress = None
        outcome = retry_policy.classify(attempt)
        if outcome in {AttemptOutcome.DELIVERED, AttemptOutcome.REJECTED}:
            self._leave(attempt)
            return True
        if self._is_late(entry):
            self._give_up(attempt)
            return True
        if outcome is AttemptOutcome.FAILED:
            self._set_aside(entry, attempt)
            return True
        if outcome is AttemptOutcome.AMBIGUOUS:
            self._ambiguous += 1
            others_responded = self._responses > self._responses_before
            known_suspect = entry.tries > 0 and not was_down
            if self._ambiguous >= SUSPECT_AFTER or others_responded or known_suspect:
                if not others_responded:
                    self._suspects[delivery.id] = entry.tries + 1
                self._set_aside(entry, attempt)
                return True
        self._suspend(attempt, outcome)
        return False

    def _suspend(self, attempt: Attempt, outcome: AttemptOutcome) -> None:
        """Record that the target is down, so that the queue waits."""
        self._failures_while_down += 1
        delay = self._delays.of_head(self._failures_while_down)
        if outcome is AttemptOutcome.AMBIGUOUS:
            asked = retry_policy.retry_after(attempt.headers, self._clock())
            delay = max(delay, min(asked, MAX_HEAD_RETRY_AFTER))
        self._down = True
        self._resume.clear()
        self._publish_end(attempt, next_try_at=self._clock() + delay)
        self._health.queue_waits(retry_policy.symptom(attempt))
        self._suspended_for = delay

    async def _try_set_aside(self, queued: QueuedDelivery) -> None:
        attempt = await self._attempt(queued)
        outcome = retry_policy.classify(attempt)
        if outcome in {AttemptOutcome.DELIVERED, AttemptOutcome.REJECTED}:
            self._leave(attempt)
        elif self._is_late(queued.entry):
            self._give_up(attempt)
        elif outcome is AttemptOutcome.UNREACHED:
            # The head is going to fail as well; everything is due when the target is up again.
            self._set_aside(queued.entry, attempt, counts=False)
        else:
            self._set_aside(queued.entry, attempt)
        self._wake.set()

    def _end_outage(self) -> None:
        """The target is up again: suspects return to their place, all others are due."""
        self._down, self._failures_while_down = False, 0
        self._return_suspects()
        self._due_at = self._clock()
        self._store.make_due(self._target, self._due_at)
        self._has_unflushed_changes = True

    def _return_suspects(self) -> bool:
        """Put suspects back into the order; whether there were any."""
        found = bool(self._suspects)
        for delivery_id, tries in self._suspects.items():
            self._store.set_aside(delivery_id, self._target, tries=tries, next_try_at=None)
            self._has_unflushed_changes = True
        self._suspects.clear()
        return found

    def _leave(self, attempt: Attempt) -> None:
        self._store.dequeue(attempt.delivery_id, self._target)
        self._suspects.pop(attempt.delivery_id, None)
        self._has_unflushed_changes = True
        self._publish_end(attempt)
        self._changed.set()

    def _set_aside(self, entry: QueueEntry, attempt: Attempt, *, counts: bool = True) -> None:
        now = self._clock()
        tries = entry.tries + int(counts)
        jitter = random.uniform(0.75, 1.25)  # noqa: S311 - it only spreads retries
        delay = self._delays.of_own(max(tries, 1), jitter=jitter)
        due_at = now + max(delay, retry_policy.retry_after(attempt.headers, now))
        self._store.set_aside(attempt.delivery_id, self._target, tries=tries, next_try_at=due_at)
        self._due_at = due_at if self._due_at is None else min(self._due_at, due_at)
        self._has_unflushed_changes = True
        self._publish_end(attempt, next_try_at=due_at)

    def _is_late(self, entry: QueueEntry) -> bool:
        if entry.deadline is None:
            return False
        grace = self._started_at + min(self._retry_for, _GRACE_SECONDS)
        return self._clock() >= max(entry.deadline, grace)

    def _give_up(self, attempt: Attempt) -> None:
        self._leave(attempt)
        self._given_up.append(attempt.delivery_id)
        if self._given_up_timer is None:
            self._given_up_timer = asyncio.get_running_loop().call_later(
                _NOTICE_SECONDS, self._notice_given_up
            )

    def _notice_given_up(self) -> None:
        if self._given_up_timer is not None:
            self._given_up_timer.cancel()
            self._given_up_timer = None
        given_up, self._given_up = self._given_up, []
        if not given_up:
            return
        which = (
            f"Delivery {given_up[0]} was"
            if len(given_up) == 1
            else (f"{len(given_up)} deliveries were")
        )
        hours = self._retry_for / 3600
        age = f"{hours:g} h" if hours >= 1 else f"{self._retry_for:g} s"
        self._publish(
            Notice(
                f"{which} given up: {self._target} did not accept it within {age}."
                if len(given_up) == 1
                else f"{which} given up: {self._target} did not accept them within {age}.",
                f"tiktok-hook show {given_up[-1]} shows why; tiktok-hook replay --failed sends "
                "them again.",
                "error",
            )
        )

    def _publish_end(self, attempt: Attempt, *, next_try_at: float | None = None) -> None:
        reason = attempt.error or attempt.status
        repeated = self._reasons.get(attempt.delivery_id) == reason
        self._reasons.pop(attempt.delivery_id, None)  # so that the newest one is the last
        if next_try_at is not None:
            self._reasons[attempt.delivery_id] = reason
            if len(self._reasons) > MAX_REASONS:
                del self._reasons[next(iter(self._reasons))]
        self._publish(
            AttemptEnded(
                attempt,
                will_retry=next_try_at is not None,
                next_try_at=next_try_at,
                repeated=repeated and next_try_at is not None,
            )
        )

    # Waiting.

    async def _flush_changes(self) -> None:
        """Wait until the changes of the queue are committed, so that a query sees them."""
        async with self._flushing:
            if not self._has_unflushed_changes:
                return
            self._has_unflushed_changes = False
            try:
                await self._store.flush()
            except BaseException:  # the next query has to wait instead
                self._has_unflushed_changes = True
                raise

    async def _wait(self, seconds: float) -> None:
        """Wait until there is something to do, at most this many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _await_target(self) -> bool:
        """Wait until the target may be up or the user intervenes; False if it was not down."""
        if self._suspended_for is None:
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(self._suspended_for):
                await self._resume.wait()
        return True

    async def _idle(self, seen: int, due_at: float | None) -> None:
        """Wait until there is something to do, or another process may have queued something."""
        while not self._wake.is_set():
            left = _POLL_SECONDS if due_at is None else due_at - self._clock()
            if left <= 0:
                return
            await self._wait(min(left, _POLL_SECONDS))
            if self._store.changes() != seen:
                self._changed.set()
                return

    async def _watch_other_process(self) -> None:
        """Publish one notice when another process has the queue and forwards nothing for long."""
        seen, now = self._other_holder, time.monotonic()
        if seen is not None and now - seen[0] < self._patience:
            return
        oldest = await self._store.read(
            lambda reader: next((each.id for each in reader.pending(self._target)), None)
        )
        if seen is None or seen[1] != oldest:
            self._other_holder_noticed = False
        elif oldest is not None and self._wanted and not self._other_holder_noticed:
            self._other_holder_noticed = True
            self._publish(
                Notice(
                    f"Another listener holds the queue of {self._target} and forwards nothing.",
                    "It is paused (press p there) or stopped by Ctrl-Z (fg there resumes it).",
                )
            )
        self._other_holder = (now, oldest)

    async def _pause_for(self, error: StoreError) -> None:
        """Publish once that the store failed, and wait before the next try."""
        if not self._store_failed:
            self._store_failed = True
            self._publish(Notice(f"Forwarding waits: {error}", error.hint, "error"))
        await asyncio.sleep(_STORE_PAUSE_SECONDS)


def _first(errors: BaseExceptionGroup[StoreError]) -> StoreError:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
