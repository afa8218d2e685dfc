from typing import Any

import pytest

from tests.terminal.drawn import drawn
from tiktok_hook.delivery import Ready, SecondaryFailures, SelfCheck, Summary
from tiktok_hook.terminal.banner import banner, summary
from tiktok_hook.terminal.theme import COLOURED, PLAIN, bare

URL = "https://a-very-long-name-of-a-free-domain-that-ngrok-gave-1234567890.ngrok-free.app/tiktok/hook"


def ready(**changes: Any) -> Ready:
    fields: dict[str, Any] = {"callback_url": URL, "local_url": "http://127.0.0.1:3000"}
    return Ready(**(fields | changes))


@pytest.mark.parametrize("paint", [PLAIN, COLOURED], ids=["plain", "coloured"])
@pytest.mark.parametrize("width", [40, 80])
def test_the_callback_url_is_alone_on_its_line_and_never_wrapped(paint: Any, width: int) -> None:
    assert URL in bare(drawn(banner(ready(), width=width), paint)).split("\n")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"memory": "first"}, "5. Save changes (in a sandbox: Apply changes)"),
        ({"memory": "same"}, "Same URL as last time."),
        ({"memory": "changed"}, "Changed since last time: paste it again."),
        ({"public": False, "tunnelled": False}, "This machine only"),
        ({"tunnelled": False}, "reached through your own --public-url"),
        ({"secrets": 0}, "not verified: no client secret given"),
        ({"secrets": 2}, "verified here with 2 client secrets"),
        ({"secrets": 1, "edge_verification": True}, "Free plans include 500 checks"),
        ({"target": "http://127.0.0.1:3001", "target_up": True}, "http://127.0.0.1:3001 up"),
        ({"target": "http://127.0.0.1:3001", "target_up": False}, "not up yet"),
        (
            {"target": "http://127.0.0.1:3001", "others": (("http://127.0.0.1:3002", False),)},
            "\n               http://127.0.0.1:3002 not up yet, its answers do not count\n",
        ),
        (
            {
                "target": "http://127.0.0.1:3001",
                "target_up": True,
                "others": (("http://127.0.0.1:3002", False),),
                "routes": (
                    ("post.publish.*", "http://127.0.0.1:3001"),
                    ("else", "http://127.0.0.1:3002"),
                ),
                "ack": "app",
            },
            "  App          post.publish.* → http://127.0.0.1:3001 up\n"
            "               else → http://127.0.0.1:3002 not up yet\n"
            "  Answer       TikTok gets the answer of the first matching route\n",
        ),
        (
            {
                "target": "http://127.0.0.1:3001",
                "target_up": True,
                "others": (("http://127.0.0.1:3002", True),),
                "routes": (("user:x", "http://127.0.0.1:3002"),),
                "ack": "app",
            },
            "  App          http://127.0.0.1:3001 up, gets everything\n"
            "               user:x → http://127.0.0.1:3002 up\n"
            "  Answer       TikTok gets the answer of http://127.0.0.1:3001\n",
        ),
        (
            {
                "target": "http://127.0.0.1:3001",
                "ack": "app",
                "routes": (("post.*", "http://127.0.0.1:3001"),),
                "answers": (("video.*", "500, the first 2 times of each event"),),
            },
            "  Answer       TikTok gets your app's answer\n"
            "               video.* is answered 500, the first 2 times of each event\n",
        ),
        ({"answers": (("*", "503"),)}, "  Answer       * is answered 503\n"),
        ({"target": "http://127.0.0.1:3001", "ack": "first"}, "200 at once, then forwarded"),
        ({"target": "http://127.0.0.1:3001", "ack": "503"}, "TikTok always gets 503"),
        ({"ack": "503"}, "TikTok always gets 503"),
        ({"inspector_url": "http://127.0.0.1:4040/#token=x"}, "http://127.0.0.1:4040/#token=x"),
        ({"history": "/home/x/history.db"}, "/home/x/history.db"),
        ({"history": None}, "in memory only"),
        ({"self_check": SelfCheck(result="ok")}, "the public URL reaches this receiver"),
        (
            {"self_check": SelfCheck(result="failed", hint="Try it.")},
            "failed\n               hint: Try it.",
        ),
        ({"self_check": SelfCheck(result="skipped")}, "skipped"),
        ({}, "Ctrl-C stops."),
    ],
)
def test_the_banner_shows_the_state_of_the_session(changes: dict[str, Any], expected: str) -> None:
    assert expected in drawn(banner(ready(**changes), width=200))


@pytest.mark.parametrize(
    ("keys", "history", "expected"),
    [
        (True, "x.db", "forwarded on p or tiktok-hook replay --pending"),
        (True, None, "forwarded on p"),
        (False, "x.db", "forwarded on tiktok-hook replay --pending"),
        (False, None, "forwarded on the inspector"),
    ],
    ids=["both", "key", "command", "neither"],
)
def test_deliveries_on_hold_name_the_ways_to_release_them(
    *, keys: bool, history: str | None, expected: str
) -> None:
    one = ready(target="http://127.0.0.1:3001", ack="hold", history=history)
    assert f"200 at once; {expected}\n" in drawn(banner(one, keys=keys))


def test_the_portal_s_steps_are_there_on_the_first_run_only() -> None:
    assert "Manage apps" in drawn(banner(ready(memory="first")))
    assert "Manage apps" not in drawn(banner(ready(memory="same")))


def test_the_banner_keeps_to_80_columns() -> None:
    full = ready(
        callback_url="https://x.ngrok.app/",
        edge_verification=True,
        target="http://127.0.0.1:3001/hook",
        target_up=False,
        ack="hold",
        self_check=SelfCheck(result="failed", hint="word " * 40),
    )
    for changes in ({}, {"edge_verification": False}, {"memory": "changed"}, {"public": False}):
        one = Ready(**{name: getattr(full, name) for name in Ready.__slots__} | changes)
        assert max(map(len, drawn(banner(one, width=80)).split("\n"))) <= 80


def test_the_summary_counts_and_names_the_command_that_replays_failed_ones() -> None:
    found = Summary(
        seconds=125, received=1240, valid=1200, stale=3, rejected=30, unchecked=7, redeliveries=2,
        unstored=1, attempts=1203, failed=(12, 15), failed_attempts=4, pending=5, p95_ms=12.3,
        outages=1, offline_seconds=134, dropped_lines=900,
    )  # fmt: skip
    assert drawn(summary(found)).split("\n")[1:-1] == [
        "1 240 deliveries in 2 min 5 s",
        "  1 200 valid, 3 stale, 30 rejected, 7 unchecked, 2 redeliveries",
        "  1 could not be stored: answered 503, TikTok will send them again",
        "  1 203 forwards, p95 12 ms",
        "  4 failed; send again: tiktok-hook replay 12 15",
        "  5 queued for the app: tiktok-hook replay --pending",
        "  1 tunnel outage, 2 min 14 s in all",
        "  900 not shown here (too fast): tiktok-hook events",
    ]


def test_a_history_that_is_gone_is_not_offered_for_sending_again() -> None:
    found = Summary(
        seconds=2, received=3, attempts=3, failed=(1,), failed_attempts=1, pending=2,
        dropped_lines=4,
    )  # fmt: skip
    text = drawn(summary(found, kept=False))
    assert "  1 failed\n" in text
    assert "  2 queued for the app\n" in text
    assert "  4 not shown here (too fast)\n" in text
    assert "tiktok-hook" not in text


def test_the_hint_for_a_secondary_target_replays_to_that_target() -> None:
    found = Summary(
        received=9, attempts=18, failed=(4,), failed_attempts=9, target="http://localhost:3000",
        secondary_failures=(
            SecondaryFailures("http://localhost:3001/a&b", (9, 1, 2, 3, 5), 6),
            SecondaryFailures("http://localhost:3002", (), 2),
        ),
        pending=3, pending_at="http://localhost:3001/a&b",
    )  # fmt: skip
    assert drawn(summary(found, width=200)).split("\n")[3:-1] == [
        "  1 failed; send again: tiktok-hook replay 4 --to http://localhost:3000",
        "  6 failed at http://localhost:3001/a&b; send again: "
        "tiktok-hook replay 1-3 5 9 --to 'http://localhost:3001/a&b'",
        "  2 failed at first at http://localhost:3002, and succeeded later",
        "  3 queued for http://localhost:3001/a&b: tiktok-hook replay --pending",
    ]


def test_many_that_failed_are_named_by_a_command_that_can_be_typed() -> None:
    odd = tuple(range(1, 99, 2))
    found = Summary(received=99, attempts=99, failed=odd, failed_attempts=49)
    assert "49 failed; send again: tiktok-hook replay 1-97 --failed\n" in drawn(summary(found))


def test_attempts_that_failed_before_their_delivery_arrived_need_nothing() -> None:
    text = drawn(summary(Summary(seconds=2, received=3, attempts=4, failed_attempts=1)))
    assert "  1 failed at first, and succeeded later\n" in text


def test_a_quiet_session_has_a_short_summary() -> None:
    assert drawn(summary(Summary(seconds=3))) == "\n0 deliveries in 3 s\n"
