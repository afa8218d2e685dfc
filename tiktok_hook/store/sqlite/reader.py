"""Queries of a history in SQLite; see `api.HistoryReader`."""

import contextlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

from tiktok_hook.delivery import Attempt, Delivery
from tiktok_hook.errors import StoreError
from tiktok_hook.filters import matches_any
from tiktok_hook.signature import State
from tiktok_hook.store import encoding
from tiktok_hook.store.api import SEARCH_WINDOW
from tiktok_hook.store.encoding import is_glob
from tiktok_hook.store.filter import ANY_APP, EVERYTHING, Filter
from tiktok_hook.store.records import (
    Attachment,
    AttachmentState,
    Bucket,
    Counts,
    Names,
    QueuedDelivery,
    QueueEntry,
    QueueMode,
)
from tiktok_hook.store.sqlite import rows
from tiktok_hook.store.sqlite.conditions import (
    ALL,
    Clause,
    IndexScan,
    conditions,
    id_list,
    index_scans,
    text_condition,
)
from tiktok_hook.store.sqlite.connections import ReadConnections
from tiktok_hook.store.sqlite.crash_recovery import end_abandoned
from tiktok_hook.store.sqlite.database import Database
from tiktok_hook.store.sqlite.timeline import timeline

Order = Literal["DESC", "ASC"]

MANY_NAMES = 200
"""Maximum number of event names that are looked up one by one in the index."""

_POLL_SECONDS = 0.05
"""How often the change counter is read while waiting for a change; it takes microseconds."""


class SQLiteReader:
    """Queries over one SQLite history; see `api.HistoryReader` for what each does.

    Args:
        database: Where it is.
        app: The attached app whose queues are read; empty is the listener.
        owner: The token of the attempts that this process makes; empty if it makes none.
    """

    def __init__(self, database: Database, app: str = "", owner: str = "") -> None:
        self._database = database
        self._app = app
        self._owner = owner
        self._readers = ReadConnections(database)

    @property
    def label(self) -> str:
        """The path, or words for a history in memory."""
        return self._database.label

    @property
    def app(self) -> None:
        """None: a file does not distinguish apps."""
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; a running query closes its own at its end."""
        self._readers.close()

    def get(self, delivery_id: int) -> Delivery | None:
        """The delivery with an id; None if there is none."""
        if not _is_id(delivery_id):
            return None
        found = self._readers.all(f"SELECT {_COLUMNS} FROM deliveries WHERE id = ?", (delivery_id,))
        return encoding.delivery_of(found[0]) if found else None

    def attempts(self, delivery_id: int) -> list[Attempt]:
        """All attempts of a delivery, in order."""
        if not _is_id(delivery_id):
            return []
        found = self._readers.all(
            f"SELECT {rows.ATTEMPT_COLUMNS} FROM attempts WHERE delivery_id = ? ORDER BY number",
            (delivery_id,),
        )
        return [encoding.attempt_of(each) for each in found]

    def last_attempts(self, ids: Sequence[int], *, app: str | None = None) -> dict[int, Attempt]:
        """The last attempt of each of these deliveries that has one."""
        if app not in {None, ANY_APP}:
            return {}  # a file has no names of apps
        # With a single max(), SQLite takes the other columns from the row of the maximum.
        found = self._readers.all(
            f"SELECT {rows.ATTEMPT_COLUMNS}, max(number) FROM attempts WHERE delivery_id IN "
            "(SELECT value FROM json_each(?)) GROUP BY delivery_id",
            (id_list(ids),),
        )
        return {each[0]: encoding.attempt_of(each) for each in found}

    def replays_by_others(self, since: float, limit: int) -> list[Attempt]:
        """Replays that other processes began, in the order of their times."""
        found = self._readers.all(_REPLAYS_BY_OTHERS, (since, self._owner, limit))
        return [encoding.attempt_of(each) for each in found]

    def apps_of(self, ids: Sequence[int]) -> dict[int, tuple[str, ...]]:  # noqa: ARG002 - the interface
        """Empty: a file has no names of apps."""
        return {}

    def names(self) -> Names:
        """Empty: a file has no names of listeners and apps."""
        return Names()

    def page(
        self,
        where: Filter = EVERYTHING,
        *,
        before: int | None = None,
        after: int | None = None,
        limit: int = 50,
    ) -> list[Delivery]:
        """One page of deliveries, newest first."""
        found: list[Delivery] = []
        for low, high in self._windows(where, before, after):
            order: Order = "DESC" if after is None else "ASC"
            found += self._some(where, low, high, limit - len(found), order)
            if len(found) >= limit:
                break
        return found

    def search(
        self,
        where: Filter,
        *,
        before: int | None = None,
        limit: int = 50,
        window: int = SEARCH_WINDOW,
    ) -> tuple[list[Delivery], int | None]:
        """One page of deliveries, newest first, from at most `window` ids."""
        oldest, newest = self._bounds()
        high = newest + 1 if before is None else min(before, newest + 1)
        low = high - window
        found = self._some(where, low, high, limit, "DESC")
        if len(found) == limit and found:
            return found, found[-1].id
        return found, low if low > oldest else None

    def walk(self, where: Filter = EVERYTHING, *, batch: int = 200) -> Iterator[Delivery]:
        """All deliveries, oldest first, in batches."""
        after = 0
        while found := self.page(where, after=after, limit=batch):
            yield from found
            after = found[-1].id

    def newest_id(self) -> int:
        """The newest id; 0 if there is none."""
        return self._bounds()[1]

    def ids_received_at(self, times: Sequence[float], *, within: float) -> list[int]:
        """The ids of the deliveries received at any of these times, in order."""
        found = self._readers.all(_RECEIVED_AT, (within, json.dumps(list(times))))
        return [each for (each,) in found]

    def redeliveries(self, delivery_id: int) -> list[int]:
        """The ids of all deliveries of the same event, in order, including this one."""
        if not _is_id(delivery_id):
            return []
        found = self._readers.all(_SAME_EVENT, (delivery_id, delivery_id))
        return [each for (each,) in found]

    def count(self, where: Filter = EVERYTHING) -> int:
        """How many matching deliveries there are; a total is counted from an index alone."""
        if where == EVERYTHING:
            return int(self._readers.all("SELECT count(*) FROM deliveries")[0][0])
        condition, values = self._condition(where)
        total = 0
        for index, (seed, seed_values) in self._ways(where) or [ALL]:
            sql = f"SELECT count(*) FROM deliveries {index} WHERE {seed} AND {condition}"
            total += int(self._readers.all(sql, (*seed_values, *values))[0][0])
        return total

    def counts(self, where: Filter = EVERYTHING) -> Counts:
        """How many matching deliveries there are. A total is counted from the indexes alone."""
        if where == EVERYTHING:
            by_verdict = Counter(dict(self._readers.all(_COUNT_VERDICTS)))
            others = self._readers.all(_COUNT_ALL)[0]
        else:
            condition, values = self._condition(where)
            found = []
            for index, (seed, seed_values) in self._ways(where) or [ALL]:
                sql = f"{_COUNT_SOME} {index} WHERE {seed} AND {condition} GROUP BY verdict"
                found += self._readers.all(sql, (*seed_values, *values))
            by_verdict = Counter[str]()
            for verdict, number, *_ in found:
                by_verdict[verdict] += number
            others = [sum(each[place] for each in found) for place in range(2, 6)]
        return Counts(
            received=sum(by_verdict.values()),
            valid=by_verdict[State.VALID],
            stale=by_verdict[State.STALE],
            rejected=by_verdict[State.INVALID] + by_verdict[State.MISSING],
            unchecked=by_verdict[State.UNCHECKED],
            redeliveries=others[0],
            failed=others[1],
            replayed=others[2],
            pending=others[3],
        )

    def pending(
        self, target: str | None = None, mode: QueueMode | None = None
    ) -> Iterator[Delivery]:
        """Deliveries that wait for an app, by id."""
        after = 0
        while found := self._readers.all(_PENDING, (after, self._app, target, mode)):
            for each in found:
                yield encoding.delivery_of(each)
            after = found[-1][0]

    def pending_count(self, target: str | None = None, mode: QueueMode | None = None) -> int:
        """How many deliveries wait for an app; for one target or mode if given."""
        ((waiting,),) = self._readers.all(_PENDING_COUNT, (self._app, target, mode))
        return int(waiting)

    def timeline(self, since: float, until: float, *, buckets: int = 60) -> list[Bucket]:
        """Numbers of deliveries between two times (Unix seconds), in spans of equal length."""
        return timeline(self._readers, since, until, buckets=buckets)

    def queues_of(self, delivery_id: int) -> list[QueueEntry]:
        """The targets that a delivery waits for."""
        found = self._readers.all(
            f"SELECT {rows.QUEUE_COLUMNS} FROM queue WHERE delivery_id = ? AND app = ? "
            "ORDER BY secondary, target",
            (delivery_id, self._app),
        )
        return [encoding.queue_entry_of(each) for each in found]

    def queue_targets(self) -> list[str]:
        """The addresses that any delivery waits for."""
        found = self._readers.all(_QUEUE_TARGETS, (self._app,))
        return [target for (target,) in found]

    def queue_head(
        self, target: str, up_to: Mapping[QueueMode, int | None], limit: int
    ) -> list[QueuedDelivery]:
        """The oldest deliveries that wait for a target in order."""
        return self._queued(target, up_to, "next_try_at IS NULL", (), "delivery_id", limit)

    def queue_due(
        self, target: str, up_to: Mapping[QueueMode, int | None], now: float, limit: int
    ) -> list[QueuedDelivery]:
        """Deliveries set aside whose next try is due."""
        order = "next_try_at, delivery_id"
        return self._queued(target, up_to, "next_try_at <= ?", (now,), order, limit)

    def next_due_at(self, target: str, up_to: Mapping[QueueMode, int | None]) -> float | None:
        """When the next delivery set aside is due."""
        modes, values = _modes(up_to)
        sql = f"SELECT min(next_try_at) FROM queue WHERE app = ? AND target = ? AND {modes}"
        ((due,),) = self._readers.all(sql, (self._app, target, *values))
        return None if due is None else float(due)

    def attachment(self) -> AttachmentState:
        """The attached app. The epoch of a file never changes: its cursors are stored in it."""
        ((newest_id, in_order, set_aside, target, *row),) = self._readers.all(
            _ATTACHMENT, (self._app,)
        )
        found = None
        if target is not None:
            match, cursor, host, pid, missed = row
            found = Attachment(
                app=self._app,
                target=target,
                match=match,
                cursor=cursor,
                host=host,
                pid=pid,
                missed=missed,
            )
        return AttachmentState(
            attachment=found,
            epoch="",
            newest_id=newest_id,
            in_order=in_order,
            set_aside=set_aside,
        )

    def _queued(
        self,
        target: str,
        up_to: Mapping[QueueMode, int | None],
        condition: str,
        values: tuple[float, ...],
        order: str,
        limit: int,
    ) -> list[QueuedDelivery]:
        modes, bounds = _modes(up_to)
        # The subquery has only columns of the queue, so that sorting reads no bodies.
        sql = (
            f"SELECT {rows.QUEUE_COLUMNS}, {_COLUMNS} FROM (SELECT * FROM queue "
            f"WHERE app = ? AND target = ? AND {modes} AND {condition} ORDER BY {order} LIMIT ?) "
            f"JOIN deliveries ON id = delivery_id ORDER BY {order}"
        )
        found = self._readers.all(sql, (self._app, target, *bounds, *values, limit))
        return [
            QueuedDelivery(encoding.delivery_of(each[6:]), encoding.queue_entry_of(each[:6]))
            for each in found
        ]

    def changes(self) -> int:
        """The change counter."""
        return self._readers.changes()

    def restored(self) -> int:
        """0: a file that replaces another one counts as another history."""
        return 0

    def wait_for_change(self, seen: int, seconds: float) -> int:
        """Poll the change counter until it moves."""
        deadline = time.monotonic() + seconds
        while (found := self.changes()) == seen and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        return found

    def additions(self) -> int:
        """The change counter: SQLite only shows that something changed."""
        return self.changes()

    def updates(self) -> int:
        """The change counter as well."""
        return self.changes()

    def wait_for_addition(self, seen: int, seconds: float) -> int:
        """Poll the change counter until it moves."""
        return self.wait_for_change(seen, seconds)

    def _some(self, where: Filter, low: int, high: int, limit: int, order: Order) -> list[Delivery]:
        """Deliveries with ids from `low` to below `high`."""
        if limit <= 0 or low >= high:
            return []
        limit = min(limit, high - low)  # SQLite has no larger numbers
        ways = self._ways(where)
        if not ways:
            low, high = self._within_time(where, low, high, order)
        condition, values = self._condition(where, low, high)
        condition = f"id >= {low:d} AND id < {high:d} AND {condition}"
        tail = f"ORDER BY id {order} LIMIT {limit:d}"
        if len(ways) < 2:
            index, (seed, seed_values) = ways[0] if ways else ALL
            sql = f"SELECT {_COLUMNS} FROM deliveries {index} WHERE {seed} AND {condition} {tail}"
            return [
                encoding.delivery_of(each)
                for each in self._readers.all(sql, (*seed_values, *values))
            ]
        # One index scan each, so that none has to be read to its end and sorted.
        ids: set[int] = set()
        for index, (seed, seed_values) in ways:
            sql = f"SELECT id FROM deliveries {index} WHERE {seed} AND {condition} {tail}"
            ids.update(each for (each,) in self._readers.all(sql, (*seed_values, *values)))
        nearest = sorted(ids, reverse=order == "DESC")[:limit]
        sql = f"SELECT {_COLUMNS} FROM deliveries WHERE id IN (SELECT value FROM json_each(?))"
        found = self._readers.all(f"{sql} ORDER BY id {order}", (id_list(nearest),))
        return [encoding.delivery_of(each) for each in found]

    def _windows(
        self, where: Filter, before: int | None, after: int | None
    ) -> Iterator[tuple[int, int]]:
        """The ranges of ids to query: one, or several windows where bodies have to be read."""
        oldest, newest = self._bounds()
        low = oldest if after is None else max(after + 1, oldest)
        high = newest + 1 if before is None else min(before, newest + 1)
        reads_bodies = where.text or where.body_terms
        step = SEARCH_WINDOW if reads_bodies else max(high - low, 1)
        if after is None:
            for top in range(high, low, -step):
                yield max(top - step, low), top
        else:
            for bottom in range(low, high, step):
                yield bottom, min(bottom + step, high)

    def _within_time(self, where: Filter, low: int, high: int, order: Order) -> tuple[int, int]:
        """Narrow a range of ids to where the time asked for begins.

        Ids go up with time, but for imports and a clock that was set, so the first match is
        looked up; most of what follows it matches too.
        """
        if where.since is None and where.until is None:
            return low, high
        since = _LONG_AGO if where.since is None else where.since
        until = _FAR_AWAY if where.until is None else where.until
        first = self._readers.all(f"{_TIME_OF_FIRST} {order} LIMIT 1", (low, high))
        if all(since <= received_at < until for (received_at,) in first):
            return low, high
        ((least, most),) = self._readers.all(_IDS_IN_TIME, (since, until, low, high))
        return (low, low) if least is None else (least, most + 1)

    def _ways(self, where: Filter) -> list[IndexScan]:
        return index_scans(where, self._names(where.event_globs) if where.event_globs else None)

    def _condition(self, where: Filter, low: int = 0, high: int = 1 << 62) -> Clause:
        condition, values = conditions(where)
        if not where.text:
            return condition, values
        text, patterns = text_condition(where.text, low, high)
        return f"{condition} AND {text}", (*values, *patterns)

    def _names(self, groups: Sequence[tuple[str, ...]]) -> list[str] | None:
        """The stored event names that match every group; None when they are too many to query."""
        literal = next((each for each in groups if not any(map(is_glob, each))), None)
        if literal is not None:
            return list(dict.fromkeys(literal))
        found = [name for (name,) in self._readers.all(_NAMES)]
        if len(found) > MANY_NAMES:
            return None
        return [name for name in found if all(matches_any(name, globs) for globs in groups)]

    def _bounds(self) -> tuple[int, int]:
        """The oldest and the newest id there is; zeros when there is none."""
        ((oldest, newest),) = self._readers.all(_BOUNDS)
        return oldest, newest


def _modes(up_to: Mapping[QueueMode, int | None]) -> Clause:
    """The condition that a queue entry is of one of these modes, up to its id."""
    parts = ["(mode = ? AND delivery_id <= ?)"] * len(up_to)
    newest = (1 << 63) - 1
    values = [
        value
        for mode, bound in up_to.items()
        for value in (mode, newest if bound is None else bound)
    ]
    return f"({' OR '.join(parts) or '0'})", values


def _is_id(number: int) -> bool:
    """Whether SQLite can look it up at all; people type anything."""
    return 0 < number < 1 << 63


_COLUMNS = rows.DELIVERY_COLUMNS
_LONG_AGO, _FAR_AWAY = float("-inf"), float("inf")
_BOUNDS = (
    "SELECT coalesce((SELECT min(id) FROM deliveries), 0), "
    "coalesce((SELECT max(id) FROM deliveries), 0)"
)
_TIME_OF_FIRST = (
    "SELECT received_at FROM deliveries NOT INDEXED WHERE id >= ? AND id < ? ORDER BY id"
)
_IDS_IN_TIME = (
    "SELECT min(id), max(id) FROM deliveries INDEXED BY deliveries_received "
    "WHERE received_at >= ? AND received_at < ? AND +id >= ? AND +id < ?"
)
# CROSS JOIN keeps this order: a look into the index for each time, not one for each delivery.
_RECEIVED_AT = (
    "SELECT DISTINCT deliveries.id FROM json_each(?2) AS wanted CROSS JOIN deliveries "
    "INDEXED BY deliveries_received "
    "ON received_at BETWEEN wanted.value - ?1 AND wanted.value + ?1 ORDER BY deliveries.id"
)
# Jumps from name to name in the index; DISTINCT would read all of it.
_NAMES = (
    "WITH RECURSIVE names (name) AS ("
    "SELECT min(event) FROM deliveries UNION ALL "
    "SELECT (SELECT min(event) FROM deliveries WHERE event > name) FROM names "
    "WHERE name IS NOT NULL) "
    f"SELECT name FROM names WHERE name IS NOT NULL LIMIT {MANY_NAMES + 1}"
)
_SAME_EVENT = (
    "SELECT id FROM deliveries WHERE id = ? OR link = (SELECT link FROM deliveries WHERE id = ?) "
    "ORDER BY id"
)
_PENDING = (
    f"SELECT {_COLUMNS} FROM deliveries WHERE id IN (SELECT delivery_id FROM queue "
    "WHERE delivery_id > ? AND app = ? AND target = coalesce(?, target) "
    "AND mode = coalesce(?, mode) ORDER BY delivery_id LIMIT 100) ORDER BY id"
)
_PENDING_COUNT = (
    "SELECT count(DISTINCT delivery_id) FROM queue "
    "WHERE app = ? AND target = coalesce(?, target) AND mode = coalesce(?, mode)"
)
_QUEUE_TARGETS = "SELECT DISTINCT target FROM queue WHERE app = ? ORDER BY target"
_ATTACHMENT = (
    "SELECT coalesce((SELECT max(id) FROM deliveries), 0), "
    "(SELECT count(*) FROM queue WHERE app = ?1 AND next_try_at IS NULL), "
    "(SELECT count(*) FROM queue WHERE app = ?1 AND next_try_at IS NOT NULL), "
    "target, match, cursor, host, pid, missed "
    "FROM (SELECT 1) LEFT JOIN attachments ON app = ?1"
)
# Without an owner an attempt was imported, or it is not known who made it.
_REPLAYS_BY_OTHERS = (
    f"SELECT {rows.ATTEMPT_COLUMNS} FROM attempts INDEXED BY attempts_replays "
    "WHERE replay = 1 AND started_at >= ? AND owner <> ? ORDER BY started_at, id LIMIT ?"
)
_COUNT_VERDICTS = "SELECT verdict, count(*) FROM deliveries GROUP BY verdict"
_COUNT_ALL = (
    "SELECT (SELECT count(*) FROM deliveries WHERE redelivery_of IS NOT NULL), "
    "(SELECT count(*) FROM deliveries WHERE failed = 1), "
    "(SELECT count(*) FROM deliveries WHERE replayed = 1), "
    "(SELECT count(DISTINCT delivery_id) FROM queue)"
)
_COUNT_SOME = (
    "SELECT verdict, count(*), sum(redelivery_of IS NOT NULL), sum(failed), sum(replayed), "
    "sum(id IN (SELECT delivery_id FROM queue)) FROM deliveries"
)


def open_reader(path: Path) -> SQLiteReader:
    """Open a file that is only read; attempts that a killed process left open are ended first.

    Raises:
        StoreError: It cannot be read.
    """
    database = Database(path)
    with contextlib.suppress(StoreError):  # a read-only history is read as it is
        end_abandoned(database)
    reader = SQLiteReader(database)
    reader.newest_id()
    return reader
