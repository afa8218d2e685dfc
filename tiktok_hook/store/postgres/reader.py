"""Queries of a history on PostgreSQL; see `api.HistoryReader`."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

from tiktok_hook.delivery import Attempt, Delivery
from tiktok_hook.signature import State
from tiktok_hook.store import encoding
from tiktok_hook.store.api import SEARCH_WINDOW
from tiktok_hook.store.encoding import is_glob
from tiktok_hook.store.filter import ANY_APP, EVERYTHING, Filter
from tiktok_hook.store.postgres import rows
from tiktok_hook.store.postgres.conditions import (
    JOINED,
    MARKS,
    QUEUED_IDS,
    Clause,
    Rest,
    add_text,
    conditions,
    is_id,
    matching,
    page_condition,
    searched,
    whose,
)
from tiktok_hook.store.postgres.connection import Server
from tiktok_hook.store.postgres.connections import QueryConnections
from tiktok_hook.store.postgres.presence import Presence
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

MANY_NAMES = 200
"""Maximum number of event names that are looked up one by one in the index."""

_NEWEST = (1 << 63) - 1

_BATCH = 200
"""How many deliveries are read at a time if a part of the filter is checked here."""


class PostgresReader:
    """Queries over one shared history; see `api.HistoryReader` for what each does.

    Args:
        server: Where it is.
        connections: To query with; closed with the reader.
        presence: Hears of changes; closed with the reader.
    """

    def __init__(self, server: Server, connections: QueryConnections, presence: Presence) -> None:
        self._server = server
        self._connections = connections
        self._presence = presence
        self._app = presence.app

    @property
    def label(self) -> str:
        """Host and database."""
        return self._server.label

    @property
    def app(self) -> str:
        """The own app: this user on this machine, or the given name."""
        return self._app

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; a running query closes its own at its end."""
        self._connections.close()
        self._presence.close()

    def get(self, delivery_id: int) -> Delivery | None:
        """The delivery with an id; None if there is none."""
        if not is_id(delivery_id):
            return None
        found = self._all(f"SELECT {_COLUMNS} FROM {JOINED} WHERE d.id = %(id)s", id=delivery_id)
        return rows.delivery_of(found[0]) if found else None

    def attempts(self, delivery_id: int) -> list[Attempt]:
        """The attempts of a delivery, in order."""
        if not is_id(delivery_id):
            return []
        found = self._all(
            f"SELECT {rows.ATTEMPT_COLUMNS} FROM tiktok_hook.attempts a "
            "WHERE a.delivery_id = %(id)s ORDER BY a.number",
            id=delivery_id,
        )
        return [rows.attempt_of(each) for each in found]

    def last_attempts(self, ids: Sequence[int], *, app: str | None = None) -> dict[int, Attempt]:
        """The last attempt of each of these deliveries that has one."""
        chosen, order = "", ""
        if app is None:
            order = "(t.app = %(app)s::text) DESC, "  # one's own first
        elif app != ANY_APP:
            chosen = "AND t.app = %(app)s::text "
        found = self._all(
            f"SELECT {rows.ATTEMPT_COLUMNS} FROM unnest(%(ids)s::int8[]) AS wanted (id), LATERAL ("
            f"SELECT * FROM tiktok_hook.attempts t WHERE t.delivery_id = wanted.id {chosen}"
            f"ORDER BY {order}t.number DESC LIMIT 1) a",
            ids=[each for each in ids if is_id(each)],
            app=self._app if app is None else rows.text(app),
        )
        return {each[0]: rows.attempt_of(each) for each in found}

    def replays_by_others(self, since: float, limit: int) -> list[Attempt]:
        """Replays that other processes of this app began, in the order of their times."""
        found = self._all(
            f"SELECT {rows.ATTEMPT_COLUMNS} FROM tiktok_hook.attempts a WHERE a.replay "
            "AND a.app = %(app)s::text AND a.owner <> %(owner)s::uuid "
            "AND a.started_at >= %(since)s::float8 "
            "ORDER BY a.started_at, a.delivery_id, a.number LIMIT %(limit)s::int4",
            app=self._app,
            owner=self._presence.id,
            since=since,
            limit=limit,
        )
        return [rows.attempt_of(each) for each in found]

    def apps_of(self, ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
        """The names of the apps that each of these deliveries was sent to."""
        found = self._all(
            "SELECT delivery_id, array_agg(DISTINCT app ORDER BY app) FROM tiktok_hook.attempts "
            "WHERE delivery_id = ANY(%(ids)s::int8[]) GROUP BY delivery_id",
            ids=[each for each in ids if is_id(each)],
        )
        return {number: tuple(apps) for number, apps in found}

    def names(self) -> Names:
        """The listeners and apps of the newest deliveries, and the apps that are attached."""
        ((listeners, apps),) = self._all(_LISTENERS_AND_APPS)
        return Names(listeners=tuple(listeners), apps=tuple(apps))

    def page(
        self,
        where: Filter = EVERYTHING,
        *,
        before: int | None = None,
        after: int | None = None,
        limit: int = 50,
    ) -> list[Delivery]:
        """One page of deliveries, newest first; oldest first after an id."""
        found: list[Delivery] = []
        names = self._names(where.event_globs)
        for low, high in self._windows(where, before, after):
            left = limit - len(found)
            found += self._some(where, names, low, high, left, newest_first=after is None)
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
        names = self._names(where.event_globs)
        found = self._some(where, names, low, high, limit, newest_first=True)
        if len(found) == limit and found:
            return found, found[-1].id
        return found, low if low > oldest else None

    def walk(self, where: Filter = EVERYTHING, *, batch: int = 200) -> Iterator[Delivery]:
        """All deliveries, oldest first, in batches."""
        after = 0
        while found := self.page(where, after=after, limit=batch):
            yield from found
            after = found[-1].id

    def count_after(self, where: Filter, after: int) -> int:
        """How many deliveries with a higher id match a filter without a text."""
        names = self._names(where.event_globs)
        if Rest.of(where, names) is None:
            clause = conditions(where, self._app, names)
            clause.add("d.id > %(after)s::int8", after=after)
            ((number,),) = self._all(
                f"SELECT count(*) FROM {JOINED} WHERE {clause}", **clause.values
            )
            return int(number)
        number = 0
        while found := self.page(where, after=after, limit=_BATCH):
            number += len(found)
            after = found[-1].id
        return number

    def newest_id(self) -> int:
        """The newest id; 0 if there is none."""
        return self._bounds()[1]

    def ids_received_at(self, times: Sequence[float], *, within: float) -> list[int]:
        """The ids of the deliveries received at any of these times, in order."""
        found = self._all(_RECEIVED_AT, times=list(times), within=within)
        return [each for (each,) in found]

    def attachment(self) -> AttachmentState:
        """The attached app of this name, in one query."""
        ((epoch, newest_id, in_order, set_aside, target, *row),) = self._all(
            _ATTACHMENT, app=self._app
        )
        found = None
        if target is not None:
            match, cursor, of_epoch, host, pid, missed = row
            found = Attachment(
                app=self._app,
                target=target,
                match=match,
                cursor=cursor,
                epoch=of_epoch,
                host=host,
                pid=pid,
                missed=missed,
            )
        return AttachmentState(
            attachment=found,
            epoch=str(epoch),
            newest_id=newest_id,
            in_order=in_order,
            set_aside=set_aside,
        )

    def redeliveries(self, delivery_id: int) -> list[int]:
        """The ids of all deliveries of the same event, in order, including this one."""
        if not is_id(delivery_id):
            return []
        found = self._all(_SAME_EVENT, id=delivery_id)
        return [each for (each,) in found]

    def count(self, where: Filter = EVERYTHING) -> int:
        """How many matching deliveries there are."""
        clause = self._whole_condition(where)
        ((total,),) = self._all(f"SELECT count(*) FROM {JOINED} WHERE {clause}", **clause.values)
        return int(total)

    def counts(self, where: Filter = EVERYTHING) -> Counts:
        """How many matching deliveries there are, by verdict and outcome."""
        clause = self._whole_condition(where)
        clause.values |= {"app": self._app, "whose": whose(where, self._app)}
        query = _COUNT_ANY if where.app == ANY_APP else _COUNT
        found = self._all(f"{query} WHERE {clause} GROUP BY d.verdict", **clause.values)
        by_verdict = Counter({verdict: number for verdict, number, *_ in found})
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

    def timeline(self, since: float, until: float, *, buckets: int = 60) -> list[Bucket]:
        """Numbers of deliveries between two times (Unix seconds), in spans of equal length."""
        width = (until - since) / buckets
        times = {"since": since, "until": until, "width": width, "last": buckets - 1}
        verdicts: list[dict[State, int]] = [{} for _ in range(buckets)]
        for span, verdict, received in self._all(_RECEIVED_BY_SPAN, **times):
            verdicts[span][State(verdict)] = received
        tries = {
            span: (attempts, failed, total_ms / attempts)
            for span, attempts, failed, total_ms in self._all(_TRIES_BY_SPAN, **times)
        }
        return [
            Bucket(since + span * width, verdicts[span], *tries.get(span, (0, 0, None)))
            for span in range(buckets)
        ]

    def pending(
        self, target: str | None = None, mode: QueueMode | None = None
    ) -> Iterator[Delivery]:
        """Deliveries that wait for the own app, by id."""
        after = 0
        while found := self._all(
            _PENDING, app=self._app, after=after, target=rows.optional_text(target), mode=mode
        ):
            for each in found:
                yield rows.delivery_of(each)
            after = found[-1][0]

    def pending_count(self, target: str | None = None, mode: QueueMode | None = None) -> int:
        """How many deliveries wait for the own app; for one target or mode if given."""
        target = rows.optional_text(target)
        ((waiting,),) = self._all(_PENDING_COUNT, app=self._app, target=target, mode=mode)
        return int(waiting)

    def queues_of(self, delivery_id: int) -> list[QueueEntry]:
        """The targets of the own app that a delivery waits for, the main one first."""
        if not is_id(delivery_id):
            return []
        found = self._all(
            f"SELECT {rows.QUEUE_COLUMNS} FROM tiktok_hook.queue q WHERE q.app = %(app)s "
            'AND q.delivery_id = %(id)s ORDER BY q.secondary, q.target COLLATE "C"',
            app=self._app,
            id=delivery_id,
        )
        return [encoding.queue_entry_of(each) for each in found]

    def queue_targets(self) -> list[str]:
        """The targets of the own app that any delivery waits for."""
        found = self._all(
            "SELECT target FROM tiktok_hook.queue WHERE app = %(app)s GROUP BY target "
            'ORDER BY target COLLATE "C"',
            app=self._app,
        )
        return [target for (target,) in found]

    def queue_head(
        self, target: str, up_to: Mapping[QueueMode, int | None], limit: int
    ) -> list[QueuedDelivery]:
        """The oldest deliveries that wait for a target in order."""
        return self._queued(target, up_to, "q.next_try_at IS NULL", "q.delivery_id", limit)

    def queue_due(
        self, target: str, up_to: Mapping[QueueMode, int | None], now: float, limit: int
    ) -> list[QueuedDelivery]:
        """Deliveries set aside whose next try is due."""
        order = "q.next_try_at, q.delivery_id"
        return self._queued(target, up_to, "q.next_try_at <= %(now)s::float8", order, limit, now)

    def next_due_at(self, target: str, up_to: Mapping[QueueMode, int | None]) -> float | None:
        """When the next delivery set aside is due."""
        ((due,),) = self._all(
            f"SELECT min(next_try_at) FROM tiktok_hook.queue q WHERE {_IN_MODES}",
            **self._modes(target, up_to),
        )
        return None if due is None else float(due)

    def _queued(
        self,
        target: str,
        up_to: Mapping[QueueMode, int | None],
        condition: str,
        order: str,
        limit: int,
        now: float = 0.0,
    ) -> list[QueuedDelivery]:
        # The subquery has only columns of the queue, so that sorting reads no bodies.
        found = self._all(
            f"SELECT {rows.QUEUE_COLUMNS}, {_COLUMNS} FROM (SELECT * FROM tiktok_hook.queue q "
            f"WHERE {_IN_MODES} AND {condition} ORDER BY {order} LIMIT %(limit)s) q "
            f"JOIN tiktok_hook.deliveries d ON d.id = q.delivery_id {MARKS} ORDER BY {order}",
            **self._modes(target, up_to),
            limit=limit,
            now=float(now),
        )
        return [
            QueuedDelivery(rows.delivery_of(each[6:]), encoding.queue_entry_of(each[:6]))
            for each in found
        ]

    def _modes(self, target: str, up_to: Mapping[QueueMode, int | None]) -> dict[str, Any]:
        bounds = [_NEWEST if each is None else min(each, _NEWEST) for each in up_to.values()]
        target = rows.text(target)
        return {"app": self._app, "target": target, "modes": list(up_to), "bounds": bounds}

    def changes(self) -> int:
        """The change counter; no query."""
        return self._presence.changes()

    def restored(self) -> int:
        """How often a dump was restored in place of the history; noticed within 5 s."""
        return self._presence.restored

    def wait_for_change(self, seen: int, seconds: float) -> int:
        """Wait for a notification of any change."""
        return self._presence.wait_for_change(seen, seconds)

    def additions(self) -> int:
        """The counter of changes that may have added a delivery; no query."""
        return self._presence.additions()

    def updates(self) -> int:
        """The counter of changes that may have done more than add a delivery; no query."""
        return self._presence.updates()

    def wait_for_addition(self, seen: int, seconds: float) -> int:
        """Wait for a notification of an addition."""
        return self._presence.wait_for_addition(seen, seconds)

    def _some(
        self,
        where: Filter,
        names: Sequence[str] | None,
        low: int,
        high: int,
        limit: int,
        *,
        newest_first: bool,
    ) -> list[Delivery]:
        """Deliveries with ids from `low` to below `high`."""
        if limit <= 0 or low >= high or names == []:
            return []
        order = "DESC" if newest_first else "ASC"
        low, high = self._within_time(where, low, high, order)
        rest = Rest.of(where, names)
        found: list[Delivery] = []
        batch = limit if rest is None else max(limit, _BATCH)
        while len(found) < limit:
            some = self._ask(where, names, low, high, batch, order)
            found += [
                rows.delivery_of(each)
                for each in some
                if rest is None or rest.matches(each[-1], each[rows.BODY])
            ]
            if rest is None or len(some) < batch:
                break
            low, high = (low, some[-1][0]) if newest_first else (some[-1][0] + 1, high)
        return found[:limit]

    def _ask(
        self,
        where: Filter,
        names: Sequence[str] | None,
        low: int,
        high: int,
        limit: int,
        order: str,
    ) -> list[Any]:
        """Rows that match the part of a filter that the server checks."""
        clause = conditions(where, self._app, names)
        if where.text:
            add_text(clause, where.text, low, high)
        clause.add("d.id >= %(low)s::int8 AND d.id < %(high)s::int8", low=low, high=high)
        # Written out: a plan that is kept for any limit is made for a tenth of all rows.
        tail = f"ORDER BY d.id {order} LIMIT {min(limit, high - low)}"
        condition = page_condition(clause, tail)
        sql = f"SELECT {_COLUMNS}, d.event FROM {JOINED} WHERE {condition} {tail}"
        return self._all(sql, **clause.values)

    def _windows(
        self, where: Filter, before: int | None, after: int | None
    ) -> Iterator[tuple[int, int]]:
        """The ranges of ids to query: one, or several windows for a text."""
        if not where.text:
            low = 0 if after is None else min(max(after + 1, 0), _NEWEST)
            yield low, _NEWEST if before is None else min(before, _NEWEST)
            return
        oldest, newest = self._bounds()
        low = oldest if after is None else max(after + 1, oldest)
        high = newest + 1 if before is None else min(before, newest + 1)
        if after is None:
            for top in range(high, low, -SEARCH_WINDOW):
                yield max(top - SEARCH_WINDOW, low), top
        else:
            for bottom in range(low, high, SEARCH_WINDOW):
                yield bottom, min(bottom + SEARCH_WINDOW, high)

    def _within_time(self, where: Filter, low: int, high: int, order: str) -> tuple[int, int]:
        """Narrow a range of ids to those after the requested time.

        Ids increase with time, except for imports and a clock that was set. So the first match is
        looked up; most of the following ids match, too.
        """
        if where.since is None and where.until is None:
            return low, high
        since = float("-inf") if where.since is None else float(where.since)
        until = float("inf") if where.until is None else float(where.until)
        times = {"since": since, "until": until, "low": low, "high": high}
        first = self._all(
            "SELECT received_at FROM tiktok_hook.deliveries WHERE id >= %(low)s::int8 "
            f"AND id < %(high)s::int8 ORDER BY id {order} LIMIT 1",
            **times,
        )
        if all(since <= received_at < until for (received_at,) in first):
            return low, high
        ((least, most),) = self._all(_IDS_IN_TIME, **times)
        return (low, low) if least is None else (least, most + 1)

    def _whole_condition(self, where: Filter) -> Clause:
        """All of a filter as conditions; the ids that match where the server cannot check it."""
        names = self._names(where.event_globs)
        clause = conditions(where, self._app, names)
        if where.text:
            add_text(clause, where.text, 0, _NEWEST)
        if Rest.of(where, names) is not None:
            ids = [each.id for each in self.walk(where)]
            clause.add("d.id = ANY (%(found)s::int8[])", found=ids)
        return clause

    def _names(self, groups: Sequence[tuple[str, ...]]) -> list[str] | None:
        """The stored event names that match every group; None if there are too many."""
        if not groups:
            return None
        if len(groups) == 1 and not any(map(is_glob, groups[0])):
            return list(dict.fromkeys(searched(each) for each in groups[0]))
        found = [name for (name,) in self._all(_NAMES)]
        return None if len(found) > MANY_NAMES else matching(found, groups)

    def _bounds(self) -> tuple[int, int]:
        """The oldest and the newest id; zeros if there is none."""
        ((oldest, newest),) = self._all(_BOUNDS)
        return oldest, newest

    def _all(self, query: str, **values: Any) -> list[Any]:
        return self._connections.all(query, values)


_COLUMNS = rows.DELIVERY_COLUMNS
_BOUNDS = "SELECT coalesce(min(id), 0), coalesce(max(id), 0) FROM tiktok_hook.deliveries"
_IDS_IN_TIME = (
    "SELECT min(id), max(id) FROM tiktok_hook.deliveries "
    "WHERE received_at >= %(since)s::float8 AND received_at < %(until)s::float8 "
    "AND id + 0 >= %(low)s::int8 AND id + 0 < %(high)s::int8"
)
# Jumps from name to name in the index; DISTINCT would read all of it.
_NAMES = (
    "WITH RECURSIVE names (name) AS ("
    "SELECT min(event) FROM tiktok_hook.deliveries UNION ALL "
    "SELECT (SELECT min(event) FROM tiktok_hook.deliveries WHERE event > name) FROM names "
    "WHERE name IS NOT NULL) "
    f"SELECT name FROM names WHERE name IS NOT NULL LIMIT {MANY_NAMES + 1}"
)
_RECEIVED_AT = (
    "SELECT DISTINCT d.id FROM unnest(%(times)s::float8[]) AS wanted (at) "
    "JOIN tiktok_hook.deliveries d ON d.received_at BETWEEN wanted.at - %(within)s::float8 "
    "AND wanted.at + %(within)s::float8 ORDER BY d.id"
)
_SAME_EVENT = (
    "SELECT id FROM tiktok_hook.deliveries WHERE id = %(id)s OR link = "
    "(SELECT link FROM tiktok_hook.deliveries WHERE id = %(id)s) ORDER BY id"
)
_OF_QUEUE = (
    "app = %(app)s AND target = coalesce(%(target)s::text, target) "
    "AND mode = coalesce(%(mode)s::text, mode)"
)
_PENDING = (
    f"SELECT {_COLUMNS} FROM {JOINED} WHERE d.id IN (SELECT DISTINCT delivery_id "
    f"FROM tiktok_hook.queue WHERE delivery_id > %(after)s AND {_OF_QUEUE} "
    "ORDER BY delivery_id LIMIT 100) ORDER BY d.id"
)
_LISTENERS_AND_APPS = """
WITH newest AS (SELECT id, listener FROM tiktok_hook.deliveries ORDER BY id DESC LIMIT 500)
SELECT ARRAY(SELECT DISTINCT listener FROM newest WHERE listener IS NOT NULL ORDER BY 1),
    ARRAY(
        SELECT app FROM tiktok_hook.attachments
        UNION SELECT app FROM tiktok_hook.attempts WHERE delivery_id IN (SELECT id FROM newest)
        ORDER BY 1
    )
"""
"""Looks at a bounded number of rows: the page asks for it again whenever something happens."""

_PENDING_COUNT = f"SELECT count(DISTINCT delivery_id) FROM tiktok_hook.queue WHERE {_OF_QUEUE}"
_IN_MODES = (
    "q.app = %(app)s AND q.target = %(target)s AND EXISTS ("
    "SELECT FROM unnest(%(modes)s::text[], %(bounds)s::int8[]) AS wanted (mode, newest) "
    "WHERE wanted.mode = q.mode AND q.delivery_id <= wanted.newest)"
)
_ATTACHMENT = (
    "SELECT h.epoch, coalesce((SELECT max(id) FROM tiktok_hook.deliveries), 0), "
    "q.in_order, q.set_aside, a.target, a.filter, a.cursor, a.epoch, a.host, a.pid, a.missed "
    "FROM tiktok_hook.history h CROSS JOIN ("
    "SELECT count(*) FILTER (WHERE next_try_at IS NULL) AS in_order, "
    "count(*) FILTER (WHERE next_try_at IS NOT NULL) AS set_aside "
    "FROM tiktok_hook.queue WHERE app = %(app)s) q "
    "LEFT JOIN tiktok_hook.attachments a ON a.app = %(app)s"
)
_COUNTED = (
    "SELECT d.verdict, count(*), count(d.redelivery_of), count(*) FILTER (WHERE {of}.failed), "
    f"count(*) FILTER (WHERE {{of}}.replayed), count(*) FILTER (WHERE d.id IN ({QUEUED_IDS})) "
    f"FROM {JOINED}"
)
_COUNT_ANY = _COUNTED.format(of="m")
_COUNT = (
    f"{_COUNTED.format(of='o')} LEFT JOIN tiktok_hook.app_marks o "
    "ON o.delivery_id = d.id AND o.app = %(whose)s::text"
)
# Rounding may put the last microsecond into a span past the end, hence least().
_RECEIVED_BY_SPAN = (
    "SELECT least(floor((received_at - %(since)s::float8) / %(width)s::float8)::int4, %(last)s) "
    "AS span, verdict, count(*) FROM tiktok_hook.deliveries "
    "WHERE received_at >= %(since)s::float8 AND received_at < %(until)s::float8 "
    "GROUP BY span, verdict"
)
_TRIES_BY_SPAN = (
    "SELECT least(floor((a.started_at - %(since)s::float8) / %(width)s::float8)::int4, %(last)s) "
    "AS span, count(*), count(*) FILTER (WHERE a.status IS DISTINCT FROM 200), "
    "sum(a.duration_ms) FROM tiktok_hook.attempts a WHERE a.delivery_id BETWEEN "
    "(SELECT min(id) FROM tiktok_hook.deliveries "
    "WHERE received_at >= %(since)s::float8 AND received_at < %(until)s::float8) AND "
    "(SELECT max(id) FROM tiktok_hook.deliveries "
    "WHERE received_at >= %(since)s::float8 AND received_at < %(until)s::float8) "
    "AND a.started_at >= %(since)s::float8 AND a.started_at < %(until)s::float8 "
    "AND a.duration_ms IS NOT NULL GROUP BY span"
)
