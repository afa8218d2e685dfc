"""The view for people, with a clock that stands still."""

from dataclasses import replace

import pytest

from tests.terminal.samples import TARGET, attempt, delivery, event
from tiktok_hook.delivery import Delivery, Ready
from tiktok_hook.signature import State, Verdict
from tiktok_hook.terminal.paint import PLAIN
from tiktok_hook.terminal.text import (
    BLOCKS_AT_ONCE,
    BLOCKS_PER_SECOND,
    Text,
)

FORWARDED = Ready(callback_url="", local_url="", target=TARGET, ack="app")


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
    return "".join(piece.text for piece in text.draw([event(item) for item in items], dropped))


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


def test_a_delivery_waits_for_the_app_s_answer_that_follows_it() -> None:
    text = view(Clock(), full=False)
    draw(text, FORWARDED)
    assert draw(text, delivery(7), attempt(7), delivery(8)).count("\n") == 1
    assert text.holds
    assert draw(text, attempt(8), delivery(9)).endswith("→ 200 in 3 ms\n")
    assert "#9" in "".join(piece.text for piece in text.rest())
    assert not text.holds


def test_a_delivery_waits_for_one_call_only() -> None:
    text = view(Clock(), full=False)
    draw(text, FORWARDED)
    assert draw(text, delivery(7)) == ""
    assert "#7" in draw(text)
    assert "#7.1" in draw(text, attempt(7))


@pytest.mark.parametrize(
    ("ready", "item"),
    [
        (Ready(callback_url="", local_url=""), delivery(7)),
        (replace(FORWARDED, ack="first"), delivery(7)),
        (FORWARDED, delivery(7, verdict=Verdict(State.INVALID), status=403)),
    ],
    ids=["no target", "answered first", "refused"],
)
def test_a_delivery_that_no_answer_follows_does_not_wait(ready: Ready, item: Delivery) -> None:
    text = view(Clock())
    draw(text, ready)
    assert "#7" in draw(text, item)
    assert not text.holds


def test_a_replay_has_a_line_of_its_own() -> None:
    text = view(Clock(), full=False)
    lines = draw(text, delivery(7), attempt(7, replay=True)).splitlines()
    assert lines[1] == f"  → #7.1 replay {TARGET} 200 in 3 ms"


def test_attempts_of_several_targets_stay_with_their_delivery() -> None:
    other = attempt(7, number=2, target="http://127.0.0.1:4000/")
    items = delivery(7), attempt(7), other, delivery(8)
    first, second, third = draw(view(Clock(), full=False), *items).splitlines()
    assert first.endswith("→ 200 in 3 ms")
    assert second == "  → #7.2 http://127.0.0.1:4000/ 200 in 3 ms"
    assert "#8" in third
    block = draw(view(Clock()), *items)
    assert block.index("#7.1") < block.index("#7.2") < block.index("HTTP/1.1")


def test_what_was_left_out_is_a_count() -> None:
    assert draw(view(Clock()), dropped=1240) == "… 1 240 more, see tiktok-hook events\n"
