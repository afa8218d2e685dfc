"""Decisions, without a socket, a clock or a store."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.receiver.listening import BODY, NOW, SECRET
from tiktok_hook import signature
from tiktok_hook.delivery import FORWARDED_HEADER, Headers
from tiktok_hook.receiver import IncomingRequest, Policy
from tiktok_hook.receiver.options import ReceiverOptions
from tiktok_hook.receiver.policy import (
    Accept,
    Decision,
    PassThrough,
    Reject,
    Respond,
    ServeFile,
)
from tiktok_hook.signature import State

PING = b'{"event":"tiktok.ping","create_time":1795000000000,"content":"{}"}'


def signed(body: bytes = BODY, *, secret: str = SECRET, at: float = NOW) -> Headers:
    return ((signature.HEADER, signature.sign(body, secret, timestamp=int(at))),)


def decide(
    method: str = "POST",
    target: str = "/hook",
    headers: Headers = (),
    body: bytes = BODY,
    *,
    policy: Policy | None = None,
) -> Decision:
    chosen = policy or Policy(secrets=(SECRET,))
    return chosen.decide(IncomingRequest(method, target, headers, body), NOW)


@pytest.mark.parametrize(
    ("headers", "body", "state"),
    [
        (signed(), BODY, State.VALID),
        (signed(at=NOW - 900), BODY, State.STALE),
        (signed(at=NOW + 900), BODY, State.STALE),
        (signed(PING), PING, State.VALID),
    ],
    ids=["valid", "stale", "from-the-future", "signed-ping"],
)
def test_a_signed_post_is_accepted(headers: Headers, body: bytes, state: State) -> None:
    decision = decide(headers=headers, body=body)
    assert isinstance(decision, Accept)
    assert decision.delivery.verdict.state is state
    assert decision.delivery.status is None
    assert decision.delivery.received_at == NOW


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ((), BODY, 403),
        (signed(secret="another"), BODY, 403),
        ((), PING, 200),
        (signed(PING, secret="another"), PING, 200),
    ],
    ids=["unsigned", "forged", "unsigned-ping", "forged-ping"],
)
def test_what_does_not_verify_is_rejected(headers: Headers, body: bytes, status: int) -> None:
    decision = decide(headers=headers, body=body)
    assert isinstance(decision, Reject)
    assert decision.status == status
    assert decision.delivery.status is None
    assert decision.delivery.verdict.rejected


def test_beyond_the_tolerance_a_right_signature_is_rejected() -> None:
    policy = Policy(ReceiverOptions(tolerance=60), secrets=(SECRET,))
    assert isinstance(decide(headers=signed(at=NOW - 50), policy=policy), Accept)
    assert isinstance(decide(headers=signed(at=NOW - 70), policy=policy), Reject)


def test_without_a_secret_everything_is_accepted() -> None:
    decision = decide(policy=Policy())
    assert isinstance(decision, Accept)
    assert decision.delivery.verdict.state is State.UNCHECKED


@pytest.mark.parametrize(
    ("method", "status"),
    [("GET", 200), ("HEAD", 200), ("PUT", 405), ("OPTIONS", 405), ("TRACE", 405)],
)
def test_what_is_not_a_post_is_responded_to(method: str, status: int) -> None:
    decision = decide(method)
    assert isinstance(decision, Respond)
    assert (decision.response.status, decision.reported) == (status, True)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS", "PROPFIND"])
def test_with_pass_it_goes_to_the_app(method: str) -> None:
    assert isinstance(decide(method, policy=Policy(passes=True)), PassThrough)


def test_trace_goes_to_no_app() -> None:
    decision = decide("TRACE", policy=Policy(passes=True))
    assert isinstance(decision, Respond)
    assert decision.response.status == 405


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_what_we_forwarded_is_a_loop_even_with_pass(method: str) -> None:
    headers = ((FORWARDED_HEADER, "1"), *signed())
    decision = decide(method, headers=headers, policy=Policy(secrets=(SECRET,), passes=True))
    assert isinstance(decision, Respond)
    assert decision.response.status == 508


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("GET", "/proof.txt", ServeFile),
        ("HEAD", "/pr%6fof.txt?x", ServeFile),
        ("PUT", "/proof.txt", Respond),
        ("GET", "/other.txt", PassThrough),
        ("POST", "/proof.txt", Accept),
    ],
)
def test_the_served_file_comes_before_the_app(
    method: str, target: str, expected: type[object]
) -> None:
    policy = Policy(ReceiverOptions(serve_file=Path("proof.txt")), passes=True)
    assert isinstance(decide(method, target, policy=policy), expected)


@pytest.mark.parametrize(
    "secrets", [(SECRET,), ("other", SECRET), ()], ids=["one", "second", "none"]
)
def test_deciding_twice_gives_the_same(secrets: Sequence[str]) -> None:
    policy = Policy(secrets=tuple(secrets))
    assert decide(headers=signed(), policy=policy) == decide(headers=signed(), policy=policy)
