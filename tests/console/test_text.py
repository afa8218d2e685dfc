"""The view for people, with a clock that stands still."""

from tests.console.samples import TARGET, attempt, delivery
from tiktok_hook.console.paint import PLAIN
from tiktok_hook.console.text import (
    BLOCKS_AT_ONCE,
    BLOCKS_PER_SECOND,
    HOLD_SECONDS,
    Text,
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def view(clock: Clock, *, full: bool = True) -> Text:
    return Text(
        full=full,
        out_paint=PLAIN,
        err_paint=PLAIN,
        out_width=lambda: 80,
        err_width=lambda: 80,
        clock=clock,
    )


def draw(text: Text, *items: object, dropped: int = 0) -> str:
    return "".join(piece.text for piece in text.draw(items, dropped))


def blocks(shown: str) -> int:
    return shown.count("HTTP/1.1")


def test_blocks_are_for_the_first_few_and_come_back_with_time() -> None:
    clock = Clock()
    text = view(clock)
    assert blocks(draw(text, *map(delivery, range(1, 101)))) == BLOCKS_AT_ONCE
    assert blocks(draw(text, *map(delivery, range(101, 201)))) == 0
    clock.now += 1.0
    assert blocks(draw(text, *map(delivery, range(201, 301)))) == BLOCKS_PER_SECOND
    clock.now += 3600.0
    assert blocks(draw(text, *map(delivery, range(301, 401)))) == BLOCKS_AT_ONCE


def test_an_attempt_waits_for_its_delivery_only_so_long() -> None:
    clock = Clock()
    text = view(clock)
    assert draw(text, attempt(7)) == ""
    assert text.holds
    clock.now += HOLD_SECONDS / 2
    assert draw(text) == ""
    clock.now += HOLD_SECONDS
    assert draw(text) == f"  → #7.1 {TARGET} 200 in 3 ms\n"
    assert not text.holds


def test_a_replay_does_not_wait() -> None:
    assert "#7.1 replay" in draw(view(Clock()), attempt(7, replay=True))


def test_an_attempt_of_a_delivery_already_shown_does_not_wait() -> None:
    text = view(Clock(), full=False)
    draw(text, delivery(7))
    assert "#7.1" in draw(text, attempt(7))


def test_attempts_of_several_targets_stay_with_their_delivery() -> None:
    text = view(Clock(), full=False)
    shown = draw(text, attempt(7), attempt(7, number=2, target="http://127.0.0.1:4000/"))
    assert shown == ""
    first, second = draw(text, delivery(7)).splitlines()
    assert first.endswith("→ 200 in 3 ms")
    assert second == "  → #7.2 http://127.0.0.1:4000/ 200 in 3 ms"


def test_what_is_held_stays_bounded() -> None:
    text = view(Clock())
    shown = draw(text, *(attempt(number) for number in range(1, 1001)))
    assert shown.count("\n") == 1000 - 256


def test_what_was_left_out_is_a_count() -> None:
    assert draw(view(Clock()), dropped=1240) == "… 1 240 more, see tiktok-hook events\n"
