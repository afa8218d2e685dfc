"""Deliveries and attempts over time, in spans of equal length."""

from tiktok_hook.signature import State
from tiktok_hook.store.records import Bucket
from tiktok_hook.store.sqlite.connections import ReadConnections


def timeline(readers: ReadConnections, since: float, until: float, *, buckets: int) -> list[Bucket]:
    """Deliveries and attempts between two times, in Unix seconds, in N equal spans."""
    width = (until - since) / buckets
    verdicts: list[dict[State, int]] = [{} for _ in range(buckets)]
    for span, verdict, received in readers.all(
        _RECEIVED_BY_SPAN, (since, width, buckets - 1, since, until)
    ):
        verdicts[span][State(verdict)] = received
    ((least, most),) = readers.all(_IDS_BETWEEN, (since, until))
    tries = {
        span: (attempts, failed, total_ms / attempts)
        for span, attempts, failed, total_ms in readers.all(
            _TRIES_BY_SPAN, (since, width, buckets - 1, least, most, since, until)
        )
    }
    return [
        Bucket(since + span * width, verdicts[span], *tries.get(span, (0, 0, None)))
        for span in range(buckets)
    ]


_IDS_BETWEEN = (
    "SELECT min(id), max(id) FROM deliveries INDEXED BY deliveries_received "
    "WHERE received_at >= ? AND received_at < ?"
)
# Rounding may put the last microsecond into a span past the end, hence min().
_RECEIVED_BY_SPAN = (
    "SELECT min(CAST((received_at - ?) / ? AS INTEGER), ?) AS span, verdict, count(*) "
    "FROM deliveries INDEXED BY deliveries_received WHERE received_at >= ? AND received_at < ? "
    "GROUP BY span, verdict"
)
_TRIES_BY_SPAN = (
    "SELECT min(CAST((started_at - ?) / ? AS INTEGER), ?) AS span, count(*), "
    "sum(status IS NOT 200), sum(duration_ms) FROM attempts WHERE delivery_id BETWEEN ? AND ? "
    "AND started_at >= ? AND started_at < ? AND duration_ms IS NOT NULL GROUP BY span"
)
