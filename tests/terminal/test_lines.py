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
from tiktok_hook.delivery import (
    AppChanged,
    AttemptEnded,
    NonWebhookRequest,
    Skipped,
    TunnelChanged,
)
from tiktok_hook.signature import State, Verdict
from tiktok_hook.terminal import lines, words
from tiktok_hook.terminal.cells import columns, cut, cut_inside
from tiktok_hook.terminal.theme import COLOURED, PLAIN, bare

CLOCK = words.clock(AT)
POSTED = "posted v_pub_file~v2-1.7545200000000000001"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, f"valid     post.publish.complete    {POSTED} 200"),
        (
            {"verdict": Verdict(State.STALE, "old", age_seconds=840)},
            f"stale     post.publish.complete    {POSTED} 200",
        ),
        (
            {"verdict": Verdict(State.INVALID, "does not match"), "status": 403},
            "invalid   post.publish.complete    does not match 403",
        ),
        (
            {"verdict": Verdict(State.MISSING, "no header"), "status": 403},
            "missing   post.publish.complete    no header 403",
        ),
        (
            {"verdict": Verdict(State.UNCHECKED), "body": b"\x00\xff"},
            "unchecked POST /hook               not a TikTok event (2 bytes) 200",
        ),
        (
            {"redelivery_of": 9, "redelivery_number": 3},
            "valid     post.publish.complete    delivery 3 of this event, first was #9: "
            f"{POSTED} 200",
        ),
        ({"status": None}, f"valid     post.publish.complete    {POSTED} waiting for the app"),
    ],
    ids=["valid", "stale", "invalid", "missing", "no event", "redelivery", "unanswered"],
)
def test_a_delivery_is_one_line(changes: dict[str, Any], expected: str) -> None:
    assert lines.delivery_line(delivery(**changes), PLAIN) == f"{CLOCK} #12   {expected}"


def test_a_delivery_and_its_attempt_share_a_line() -> None:
    line = lines.delivery_line(delivery(), PLAIN, attempt=attempt())
    assert line == f"{CLOCK} #12   valid     post.publish.complete    {POSTED} → 200 in 3 ms"


def test_a_delivery_that_is_not_forwarded_is_shown_as_such_and_not_as_a_failure() -> None:
    line = lines.delivery_line(delivery(), COLOURED, skipped=True)
    assert bare(line).endswith("→ not forwarded, answered 200")
    assert COLOURED.bad not in line
    skipped = Skipped(delivery(), "no --route matches it")
    assert lines.skipped_line(skipped) == "  → #12 not forwarded: no --route matches it"


def test_an_answer_that_differs_from_the_app_s_is_shown() -> None:
    line = lines.delivery_line(delivery(status=502), PLAIN, attempt=refused_by_app())
    assert line.endswith("→ connection refused, 0.4 ms, answered 502")


@pytest.mark.parametrize("error", [*words.ERRORS, "x" * 400])
def test_a_failed_delivery_is_not_wider_than_80_columns(error: str) -> None:
    failed = attempt(status=None, error=error)
    line = lines.delivery_line(delivery(status=502), PLAIN, attempt=failed, width=80)
    assert len(line) <= 80
    assert "valid     post" in line


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
def test_a_line_is_cut_to_fit_but_keeps_id_and_status(width: int) -> None:
    long = {"event": "x" * 300, "content": "{}"}
    body = exact_json.dumps(long).encode()
    line = lines.delivery_line(delivery(body=body), PLAIN, width=width)
    assert len(line) <= max(width, 44)
    assert line.startswith(f"{CLOCK} #12 ")
    assert line.endswith(" 200")


def test_wide_characters_count_as_two_columns() -> None:
    assert cut("日本語日本語", 7) == "日本語…"
    assert columns("日本語") == 6


def test_colour_changes_nothing_but_the_colour() -> None:
    one = delivery()
    coloured = lines.delivery_line(one, COLOURED, attempt=attempt(), width=80)
    assert bare(coloured) == lines.delivery_line(one, PLAIN, attempt=attempt(), width=80)
    assert COLOURED.good in coloured


@pytest.mark.parametrize(
    "line",
    [
        lines.delivery_line(
            delivery(body=exact_json.dumps({"event": HOSTILE}).encode(), path=HOSTILE), PLAIN
        ),
        lines.delivery_line(delivery(body=b"", path=HOSTILE), PLAIN),
        lines.delivery_line(delivery(verdict=Verdict(State.INVALID, HOSTILE)), PLAIN),
        PLAIN.join(lines.attempt_line(attempt(target=HOSTILE, status=None, error=HOSTILE))),
        lines.request_line(NonWebhookRequest(HOSTILE, HOSTILE, 405, AT, HOSTILE)),
        lines.tunnel_line(TunnelChanged("reconnecting", HOSTILE, AT, HOSTILE), PLAIN),
        lines.app_line(AppChanged("down", HOSTILE, None, HOSTILE), PLAIN),
    ],
    ids=["event", "path", "reason", "attempt", "probe", "tunnel", "app"],
)
def test_hostile_text_becomes_visible(line: str) -> None:
    assert harmless(line)
    assert "\\x1b[2J" in line


def test_markup_of_any_kind_is_only_text() -> None:
    body = exact_json.dumps({"event": "[red]x[/red]"}).encode()
    assert "[red]x[/red]" in lines.delivery_line(delivery(body=body), PLAIN)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, f"  → #12.1 {TARGET} 200 in 3 ms"),
        ({"status": 500}, f"  → #12.1 {TARGET} 500 in 3 ms"),
        (
            {"replay": True, "resigned": True},
            f"  → #12.1 replay re-signed {TARGET} 200 in 3 ms",
        ),
        ({"status": None, "error": "timeout"}, f"  → #12.1 {TARGET} timeout, 3 ms"),
        ({"error": "too_large"}, f"  → #12.1 {TARGET} 200, then answer too large, 3 ms"),
        ({"duration_ms": None, "status": None}, f"  → #12.1 {TARGET} no answer yet"),
    ],
    ids=["ok", "bad", "replay", "timeout", "half", "running"],
)
def test_an_attempt_is_one_line(changes: dict[str, Any], expected: str) -> None:
    assert PLAIN.join(lines.attempt_line(attempt(**changes))) == expected


def test_an_attempt_that_is_repeated_shows_when() -> None:
    failed = attempt(status=500)
    ended = AttemptEnded(failed, will_retry=True, next_try_at=AT)
    assert PLAIN.join(lines.attempt_line(failed, ended=ended)).endswith(f", next try {CLOCK}")
    down = AttemptEnded(refused_by_app(), will_retry=True)
    text = PLAIN.join(lines.attempt_line(down.attempt, ended=down))
    assert text.endswith(", queued until the app is up")


def test_requests_that_were_counted_are_one_line() -> None:
    many = NonWebhookRequest("GET", "", 404, AT, "no such page", count=1240)
    assert lines.request_line(many) == f"{CLOCK} 1 240 requests GET 404 (no such page)"
    broken = NonWebhookRequest("", "", 400, AT)
    assert lines.request_line(broken) == f"{CLOCK} a request 400"


def test_an_outage_ends_with_its_length_and_until_when_redeliveries_may_come() -> None:
    state = TunnelChanged("online", "https://x.example", AT, outage_seconds=134)
    text = lines.tunnel_line(state, PLAIN)
    assert f"{CLOCK} tunnel online again after 2 min 14 s" in text
    assert words.date_and_time(AT + 72 * 3600) in text


def test_an_outage_is_never_of_no_length() -> None:
    state = TunnelChanged("online", "https://x.example", AT, outage_seconds=0.2)
    assert "online again after 1 s" in lines.tunnel_line(state, PLAIN)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (AppChanged("up", TARGET), f"{TARGET} is up"),
        (AppChanged("down", TARGET, detail="refused"), f"{TARGET} is down: refused"),
        (AppChanged("paused", TARGET), f"{TARGET} is down. Deliveries are queued for it."),
        (
            AppChanged("paused", TARGET, detail="it hangs up."),
            f"{TARGET} is down: it hangs up. Deliveries are queued for it.",
        ),
        (AppChanged("exited", None, 3), "your command ended with exit code 3"),
    ],
    ids=lambda value: value.state if isinstance(value, AppChanged) else "",
)
def test_the_app_s_state_is_a_sentence(state: AppChanged, expected: str) -> None:
    assert lines.app_line(state, PLAIN) == expected


def test_a_late_answer_is_one_line_with_the_delivery_s_id() -> None:
    late = attempt(duration_ms=3200.0)
    assert lines.answer_line(delivery(), late, PLAIN) == "#12 → 200 in 3.2 s"
    assert lines.answer_line(delivery(), None, PLAIN) == "#12 → 200"
    line = lines.answer_line(delivery(status=502), refused_by_app(), PLAIN)
    assert line == "#12 → connection refused, 0.4 ms, answered 502"


def test_a_long_name_is_cut_in_its_middle() -> None:
    name = "minis.trade_order.redeem.refund_traceback"
    assert cut_inside(name, 24) == "minis.trade_…d_traceback"
    assert cut_inside(name, 60) == name
    assert cut_inside(name, 8) == "minis.t…"
