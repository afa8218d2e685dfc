"""The signature scheme: vectors of two independent programs, and every reason to reject."""

import base64
import hashlib
import math
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests import fuzzing
from tests.signature.vectors import (
    BODY,
    HEX,
    PING,
    REMOVED,
    RIGHT,
    SECRET,
    UNICODE,
    T,
    headers,
    mac,
)
from tiktok_hook.signature import HEADER, State, Verdict, check, explain, sign


def judge(header: str | None, body: bytes = BODY, secret: str = SECRET) -> Verdict:
    return check(header, body, secret, now=T + 9)


def test_the_vectors_body_is_the_one_that_was_computed_with() -> None:
    assert len(BODY) == 294
    digest = "5d53a3e0e43efd3aac851845db4cdb6121165728b6b05ad766c01c23d4500337"
    assert hashlib.sha256(BODY).hexdigest() == digest


@pytest.mark.parametrize(
    ("timestamp", "body", "length", "hexdigits"),
    [
        pytest.param(T, BODY, 294, HEX, id="publicly-available"),
        pytest.param(
            1615338611,
            REMOVED,
            171,
            "835a2a45733f69e371e0982a58ac7202eaec71d74b81815d4e2f45b8ad501c03",
            id="spaces-inside-content",
        ),
        pytest.param(
            1756684800,
            PING,
            164,
            "d621a8a22d78791ae3522c00086ffeccf8ef2be8d766015890b61332520f9a6b",
            id="ping",
        ),
        pytest.param(
            T,
            UNICODE,
            149,
            "0b21e013637f638332b230a3f44a97d7d53c15d444cfdf9f333ad46ce5309d8f",
            id="unicode",
        ),
    ],
)
def test_vectors_are_signed_and_found_valid(
    timestamp: int, body: bytes, length: int, hexdigits: str
) -> None:
    assert len(body) == length
    assert sign(body, SECRET, timestamp=timestamp) == f"t={timestamp},s={hexdigits}"
    verdict = check(f"t={timestamp},s={hexdigits}", body, SECRET, now=timestamp + 1)
    assert verdict == Verdict(State.VALID, age_seconds=1, secret=1)


@pytest.mark.parametrize(
    "hexdigits",
    [
        pytest.param(
            "ebb16c0d9090b8eab93a14f3d394a2852ec7511a00498eccfed7ffbcb303fcc8", id="spaces"
        ),
        pytest.param(
            "652d1b2553665a9853a2d62ce1a53b4411e1e0894545bb1342c448c884f6f978", id="newline"
        ),
        pytest.param(
            "83741a8d629568a044c125f7bb1ff736d21edf1e108e14477312d74626dd758b", id="other-t"
        ),
        pytest.param(
            "904f32d1c58777ee5f140299e380bd810ba01d9a326f51418b6add463d625990", id="no-dot"
        ),
        pytest.param(
            "c1d191509cf77ea0b1870585141f6ada2237e3c01f85c83ef26d1bed8abe8f8e", id="body-only"
        ),
    ],
)
def test_wrong_recipes_are_invalid(hexdigits: str) -> None:
    verdict = judge(f"t={T},s={hexdigits}")
    assert verdict.state is State.INVALID
    assert verdict.rejected
    assert verdict.reason == "signature does not match"
    assert verdict.secret is None
    assert verdict.age_seconds == 9


def test_unicode_written_with_escapes_is_invalid() -> None:
    escaped = "7e92231a5c8636f26a7e22206a153e43dd5af8ebf61ebe6236e0088d97f3e610"
    assert judge(f"t={T},s={escaped}", UNICODE).state is State.INVALID


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(f"s={HEX},t={T}", id="signature-first"),
        pytest.param(f"t={T},s={HEX.upper()}", id="upper-case-hex"),
        pytest.param(f" t={T}\t, \ts={HEX} ", id="spaces-and-tabs-around-parts"),
        pytest.param(f"t={T},v1=abc,s={HEX},future", id="unknown-keys"),
        pytest.param(f"t={T},s={'0' * 64},s={HEX}", id="second-signature-matches"),
        pytest.param(f"t={T}" + f",s={'0' * 64}" * 4 + f",s={HEX}", id="fifth-signature-matches"),
        pytest.param(f",,t={T},s={HEX},", id="empty-parts"),
    ],
)
def test_harmless_variations_of_the_header_are_valid(header: str) -> None:
    assert judge(header).state is State.VALID


@pytest.mark.parametrize(
    ("header", "state", "reason"),
    [
        pytest.param(None, State.MISSING, f"no {HEADER} header", id="missing"),
        pytest.param("", State.MISSING, "empty header", id="empty"),
        pytest.param(" \t", State.MISSING, "empty header", id="blank"),
        pytest.param(
            f"t={T},s={HEX}," + "x" * 1024, State.INVALID, "header longer than 1024", id="too-long"
        ),
        pytest.param(f"s={HEX}", State.INVALID, "no t=", id="no-t"),
        pytest.param(f"t={T}", State.INVALID, "no s=", id="no-s"),
        pytest.param(f"t=,s={HEX}", State.INVALID, "t is not", id="t-empty"),
        pytest.param(f"t=+{T},s={HEX}", State.INVALID, "t is not", id="t-plus"),
        pytest.param(f"t=-{T},s={HEX}", State.INVALID, "t is not", id="t-minus"),
        pytest.param(f"t=17566 84801,s={HEX}", State.INVALID, "t is not", id="t-space-inside"),
        pytest.param(f"t=١٧٥٦٦٨٤٨٠١,s={HEX}", State.INVALID, "t is not", id="t-arabic-digits"),
        pytest.param(f"t=²,s={HEX}", State.INVALID, "t is not", id="t-superscript"),
        pytest.param(f"t=1.756e9,s={HEX}", State.INVALID, "t is not", id="t-exponent"),
        pytest.param(f"t={T}.0,s={HEX}", State.INVALID, "t is not", id="t-decimals"),
        pytest.param(f"t=1_756_684_801,s={HEX}", State.INVALID, "t is not", id="t-underscores"),
        pytest.param(f"t={'1' * 21},s={HEX}", State.INVALID, "t is not", id="t-absurdly-long"),
        pytest.param(f"t={T},t={T},s={HEX}", State.INVALID, "two t=", id="two-t"),
        pytest.param(f"{RIGHT},{RIGHT}", State.INVALID, "two t=", id="header-twice"),
        pytest.param(f"t={T},s=", State.INVALID, "s is not", id="s-empty"),
        pytest.param(f"t={T},s={HEX[:-1]}", State.INVALID, "s is not", id="s-short"),
        pytest.param(f"t={T},s={HEX}0", State.INVALID, "s is not", id="s-long"),
        pytest.param(f"t={T},s={HEX[:-1]}g", State.INVALID, "s is not", id="s-not-hex"),
        pytest.param(f"t={T},s={HEX[:-2]}  ", State.INVALID, "s is not", id="s-padded"),
        pytest.param(f"t={T},s={HEX[:30]}  {HEX[32:]}", State.INVALID, "s is not", id="s-spaces"),
        pytest.param(f"t={T},s={HEX[:-1]}é", State.INVALID, "s is not", id="s-not-ascii"),
        pytest.param(f"t={T},s=sha256={HEX}", State.INVALID, "s is not", id="s-prefix"),
        pytest.param(f"sha256={HEX}", State.INVALID, "no t=", id="github-style"),
        pytest.param(f"t={T},v1={HEX}", State.INVALID, "no s=", id="stripe-style"),
        pytest.param(f"T={T},S={HEX}", State.INVALID, "no t=", id="upper-case-keys"),
        pytest.param(
            f"t={T}" + f",s={HEX}" * 6, State.INVALID, "more than 5 s=", id="six-signatures"
        ),
        pytest.param(
            f"t={T},s={base64.b64encode(bytes.fromhex(HEX)).decode()}",
            State.INVALID,
            "s is not",
            id="base64",
        ),
        pytest.param(
            f"t=0{T},s={HEX}", State.INVALID, "signature does not match", id="t-text-counts"
        ),
    ],
)
def test_a_header_that_tiktok_would_not_send_is_rejected(
    header: str | None, state: State, reason: str
) -> None:
    verdict = judge(header)
    assert verdict.state is state
    assert verdict.rejected
    assert verdict.reason.startswith(reason)


@pytest.mark.parametrize(
    "secret",
    ["tiktok-client-secreT", "tiktok-client-secret\n", '"tiktok-client-secret"', "another"],
)
def test_another_secret_is_invalid(secret: str) -> None:
    assert judge(RIGHT, secret=secret).state is State.INVALID


@pytest.mark.parametrize("secret", ["", " ", "\n\t", [""], ["", " "]], ids=repr)
@pytest.mark.parametrize("key", ["", " "], ids=repr)
def test_an_empty_secret_never_passes_not_even_what_was_signed_with_it(
    secret: str | list[str], key: str
) -> None:
    forged = f"t={T},s={mac(f'{T}.'.encode() + BODY, key)}"
    verdict = check(forged, BODY, secret, now=T)
    assert verdict.state is State.INVALID
    assert verdict.reason == "the secret is empty"
    assert verdict.hint


def test_a_body_changed_by_one_byte_is_invalid() -> None:
    assert judge(RIGHT, BODY.replace(b"awexample", b"awexamplf")).state is State.INVALID


@pytest.mark.parametrize(
    ("age", "tolerance", "state"),
    [
        (300, 300, State.VALID),
        (300.001, 300, State.STALE),
        (-300, 300, State.VALID),
        (-300.001, 300, State.STALE),
        (0, 0, State.VALID),
        (1, 0, State.STALE),
        (1e9, math.inf, State.VALID),
        (0, math.nan, State.STALE),
        (math.nan, 300, State.STALE),
    ],
)
def test_age_and_validity_are_reported_separately(
    age: float, tolerance: float, state: State
) -> None:
    verdict = check(RIGHT, BODY, SECRET, now=T + age, tolerance=tolerance)
    assert verdict.state is state
    assert not verdict.rejected
    assert verdict.secret == 1
    assert verdict.age_seconds == pytest.approx(age, nan_ok=True)


@pytest.mark.parametrize(
    ("timestamp", "now", "reason"),
    [
        pytest.param(T, T + 840, "signed 14 min ago (tolerance 5 min)", id="old"),
        pytest.param(T, T + 3 * 86_400, "signed 3 days ago (tolerance 5 min)", id="days-old"),
        pytest.param(T, T - 840, "from 14 min in the future", id="future"),
        pytest.param(T * 1000, T, "but t is in milliseconds", id="milliseconds"),
    ],
)
def test_a_stale_signature_has_a_reason(timestamp: int, now: float, reason: str) -> None:
    verdict = check(sign(BODY, SECRET, timestamp=timestamp), BODY, SECRET, now=now)
    assert verdict.state is State.STALE
    assert verdict.reason.endswith(reason)
    assert verdict.hint


@pytest.mark.parametrize(
    ("secrets", "number"),
    [([SECRET, "b"], 1), (["a", SECRET], 2), (["", SECRET], 2), (("a", "b", SECRET), 3)],
)
def test_several_secrets_are_tried_and_the_verdict_names_the_one_that_matched(
    secrets: list[str], number: int
) -> None:
    assert check(RIGHT, BODY, secrets, now=T).secret == number


@pytest.mark.parametrize("header", [None, "", "nonsense", RIGHT, f"t={T},s={'0' * 64}"])
def test_without_a_secret_nothing_is_checked(header: str | None) -> None:
    verdict = check(header, BODY, (), now=T)
    assert verdict.state is State.UNCHECKED
    assert not verdict.rejected
    assert verdict.secret is None


def test_an_empty_body_and_binary_bytes_are_signed_as_they_are() -> None:
    for body in (b"", bytes(range(256)), b"\x1f\x8b\x08", b"\xef\xbb\xbf{}\n"):
        header = sign(body, SECRET, timestamp=T)
        assert header == f"t={T},s={mac(f'{T}.'.encode() + body)}"
        assert judge(header, body).state is State.VALID


@pytest.mark.parametrize("secret", ["geheim-é", "\udcff", "lone \ud800", "x" * 200])
def test_a_secret_of_any_characters_verifies_what_it_signed(secret: str) -> None:
    header = sign(BODY, secret, timestamp=T)
    assert judge(header, secret=secret).state is State.VALID
    assert judge(header, secret=secret + "x").state is State.INVALID


def test_an_explained_verdict_keeps_what_was_found() -> None:
    header = f"t={T},s={mac(BODY)}"
    verdict = check(header, BODY, SECRET, now=T + 9)
    explained = explain(verdict, header, BODY, [SECRET], now=T + 9)
    assert (explained.state, explained.age_seconds) == (State.INVALID, 9)
    assert explained.reason == "made over the body alone, without t"
    assert "{t}.{body}" in explained.hint


@pytest.mark.parametrize("now", [T, T + 900], ids=["valid", "stale"])
def test_a_right_signature_needs_no_explanation(now: float) -> None:
    verdict = check(RIGHT, BODY, SECRET, now=now)
    assert explain(verdict, RIGHT, BODY, [SECRET], now=now) is verdict


@given(
    header=headers,
    body=st.binary(max_size=50) | st.just(BODY),
    secret=st.text(max_size=20) | st.lists(st.text(max_size=5), max_size=3),
    now=st.floats() | st.just(float(T)),
    tolerance=st.floats(),
)
def test_checking_never_raises_and_never_passes_what_was_not_signed(
    header: str | None, body: bytes, secret: str | list[str], now: float, tolerance: float
) -> None:
    verdict = check(header, body, secret, now=now, tolerance=tolerance)
    assert verdict.state not in {State.VALID, State.STALE}


@given(body=st.binary(max_size=300), secret=st.text(min_size=1), timestamp=st.integers(0, 10**19))
def test_whatever_was_signed_is_recognised(body: bytes, secret: str, timestamp: int) -> None:
    header = sign(body, secret, timestamp=timestamp)
    verdict = check(header, body, secret, now=timestamp, tolerance=1e6)
    assert (verdict.state is State.VALID) == bool(secret.strip())


@given(
    body=st.binary(max_size=300) | st.just(BODY),
    changes=fuzzing.changes,
    header_changes=st.just([]) | fuzzing.changes,
    later=st.integers(-400, 400),
)
def test_a_changed_body_never_verifies_whatever_becomes_of_the_header(
    body: bytes, changes: list[fuzzing.Change], header_changes: list[fuzzing.Change], later: int
) -> None:
    header = fuzzing.changed(sign(body, SECRET, timestamp=T).encode(), header_changes)
    received = fuzzing.changed(body, changes)
    assume(received != body)
    verdict = check(header.decode("latin-1"), received, [SECRET, "other"], now=T + later)
    assert verdict.state not in {State.VALID, State.STALE}


@given(
    body=st.binary(max_size=300) | st.just(BODY),
    changes=st.lists(st.tuples(st.floats(0, 1), st.just(1), st.sampled_from("0123456789abcdef"))),
    later=st.integers(-400, 400).filter(bool),
)
def test_a_changed_time_or_digest_never_verifies(
    body: bytes, changes: list[tuple[float, int, str]], later: int
) -> None:
    header = sign(body, SECRET, timestamp=T)
    digest = header.partition("s=")[2]
    forged = fuzzing.changed(digest.encode(), [(at, n, new.encode()) for at, n, new in changes])
    for text in (f"t={T + later},s={digest}", f"t={T},s={forged.decode()}"):
        if text != header:
            verdict = check(text, body, SECRET, now=T)
            assert verdict.state not in {State.VALID, State.STALE}


@pytest.mark.parametrize(
    ("header", "body", "secret", "words"),
    [
        (RIGHT, BODY.decode(), SECRET, "body must be the raw bytes"),
        (RIGHT, {"event": "x"}, SECRET, "body must be the raw bytes of the request, not dict"),
        (RIGHT.encode(), BODY, SECRET, "header must be a str"),
        (RIGHT, BODY, None, "secret must be a str"),
        (RIGHT, BODY, SECRET.encode(), "secret must be a str"),
        (RIGHT, BODY, [SECRET, None], "every secret must be a str"),
    ],
)
def test_a_callers_mistake_is_a_type_error_and_no_verdict(
    header: Any, body: Any, secret: Any, words: str
) -> None:
    with pytest.raises(TypeError, match=words) as caught:
        check(header, body, secret, now=T)
    assert SECRET not in str(caught.value)


def test_times_may_be_those_of_datetime() -> None:
    now = datetime.fromtimestamp(T + 400, UTC)
    assert check(RIGHT, BODY, SECRET, now=now).state is State.STALE
    assert check(RIGHT, BODY, SECRET, now=now, tolerance=timedelta(minutes=10)).ok
    assert sign(BODY, SECRET, timestamp=T + 0.75) == RIGHT


@pytest.mark.parametrize("given", [{"now": "x"}, {"tolerance": None}, {"tolerance": "5m"}])
def test_a_time_that_is_none_is_a_type_error(given: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=f"{next(iter(given))} must be a number of seconds"):
        check(RIGHT, BODY, SECRET, **{"now": T, **given})


@pytest.mark.parametrize(("body", "timestamp"), [("text", T), (BODY, "now"), ({}, T)])
def test_what_cannot_be_signed_is_a_type_error(body: Any, timestamp: Any) -> None:
    with pytest.raises(TypeError, match="must be"):
        sign(body, SECRET, timestamp=timestamp)


def test_without_now_the_clock_is_read() -> None:
    assert check(sign(BODY, SECRET, timestamp=int(time.time())), BODY, SECRET).ok
    assert check(RIGHT, BODY, SECRET).state is State.STALE


def test_only_a_valid_verdict_is_ok() -> None:
    assert check(RIGHT, BODY, SECRET, now=T).ok
    assert not check(RIGHT, BODY, [], now=T).ok
    assert not check(None, BODY, SECRET, now=T).ok
    assert not check(RIGHT, BODY, "another", now=T).ok
