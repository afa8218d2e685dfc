"""What a delivery has that the catalogue does not know, and what it lacks."""

import json
from typing import Any

import pytest
from hypothesis import given

from tests import fuzzing
from tiktok_hook.events import differences, parse, sample
from tiktok_hook.events.differences import MAX_DIFFERENCES
from tiktok_hook.sanitize import visible

Changes = dict[str, Any]
LACKS = object()


def found(name: str, envelope: Changes | None = None, content: Changes | None = None) -> list[str]:
    """The differences of a sample with some keys changed; `LACKS` takes a key out."""
    body = json.loads(sample(name))
    inner = {**json.loads(body["content"]), **(content or {})}
    inner = {key: value for key, value in inner.items() if value is not LACKS}
    body = {**body, "content": json.dumps(inner), **(envelope or {})}
    body = {key: value for key, value in body.items() if value is not LACKS}
    event = parse(json.dumps(body).encode())
    assert event is not None
    return [f"{each.path}: {each.words}" for each in differences(event)]


@pytest.mark.parametrize(
    ("name", "envelope", "expected"),
    [
        ("tiktok.ping", {"create_time": 1756684800}, "create_time: in seconds, known in millisec"),
        ("authorization.removed", {"create_time": 1756684800123}, "create_time: in milliseconds, "),
        ("authorization.removed", {"create_time": "1756684800"}, "create_time: a string, known as"),
        ("authorization.removed", {"create_time": LACKS}, "create_time: missing"),
        ("authorization.removed", {"client_key": 75123}, "client_key: an integer, known as a str"),
        ("authorization.removed", {"user_openid": ""}, "user_openid: empty"),
        ("authorization.removed", {"user_openid": 7528}, "user_openid: an integer, known as a st"),
        ("authorization.removed", {"user_openid": LACKS}, "user_openid: missing"),
        ("tiktok.ping", {"user_openid": "-000Real"}, "user_openid: not the digits of the captur"),
        ("portability.download.ready", {"user_openid": "-000"}, "user_openid: there, although"),
        ("minis.subscription.renew", {"user_openid": "-000"}, "user_openid: not empty, as it is"),
        ("authorization.removed", {"event_id": "7"}, "event_id: a new key, a string"),
        ("authorization.removed", {"\x1b[31m": [1]}, "\\x1b[31m: a new key, an array"),
        (
            "authorization.removed",
            {"content": {"reason": 1}},
            "content: an object in place of JSON",
        ),
        ("authorization.removed", {"content": "plain"}, "content: not JSON: expecting value"),
        ("authorization.removed", {"content": LACKS}, "content: missing"),
        (
            "post.publish.no_longer_publicaly_available",
            {"event": "post.publish.no_longer_publicly_available"},
            "event: TikTok for Developers spells it post.publish.no_longer_publicaly_available",
        ),
        (
            "post.publish.complete",
            {"event": "post.publish.completed"},
            "event: not in the catalogue; similar: post.publish.complete",
        ),
    ],
)
def test_a_difference_in_the_envelope_is_reported(
    name: str, envelope: Changes, expected: str
) -> None:
    (only,) = found(name, envelope)
    assert only.startswith(expected)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("authorization.removed", {"reason": 9}, ["content.reason: a new value, 9"]),
        (
            "authorization.removed",
            {"reason": "1"},
            ["content.reason: a string, known as an integer"],
        ),
        (
            "post.publish.failed",
            {"reason": "new_\u202ereason"},
            ["content.reason: a new value, new_\\u202ereason"],
        ),
        (
            "post.publish.complete",
            {"publish_id": "v_new~1"},
            ["content.publish_id: a new value, v_new~1"],
        ),
        (
            "post.publish.complete",
            {"publish_type": LACKS, "duration": 1.5},
            ["content.publish_type: missing", "content.duration: a new key, a number"],
        ),
        ("post.publish.publicly_available", {"post_id": [7545201234567890123]}, []),
        ("post.publish.publicly_available", {"post_id": 7545201234567890123}, []),
        ("minis.trade_order.redeem.success", {"is_sandbox": LACKS}, []),
        ("minis.trade_order.redeem.success", {"is_sandbox": False, "pay_type": "BEANS"}, []),
        (
            "minis.trade_order.redeem.success",
            {"is_sandbox": None},
            ["content.is_sandbox: null, known as a boolean"],
        ),
        ("im_receive_msg", {"text": LACKS, "type": "video", "video": {"media_id": "1"}}, []),
    ],
)
def test_a_difference_in_the_content_is_reported(
    name: str, content: Changes, expected: list[str]
) -> None:
    assert found(name, content=content) == expected


def test_a_body_with_thousands_of_new_keys_gives_a_bounded_list() -> None:
    assert len(found("tiktok.ping", {f"key{n}": n for n in range(5000)})) == MAX_DIFFERENCES


@given(fuzzing.events)
def test_whatever_comes_is_compared_without_a_raise(body: bytes) -> None:
    event = parse(body)
    if event is not None:
        for each in differences(event):
            assert visible(each.path + each.words) == each.path + each.words
