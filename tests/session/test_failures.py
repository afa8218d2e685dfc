"""Failures of the receiver become notices: one for each series, one for each bug."""

from collections.abc import Iterator

import pytest

from tiktok_hook.bus import Bus
from tiktok_hook.delivery import BugFound, Delivery, DeliveryStored, Notice, NotStored
from tiktok_hook.session.failures import FailureReports
from tiktok_hook.signature import State, Verdict

FULL = NotStored("The disk is full.", "Make room.")


@pytest.fixture
def bus() -> Iterator[tuple[Bus, list[Notice]]]:
    bus = Bus()
    notices: list[Notice] = []
    with (
        bus.connect(FailureReports(bus.publish).handlers()),
        bus.connect({Notice: notices.append}),
    ):
        yield bus, notices


def stored(state: State) -> DeliveryStored:
    return DeliveryStored(Delivery(received_at=1.0, path="/", body=b"", verdict=Verdict(state)))


def test_a_series_of_deliveries_that_cannot_be_stored_is_two_notices(
    bus: tuple[Bus, list[Notice]],
) -> None:
    bus_, notices = bus
    for _ in range(100):
        bus_.publish(FULL)
        bus_.publish(stored(State.INVALID))  # has limits of its own, and proves nothing
    bus_.publish(stored(State.VALID))
    bus_.publish(stored(State.VALID))
    assert [(each.message, each.hint, each.level) for each in notices] == [
        (
            "The disk is full. TikTok is answered 503 and will send it again.",
            "Make room.",
            "error",
        ),
        ("Deliveries are stored again.", "", "info"),
    ]


def raised(text: str) -> Exception:
    """An exception with the traceback of this function."""
    with pytest.raises(RuntimeError) as caught:
        raise RuntimeError(text)
    return caught.value


def test_a_bug_is_one_notice_however_often_it_is_met(bus: tuple[Bus, list[Notice]]) -> None:
    bus_, notices = bus
    for text in ("one", "another"):
        for _ in range(10):
            bus_.publish(BugFound(raised(text)))
    assert len(notices) == 1
    assert "RuntimeError: one" in notices[0].message
    assert notices[0].level == "error"
