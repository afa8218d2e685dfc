"""Which connection makes room."""

import pytest

from tiktok_hook.receiver.limits import Capacity, Limits


class Connection:
    """A connection that only has an age."""

    def __init__(self, since: float) -> None:
        self.since = since

    def check(self, now: float) -> None: ...
    def evict(self) -> None: ...
    def close_if_idle(self) -> None: ...
    def abort(self) -> None: ...
    def cancel(self) -> None: ...


LIMITS = Limits(evict_after_seconds=0.05, evict_idle_after_seconds=1)


@pytest.mark.parametrize(
    ("group", "age", "evictable"),
    [
        ("unused", 0.04, False),
        ("unused", 0.06, True),
        ("idle", 0.9, False),
        ("idle", 1.1, True),
        ("receiving", 0.04, False),
        ("receiving", 0.06, True),
        ("handling", 100, False),
        ("draining", 100, False),
        ("turned_away", 100, False),
    ],
)
def test_only_a_connection_that_waits_for_its_client_is_evicted(
    group: str,
    age: float,
    evictable: bool,  # noqa: FBT001 - a table
) -> None:
    capacity = Capacity(LIMITS)
    connection = Connection(since=100 - age)
    getattr(capacity, group)[connection] = None
    assert capacity.evictable(100) is (connection if evictable else None)
    assert capacity.all() == [connection]


def test_the_oldest_goes_first_and_what_holds_nothing_before_a_request() -> None:
    capacity = Capacity(LIMITS)
    requests = [Connection(since) for since in (10, 20, 30)]
    idle = Connection(since=40)
    capacity.receiving.update(dict.fromkeys(requests))
    assert capacity.evictable(100) is requests[0]
    capacity.idle[idle] = None
    assert capacity.evictable(100) is idle
