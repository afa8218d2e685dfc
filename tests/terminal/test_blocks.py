from typing import Any

import pytest

from tests.terminal.drawn import drawn, drawn_lines
from tests.terminal.samples import AT, HOSTILE, TARGET, attempt, delivery, harmless, refused_by_app
from tiktok_hook import events, exact_json
from tiktok_hook.delivery import Source
from tiktok_hook.signature import State, Verdict
from tiktok_hook.terminal import words
from tiktok_hook.terminal.blocks import Detail, delivery_block
from tiktok_hook.terminal.theme import COLOURED, bare


def test_a_block_shows_event_verdict_and_body() -> None:
    block = drawn(delivery_block(delivery(query="a=1"), attempts=[attempt()], width=80))
    head, rest = block.split("\n", 1)
    assert head.startswith(f"── {words.clock(AT)}  #12  post.publish.complete  Content Posting ─")
    assert len(head) == 80
    assert rest.split("\n\n")[0].split("\n") == [
        "  posted v_pub_file~v2-1.7545200000000000001",
        "  ✓ signature valid · answered 200",
        f"  → {words.clock(AT)} #12.1 http://127.0.0.1:3000/hook 200 in 3 ms",
    ]
    assert rest.split("\n\n")[1].split("\n") == [
        "  POST /hook?a=1 HTTP/1.1 from 203.0.113.7",
        "  Content-Type: application/json",
        "  Tiktok-Signature: t=1,s=2",
    ]
    assert '  "event": "post.publish.complete",' in rest
    assert block.endswith("  }\n\n")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"verdict": Verdict(State.STALE, "old", "", 840, 1)},
            "✓ signature stale, signed 14 min ago · answered 200",
        ),
        (
            {"verdict": Verdict(State.INVALID, "does not match", "Do this."), "status": 403},
            "✗ signature invalid: does not match · answered 403\n    hint: Do this.",
        ),
        (
            {"verdict": Verdict(State.MISSING, "no header", "Do that."), "status": 403},
            "✗ signature missing: no header · answered 403\n    hint: Do that.",
        ),
        (
            {"verdict": Verdict(State.UNCHECKED), "status": None},
            "· signature unchecked: no client secret given · waiting for the app",
        ),
        (
            {"redelivery_of": 9, "redelivery_number": 3},
            "↻ delivery 3 of this event, +14 min after #9",
        ),
        ({"source": Source.TRIGGER}, "from 203.0.113.7, sent by tiktok-hook trigger"),
        ({"source": Source.IMPORT, "remote_addr": ""}, "HTTP/1.1, imported"),
        ({"body": b""}, "empty body"),
        ({"body": b'{"event":"x"}'}, "#12  x  unknown event ──"),
        ({"body": b"\xff"}, "#12  POST /hook ──"),
    ],
    ids=[
        "stale", "invalid", "missing", "unchecked", "redelivery", "trigger", "import", "empty",
        "unknown", "no event",
    ],
)  # fmt: skip
def test_a_block_shows_what_is_special(changes: dict[str, Any], expected: str) -> None:
    assert expected in drawn(delivery_block(delivery(first_received_at=AT - 840, **changes)))


@pytest.mark.parametrize("name", sorted(events.CATALOGUE))
def test_every_known_event_keeps_to_80_columns(name: str) -> None:
    block = drawn(delivery_block(delivery(event=name), attempts=[refused_by_app()], width=80))
    assert max(map(len, block.splitlines())) <= 80


def test_nothing_from_outside_reaches_the_terminal_raw() -> None:
    hostile = delivery(
        body=exact_json.dumps({"event": HOSTILE, "content": {HOSTILE: HOSTILE}}).encode(),
        path=HOSTILE,
        query=HOSTILE,
        headers=((HOSTILE, HOSTILE),),
        remote_addr=HOSTILE,
        verdict=Verdict(State.INVALID, HOSTILE, HOSTILE),
    )
    answered = attempt(target=HOSTILE, status=None, error=HOSTILE, hint=HOSTILE)
    block = drawn(delivery_block(hostile, attempts=[answered]))
    assert harmless(block)
    assert "[red]x[/red]" in block


def test_a_long_header_is_cut_unless_the_whole_is_asked_for() -> None:
    long = delivery(headers=(("X-Long", "=" * 5000),))
    arriving = drawn(delivery_block(long, detail=Detail()))
    assert arriving.count("=") == 400
    assert "=…" in arriving
    assert "=" * 5000 in drawn(delivery_block(long))


def test_a_long_header_continues_under_itself() -> None:
    long = delivery(headers=(("X-Long", "y" * 200),))
    lines = drawn_lines(delivery_block(long, detail=Detail(), width=80))
    at = next(number for number, line in enumerate(lines) if "X-Long" in line)
    assert lines[at].startswith("  X-Long: yyy")
    assert lines[at + 1].startswith("      yyy")
    assert max(map(len, lines)) <= 80


def test_many_headers_are_cut_when_a_delivery_arrives() -> None:
    many = delivery(headers=tuple((f"X-{number}", "y") for number in range(100)))
    assert "… 60 more headers: tiktok-hook show 12" in drawn(delivery_block(many, detail=Detail()))
    assert "X-99: y" in drawn(delivery_block(many))


def test_a_delivery_without_an_answer_names_the_app_it_waits_for() -> None:
    block = drawn(delivery_block(delivery(status=None), waiting_for=TARGET))
    assert f"✓ signature valid · waiting for {TARGET}" in block


def test_a_delivery_that_was_cut_off_waits_for_nothing() -> None:
    cut = attempt(status=None, error="cut")
    block = drawn(delivery_block(delivery(status=None), attempts=[cut]))
    assert "✓ signature valid · TikTok got no answer" in block
    trying = attempt(status=None, duration_ms=None)
    block = drawn(delivery_block(delivery(status=None), attempts=[trying]))
    assert "waiting for the app" in block


def test_a_hint_is_wrapped_under_the_attempt_it_explains() -> None:
    failed = attempt(status=500, hint="word " * 40)
    text = drawn_lines(delivery_block(delivery(), attempts=[failed], width=60))
    at = next(number for number, each in enumerate(text) if "500 in 3 ms" in each)
    hint = text[at + 1 : at + 5]
    assert text[at + 5] == ""
    assert len(hint) == 4
    assert hint[0].startswith("    hint: word")
    assert all(line.startswith("      word") and len(line) <= 60 for line in hint[1:])


def test_a_hint_is_not_repeated_for_each_attempt_that_failed_likewise() -> None:
    tried = [attempt(status=500, hint=hint) for hint in ("first", "first", "second", "first")]
    block = drawn(delivery_block(delivery(), attempts=tried, width=80))
    assert [word for word in block.split() if word in {"first", "second"}] == [
        "first",
        "second",
        "first",
    ]


def test_the_outcome_of_an_attempt_is_on_a_line_of_its_own_where_the_target_is_long() -> None:
    url = f"{TARGET}/{'path' * 7}"
    block = drawn_lines(delivery_block(delivery(), attempts=[attempt(target=url)], width=80))
    at = next(number for number, each in enumerate(block) if url in each)
    assert block[at].endswith(url)
    assert block[at + 1] == "    200 in 3 ms"


@pytest.mark.parametrize(
    ("seconds_later", "time"),
    [(0, words.clock(AT)), (86400, words.date_and_time(AT + 86400))],
    ids=["same day", "next day"],
)
def test_each_attempt_has_its_time_where_everything_is_shown(
    seconds_later: float, time: str
) -> None:
    tried = attempt(started_at=AT + seconds_later)
    assert f"→ {time} #12.1 {TARGET}" in drawn(delivery_block(delivery(), attempts=[tried]))
    arriving = drawn(delivery_block(delivery(), attempts=[tried], detail=Detail()))
    assert f"→ #12.1 {TARGET}" in arriving


def test_colour_changes_nothing_but_the_colour() -> None:
    one = delivery(event="post.publish.failed", redelivery_of=9, redelivery_number=2)
    coloured = drawn(delivery_block(one, attempts=[refused_by_app()]), COLOURED)
    assert "\x1b[" in coloured
    assert bare(coloured) == drawn(delivery_block(one, attempts=[refused_by_app()]))
