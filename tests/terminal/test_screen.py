"""The console on a real pseudo-terminal."""

import time
from dataclasses import replace

import pytest

from tests.terminal.samples import AT, HOSTILE, delivery, events_of, refused_by_app
from tests.terminal.terminal import Terminal
from tiktok_hook import exact_json
from tiktok_hook.delivery import Notice, Ready, TunnelChanged
from tiktok_hook.signature import State, Verdict
from tiktok_hook.terminal import console
from tiktok_hook.terminal.clipboard import osc52
from tiktok_hook.terminal.text import BLOCKS_AT_ONCE, BLOCKS_PER_SECOND
from tiktok_hook.terminal.theme import COLOURED


def show(screen: console.Console, item: object) -> None:
    for event in events_of(item):
        screen.show(event)


READY = Ready(callback_url="https://x.ngrok.app/hook", local_url="http://127.0.0.1:3000")


def test_a_delivery_without_an_answer_of_the_app_is_shown_all_the_same() -> None:
    with (
        Terminal() as device,
        console.make("full", out=device.slave, err=device.slave) as screen,
    ):
        screen.show(replace(READY, target="http://127.0.0.1:3001", ack="app"))
        show(screen, delivery(7))
        device.wait_for("#7")


def test_a_full_session_on_a_terminal_keeps_its_order_and_its_status_line_below() -> None:
    with Terminal() as device:
        with console.make(out=device.slave, err=device.slave, keys=True) as screen:
            screen.show(TunnelChanged("connecting", None, AT))
            screen.show(TunnelChanged("online", "https://x.ngrok.app", AT, latency_ms=23))
            screen.show(READY)
            show(screen, delivery(1))
            show(screen, delivery(2, verdict=Verdict(State.INVALID, "no match"), status=403))
            screen.show(Notice("Mind this."))
            seen = device.wait_for_bottom("2 received")
            assert seen.bottom == "● online 23 ms · 2 received · 1 rejected · ? keys"
            rows = "\n".join(seen.rows)
            places = [rows.index(text) for text in (READY.callback_url, "#1", "#2", "Mind this.")]
            assert places == sorted(places)
            assert rows.count("● online") == 1
        left = device.settled()
        assert "● online" not in "\n".join(left.rows)
        assert left.column == 0


def test_on_80_columns_the_whole_screen_keeps_within_them() -> None:
    with Terminal(columns=80) as device:
        with console.make(out=device.slave, err=device.slave) as screen:
            screen.show(READY)
            show(screen, delivery(1, "post.publish.failed", status=502))
            show(screen, refused_by_app(1))
        seen = device.settled()
        assert any("#1.1" in row for row in seen.rows)
        assert seen.widest <= 80


def test_what_is_printed_takes_the_place_of_the_status_line_and_pushes_it_down() -> None:
    with (
        Terminal() as device,
        console.make(out=device.slave, err=device.slave) as screen,
    ):
        screen.show(TunnelChanged("online", "https://x.ngrok.app", AT))
        for number in range(3):
            device.wait_for_bottom("● online")
            screen.write(f"{number}")
            assert screen.flush()
        assert device.settled().rows == ["0", "1", "2", "● online · 0 received"]


@pytest.mark.parametrize("columns", [1, 10, 30, 60])
def test_the_status_line_is_never_wider_than_the_terminal(columns: int) -> None:
    with Terminal(columns=columns) as device:
        with console.make("full", out=device.slave, err=device.slave, keys=True) as screen:
            screen.show(TunnelChanged("online", "https://x.ngrok.app", AT, latency_ms=23))
            for number in range(3):
                screen.show(TunnelChanged("online", "https://x.ngrok.app", AT, latency_ms=number))
                screen.flush()
        seen = device.settled()
        assert seen.widest < columns
        assert seen.widest or columns == 1


def test_the_status_line_follows_the_terminal_s_width() -> None:
    with (
        Terminal(columns=80) as device,
        console.make(out=device.slave, err=device.slave, keys=True) as screen,
    ):
        screen.show(TunnelChanged("online", "https://x.ngrok.app", AT, latency_ms=23))
        device.wait_for_bottom("? keys")
        device.resize(20)
        screen.resized()
        screen.flush()
        assert device.settled().bottom == "● online 23 ms"


def test_before_the_session_is_ready_the_screen_shows_that_it_starts() -> None:
    with (
        Terminal() as device,
        console.make(out=device.slave, err=device.slave, keys=True) as screen,
    ):
        screen.write("app │ building")
        device.wait_for_bottom("starting")
        assert device.settled().rows == ["app │ building", "starting"]


def test_suspending_takes_the_status_line_away_and_resuming_brings_it_back() -> None:
    with Terminal() as device, console.make(out=device.slave, err=device.slave) as screen:
        screen.show(TunnelChanged("online", "https://x.ngrok.app", AT))
        device.wait_for_bottom("● online")
        screen.suspend()
        assert [row[:14] for row in device.settled().rows] == ["Note: Stopped:", ""]
        screen.resume()
        device.wait_for_bottom("● online")


def test_the_clipboard_is_reached_through_the_terminal() -> None:
    with Terminal() as device:
        with console.make(out=device.slave, err=device.slave) as screen:
            screen.send_to_terminal(osc52("https://x.ngrok.app/hook"))
            device.wait_for("\x07")
        assert device.screen.commands == ["52;c;aHR0cHM6Ly94Lm5ncm9rLmFwcC9ob29r"]


def test_hostile_payloads_cannot_touch_the_terminal() -> None:
    body = exact_json.dumps({"event": HOSTILE, "content": {"a": HOSTILE}}).encode()
    with Terminal() as device:
        with console.make("full", out=device.slave, err=device.slave) as screen:
            show(screen, delivery(1, body=body, path=HOSTILE, headers=((HOSTILE, HOSTILE),)))
            screen.flush()
            raw = device.wait_for("[red]x[/red]")
        assert device.screen.commands == []
        assert "\x1b[2J" not in raw
        assert "\x9b" not in raw
        assert "\u202e" not in raw


@pytest.mark.parametrize(
    ("variables", "colour", "coloured"),
    [
        ({"TERM": "xterm"}, None, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, None, False),
        ({"TERM": "dumb"}, None, False),
        ({"TERM": "xterm"}, False, False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, True, True),
    ],
)
def test_colour_is_for_terminals_that_want_it(
    variables: dict[str, str],
    colour: bool | None,  # noqa: FBT001 - a table's column
    coloured: bool,  # noqa: FBT001 - a table's column
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with Terminal() as device:
        with console.make("compact", out=device.slave, err=device.slave, color=colour) as screen:
            show(screen, delivery())
        assert (COLOURED.good in device.wait_for("#12")) is coloured


@pytest.mark.realtime
def test_a_burst_on_a_terminal_goes_from_blocks_to_lines_to_a_count() -> None:
    with Terminal() as device:
        began = time.monotonic()
        with console.make("full", out=device.slave, err=device.slave) as screen:
            for number in range(1, 5001):
                show(screen, delivery(number))
            device.wait_for(" not shown here (too fast): tiktok-hook events")
        rows = device.settled().rows
        blocks = sum("HTTP/1.1" in row for row in rows)
        gained = (time.monotonic() - began) * BLOCKS_PER_SECOND
        assert int(BLOCKS_AT_ONCE) <= blocks <= BLOCKS_AT_ONCE + gained
        lines = [row for row in rows if " valid  " in row and "#" in row]
        reports = sum("not shown here" in row for row in rows)
        assert 50 <= len(lines) <= 1000
        # The answer of the last delivery before each report, shown when stored, may be in it.
        assert 5000 <= screen.dropped + len(lines) + blocks <= 5000 + reports
