"""Runs jobs on a connection, inside a transaction."""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

from tiktok_hook.delivery import Attempt, Delivery
from tiktok_hook.errors import StoreError
from tiktok_hook.store import jobs
from tiktok_hook.store.jobs import Job
from tiktok_hook.store.kept import storable
from tiktok_hook.store.records import QueueEntry
from tiktok_hook.store.sqlite import rows
from tiktok_hook.store.sqlite.retention import SLICE, Counters, delete

_ROWS_AT_ONCE = 32
"""Maximum number of rows that one statement inserts."""

KEPT_ATTEMPTS = 10
"""Of a delivery with many attempts, the first and the last ten are kept."""


def run(
    connection: sqlite3.Connection,
    batch: Sequence[Job],
    counters: Counters,
    owner: str | None,
    app: str = "",
) -> list[Any]:
    """Write jobs in their order, inside a transaction.

    Args:
        connection: In a transaction.
        batch: The jobs.
        counters: As read in this transaction.
        owner: The token of the process that begins the attempts; None if it is unknown.
        app: The attached app whose queues are written; empty is the listener.

    Returns:
        The result of each job; a StoreError for a delivery whose queue is full.
    """
    results: list[Any] = []
    adds: list[jobs.Add] = []
    statuses: dict[int, int] = {}
    for job in batch:
        if isinstance(job, jobs.Add):
            adds.append(job)
            continue
        if adds:
            results += _add_all(connection, adds, counters, owner, app)
            adds = []
        if isinstance(job, jobs.SetStatus):
            statuses[job.delivery_id] = job.status
            results.append(None)
        elif isinstance(job, jobs.AddMany):
            results.append(_add_many(connection, job, counters, owner))
        elif isinstance(job, jobs.BeginAttempt):
            results.append(_begin_attempt(connection, job, counters, owner))
        elif type(job) in _RUN_FOR_APP:
            results.append(_RUN_FOR_APP[type(job)](connection, job, counters, app))
        else:
            results.append(_RUN[type(job)](connection, job, counters))
    if adds:
        results += _add_all(connection, adds, counters, owner, app)
    _set_statuses(connection, statuses)
    return results


def begins_attempt(job: Job) -> bool:
    """Whether a job records an attempt as begun."""
    if isinstance(job, jobs.AddMany):
        return any(each.attempt is not None for each in job.adds)
    return isinstance(job, jobs.BeginAttempt) or (
        isinstance(job, jobs.Add) and job.attempt is not None
    )


def after_commit(connection: sqlite3.Connection, job: Job) -> None:
    """Do the part of a job that is only possible outside a transaction."""
    if not isinstance(job, jobs.Shrink):
        return
    connection.execute("PRAGMA secure_delete = FAST")
    (few,) = connection.execute("SELECT count(*) < 100 FROM deliveries").fetchone()
    # Rewrite the file if that is quick. A reader can prevent it; the file only stays larger then.
    with contextlib.suppress(sqlite3.OperationalError):
        if few:
            connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _add_all(
    connection: sqlite3.Connection,
    adds: Sequence[jobs.Add],
    counters: Counters,
    owner: str | None,
    app: str = "",
) -> list[Delivery | StoreError]:
    """Insert deliveries with few statements; a StoreError for a delivery whose queue is full.

    Few, because each statement releases the interpreter lock and then waits for the event loop's
    thread to release it.
    """
    newest = _newest_of(connection, {add.key for add in adds if add.key is not None})
    results: list[Delivery | StoreError] = []
    inserts, begun = [], []
    enqueued: list[tuple[int, QueueEntry]] = []
    for add in adds:
        waits = add.waits
        if waits and counters.queue_full:
            results.append(_full(counters))
            continue
        counters.last_id = delivery_id = counters.last_id + 1
        first, number, first_at = newest.get(add.key, (None, 1, None))
        if add.key is not None:
            at = add.delivery.received_at if first is None else first_at
            newest[add.key] = (first or delivery_id, number + 1, at)
        delivery = add.delivery.replace(
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
        if waits:
            counters.queued += 1
            counters.queued_bytes += size
        if add.queues:
            enqueued += [(delivery_id, each) for each in add.queues]
        if add.attempt is not None:
            begun.append(rows.numbered(add.attempt, delivery_id, 1))
        inserts.append(row)
        results.append(delivery)
    _insert_all(connection, rows.insert_deliveries, inserts)
    for delivery_id, entry in enqueued:
        connection.execute(_ENQUEUE, rows.queue_row(delivery_id, app, entry))
    _insert_attempts(connection, begun, counters, owner)
    return results


def _full(counters: Counters) -> StoreError:
    return StoreError(
        f"{counters.queued} deliveries ({counters.queued_bytes / 1e6:.0f} MB) wait for the app, "
        "and no more may wait.",
        hint="Start the app, or resume forwarding; tiktok-hook clear deletes them.",
    )


def _add_many(
    connection: sqlite3.Connection, job: jobs.AddMany, counters: Counters, owner: str | None
) -> list[Delivery]:
    if job.abandoned:
        return []
    added = _add_all(connection, job.adds, counters, owner)
    stored = [each for each in added if isinstance(each, Delivery)]  # imported ones never wait
    job.assigned = [each.id for each in stored]
    return stored


def _insert_all(
    connection: sqlite3.Connection, statement: Callable[[int], str], waiting: list[rows.Row]
) -> None:
    """Insert rows, several with each statement; removes them from `waiting`."""
    while waiting:
        # Powers of two, as in `rows.padded`.
        count = min(1 << (len(waiting).bit_length() - 1), _ROWS_AT_ONCE)
        connection.execute(statement(count), list(chain.from_iterable(waiting[:count])))
        del waiting[:count]


def _newest_of(
    connection: sqlite3.Connection, keys: set[bytes]
) -> dict[bytes | None, tuple[int | None, int, float | None]]:
    """For each known event its first delivery, the number of the next one, and the first's time.

    The time is None if the first delivery was deleted.
    """
    if not keys:
        return {}
    wanted = rows.padded(keys, b"")  # no event has the empty key
    found = connection.execute(_NEWEST_OF_EVENTS.format(",".join("?" * len(wanted))), wanted)
    return {key: (first, number, first_at) for key, first, number, first_at in found}


def _undo_import(connection: sqlite3.Connection, job: jobs.UndoImport, counters: Counters) -> int:
    return delete(connection, job.added.ids, counters)


def _dequeue(
    connection: sqlite3.Connection, job: jobs.Dequeue, counters: Counters, app: str
) -> None:
    found = connection.execute(_DEQUEUE, (job.delivery_id, app, job.target)).fetchone()
    if found is not None and found[0]:
        (size,) = connection.execute(_SIZE, (job.delivery_id,)).fetchone()
        counters.queued -= 1
        counters.queued_bytes -= size
    counters.floor = min(counters.floor, job.delivery_id - 1)


def _set_aside(connection: sqlite3.Connection, job: jobs.SetAside, _: Counters, app: str) -> None:
    row = (job.tries, job.next_try_at, job.delivery_id, app, job.target)
    connection.execute(_SET_ASIDE, row)


def _make_due(connection: sqlite3.Connection, job: jobs.MakeDue, _: Counters, app: str) -> None:
    connection.execute(_MAKE_DUE, (job.now, app, job.target, job.now))


def _attach(connection: sqlite3.Connection, job: jobs.Attach, _: Counters, app: str) -> None:
    given = job.attachment
    place = (given.cursor, storable(given.host), given.pid, time.time(), given.missed)
    connection.execute(_ATTACH, (app, given.target, storable(given.match), *place))
    if job.old_target is not None:
        connection.execute(_MOVE_QUEUE, (given.target, app, job.old_target))
        connection.execute(_LEAVE_QUEUE, (app, job.old_target))


def _advance(connection: sqlite3.Connection, job: jobs.Advance, _: Counters, app: str) -> bool:
    moved = (job.cursor, job.noted, time.time(), app, job.expected)
    if not connection.execute(_ADVANCE, moved).rowcount:
        return False
    for delivery_id, entry in job.entries:
        if connection.execute(_EXISTS, (delivery_id,)).fetchone():  # it may have been deleted
            connection.execute(_ENQUEUE, rows.queue_row(delivery_id, app, entry))
    return True


def _begin_attempt(
    connection: sqlite3.Connection,
    job: jobs.BeginAttempt,
    counters: Counters,
    owner: str | None,
) -> Attempt:
    delivery_id = job.attempt.delivery_id
    number, exists = connection.execute(_NEXT_ATTEMPT, (delivery_id,)).fetchone()
    attempt = rows.numbered(job.attempt, delivery_id, number)
    if exists:  # otherwise it was pruned meanwhile
        _insert_attempts(connection, [attempt], counters, owner)
        if number > 2 * KEPT_ATTEMPTS:
            oldest = (delivery_id, KEPT_ATTEMPTS, number - KEPT_ATTEMPTS)
            for (size,) in connection.execute(_FORGET_ATTEMPTS, oldest).fetchall():
                counters.kept_bytes -= size
    return attempt


def _end_attempt(connection: sqlite3.Connection, job: jobs.EndAttempt, counters: Counters) -> None:
    attempt = job.attempt
    key = (attempt.delivery_id, attempt.number)
    outcome = rows.attempt_row(attempt)[rows.OUTCOME :]
    size = rows.outcome_bytes(attempt)
    if connection.execute(_END_ATTEMPT, (*outcome, size, *key)).rowcount:
        counters.kept_bytes += size
        if attempt.expects_rejection:
            return  # a wrong signature does not show whether the app handles the delivery
        if attempt.failed or attempt.number > 1:  # otherwise `failed` is 0 already
            connection.execute(_LAST_FAILED, (int(attempt.failed), *key))


def _flush(connection: sqlite3.Connection, job: jobs.Flush, counters: Counters) -> None:
    """Write nothing."""


def _remove(connection: sqlite3.Connection, job: jobs.Remove, counters: Counters) -> int:
    return delete(connection, job.ids, counters)


def _clear(connection: sqlite3.Connection, job: jobs.Clear, counters: Counters) -> int:
    # Cleared content must not stay readable in free pages of the file.
    connection.execute("PRAGMA secure_delete = ON")
    found = connection.execute(_TO_CLEAR, (job.before, job.newest, SLICE)).fetchall()
    return delete(connection, [each for (each,) in found], counters)


def _clear_ids(connection: sqlite3.Connection, job: jobs.ClearIds, counters: Counters) -> int:
    connection.execute("PRAGMA secure_delete = ON")
    return delete(connection, job.ids, counters)


def _insert_attempts(
    connection: sqlite3.Connection,
    attempts: Sequence[Attempt],
    counters: Counters,
    owner: str | None,
) -> None:
    waiting = []
    for attempt in attempts:
        size = rows.request_bytes(attempt)
        waiting.append((*rows.attempt_row(attempt), size, owner))
        counters.kept_bytes += size
        if attempt.replay:
            connection.execute(_REPLAYED, (attempt.delivery_id,))
    _insert_all(connection, rows.insert_attempts, waiting)


def _set_statuses(connection: sqlite3.Connection, statuses: Mapping[int, int]) -> None:
    """Set the status of each delivery, with one statement for each status."""
    for status in set(statuses.values()):
        ids = rows.padded([each for each, its in statuses.items() if its == status], 0)
        among = ",".join("?" * len(ids))
        connection.execute(
            f"UPDATE deliveries SET status = ? WHERE id IN ({among}) AND status IS NOT ?",
            (status, *ids, status),
        )


_RUN: Mapping[type[Job], Callable[[sqlite3.Connection, Any, Counters], Any]] = {
    jobs.UndoImport: _undo_import,
    jobs.EndAttempt: _end_attempt,
    jobs.Flush: _flush,
    jobs.Shrink: _flush,  # `after_commit` does its work
    jobs.Remove: _remove,
    jobs.Clear: _clear,
    jobs.ClearIds: _clear_ids,
}

_RUN_FOR_APP: Mapping[type[Job], Callable[[sqlite3.Connection, Any, Counters, str], Any]] = {
    jobs.Dequeue: _dequeue,
    jobs.SetAside: _set_aside,
    jobs.MakeDue: _make_due,
    jobs.Attach: _attach,
    jobs.Advance: _advance,
}

_TO_CLEAR = "SELECT id FROM deliveries WHERE received_at < ? AND id <= ? ORDER BY id LIMIT ?"
# With a single max(), SQLite takes the other columns from the row of the maximum.
_NEWEST_OF_EVENTS = (
    "SELECT newest.link, newest.first, newest.number, first.received_at FROM ("
    "SELECT link, coalesce(redelivery_of, id) AS first, redelivery_number + 1 AS number, max(id) "
    "FROM deliveries WHERE link IN ({}) GROUP BY link"
    ") AS newest LEFT JOIN deliveries AS first ON first.id = newest.first"
)
_ENQUEUE = (
    "INSERT INTO queue (delivery_id, app, target, mode, secondary, deadline, tries, next_try_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET mode = excluded.mode"
)
# Returns whether it counted against the bound of waiting deliveries.
_DEQUEUE = (
    "DELETE FROM queue WHERE delivery_id = ? AND app = ? AND target = ? "
    "RETURNING secondary = 0 AND mode <> 'attached'"
)
_ATTACH = (
    "INSERT OR REPLACE INTO attachments "
    "(app, target, match, cursor, host, pid, updated_at, missed) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_MOVE_QUEUE = "UPDATE OR IGNORE queue SET target = ? WHERE app = ? AND target = ?"
_LEAVE_QUEUE = "DELETE FROM queue WHERE app = ? AND target = ?"
_ADVANCE = (
    "UPDATE attachments SET cursor = ?, missed = missed - ?, updated_at = ? "
    "WHERE app = ? AND cursor = ?"
)
_SIZE = "SELECT coalesce((SELECT size FROM deliveries WHERE id = ?), 0)"
_EXISTS = "SELECT 1 FROM deliveries WHERE id = ?"
_SET_ASIDE = (
    "UPDATE queue SET tries = ?, next_try_at = ? WHERE delivery_id = ? AND app = ? AND target = ?"
)
_MAKE_DUE = "UPDATE queue SET next_try_at = ? WHERE app = ? AND target = ? AND next_try_at > ?"
_NEXT_ATTEMPT = (
    "SELECT (SELECT coalesce(max(number), 0) + 1 FROM attempts WHERE delivery_id = ?1), "
    "EXISTS (SELECT 1 FROM deliveries WHERE id = ?1)"
)
_FORGET_ATTEMPTS = (
    "DELETE FROM attempts WHERE delivery_id = ? AND number > ? AND number <= ? AND replay = 0 "
    "RETURNING size"
)
_END_ATTEMPT = (
    "UPDATE attempts SET status = ?, headers = ?, body = ?, truncated = ?, duration_ms = ?, "
    "error = ?, hint = ?, size = size + ? WHERE delivery_id = ? AND number = ?"
)
# Writes the row only when the value changes: rewriting it means rewriting its body.
_LAST_FAILED = (
    "UPDATE deliveries SET failed = ?1 WHERE id = ?2 AND failed <> ?1 AND NOT EXISTS ("
    "SELECT 1 FROM attempts WHERE delivery_id = ?2 AND number > ?3 AND duration_ms IS NOT NULL "
    "AND expects_rejection = 0)"
)
_REPLAYED = "UPDATE deliveries SET replayed = 1 WHERE id = ? AND replayed = 0"
