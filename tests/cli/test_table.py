import time
from dataclasses import replace

import pytest

from tests.cli.history import HOSTILE, deliveries
from tests.store.samples import attempt, delivery
from tiktok_hook.cli.table import Table, columns, cut
from tiktok_hook.delivery import Attempt, Delivery

NOW = time.time()
ANSWERED = attempt(1, number=1, status=200, duration_ms=3.4)


def table(*found: Delivery, width: int | None = None, coloured: bool = False) -> Table:
    rows = [(each, ANSWERED) for each in found]
    return Table(rows, now=NOW, width=width, coloured=coloured)


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 140, 200])
def test_no_line_is_wider_than_the_terminal_if_it_can_be_helped(width: int) -> None:
    found = deliveries()
    made = table(*found, width=width)
    lines = [made.heading(), *(made.line(each, ANSWERED) for each in found)]
    assert max(columns(line) for line in lines) <= max(width, 70)


def test_columns_stand_under_their_headings() -> None:
    found = deliveries()[1]
    made = table(found, width=120)
    heading, line = made.heading(), made.line(found, ANSWERED)
    assert line[heading.index("EVENT") :].startswith("post.publish.failed")
    assert line[heading.index("VERDICT") :].startswith("valid")
    assert line[heading.index("APP") :] == "200 in 3 ms"


def test_eighty_columns_leave_room_for_event_and_summary() -> None:
    found = replace(deliveries()[1], received_at=NOW)
    made = table(found, width=80)
    line = made.line(found, ANSWERED)
    assert "post.publish.failed" in line
    assert "spam_risk for" in line
    assert line.endswith("500     200")


def test_of_a_long_name_the_end_stays() -> None:
    body = b'{"event":"minis.trade_order.redeem.refund_traceback"}'
    found = replace(delivery(body), received_at=NOW)
    line = table(found, width=80).line(found, None)
    assert "minis.trade...d_traceback" in line


def test_without_a_terminal_nothing_is_cut() -> None:
    found = delivery(b'{"event":"' + b"a" * 40 + b'"}', path="/" + "p" * 300)
    assert "a" * 40 in table(found).line(found, None)


def test_hostile_text_does_not_reach_the_terminal() -> None:
    found = delivery(f'{{"event":"{HOSTILE[:4]}"}}'.encode(), path=f"/{HOSTILE}")
    line = table(found).line(found, replace(ANSWERED, error=HOSTILE))
    assert line.isprintable()


def test_colours_are_there_only_when_wanted() -> None:
    found = deliveries()[0]
    assert "\x1b" in table(found, coloured=True).line(found, ANSWERED)
    assert "\x1b" not in table(found).line(found, ANSWERED)


@pytest.mark.parametrize(
    ("ago", "form"),
    [(0, "%H:%M:%S"), (400 * 86_400, "%Y-%m-%d %H:%M:%S")],
    ids=["today", "long-ago"],
)
def test_a_date_is_shown_only_where_it_tells_something(ago: float, form: str) -> None:
    found = replace(deliveries()[0], received_at=NOW - ago)
    shown = table(found).line(found, None)
    assert shown.startswith(time.strftime(form, time.localtime(NOW - ago)))


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (None, ""),
        (attempt(1), "..."),
        (ANSWERED, "200 in 3 ms"),
        (attempt(1, status=500, duration_ms=2345.6), "500 in 2.3 s"),
        (attempt(1, error="refused", duration_ms=1.0), "refused"),
        (attempt(1, duration_ms=1.0), "no answer"),
    ],
    ids=["none", "runs", "good", "slow", "error", "nothing"],
)
def test_the_last_cell_says_what_the_app_did(last: Attempt | None, words: str) -> None:
    found = deliveries()[0]
    line = table(found).line(found, last)
    assert line.rpartition("  ")[2] == (words or "200")


@pytest.mark.parametrize(
    ("text", "room", "shown"),
    [
        ("abc", 3, "abc"),
        ("abcdefghij", 8, "abcde..."),
        ("abcdefghij", 4, "abcd"),
        ("\u4e2d\u6587\u5b57\u5b57", 7, "\u4e2d\u6587..."),
    ],
)
def test_text_is_cut_to_the_columns_it_takes(text: str, room: int, shown: str) -> None:
    assert cut(text, room) == shown
    assert columns(shown) <= room
