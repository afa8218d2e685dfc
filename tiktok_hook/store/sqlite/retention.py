"""Retention: counts the rows of a history, and deletes the oldest."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from tiktok_hook.store.bounds import Bounds
from tiktok_hook.store.sqlite.rows import padded

SLICE = 512
"""Maximum number of rows that one transaction clears, so that no transaction takes long."""

_LOT = 1024
"""Maximum number of rows pruned in one transaction, about 10 ms of work."""

_ROOM = _LOT * 3 // 4
_ROOM_PART = 100
"""Rows are pruned to 1 % below the bounds, at most `_ROOM` of them, so in batches."""


@dataclass(slots=True)
class Counters:
    """The single row of the table `counters`, as a transaction changes it.

    Attributes:
        last_id: The highest id that was ever used.
        kept: Number of deliveries without the rejected ones.
        kept_bytes: Bytes of these and of all attempts.
        rejected: Number of rejected deliveries.
        rejected_bytes: Bytes of these.
        queued: Number of deliveries that wait for a main target.
        queued_bytes: Bytes of these.
        floor: Up to this id nothing can be pruned, as far as this process knows.
    """

    last_id: int
    kept: int
    kept_bytes: int
    rejected: int
    rejected_bytes: int
    queued: int
    queued_bytes: int
    bounds: Bounds
    floor: int = 0

    @classmethod
    def read(
        cls, connection: sqlite3.Connection, bounds: Bounds, *, last_id: int = 0, floor: int = 0
    ) -> Self:
        """Read the counters in a transaction; no id up to `last_id` is used again."""
        found: tuple[int, int, int, int, int, int, int] = connection.execute(_COUNTERS).fetchone()
        counters = cls(*found, bounds=bounds, floor=floor)
        counters.last_id = max(counters.last_id, last_id)
        return counters

    def write(self, connection: sqlite3.Connection) -> None:
        """Write the counters back."""
        connection.execute(
            "UPDATE counters SET last_id = ?, kept = ?, kept_bytes = ?, rejected = ?, "
            "rejected_bytes = ?, queued = ?, queued_bytes = ?",
            (
                self.last_id,
                self.kept,
                self.kept_bytes,
                self.rejected,
                self.rejected_bytes,
                self.queued,
                self.queued_bytes,
            ),
        )

    @property
    def over(self) -> bool:
        """Whether the history exceeds its bounds."""
        bounds = self.bounds
        return (
            self.kept > bounds.keep
            or self.kept_bytes > bounds.keep_bytes
            or self.rejected > bounds.rejected
            or self.rejected_bytes > bounds.rejected_bytes
        )

    @property
    def queue_full(self) -> bool:
        """Whether no more deliveries may wait for the app."""
        return self.queued >= self.bounds.queued or self.queued_bytes >= self.bounds.queued_bytes


def prune(connection: sqlite3.Connection, counters: Counters) -> bool:
    """Delete the oldest rows beyond the bounds, at most `_LOT`; returns whether more are left.

    Deliveries that wait for a main target are kept even beyond the bounds. Those that wait only for
    a secondary target are not: if that never came back, they would be kept for ever.
    """
    bounds = counters.bounds
    _prune_rejected(connection, counters)
    surplus = counters.kept - bounds.keep
    excess_bytes = counters.kept_bytes - bounds.keep_bytes
    if surplus <= 0 and excess_bytes <= 0:
        return counters.over
    # Make room for the next deliveries too: old rows share pages of the table and of indexes, and
    # deleting a few of them with every batch would write the same pages many times.
    surplus += min(bounds.keep // _ROOM_PART, _ROOM)
    excess_bytes += bounds.keep_bytes // _ROOM_PART
    ids_to_go = []
    oldest = connection.execute(_OLDEST, (counters.floor, _LOT))
    for delivery_id, size in oldest:
        if surplus <= 0 and excess_bytes <= 0:
            break
        ids_to_go.append(delivery_id)
        surplus -= 1
        excess_bytes -= size
    oldest.close()
    delete(connection, ids_to_go, counters)
    if ids_to_go:
        going = json.dumps(ids_to_go)
        connection.execute(_MISSED, (going, ids_to_go[-1]))
    # If nothing could be deleted, all rows wait for the app: next time only check newer ones.
    counters.floor = ids_to_go[-1] if ids_to_go else counters.last_id
    return counters.over and bool(ids_to_go)


def _prune_rejected(connection: sqlite3.Connection, counters: Counters) -> None:
    bounds = counters.bounds
    surplus = counters.rejected - bounds.rejected
    excess_bytes = counters.rejected_bytes - bounds.rejected_bytes
    if surplus <= 0 and excess_bytes <= 0:
        return
    excess_bytes += bounds.rejected_bytes // _ROOM_PART
    ids_to_go = []
    for delivery_id, size in connection.execute(_OLDEST_REJECTED, (SLICE,)).fetchall():
        if surplus <= 0 and excess_bytes <= 0:
            break
        ids_to_go.append(delivery_id)
        surplus -= 1
        excess_bytes -= size
    delete(connection, ids_to_go, counters)


def delete(connection: sqlite3.Connection, ids: Sequence[int], counters: Counters) -> int:
    """Delete deliveries with their attempts and queue entries; returns how many there were."""
    if not ids:
        return 0
    ids = padded(ids, 0)  # no delivery has the id 0
    among = f"IN ({','.join('?' * len(ids))})"
    queued = {
        delivery_id
        for delivery_id, counted in connection.execute(
            f"DELETE FROM queue WHERE delivery_id {among} "
            "RETURNING delivery_id, secondary = 0 AND mode <> 'attached'",
            ids,
        ).fetchall()
        if counted
    }
    for (size,) in connection.execute(
        f"DELETE FROM attempts WHERE delivery_id {among} RETURNING size", ids
    ).fetchall():
        counters.kept_bytes -= size
    gone = connection.execute(
        f"DELETE FROM deliveries WHERE id {among} RETURNING id, rejected, size", ids
    ).fetchall()
    for delivery_id, rejected, size in gone:
        if rejected:
            counters.rejected -= 1
            counters.rejected_bytes -= size
        else:
            counters.kept -= 1
            counters.kept_bytes -= size
        if delivery_id in queued:
            counters.queued -= 1
            counters.queued_bytes -= size
    return len(gone)


_COUNTERS = (
    "SELECT last_id, kept, kept_bytes, rejected, rejected_bytes, queued, queued_bytes FROM counters"
)
_OLDEST = (
    "SELECT id, size + (SELECT coalesce(sum(size), 0) FROM attempts WHERE delivery_id = d.id) "
    "FROM deliveries AS d WHERE id > ? AND rejected = 0 AND id NOT IN "
    "(SELECT delivery_id FROM queue WHERE secondary = 0) ORDER BY id LIMIT ?"
)
# Deliveries that an attached app has not read; those that it has read are in its queue.
_MISSED = (
    "UPDATE attachments SET missed = missed + (SELECT count(*) FROM json_each(?) "
    "WHERE value > cursor) WHERE cursor < ?"
)
_OLDEST_REJECTED = "SELECT id, size FROM deliveries WHERE rejected = 1 ORDER BY id LIMIT ?"
