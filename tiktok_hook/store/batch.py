"""What can be written, and how a batch of it becomes one transaction."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

from tiktok_hook.delivery import Attempt, Delivery
from tiktok_hook.errors import StoreError
from tiktok_hook.store import rows
from tiktok_hook.store.bounds import SLICE, Counters, delete
from tiktok_hook.store.rows import QueueEntry

_ROWS_AT_ONCE = 32
"""How many rows one statement inserts at most."""


class Job:
    """Something to write, and who waits for it: nobody, if there is no future."""

    __slots__ = ("future", "loop", "then")

    size = 0
    """Bytes of payload, about."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.future: asyncio.Future[Any] | None = None
        self.then: Callable[[Any], Any] | None = None

    def wanted(self, then: Callable[[Any], Any] | None = None) -> asyncio.Future[Any]:
        """The future that the caller, on its loop, is going to wait for.

        Args:
            then: Makes its result of what `run` returns; None takes that itself.
        """
        self.then = then
        self.loop = asyncio.get_running_loop()
        self.future = self.loop.create_future()
        return self.future

    def prepare(self) -> None:
        """Do what needs no transaction."""

    def run(self, connection: sqlite3.Connection, counters: Counters) -> Any:
        """Write it, inside a transaction; what is returned is what the caller gets."""
        raise NotImplementedError

    def afterwards(self, connection: sqlite3.Connection) -> None:
        """Do what is only possible outside a transaction."""


class Add(Job):
    """A delivery, where it waits if it does, and its first attempt if that begins with it."""

    __slots__ = ("attempt", "delivery", "found_by", "key", "queues", "size", "status")

    def __init__(
        self,
        delivery: Delivery,
        queues: Sequence[QueueEntry] = (),
        attempt: Attempt | None = None,
        *,
        status: int | None = None,
    ) -> None:
        super().__init__()
        self.delivery = delivery
        self.status = delivery.status if status is None else status
        self.queues = queues
        self.attempt = attempt
        self.key: bytes | None = None
        self.found_by: rows.Searchable | None = None
        self.size = rows.payload_bytes(delivery)

    def prepare(self) -> None:
        """Parse, summarise, fingerprint; then cut what is rejected. Once, also if it is retried."""
        if self.found_by is None:
            self.key = rows.link(self.delivery)
            self.found_by = rows.searchable_columns(self.delivery)
            self.delivery = rows.as_kept(self.delivery)

    def queue_full(self, counters: Counters) -> bool:
        """Whether it would have to wait for the app where no more may wait."""
        return counters.queue_full and any(not each.secondary for each in self.queues)

    def run(self, connection: sqlite3.Connection, counters: Counters) -> "Delivery | StoreError":
        return _add_all(connection, [self], counters)[0]


class AddMany(Job):
    """Several deliveries: all of them or none.

    Attributes:
        ids: What they got, once committed.
        abandoned: Set by a caller that gave up: what is not begun yet is not done.
    """

    __slots__ = ("_given", "abandoned", "adds", "ids", "size")

    def __init__(self, deliveries: Sequence[Delivery]) -> None:
        super().__init__()
        self.adds = [Add(each) for each in deliveries]
        self.size = sum(each.size for each in self.adds)
        self.ids: list[int] = []
        self.abandoned = False
        self._given: list[int] = []

    def prepare(self) -> None:
        """Prepare each."""
        for each in self.adds:
            each.prepare()

    def run(self, connection: sqlite3.Connection, counters: Counters) -> list[Delivery]:
        if self.abandoned:
            return []
        stored = [
            each
            for each in _add_all(connection, self.adds, counters)
            if isinstance(each, Delivery)  # an import never waits for an app
        ]
        self._given = [each.id for each in stored]
        return stored

    def afterwards(self, connection: sqlite3.Connection) -> None:  # noqa: ARG002 - as every job's
        """Only now are the ids theirs; after a rollback others get them."""
        self.ids = self._given


class UndoImport(Job):
    """What an abandoned import had stored by then."""

    __slots__ = ("_added",)

    def __init__(self, added: AddMany) -> None:
        super().__init__()
        self._added = added

    def run(self, connection: sqlite3.Connection, counters: Counters) -> int:
        return delete(connection, self._added.ids, counters)


class SetStatus(Job):
    """What TikTok was answered."""

    __slots__ = ("delivery_id", "status")

    def __init__(self, delivery_id: int, status: int) -> None:
        super().__init__()
        self.delivery_id = delivery_id
        self.status = status

    def run(self, connection: sqlite3.Connection, counters: Counters) -> None:  # noqa: ARG002 - a Job's
        _set_statuses(connection, {self.delivery_id: self.status})


class Dequeue(Job):
    """A delivery that no longer waits for a target."""

    __slots__ = ("_id", "_target")

    def __init__(self, delivery_id: int, target: str) -> None:
        super().__init__()
        self._id = delivery_id
        self._target = target

    def run(self, connection: sqlite3.Connection, counters: Counters) -> None:
        found = connection.execute(_DEQUEUE, (self._id, self._target)).fetchone()
        if found is not None and not found[0]:
            (size,) = connection.execute(_SIZE, (self._id,)).fetchone()
            counters.queued -= 1
            counters.queued_bytes -= size
        counters.floor = min(counters.floor, self._id - 1)


class BeginAttempt(Job):
    """An attempt whose bytes have not left yet."""

    __slots__ = ("_attempt",)

    def __init__(self, attempt: Attempt) -> None:
        super().__init__()
        self._attempt = attempt

    def run(self, connection: sqlite3.Connection, counters: Counters) -> Attempt:
        delivery_id = self._attempt.delivery_id
        number, there = connection.execute(_NEXT_ATTEMPT, (delivery_id,)).fetchone()
        attempt = rows.numbered(self._attempt, delivery_id, number)
        if there:  # else it has made room for newer ones meanwhile
            _insert_attempts(connection, [attempt], counters)
        return attempt


class EndAttempt(Job):
    """How an attempt ended."""

    __slots__ = ("_attempt",)

    def __init__(self, attempt: Attempt) -> None:
        super().__init__()
        self._attempt = attempt

    def run(self, connection: sqlite3.Connection, counters: Counters) -> None:
        attempt = self._attempt
        key = (attempt.delivery_id, attempt.number)
        outcome = rows.attempt_row(attempt)[rows.OUTCOME :]
        size = rows.outcome_bytes(attempt)
        if connection.execute(_END_ATTEMPT, (*outcome, size, *key)).rowcount:
            counters.kept_bytes += size
            # A replay that should be rejected says nothing about whether the app has handled it.
            if attempt.expects_rejection:
                return
            if attempt.failed or attempt.number > 1:  # else nothing can have failed before
                connection.execute(_LAST_FAILED, (int(attempt.failed), *key))


class Flush(Job):
    """Nothing; done when all before it is."""

    __slots__ = ()

    def run(self, connection: sqlite3.Connection, counters: Counters) -> None:
        """Write nothing."""


class Remove(Job):
    """Deliveries that somebody named."""

    __slots__ = ("_ids",)

    def __init__(self, ids: Sequence[int]) -> None:
        super().__init__()
        self._ids = ids

    def run(self, connection: sqlite3.Connection, counters: Counters) -> int:
        return delete(connection, self._ids, counters)


class Clear(Job):
    """One slice of a clearing; says how many rows it took, 0 when none was left.

    Args:
        before: Only what was received before this, in Unix seconds; None for all.
        newest: The newest id that it concerns.
    """

    __slots__ = ("_before", "_newest")

    def __init__(self, before: float | None, newest: int) -> None:
        super().__init__()
        self._before = float("inf") if before is None else before
        self._newest = newest

    def run(self, connection: sqlite3.Connection, counters: Counters) -> int:
        # What is cleared cannot be read from the free pages of the file either.
        connection.execute("PRAGMA secure_delete = ON")
        found = connection.execute(_TO_CLEAR, (self._before, self._newest, SLICE)).fetchall()
        return delete(connection, [each for (each,) in found], counters)


class Shrink(Job):
    """Give the disk back what a clearing freed, when that is nearly everything."""

    __slots__ = ("_empty",)

    def __init__(self) -> None:
        super().__init__()
        self._empty = False

    def run(self, connection: sqlite3.Connection, counters: Counters) -> None:  # noqa: ARG002 - as every job's
        (self._empty,) = connection.execute("SELECT count(*) < 100 FROM deliveries").fetchone()

    def afterwards(self, connection: sqlite3.Connection) -> None:
        """Rewrite the file when that is quick; a reader in the way only keeps it long."""
        connection.execute("PRAGMA secure_delete = FAST")
        with contextlib.suppress(sqlite3.OperationalError):
            if self._empty:
                connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def run(connection: sqlite3.Connection, jobs: Sequence[Job], counters: Counters) -> list[Any]:
    """Write jobs in their order, inside a transaction.

    Returns:
        What each job returned; a StoreError for a delivery that the full queue left no room for.
    """
    results: list[Any] = []
    adds: list[Add] = []
    statuses: dict[int, int] = {}
    for job in jobs:
        if isinstance(job, Add):
            adds.append(job)
            continue
        if adds:
            results += _add_all(connection, adds, counters)
            adds = []
        if isinstance(job, SetStatus):
            statuses[job.delivery_id] = job.status
            results.append(None)
            continue
        results.append(job.run(connection, counters))
    if adds:
        results += _add_all(connection, adds, counters)
    _set_statuses(connection, statuses)
    return results


def _add_all(
    connection: sqlite3.Connection, adds: Sequence[Add], counters: Counters
) -> list[Delivery | StoreError]:
    """Insert deliveries with few statements; a StoreError in place of one with no room to wait.

    Each statement releases the interpreter and has to wait for the event loop to get it back.
    """
    newest = _newest_of(connection, {add.key for add in adds if add.key is not None})
    results: list[Delivery | StoreError] = []
    inserts, begun = [], []
    enqueued: list[tuple[int, QueueEntry]] = []
    for add in adds:
        if add.queue_full(counters):
            results.append(_full(counters))
            continue
        counters.last_id = delivery_id = counters.last_id + 1
        first, number, first_at = newest.get(add.key, (None, 1, None))
        if add.key is not None:
            at = add.delivery.received_at if first is None else first_at
            newest[add.key] = (first or delivery_id, number + 1, at)
        delivery = add.delivery.stored(
            id=delivery_id,
            redelivery_of=first,
            redelivery_number=number,
            first_received_at=first_at,
            status=add.status,
        )
        assert add.found_by is not None  # set by `prepare`
        row = rows.delivery_row(delivery, add.key, add.found_by)
        size = row[rows.SIZE]
        if row[rows.REJECTED]:
            counters.rejected += 1
            counters.rejected_bytes += size
        else:
            counters.kept += 1
            counters.kept_bytes += size
        if any(not each.secondary for each in add.queues):
            counters.queued += 1
            counters.queued_bytes += size
        enqueued += [(delivery_id, each) for each in add.queues]
        if add.attempt is not None:
            begun.append(rows.numbered(add.attempt, delivery_id, 1))
        inserts.append(row)
        results.append(delivery)
    _insert_all(connection, rows.insert_deliveries, inserts)
    for delivery_id, queue in enqueued:
        connection.execute(_ENQUEUE, (delivery_id, queue.target, queue.mode, int(queue.secondary)))
    _insert_attempts(connection, begun, counters)
    return results


def _full(counters: Counters) -> StoreError:
    return StoreError(
        f"{counters.queued} deliveries ({counters.queued_bytes / 1e6:.0f} MB) wait for the app, "
        "and no more may wait.",
        hint="Start the app, or resume forwarding; tiktok-hook clear deletes them.",
    )


def _insert_all(
    connection: sqlite3.Connection, statement: Callable[[int], str], waiting: list[rows.Row]
) -> None:
    """Insert rows, several with each statement; `waiting` is empty afterwards."""
    while waiting:
        # Powers of two, as in `rows.padded`.
        count = min(1 << (len(waiting).bit_length() - 1), _ROWS_AT_ONCE)
        connection.execute(statement(count), list(chain.from_iterable(waiting[:count])))
        del waiting[:count]


def _newest_of(
    connection: sqlite3.Connection, keys: set[bytes]
) -> dict[bytes | None, tuple[int | None, int, float | None]]:
    """The first delivery of each known event, the number of the next one, and when the first came.

    The time is None when that first delivery has been deleted.
    """
    if not keys:
        return {}
    wanted = rows.padded(keys, b"")  # no event has this key
    found = connection.execute(_NEWEST_OF_EVENTS.format(",".join("?" * len(wanted))), wanted)
    return {key: (first, number, first_at) for key, first, number, first_at in found}


def _insert_attempts(
    connection: sqlite3.Connection, attempts: Sequence[Attempt], counters: Counters
) -> None:
    waiting = []
    for attempt in attempts:
        size = rows.request_bytes(attempt)
        waiting.append((*rows.attempt_row(attempt), size))
        counters.kept_bytes += size
        if attempt.replay:
            connection.execute(_REPLAYED, (attempt.delivery_id,))
    _insert_all(connection, rows.insert_attempts, waiting)


def _set_statuses(connection: sqlite3.Connection, statuses: Mapping[int, int]) -> None:
    """Set the status of each delivery, those with the same one together."""
    for status in set(statuses.values()):
        ids = rows.padded([each for each, its in statuses.items() if its == status], 0)
        among = ",".join("?" * len(ids))
        connection.execute(
            f"UPDATE deliveries SET status = ? WHERE id IN ({among}) AND status IS NOT ?",
            (status, *ids, status),
        )


_TO_CLEAR = "SELECT id FROM deliveries WHERE received_at < ? AND id <= ? ORDER BY id LIMIT ?"
# Beside a single max() SQLite takes the other columns from the row that has it.
_NEWEST_OF_EVENTS = (
    "SELECT newest.link, newest.first, newest.number, first.received_at FROM ("
    "SELECT link, coalesce(redelivery_of, id) AS first, redelivery_number + 1 AS number, max(id) "
    "FROM deliveries WHERE link IN ({}) GROUP BY link"
    ") AS newest LEFT JOIN deliveries AS first ON first.id = newest.first"
)
_ENQUEUE = (
    "INSERT INTO queue (delivery_id, target, mode, secondary) VALUES (?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET mode = excluded.mode"
)
_DEQUEUE = "DELETE FROM queue WHERE delivery_id = ? AND target = ? RETURNING secondary"
_SIZE = "SELECT coalesce((SELECT size FROM deliveries WHERE id = ?), 0)"
_NEXT_ATTEMPT = (
    "SELECT (SELECT coalesce(max(number), 0) + 1 FROM attempts WHERE delivery_id = ?1), "
    "EXISTS (SELECT 1 FROM deliveries WHERE id = ?1)"
)
_END_ATTEMPT = (
    "UPDATE attempts SET status = ?, headers = ?, body = ?, truncated = ?, duration_ms = ?, "
    "error = ?, hint = ?, size = size + ? WHERE delivery_id = ? AND number = ?"
)
# Touches the row only when the word changes: rewriting it means rewriting its body.
_LAST_FAILED = (
    "UPDATE deliveries SET failed = ?1 WHERE id = ?2 AND failed <> ?1 AND NOT EXISTS ("
    "SELECT 1 FROM attempts WHERE delivery_id = ?2 AND number > ?3 AND duration_ms IS NOT NULL "
    "AND expects_rejection = 0)"
)
_REPLAYED = "UPDATE deliveries SET replayed = 1 WHERE id = ? AND replayed = 0"
