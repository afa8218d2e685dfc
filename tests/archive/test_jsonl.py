import io
import json
from dataclasses import replace
from typing import Any

import pytest

from tests.archive.samples import (
    ATTEMPTS,
    AWKWARD,
    as_imported,
    entry,
    everything,
    exported,
    imported,
    lines,
    loaded,
    minimal,
)
from tests.store.samples import delivery
from tiktok_hook import archive
from tiktok_hook.delivery import Source
from tiktok_hook.errors import UsageError
from tiktok_hook.signature import State, sign
from tiktok_hook.store import open_store

SHAPE = lines(minimal())


def attempt_line(delivery_id: int, **changes: Any) -> dict[str, Any]:
    return {
        "type": "attempt",
        "delivery_id": delivery_id,
        "started_at": "2026-11-23T08:00:00Z",
        "target": "http://127.0.0.1:3000/",
        "request": {},
        **changes,
    }


@pytest.mark.parametrize("name", AWKWARD)
def test_a_delivery_comes_back_as_it_was(name: str) -> None:
    sent = AWKWARD[name]
    (found,) = loaded(exported([entry(sent, 7)]))
    assert found.delivery == as_imported(sent)


def test_a_cut_body_comes_back_with_its_length() -> None:
    sent = delivery(b'{"event":', body_bytes=20_000)
    (found,) = loaded(exported([entry(sent, 7)]))
    assert found.delivery.body_bytes == 20_000


async def test_attempts_come_back_with_their_delivery() -> None:
    sent = entry(AWKWARD["event"], 7, ATTEMPTS)
    (found,) = await imported(exported([sent]))
    assert found.attempts == tuple(replace(each, delivery_id=1) for each in sent.attempts)


async def test_a_history_of_hundreds_has_identical_bytes_after_a_round_trip() -> None:
    sent = [entry(delivery(), number, ATTEMPTS[:1]) for number in range(1, 601)]
    found = await imported(exported(sent))
    assert [each.delivery.body for each in found] == [each.delivery.body for each in sent]
    assert [each.delivery.imported_id for each in found] == list(range(1, 601))
    assert all(len(each.attempts) == 1 for each in found)


def test_each_line_is_the_shape_that_listen_prints() -> None:
    first, second = exported([entry(AWKWARD["event"], 7, ATTEMPTS[:1])]).splitlines()
    assert json.loads(first)["type"] == "delivery"
    assert json.loads(second)["id"] == "7.1"


def test_other_lines_that_listen_prints_are_skipped() -> None:
    others = [{"type": kind} for kind in ("ready", "tunnel", "app", "summary")]
    assert len(loaded(lines(*others, minimal(id=3), *others))) == 1


def test_an_attempt_may_come_before_its_delivery() -> None:
    (found,) = loaded(lines(attempt_line(3, status=200), minimal(id=3)))
    assert [each.status for each in found.attempts] == [200]


def test_of_two_files_put_together_each_attempt_goes_to_its_own() -> None:
    first, second = loaded(
        lines(
            minimal(id=3),
            attempt_line(3, status=200),
            minimal(id=3),
            attempt_line(3, status=500),
        )
    )
    assert [each.status for each in first.attempts + second.attempts] == [200, 500]


def test_attempts_of_deliveries_that_are_not_there_are_counted() -> None:
    capture = archive.load(io.BytesIO(lines(minimal(id=3), attempt_line(4))), "FILE")
    assert (capture.deliveries, capture.attempts, capture.strays) == (1, 0, 1)


@pytest.mark.parametrize(
    "data",
    [b"\xef\xbb\xbf" + SHAPE, b"\n \n" + SHAPE, SHAPE.replace(b"\n", b"\r\n"), SHAPE.rstrip()],
    ids=["byte-order-mark", "blank-lines", "crlf", "no-last-newline"],
)
def test_what_editors_do_to_a_file_does_no_harm(data: bytes) -> None:
    assert len(loaded(data)) == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"nonsense\n", "line 2: not JSON: expecting value at column 1"),
        (b"\xff\n", "line 2: not UTF-8 text"),
        (b"[]\n", "line 2: it is not a JSON object"),
        (lines({"type": "event"}), "line 2: type is 'event', not delivery or attempt"),
        (lines(minimal(received_at=None)), "line 2: received_at is not a string"),
        (lines({"type": "delivery"}), "line 2: received_at is missing"),
        (lines(minimal(received_at="now")), "line 2: received_at is not a time such as"),
        (
            lines(minimal(received_at="9999-12-31T23:59:59-14:00")),
            "line 2: received_at is not a time such as",
        ),
        (
            lines(minimal(received_at="0001-01-01T00:00:00+14:00")),
            "line 2: received_at is not a time such as",
        ),
        (lines(minimal(body=5)), "line 2: body is not a string"),
        (lines(minimal(body_base64="?")), "line 2: body_base64 is not base64"),
        (lines(minimal(body="\ud800")), "line 2: body is not Unicode text"),
        (lines(minimal(headers=[["a"]])), "line 2: headers is not a list of [name, value]"),
        (lines(minimal(headers=[["a", "\u20ac"]])), "line 2: headers is not Latin-1"),
        (lines(minimal(method="P OST")), "line 2: method is not an HTTP method"),
        (lines(minimal(path="/a\r\nHost: b")), "line 2: path is not possible in a request line"),
        (lines(minimal(id=0)), "line 2: id is not a positive number"),
        (lines(minimal(id=1 << 64)), "line 2: id is not a whole number"),
        (lines(minimal(status=20)), "line 2: status is not an HTTP status"),
        (lines(minimal(body_state="good")), "line 2: body_state is not one of exact, missing"),
        (lines(minimal(scheme="ftp")), "line 2: scheme is not one of http, https"),
        (lines(attempt_line(1, request=None)), "line 2: request is not a JSON object"),
        (lines(attempt_line(1, replay="no")), "line 2: replay is not true or false"),
        (lines(attempt_line(1, duration_ms=-1)), "line 2: duration_ms is negative"),
        (b"[" * 100_000 + b"\n", "line 2: nested too deep"),
        (b'{"received_at":NaN}\n', "line 2: NaN is not JSON"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_with_the_reason(line: bytes, reason: str) -> None:
    with pytest.raises(UsageError) as raised:
        loaded(SHAPE + line)
    assert str(raised.value).startswith(f"FILE, {reason}")
    assert raised.value.hint.startswith("Nothing was imported.")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "FILE is empty."),
        (b"\n\n", "FILE is empty."),
        (b"# Notes\n", "FILE, line 1: not JSON"),
        (b"\x89PNG\r\n\x1a\n", "FILE is a PNG image."),
        (lines({"type": "ready"}), "FILE contains no delivery."),
        (b'{"type":"delivery",\n', "FILE, line 1: not JSON"),
    ],
    ids=["empty", "blank", "text", "binary", "no-deliveries", "cut"],
)
def test_a_foreign_file_is_rejected(data: bytes, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        loaded(data)
    assert str(raised.value).startswith(message)


async def test_a_failure_halfway_leaves_nothing_in_the_history() -> None:
    data = exported([entry(delivery(), number) for number in range(1, 1501)])
    stream = io.BytesIO(data)
    capture = archive.load(stream, "FILE")
    stream.truncate(len(data) - 1000)  # somebody cuts the file meanwhile
    with open_store(None) as store:
        with pytest.raises(UsageError, match="changed while it was imported"):
            await archive.import_into(store, capture)
        assert everything(store) == []


@pytest.mark.parametrize(
    "stated",
    [
        {"state": "valid", "secret": 1, "age_seconds": 1.0},
        {"state": "stale", "reason": "as good as valid"},
        {"state": "good"},
        {"state": 10**40, "hint": ["x"]},
        5,
        None,
        "valid",
    ],
    ids=str,
)
def test_the_verdict_in_a_file_is_not_adopted(stated: object) -> None:
    (found,) = loaded(lines(minimal(verdict=stated, source="tiktok")))
    verdict = found.delivery.verdict
    assert (verdict.state, verdict.reason, verdict.secret) == (State.UNCHECKED, "imported", None)
    assert found.delivery.source is Source.IMPORT
    reported = isinstance(stated, dict) and isinstance(stated["state"], str)
    assert ("Verdict in the file:" in verdict.hint) == reported


@pytest.mark.parametrize("stated", [State.UNCHECKED, State.VALID, State.INVALID])
@pytest.mark.parametrize(
    ("secret", "state"), [("secret-of-the-app", State.VALID), ("another-secret", State.INVALID)]
)
async def test_with_a_secret_each_signature_is_checked_as_of_its_time(
    secret: str, state: State, stated: State
) -> None:
    body = delivery().body
    headers = (("Tiktok-Signature", sign(body, "secret-of-the-app", timestamp=1_795_410_390)),)
    sent = delivery(body, state=stated, headers=headers)
    with open_store(None) as store:
        options = archive.ImportOptions(secrets=[secret])
        capture = archive.load(io.BytesIO(exported([entry(sent)])), "FILE", options)
        await archive.import_into(store, capture)
        (found,) = everything(store)
    assert found.delivery.verdict.state is state
