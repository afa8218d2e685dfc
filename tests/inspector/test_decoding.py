"""One decoder for bodies and queries: what it accepts, and what it reports."""

import json

import pytest
from multidict import MultiDict

from tiktok_hook.delivery import Source
from tiktok_hook.errors import UsageError
from tiktok_hook.inspector.decoding import decode_body, decode_query
from tiktok_hook.inspector.requests import FilterQuery, PageQuery, ReplayRequest
from tiktok_hook.replayer import Mode
from tiktok_hook.signature import State


def test_a_body_becomes_a_record() -> None:
    body = {"target": None, "signing": "age", "age_seconds": 5, "set": ["a=1"], "dry_run": True}
    assert decode_body(json.dumps(body).encode(), ReplayRequest) == ReplayRequest(
        signing=Mode.AGED, age_seconds=5.0, set=("a=1",), dry_run=True
    )
    assert decode_body(b"", ReplayRequest) == ReplayRequest()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "The body is not valid JSON."),
        (b"\xff", "The body is not valid JSON."),
        (b"[" * 100_000, "The body is not valid JSON."),
        (b"[]", "The body must be a JSON object."),
        (b'{"targte":"x"}', "Unknown field 'targte'."),
        (b'{"target":3}', "target must be a string."),
        (b'{"set":"x"}', "set must be a list of strings."),
        (b'{"set":["x",1]}', "set must be a list of strings."),
        (b'{"set":null}', "set must be a list of strings."),
        (b'{"dry_run":1}', "dry_run must be true or false."),
        (b'{"signing":"twice"}', "signing must be one of fresh, as-is, age, bad, none."),
        (b'{"age_seconds":true}', "age_seconds must be a number from -10000000000.0 to"),
        (b'{"age_seconds":1e400}', "age_seconds must be a number from"),
        (b'{"age_seconds":NaN}', "age_seconds must be a number from"),
        (b'{"age_seconds":' + b"9" * 400 + b"}", "age_seconds must be a number from"),
    ],
)
def test_an_invalid_body_is_one_sentence(body: bytes, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        decode_body(body, ReplayRequest)
    assert str(raised.value).startswith(message)


def test_a_query_becomes_a_record() -> None:
    query = MultiDict(
        [("verdict", "valid"), ("verdict", "stale"), ("status", "200"), ("failed", "1"),
         ("since", "1.5"), ("user", ""), ("source", "import"), ("unknown", "x"), ("q", "a b")]
    )  # fmt: skip
    assert decode_query(query, FilterQuery) == FilterQuery(
        verdict=(State.VALID, State.STALE), status=(200,), failed=True, since=1.5,
        source=Source.IMPORT, q="a b",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("verdict", "bogus", "verdict must be one of valid, stale, invalid, missing, unchecked, "),
        ("status", "abc", "status must be an integer from 100 to 999, not 'abc'."),
        ("status", "99", "status must be an integer from 100 to 999, not '99'."),
        ("failed", "yes", "failed must be 0 or 1, not 'yes'."),
        ("since", "nan", "since must be a number, not 'nan'."),
        ("since", "1e300", "since must be a number, not '1e300'."),
        ("limit", "201", "limit must be an integer from 1 to 200, not '201'."),
        ("limit", "\u0663", "limit must be an integer from 1 to 200"),
        ("before", "-1", "before must be an integer from 0 to"),
        ("before", "9" * 30, "before must be an integer from 0 to"),
    ],
)
def test_an_invalid_parameter_is_one_sentence(name: str, text: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        decode_query(MultiDict([(name, text)]), PageQuery)
    assert str(raised.value).startswith(message)
