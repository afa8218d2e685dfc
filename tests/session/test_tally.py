import time
from typing import Literal

from tiktok_hook.delivery import Delivery, TunnelState
from tiktok_hook.session.tally import Tally
from tiktok_hook.signature import State, Verdict


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
        tally.add(Delivery(received_at=1.0, verdict=Verdict(state), status=status))
    counts = tally.total()
    assert (counts.received, counts.valid, counts.stale, counts.unchecked, counts.refused) == (
        6, 2, 1, 1, 2,
    )  # fmt: skip


def test_outages_are_kept_with_their_start_and_end() -> None:
    tally = Tally(started_at=0.0)
    told: list[tuple[Literal["online", "reconnecting"], float]] = [
        ("online", 1.0),
        ("reconnecting", 5.0),
        ("reconnecting", 6.0),
        ("online", 9.0),
    ]
    for number in range(300):
        for state, since in told:
            tally.add(TunnelState(state, None, number * 10 + since))
    tally.add(TunnelState("reconnecting", None, 3000.0))
    assert len(tally.outages) == 101
    assert tally.outages[-2:] == ((2995.0, 2999.0), (3000.0, None))
