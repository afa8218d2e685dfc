"""Mistakes that are rare by themselves: many texts, keys and constructions, each tried alone."""

import base64
import hashlib
import hmac
import json
import subprocess
from pathlib import Path
from urllib.parse import quote_plus

import pytest

from tests.recipes.programs import needs
from tests.signature.samples import (
    CLIENT_KEY,
    KEY,
    NOT_A_RECIPE,
    PARSED,
    STAMP,
    diagnosed,
    mac,
    named,
    ours,
)
from tests.signature.vectors import BODY, SECRET, T
from tiktok_hook.signature import rare_keys, rare_texts

pytestmark = pytest.mark.timeless

HERE = Path(__file__).parent
STEM = str(T).encode()
RIGHT = STAMP + BODY


def digest(value: bytes) -> tuple[str, list[tuple[str, str]]]:
    return f"t={T},s={value.hex()}", []


@pytest.mark.parametrize(("program", "file"), [("node", "printed.mjs"), ("php", "printed.php")])
def test_what_a_language_prints_in_place_of_the_body_is_named(program: str, file: str) -> None:
    needs(program)
    done = subprocess.run([program, HERE / file], input=BODY, capture_output=True, check=True)
    made = json.loads(done.stdout)
    assert len(made) >= 17
    found = {how: named(ours(STAMP + text.encode())) for how, text in made.items()}
    assert [how for how, mistake in found.items() if mistake in NOT_A_RECIPE] == []


JAVA_MAP = (
    "{client_key=awexampleclient1, create_time=1756684800, "
    "user_openid=-000ExampleOpenIdExampleOpenIdExampl, event=post.publish.publicly_available, "
    f"content={PARSED['content']}}}"
)
"""As Java 17 printed a HashMap of this body."""


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (STAMP + JAVA_MAP.encode(), "object-printed"),
        (STAMP + BODY.replace(b"1756684800", b"1.7566848E9"), "json-numbers"),
        (STAMP + str(list(BODY)).encode(), "bytes-listed"),
        (STAMP + b"System.IO.MemoryStream", "body-lost"),
        (b"{timestamp}.{body}", "not-inserted"),
        (b"${t}.${rawBody}", "not-inserted"),
        (b"undefined.undefined", "not-inserted"),
        (base64.b64encode(RIGHT), "text-encoded"),
        (STEM.hex().encode() + b"." + BODY.hex().encode(), "text-encoded"),
        (STAMP + BODY + BODY, "body-twice"),
        (STAMP + str(len(BODY)).encode(), "length"),
        (STAMP + b"payload=" + quote_plus(BODY.decode()).encode(), "form-encoded"),
        (STAMP + json.dumps({"data": PARSED}, separators=(",", ":")).encode(), "wrapped"),
        (STAMP + json.dumps([PARSED]).encode(), "wrapped"),
        (json.dumps([T, BODY.decode()], separators=(",", ":")).encode(), "wrapped"),
        (STAMP + b"sha256=" + hashlib.sha256(BODY).hexdigest().encode(), "body-encoded"),
        (b"Mon, 01 Sep 2025 00:00:01 GMT." + BODY, "t-form"),
        (f"t={T},s=.".encode() + BODY, "t-with-name"),
        (b"{%d}.{%b}" % (T, BODY), "wrong-separator"),
        (STAMP + str(list(PARSED.values())).encode(), "object-printed"),
        (b"%d.%b.webhook" % (T, BODY), "extra-part"),
        (STAMP + b"[object ReadableStream]", "body-lost"),
        (STAMP + hashlib.md5(BODY).hexdigest().encode(), "body-encoded"),
        (STAMP + PARSED["event"].encode(), "field-only"),
        (STAMP + BODY + b" ", "white-space"),
        (STAMP + json.dumps(PARSED, indent=2, separators=(",", " : ")).encode(), "json-rewritten"),
        (STAMP + json.dumps({**PARSED, "user_openid": None}).encode(), "json-field-lost"),
        (STEM, "body-consumed+no-dot"),
        (b"undefined." + BODY, "t-lost"),
        (b"%d.0.%b" % (T, BODY), "t-form"),
        (b"2025-09-01T00:00:01Z." + BODY, "t-form"),
        (b"v0:%d:%b" % (T, BODY), "extra-part"),
        (b"POST\n%d\n%b" % (T, BODY), "extra-part"),
        (b"%b\n%d\n%b" % (CLIENT_KEY, T, BODY), "client-key-in-text"),
        (b"timestamp=%d&body=%b" % (T, BODY), "form-encoded"),
        (STEM + b" . " + BODY, "wrong-separator"),
        (BODY + b"|" + STEM, "wrong-order"),
        (json.dumps({"t": T, "body": BODY.decode()}, separators=(",", ":")).encode(), "wrapped"),
    ],
)
def test_a_rare_text_is_named(message: bytes, expected: str) -> None:
    assert named(ours(message)) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (b"\xef\xbb\xbf" + KEY, "secret-with-affix"),
        (b"Bearer " + KEY, "secret-with-affix"),
        (KEY + b";", "secret-with-affix"),
        (CLIENT_KEY + b":" + KEY, "secret-joined"),
        (STEM + b"\n" + KEY, "secret-joined"),
        (KEY[:16], "secret-cut"),
        (SECRET.encode("utf-16-le"), "secret-encoding"),
        (hashlib.sha1(KEY).hexdigest().encode(), "secret-decoded"),
        (b"process.env.TIKTOK_CLIENT_SECRET", "placeholder-secret"),
    ],
)
def test_a_rare_key_is_named(key: bytes, expected: str) -> None:
    assert named(ours(RIGHT, key)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (hmac.digest(KEY, RIGHT, "sha512")[:32], "other-hash"),
        (hmac.digest(KEY, RIGHT, "sha3_256"), "other-hash"),
        (hashlib.sha256(mac(RIGHT)).digest(), "hashed-twice"),
        (mac(hashlib.sha256(RIGHT).digest()), "hashed-twice"),
        (mac(BODY, mac(STEM)), "derived-key"),
        (mac(b"", STEM + b"\n" + KEY), "derived-key"),
        (hashlib.sha256(CLIENT_KEY + STEM + BODY + KEY).digest(), "plain-hash"),
        (mac(RIGHT)[::-1], "digest-reversed"),
    ],
)
def test_a_rare_construction_is_named(value: bytes, expected: str) -> None:
    assert named(digest(value)) == expected


def test_every_rare_part_is_reached_within_the_budget() -> None:
    """The last of each list: those before it cost less."""
    *_, (_, make, _) = rare_texts.messages(STEM, BODY, PARSED)
    *_, (_, key) = rare_keys.keys([KEY], STEM, PARSED)
    *_, (_, value) = rare_keys.digests(STEM, BODY, KEY, PARSED)
    for given in (ours(make()), ours(RIGHT, key), digest(value)):
        assert named(given) not in NOT_A_RECIPE


def test_an_id_that_was_signed_is_named() -> None:
    value = mac(b"msg_1." + RIGHT).hex()
    headers = [("Webhook-Id", "msg_1")]
    found = diagnosed(f"t={T},s={value}", BODY, [SECRET], now=T, headers=headers)
    assert found is not None
    assert found.mistake == "nonce"
