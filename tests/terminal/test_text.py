"""The view for people, with a fixed clock."""

from dataclasses import replace

import pytest

from tests.terminal.samples import (
    AT,
    TARGET,
    answered,
    attempt,
    delivery,
    events_of,
    refused_by_app,
)
from tiktok_hook import exact_json
from tiktok_hook.delivery import (
    AppChanged,
    AttemptEnded,
    AttemptStarted,
    Delivery,
    DeliveryAnswered,
    NonWebhookRequest,
    Notice,
    QueueChanged,
    Ready,
    Skipped,
    TunnelChanged,
)
from tiktok_hook.signature import State, Verdict
from tiktok_hook.terminal import words
from tiktok_hook.terminal.flood import LeftOut
from tiktok_hook.terminal.text import (
    BLOCKS_AT_ONCE,
    BLOCKS_PER_SECOND,
    Form,
    Text,
)
from tiktok_hook.terminal.theme import COLOURED, PLAIN, bare
from tiktok_hook.terminal.view import Details

FORWARDED = Ready(callback_url="", local_url="", target=TARGET, ack="app")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def view(clock: Clock, *, form: Form = "full", height: int | None = None) -> Text:
    return Text(
        form=form,
        out_paint=PLAIN,
        err_paint=PLAIN,
        out_width=lambda: 80,
        err_width=lambda: 80,
        height=lambda: height,
        clock=clock,
    )


def draw(text: Text, *items: object, dropped: int = 0) -> str:
    events = [event for item in items for event in events_of(item)]
    return "".join(piece.text for piece in text.draw(events, dropped))


def rest(text: Text) -> list[str]:
    return [piece.text for piece in text.rest()]


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
    text = view(Clock(), form="compact")
    draw(text, FORWARDED)
    assert draw(text, delivery(7), attempt(7), delivery(8)).count("\n") == 1
    assert text.holds
    assert draw(text, attempt(8), delivery(9)).endswith("→ 200 in 3 ms\n")
    assert "#9" in "".join(piece.text for piece in text.rest())
    assert not text.holds


def test_an_answered_delivery_waits_for_its_attempt_15_ms_only() -> None:
    clock = Clock()
    text = view(clock, form="compact")
    draw(text, FORWARDED)
    assert draw(text, delivery(7)) == ""
    assert text.holds == pytest.approx(0.015)
    clock.now += 0.014
    assert draw(text) == ""
    clock.now += 0.002
    assert "#7" in draw(text)
    assert text.holds is None
    assert "#7.1" in draw(text, attempt(7))


@pytest.mark.parametrize("form", ["compact", "normal", "full"])
def test_a_slow_answer_follows_its_delivery_as_one_line(form: Form) -> None:
    clock = Clock()
    text = view(clock, form=form)
    draw(text, FORWARDED)
    assert draw(text, delivery(7, status=None)) == ""
    clock.now += 0.016
    head = draw(text)
    assert "#7" in head
    assert f"waiting for {'the app' if form == 'compact' else TARGET}" in head
    assert text.holds is None
    clock.now += 3.0
    assert draw(text, delivery(8, status=None)) == ""
    shown = draw(text, attempt(7, duration_ms=3200.0), answered(7))
    assert "#7 → 200 in 3.2 s\n" in shown
    assert "#8" not in shown.partition("#7 → 200")[0]


def test_with_routes_the_app_that_a_delivery_waits_for_is_named() -> None:
    clock = Clock()
    text = view(clock, form="normal")
    other = "http://127.0.0.1:3999/"
    draw(text, replace(FORWARDED, routes=(("post.*", TARGET), ("else", other))))
    started = AttemptStarted(replace(attempt(7), target=other))
    draw(text, delivery(7, status=None), started, delivery(8, status=None))
    clock.now += 0.016
    head = draw(text)
    assert f"waiting for {other}\n" in head
    assert "waiting for the app\n" in head
    ended = replace(attempt(7), target=other)
    assert f"#7 → {other} 200 in 3 ms\n" in draw(text, ended, answered(7))


@pytest.mark.parametrize("order", ["answer first", "attempt first"])
def test_a_fast_answer_is_shown_with_its_delivery_in_any_order(order: str) -> None:
    text = view(Clock(), form="compact")
    draw(text, FORWARDED)
    ends: list[object] = [answered(7), attempt(7)]
    shown = draw(text, delivery(7, status=None), *(ends if order == "answer first" else ends[::-1]))
    assert shown.count("\n") == 1
    assert shown.endswith("→ 200 in 3 ms\n")
    assert text.holds is None


def test_a_late_failure_has_its_hint_below() -> None:
    clock = Clock()
    text = view(clock, form="normal")
    draw(text, FORWARDED, delivery(7, status=None))
    clock.now += 1.0
    draw(text)
    shown = draw(text, refused_by_app(7), answered(7, status=502))
    first, hint = shown.splitlines()
    assert first == "#7 → connection refused, 0.4 ms, answered 502"
    assert hint.startswith("    hint: Nothing listens")


def test_the_normal_format_shows_the_head_and_a_bounded_body() -> None:
    long = exact_json.dumps({"event": "x", "values": list(range(500))}).encode()
    block = draw(view(Clock(), form="normal"), delivery(7, body=long))
    assert "HTTP/1.1" not in block
    assert "Content-Type" not in block
    lines = block.splitlines()
    assert len(lines) < 27
    assert lines[-2].endswith(" more lines: tiktok-hook show 7")


def test_the_body_takes_half_the_screen_at_most() -> None:
    long = exact_json.dumps({"event": "x", "values": list(range(500))}).encode()
    text = view(Clock(), form="normal", height=24)
    assert sum("    " in line for line in draw(text, delivery(7, body=long)).splitlines()) <= 13


def test_the_format_can_be_changed_at_any_time() -> None:
    text = view(Clock(), form="compact")
    assert draw(text, delivery(7)).count("\n") == 1
    text.form = "normal"
    assert blocks(draw(text, delivery(8))) == 0
    assert '"event"' in draw(text, delivery(9))
    text.form = "full"
    assert blocks(draw(text, delivery(10))) == 1


def test_details_show_headers_and_attempts_whatever_the_format() -> None:
    shown = draw(view(Clock(), form="compact"), Details(delivery(7), (attempt(7),)))
    assert "Content-Type: application/json" in shown
    assert "#7.1" in shown
    assert '"event"' in shown


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
    text = view(Clock(), form="compact")
    lines = draw(text, delivery(7), attempt(7, replay=True)).splitlines()
    assert lines[1] == f"  → #7.1 replay {TARGET} 200 in 3 ms"


def test_attempts_of_several_targets_stay_with_their_delivery() -> None:
    other = attempt(7, number=2, target="http://127.0.0.1:4000/")
    items = FORWARDED, delivery(7, status=None), attempt(7), answered(7), other, delivery(8)
    compact = view(Clock(), form="compact")
    draw(compact, FORWARDED)
    first, second, third = (draw(compact, *items[1:]) + "".join(rest(compact))).splitlines()
    assert first.endswith("→ 200 in 3 ms")
    assert second == "  → #7.2 http://127.0.0.1:4000/ 200 in 3 ms"
    assert "#8" in third
    shown = draw(view(Clock()), *items)
    assert shown.index("#7.1") < shown.index("HTTP/1.1") < shown.index("#7.2")


@pytest.mark.parametrize("form", ["compact", "normal"])
def test_an_attempt_is_shown_once_although_a_rule_delays_the_answer(form: Form) -> None:
    clock = Clock()
    text = view(clock, form=form)
    first, second = (
        attempt(7, number=each, target=f"http://127.0.0.1:400{each}/", hint=f"because {each}")
        for each in (1, 2)
    )
    third = attempt(7, number=3, target="http://127.0.0.1:4003/")
    draw(text, FORWARDED)
    shown = draw(text, delivery(7, status=None), first, second)
    clock.now += 0.016
    shown += draw(text)
    assert "#7.2" in shown
    shown += draw(text, third) + draw(text, answered(7, status=503))
    assert shown.count("#7.2") == shown.count("#7.3") == 1
    assert shown.count("because 1") == shown.count("because 2") == 1
    assert "#7 → 200 in 3 ms, answered 503\n" in shown


@pytest.mark.parametrize("form", ["compact", "normal"])
@pytest.mark.parametrize("mode", ["hold", "paused"])
def test_a_delivery_that_waits_for_its_release_is_queued(form: Form, mode: str) -> None:
    text = Text(
        form=form,
        out_paint=PLAIN,
        err_paint=PLAIN,
        out_width=lambda: 100,
        err_width=lambda: 100,
        keys=True,
        clock=Clock(),
    )
    draw(text, replace(FORWARDED, ack="hold" if mode == "hold" else "app"))
    draw(text, QueueChanged(paused=mode == "paused", waiting=0))
    shown = draw(text, delivery(7), delivery(8, verdict=Verdict(State.INVALID), status=403))
    shown += "".join(rest(text))
    expected = "answered 200 · queued, p forwards it" if form == "normal" else "200, queued"
    assert f"{expected}\n" in shown
    assert shown.count("queued") == 1
    if mode == "paused":
        draw(text, QueueChanged(paused=False, waiting=0))
        draw(text, delivery(9))
        assert "queued" not in "".join(rest(text))


def test_what_was_left_out_is_a_count() -> None:
    text = "… 1 240 not shown here (too fast): tiktok-hook events\n"
    assert draw(view(Clock()), dropped=1240) == text


LONG = "http://localhost:3000/webhooks/tiktok/production"
WIDE_EVENTS = [
    AttemptEnded(
        attempt(target=LONG, status=None, error="reset"), will_retry=True, next_try_at=AT
    ),
    AttemptEnded(refused_by_app().replace(target=LONG, replay=True, variant="wrong signature"),
                 will_retry=True),
    AppChanged("paused", LONG, detail="It accepts connections and closes them."),
    NonWebhookRequest("PROPFIND", "/path" * 50, 405, AT, "answered GET only"),
    LeftOut("rejected", 123_456),
    TunnelChanged("online", "https://x.example", AT, outage_seconds=4000),
    TunnelChanged("reconnecting", None, AT, "the connection to ngrok's edge was reset by the peer"),
    Skipped(delivery(), "no --route matches it, and none of them has the filter else"),
    Notice("word " * 40, "then do " * 20),
    DeliveryAnswered(
        delivery(status=403, verdict=Verdict(State.INVALID, "reason " * 30, "hint " * 40))
    ),
]  # fmt: skip


@pytest.mark.parametrize("form", ["compact", "normal", "full"])
@pytest.mark.parametrize("event", WIDE_EVENTS, ids=lambda event: type(event).__name__)
def test_nothing_but_a_long_word_is_wider_than_the_terminal(form: Form, event: object) -> None:
    text = view(Clock(), form=form)
    if not isinstance(event, TunnelChanged) or event.state == "online":
        draw(text, TunnelChanged("reconnecting", None, AT))
    drawn = draw(text, event) + "".join(rest(text))
    assert drawn
    for line in drawn.splitlines():
        assert len(line) <= 80 or " " not in line.strip(), line


def test_a_late_attempt_that_is_too_wide_has_its_outcome_on_a_line_of_its_own() -> None:
    first, second = draw(view(Clock()), WIDE_EVENTS[0]).splitlines()
    assert first == f"  → #12.1 {LONG}"
    assert second == f"    connection reset, 3 ms, next try {words.clock(AT)}"


def test_without_a_terminal_a_record_is_one_line() -> None:
    text = Text(
        form="compact", out_paint=PLAIN, err_paint=PLAIN, out_width=lambda: None,
        err_width=lambda: None,
    )  # fmt: skip
    for event in (WIDE_EVENTS[0], *WIDE_EVENTS[2:5]):
        assert draw(text, event).count("\n") == 1


def test_a_wrapped_line_keeps_its_colours() -> None:
    text = Text(
        form="compact", out_paint=COLOURED, err_paint=COLOURED, out_width=lambda: 80,
        err_width=lambda: 80,
    )  # fmt: skip
    drawn = draw(text, AppChanged("paused", LONG, detail="It accepts connections and closes them."))
    assert drawn.count("\n") == 2
    assert f"{COLOURED.bad}is down{COLOURED.off}" in drawn


PAGE = "http://127.0.0.1:4040/#token=abc"
LINKED = "\x1b]8;;http://127.0.0.1:4040/?id=12#token=abc\x1b\\#12\x1b]8;;\x1b\\"


def linking(form: Form) -> Text:
    text = Text(
        form=form, out_paint=COLOURED, err_paint=COLOURED, out_width=lambda: 80,
        err_width=lambda: 80, links=True,
    )  # fmt: skip
    draw(text, replace(FORWARDED, inspector_url=PAGE))
    return text


def test_the_id_of_a_line_leads_to_the_inspector() -> None:
    text = linking("compact")
    line = draw(text, delivery(), attempt())
    assert LINKED in line
    assert len(bare(line).rstrip()) <= 80
    draw(text, delivery(13, status=None))
    rest(text)
    late = draw(text, answered(13), attempt(13))
    assert "?id=13#token=abc" in late
    assert bare(late).startswith("#13 → ")


def test_the_id_of_a_block_leads_to_the_inspector() -> None:
    block = draw(linking("normal"), delivery(), attempt())
    assert "http://127.0.0.1:4040/?id=12#token=abc\x1b\\" in block
    assert len(bare(block).splitlines()[0]) == 80


def test_without_an_inspector_an_id_leads_nowhere() -> None:
    text = linking("compact")
    draw(text, FORWARDED)
    assert "\x1b]8" not in draw(text, delivery(), attempt())


def quiet(form: Form = "normal") -> Text:
    text = Text(
        form=form, out_paint=PLAIN, err_paint=PLAIN, out_width=lambda: 80, err_width=lambda: 80,
        quiet=True,
    )  # fmt: skip
    assert draw(text, replace(FORWARDED, callback_url="https://x.example/")) == (
        "\nCallback URL\nhttps://x.example/\n\n"
    )
    return text


@pytest.mark.parametrize("form", ["compact", "normal", "full"])
def test_quietly_only_what_failed_or_was_rejected_is_shown(form: Form) -> None:
    text = quiet(form)
    assert draw(text, delivery(1), attempt(1), delivery(2), attempt(2)) == ""
    assert draw(text, NonWebhookRequest("GET", "/", 200, AT), LeftOut("requests", 9)) == ""
    failed = draw(text, delivery(3, status=502), refused_by_app(3))
    assert "#3 " in failed
    assert "connection refused" in failed
    rejected = delivery(4, status=403, verdict=Verdict(State.MISSING, "no header"))
    assert "#4 " in draw(text, rejected)
    assert "#5 " in draw(text, delivery(5, status=500), attempt(5, status=500))
    assert rest(text) == []


def test_quietly_a_delivery_that_waits_is_shown_once_it_failed() -> None:
    text = quiet()
    assert draw(text, delivery(1, status=None)) == ""
    assert not text.holds
    assert rest(text) == []
    assert "timeout" in draw(
        text, attempt(1, status=None, error="timeout"), answered(1, status=504)
    )
    assert draw(text, delivery(2, status=None)) == ""
    assert draw(text, attempt(2), answered(2)) == ""


def test_quietly_a_replay_and_a_success_after_a_failure_are_shown() -> None:
    text = quiet()
    assert draw(text, attempt(1)) == ""
    assert "200 in 3 ms" in draw(text, attempt(1, number=2))
    assert "replay" in draw(text, attempt(1, replay=True))
