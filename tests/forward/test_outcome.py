"""Attempts as they are recorded."""

import pytest

from tiktok_hook.delivery import Delivery, Headers
from tiktok_hook.forward import (
    ForwardRequest,
    Reply,
    begun,
    build,
    ended,
)
from tiktok_hook.signature import State


def delivery(
    path: str = "/", query: str = "", headers: Headers = (), body: bytes = b"{}"
) -> Delivery:
    return Delivery(received_at=1.0, path=path, query=query, headers=headers, body=body)


def test_an_attempt_begins_with_what_goes_out_and_ends_with_what_came_back() -> None:
    came = delivery(path="/hook")
    request = build(came, "http://app:1")
    attempt = begun(came, request, now=5.0)
    assert (attempt.target, attempt.started_at, attempt.ended) == ("http://app:1/hook", 5.0, False)
    assert (attempt.request_headers, attempt.request_body) == (request.headers, None)
    reply = Reply(302, (("LOCATION", "/hook/"),), b"said", truncated=True, duration_ms=3.0)
    done = ended(attempt, reply, verdict=State.VALID)
    assert (done.status, done.body, done.truncated, done.duration_ms) == (302, b"said", True, 3.0)
    assert "slash at its end" in done.hint


def test_a_changed_body_is_recorded_too() -> None:
    request = ForwardRequest("POST", "http://app:1/", (), b"other")
    assert begun(delivery(), request, now=5.0, replay=True).request_body == b"other"


@pytest.mark.parametrize(
    ("reply", "verdict", "words"),
    [
        (Reply(200), State.VALID, ""),
        (Reply(200), State.INVALID, "does not verify"),
        (Reply(200), State.MISSING, "does not verify"),
        (Reply(403), State.VALID, "rejects a delivery whose signature is valid"),
        (Reply(None, error="tls", detail="expired\x1b[2J"), State.VALID, "(expired\\x1b[2J)"),
    ],
    ids=["fine", "forged-accepted", "unsigned-accepted", "good-refused", "detail"],
)
def test_the_hint_weighs_the_answer_against_the_signature(
    reply: Reply, verdict: State, words: str
) -> None:
    attempt = begun(delivery(), ForwardRequest("POST", "http://app:1/"), now=5.0)
    hint = ended(attempt, reply, verdict=verdict).hint
    assert words in hint
    assert bool(words) == bool(hint)
