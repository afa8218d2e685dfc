"""What strangers can send without end takes a bounded part of the output."""

import io
import json

import pytest

from tests.deadline import DEADLINE
from tests.terminal.samples import AT, delivery, events_of
from tiktok_hook.delivery import Delivery, NonWebhookRequest
from tiktok_hook.signature import State, Verdict
from tiktok_hook.terminal import console
from tiktok_hook.terminal.flood import (
    FIRST_REPORT_SECONDS,
    LONGEST_REPORT_SECONDS,
    FloodGate,
    LeftOut,
)

FORGED = Verdict(State.MISSING, "no Tiktok-Signature header")
FORMATS: list[console.Format] = ["compact", "normal", "full", "json"]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def gate(clock: Clock) -> FloodGate:
    return FloodGate("rejected", 10, 1 / 30, clock=clock)


def forged(number: int = 1, fill: str = "e", chars: int = 340_000) -> Delivery:
    """A delivery whose every field is as long as a request may be."""
    content = json.dumps({"publish_id": fill * (chars // 10)})
    body = json.dumps({"event": fill * (chars // 6), "user_openid": fill, "content": content})
    return delivery(
        number,
        body=body.encode(),
        verdict=FORGED,
        status=403,
        path="/" + "p" * 30_000,
        query="q" * 30_000,
        headers=(("X-Long", "h" * 60_000), *((f"X-{each}", "h" * 500) for each in range(100))),
        remote_addr="a" * 4000,
    )


def printed(form: console.Format, *items: object) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    # A stopped clock: no allowance grows while a busy machine prints.
    with console.make(form, out=out, err=err, clock=Clock()) as screen:
        for item in items:
            for event in events_of(item):
                screen.show(event)
        assert screen.flush(DEADLINE)  # closing gives a busy machine 2 s only
    return out.getvalue(), err.getvalue()


def test_the_first_ten_pass_and_then_one_every_half_minute() -> None:
    clock = Clock()
    one = gate(clock)
    assert [one.admit() for _ in range(12)] == [True] * 10 + [False] * 2
    clock.now += 29.0
    assert not one.admit()
    clock.now += 2.0
    assert one.admit()
    assert not one.admit()
    clock.now += 3600.0
    assert [one.admit() for _ in range(12)] == [True] * 10 + [False] * 2


def test_what_is_not_admitted_is_counted_once_and_ever_more_rarely() -> None:
    clock = Clock()
    one = gate(clock)
    reports, waits, since = 0, [], clock.now
    for _ in range(3600):
        clock.now += 1.0
        for _ in range(100):
            one.admit()
        for left_out in one.due():
            assert left_out.count > 0
            reports += left_out.count
            waits.append(clock.now - since)
            since = clock.now
    assert waits[0] >= FIRST_REPORT_SECONDS
    assert waits == sorted(waits)
    assert max(waits) <= LONGEST_REPORT_SECONDS
    assert len(waits) < 15
    reports += sum(each.count for each in one.due(final=True))
    admitted = 10 + 3600 // 30
    assert reports == pytest.approx(360_000 - admitted, abs=1)


def test_after_a_quiet_time_a_flood_is_reported_as_soon_as_the_first() -> None:
    clock = Clock()
    one = gate(clock)
    for _ in range(5):
        for _ in range(100):
            one.admit()
        list(one.due())
        clock.now += 700.0
        list(one.due())
    clock.now += 3600.0
    list(one.due())
    for _ in range(100):
        one.admit()
    assert list(one.due()) == []
    clock.now += FIRST_REPORT_SECONDS
    assert list(one.due()) == [LeftOut("rejected", 90)]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "fill", ["e", "\x1b", "\u202e", "\U000e0041", '"', "日"],
    ids=["letters", "escapes", "bidi", "tags", "quotes", "wide"],
)  # fmt: skip
def test_a_rejected_delivery_takes_a_bounded_part_of_the_output(
    form: console.Format, fill: str
) -> None:
    out, err = printed(form, forged(fill=fill))
    assert out
    longest = {"compact": 4_000, "normal": 4_000, "full": 4_000, "json": 128_000}[form]
    assert len((out + err).encode()) < longest


def test_an_accepted_delivery_is_exact_in_json_however_long() -> None:
    long = forged().replace(verdict=Verdict(State.VALID), status=200)
    shape = json.loads(printed("json", long)[0].splitlines()[0])
    assert shape["body"].encode() == long.body
    assert shape["path"] == long.path
    assert shape["headers"] == [list(each) for each in long.headers]


def test_a_rejected_delivery_has_the_length_of_its_body_in_json() -> None:
    shape = json.loads(printed("json", forged())[0].splitlines()[0])
    assert len(shape["body"]) == 16 * 1024
    assert shape["body_bytes"] == len(forged().body)
    assert shape["event"] is None
    assert shape["verdict"]["state"] == "missing"


@pytest.mark.parametrize("form", FORMATS)
def test_a_flood_of_rejected_deliveries_becomes_a_count(form: console.Format) -> None:
    out, err = printed(form, *(forged(number, chars=600) for number in range(1, 501)))
    shown = {"compact": 10, "normal": 10, "full": 10, "json": 100}[form]
    if form == "json":
        lines = [json.loads(line) for line in out.splitlines()]
        assert [line["type"] for line in lines] == ["delivery", "answer"] * shown + ["dropped"]
        assert lines[-1]["rejected"] == 500 - shown
    else:
        assert f"… {500 - shown} more rejected deliveries not shown" in err
        assert sum(f"#{number} " in out for number in range(1, 501)) == shown


@pytest.mark.parametrize("form", FORMATS)
def test_unverified_pings_are_limited_though_they_are_answered_200(form: console.Format) -> None:
    body = b'{"event":"tiktok.ping","x":"' + b"y" * 10_000 + b'"}'
    pings = [delivery(each, body=body, verdict=FORGED) for each in range(1, 501)]
    out, err = printed(form, *pings)
    assert len(out) + len(err) < (4_000_000 if form == "json" else 8_000)
    assert err.count("does not verify") == (0 if form == "json" else 1)


@pytest.mark.parametrize("form", ["compact", "normal", "full"])
def test_a_flood_of_other_requests_becomes_a_count(form: console.Format) -> None:
    out, err = printed(
        form, *(NonWebhookRequest("GET", f"/{each}", 408, AT, "slow") for each in range(500))
    )
    assert out == ""
    assert err.count(" 408 ") == 10
    assert err.endswith("… 490 more non-webhook requests not shown\n")


@pytest.mark.parametrize("form", FORMATS)
def test_a_flood_hides_no_verified_delivery(form: console.Format) -> None:
    items: list[object] = []
    for number in range(1, 51):
        items.append(delivery(10_000 + number))
        items += [forged(number * 10 + each, chars=600) for each in range(9)]
        items += [NonWebhookRequest("GET", "/", 200, AT) for _ in range(9)]
    out, _ = printed(form, *items)
    for number in range(1, 51):
        shown = f'"id":{10_000 + number},' if form == "json" else f"#{10_000 + number} "
        assert shown in out


def test_the_method_and_path_of_a_non_webhook_request_are_cut() -> None:
    _, err = printed(
        "compact", NonWebhookRequest("M" * 60_000, "/" + "p" * 60_000, 405, AT, "r" * 60_000)
    )
    assert len(err) < 1_000
