"""Recipes combined from parts: public code's mistakes are named, forgeries are not explained."""

import base64
import hashlib
import json
import os
import random
from collections.abc import Callable

import pytest

from tests.signature.samples import (
    CLIENT_KEY,
    KEY,
    NOT_A_RECIPE,
    PARSED,
    STAMP,
    diagnosed,
    least_seconds,
    mac,
    named,
    ours,
)
from tests.signature.vectors import BODY, SECRET, UNICODE, T
from tiktok_hook.events import samples
from tiktok_hook.signature import diagnose, parts, sign
from tiktok_hook.signature.recipes import MAX_THOROUGH_BYTES

pytestmark = pytest.mark.timeless


def under(name: str, value: str, *more: tuple[str, str]) -> tuple[None, list[tuple[str, str]]]:
    return None, [("Content-Type", "application/json"), (name, value), *more]


def ruby(value: dict[str, object], arrow: str) -> bytes:
    inside = ", ".join(
        f"{json.dumps(key)}{arrow}{json.dumps(each, ensure_ascii=False)}"
        for key, each in value.items()
    )
    return f"{{{inside}}}".encode()


HEX = mac(STAMP + BODY).hex()
NONCE = b"n0nce"

# The rows of public code: what was signed, and under which headers it came.
ROWS: dict[str, tuple[tuple[str | None, list[tuple[str, str]]], str]] = {
    "body-alone": (ours(BODY), "body-only"),
    "body-alone-bare-hex": ((mac(BODY).hex(), []), "bare-hex+body-only"),
    "body-alone-sha256-prefix": ((f"sha256={mac(BODY).hex()}", []), "sha256-prefix+body-only"),
    "no-dot": (ours(str(T).encode() + BODY), "no-dot"),
    "nonce": (
        under("X-TikTok-Signature", mac(STAMP + NONCE + b"." + BODY).hex(),
              ("X-TikTok-Timestamp", str(T)), ("X-TikTok-Nonce", NONCE.decode())),
        "wrong-header-name+nonce",
    ),
    "nonce-beside-our-header": (
        (f"t={T},s={mac(STAMP + NONCE + b'.' + BODY).hex()}", [("X-Nonce", NONCE.decode())]),
        "nonce",
    ),
    "x-header-and-timestamp": (
        under("X-TikTok-Signature", HEX, ("X-TikTok-Timestamp", str(T))), "wrong-header-name"
    ),
    "x-header-no-dot": (
        under("X-TikTok-Signature", mac(str(T).encode() + BODY).hex(),
              ("X-TikTok-Timestamp", str(T))),
        "wrong-header-name+no-dot",
    ),
    "x-header-base64-of-the-body": (
        under("X-Tt-Signature", base64.b64encode(mac(BODY)).decode()),
        "wrong-header-name+base64+body-only",
    ),
    "x-hub": (
        under("X-Hub-Signature-256", f"sha256={mac(BODY).hex()}"), "wrong-header-name+body-only"
    ),
    "x-tiktok-sign": (under("x-tiktok-sign", f"t={T},s={HEX}"), "wrong-header-name"),
    "x-ttc-signature": (under("x-ttc-signature", mac(BODY).hex()), "wrong-header-name+body-only"),
    "x-tiktok-shop-signature": (
        under("x-tiktok-shop-signature", mac(CLIENT_KEY + BODY).hex()),
        "wrong-header-name+client-key-in-text",
    ),
    "x-tt-sig": (under("X-TT-Sig", HEX, ("X-TT-Timestamp", str(T))), "wrong-header-name"),
    "without-a-hyphen": (under("TikTokSignature", f"t={T},s={HEX}"), "wrong-header-name"),
    "a-digest-of-the-content": (under("Content-Digest", f"sha-256=:{HEX}:"), "no-header"),
    "client-key-and-body": (ours(CLIENT_KEY + BODY), "client-key-in-text"),
    "client-key-t-and-body": (ours(CLIENT_KEY + str(T).encode() + BODY), "client-key-in-text"),
    "object-object": (ours(STAMP + b"[object Object]"), "body-lost"),
    "undefined": (ours(STAMP + b"undefined"), "body-lost"),
    "null": (ours(STAMP + b"null"), "body-lost"),
    "php-array": (ours(STAMP + b"Array"), "body-lost"),
    "consumed": (ours(STAMP), "body-consumed"),
    "python-bytes": (ours(STAMP + repr(BODY).encode()), "bytes-printed"),
    "python-dict": (ours(STAMP + str(PARSED).encode()), "object-printed"),
    "ruby-hash": (ours(STAMP + ruby(PARSED, "=>")), "object-printed"),
    "ruby-3.4-hash": (ours(STAMP + ruby(PARSED, " => ")), "object-printed"),
    "dotnet": (
        ours(STAMP + BODY.replace(rb"\"", rb"\u0022")), "json-escapes"
    ),
    "content-alone": (ours(STAMP + PARSED["content"].encode()), "content-only"),
    "base64-of-the-body": (ours(STAMP + base64.b64encode(BODY)), "body-encoded"),
    "hash-of-the-body": (
        ours(STAMP + hashlib.sha256(BODY).hexdigest().encode()), "body-encoded"
    ),
    "hex-sha256-of-the-secret": (
        ours(STAMP + BODY, hashlib.sha256(KEY).hexdigest().encode()), "secret-decoded"
    ),
    "secret-around-the-body": (ours(KEY + BODY + KEY), "secret-in-text"),
    "base64-in-s": (
        (f"t={T},s={base64.b64encode(mac(STAMP + BODY)).decode()}", []), "base64"
    ),
    "base64-of-the-body-in-s": (
        (f"t={T},s={base64.b64encode(mac(BODY)).decode()}", []), "base64+body-only"
    ),
    "colons": ((f"t:{T},s:{HEX}", []), "colons"),
    "v1-over-the-body": ((f"t={T},v1={mac(BODY).hex()}", []), "stripe-style+body-only"),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_a_recipe_of_public_code_is_named(name: str) -> None:
    given, expected = ROWS[name]
    assert named(given) == expected


@pytest.mark.parametrize(
    "name", ["x-header-and-timestamp", "x-tiktok-sign", "colons", "base64-in-s"]
)
def test_a_correct_value_in_the_wrong_place_is_recognised(name: str) -> None:
    (header, headers), _ = ROWS[name]
    found = diagnosed(header, BODY, [SECRET], now=T, headers=headers)
    assert found is not None
    assert "its value is right" in found.reason


def test_a_body_that_was_decoded_twice_before_it_arrived_is_named() -> None:
    arrived = UNICODE.decode("latin-1").encode()
    assert named(ours(STAMP + UNICODE), arrived) == "encoding"


@pytest.mark.parametrize("end", [b"", b"\n"], ids=["no-newline", "newline-at-the-end"])
def test_line_breaks_that_curl_removed_are_named(end: bytes) -> None:
    pretty = json.dumps(PARSED, indent=2).encode()
    arrived = pretty.replace(b"\n", b"")
    assert named(ours(STAMP + pretty + end), arrived) == "curl-data"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (json.dumps(PARSED).encode(), "json-spaces+body-only"),
        (f"{T}:".encode() + json.dumps(PARSED).encode(), "json-spaces+wrong-separator"),
        (str(T).encode() + BODY + b"\n", "newline-added+no-dot"),
        (
            f"{T}000.".encode() + json.dumps(PARSED, sort_keys=True).encode(),
            "json-sorted+milliseconds",
        ),
        (CLIENT_KEY + json.dumps(PARSED).encode(), "json-spaces+client-key-in-text"),
    ],
)
def test_two_mistakes_at_once_are_both_named(message: bytes, expected: str) -> None:
    assert named(ours(message)) == expected


@pytest.mark.parametrize(
    ("message", "key", "expected"),
    [
        (STAMP + json.dumps(PARSED).encode(), b"", "json-spaces+empty-secret"),
        (BODY, b"undefined", "body-only+placeholder-secret"),
        (STAMP + json.dumps(PARSED).encode(), KEY + b"\n", "json-spaces+signed-with-whitespace"),
        (f"{T}:".encode() + BODY, KEY + b"\n", "wrong-separator+signed-with-whitespace"),
        (f"{T}000.".encode() + BODY, b"", "milliseconds+empty-secret"),
        (STAMP + b"[object Object]", b"undefined", "body-lost+placeholder-secret"),
        (STAMP + PARSED["content"].encode(), CLIENT_KEY, "content-only+client-key-as-key"),
        (STAMP, b'"%b"' % KEY, "body-consumed+signed-with-quotes"),
    ],
)
def test_a_wrong_text_with_a_wrong_key_is_named(message: bytes, key: bytes, expected: str) -> None:
    assert named(ours(message, key)) == expected


TEXTS = [(part, text) for part, make in parts.texts(BODY, PARSED) if (text := make()) is not None]
TEMPLATES = [*parts.templates(str(T).encode(), PARSED)]


@pytest.mark.parametrize("text", [text for _, text in TEXTS])
def test_every_combination_of_a_text_and_a_template_is_found(text: bytes) -> None:
    found = {part.name: named(ours(template(text))) for part, template in TEMPLATES}
    assert [name for name, recipe in found.items() if recipe is None] == []


def test_there_are_hundreds_of_combinations() -> None:
    assert len(TEXTS) * len(TEMPLATES) > 800


FORGERIES_OF_A_KIND = int(os.environ.get("FORGERIES_OF_A_KIND", "60"))
"""With 1700 there are more than 13 000 in all, in about four minutes."""

# Forgeries: none of them may be given a recipe as its cause.

# The header's t was changed: what is known, without a cause.
ALTERED = {"t-changed", "create-time"}

REQUEST_HEADERS = [
    ("Host", "calm-otter.ngrok-free.app"),
    ("Date", "Mon, 01 Sep 2025 00:00:05 GMT"),
    ("X-Request-Timestamp", str(T + 61)),
    ("X-Request-Id", "4fd1"),
]

Forge = Callable[[random.Random, bytes, str], tuple[str, bytes]]


def changed(random_: random.Random, body: bytes, header: str) -> tuple[str, bytes]:
    """One field with another value."""
    envelope = json.loads(body)
    key = random_.choice([key for key in envelope if envelope[key] not in ("", None)])
    value = envelope[key]
    if isinstance(value, int):
        envelope[key] = value + random_.choice([1, -1, 3600, 10**6])
    else:
        at = random_.randrange(len(value))
        envelope[key] = value[:at] + random_.choice("abcxyz019") + value[at:]
    return header, json.dumps(envelope, separators=(",", ":"), ensure_ascii=False).encode()


def other_app(random_: random.Random, body: bytes, header: str) -> tuple[str, bytes]:
    return sign(body, random_.randbytes(20).hex(), timestamp=T), body


def truncated(random_: random.Random, body: bytes, header: str) -> tuple[str, bytes]:
    return header, body[: random_.randrange(1, len(body))]


def old_signature(random_: random.Random, body: bytes, header: str) -> tuple[str, bytes]:
    event = json.dumps({**json.loads(body), "create_time": T + random_.randrange(1, 10**6)})
    return header, event.encode()


def header_of_another(random_: random.Random, body: bytes, header: str) -> tuple[str, bytes]:
    other = random_.choice([each for each in samples().values() if each != body])
    return sign(other, SECRET, timestamp=T + random_.randrange(2, 300)), body


def wrong_t(random_: random.Random, body: bytes, header: str) -> tuple[str, bytes]:
    step = random_.choice([1, 2, 3, 5, 60, 301, 3600, 86_400, 10**6]) * random_.choice([1, -1])
    return header.replace(f"t={T}", f"t={T + step}"), body


def wrong_t_at_create_time(random_: random.Random, body: bytes, header: str) -> tuple[str, bytes]:
    """The header of a delivery that was signed in the second of its event, with another t."""
    created = json.loads(body)["create_time"]
    step = random_.choice([1, 2, 60, 86_400]) * random_.choice([1, -1])
    signed = sign(body, SECRET, timestamp=created)
    return signed.replace(f"t={created}", f"t={created + step}"), body


def create_time_changed(random_: random.Random, body: bytes, header: str) -> tuple[str, bytes]:
    """Another create_time, also the header's t, under a signature of the second of the event."""
    created = json.loads(body)["create_time"]
    other = random_.choice([T, created + 1, created - 1, created + 3600, created * 1000])
    changed = body.replace(str(created).encode(), str(other).encode(), 1)
    return sign(body, SECRET, timestamp=random_.choice([T, created])), changed


FORGERIES: tuple[Forge, ...] = (
    changed, other_app, truncated, old_signature, header_of_another, wrong_t,
    wrong_t_at_create_time, create_time_changed,
)  # fmt: skip


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_a_forgery_is_given_no_recipe(forge: Forge) -> None:
    random_ = random.Random(forge.__name__)
    bodies = list(samples().values())
    for _ in range(FORGERIES_OF_A_KIND):
        body = random_.choice(bodies)
        header, arrived = forge(random_, body, sign(body, SECRET, timestamp=T))
        found = diagnosed(
            header, arrived, [SECRET], now=T, headers=REQUEST_HEADERS, target="/webhook?app=1"
        )
        if found is not None and found.mistake in ALTERED:
            assert found.reason.startswith("signature does not match"), (header, arrived, found)
            assert "forged or altered" in found.hint
        else:
            assert (found and found.mistake) in NOT_A_RECIPE, (header, arrived, found)


def with_content(**more: object) -> bytes:
    value = PARSED | {"content": json.dumps(more, ensure_ascii=False)}
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def with_fields(**more: object) -> bytes:
    return json.dumps(PARSED | more, separators=(",", ":"), ensure_ascii=False).encode()


SLOW_BODIES = {
    "usual": BODY,
    "mixed-64-kib": with_content(note='aé"/<' * 3500, list=[1.5] * 2600),
    "markup-64-kib": with_content(note="<a" * 32_000),
    "quotes-64-kib": b'"' * 65_536,
    "emoji-64-kib": with_content(note="😀" * 16_000),
    "integers-64-kib": with_fields(list=[1] * 32_000),
    "objects-64-kib": with_fields(list=[{}] * 21_000),
    "keys-64-kib": with_fields(**{f"k{number}": 1 for number in range(5000)}),
    "integers-16-kib": with_fields(list=[1] * 8000),
    "integers-4-kib": with_fields(list=[1] * 1900),
    "integers-1-kib": with_fields(list=[1] * 350),
    "keys-1-kib": with_fields(**{f"k{number}": 1 for number in range(60)}),
    "nested": b'{"a":' + b"[" * 400 + b"]" * 400 + b"}",
    "nested-content": with_content(note=json.loads("[" * 400 + "]" * 400)),
    "nested-as-deep-as-can-be-parsed": b'{"a":' + b"[" * 980 + b"]" * 980 + b"}",
}


@pytest.mark.realtime
@pytest.mark.parametrize("body", SLOW_BODIES.values(), ids=SLOW_BODIES)
def test_a_body_of_up_to_64_kib_is_diagnosed_in_20_ms(body: bytes) -> None:
    assert len(body) <= MAX_THOROUGH_BYTES
    header = f"t={T},s={bytes(32).hex()}"

    def diagnose_it() -> object:
        return diagnose(header, body, [SECRET], now=T, headers=REQUEST_HEADERS, target="/a?b=1")

    diagnose_it()
    assert least_seconds(diagnose_it) <= 0.02


def test_common_mistakes_with_a_body_of_64_kib_are_named() -> None:
    body = with_fields(note="a/é" * 16_000)
    parsed = json.loads(body)
    assert 0.97 * MAX_THOROUGH_BYTES < len(body) <= MAX_THOROUGH_BYTES
    messages = [
        body,
        str(T).encode() + body,
        STAMP + body + b"\n",
        STAMP + json.dumps(parsed).encode(),
        STAMP + json.dumps(parsed, ensure_ascii=False).encode(),
        STAMP + json.dumps(parsed, separators=(",", ":")).replace("/", r"\/").encode(),
        STAMP + json.dumps(parsed, sort_keys=True).encode(),
        STAMP + b"[object Object]",
        STAMP,
    ]
    found = [named(ours(message), body) for message in messages]
    assert [mistake for mistake in found if mistake in NOT_A_RECIPE] == []
    assert named(ours(STAMP + body, KEY + b"\n"), body) == "signed-with-whitespace"
