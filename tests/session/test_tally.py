import time
from typing import Literal

from tiktok_hook.bus import Bus
from tiktok_hook.delivery import (
    Attempt,
    AttemptEnded,
    Delivery,
    DeliveryAnswered,
    SecondaryFailures,
    TunnelChanged,
)
from tiktok_hook.session.tally import Tally
from tiktok_hook.signature import State, Verdict


def add(tally: Tally, item: object) -> None:
    """Publish what happened to a tally that is connected to a bus."""
    bus = Bus()
    with bus.connect(tally.handlers()):
        if isinstance(item, Delivery):
            item = DeliveryAnswered(item)
        elif isinstance(item, Attempt):
            item = AttemptEnded(item)
        bus.publish(item)


def test_a_clock_that_is_set_does_not_change_how_long_it_ran() -> None:
    tally = Tally(started_at=time.time() + 3600, clock=iter([100.0, 107.5]).__next__)
    assert tally.total().seconds == 7.5


def test_each_delivery_is_counted_as_one_thing_only() -> None:
    tally = Tally(started_at=0.0)
    for state, status in (
        (State.VALID, 200),
        (State.STALE, 200),
        (State.STALE, 403),
        (State.INVALID, 403),
        (State.UNCHECKED, 500),
        (State.VALID, 403),  # the app's own answer
    ):
        add(tally, Delivery(received_at=1.0, verdict=Verdict(state), status=status))
    counts = tally.total()
    assert (counts.received, counts.valid, counts.stale, counts.unchecked, counts.rejected) == (
        6, 2, 1, 1, 2,
    )  # fmt: skip


def test_outages_are_kept_with_their_start_and_end() -> None:
    tally = Tally(started_at=0.0)
    reported: list[tuple[Literal["online", "reconnecting"], float]] = [
        ("online", 1.0),
        ("reconnecting", 5.0),
        ("reconnecting", 6.0),
        ("online", 9.0),
    ]
    for number in range(300):
        for state, since in reported:
            add(tally, TunnelChanged(state, None, number * 10 + since))
    add(tally, TunnelChanged("reconnecting", None, 3000.0))
    assert len(tally.outages) == 101
    assert tally.outages[-2:] == ((2995.0, 2999.0), (3000.0, None))


FIRST, SECOND = "http://localhost:3000", "http://localhost:3002/b/?key=1"


def attempt(
    delivery_id: int, target: str, *, status: int | None = 500, error: str | None = None
) -> Attempt:
    return Attempt(
        delivery_id=delivery_id,
        started_at=1.0,
        duration_ms=1.0,
        target=target,
        status=status,
        error=error,
    )


def test_failures_of_a_secondary_target_are_counted_apart() -> None:
    tally = Tally(started_at=0.0, targets=(FIRST, SECOND))
    for number in range(1, 201):
        add(tally, attempt(number, "http://localhost:3002/b/hook?key=1"))
        add(tally, attempt(number, f"{FIRST}/hook", status=200 if number > 2 else 403))
    add(tally, attempt(200, SECOND, status=200))
    add(tally, attempt(1, "http://localhost:9999/", status=200))  # edited and sent elsewhere
    counts = tally.total()
    assert (counts.target, counts.failed, counts.failed_attempts) == (FIRST, (2,), 202)
    assert counts.secondary_failures == (SecondaryFailures(SECOND, tuple(range(101, 200)), 200),)


def test_deliveries_queued_for_an_app_that_is_down_have_not_failed() -> None:
    tally = Tally(started_at=0.0)
    add(tally, AttemptEnded(attempt(1, FIRST, status=None, error="refused"), will_retry=True))
    add(tally, attempt(2, FIRST, status=None, error="refused"))
    counts = tally.total()
    assert (counts.attempts, counts.failed, counts.failed_attempts) == (2, (2,), 1)
