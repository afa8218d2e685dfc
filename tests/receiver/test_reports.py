"""Non-webhook requests: one by one, and a flood as counts that add up."""

from typing import Any

from tiktok_hook.delivery import BugFound, NotStored
from tiktok_hook.errors import StoreError
from tiktok_hook.receiver.reports import MAX_GROUPS, MAX_SINGLE, ReceiverReports


class Reported:
    """Reports into a list, with a clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.events: list[Any] = []
        self.reports = ReceiverReports(
            self.events.append, clock=lambda: 1_795_000_000.0, monotonic=lambda: self.now
        )


def test_a_few_are_published_at_once_each_by_itself() -> None:
    reported = Reported()
    for number in range(MAX_SINGLE):
        reported.reports.non_webhook("GET", f"/{number}?secret", 200)
    assert [(event.path, event.count) for event in reported.events] == [
        (f"/{number}", 1) for number in range(MAX_SINGLE)
    ]


def test_a_flood_is_published_as_its_count() -> None:
    reported = Reported()
    for number in range(1000):
        reported.reports.non_webhook("", "", 408, "not complete after 10 s")
        reported.reports.non_webhook("GET", f"/{number}", 200)
    assert len(reported.events) == MAX_SINGLE
    reported.reports.flush()
    assert len(reported.events) == MAX_SINGLE + 2
    assert sum(event.count for event in reported.events) == 2000
    plain, late = sorted(reported.events[MAX_SINGLE:], key=lambda event: event.status)
    assert (late.status, late.reason) == (408, "not complete after 10 s")
    assert (plain.method, plain.path, plain.status) == ("GET", "", 200)


def test_each_second_shows_a_few_again() -> None:
    reported = Reported()
    for _ in range(MAX_SINGLE + 3):
        reported.reports.non_webhook("GET", "/", 200)
    reported.now += 1
    reported.reports.non_webhook("GET", "/later", 200)
    assert [event.count for event in reported.events] == [1] * MAX_SINGLE + [3, 1]
    assert reported.events[MAX_SINGLE].path == "/"


def test_the_kinds_of_a_flood_are_bounded_and_none_is_lost() -> None:
    reported = Reported()
    for number in range(500):
        reported.reports.non_webhook("POST", "/", 413, f"body of {number} bytes")
    reported.reports.flush()
    assert len(reported.events) == MAX_SINGLE + MAX_GROUPS + 1
    assert sum(event.count for event in reported.events) == 500


def test_nothing_is_published_twice() -> None:
    reported = Reported()
    for _ in range(20):
        reported.reports.non_webhook("GET", "/", 200)
    reported.reports.flush()
    reported.reports.flush()
    assert sum(event.count for event in reported.events) == 20


def test_failures_are_published_too() -> None:
    reported = Reported()
    bug = RuntimeError("no")
    reported.reports.unstored(StoreError("The disk is full.", hint="Make room."))
    reported.reports.bug(bug)
    assert reported.events == [NotStored("The disk is full.", "Make room."), BugFound(bug)]


def test_what_a_subscriber_raises_is_published_as_a_bug() -> None:
    bug = RuntimeError("no")
    bugs: list[object] = []

    def publish(event: object) -> None:
        if not isinstance(event, BugFound):
            raise bug
        bugs.append(event)

    reports = ReceiverReports(publish)
    reports.non_webhook("GET", "/", 200)
    reports.unstored(StoreError("The disk is full."))
    assert bugs == [BugFound(bug)] * 2


def test_without_a_subscriber_nothing_happens() -> None:
    reports = ReceiverReports()
    reports.non_webhook("GET", "/", 200)
    reports.unstored(StoreError("The disk is full."))
    reports.bug(RuntimeError("no"))
