"""How much history stays: what is counted for it, and how the oldest rows go."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from tiktok_hook.store.rows import MAX_REJECTED, padded

SLICE = 512
"""The most rows that one transaction clears away, so that none takes long."""

_LOT = 1024
"""The most old rows that one transaction deletes to make room: a hundredth of a second' work."""

_ROOM = _LOT * 3 // 4
_ROOM_PART = 100
"""How many rows below its bounds a history is brought: a hundredth of them, not many rows."""


@dataclass(slots=True)
class Counters:
    """The one row of `counters`, as a transaction changes it.

    Attributes:
        floor: Up to this id there is nothing that may be pruned, as far as this process knows.
    """

    last_id: int
    kept: int
    kept_bytes: int
    refused: int
    floor: int = 0

    @classmethod
    def read(cls, connection: sqlite3.Connection, last_id: int, floor: int) -> "Counters":
        """The counters as they stand in this transaction; no id up to `last_id` is given again."""
        newest, kept, kept_bytes, refused = connection.execute(_COUNTERS).fetchone()
        return cls(max(newest, last_id), kept, kept_bytes, refused, floor)

    def write(self, connection: sqlite3.Connection) -> None:
        """Put them back."""
        connection.execute(
            "UPDATE counters SET last_id = ?, kept = ?, kept_bytes = ?, refused = ?",
            (self.last_id, self.kept, self.kept_bytes, self.refused),
        )


def prune(
    connection: sqlite3.Connection, counters: Counters, *, keep: int, keep_bytes: int
) -> bool:
    """Delete the oldest rows past the bounds, at most a lot of them; say whether more should go.

    What still waits for the app stays, whatever the bounds say; for further targets it does not:
    one that never comes back would keep everything for ever.
    """
    surplus = counters.refused - MAX_REJECTED
    if surplus > 0:
        ids = connection.execute(
            "SELECT id FROM deliveries WHERE refused = 1 ORDER BY id LIMIT ?",
            (min(surplus, SLICE),),
        )
        delete(connection, [each for (each,) in ids], counters)
    surplus = counters.kept - keep
    excess_bytes = counters.kept_bytes - keep_bytes
    if surplus <= 0 and excess_bytes <= 0:
        return counters.refused > MAX_REJECTED
    # Room for what comes next is made at once: old rows share their pages in table and indexes, and
    # taking a few of them with every batch would write those pages over and over.
    surplus += min(keep // _ROOM_PART, _ROOM)
    excess_bytes += keep_bytes // _ROOM_PART
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
    # With nothing to take, all that is left waits for the app; new rows will be looked at anew.
    counters.floor = ids_to_go[-1] if ids_to_go else counters.last_id
    over = surplus > 0 or excess_bytes > 0 or counters.refused > MAX_REJECTED
    return over and bool(ids_to_go)


def delete(connection: sqlite3.Connection, ids: Sequence[int], counters: Counters) -> int:
    """Delete deliveries with all that hangs on them; the number of those that were there."""
    if not ids:
        return 0
    ids = padded(ids, 0)  # there is no such id
    among = f"IN ({','.join('?' * len(ids))})"
    connection.execute(f"DELETE FROM queue WHERE delivery_id {among}", ids)
    for (size,) in connection.execute(
        f"DELETE FROM attempts WHERE delivery_id {among} RETURNING size", ids
    ).fetchall():
        counters.kept_bytes -= size
    gone = connection.execute(
        f"DELETE FROM deliveries WHERE id {among} RETURNING refused, size", ids
    ).fetchall()
    for refused, size in gone:
        if refused:
            counters.refused -= 1
        else:
            counters.kept -= 1
            counters.kept_bytes -= size
    return len(gone)


_COUNTERS = "SELECT last_id, kept, kept_bytes, refused FROM counters"
_OLDEST = (
    "SELECT id, size + (SELECT coalesce(sum(size), 0) FROM attempts WHERE delivery_id = d.id) "
    "FROM deliveries AS d WHERE id > ? AND refused = 0 AND id NOT IN "
    "(SELECT delivery_id FROM queue WHERE beside = 0) ORDER BY id LIMIT ?"
)
