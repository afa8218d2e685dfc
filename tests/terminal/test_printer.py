import threading
import time
from collections.abc import Sequence
from itertools import pairwise

import pytest

from tests.deadline import DEADLINE
from tiktok_hook.terminal.printer import INTERVAL, Drawn, Printer


class Recorder:
    """Takes batches; blocks while `gate` is closed, as a terminal does that does not read."""

    def __init__(self) -> None:
        self.batches: list[tuple[list[object], int]] = []
        self.times: list[float] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)
        self.last_was_final = False

    def __call__(self, items: Sequence[object], dropped: int, *, final: bool) -> Drawn:
        self.entered.release()
        self.last_was_final = final
        assert self.gate.wait(DEADLINE)
        if items or dropped:
            self.batches.append((list(items), dropped))
            self.times.append(time.monotonic())
        return Drawn(wrote=bool(items), holds=None)

    @property
    def items(self) -> list[object]:
        return [item for batch, _ in self.batches for item in batch]


def printer(draw: Recorder, *, limit: int = 1000, limit_bytes: int = 1 << 20) -> Printer:
    return Printer(draw, limit=limit, limit_bytes=limit_bytes)


def test_what_is_handed_in_is_drawn_in_order() -> None:
    recorder = Recorder()
    one = printer(recorder)
    for number in range(500):
        one.put(number)
    assert one.close(DEADLINE)
    assert recorder.items == list(range(500))
    assert one.dropped == 0


@pytest.mark.realtime
def test_what_gathers_between_two_writes_is_joined_into_one() -> None:
    recorder = Recorder()
    one = printer(recorder)
    until = time.monotonic() + 3.5 * INTERVAL
    count = 0
    while time.monotonic() < until:
        one.put(count)
        count += 1
        time.sleep(0.001)
    assert len(recorder.batches) <= 5
    assert all(later - earlier >= INTERVAL * 0.9 for earlier, later in pairwise(recorder.times))
    assert one.close(DEADLINE)
    assert recorder.items == list(range(count))


@pytest.mark.realtime
def test_a_screen_that_does_not_read_costs_a_count_and_no_memory() -> None:
    recorder = Recorder()
    one = printer(recorder, limit=50)
    recorder.gate.clear()
    one.put("first")
    assert recorder.entered.acquire(timeout=DEADLINE)
    started = time.monotonic()
    for number in range(10_000):
        one.put(number)
    assert time.monotonic() - started < 1.0
    assert one.dropped == 10_000 - 50
    recorder.gate.set()
    assert one.close(DEADLINE)
    assert recorder.items == ["first", *range(50)]
    assert recorder.batches[-1][1] == 10_000 - 50


def test_bytes_are_bounded_as_well_as_items() -> None:
    recorder = Recorder()
    one = printer(recorder, limit_bytes=1000)
    recorder.gate.clear()
    one.put("first")
    assert recorder.entered.acquire(timeout=DEADLINE)
    for number in range(10):
        one.put(number, size=300)
    recorder.gate.set()
    assert one.close(DEADLINE)
    assert recorder.items == ["first", 0, 1, 2]


def test_what_was_drawn_makes_room_again() -> None:
    recorder = Recorder()
    one = printer(recorder, limit_bytes=1000)
    for number in range(10):
        one.put(number, size=400)
        one.put(number, size=400)
        assert one.flush(DEADLINE)
    assert one.close(DEADLINE)
    assert recorder.items == [number for number in range(10) for _ in range(2)]


def test_one_item_past_every_limit_is_still_shown_alone() -> None:
    recorder = Recorder()
    one = printer(recorder, limit_bytes=10)
    one.put("huge", size=1 << 20)
    assert one.close(DEADLINE)
    assert recorder.items == ["huge"]


def test_what_is_vital_comes_through_where_the_rest_is_counted() -> None:
    recorder = Recorder()
    one = printer(recorder, limit=5)
    recorder.gate.clear()
    one.put("first")
    assert recorder.entered.acquire(timeout=DEADLINE)
    for number in range(20):
        one.put(number)
    one.put("vital", vital=True)
    recorder.gate.set()
    assert one.close(DEADLINE)
    assert recorder.items[-1] == "vital"


@pytest.mark.realtime
def test_closing_does_not_wait_for_a_reader_that_does_not_read() -> None:
    recorder = Recorder()
    one = printer(recorder)
    recorder.gate.clear()
    one.put("stuck")
    started = time.monotonic()
    assert not one.close(0.2)
    assert time.monotonic() - started < 1.0
    recorder.gate.set()


def test_flushing_waits_for_what_was_printed_before_and_printing_continues() -> None:
    recorder = Recorder()
    one = printer(recorder)
    one.put(1)
    assert one.flush(DEADLINE)
    assert recorder.items == [1]
    assert recorder.last_was_final
    one.put(2)
    assert one.close(DEADLINE)
    assert recorder.items == [1, 2]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_in_drawing_does_not_end_the_printing() -> None:
    recorder = Recorder()

    def draw(items: Sequence[object], dropped: int, *, final: bool) -> Drawn:
        if "bad" in items:
            raise RuntimeError("a bug")
        return recorder(items, dropped, final=final)

    one = Printer(draw, limit=10, limit_bytes=10)
    one.put("bad")
    assert one.flush(DEADLINE)
    one.put("good")
    assert one.close(DEADLINE)
    assert recorder.items == ["good"]
