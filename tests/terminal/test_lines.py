from typing import Any

import pytest

from tests.terminal.samples import (
    AT,
    HOSTILE,
    TARGET,
    attempt,
    delivery,
    harmless,
    refused_by_app,
)
from tiktok_hook import exact_json
from tiktok_hook.delivery import AppChanged, NonWebhookRequest, Notice, Skipped, TunnelChanged
from tiktok_hook.signature import State, Verdict
from tiktok_hook.terminal import blocks, lines, words
from tiktok_hook.terminal.paint import COLOURED, PLAIN, bare

CLOCK = words.clock(AT)
POSTED = "posted v_pub_file~v2-1.7545200000000000001"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, f"valid post.publish.complete {POSTED} 200"),
        (
            {"verdict": Verdict(State.STALE, "old", age_seconds=840)},
            f"stale post.publish.complete {POSTED} 200",
        ),
        (
            {"verdict": Verdict(State.INVALID, "does not match"), "status": 403},
            "post.publish.complete invalid: does not match 403",
        ),
        (
            {"verdict": Verdict(State.MISSING, "no header"), "status": 403},
            "post.publish.complete missing: no header 403",
        ),
        (
            {"verdict": Verdict(State.UNCHECKED), "body": b"\x00\xff"},
            "unchecked POST /hook not a TikTok event (2 bytes) 200",
        ),
        (
            {"redelivery_of": 9, "redelivery_number": 3},
            f"valid post.publish.complete delivery 3 of this event, first was #9: {POSTED} 200",
        ),
        ({"status": None}, f"valid post.publish.complete {POSTED} waiting"),
    ],
    ids=["valid", "stale", "invalid", "missing", "no event", "redelivery", "unanswered"],
)
def test_a_delivery_is_one_line(changes: dict[str, Any], said: str) -> None:
    assert lines.delivery_line(delivery(**changes), PLAIN) == f"{CLOCK} #12 {said}"


def test_a_delivery_and_its_attempt_share_a_line() -> None:
    line = lines.delivery_line(delivery(), PLAIN, attempt=attempt())
    assert line == f"{CLOCK} #12 valid post.publish.complete {POSTED} → 200 in 3 ms"


def test_what_is_not_forwarded_says_so_and_is_no_failure() -> None:
    line = lines.delivery_line(delivery(), COLOURED, skipped=True)
    assert bare(line).endswith("→ not forwarded, answered 200")
    assert line.endswith(f"{COLOURED.green}→ not forwarded, answered 200{COLOURED.off}")
    block = blocks.skipped_block(Skipped(delivery(), "not asked"), PLAIN)
    assert block == "  → #12 not forwarded\n    not asked"


def test_an_answer_that_differs_from_the_app_s_is_said() -> None:
    line = lines.delivery_line(delivery(status=502), PLAIN, attempt=refused_by_app())
    assert line.endswith("→ nothing listens there, 0.4 ms, answered 502")


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
def test_a_line_is_cut_to_fit_but_keeps_id_and_status(width: int) -> None:
    long = {"event": "x" * 300, "content": "{}"}
    body = exact_json.dumps(long).encode()
    line = lines.delivery_line(delivery(body=body), PLAIN, width=width)
    assert len(line) <= max(width, 40)
    assert line.startswith(f"{CLOCK} #12 ")
    assert line.endswith(" 200")


def test_wide_characters_count_as_two_columns() -> None:
    assert lines.cut("日本語日本語", 7) == "日本語…"
    assert lines.columns("日本語") == 6


def test_colour_changes_nothing_but_the_colour() -> None:
    one = delivery()
    coloured = lines.delivery_line(one, COLOURED, attempt=attempt(), width=80)
    assert bare(coloured) == lines.delivery_line(one, PLAIN, attempt=attempt(), width=80)
    assert "\x1b[32m" in coloured


@pytest.mark.parametrize(
    "line",
    [
        lines.delivery_line(
            delivery(body=exact_json.dumps({"event": HOSTILE}).encode(), path=HOSTILE), PLAIN
        ),
        lines.delivery_line(delivery(body=b"", path=HOSTILE), PLAIN),
        lines.delivery_line(delivery(verdict=Verdict(State.INVALID, HOSTILE)), PLAIN),
        lines.attempt_line(attempt(target=HOSTILE, status=None, error=HOSTILE), PLAIN),
        lines.probe_line(NonWebhookRequest(HOSTILE, HOSTILE, 405, AT, HOSTILE), PLAIN),
        lines.tunnel_line(TunnelChanged("reconnecting", HOSTILE, AT, HOSTILE), PLAIN),
        lines.app_line(AppChanged("down", HOSTILE, None, HOSTILE), PLAIN),
        lines.notice_line(Notice(HOSTILE, HOSTILE), PLAIN),
    ],
    ids=["event", "path", "reason", "attempt", "probe", "tunnel", "app", "notice"],
)
def test_hostile_text_becomes_visible(line: str) -> None:
    assert harmless(line)
    assert "\\x1b[2J" in line


def test_markup_of_any_kind_is_only_text() -> None:
    body = exact_json.dumps({"event": "[red]x[/red]"}).encode()
    assert "[red]x[/red]" in lines.delivery_line(delivery(body=body), PLAIN)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, f"  → #12.1 {TARGET} 200 in 3 ms"),
        ({"status": 500}, f"  → #12.1 {TARGET} 500 in 3 ms"),
        (
            {"replay": True, "resigned": True},
            f"  → #12.1 replay re-signed {TARGET} 200 in 3 ms",
        ),
        (
            {"replay": True, "resigned": True, "variant": "edited, wrong signature"},
            f"  → #12.1 replay (edited, wrong signature) {TARGET} 200 in 3 ms",
        ),
        ({"status": None, "error": "timeout"}, f"  → #12.1 {TARGET} no answer in time, 3 ms"),
        ({"error": "too_large"}, f"  → #12.1 {TARGET} 200, then answer too large, 3 ms"),
        ({"duration_ms": None, "status": None}, f"  → #12.1 {TARGET} not answered yet"),
    ],
    ids=["ok", "bad", "replay", "variant", "timeout", "half", "running"],
)
def test_an_attempt_is_one_line(changes: dict[str, Any], said: str) -> None:
    assert lines.attempt_line(attempt(**changes), PLAIN) == said


def test_an_outage_ends_with_its_length_and_until_when_redeliveries_may_come() -> None:
    state = TunnelChanged("online", "https://x.example", AT, outage_seconds=134)
    text = lines.tunnel_line(state, PLAIN)
    assert f"{CLOCK} tunnel online again after 2 min 14 s" in text
    assert words.date_and_time(AT + 72 * 3600) in text


def test_an_outage_is_never_of_no_length() -> None:
    state = TunnelChanged("online", "https://x.example", AT, outage_seconds=0.2)
    assert "online again after 1 s" in lines.tunnel_line(state, PLAIN)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (AppChanged("up", TARGET), f"{TARGET} is up"),
        (AppChanged("down", TARGET, detail="refused"), f"{TARGET} is down: refused"),
        (AppChanged("paused", TARGET), f"{TARGET} is not there: forwarding waits for it"),
        (AppChanged("exited", None, 3), "your command ended with exit code 3"),
    ],
    ids=lambda value: value.state if isinstance(value, AppChanged) else "",
)
def test_the_app_s_state_is_a_sentence(state: AppChanged, said: str) -> None:
    assert lines.app_line(state, PLAIN) == said


def test_a_traceback_keeps_its_lines_and_stays_harmless() -> None:
    notice = Notice("A bug: Traceback:\n  File 1\nValueError: \x1b[2J\u202e\n", level="error")
    shown = "Error: A bug: Traceback:\n  File 1\nValueError: \\x1b[2J\\u202e"
    assert lines.notice_line(notice, PLAIN) == shown
