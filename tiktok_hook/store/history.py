"""The reading side: lists by key, search in windows, one delivery with all that belongs to it."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

from tiktok_hook.delivery import Attempt, Delivery
from tiktok_hook.signature import State
from tiktok_hook.store import rows
from tiktok_hook.store.filter import (
    ALL,
    Clause,
    Filter,
    IndexScan,
    conditions,
    id_list,
    is_glob,
    seeds,
    text_condition,
)
from tiktok_hook.store.readers import Readers
from tiktok_hook.store.rows import QueueEntry
from tiktok_hook.store.schema import Database
from tiktok_hook.store.timeline import Bucket, timeline

Order = Literal["DESC", "ASC"]

WINDOW = 50_000
"""How many ids a search for a text looks at in one go."""

MANY_NAMES = 200
"""More event names than this are not looked up one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many deliveries there are of each sort.

    Attributes:
        received: All of them.
        valid: Right signature, in time.
        stale: Right signature, too old or too new.
        refused: Invalid or missing signature.
        unchecked: No secret was given.
        redeliveries: Repetitions.
        failed: The last attempt did not get 200.
        replayed: Somebody replayed them.
        pending: Waiting for the app.
    """

    received: int = 0
    valid: int = 0
    stale: int = 0
    refused: int = 0
    unchecked: int = 0
    redeliveries: int = 0
    failed: int = 0
    replayed: int = 0
    pending: int = 0


EVERYTHING = Filter()
"""No filter at all."""


class History:
    """A history that is read: from any thread, and without ever blocking the writer.

    A context manager. Everything raises StoreError when the history cannot be read.
    """

    def __init__(self, database: Database) -> None:
        self._readers = Readers(database)

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
        """Close what is open; a query that still runs closes its own at its end."""
        self._readers.close()

    def get(self, delivery_id: int) -> Delivery | None:
        """One delivery; None when there is none of this id."""
        if not _is_id(delivery_id):
            return None
        found = self._readers.all(f"SELECT {_COLUMNS} FROM deliveries WHERE id = ?", (delivery_id,))
        return rows.delivery_of(found[0]) if found else None

    def attempts(self, delivery_id: int) -> list[Attempt]:
        """All attempts of a delivery, in order."""
        if not _is_id(delivery_id):
            return []
        found = self._readers.all(
            f"SELECT {rows.ATTEMPT_COLUMNS} FROM attempts WHERE delivery_id = ? ORDER BY number",
            (delivery_id,),
        )
        return [rows.attempt_of(each) for each in found]

    def last_attempts(self, ids: Sequence[int]) -> dict[int, Attempt]:
        """The last attempt of each of these deliveries that has one."""
        # Of an aggregate with max(), SQLite takes the other columns from the row that has it.
        found = self._readers.all(
            f"SELECT {rows.ATTEMPT_COLUMNS}, max(number) FROM attempts WHERE delivery_id IN "
            "(SELECT value FROM json_each(?)) GROUP BY delivery_id",
            (id_list(ids),),
        )
        return {each[0]: rows.attempt_of(each) for each in found}

    def page(
        self,
        where: Filter = EVERYTHING,
        *,
        before: int | None = None,
        after: int | None = None,
        limit: int = 50,
    ) -> list[Delivery]:
        """Some deliveries, newest first.

        Args:
            where: Which.
            before: Only ids below this one: the last of the page before.
            after: Only ids above this one; then oldest first.
            limit: How many at most.
        """
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
        window: int = WINDOW,
    ) -> tuple[list[Delivery], int | None]:
        """Some deliveries, newest first, out of so many ids at most, so that it never takes long.

        Args:
            where: Which.
            before: Only ids below this one: what the last search gave to go on from.
            limit: How many at most.
            window: How many ids to look at.

        Returns:
            What was found, and the id to go on from; None when everything has been looked at.
        """
        oldest, newest = self._bounds()
        high = newest + 1 if before is None else min(before, newest + 1)
        low = high - window
        found = self._some(where, low, high, limit, "DESC")
        if len(found) == limit and found:
            return found, found[-1].id
        return found, low if low > oldest else None

    def walk(self, where: Filter = EVERYTHING, *, batch: int = 200) -> Iterator[Delivery]:
        """All deliveries, oldest first, without holding more than a batch of them."""
        after = 0
        while found := self.page(where, after=after, limit=batch):
            yield from found
            after = found[-1].id

    def newest_id(self) -> int:
        """The newest id there is; 0 when there is none."""
        return self._bounds()[1]

    def redeliveries(self, delivery_id: int) -> list[int]:
        """The ids of all deliveries of the same event, in order, its own included."""
        if not _is_id(delivery_id):
            return []
        found = self._readers.all(_SAME_EVENT, (delivery_id, delivery_id))
        return [each for (each,) in found]

    def counts(self, where: Filter = EVERYTHING) -> Counts:
        """How many of each sort; all of them at once are counted from the indexes alone."""
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
            refused=by_verdict[State.INVALID] + by_verdict[State.MISSING],
            unchecked=by_verdict[State.UNCHECKED],
            redeliveries=others[0],
            failed=others[1],
            replayed=others[2],
            pending=others[3],
        )

    def pending(
        self, target: str | None = None, mode: Literal["first", "hold"] | None = None
    ) -> Iterator[Delivery]:
        """What waits for the app, in the order of its coming; for one target or mode if given."""
        after = 0
        while found := self._readers.all(_PENDING, (after, target, mode)):
            for each in found:
                yield rows.delivery_of(each)
            after = found[-1][0]

    def pending_count(
        self, target: str | None = None, mode: Literal["first", "hold"] | None = None
    ) -> int:
        """How many wait for the app; for one target or mode if given."""
        ((waiting,),) = self._readers.all(_PENDING_COUNT, (target, mode))
        return int(waiting)

    def timeline(self, since: float, until: float, *, buckets: int = 60) -> list[Bucket]:
        """What came in between two times, in Unix seconds, in equal spans; quiet ones included."""
        return timeline(self._readers, since, until, buckets=buckets)

    def queues_of(self, delivery_id: int) -> list[QueueEntry]:
        """Where a delivery waits; empty when it does not."""
        found = self._readers.all(
            "SELECT mode, target, secondary FROM queue WHERE delivery_id = ? "
            "ORDER BY secondary, target",
            (delivery_id,),
        )
        return [QueueEntry(mode, target, bool(secondary)) for mode, target, secondary in found]

    def queue_targets(self) -> list[str]:
        """The addresses that anything waits for."""
        found = self._readers.all("SELECT DISTINCT target FROM queue ORDER BY target")
        return [target for (target,) in found]

    def changes(self) -> int:
        """A number that is another one whenever something has been written, by any process."""
        return self._readers.changes()

    def _some(self, where: Filter, low: int, high: int, limit: int, order: Order) -> list[Delivery]:
        """Deliveries with ids from `low` to below `high`."""
        if limit <= 0 or low >= high:
            return []
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
                rows.delivery_of(each) for each in self._readers.all(sql, (*seed_values, *values))
            ]
        # One look into the index for each, so that none has to be read to its end and sorted.
        ids: set[int] = set()
        for index, (seed, seed_values) in ways:
            sql = f"SELECT id FROM deliveries {index} WHERE {seed} AND {condition} {tail}"
            ids.update(each for (each,) in self._readers.all(sql, (*seed_values, *values)))
        nearest = sorted(ids, reverse=order == "DESC")[:limit]
        sql = f"SELECT {_COLUMNS} FROM deliveries WHERE id IN (SELECT value FROM json_each(?))"
        found = self._readers.all(f"{sql} ORDER BY id {order}", (id_list(nearest),))
        return [rows.delivery_of(each) for each in found]

    def _windows(
        self, where: Filter, before: int | None, after: int | None
    ) -> Iterator[tuple[int, int]]:
        """The ids to look at: all at once, but in windows for a text."""
        oldest, newest = self._bounds()
        low = oldest if after is None else max(after + 1, oldest)
        high = newest + 1 if before is None else min(before, newest + 1)
        step = max(high - low, 1) if not where.text else WINDOW
        if after is None:
            for top in range(high, low, -step):
                yield max(top - step, low), top
        else:
            for bottom in range(low, high, step):
                yield bottom, min(bottom + step, high)

    def _within_time(self, where: Filter, low: int, high: int, order: Order) -> tuple[int, int]:
        """Narrow a range of ids to where the time asked for begins.

        Ids go up with time, but for imports and a clock that was set, so the first that fits is
        looked up; what follows it mostly fits too.
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
        return seeds(where, self._names(where.events) if where.events else None)

    def _condition(self, where: Filter, low: int = 0, high: int = 1 << 62) -> Clause:
        condition, values = conditions(where)
        if not where.text:
            return condition, values
        text, patterns = text_condition(where.text, low, high)
        return f"{condition} AND {text}", (*values, *patterns)

    def _names(self, globs: Sequence[str]) -> list[str] | None:
        """The event names that are there and fit; None when they are too many to ask for each."""
        if not any(map(is_glob, globs)):
            return list(dict.fromkeys(globs))
        found = [name for (name,) in self._readers.all(_NAMES)]
        if len(found) > MANY_NAMES:
            return None
        condition = " OR ".join(["value GLOB ?"] * len(globs))
        fitting = f"SELECT value FROM json_each(?) WHERE {condition}"
        return [name for (name,) in self._readers.all(fitting, (json.dumps(found), *globs))]

    def _bounds(self) -> tuple[int, int]:
        """The oldest and the newest id there is; zeros when there is none."""
        ((oldest, newest),) = self._readers.all(_BOUNDS)
        return oldest, newest


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
    "WHERE delivery_id > ? AND target = coalesce(?, target) AND mode = coalesce(?, mode) "
    "ORDER BY delivery_id LIMIT 100) ORDER BY id"
)
_PENDING_COUNT = (
    "SELECT count(DISTINCT delivery_id) FROM queue "
    "WHERE target = coalesce(?, target) AND mode = coalesce(?, mode)"
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
