import json
from typing import Any

import pytest

from tests.terminal.samples import (
    AT,
    TARGET,
    answered,
    attempt,
    delivery,
    event,
    refused_by_app,
)
from tiktok_hook.delivery import (
    AppChanged,
    AttemptEnded,
    DeliveryStored,
    NonWebhookRequest,
    Notice,
    Ready,
    SelfCheck,
    Summary,
    TunnelChanged,
    attempt_json,
    delivery_json,
    dump,
)
from tiktok_hook.terminal.jsonl import JsonLines

READY = Ready(callback_url="https://x.example/hook", local_url="http://127.0.0.1:3000")
SINCE = "2025-09-01T00:00:01.250000Z"


def draw(*items: object, dropped: int = 0) -> tuple[list[dict[str, Any]], str]:
    """What goes to stdout, parsed line by line, and what goes to stderr."""
    pieces = list(JsonLines().draw([event(item) for item in items], dropped))
    data = "".join(text for channel, text in pieces if channel == "out")
    assert all(text.endswith("\n") for _, text in pieces)
    return (
        [json.loads(line) for line in data.splitlines()],
        "".join(text for channel, text in pieces if channel == "err"),
    )


def test_a_delivery_and_an_attempt_have_the_one_shape_and_their_type() -> None:
    one, tried = delivery(status=None), attempt()
    assert draw(DeliveryStored(one), tried)[0] == [
        {"type": "delivery", **json.loads(dump(delivery_json(one)))},
        {
            "type": "attempt",
            **json.loads(dump(attempt_json(tried))),
            "will_retry": False,
            "next_try_at": None,
        },
    ]


def test_an_attempt_has_whether_and_when_the_next_one_follows() -> None:
    failed = AttemptEnded(attempt(status=503), will_retry=True, next_try_at=1756684801.25)
    ((line,), _) = draw(failed)
    assert (line["will_retry"], line["next_try_at"]) == (True, SINCE)


ANSWER = {
    "type": "answer",
    "delivery_id": 12,
    "status": 200,
    "error": None,
    "duration_ms": 3.2,
    "event": "post.publish.complete",
    "verdict": "valid",
    "user_openid": "-000ExampleOpenIdExampleOpenIdExampl",
}


def test_an_answer_follows_its_delivery_and_is_enough_for_who_wants_results() -> None:
    lines, _ = draw(DeliveryStored(delivery(status=None)), attempt(), answered())
    assert [line["type"] for line in lines] == ["delivery", "attempt", "answer"]
    assert lines[0]["status"] is None
    assert lines[-1] == ANSWER


@pytest.mark.parametrize(
    ("events", "changes"),
    [
        ([answered(status=200)], {"duration_ms": None}),
        ([refused_by_app(), answered(status=502)],
         {"status": 502, "error": "refused", "duration_ms": 0.4}),
        ([attempt(replay=True), answered()], {"duration_ms": None}),
        ([attempt(number=2), answered()], {"duration_ms": None}),
        ([Summary()], {"status": None, "duration_ms": None}),
        ([attempt(status=None, error="cut"), Summary()], {"status": None, "error": "cut"}),
    ],
    ids=["no app", "refused", "a replay meanwhile", "another target", "cut off", "cut attempt"],
)  # fmt: skip
def test_an_answer_has_how_it_came_about(events: list[object], changes: dict[str, Any]) -> None:
    lines, _ = draw(DeliveryStored(delivery(status=None)), *events)
    answers = [line for line in lines if line["type"] == "answer"]
    assert answers == [ANSWER | changes]


def test_a_delivery_that_only_its_answer_brings_has_both_lines() -> None:
    lines, _ = draw(answered())
    assert [line["type"] for line in lines] == ["delivery", "answer"]


def test_every_delivery_has_exactly_one_answer_however_slowly_it_is_read() -> None:
    view = JsonLines()
    ids = range(1, 300)
    events = [DeliveryStored(delivery(number, status=None)) for number in ids]
    events_after: list[object] = [answered(number) for number in reversed(ids)]
    text = "".join(piece.text for piece in view.draw([*events, *events_after, Summary()], 0))
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["id"] for line in lines if line["type"] == "delivery"] == list(ids)
    answers = [line["delivery_id"] for line in lines if line["type"] == "answer"]
    assert answers == list(reversed(ids))


@pytest.mark.parametrize(
    ("item", "shape"),
    [
        (
            READY,
            {
                "type": "ready",
                "callback_url": "https://x.example/hook",
                "local_url": "http://127.0.0.1:3000",
                "inspector_url": None,
                "self_check": "skipped",
                "settings_from": [],
            },
        ),
        (
            TunnelChanged("reconnecting", "https://x.example", AT, "it hung up"),
            {
                "type": "tunnel",
                "state": "reconnecting",
                "url": "https://x.example",
                "since": SINCE,
                "error": "it hung up",
            },
        ),
        (AppChanged("up", TARGET), {"type": "app", "state": "up", "target": TARGET}),
        (AppChanged("exited", None, 3), {"type": "app", "state": "exited", "exit_code": 3}),
    ],
    ids=["ready", "tunnel", "app", "command"],
)
def test_each_record_has_its_line(item: object, shape: dict[str, Any]) -> None:
    before = () if item is READY else (READY,)
    lines, words = draw(*before, item)
    assert (lines[-1], words) == (shape, "")


def test_the_summary_has_the_counts_of_the_exit_screen() -> None:
    found = Summary(started_at=AT, seconds=3.14159, received=2, failed=(12,), p95_ms=1.23456)
    (line,), _ = draw(found)
    assert line["type"] == "summary"
    assert line["started_at"] == SINCE
    assert (line["received"], line["failed"], line["p95_ms"]) == (2, [12], 1.235)
    assert set(line) == {"type", *Summary.__slots__}


def test_a_tunnel_state_is_a_line_when_it_changes_after_the_start() -> None:
    states = [
        TunnelChanged("connecting", None, AT),
        *(TunnelChanged("online", "https://x.example", AT, latency_ms=n) for n in range(5)),
        TunnelChanged("closed", "https://x.example", AT),
    ]
    lost = TunnelChanged("reconnecting", "https://x.example", AT)
    lines, _ = draw(*states[:-1], READY, *states[1:-1], lost, lost, *states[1:])
    assert [line.get("state") for line in lines] == [None, "reconnecting", "online"]


def test_words_for_people_go_to_stderr() -> None:
    failed = Ready(
        callback_url="https://x.example/",
        local_url="http://127.0.0.1:3000",
        self_check=SelfCheck(result="failed", hint="Press Test URL."),
    )
    lines, words = draw(failed, Notice("Mind this.", "Do that."), "app | hello", dropped=1240)
    assert lines.pop() == {"type": "dropped", "lines": 1240}
    assert len(lines) == 1
    assert "Press Test URL." in words
    assert "Warning: Mind this.\n  Do that.\n" in words
    assert "app | hello\n" in words
    assert "1 240 lines were left out" in words


def test_a_non_webhook_request_is_not_a_line() -> None:
    assert draw(NonWebhookRequest("GET", "/", 200, AT)) == ([], "")


def test_numbers_past_what_a_float_holds_stay_exact() -> None:
    numbers = '"id":7545201234567890123,"big":123456789012345678901234,"f":1.10'
    body = f'{{"event":"x","content":{{{numbers}}}}}'.encode()
    (piece,) = JsonLines().draw([DeliveryStored(delivery(body=body))], 0)
    assert numbers in piece.text
