"""Every known way to sign wrongly is named, and no secret is ever shown."""

import base64
import gzip
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.signature.samples import PARSED, STAMP, diagnosed
from tests.signature.vectors import BODY, HEX, PING, RIGHT, SECRET, UNICODE, T, headers, mac
from tiktok_hook.signature import Diagnosis, check, sign
from tiktok_hook.signature.recipes import MAX_THOROUGH_BYTES


def mistake(header: str | None, body: bytes = BODY, *secrets: str, **more: Any) -> str | None:
    found = diagnosed(header, body, secrets or (SECRET,), now=T + 9, **more)
    if found is None:
        return None
    assert found.reason
    assert found.hint
    for secret in secrets or (SECRET,):
        assert not secret.strip() or secret not in found.reason + found.hint
    return found.mistake


def made(message: bytes, secret: str = SECRET) -> str:
    return f"t={T},s={mac(message, secret)}"


def dumped(value: Any, **options: Any) -> bytes:
    return json.dumps(value, **options).encode()


COMPACT = {"separators": (",", ":")}


@pytest.mark.parametrize(
    ("expected", "hexdigits"),
    [
        ("json-spaces", "ebb16c0d9090b8eab93a14f3d394a2852ec7511a00498eccfed7ffbcb303fcc8"),
        ("newline-added", "652d1b2553665a9853a2d62ce1a53b4411e1e0894545bb1342c448c884f6f978"),
        ("t-changed", "83741a8d629568a044c125f7bb1ff736d21edf1e108e14477312d74626dd758b"),
        ("no-dot", "904f32d1c58777ee5f140299e380bd810ba01d9a326f51418b6add463d625990"),
        ("body-only", "c1d191509cf77ea0b1870585141f6ada2237e3c01f85c83ef26d1bed8abe8f8e"),
    ],
)
def test_the_published_mistakes_are_named(expected: str, hexdigits: str) -> None:
    assert mistake(f"t={T},s={hexdigits}") == expected


def test_unicode_written_with_escapes_is_named() -> None:
    escaped = "7e92231a5c8636f26a7e22206a153e43dd5af8ebf61ebe6236e0088d97f3e610"
    assert mistake(f"t={T},s={escaped}", UNICODE) == "json-escapes"


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ("newline-added", STAMP + BODY + b"\r\n"),
        ("json-spaces", STAMP + dumped(PARSED)),
        ("json-spaces+body-only", dumped(PARSED)),
        ("json-indented", STAMP + dumped(PARSED, indent=2)),
        ("json-indented", STAMP + dumped(PARSED, indent=4)),
        ("json-sorted", STAMP + dumped(PARSED, sort_keys=True, **COMPACT)),
        ("content-decoded", STAMP + dumped(PARSED | {"content": json.loads(PARSED["content"])})),
        (
            "content-rewritten",
            STAMP
            + dumped(PARSED | {"content": json.dumps(json.loads(PARSED["content"]))}, **COMPACT),
        ),
        ("wrong-separator", f"{T}:".encode() + BODY),
        ("wrong-separator", f"{T}\n".encode() + BODY),
        ("wrong-order", BODY + f".{T}".encode()),
        ("wrong-order", BODY + str(T).encode()),
        ("t-with-name", b"t=" + STAMP + BODY),
        ("t-changed", f"{T - 1}.".encode() + BODY),
        ("milliseconds", f"{T}000.".encode() + BODY),
        ("byte-order-mark", STAMP + b"\xef\xbb\xbf" + BODY),
        ("encoding", STAMP + BODY.decode().encode("utf-16-le")),
    ],
)
def test_a_wrong_text_under_the_signature_is_named(expected: str, message: bytes) -> None:
    assert mistake(made(message)) == expected


def test_create_time_in_place_of_t_is_named() -> None:
    header = f"t={T + 60},s={mac(b'1756684800.' + BODY)}"
    assert mistake(header) == "create-time"


@pytest.mark.parametrize(
    ("expected", "body", "signed"),
    [
        pytest.param("newline-stripped", BODY + b"\n", BODY, id="newline"),
        pytest.param("line-breaks", b'{\r\n"a":1}', b'{\n"a":1}', id="crlf-to-lf"),
        pytest.param("line-breaks", b'{\n"a":1}', b'{\r\n"a":1}', id="lf-to-crlf"),
        pytest.param("json-rewritten", b'{"a": 1,"b":"x"}', b'{"a":1,"b":"x"}', id="compacted"),
        pytest.param("json-escapes", b'{"u":"a/b"}', b'{"u":"a\\/b"}', id="php-slashes"),
        pytest.param("json-sorted", b'{"u":"<a>"}', b'{"u":"\\u003ca\\u003e"}', id="go-markup"),
        pytest.param("encoding", UNICODE, UNICODE.decode("latin-1").encode(), id="encoded-twice"),
        pytest.param("compressed", gzip.compress(BODY), BODY, id="gzip"),
    ],
)
def test_a_body_that_changed_before_or_after_signing_is_named(
    expected: str, body: bytes, signed: bytes
) -> None:
    assert mistake(made(STAMP + signed), body) == expected


@pytest.mark.parametrize(
    ("expected", "used"),
    [
        ("signed-with-whitespace", f"{SECRET}\n"),
        ("signed-with-whitespace", f"{SECRET}\r\n"),
        ("signed-with-whitespace", f" {SECRET}"),
        ("signed-with-quotes", f'"{SECRET}"'),
        ("signed-with-quotes", f"'{SECRET}'"),
        ("secret-case", SECRET.upper()),
        ("empty-secret", ""),
        ("placeholder-secret", "undefined"),
        ("placeholder-secret", "$TIKTOK_CLIENT_SECRET"),
        ("client-key-as-key", "awexampleclient1"),
        ("secret-decoded", SECRET.encode().hex()),
        ("secret-decoded", base64.b64encode(SECRET.encode()).decode()),
    ],
)
def test_a_wrong_key_of_the_signer_is_named(expected: str, used: str) -> None:
    assert mistake(made(STAMP + BODY, used)) == expected


@pytest.mark.parametrize(
    ("expected", "given_secret"),
    [
        ("secret-whitespace", f"{SECRET}\n"),
        ("secret-whitespace", f" {SECRET} "),
        ("secret-quotes", f'"{SECRET}"'),
        ("secret-quotes", f"'{SECRET}'\n"),
        ("secret-named", f"TIKTOK_CLIENT_SECRET={SECRET}"),
        ("secret-named", f'export_me="{SECRET}"'),
    ],
)
def test_a_wrong_setting_on_our_side_is_named(expected: str, given_secret: str) -> None:
    found = diagnosed(RIGHT, BODY, [given_secret], now=T)
    assert found is not None
    assert found.mistake == expected
    assert SECRET not in found.reason + found.hint


@pytest.mark.parametrize("secret", ["5ec7e7", "c2VjcmV0IQ=="], ids=["hex", "base64"])
def test_a_secret_decoded_before_use_is_named(secret: str) -> None:
    key = bytes.fromhex(secret) if secret == "5ec7e7" else base64.b64decode(secret)
    digest = hmac.new(key, STAMP + BODY, hashlib.sha256).hexdigest()
    assert mistake(f"t={T},s={digest}", BODY, secret) == "secret-decoded"


@pytest.mark.parametrize(
    ("expected", "digest"),
    [
        ("plain-hash", hashlib.sha256(STAMP + BODY).hexdigest()),
        ("plain-hash", hashlib.sha256(SECRET.encode() + STAMP + BODY).hexdigest()),
        (
            "key-and-message-swapped",
            hmac.new(STAMP + BODY, SECRET.encode(), hashlib.sha256).hexdigest(),
        ),
    ],
)
def test_a_hash_put_together_wrongly_is_named(expected: str, digest: str) -> None:
    assert mistake(f"t={T},s={digest}") == expected


@pytest.mark.parametrize(
    ("expected", "header"),
    [
        ("empty-header", ""),
        ("header-too-long", RIGHT + ",x" * 600),
        ("header-twice", f"{RIGHT},{RIGHT}"),
        ("quoted-header", f'"{RIGHT}"'),
        ("name-in-value", f"Tiktok-Signature: {RIGHT}"),
        ("sha256-prefix", f"sha256={HEX}"),
        ("sha256-prefix", f"t={T},s=sha256={HEX}"),
        ("bare-hex", HEX),
        ("stripe-style", f"t={T},v1={HEX}"),
        ("semicolons", f"t={T};s={HEX}"),
        ("ampersands", f"t={T}&s={HEX}"),
        ("spaces-around-equals", f"t = {T}, s = {HEX}"),
        ("json-header", f'{{"t":{T},"s":"{HEX}"}}'),
        ("colons", f"t:{T},s:{HEX}"),
        ("upper-case-keys", f"T={T},S={HEX}"),
        ("no-t", f"s={HEX}"),
        ("no-s", f"t={T}"),
        ("no-t", "nonsense"),
        ("timestamp-format", f"t=,s={HEX}"),
        ("timestamp-format", f"t={T}.123,s={HEX}"),
        ("timestamp-format", f"t=-5,s={HEX}"),
        ("timestamp-format", f"t=2025-09-01T00:00:01Z,s={HEX}"),
        ("timestamp-format", f"t=1.75e9,s={HEX}"),
        ("timestamp-format", f't="{T}",s={HEX}'),
        ("timestamp-format", f"t=now,s={HEX}"),
        ("quoted-signature", f't={T},s="{HEX}"'),
        ("other-hash", f"t={T},s={HEX}{HEX}"),
        ("other-hash", f"t={T},s={'a' * 40}"),
        ("hex-cut", f"t={T},s={HEX[:40]}"),
        ("hex-cut", f"t={T},s={HEX[:-1]}"),
        ("hex-cut", f"t={T},s={HEX[1:]}"),
        ("malformed-header", f"t={T},s={'a' * 63}"),
        ("malformed-header", f"t={'1' * 30},s={HEX}"),
        ("malformed-header", f"t={T}" + f",s={HEX}" * 6),
    ],
)
def test_a_header_of_the_wrong_shape_is_named(expected: str, header: str) -> None:
    assert mistake(header) == expected


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("padded", [True, False])
def test_base64_is_named_and_its_value_judged(encode: Any, padded: bool) -> None:  # noqa: FBT001 a case of a table
    text = encode(bytes.fromhex(HEX)).decode()
    found = diagnosed(f"t={T},s={text if padded else text.rstrip('=')}", BODY, [SECRET], now=T)
    assert found is not None
    assert (found.mistake, found.reason) == (
        "base64",
        "base64 in place of hex; its value is right",
    )


def test_another_value_in_base64_is_not_called_right() -> None:
    text = base64.b64encode(bytes(32)).decode()
    found = diagnosed(f"t={T},s={text}", BODY, [SECRET], now=T)
    assert found is not None
    assert found.reason == "base64 in place of hex"


@pytest.mark.parametrize(
    ("expected", "given_headers", "body"),
    [
        ("no-header", [("Content-Type", "application/json")], BODY),
        ("wrong-header-name", [("x-tiktok-signature", RIGHT)], BODY),
        ("wrong-header-name", [("webhook-signature", "v1,abc")], BODY),
        ("wrong-header-name", [("X-Hub-Signature-256", f"sha256={HEX}")], BODY),
        ("tiktok-shop", [("Authorization", HEX)], BODY),
        ("tiktok-shop", [], b'{"type":1,"tts_notification_id":"7","shop_id":"1"}'),
        ("no-header", [("Authorization", f"Bearer {HEX}")], BODY),
    ],
)
def test_a_signature_found_elsewhere_is_named(
    expected: str, given_headers: list[tuple[str, str]], body: bytes
) -> None:
    assert mistake(None, body, headers=given_headers) == expected


def test_a_correct_value_under_the_wrong_header_name_is_recognised() -> None:
    found = diagnosed(None, BODY, [SECRET], now=T, headers=[("X-TIKTOK-SIGNATURE", RIGHT)])
    assert found == Diagnosis(
        "wrong-header-name",
        "signed under X-TikTok-Signature; its value is right",
        "TikTok sends Tiktok-Signature, without X- in front: sign and read that name.",
    )


@pytest.mark.parametrize(
    ("expected", "body"),
    [
        pytest.param("another-secret", BODY, id="production"),
        pytest.param("another-secret", PING, id="ping"),
        pytest.param(
            "sandbox-key",
            BODY.replace(b"awexampleclient1", b"sbawexampleclient1"),
            id="sandbox",
        ),
        pytest.param("business-app", b'{"client_key":"7512345678901234567"}', id="business-text"),
        pytest.param("business-app", b'{"client_key":7512345678901234567}', id="business-number"),
        pytest.param("tiktok-shop", b'{"tts_notification_id":"1","type":5}', id="shop"),
        pytest.param("empty-body", b"", id="empty"),
        pytest.param(None, b'{"client_key":"\\u202e\\u001b[31m"}', id="hostile-key"),
        pytest.param(None, b"\xff\x00 binary", id="binary"),
        pytest.param(None, b"[" * 5000, id="bottomless"),
    ],
)
def test_without_a_matching_recipe_the_envelope_names_the_app_whose_secret_is_needed(
    expected: str | None, body: bytes
) -> None:
    assert mistake(made(STAMP + body, "somebody else's"), body) == expected


def test_the_sandbox_client_key_is_named_in_the_hint() -> None:
    body = BODY.replace(b"awexampleclient1", b"sbawexampleclient1")
    found = diagnosed(made(STAMP + body, "the sandbox's"), body, [SECRET], now=T)
    assert found is not None
    assert "sbawexampleclient1" in found.hint


def test_a_match_with_another_of_the_given_secrets_is_not_a_mistake() -> None:
    assert mistake(RIGHT, BODY, "other", SECRET) is None


@pytest.mark.parametrize(
    ("expected", "timestamp", "now"),
    [
        (None, T, T + 9),
        ("old", T, T + 3600),
        ("future", T, T - 3600),
        ("milliseconds", T * 1000, T),
    ],
)
def test_a_right_signature_out_of_its_time_is_named(
    expected: str | None, timestamp: int, now: float
) -> None:
    found = diagnosed(sign(BODY, SECRET, timestamp=timestamp), BODY, [SECRET], now=now)
    assert (found and found.mistake) == expected


def test_seconds_signed_with_milliseconds_in_the_header_are_named() -> None:
    assert mistake(f"t={T}000,s={mac(STAMP + BODY)}") == "milliseconds"


def test_a_padded_timestamp_that_was_re_printed_is_named() -> None:
    assert mistake(f"t=0{T},s={mac(STAMP + BODY)}") == "t-reprinted"


def test_no_secret_or_a_blank_one_leaves_nothing_to_try() -> None:
    body = b"{}"
    header = made(STAMP + body, "x")
    assert diagnosed(header, body, [], now=T) is None
    assert diagnosed(header, body, ["", " "], now=T) is None


def test_a_long_body_gets_the_cheap_tries_only() -> None:
    body = b'{"client_key":"awexampleclient1","pad":"' + b"x" * MAX_THOROUGH_BYTES + b'"}'
    assert mistake(made(body), body) == "body-only"
    assert mistake(made(STAMP + json.dumps(json.loads(body)).encode()), body) is None


@pytest.mark.realtime
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" * 700 + b"1," * 7000 + b"1" + b"]" * 700, id="deep-and-wide"),
        pytest.param(b'{"a":' + b"[" * 700 + b"1," * 7000 + b"1" + b"]" * 700 + b"}", id="object"),
        pytest.param(b'{"a":' * 3000, id="cut-short"),
        pytest.param(b'{"n":' + b"9" * 16_000 + b"}", id="huge-number"),
        pytest.param(b"x" * (1 << 20), id="a-mebibyte"),
        pytest.param(b"x" * (1 << 24), id="sixteen-mebibytes"),
        pytest.param(b"\x1f\x8b" + gzip.compress(b"0" * (1 << 24))[2:], id="gzip-bomb"),
    ],
)
def test_hostile_bodies_cost_little(body: bytes) -> None:
    header, secrets = f"t={T},s={HEX}", [SECRET] * 20
    start = time.process_time()
    check(header, body, secrets, now=T)
    hashing = time.process_time() - start  # one digest for each secret is the least there is to do
    start = time.process_time()
    diagnosed(header, body, secrets, now=T)
    assert time.process_time() - start < 0.5 + hashing


any_text = st.text(st.characters(exclude_categories=()), max_size=20)
"""With lone surrogates, which JSON can contain and UTF-8 cannot."""

bodies = st.one_of(
    st.binary(max_size=80),
    st.just(BODY),
    st.dictionaries(
        st.sampled_from(["client_key", "content", "create_time", "tts_notification_id", "x"]),
        st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    ).map(lambda value: json.dumps(value).encode()),
    st.dictionaries(any_text, any_text, min_size=1, max_size=2).map(
        lambda value: json.dumps({**PARSED, "content": json.dumps(value)}).encode()
    ),
)


@given(
    header=headers | st.binary(min_size=32, max_size=32).map(lambda raw: f"t={T},s={raw.hex()}"),
    body=bodies,
    secrets=st.lists(st.text(max_size=12), max_size=3),
    now=st.floats(),
    given_headers=st.lists(st.tuples(st.sampled_from(["X-Signature", "Authorization"]), headers)),
)
def test_diagnosing_never_raises_and_its_text_is_safe_to_print(
    header: str | None,
    body: bytes,
    secrets: list[str],
    now: float,
    given_headers: list[tuple[str, str | None]],
) -> None:
    others = [(name, value or "") for name, value in given_headers]
    found = diagnosed(header, body, secrets, now=now, headers=others)
    if found is not None:
        assert (found.reason + found.hint).isprintable()
