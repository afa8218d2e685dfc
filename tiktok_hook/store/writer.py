"""Group-commit writer thread: one transaction for all pending writes, then resolves their futures.

The thread and the event loops that submit to it share no lock, because a lock would be contended
ten thousand times a second. The states of the thread, and the flag that is set in each:

    writing    (no flag)      commits a batch
    expecting  _expected > 0  waits briefly for the next writes of the callers just answered
    napping    _napping       waits `_delay`, until unawaited writes are due
    asleep     _asleep        waits without a deadline

    writing ──several answered──> expecting ──enough came, or time is up──> writing
    writing ──nothing urgent────> napping ────urgent write, or time is up──> writing
    napping ──nothing at all────> asleep ─────any write────────────────────> writing

Invariant: a submitter appends its job first and reads the flags second; the thread sets its flag
first and checks the queues second. So at least one of the two sees the other, and no job is in a
queue while the thread waits without a deadline. A submitter that sees a flag clears it and puts one
token into `_wake`. A late token ends the next wait early, which is harmless: the queues are checked
after every wait.
"""

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import Any, Self, TypeVar

from tiktok_hook.delivery import Attempt, Delivery
from tiktok_hook.errors import StoreError
from tiktok_hook.store import jobs
from tiktok_hook.store.api import HistoryReader, QueueLock, WriteBackend
from tiktok_hook.store.filter import EVERYTHING, Filter
from tiktok_hook.store.jobs import Job
from tiktok_hook.store.records import Attachment, QueueEntry

BATCH_ROWS = 256
BATCH_BYTES = 1 << 20
"""Maximum size of a transaction."""

MAX_PENDING = 4096
"""Maximum number of pending writes; more fail, since the disk is too slow for them."""

_SEVERAL = 4
_PATIENCE_SECONDS = 0.01
"""After a batch that at least `_SEVERAL` callers awaited, wait up to this long for their next
writes."""

DELAY_SECONDS = 0.02
"""Maximum delay before unawaited writes are committed."""

RETRY_SECONDS = 0.5
"""Delay of unawaited writes after a failure."""

Item = TypeVar("Item")
Result = TypeVar("Result")
Outcome = tuple[Job, Any, StoreError | None]


class Store:
    """A history that is open for writing and reading. A context manager.

    Args:
        backend: Where it is stored; closed with the store.
    """

    def __init__(self, backend: WriteBackend) -> None:
        self._backend = backend
        self._reader = backend.reader
        self._urgent: deque[Job] = deque()  # their futures are awaited
        self._later: deque[Job] = deque()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._asleep = False
        self._napping = False
        self._closing = False
        self._expected = 0  # length of `_urgent` at which the expecting thread resumes
        self._left_over = 0  # length of `_urgent` when the last batch was answered
        self._delay = DELAY_SECONDS
        self._thread = threading.Thread(target=self._run, name="history writer", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def label(self) -> str:
        """What the history is called in messages; never with a password."""
        return self._backend.label

    @property
    def app(self) -> str | None:
        """The app that attempts belong to in a shared history: ``anna@laptop``; None in a file."""
        return self._reader.app

    def close(self) -> None:
        """Commit all submitted writes, then close everything. Closing twice is fine."""
        if not self._closing:
            self._closing = True
            self._wake.put(None)
            self._thread.join()
            self._backend.close()

    async def add(
        self,
        delivery: Delivery,
        *,
        queues: Sequence[QueueEntry] = (),
        attempt: Attempt | None = None,
    ) -> Delivery:
        """Store a delivery; on return it is synced to disk.

        Args:
            delivery: The delivery, which gets its id here.
            queues: The targets that it waits for, if any.
            attempt: Its first attempt, recorded as begun in the same transaction; it becomes
                number 1, and its `delivery_id` is filled in.

        Returns:
            The delivery with `id`, `redelivery_of` and `redelivery_number`; cut if it was rejected.

        Raises:
            StoreError: It was not stored: an error, or too many deliveries wait for the app.
        """
        stored: Delivery = await self._submit(jobs.Add(delivery, queues, attempt))
        return stored

    def add_nowait(
        self,
        delivery: Delivery,
        *,
        then: Callable[[Delivery], Result],
        status: int | None = None,
    ) -> asyncio.Future[Result]:
        """Store a delivery as `add` does, without the cost of a coroutine.

        Args:
            delivery: The delivery, which gets its id here.
            then: Called on the event loop with the stored delivery; returns the future's result.
            status: The status that TikTok is going to get; None is the delivery's own.
        """
        return self._submit(jobs.Add(delivery, status=status), then)

    async def add_many(
        self, deliveries: Sequence[Delivery], attempts: Sequence[Attempt | None] = ()
    ) -> list[Delivery]:
        """Store deliveries, all of them or none, in several transactions between other writes.

        Args:
            deliveries: The deliveries, which get their ids here.
            attempts: The first attempt with each or None, recorded as begun; empty is none.

        Raises:
            StoreError: One could not be stored; those that were are deleted again.
        """
        added: list[jobs.AddMany] = []
        stored: list[Delivery] = []
        try:
            begun = attempts or [None] * len(deliveries)
            for each in _slices(list(zip(deliveries, begun, strict=True))):
                added.append(jobs.AddMany(each))
                stored += await self._submit(added[-1])
        except (StoreError, asyncio.CancelledError):
            for job in added:
                job.abandoned = True
                self._submit_later(jobs.UndoImport(job))
            raise
        return stored

    async def remove(self, ids: Sequence[int]) -> int:
        """Delete these deliveries and their attempts; returns how many there were.

        Raises:
            StoreError: They could not be deleted, or not all.
        """
        return sum([await self._submit(jobs.Remove(each)) for each in _slices(ids)])

    def set_status(self, delivery_id: int, status: int) -> None:
        """Record the status that TikTok got, within 20 ms; not awaited."""
        self._submit_later(jobs.SetStatus(delivery_id, status))

    def dequeue(self, delivery_id: int, target: str) -> None:
        """Take a delivery out of the queue of a target, within 20 ms; not awaited."""
        self._submit_later(jobs.Dequeue(delivery_id, target))

    def set_aside(
        self, delivery_id: int, target: str, *, tries: int, next_try_at: float | None
    ) -> None:
        """Let a queued delivery wait until a time of its own, within 20 ms; not awaited.

        Args:
            delivery_id: The delivery.
            target: The target that it waits for.
            tries: How often it was set aside.
            next_try_at: Unix seconds; None returns it to its place in order.
        """
        self._submit_later(jobs.SetAside(delivery_id, target, tries=tries, next_try_at=next_try_at))

    def make_due(self, target: str, now: float) -> None:
        """Make everything that was set aside for a target due, within 20 ms; not awaited."""
        self._submit_later(jobs.MakeDue(target, now))

    async def attach(self, attachment: Attachment, *, old_target: str | None = None) -> None:
        """Record an attached app, replacing what is recorded under its name.

        Args:
            attachment: The app, with the name that the history was opened with.
            old_target: Its previous target, whose queue becomes that of the new one.

        Raises:
            StoreError: It could not be stored.
        """
        await self._submit(jobs.Attach(attachment, old_target))

    async def advance(
        self,
        expected: int,
        cursor: int,
        entries: Sequence[tuple[int, QueueEntry]] = (),
        *,
        noted: int = 0,
    ) -> bool:
        """Put deliveries into the queue of an attached app and move its cursor, or do neither.

        Args:
            expected: The current cursor.
            cursor: The new cursor.
            entries: Ids and queue entries.
            noted: How many missed deliveries were reported.

        Returns:
            Whether that was done; False if the cursor has another value, or another process has
            the app.

        Raises:
            StoreError: It could not be stored.
        """
        moved: bool = await self._submit(jobs.Advance(expected, cursor, entries, noted=noted))
        return moved

    async def begin_attempt(self, attempt: Attempt) -> Attempt:
        """Record that an attempt is about to be sent; on return it is synced to disk.

        Returns:
            The attempt with its number. If its delivery was deleted, it is not stored.

        Raises:
            StoreError: It could not be stored.
        """
        begun: Attempt = await self._submit(jobs.BeginAttempt(attempt))
        return begun

    async def end_attempt(self, attempt: Attempt) -> None:
        """Record how an attempt ended; on return it is synced to disk.

        Raises:
            StoreError: It could not be stored.
        """
        await self._submit(jobs.EndAttempt(attempt))

    def end_attempt_nowait(self, attempt: Attempt) -> None:
        """Record how an attempt ended, within 20 ms; not awaited."""
        self._submit_later(jobs.EndAttempt(attempt))

    async def flush(self) -> None:
        """Wait until all earlier writes are synced to disk.

        Raises:
            StoreError: They could not be written.
        """
        await self._submit(jobs.Flush())

    async def clear(self, where: Filter = EVERYTHING, *, up_to: int | None = None) -> int:
        """Delete deliveries and their attempts; their ids are not used again.

        Deliveries that are received meanwhile stay. The work is done in several transactions, so
        that other writes do not wait long.

        Args:
            where: Which deliveries.
            up_to: The highest id to delete; None is the newest stored one.

        Returns:
            How many were deleted.

        Raises:
            StoreError: They could not be deleted, or not all.
        """
        await self.flush()
        newest = up_to
        if newest is None:
            newest = await self.read(lambda reader: reader.newest_id())
        total = 0
        if replace(where, until=None) == EVERYTHING:
            while count := await self._submit(jobs.Clear(where.until, newest)):
                total += count
        else:
            after = 0
            while ids := await self._ids(where, after, newest):
                total += await self._submit(jobs.ClearIds(ids))
                after = ids[-1]
        await self._submit(jobs.Shrink())
        return total

    async def _ids(self, where: Filter, after: int, newest: int) -> list[int]:
        """The ids of the next matching deliveries, in order."""
        found = await self.read(lambda reader: reader.page(where, after=after, limit=BATCH_ROWS))
        return [each.id for each in found if each.id <= newest]

    def history(self) -> HistoryReader:
        """The reader, always the same one; it is closed with the store."""
        return self._reader

    async def read(self, query: Callable[[HistoryReader], Result]) -> Result:
        """Run a query in a thread: ``await store.read(lambda reader: reader.get(7))``.

        Raises:
            StoreError: The history cannot be read.
        """
        return await asyncio.to_thread(query, self._reader)

    def changes(self) -> int:
        """A change counter: different after any write by any process; -1 while it is unknown."""
        return self._reader.changes()

    def queue_lock(self, target: str) -> QueueLock:
        """The lock for the queue of one target, not acquired yet."""
        return self._backend.queue_lock(target)

    def _submit(self, job: Job, then: Callable[[Any], Any] | None = None) -> asyncio.Future[Any]:
        future = job.create_future(then)
        if self._closing:
            future.set_exception(StoreError("The history is closed."))
        elif len(self._urgent) >= MAX_PENDING:
            future.set_exception(
                StoreError(
                    f"{MAX_PENDING} writes wait for {self.label} already.",
                    hint="The disk is too slow for what is received.",
                )
            )
        else:
            self._urgent.append(job)
            if self._asleep or self._napping:
                self._asleep = self._napping = False
                self._wake.put(None)
            elif self._expected and len(self._urgent) >= self._expected:
                self._expected = 0
                self._wake.put(None)
        return future

    def _submit_later(self, job: Job) -> None:
        if len(self._later) < MAX_PENDING:
            self._later.append(job)
            if self._asleep:
                self._asleep = False
                self._wake.put(None)

    # Everything below runs in the writer's thread.

    def _run(self) -> None:
        while True:
            self._wait()
            batch = self._gather()
            if not batch and self._closing:
                break
            began = time.perf_counter()
            self._write(batch)
            self._expect(batch, time.perf_counter() - began)

    def _expect(self, batch: Sequence[Job], seconds: float) -> None:
        """Wait briefly for the next writes of the callers that were just answered, if several.

        Otherwise the writes submitted during a commit would form the next batch, and those of the
        answered callers the one after it: two half batches, with twice the number of commits. The
        event loop takes up to twice as long as the commit to answer a batch and to submit the next.
        """
        answered = sum(1 for job in batch if job.future is not None)
        if answered >= _SEVERAL:
            self._expected = answered + self._left_over
            if len(self._urgent) < self._expected and not self._closing:
                self._sleep(min(2 * seconds, _PATIENCE_SECONDS))
            self._expected = 0

    def _wait(self) -> None:
        """Wait until there is something to write or to prune, or the store is closing."""
        napped = False
        while not (self._urgent or self._closing or self._backend.has_more_to_do):
            # Each flag is set before the last check of the queues; see the module's invariant.
            if self._later or not napped:
                # Also after a commit: unawaited writes follow soon, and need no wake-up then.
                self._napping = True
                rested = not (self._urgent or self._closing) and self._sleep(self._delay)
                self._napping = False
                if rested and self._later:
                    return
                napped = True
            else:
                self._asleep = True
                if not (self._urgent or self._later or self._closing):
                    self._sleep(None)
                self._asleep = False

    def _sleep(self, seconds: float | None) -> bool:
        """Wait for a token; True if the time passed without one."""
        try:
            self._wake.get(timeout=seconds)
        except Empty:
            return True
        return False

    def _gather(self) -> list[Job]:
        """Take a batch off the queues, unawaited writes first."""
        batch: list[Job] = []
        while self._later and len(batch) < BATCH_ROWS:
            batch.append(self._later.popleft())
        size = 0
        while self._urgent and len(batch) < BATCH_ROWS and size < BATCH_BYTES:
            job = self._urgent.popleft()
            size += job.size
            batch.append(job)
        return batch

    def _write(self, batch: list[Job]) -> None:
        """Commit a batch and resolve its futures."""
        try:
            results = self._backend.commit(batch)
        except StoreError as error:
            self._fail(batch, error, error)
        except Exception as error:  # noqa: BLE001 - the driver's, or a bug in reading one body
            if not self._backend.is_fault_of_a_row(error):
                reason = self._backend.explain(error) or StoreError(f"{self.label}: {error}.")
                reason.__cause__ = error
                self._fail(batch, reason, error)
            elif len(batch) == 1:
                self._drop(batch[0], error)
            else:  # one row is at fault, so write the others without it
                for job in batch:
                    self._write([job])
        else:
            self._delay = DELAY_SECONDS
            self._answer(
                [
                    (job, None, result) if isinstance(result, StoreError) else (job, result, None)
                    for job, result in zip(batch, results, strict=True)
                ]
            )

    def _fail(self, batch: list[Job], reason: StoreError, error: Exception) -> None:
        """Fail the futures of a batch, and put its unawaited writes back for the next try."""
        self._backend.recover(error)
        self._delay = RETRY_SECONDS
        if not self._closing:
            self._later.extendleft(job for job in reversed(batch) if job.future is None)
        self._answer([(job, None, reason) for job in batch])

    def _drop(self, job: Job, cause: Exception) -> None:
        reason = StoreError(f"{self.label} cannot take this: {cause}.")
        reason.__cause__ = cause
        self._answer([(job, None, reason)])

    def _answer(self, outcomes: Sequence[Outcome]) -> None:
        """Resolve futures. What is in `_urgent` now is not from the callers answered here."""
        self._left_over = len(self._urgent)
        _resolve_all(outcomes)


def _slices(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), BATCH_ROWS):
        yield items[start : start + BATCH_ROWS]


def _resolve_all(outcomes: Sequence[Outcome]) -> None:
    """Resolve futures, with one call into each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Outcome]] = {}
    for outcome in outcomes:
        loop = outcome[0].loop
        if loop is not None:
            by_loop.setdefault(loop, []).append(outcome)
    for loop, group in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop is closed: nothing awaits the futures
            loop.call_soon_threadsafe(_resolve, group)


def _resolve(group: Sequence[Outcome]) -> None:
    for job, result, error in group:
        future = job.future
        if future is None or future.done():
            continue
        if error is None:
            try:
                future.set_result(result if job.then is None else job.then(result))
            except Exception as bug:  # noqa: BLE001 - any error of the caller's `then`
                future.set_exception(bug)
        else:
            # Each future gets its own error, since raising one adds to its traceback.
            own = StoreError(str(error), hint=error.hint)
            own.__cause__ = error.__cause__
            future.set_exception(own)
