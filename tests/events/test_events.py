"""TikTok's envelope and the catalogue, with everything that real and hostile senders vary."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import fuzzing
from tiktok_hook.events import (
    CATALOGUE,
    Event,
    differences,
    dumps,
    kind_of,
    loads,
    meaning,
    nearest,
    parse,
    sample,
    samples,
    summary,
)
from tiktok_hook.sanitize import visible

DEVELOPERS = """
tiktok.ping
authorization.removed
video.upload.failed
video.publish.completed
post.publish.failed
post.publish.complete
post.publish.inbox_delivered
post.publish.publicly_available
post.publish.no_longer_publicaly_available
portability.download.ready
minis.trade_order.redeem.success
minis.trade_order.redeem.refund_traceback
minis.trade_order.redeem.refund_success
minis.trade_order.redeem.refund_fail
minis.trade_order.redeem.fail
minis.subscription.create
minis.subscription.renew
minis.subscription.onhold
minis.subscription.expire
minis.subscription.reactivate
minis.subscription.change
minis.subscription.cancel
""".split()
BUSINESS = """
im_receive_msg
im_receive_msg_eu
im_send_msg
im_mark_read_msg
im_referral_msg
im_auto_message_config_update
im_auto_message_audit_update
im_receive_high_intent_comment
comment.update
brand.mention.event
""".split()
DOCUMENTED = [*DEVELOPERS, *BUSINESS]


def event(**keys: Any) -> Event:
    found = parse(json.dumps({"event": "post.publish.complete", **keys}).encode())
    assert found is not None
    return found


def known(name: str, content: dict[str, Any] | str | None = None) -> Event:
    if isinstance(content, dict):
        content = json.dumps(content)
    return event(event=name, content=content)


# The catalogue


def test_the_catalogue_has_every_event_and_no_other() -> None:
    assert list(CATALOGUE) == DOCUMENTED


@pytest.mark.parametrize("name", DOCUMENTED)
def test_each_event_type_is_complete_and_its_sample_matches_it(name: str) -> None:
    kind = CATALOGUE[name]
    assert kind.product
    assert kind.url.startswith("https://")
    assert kind.business == (name in BUSINESS)
    assert not kind.meaning.endswith(".")
    body = sample(name)
    assert dumps(json.loads(body)).encode() == body, "compact, as TikTok writes it"
    found = parse(body)
    assert found is not None
    assert (found.name, found.kind, found.known) == (name, kind, True)
    assert found.client_key == ("7512345678901234567" if kind.business else "awexampleclient1")
    assert isinstance(found.content, dict)
    required = {field.name for field in kind.fields if not field.optional}
    assert required <= set(found.content) <= {field.name for field in kind.fields}
    assert differences(found) == []


@pytest.mark.parametrize("name", DOCUMENTED)
def test_each_summary_is_one_lower_case_line_without_gaps(name: str) -> None:
    found = parse(sample(name))
    assert found is not None
    words = summary(found)
    assert words.isprintable()
    assert words[0] == words[0].lower()
    assert not words.endswith(".")
    assert "(no " not in words


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"a":' * 120 + "1" + "}" * 120, "its content is nested deeper than 100"),
        ('{"reason":', "its content is not JSON: expecting value at column 11"),
        ("[1]", "its content is not a JSON object"),
    ],
    ids=["deep", "broken", "list"],
)
def test_content_that_is_not_an_object_is_named_in_the_summary(content: str, words: str) -> None:
    body = json.dumps({"event": "post.publish.failed", "content": content}).encode()
    found = parse(body)
    assert found is not None
    assert summary(found) == words


@pytest.mark.parametrize(
    ("name", "mark", "content_mark"),
    [
        ("tiktok.ping", "seen", "seen"),
        ("authorization.removed", "documented", "documented"),
        ("minis.trade_order.redeem.refund_fail", "documented", "inferred"),
        ("minis.trade_order.redeem.fail", "inferred", "inferred"),
        ("minis.subscription.renew", "documented", "inferred"),
        ("minis.subscription.cancel", "inferred", "inferred"),
    ],
)
def test_guesses_are_marked_as_such(name: str, mark: str, content_mark: str) -> None:
    assert (CATALOGUE[name].mark, CATALOGUE[name].content_mark) == (mark, content_mark)


def test_the_portals_test_event_is_byte_for_byte_the_captured_one() -> None:
    body = sample("tiktok.ping")
    assert len(body) == 164
    assert b'"create_time":1756684800123,"user_openid":"7528000000000000000"' in body


def test_samples_keep_what_each_product_does_with_the_user() -> None:
    assert b"user_openid" not in sample("portability.download.ready")
    assert b'"user_openid":""' in sample("minis.trade_order.redeem.success")
    assert b'"content":"{\\"reason\\": 1 }"' in sample("authorization.removed")


def test_both_spellings_are_one_event_and_the_documented_one_is_sent() -> None:
    documented = "post.publish.no_longer_publicaly_available"
    other = "post.publish.no_longer_publicly_available"
    assert kind_of(other) is kind_of(documented) is CATALOGUE[documented]
    assert sample(other) == sample(documented)
    assert known(other, {"post_id": "7"}).known
    assert summary(known(other, {"post_id": "7"})) == "post 7 is no longer public"


def test_samples_come_by_name_and_an_unknown_name_is_a_key_error() -> None:
    assert samples()["tiktok.ping"] == sample("tiktok.ping")
    assert list(samples()) == DOCUMENTED
    with pytest.raises(KeyError, match=r"user\.follow"):
        sample("user.follow")
    with pytest.raises(KeyError) as caught:
        sample("post.publish.complet")
    assert caught.value.__notes__[0].startswith("Hint: Did you mean post.publish.complete")


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("video.publish.complete", "video.publish.completed"),
        ("post.publish.publicaly_available", "post.publish.publicly_available"),
        ("ping", "tiktok.ping"),
        ("Authorization.Removed", "authorization.removed"),
        ("refund_fail", "minis.trade_order.redeem.refund_fail"),
    ],
)
def test_the_nearest_names_begin_with_what_was_meant(typed: str, first: str) -> None:
    assert nearest(typed)[0] == first
    assert len(nearest(typed)) <= 3


@pytest.mark.parametrize("typed", ["", "user.follow", "x" * 1_000_000])
def test_far_away_names_are_like_nothing(typed: str) -> None:
    assert nearest(typed) == []


# The envelope


def test_an_envelope_is_read_with_its_content_decoded() -> None:
    body = sample("portability.download.ready")
    found = parse(body)
    assert found == Event(
        client_key="awexampleclient1",
        name="portability.download.ready",
        create_time=1756684800,
        user_openid=None,
        content={"request_id": 7545201234567890124},
        envelope={
            "client_key": "awexampleclient1",
            "event": "portability.download.ready",
            "create_time": 1756684800,
            "content": {"request_id": 7545201234567890124},
        },
        content_text='{"request_id":7545201234567890124}',
    )
    assert list(found.envelope) == ["client_key", "event", "create_time", "content"]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("-000Example", "-000Example"),
        ("", ""),
        (None, None),
        (7528000000000000001, "7528000000000000001"),
        (True, None),
        ({"a": 1}, None),
    ],
)
def test_a_user_may_be_text_empty_null_or_a_number(value: object, read: str | None) -> None:
    assert event(user_openid=value).user_openid == read


@pytest.mark.parametrize("post_id", ["7545201234567890123", 7545201234567890123])
def test_a_post_id_is_exact_as_text_number_or_list(post_id: object) -> None:
    assert event(content=json.dumps({"post_id": post_id})).post_id == "7545201234567890123"
    assert event(content=json.dumps({"post_id": [post_id]})).post_id == "7545201234567890123"


def test_numbers_keep_their_text_through_the_envelope() -> None:
    body = b'{"event":"x","n":7545201234567890123,"f":1.10,"content":"{\\"price\\":1e400}"}'
    found = parse(body)
    assert found is not None
    assert dumps(found.envelope) == (
        '{"event":"x","n":7545201234567890123,"f":1.10,"content":{"price":1e400}}'
    )
    assert found.content_text == '{"price":1e400}'


@pytest.mark.parametrize(
    ("create_time", "created_at"),
    [
        (1756684800, 1756684800.0),
        (1756684800123, 1756684800.123),
        (0, 0.0),
        (-1, None),
        (10**17, None),
        (2**63, None),
        ("1756684800", None),
        (1756684800.5, None),
        (True, None),
        (None, None),
    ],
)
def test_create_time_is_seconds_or_milliseconds_or_no_date(
    create_time: object, created_at: float | None
) -> None:
    assert event(create_time=create_time).created_at == created_at


@pytest.mark.parametrize(
    ("content", "decoded"),
    [
        ('{"reason": 1 }', {"reason": 1}),
        (" [1]", [1]),
        ('{"a":', '{"a":'),
        ("plain words", "plain words"),
        ("7545201234567890123", "7545201234567890123"),
        ("", ""),
        ({"an": "object"}, {"an": "object"}),
        (5, 5),
        (None, None),
        ("[" * 5000, "[" * 5000),
    ],
)
def test_content_is_decoded_where_it_holds_json(content: object, decoded: object) -> None:
    found = event(content=content)
    assert found.content == decoded
    assert found.envelope["content"] == decoded
    assert found.content_text == (content if isinstance(content, str) else None)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"hello", id="text"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"{}", id="no-event"),
        pytest.param(b'{"event":5}', id="event-not-text"),
        pytest.param(b'{"event":null}', id="event-null"),
        pytest.param(b'{"event":"x"', id="cut-short"),
        pytest.param(b'{"event":"x","n":NaN}', id="nan"),
        pytest.param(b'{"event":"\xff"}', id="bad-utf-8"),
        pytest.param(b'{"event":"x","n":' + b"9" * 5000 + b"}", id="huge-integer"),
        pytest.param(b'{"event":"x","a":' + b"[" * 100_000, id="bottomless"),
        pytest.param(bytes(range(256)), id="binary"),
    ],
)
def test_a_body_without_the_envelope_fields_is_not_an_event(body: bytes) -> None:
    assert parse(body) is None


@pytest.mark.parametrize(
    ("name", "nearest_known"),
    [
        ("post.publish.completed", "post.publish.complete"),
        ("video.publish.complete", "video.publish.completed"),
        ("im_recieve_msg", "im_receive_msg"),
    ],
)
def test_a_name_that_is_almost_one_names_the_known_one(name: str, nearest_known: str) -> None:
    words = "not an event that TikTok documents"
    assert summary(event(event=name)) == f"{words}; {nearest_known} is"


def test_unknown_events_and_keys_are_kept() -> None:
    found = event(event="user.follow", extra=[1], client_key=7512345678901234567)
    assert not found.known
    assert found.kind is None
    assert found.envelope["extra"] == [1]
    assert found.client_key == "7512345678901234567"
    assert summary(found) == "not an event that TikTok documents"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("authorization.removed", {"reason": 1}, "user disconnected the app"),
        ("authorization.removed", {"reason": 5}, "you revoked the user's authorization"),
        ("authorization.removed", {"reason": 3}, "authorization removed: user's age changed"),
        ("authorization.removed", {"reason": 77}, "authorization removed: reason 77"),
        ("authorization.removed", {}, "authorization removed: reason (no reason)"),
        (
            "authorization.removed",
            "not json",
            "its content is not a JSON object",
        ),
        (
            "post.publish.failed",
            {"publish_id": "v_pub_url~1", "reason": "video_pull_failed"},
            "video_pull_failed for v_pub_url~1",
        ),
        ("post.publish.failed", {}, "(no reason) for (no publish_id)"),
        ("post.publish.complete", {"publish_id": "v_pub_file~1"}, "posted v_pub_file~1"),
        (
            "post.publish.complete",
            {"publish_id": "v_inbox_file~1", "publish_type": "INBOX_SHARE"},
            "user posted v_inbox_file~1 from the inbox",
        ),
        (
            "minis.trade_order.redeem.success",
            {"order_id": "o-1", "is_sandbox": False},
            "o-1 was paid",
        ),
        (
            "minis.trade_order.redeem.success",
            {"order_id": "o-1", "is_sandbox": True},
            "o-1 was paid (sandbox)",
        ),
        (
            "post.publish.publicly_available",
            {"post_id": "{evil}\x1b[31m\u202e"},
            "post {evil}\\x1b[31m\\u202e is public",
        ),
        (
            "post.publish.publicly_available",
            {"post_id": "7" * 100_000},
            f"post {'7' * 72}… is public",
        ),
    ],
)
def test_summaries_describe_what_happened(name: str, content: object, words: str) -> None:
    assert summary(event(event=name, content=json.dumps(content))) == words


@pytest.mark.parametrize(
    ("found", "path", "words"),
    [
        (
            known("authorization.removed", {"reason": 1}),
            "content.reason",
            "user disconnected in TikTok",
        ),
        (known("authorization.removed", {"reason": 99}), "content.reason", None),
        (known("authorization.removed", {}), "content.reason", None),
        (
            known("post.publish.failed", {"reason": "auth_removed"}),
            "content.reason",
            "the creator revoked access meanwhile: no retry",
        ),
        (
            known("post.publish.failed", {"reason": "video_bitrate_check_failed"}),
            "content.reason",
            "bit rate not supported: fix the media, then retry (unsure: not documented)",
        ),
        (
            known("comment.update", {"comment_action": "set_to_hidden"}),
            "content.comment_action",
            "hidden",
        ),
        (
            known("post.publish.failed", {"publish_id": "p_pub_url~v2.1"}),
            "content.publish_id",
            "photos, direct post, pulled from a URL",
        ),
        (
            known("minis.trade_order.redeem.success", {"is_sandbox": True}),
            "content.is_sandbox",
            "sandbox, no real money",
        ),
        (
            event(client_key="awexampleclient1"),
            "client_key",
            "key of a production app",
        ),
        (event(client_key="sbawexampleclient1"), "client_key", "key of a sandbox"),
        (event(client_key=751234), "client_key", "key of a TikTok Business app"),
        (event(client_key="bwo2m45353a6k85"), "client_key", None),
        (event(), "client_key", None),
        (event(create_time=1756684800), "create_time", "2025-09-01 00:00:00 UTC"),
        (
            event(create_time=1756684800123),
            "create_time",
            "2025-09-01 00:00:00 UTC, in milliseconds",
        ),
        (event(create_time=10**18), "create_time", None),
        (event(user_openid=""), "user_openid", "empty, as TikTok Minis send it"),
        (event(user_openid="-000"), "user_openid", None),
        (event(event="tiktok.ping"), "event", CATALOGUE["tiktok.ping"].meaning),
        (event(event="unknown"), "event", None),
        (event(event="unknown", content='{"reason":1}'), "content.reason", None),
        (event(), "content.reason.deeper", None),
    ],
)
def test_values_are_put_in_words(found: Event, path: str, words: str | None) -> None:
    assert meaning(found, path) == words


# Hostile input


@given(fuzzing.events | st.binary(max_size=60))
def test_whatever_comes_is_read_and_described_without_a_raise(body: bytes) -> None:
    found = parse(body)
    if found is None:
        return
    assert loads(dumps(found.envelope)) == found.envelope
    assert visible(summary(found)) == summary(found)
    for path in ("event", "client_key", "create_time", "user_openid", "content.reason"):
        meaning(found, path)
    assert isinstance(found.publish_id, str | None)
    assert isinstance(found.post_id, str | None)
    assert isinstance(found.created_at, float | None)


def strictly(text: str | bytes) -> Any:
    """What the standard library reads, but for what it takes beyond JSON; None where it cannot."""

    def reject(name: str) -> None:
        raise ValueError(name)

    try:
        return json.loads(text, parse_constant=reject)
    except ValueError:
        return None


@given(fuzzing.events)
def test_an_envelope_has_the_values_that_the_standard_library_reads(body: bytes) -> None:
    found, reported = parse(body), strictly(body)
    assert (found is None) == (reported is None)
    if found is None:
        return
    sent = reported.get("content")
    decoded = strictly(sent) if isinstance(sent, str) else None
    assert (found.name, found.content_text) == (
        reported["event"],
        sent if isinstance(sent, str) else None,
    )
    assert found.content == (decoded if isinstance(decoded, dict | list) else sent)
    assert list(found.envelope) == list(reported)
    assert {**found.envelope, "content": sent} == {**reported, "content": sent}
