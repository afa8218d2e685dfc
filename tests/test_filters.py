"""The filter language: what it matches, how it is written, what it rejects and with which hint."""

import contextlib
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import prose
from tiktok_hook import filters
from tiktok_hook.delivery import Delivery
from tiktok_hook.errors import UsageError
from tiktok_hook.filters import DeliveryFilter, Term

FAILED = {
    "event": "post.publish.failed",
    "client_key": "awexampleclient1",
    "user_openid": "-000Example",
    "content": {
        "publish_id": "v_pub_url~v2-1",
        "reason": "video pull failed",
        "post_id": [7545201234567890123],
        "size": 1.10,
        "is_sandbox": True,
        "note": "",
        "nothing": None,
        "a.b": "dotted",
        "items": [{"id": "i-1"}, {"id": "i-2"}],
    },
}


def delivery(**changes: Any) -> Delivery:
    envelope = {**FAILED, **changes}
    if isinstance(envelope["content"], dict):
        envelope["content"] = json.dumps(envelope["content"])
    return Delivery(received_at=1.0, body=json.dumps(envelope).encode())


MATCHING = [
    "post.publish.failed",
    "post.publish.*",
    "*",
    "post.publish.fail?d",
    "post.publish.[a-f]ailed",
    "post.publish.[!c]ailed",
    "post.* *.failed",
    "  post.*\t\n*.failed  ",
    "user:-000Example",
    'user:"-000Example"',
    "key:awexampleclient1",
    "content.reason:video*",
    'content.reason:"video pull *"',
    'content.reason:"video pull failed"',
    "content.publish_id:v_pub_url~*",
    "content.post_id:7545201234567890123",
    "content.post_id:[[]7545201234567890123]",
    "content.size:1.1",
    "content.is_sandbox:true",
    'content.note:""',
    "content.note:*",
    "content.nothing:null",
    r"content.a\.b:dotted",
    "content.items.1.id:i-2",
    'post.publish.failed user:-000Example key:awexampleclient1 content.reason:"* pull *"',
    '"post.publish.failed"',
]

OTHERS = [
    "post.publish",
    "Post.publish.failed",
    "post.publish.[!f]ailed",
    "post.* tiktok.*",
    "user:-000example",
    'user:""',
    "key:awexampleclient2",
    "content.reason:pull",
    "content.reason:Video*",
    "content.missing:*",
    "content.size:1.10",
    "content.is_sandbox:True",
    "content.items.2.id:*",
    "content.items.x:*",
    "content.reason.deeper:*",
    "content.a.b:dotted",
]


@pytest.mark.parametrize("text", MATCHING)
def test_what_meets_every_term_matches(text: str) -> None:
    assert filters.parse(text).matches(delivery())


@pytest.mark.parametrize("text", OTHERS)
def test_what_misses_one_term_does_not_match(text: str) -> None:
    assert not filters.parse(text).matches(delivery())


@pytest.mark.parametrize("text", [*MATCHING, *OTHERS])
def test_a_filter_reads_back_from_its_own_text(text: str) -> None:
    found = filters.parse(text)
    assert filters.parse(str(found)) == found


@given(
    st.lists(
        st.builds(Term, st.just("event"), st.text(min_size=1))
        | st.builds(Term, st.sampled_from(["user", "key"]), st.text())
        | st.builds(
            Term,
            st.just("content"),
            st.text(),
            st.lists(
                st.text(
                    st.characters(exclude_characters='\\":.', exclude_categories=["Z", "C"]),
                    min_size=1,
                ),
                min_size=1,
                max_size=3,
            ).map(tuple),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_terms_read_back_from_their_text(terms: list[Term]) -> None:
    assert filters.parse(str(DeliveryFilter(tuple(terms)))).terms == tuple(terms)


@given(st.text())
def test_any_text_is_read_or_rejected_as_a_usage_error(text: str) -> None:
    with contextlib.suppress(UsageError):
        filters.parse(text).matches(delivery())


def test_a_quote_and_a_backslash_inside_quotes_are_escaped() -> None:
    found = filters.parse(r'content.reason:"say \"no\" \\ yes"')
    assert found.terms == (Term("content", r'say "no" \ yes', ("reason",)),)
    assert found.matches(delivery(content={"reason": r'say "no" \ yes'}))


def test_a_list_matches_by_one_of_its_items() -> None:
    assert filters.parse("content.tags:b").matches(delivery(content={"tags": ["a", "b"]}))
    assert not filters.parse("content.tags:c").matches(delivery(content={"tags": ["a", "b"]}))


def test_large_numbers_are_compared_digit_by_digit() -> None:
    found = filters.parse("content.request_id:7545201234567890124")
    assert found.matches(delivery(content='{"request_id":7545201234567890124}'))
    assert not found.matches(delivery(content='{"request_id":7545201234567890125}'))


@pytest.mark.parametrize(
    "content", ["text", "[1, 2]", 7, None], ids=["text", "list", "number", "null"]
)
def test_content_that_is_not_an_object_has_no_values(content: Any) -> None:
    assert not filters.parse("content.reason:*").matches(delivery(content=content))


@pytest.mark.parametrize("text", ["*", "user:-000Example", "content.reason:*"])
def test_what_is_not_an_event_matches_nothing(text: str) -> None:
    assert not filters.parse(text).matches(Delivery(received_at=1.0, body=b"no event"))


def test_an_empty_user_is_not_a_missing_one() -> None:
    assert filters.parse('user:""').matches(delivery(user_openid=""))
    assert not filters.parse('user:""').matches(delivery(user_openid=None))


BOTH_SPELLINGS = (
    "post.publish.no_longer_publicaly_available",
    "post.publish.no_longer_publicly_available",
)


@pytest.mark.parametrize("name", BOTH_SPELLINGS)
@pytest.mark.parametrize("text", [*BOTH_SPELLINGS, "*_publicly_*", "*_publicaly_*"])
def test_an_event_with_two_spellings_matches_under_both(name: str, text: str) -> None:
    assert filters.parse(text).matches(delivery(event=name))


def test_the_catch_all_filter_is_read_where_it_is_allowed_and_matches_everything() -> None:
    found = filters.parse(" else ", else_allowed=True)
    assert found.is_else
    assert str(found) == "else"
    assert found.matches(delivery())
    assert found.matches(Delivery(received_at=1.0, body=b"no event"))
    assert not filters.parse("*", else_allowed=True).is_else


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "empty", "user:OPEN_ID"),
        (" \n", "empty", "user:OPEN_ID"),
        ("else", "last route only", "Leave it out"),
        ("post.* else", "'else'|else is not a term", "alone"),
        ("ELSE", "ELSE is not a term", "lower case"),
        ("post.* OR tiktok.*", "OR is not a term", "All terms must match"),
        ("not post.*", "not is not a term", "All terms must match"),
        ("!post.*", "!post", "cannot exclude"),
        ("-user:x", "-user:x is not a term", "Did you mean user:x"),
        ("post.publish.failed,tiktok.ping", "is not a term", "post.publish"),
        ("content.reason=spam_risk*", "is not a term", "Did you mean content.reason:spam_risk*?"),
        ("reason:spam_risk", "reason:spam_risk is not", "Did you mean content.reason:spam_risk?"),
        ("publish_id=v_pub~1", "is not a term", "Did you mean content.publish_id:v_pub~1?"),
        ("content:spam", "content:spam is not a term", "content.reason:"),
        ("content.:spam", "does not name a value", "content.reason"),
        ("content..a:spam", "does not name a value", "content.reason"),
        ("content.reason:", "has no value", "content.reason:* matches any"),
        ("user:", "user: has no value", 'user:""'),
        ("key: awexample", "key: has no value", 'key:""'),
        ("user:-000*", "takes the whole value", "content.NAME:GLOB"),
        ("usr:abc", "usr:abc is not a term", "Did you mean user:abc?"),
        ("User:abc", "User:abc is not a term", "Did you mean user:abc?"),
        ("user_openid:abc", "is not a term", "Did you mean user:abc?"),
        ("client_key:abc", "is not a term", "Did you mean key:abc?"),
        ("event:post.*", "event:post.* is not a term", "written alone: post.*"),
        ("http://localhost:3000/hook", "is not a term", "user:OPEN_ID"),
        ("3000", "3000 is not a term", "user:OPEN_ID"),
        (":3000", ":3000 is not a term", "user:OPEN_ID"),
        ("post.[a", "is not a term", "quotes"),
        ("content.reason:'video pull'", "pull' is not a term", "double quotes"),
        ('content.reason:"video pull', "never closed", 'content.reason:"video pull *"'),
        ('content.reason:video"pull', "in the middle", "whole value"),
        ('content.reason:"video"pull', "in the middle", "whole value"),
        ('""', "is not a term", "quotes"),
        ("x" * 5000, "5,000 characters", "wildcard"),
        ("post.* " * 21, "21 terms", "wildcard"),
        ("post.\x1b[31m", r"post.\x1b[31m is not", ""),
    ],
)  # fmt: skip
def test_anything_else_is_a_usage_error_with_the_nearest_form(
    text: str, message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as raised:
        filters.parse(text)
    assert any(part in str(raised.value) for part in message.split("|"))
    assert hint in raised.value.hint
    assert "\x1b" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("post.publish.compleet", "post.publish.complete"),
        ("post.publishing.*", "post.publish."),
        ("qqq", "lists the known events"),
        ("content.reason", "content.reason:"),
    ],
)
def test_an_event_that_is_not_known_is_doubted(text: str, hint: str) -> None:
    ((message, found),) = filters.doubts(filters.parse(text))
    assert message == f"{text} matches no known event."
    assert hint in found


@pytest.mark.parametrize("text", ["post.publish.*", "*publicly*", "*", "user:x", "content.x:y"])
def test_what_may_match_is_not_doubted(text: str) -> None:
    assert [*filters.doubts(filters.parse(text))] == []


@pytest.mark.parametrize(
    "value",
    [
        "a" * 16_385,
        ["a" * 16_385],
        {"a": "a" * 16_385},
        {"a" * 16_385: 1},
        [1] * 1025,
        [[[]] * 1024],
    ],
    ids=["text", "list", "object", "key", "items", "lists"],
)
def test_a_long_value_is_not_compared(value: Any) -> None:
    event = delivery(content={"reason": value, "other": "a" * 16_384})
    assert not filters.parse("content.reason:?*").matches(event)
    assert filters.parse("content.reason:* content.other:a*").matches(event)


def test_a_long_name_is_not_compared() -> None:
    event = delivery(event="a" * 16_385)
    assert not filters.parse("a*").matches(event)
    assert filters.parse("*").matches(event)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("content.reason:*" + "a" * 3_900 + "b", "a" * 900_000),
        ("content.reason:*" + "a?" * 1_900 + "b", "a" * 900_000),
        ("content.reason:?a " * 20, [1] * 300_000),
        ("content.reason:?a " * 20, {f"k{number}": number for number in range(60_000)}),
    ],
    ids=["text", "wildcards", "list", "object"],
)
@pytest.mark.realtime
def test_no_filter_takes_long_to_compare(text: str, value: Any) -> None:
    found, event = filters.parse(text), delivery(content={"reason": value}).event
    started = time.process_time()
    assert not found.matches_event(event)
    assert time.process_time() - started < 0.3


def test_many_wildcards_take_no_longer() -> None:
    text = "*a" * 1500 + "*b"
    assert not filters.parse(text).matches(delivery(event="a" * 2000))


@pytest.mark.parametrize("page", ["docs/filters.md", "tiktok_hook/inspector/static/filters.js"])
def test_every_form_of_a_term_is_documented(page: str) -> None:
    text = (prose.ROOT / page).read_text("utf-8")
    assert [form for form in filters.FORMS if form not in text] == []
