"""Any JSON in any place of a HAR: what is imported has the right bytes, or is marked."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import fuzzing
from tests.archive.samples import loaded
from tiktok_hook.delivery import BodyState

BODY = '{"event":"tiktok.ping","content":"{}"}'
ENTRY: dict[str, Any] = {
    "startedDateTime": "2026-01-02T03:04:05Z",
    "time": 5,
    "request": {
        "method": "POST",
        "url": "https://example.com/tiktok?a=1",
        "httpVersion": "HTTP/1.1",
        "headers": [
            {"name": "Content-Type", "value": "application/json"},
            {"name": "Content-Length", "value": str(len(BODY))},
        ],
        "queryString": [{"name": "a", "value": "1"}],
        "postData": {"mimeType": "application/json", "text": BODY, "params": []},
        "bodySize": len(BODY),
    },
    "response": {
        "status": 200,
        "headers": [],
        "content": {"size": 2, "mimeType": "text/plain", "text": "ok"},
    },
}


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything inside a value."""
    found = [at] if at else []
    if not isinstance(value, dict | list):
        return found
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    return found + [path for key, each in inside for path in places(each, (*at, key))]


def replaced(value: Any, at: tuple[Any, ...], other: Any) -> Any:
    """A copy with something else in one place."""
    if not at:
        return other
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[at[0]] = replaced(copy[at[0]], at[1:], other)
    return copy


PLACES = places(ENTRY)


@pytest.mark.hypothesis
@given(st.sampled_from(PLACES), fuzzing.json_values)
def test_any_json_in_an_entry_is_imported_or_left_out(at: tuple[Any, ...], other: Any) -> None:
    entry = replaced(ENTRY, at, other)
    har = json.dumps({"log": {"version": "1.2", "entries": [entry, ENTRY]}}).encode()
    *first, last = loaded(har)
    assert last.delivery.body == BODY.encode()
    for each in first:
        body, state = each.delivery.body, each.delivery.body_state
        lengths_are_known = at[:2] not in {("request", "headers"), ("request", "bodySize")}
        if state is BodyState.EXACT and lengths_are_known and len(at) > 1:
            assert len(body) == len(BODY)
