import time
from dataclasses import replace

import pytest

from tests.cli.history import HOSTILE, deliveries
from tests.store.samples import attempt, delivery
from tiktok_hook.delivery import Attempt, Delivery, Source
from tiktok_hook.terminal.cells import columns, cut
from tiktok_hook.terminal.table import Table, answer
from tiktok_hook.terminal.theme import COLOURED, PLAIN

NOW = time.time()
ANSWERED = attempt(1, number=1, status=200, duration_ms=3.4)


def table(*found: Delivery, width: int | None = None, coloured: bool = False) -> Table:
    rows = [(each, ANSWERED) for each in found]
    return Table(rows, now=NOW, width=width, paint=COLOURED if coloured else PLAIN)


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
    assert line[heading.index("ANSWER") :].startswith("500, app 200 in 3 ms")
    assert line[heading.index("SUMMARY") :].startswith("spam_risk")


def test_a_valid_one_that_was_imported_is_marked() -> None:
    found = deliveries()[1]
    assert "imported" not in table(found).line(found, None)
    assert " imported: " in table(found).line(replace(found, source=Source.IMPORT), None)


def test_eighty_columns_leave_room_for_event_and_summary() -> None:
    found = replace(deliveries()[1], received_at=NOW)
    made = table(found, width=80)
    line = made.line(found, ANSWERED)
    assert "post.publish.failed" in line
    assert "spam_risk for" in line
    assert " 500, app 200 " in line


def test_of_a_long_name_the_end_stays() -> None:
    body = b'{"event":"minis.trade_order.redeem.refund_traceback"}'
    found = replace(delivery(body), received_at=NOW)
    line = table(found, width=80).line(found, None)
    assert "minis.trade_or…fund_traceback" in line


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
def test_a_date_is_shown_only_when_a_row_is_of_another_day(ago: float, form: str) -> None:
    found = replace(deliveries()[0], received_at=NOW - ago)
    shown = table(found).line(found, None)
    assert shown.startswith(time.strftime(form, time.localtime(NOW - ago)))


@pytest.mark.parametrize(
    ("status", "last", "expected"),
    [
        (200, None, "200"),
        (200, attempt(1), "200, app waiting"),
        (200, ANSWERED, "200 in 3 ms"),
        (200, attempt(1, status=500, duration_ms=2345.6), "200, app 500 in 2.3 s"),
        (500, attempt(1, status=500, duration_ms=2345.6), "500 in 2.3 s"),
        (502, attempt(1, error="refused", duration_ms=1.0), "502, app refused"),
        (502, attempt(1, duration_ms=1.0), "502, app no answer"),
        (None, attempt(1), "waiting"),
        (None, None, "waiting"),
    ],
    ids=["none", "runs", "good", "other", "same", "error", "nothing", "waiting", "not sent"],
)
def test_the_answer_is_shown_once_and_the_app_s_where_it_differs(
    status: int | None, last: Attempt | None, expected: str
) -> None:
    assert answer(replace(deliveries()[0], status=status), last) == expected


def test_a_narrow_terminal_has_no_empty_column() -> None:
    heading = table(*deliveries(), width=60).heading()
    assert "SUMMARY" not in heading
    assert heading.split()[-1] == "ANSWER"


@pytest.mark.parametrize(
    ("text", "room", "shown"),
    [
        ("abc", 3, "abc"),
        ("abcdefghij", 8, "abcdefg…"),
        ("\u4e2d\u6587\u5b57\u5b57", 7, "\u4e2d\u6587\u5b57…"),
    ],
)
def test_text_is_cut_to_the_columns_it_takes(text: str, room: int, shown: str) -> None:
    assert cut(text, room) == shown
    assert columns(shown) <= room
