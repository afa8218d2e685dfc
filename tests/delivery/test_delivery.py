import base64
import gzip
import hashlib
import json
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_hook.delivery import (
    Attempt,
    Delivery,
    Headers,
    Source,
    attempt_json,
    delivery_json,
    dump,
    timestamp,
)
from tiktok_hook.exact_json import dumps
from tiktok_hook.signature import State, Verdict

EVENT = (
    b'{"client_key":"awexampleclient1","event":"post.publish.failed","create_time":1756684800,'
    b'"user_openid":"u-1","content":"{\\"publish_id\\":\\"v_pub_url~1\\",'
    b'\\"reason\\":\\"video_pull_failed\\"}"}'
)


def delivery(body: bytes = EVENT, **changes: Any) -> Delivery:
    return Delivery(**{"received_at": 1_795_410_390.123456, "body": body, **changes})


def fingerprint(body: bytes) -> bytes | None:
    return delivery(body).fingerprint


def parsed(shape: bytes) -> Any:
    return json.loads(shape)


class TestFingerprint:
    def test_it_is_the_same_for_the_same_event(self) -> None:
        assert fingerprint(EVENT) == fingerprint(EVENT)
        assert len(fingerprint(EVENT) or b"") == 16

    def test_it_stays_the_same_in_later_versions(self) -> None:
        """It is stored: another one would cut the link to what came before an update."""
        assert (fingerprint(EVENT) or b"").hex() == "0b18049cac08d8ba6eb3585e82209b08"

    @given(st.dictionaries(st.text(max_size=3), st.integers() | st.text() | st.lists(st.text())))
    def test_a_number_as_it_was_written_changes_nothing_around_it(self, content: Any) -> None:
        """Only with such a number is our own JSON written; both have to agree on all the rest."""
        body = json.dumps({"event": "e", "content": json.dumps(content)}).encode()
        event = delivery(body).event
        assert event is not None
        text = dumps([None, "e", None, None, event.content], sort_keys=True)
        assert fingerprint(body) == hashlib.blake2b(text.encode(), digest_size=16).digest()

    @pytest.mark.parametrize(
        "body",
        [
            EVENT.replace(b",", b", ").replace(b'":', b'" : '),
            EVENT.replace(b'{\\"publish_id', b'{ \\"publish_id'),
            EVENT.replace(b"v_pub", b"\\\\u0076_pub"),
            EVENT.replace(b'"u-1"', b'"\\u0075-1"'),
            EVENT[:1] + b'"user_openid":"u-1",' + EVENT[1:].replace(b'"user_openid":"u-1",', b""),
            EVENT[:-1] + b',"more":1}',
        ],
        ids=[
            "spaces",
            "spaces inside content",
            "escapes inside content",
            "escapes",
            "another order of keys",
            "a key that does not count",
        ],
    )
    def test_spelling_does_not_count(self, body: bytes) -> None:
        assert body != EVENT
        assert fingerprint(body) == fingerprint(EVENT)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"client1", b"client2"),
            (b"post.publish.failed", b"post.publish.complete"),
            (b"1756684800", b"1756684801"),
            (b"u-1", b"u-2"),
            (b"v_pub_url~1", b"v_pub_url~2"),
            (b'"u-1"', b"null"),
            (b"}", b',\\"post_id\\":7512345678901234567}'),
        ],
        ids=["client_key", "event", "create_time", "user_openid", "content", "no user", "more"],
    )
    def test_every_value_counts(self, old: bytes, new: bytes) -> None:
        assert fingerprint(EVENT.replace(old, new, 1)) not in {None, fingerprint(EVENT)}

    def test_the_last_digit_of_a_large_integer_counts(self) -> None:
        one, other = (
            EVENT.replace(b'\\"v_pub_url~1\\"', number)
            for number in (b"7512345678901234567", b"7512345678901234568")
        )
        assert fingerprint(one) != fingerprint(other)

    @pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b'{"event":5}', b"{"], ids=repr)
    def test_a_body_that_is_not_an_event_has_none(self, body: bytes) -> None:
        assert fingerprint(body) is None

    def test_a_lone_surrogate_is_parsed(self) -> None:
        assert fingerprint(EVENT.replace(b"u-1", b"\\ud800")) is not None


class TestDelivery:
    def test_it_cannot_be_changed(self) -> None:
        with pytest.raises(FrozenInstanceError):
            delivery().status = 200  # type: ignore[misc]  # that is the point

    def test_a_stored_copy_does_not_parse_again(self) -> None:
        original = delivery()
        event, summary = original.event, original.summary
        copy = original.replace(id=7, status=200)
        assert (copy.id, copy.status, copy.body) == (7, 200, EVENT)
        assert copy.event is event
        assert copy.summary is summary
        assert copy.fingerprint == original.fingerprint
        assert copy == delivery(id=7, status=200)

    def test_a_copy_has_no_field_that_the_class_lacks(self) -> None:
        with pytest.raises(TypeError, match="Delivery has no state"):
            delivery().replace(state="valid")

    def test_a_copy_with_another_body_is_parsed_again(self) -> None:
        original = delivery()
        assert original.event is not None
        assert original.replace(body=b"").event is None

    def test_a_copy_has_no_fields_of_its_own(self) -> None:
        with pytest.raises(TypeError, match="no number"):
            delivery().replace(number=1)

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            (EVENT, "video_pull_failed for v_pub_url~1"),
            (b"12345", "not a TikTok event (5 bytes)"),
            (b'{"tts_notification_id":"7"}', "TikTok Shop, another platform (27 bytes)"),
            (b'{"entry":[{"lead_id":1}]}', "TikTok Lead Generation, another platform (25 bytes)"),
            (b"", "empty body"),
        ],
        ids=["an event", "something else", "a shop", "a lead", "nothing"],
    )
    def test_the_summary_names_the_event(self, body: bytes, words: str) -> None:
        assert words in delivery(body).summary

    def test_its_target_is_path_and_query(self) -> None:
        assert delivery(path="/a%20b", query="c=d").target == "/a%20b?c=d"
        assert delivery(path="/a").target == "/a"

    def test_repeated_headers_are_joined_whatever_their_case(self) -> None:
        headers: Headers = (("X-A", "1"), ("Y", "2"), ("x-a", "3"))
        assert delivery(headers=headers).header("X-a") == "1,3"
        assert delivery(headers=headers).header("Z") is None


class TestAttempt:
    def test_it_is_named_by_its_delivery_and_number(self) -> None:
        assert Attempt(delivery_id=12, number=3, started_at=0, target="http://x/").id == "12.3"

    @pytest.mark.parametrize(
        ("changes", "ended", "failed"),
        [
            ({}, False, False),
            ({"status": 200, "duration_ms": 1.0}, True, False),
            ({"status": 201, "duration_ms": 1.0}, True, True),
            ({"status": 500, "duration_ms": 1.0}, True, True),
            ({"error": "refused", "duration_ms": 0.0}, True, True),
        ],
        ids=["running", "200", "201", "500", "refused"],
    )
    def test_only_200_is_success(
        self, changes: dict[str, Any], *, ended: bool, failed: bool
    ) -> None:
        attempt = Attempt(delivery_id=1, started_at=0, target="http://x/", **changes)
        assert (attempt.ended, attempt.failed) == (ended, failed)


class TestShapeOfADelivery:
    def test_it_is_the_documented_one(self) -> None:
        given = delivery(
            id=12,
            source=Source.TRIGGER,
            remote_addr="203.0.113.7",
            path="/hook",
            query="a=b",
            headers=(("Content-Type", "application/json"), ("X", "\xe9")),
            verdict=Verdict(State.INVALID, "why", "do this", age_seconds=1.23456, secret=None),
            status=403,
            redelivery_of=3,
            redelivery_number=2,
        )
        assert parsed(dump(delivery_json(given))) == {
            "id": 12,
            "received_at": "2026-11-23T05:06:30.123456Z",
            "source": "trigger",
            "remote_addr": "203.0.113.7",
            "method": "POST",
            "path": "/hook",
            "query": "a=b",
            "http_version": "1.1",
            "headers": [["Content-Type", "application/json"], ["X", "\xe9"]],
            "body": EVENT.decode(),
            "event": {
                "client_key": "awexampleclient1",
                "event": "post.publish.failed",
                "create_time": 1756684800,
                "user_openid": "u-1",
                "content": {"publish_id": "v_pub_url~1", "reason": "video_pull_failed"},
            },
            "summary": "video_pull_failed for v_pub_url~1",
            "known": True,
            "verdict": {
                "state": "invalid",
                "reason": "why",
                "hint": "do this",
                "age_seconds": 1.235,
                "secret": None,
            },
            "redelivery_of": 3,
            "redelivery_number": 2,
            "status": 403,
            "imported_id": None,
            "body_bytes": len(EVENT),
            "body_state": "exact",
            "scheme": "",
            "listener": None,
        }

    def test_a_body_that_was_cut_has_its_full_length(self) -> None:
        cut = delivery(b'{"event":', body_bytes=20_000)
        assert parsed(dump(delivery_json(cut)))["body_bytes"] == 20_000
        assert cut.summary == "not a TikTok event (20000 bytes, cut)"

    def test_the_event_of_another_body_is_null(self) -> None:
        shape = parsed(dump(delivery_json(delivery(b"x"))))
        assert (shape["event"], shape["known"], shape["body"]) == (None, False, "x")

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            EVENT,
            "\ufeff{} \u202e é \U0001f600\x7f\x85".encode(),
            b"\xff\x00\x80",
            b"a\0b",
            b"\x1b[31m",
            b"\r\n\t",
            b"\x1f\x8b\x08gzip",
            b'"\\ud800"',
        ],
        ids=["empty", "event", "unicode", "binary", "NUL", "escape", "lines", "gzip", "surrogate"],
    )
    def test_the_bytes_of_the_body_come_back(self, body: bytes) -> None:
        shape = parsed(dump(delivery_json(delivery(body))))
        assert ("body" in shape) != ("body_base64" in shape)
        if "body" in shape:
            assert shape["body"].encode() == body
        else:
            assert base64.b64decode(shape["body_base64"], validate=True) == body

    @pytest.mark.parametrize(
        "number",
        ["7512345678901234567", "123456789012345678901234567890", "1.10", "1e400", "-0.0", "1E5"],
    )
    def test_numbers_are_written_as_they_came(self, number: str) -> None:
        line = dump(delivery_json(delivery(b'{"event":"x","n":%s}' % number.encode())))
        assert b'"event":{"event":"x","n":%s}' % number.encode() in line

    @pytest.mark.parametrize(
        "changes",
        [
            {"body": b'{"event":"\\ud800"}'},
            {"path": "/\udcff"},
            {"headers": (("X", "\udcff"),)},
        ],
        ids=["event", "path", "header"],
    )
    def test_a_lone_surrogate_is_still_written(self, changes: dict[str, Any]) -> None:
        line = dump(delivery_json(delivery(**changes)))
        assert line.isascii()
        assert parsed(line)["id"] == 0

    @pytest.mark.parametrize(
        "body", [EVENT, b"\xff", b'{"event":"a\\nb","n":1.10}', "é\u2028".encode()], ids=repr
    )
    def test_it_is_one_line(self, body: bytes) -> None:
        assert len(dump(delivery_json(delivery(body))).split(b"\n")) == 1


class TestShapeOfAnAttempt:
    def test_it_is_the_documented_one(self) -> None:
        given = Attempt(
            delivery_id=12,
            number=1,
            started_at=1_795_410_390.0,
            target="http://127.0.0.1:3000/hook",
            replay=True,
            resigned=True,
            request_headers=(("Host", "127.0.0.1:3000"),),
            request_body=b"\xff",
            status=500,
            headers=(("A", "b"),),
            body=b"oops",
            truncated=True,
            duration_ms=4.56789,
            hint="read the log",
        )
        assert parsed(dump(attempt_json(given))) == {
            "id": "12.1",
            "delivery_id": 12,
            "number": 1,
            "started_at": "2026-11-23T05:06:30.000000Z",
            "target": "http://127.0.0.1:3000/hook",
            "replay": True,
            "resigned": True,
            "variant": "",
            "expects_rejection": False,
            "request": {
                "method": "POST",
                "headers": [["Host", "127.0.0.1:3000"]],
                "body_base64": "/w==",
            },
            "status": 500,
            "duration_ms": 4.568,
            "headers": [["A", "b"]],
            "body": "oops",
            "truncated": True,
            "error": None,
            "hint": "read the log",
            "app": None,
        }

    def test_a_body_that_was_not_changed_is_not_repeated(self) -> None:
        shape = attempt_json(Attempt(delivery_id=1, started_at=0, target="http://x/"))
        assert set(shape["request"]) == {"method", "headers"}
        assert (shape["status"], shape["duration_ms"]) == (None, None)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1_795_410_390.5, "2026-11-23T05:06:30.500000Z"),
        (1_795_410_390.000001, "2026-11-23T05:06:30.000001Z"),
        (-1.5, "1969-12-31T23:59:58.500000Z"),
    ],
    ids=["epoch", "half a second", "a microsecond", "before the epoch"],
)
def test_times_are_utc_to_the_microsecond(seconds: float, text: str) -> None:
    assert timestamp(seconds) == text


def test_a_compressed_answer_is_written_as_it_came_and_as_text() -> None:
    packed = gzip.compress(b'{"error":"no such id"}')
    attempt = Attempt(
        delivery_id=1,
        started_at=0,
        target="http://x/",
        status=500,
        headers=(("Content-Encoding", "gzip"),),
        body=packed,
    )
    shape = attempt_json(attempt)
    assert base64.b64decode(shape["body_base64"]) == packed
    assert shape["body_decoded"] == '{"error":"no such id"}'
