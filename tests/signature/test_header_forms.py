"""Signatures in another form than TikTok's are read, and named for their form."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.signature.samples import KEY, diagnosed, least_seconds
from tests.signature.vectors import BODY, HEX, RIGHT, SECRET, T
from tiktok_hook.signature import Diagnosis, diagnose, header_forms

pytestmark = pytest.mark.timeless

RAW = bytes.fromhex(HEX)
OTHER = hashlib.sha256(b"forged")


def base58(data: bytes) -> str:
    digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        text = digits[rest] + text
    return text


def of(header: str | None, *headers: tuple[str, str]) -> Diagnosis:
    found = diagnosed(header, BODY, [SECRET], now=T, headers=headers)
    assert found is not None
    assert SECRET not in found.reason + found.hint
    return found


Write = Callable[[bytes], str]

VALUES: dict[str, tuple[Write, str]] = {
    "0x": (lambda raw: f"0x{raw.hex()}", "hex-decorated"),
    "brackets": (lambda raw: f"[{raw.hex()}]", "hex-decorated"),
    "hmac-sha256=": (lambda raw: f"hmac-sha256={raw.hex()}", "hex-decorated"),
    "b''": (lambda raw: f"b'{raw.hex()}'", "hex-decorated"),
    "semicolon": (lambda raw: f"{raw.hex()};", ""),
    "escaped newline": (lambda raw: f"{raw.hex()}\\n", "hex-decorated"),
    "colons": (lambda raw: raw.hex(":"), "hex-separated"),
    "upper case and dashes": (lambda raw: raw.hex("-").upper(), "hex-separated"),
    "groups": (lambda raw: raw.hex(" ", 4).upper(), "hex-separated"),
    "buffer": (lambda raw: f"<Buffer {raw.hex(' ')}>", "hex-separated"),
    "escapes": (lambda raw: "".join(f"\\x{each:02x}" for each in raw), "hex-separated"),
    "base64": (lambda raw: base64.b64encode(raw).decode(), "base64"),
    "url-encoded base64": (lambda raw: quote(base64.b64encode(raw), safe=""), "base64"),
    "base64 of hex": (lambda raw: base64.b64encode(raw.hex().encode()).decode(), "base64-of-text"),
    "base64 twice": (
        lambda raw: base64.b64encode(base64.b64encode(raw)).decode(), "base64-of-text"
    ),
    "sri": (lambda raw: f"sha256-{base64.b64encode(raw).decode()}", "base64"),
    "dollars": (lambda raw: f"$hmac${raw.hex()}", "hex-decorated"),
    "base32hex": (lambda raw: base64.b32hexencode(raw).decode(), "base32"),
    "octal": (lambda raw: "".join(f"\\{each:03o}" for each in raw), "digest-printed"),
    "bytearray": (lambda raw: repr(bytearray(raw)), "digest-printed"),
    "hex twice": (lambda raw: raw.hex().encode().hex(), "hex-twice"),
    "base32": (lambda raw: base64.b32encode(raw).decode(), "base32"),
    "base32 lower case": (lambda raw: base64.b32encode(raw).decode().lower().strip("="), "base32"),
    "base58": (base58, "base58"),
    "base85": (lambda raw: base64.b85encode(raw).decode(), "base85"),
    "number": (lambda raw: str(int.from_bytes(raw, "big")), "digest-as-number"),
    "list": (lambda raw: str(list(raw)), "digest-listed"),
    "java bytes": (lambda raw: str([n - 256 if n > 127 else n for n in raw]), "digest-listed"),
    "repr": (repr, "digest-printed"),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_a_signature_in_another_encoding_is_read(name: str) -> None:
    write, expected = VALUES[name]
    found = of(f"t={T},s={write(RAW)}")
    assert expected in found.mistake.split("+") or not expected
    assert found.reason.endswith("; its value is right")
    # Another value in the same form is not.
    forged = of(f"t={T},s={write(OTHER.digest())}")
    assert "right" not in forged.reason


@pytest.mark.parametrize("name", VALUES)
def test_a_recipe_in_another_encoding_is_named(name: str) -> None:
    write, _ = VALUES[name]
    digest = hmac.digest(KEY, BODY, "sha256")
    assert of(f"t={T},s={write(digest)}").mistake.endswith("+body-only")


HEADERS = {
    "url-encoded": (quote(RIGHT, safe=""), "url-encoded"),
    "url-encoded twice": (quote(quote(RIGHT, safe="")), "url-encoded"),
    "base64": (base64.b64encode(RIGHT.encode()).decode(), "header-in-base64"),
    "base64 for URLs": (base64.urlsafe_b64encode(RIGHT.encode()).decode(), "header-in-base64"),
    "hex": (RIGHT.encode().hex(), "header-in-hex"),
    "quoted": (f"'{RIGHT}'", "quoted-header"),
    "json string": (json.dumps(RIGHT), "quoted-header"),
    "json": (json.dumps({"t": T, "s": HEX}), "json-header"),
    "json, long names": (json.dumps({"timestamp": T, "signature": HEX}), "json-header"),
    "json, escaped": (json.dumps(json.dumps({"t": T, "s": HEX})), "quoted-header"),
    "json in base64": (
        base64.b64encode(json.dumps({"t": T, "s": HEX}).encode()).decode(), "header-in-base64"
    ),
    "json, url-encoded": (quote(json.dumps({"t": T, "s": HEX})), "url-encoded"),
    "mime": (f"=?utf-8?q?{RIGHT.replace('=', '=3D')}?=", "mime-encoded"),
    "brackets": (f"[{RIGHT}]", "wrapped-header"),
    "python list": (f"['{RIGHT}']", "wrapped-header"),
    "java map": (f"{{t={T}, s={HEX}}}", "json-header"),
    "word": (f"Signature t={T},s={HEX}", "no-t"),
    "dot": (f"{T}.{HEX}", "no-names"),
    "colon, base64": (f"{T}:{base64.b64encode(RAW).decode()}", "no-names"),
    "basic": ("Basic " + base64.b64encode(f"{T}:{HEX}".encode()).decode(), "wrapped-header"),
    "xml": (f"<t>{T}</t><s>{HEX}</s>", "hex-decorated"),
    "nothing between": (f"t={T}s={HEX}", "hex-decorated"),
    "swapped": (f"t={HEX},s={T}", "swapped-parts"),
}  # fmt: skip


@pytest.mark.parametrize("name", HEADERS)
def test_an_encoded_header_is_read(name: str) -> None:
    header, expected = HEADERS[name]
    found = of(header)
    assert found.mistake.split("+")[0] == expected
    assert found.reason.endswith("; its value is right")


@pytest.mark.parametrize("name", ["url-encoded", "base64", "json in base64", "mime"])
def test_an_encoded_header_with_a_forged_value_is_named_for_its_form(name: str) -> None:
    header, expected = HEADERS[name]
    inside = {
        "url-encoded": quote(RIGHT.replace(HEX, OTHER.hexdigest()), safe=""),
        "base64": base64.b64encode(RIGHT.replace(HEX, OTHER.hexdigest()).encode()).decode(),
        "json in base64": base64.b64encode(
            json.dumps({"t": T, "s": OTHER.hexdigest()}).encode()
        ).decode(),
        "mime": header.replace(HEX, OTHER.hexdigest()),
    }
    found = of(inside[name])
    assert found.mistake.split("+")[0] == expected
    assert "right" not in found.reason


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("undefined", "no-signature"),
        ("[object Promise]", "no-signature"),
        ("t=1756684801,s=${signature}", "no-signature"),
        ("t=1756684801,s=", "no-signature"),
        (f"t={T},s={hmac.new(KEY, f'{T}.'.encode() + BODY, 'sha224').hexdigest()}", "other-hash"),
        (f"t={T},s={hmac.new(KEY, f'{T}.'.encode() + BODY, 'md5').hexdigest()}", "other-hash"),
        (f"t={T},s={SECRET}", "secret-sent"),
        (SECRET, "secret-sent"),
    ],
)
def test_a_header_without_a_signature_is_named(value: str, expected: str) -> None:
    assert of(value).mistake == expected


BASE64 = base64.b64encode(RAW).decode()
PLACES: dict[str, list[tuple[str, str]]] = {
    "hmac": [("Authorization", f"HMAC {HEX}"), ("X-Timestamp", str(T))],
    "hmac with a name": [
        ("Authorization", f"HMAC-SHA256 Signature={HEX}"), ("X-Timestamp", str(T))
    ],
    "hmac with a key": [("Authorization", f"HMAC awexampleclient1:{BASE64}"), ("Date", "now"),
                        ("X-Request-Timestamp", str(T))],
    "credential": [
        ("Authorization", f"AWS4-HMAC-SHA256 Credential=aw/x, SignedHeaders=host, Signature={HEX}"),
        ("X-Date", str(T)),
    ],
    "our value": [("Authorization", RIGHT)],
    "bearer": [("Authorization", f"Bearer {RIGHT}")],
    "basic": [("Authorization", "Basic " + base64.b64encode(f"{T}:{HEX}".encode()).decode())],
    "hash": [("X-Webhook-Hash", HEX), ("X-Webhook-Timestamp", str(T))],
    "token": [("X-Webhook-Token", RIGHT)],
    "http signatures": [
        ("Signature", f"sig1=:{BASE64}:"),
        ("Signature-Input", f'sig1=("@method");created={T}'),
    ],
    "date": [("X-Signature", HEX), ("Date", "Mon, 01 Sep 2025 00:00:01 GMT")],
}  # fmt: skip


@pytest.mark.parametrize("name", PLACES)
def test_a_right_value_under_another_header_is_recognised(name: str) -> None:
    found = of(None, *PLACES[name])
    assert found.mistake.startswith("wrong-header-name")
    assert found.reason.endswith("; its value is right")


@pytest.mark.parametrize("name", PLACES)
def test_a_forged_value_under_another_header_is_not_called_right(name: str) -> None:
    swaps = {HEX: OTHER.hexdigest(), BASE64: base64.b64encode(OTHER.digest()).decode()}
    headers = []
    for key, value in PLACES[name]:
        for right, forged in swaps.items():
            value = value.replace(right, forged)  # noqa: PLW2901
        headers.append((key, value))
    found = of(None, *headers)
    if name != "basic":  # its value is the right one, encoded
        assert found.mistake in {"wrong-header-name", "no-header"}
        assert "right" not in found.reason


def test_the_secret_in_a_header_is_named_and_not_shown() -> None:
    found = of(None, ("Authorization", f"Bearer {SECRET}"))
    assert (found.mistake, "create a new one" in found.hint) == ("secret-sent", True)


ARABIC = "".join(chr(0x660 + int(digit)) for digit in str(T))


@pytest.mark.parametrize(
    "value", [f"t={ARABIC},s={HEX}", f"{ARABIC}.{HEX}", f"t={HEX},s={ARABIC}", f"t=²,s={HEX}"]
)
def test_digits_of_other_scripts_are_not_a_time(value: str) -> None:
    assert not of(value).reason.endswith("; its value is right")
    found = diagnosed(None, BODY, [SECRET], now=T, headers=[("X-Signature", value)])
    assert found is not None


@pytest.mark.realtime
def test_many_headers_named_like_a_signature_cost_what_one_does() -> None:
    headers = [
        (f"X-{number}-Signature", f"t={T + number},s={hashlib.sha256(b'%d' % number).hexdigest()}")
        for number in range(90)
    ]

    def diagnose_it() -> object:
        return diagnose(None, BODY, [SECRET], now=T, headers=headers)

    assert least_seconds(diagnose_it) <= 0.02


@pytest.mark.realtime
@pytest.mark.parametrize(
    "value",
    [
        "[" * 512 + "]" * 512,
        '"' * 1000,
        "s=" * 512,
        "%25" * 341,
        '\\"' * 500,
        "=?u?q?" + "=" * 1000,
        "." * 638 + "10",
        r"\n" * 319 + "10",
    ],
    ids=lambda value: value[:6],
)
def test_a_hostile_header_is_read_quickly(value: str) -> None:
    assert header_forms.readings(value) == []
    assert least_seconds(lambda: header_forms.readings(value)) < 0.02
