"""The one thread that writes: what has gathered becomes one transaction, then all are told."""

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Self, TypeVar

from tiktok_hook.delivery import Attempt, Delivery
from tiktok_hook.errors import StoreError
from tiktok_hook.store import batch
from tiktok_hook.store.batch import Job
from tiktok_hook.store.bounds import Bounds, Counters, prune
from tiktok_hook.store.history import History
from tiktok_hook.store.rows import QueueEntry
from tiktok_hook.store.schema import Database

BATCH_ROWS = 256
BATCH_BYTES = 1 << 20
"""Where one transaction ends and the next begins."""

WAITING = 4096
"""More jobs than this are not taken: the disk is slower than what comes."""

_SEVERAL = 4
_PATIENCE_SECONDS = 0.002
"""From how many on, and how long at most, those who were answered are waited for."""

LINGER_SECONDS = 0.02
"""How long what nobody waits for lies until the next transaction takes it along."""

RETRY_SECONDS = 0.5
"""How long what nobody waits for lies after a failure."""

Item = TypeVar("Item")
Result = TypeVar("Result")
Outcome = tuple[Job, Any, StoreError | None]


class Store:
    """A history that is written to. A context manager; `close` finishes what was begun.

    Args:
        database: Where it lies.
        bounds: How much may stay.

    Raises:
        StoreError: It cannot be opened.
    """

    def __init__(self, database: Database, bounds: Bounds) -> None:
        self.path: Path | None = database.path
        self._database = database
        self._bounds = bounds
        database.create()
        self._history = History(database)
        self._urgent: deque[Job] = deque()  # somebody waits
        self._later: deque[Job] = deque()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._asleep = False  # until woken, however long
        self._napping = False  # for a moment: what nobody waits for is due then
        self._closing = False
        self._expected = 0  # how many may wait soon; 0 once nobody is waited for
        self._patience = 0.0
        self._linger = LINGER_SECONDS
        self._connection: sqlite3.Connection | None = database.connect()
        self._identity = database.identity()
        self._last_id = 0  # the newest that this process has seen, should the file be replaced
        self._floor = 0
        # Whether more rows are there than may stay: the bounds may be others than last time.
        self._over = self._look_over(self._connection)
        self._thread = threading.Thread(target=self._run, name="history writer", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Commit what has been handed over, then close everything. Closing twice is fine."""
        if not self._closing:
            self._closing = True
            self._wake.put(None)
            self._thread.join()
            self._history.close()
            self._database.close()

    async def add(
        self,
        delivery: Delivery,
        *,
        queues: Sequence[QueueEntry] = (),
        attempt: Attempt | None = None,
    ) -> Delivery:
        """Store a delivery; on return it is synced to disk.

        Args:
            delivery: Its id is given here.
            queues: Where it waits: one for each target that is to get it, if any.
            attempt: Its first attempt, recorded as begun in the same transaction; it becomes
                number 1, its `delivery_id` is filled in.

        Returns:
            It, with `id`, `redelivery_of` and `redelivery_number`.

        Raises:
            StoreError: It could not be stored; it is then not in the history.
        """
        stored: Delivery = await self._submit(batch.Add(delivery, queues, attempt))
        return stored

    def adding(
        self,
        delivery: Delivery,
        *,
        then: Callable[[Delivery], Result],
        status: int | None = None,
    ) -> asyncio.Future[Result]:
        """Do as `add` does, without a coroutine: for what is done ten thousand times a second.

        Args:
            delivery: Its id is given here.
            then: Called on the event loop with the stored delivery; gives the future's result.
            status: What TikTok is going to be answered; None is the delivery's own.
        """
        return self._submit(batch.Add(delivery, status=status), then)

    async def add_many(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Store deliveries, all of them or none; others get their turn in between.

        Raises:
            StoreError: They could not be stored; those that were are taken out again.
        """
        jobs: list[batch.AddMany] = []
        stored: list[Delivery] = []
        try:
            for each in _slices(deliveries):
                jobs.append(batch.AddMany(each))
                stored += await self._submit(jobs[-1])
        except (StoreError, asyncio.CancelledError):
            for job in jobs:
                job.abandoned = True
                self._submit_later(batch.UndoImport(job))
            raise
        return stored

    async def remove(self, ids: Sequence[int]) -> int:
        """Delete these deliveries and their attempts; how many of them there were.

        Raises:
            StoreError: They could not be deleted, or not all.
        """
        return sum([await self._submit(batch.Remove(each)) for each in _slices(ids)])

    def set_status(self, delivery_id: int, status: int) -> None:
        """Record what TikTok was answered; within 20 ms, not waited for."""
        self._submit_later(batch.SetStatus(delivery_id, status))

    def dequeue(self, delivery_id: int, target: str) -> None:
        """Record that a delivery does not wait for a target any more; not waited for."""
        self._submit_later(batch.Dequeue(delivery_id, target))

    async def begin_attempt(self, attempt: Attempt) -> Attempt:
        """Record that an attempt is about to be sent; on return it is synced to disk.

        Returns:
            It, with its number. One of a delivery that is gone is numbered but not kept.

        Raises:
            StoreError: It could not be stored.
        """
        begun: Attempt = await self._submit(batch.BeginAttempt(attempt))
        return begun

    async def end_attempt(self, attempt: Attempt) -> None:
        """Record how an attempt ended; on return it is synced to disk.

        Raises:
            StoreError: It could not be stored.
        """
        await self._submit(batch.EndAttempt(attempt))

    def set_ended(self, attempt: Attempt) -> None:
        """Do as `end_attempt` does, within 20 ms, not waited for."""
        self._submit_later(batch.EndAttempt(attempt))

    async def flush(self) -> None:
        """Wait until everything handed over before is synced to disk.

        Raises:
            StoreError: It could not be.
        """
        await self._submit(batch.Flush())

    async def clear(self, *, before: float | None = None) -> int:
        """Delete deliveries and their attempts; their ids are not given again.

        What comes in meanwhile stays, and does not have to wait long: it goes in slices.

        Args:
            before: Only those received before this, in Unix seconds; None for all.

        Returns:
            How many there were.

        Raises:
            StoreError: They could not be deleted, or not all.
        """
        await self.flush()
        newest = await asyncio.to_thread(self._history.newest_id)
        total = 0
        while count := await self._submit(batch.Clear(before, newest)):
            total += count
        await self._submit(batch.Shrink())
        return total

    def history(self) -> History:
        """The reading side; the same one every time, closed with the store."""
        return self._history

    def changes(self) -> int:
        """A number that is another one whenever something has been written, by any process."""
        return self._history.changes()

    def _submit(self, job: Job, then: Callable[[Any], Any] | None = None) -> asyncio.Future[Any]:
        future = job.wanted(then)
        if self._closing:
            future.set_exception(StoreError("The history is closed."))
        elif len(self._urgent) >= WAITING:
            future.set_exception(
                StoreError(
                    f"{WAITING} writes wait for {self._database.name} already.",
                    hint="The disk is slower than what comes in.",
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
        if len(self._later) < WAITING:
            self._later.append(job)
            if self._asleep:
                self._asleep = False
                self._wake.put(None)

    def _look_over(self, connection: sqlite3.Connection) -> bool:
        try:
            counters = Counters.read(connection, self._bounds)
        except sqlite3.Error as error:
            connection.close()
            raise self._database.explain(error) from error
        return counters.over

    # From here on everything runs in the writer's thread.

    def _run(self) -> None:
        while True:
            self._wait()
            jobs = self._gather()
            if not jobs and self._closing:
                break
            began = time.perf_counter()
            self._write(jobs)
            self._expect(jobs, time.perf_counter() - began)
        self._disconnect()

    def _expect(self, jobs: Sequence[Job], seconds: float) -> None:
        """Wait a little for those who were just answered, where several come at once.

        What came during a commit would else be the next batch, and those who were answered the one
        behind it: two halves that never meet, at the price of two commits. One commit costs as much
        as waiting for as long as one takes.
        """
        answered = sum(1 for job in jobs if job.future is not None)
        if answered >= _SEVERAL:
            self._patience = min(seconds, _PATIENCE_SECONDS)
            self._expected = answered + len(self._urgent)
            if len(self._urgent) < self._expected and not self._closing:
                self._sleep(self._patience)
            self._expected = 0

    def _wait(self) -> None:
        """Sleep until there is something to do."""
        napped = False
        while not (self._urgent or self._closing or self._over):
            # The flags are set before the last look, so that whoever adds after it wakes us.
            if self._later or not napped:
                # After a commit too: what nobody waits for comes soon, and need not wake us then.
                self._napping = True
                rested = not (self._urgent or self._closing) and self._sleep(self._linger)
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
        """Whether the time passed without anybody waking us."""
        try:
            self._wake.get(timeout=seconds)
        except Empty:
            return True
        return False

    def _gather(self) -> list[Job]:
        """Take a batch off the queues, what nobody waits for first."""
        jobs: list[Job] = []
        while self._later and len(jobs) < BATCH_ROWS:
            jobs.append(self._later.popleft())
        size = 0
        while self._urgent and len(jobs) < BATCH_ROWS and size < BATCH_BYTES:
            job = self._urgent.popleft()
            size += job.size
            jobs.append(job)
        return jobs

    def _write(self, jobs: list[Job]) -> None:
        """Commit a batch and tell those who wait."""
        try:
            results = self._commit(jobs)
        except StoreError as error:
            self._fail(jobs, error)
        except Exception as error:  # noqa: BLE001 - also what a bug in reading one body raises
            if isinstance(error, sqlite3.Error) and not isinstance(error, _FAULTS_OF_A_ROW):
                self._fail(jobs, self._database.explain(error), error)
            elif len(jobs) == 1:
                self._drop(jobs[0], error)
            else:  # whatever is wrong with one of them, the others are written
                for job in jobs:
                    self._write([job])
        else:
            self._linger = LINGER_SECONDS
            _tell(
                [
                    (job, None, result) if isinstance(result, StoreError) else (job, result, None)
                    for job, result in zip(jobs, results, strict=True)
                ]
            )

    def _commit(self, jobs: list[Job]) -> list[Any]:
        for job in jobs:
            job.prepare()
        connection = self._connected()
        with self._database.turn:
            connection.execute("BEGIN IMMEDIATE")
            try:
                counters = Counters.read(
                    connection, self._bounds, last_id=self._last_id, floor=self._floor
                )
                results = batch.run(connection, jobs, counters)
                over = prune(connection, counters)
                counters.write(connection)
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                raise
            for job in jobs:
                job.afterwards(connection)
        self._last_id, self._floor, self._over = counters.last_id, counters.floor, over
        return results

    def _connected(self) -> sqlite3.Connection:
        """The connection; a new one after a failure, or when the file is not the same any more."""
        if self._connection is not None and self._database.identity() != self._identity:
            self._disconnect()
        if self._connection is None:
            self._database.create(folders=False)
            self._connection = self._database.connect()
            self._identity = self._database.identity()
            self._floor = 0
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _fail(
        self, jobs: list[Job], reason: StoreError, cause: sqlite3.Error | None = None
    ) -> None:
        """Tell those who wait; keep for later what nobody waits for."""
        # A connection that only found no space or no turn is as good as a new one, and as long as
        # it is open readers need no space for a log of their own.
        if not getattr(cause, "sqlite_errorname", "").startswith(("SQLITE_FULL", "SQLITE_BUSY")):
            self._disconnect()
        self._over = False
        self._linger = RETRY_SECONDS
        if not self._closing:
            self._later.extendleft(job for job in reversed(jobs) if job.future is None)
        if cause is not None:
            reason.__cause__ = cause
        _tell([(job, None, reason) for job in jobs])

    def _drop(self, job: Job, cause: Exception) -> None:
        reason = StoreError(f"{self._database.name} cannot take this: {cause}.")
        reason.__cause__ = cause
        _tell([(job, None, reason)])


def _slices(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), BATCH_ROWS):
        yield items[start : start + BATCH_ROWS]


_FAULTS_OF_A_ROW = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)


def _tell(outcomes: Sequence[Outcome]) -> None:
    """Wake everybody who waits, with one call into each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Outcome]] = {}
    for outcome in outcomes:
        loop = outcome[0].loop
        if loop is not None:
            by_loop.setdefault(loop, []).append(outcome)
    for loop, group in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_resolve, group)


def _resolve(group: Sequence[Outcome]) -> None:
    for job, result, error in group:
        future = job.future
        if future is None or future.done():
            continue
        if error is None:
            try:
                future.set_result(result if job.then is None else job.then(result))
            except Exception as bug:  # noqa: BLE001 - the caller's own
                future.set_exception(bug)
        else:
            # Each gets an error of its own: a raised one collects the traceback of its raiser.
            own = StoreError(str(error), hint=error.hint)
            own.__cause__ = error.__cause__
            future.set_exception(own)
